/**
 * The program in a thread of its own, beside one that waits for signals. The first asks the search to end with what there
 * is; the second, or one that comes before there is a search, ends the program at once.
 */
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { Worker } from 'node:worker_threads'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What the program's thread is given. */
export interface Beside {
  /** How many signals have come; and, written by the program, whether it looks at that. */
  readonly signals: SharedArrayBuffer
  /** Columns of the terminal; undefined where standard output is none. */
  readonly columns: number | undefined
}

/** Places in `signals`. */
export const COME = 0
export const LOOKED_AT = 1

/** Runs the command line of this process, and exits with what it says. */
export async function run_beside(): Promise<void> {
  const signals = new SharedArrayBuffer(8)
  const seen = new Int32Array(signals)
  const columns = isatty(1) ? process.stdout.columns : undefined
  const beside: Beside = { signals, columns }
  const worker = new Worker(new URL('./main.js', import.meta.url), {
    argv: process.argv.slice(2),
    workerData: beside,
  })
  const on_signal = (signal: (typeof SIGNALS)[number]) => {
    const before = Atomics.add(seen, COME, 1)
    if (before > 0 || Atomics.load(seen, LOOKED_AT) === 0) process.exit(128 + constants.signals[signal])
  }
  for (const signal of SIGNALS) process.on(signal, on_signal)
  await new Promise<void>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', (code) => {
      process.exitCode = code
      resolve()
    })
  })
  for (const signal of SIGNALS) process.off(signal, on_signal)
}

/**
 * The program in a thread of its own, beside one that waits for signals. The first asks the search to end with what there
 * is; the second, or one that comes before there is a search, ends the program at once. This thread also ends the
 * program where code of the user's keeps the other from ever getting any further.
 */
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { Worker } from 'node:worker_threads'
import { exit } from './exit_codes.js'
import { type Begun, type Beside, COME, LOOKED_AT } from './thread.js'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

const OUT_OF_MEMORY =
  'toctoscope: there is no more memory: bound what a search keeps, e.g. --max-memory 1G, or --max-states 2M\n'

/** Ends the program, with words. */
async function give_up(words: string, code: number): Promise<never> {
  const { last_words } = await import('./terminal.js')
  last_words(words)
  process.exit(code)
}

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
  let begun: Begun | null = null
  let timer: NodeJS.Timeout | undefined
  worker.on('message', (message: Begun | null) => {
    clearTimeout(timer)
    begun = message
    if (message !== null) timer = setTimeout(give_up, message.limit, message.too_late, exit.cannot_load)
  })
  await new Promise<void>((resolve, reject) => {
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') reject(error)
      else if (begun !== null) give_up(begun.too_large, exit.cannot_load)
      else give_up(OUT_OF_MEMORY, exit.lacking)
    })
    worker.on('exit', (code) => {
      clearTimeout(timer)
      process.exitCode = code
      resolve()
    })
  })
  for (const signal of SIGNALS) process.off(signal, on_signal)
}

import { writeSync } from 'node:fs'
import { exit } from './errors.js'

/** Where a verb writes: data to `out`, talk to `err`. Tests bring their own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Columns for reports. */
  readonly width: number
  readonly color: boolean
  /** Somebody watches `err`: progress may be shown. */
  readonly interactive: boolean
  /** Milliseconds, for times and bounds. */
  now(): number
  /** The next line that somebody types; null at the end of input. */
  line(): Promise<string | null>
}

/** Width where there is no terminal, so that the same input gives the same bytes everywhere. */
const PIPE_WIDTH = 100
const WIDEST = 120

/** The terminal that the process runs in. Colour only there, and not where NO_COLOR says so. */
export function process_terminal(): Terminal {
  const { stdout, stderr, env } = process
  // Whoever reads may stop reading (`| head`); a disk may be full.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exit.ok)
    writeSync(2, `toctoscope: the output cannot be written: ${error.message}\n`)
    process.exit(exit.lacking)
  })
  const columns = stdout.isTTY ? Math.min(Math.max(stdout.columns || PIPE_WIDTH, 60), WIDEST) : PIPE_WIDTH
  return {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    width: columns,
    color: stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    interactive: stderr.isTTY === true,
    now: () => performance.now(),
    line: next_line(),
  }
}

function next_line(): () => Promise<string | null> {
  let lines: AsyncIterator<string> | undefined
  return async () => {
    if (lines === undefined) {
      const { createInterface } = await import('node:readline')
      lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
    }
    const { value, done } = await lines.next()
    return done === true ? null : value
  }
}

/**
 * The one place that writes to a terminal, a pipe or a file on the standard descriptors. Whatever comes here is data, for
 * names and bytes of strangers are in most of it: but for line ends, tabs and our own styles, every character that acts
 * instead of being seen is escaped. So nobody can forget to.
 */
import { readSync, writeSync } from 'node:fs'
import type { Interface } from 'node:readline'
import { StringDecoder } from 'node:string_decoder'
import { isatty, ReadStream, WriteStream } from 'node:tty'
import { printable } from '../trace/render/printable.js'
import { exit } from './exit_codes.js'
import { type Beside, beside, COME, LOOKED_AT } from './thread.js'

/** Where a verb writes: data to `out`, talk to `err`. Tests bring their own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Columns for reports. */
  readonly width: number
  readonly color: boolean
  /** Somebody watches `err`: progress may be shown. */
  readonly interactive: boolean
  /** Whether somebody wants it to end with what there is. Where it is missing, signals end the program. */
  interrupted?(): boolean
  /** Milliseconds, for times and bounds. */
  now(): number
  /** The next line that somebody types; null at the end of input. */
  line(): Promise<string | null>
}

/** Width where there is no terminal, so that the same input gives the same bytes everywhere. */
const PIPE_WIDTH = 100
const WIDEST = 120

// --- what is let through ---------------------------------------------------------------------------------------

/** The styles of `theme` (trace/render/layout.ts), and taking a line of progress away. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const STYLES = /(\x1b\[(?:1|2|22|31|32|33|39)m)/
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const STYLES_AND_PROGRESS = /(\x1b\[(?:1|2|22|31|32|33|39)m|\r\x1b\[K)/

const ASCII_LINES = /^[\n\t -~]*$/

/** Lines in which every character can be seen. */
function screened_lines(text: string): string {
  if (ASCII_LINES.test(text)) return text
  return text
    .split(/([\n\t])/)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join('')
}

function screened_but(own: RegExp, text: string): string {
  return text
    .split(own)
    .map((part, i) => (i % 2 === 1 ? part : screened_lines(part)))
    .join('')
}

/**
 * The same terminal, to which only what can be seen is written. Styles pass where it has colour, progress where somebody
 * watches.
 */
export function screened(terminal: Terminal): Terminal {
  const style = (text: string, own: RegExp | null) =>
    own === null ? screened_lines(text) : screened_but(own, text)
  const for_out = terminal.color ? STYLES : null
  const for_err = terminal.interactive ? STYLES_AND_PROGRESS : null
  return {
    ...terminal,
    out: (text) => terminal.out(style(text, for_out)),
    err: (text) => terminal.err(style(text, for_err)),
  }
}

// --- the process's own -----------------------------------------------------------------------------------------

const STDIN = 0
const STDOUT = 1
const STDERR = 2

const moment = new Int32Array(new SharedArrayBuffer(4))

/** A pipe that somebody has made one that does not wait: we do. */
export const wait = (): void => void Atomics.wait(moment, 0, 0, 1)

export const code_of = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Writes all of a text before it returns. @returns false where nobody reads any more */
function write(descriptor: number, text: string): boolean {
  let rest = Buffer.from(text, 'utf8')
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      if (code_of(error) === 'EPIPE') return false
      if (code_of(error) !== 'EAGAIN') throw error
      wait()
    }
  }
  return true
}

/** Writes lines to standard output, all of them before it returns. @returns false where nobody reads any more */
export const write_all = (text: string): boolean => write(STDOUT, screened_lines(text))

/** What must be said although the program ends: on standard error, at once. */
export const last_words = (text: string): void => talk(screened_lines(text))

/** Where talk cannot be written, the exit code says the same. */
function talk(text: string): void {
  try {
    write(STDERR, text)
  } catch (error) {
    if (code_of(error) === undefined) throw error
  }
}

/** Whoever reads data may stop reading (`| head`), which is no fault; a disk may be full, which is one. */
function tell_data(text: string): void {
  try {
    if (!write(STDOUT, text)) process.exit(exit.ok)
  } catch (error) {
    if (code_of(error) === undefined) throw error
    last_words(`toctoscope: the output cannot be written: ${(error as Error).message}\n`)
    process.exit(exit.lacking)
  }
}

/** Whether colour is wanted: NO_COLOR and FORCE_COLOR count where they are not empty, and NO_COLOR counts more. */
export function wants_color(
  env: Readonly<Record<string, string | undefined>>,
  is_terminal: boolean,
): boolean {
  if ((env.NO_COLOR ?? '') !== '') return false
  const forced = env.FORCE_COLOR ?? ''
  if (forced !== '') return forced !== '0' && forced !== 'false'
  return is_terminal && env.TERM !== 'dumb'
}

/** The terminal that the process runs in; where this is a thread beside the one for signals, as that one sees it. */
export function process_terminal(): Terminal {
  const given = beside()
  const columns = given === null ? (isatty(STDOUT) ? process.stdout.columns : undefined) : given.columns
  const width = columns === undefined ? PIPE_WIDTH : Math.min(Math.max(columns || PIPE_WIDTH, 60), WIDEST)
  return screened({
    out: tell_data,
    err: talk,
    width,
    color: wants_color(process.env, isatty(STDOUT)),
    interactive: isatty(STDERR),
    now: () => performance.now(),
    line: next_line(),
    ...(given === null ? {} : { interrupted: signals_of(given) }),
  })
}

function signals_of({ signals }: Beside): () => boolean {
  const seen = new Int32Array(signals)
  return () => {
    Atomics.store(seen, LOOKED_AT, 1)
    return Atomics.load(seen, COME) > 0
  }
}

/** Characters that a scenario's own code may print. */
const MOST_PRINTED = 1 << 16

/**
 * What code of the user's prints is talk, at once: standard output is for data, and a thread that never comes to rest
 * would print nothing. It is bounded, for code may print without end.
 */
export function divert_prints(): void {
  let left = MOST_PRINTED
  const print = (chunk: unknown, encoding?: unknown, done?: unknown): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('utf8')
    if (left > 0) last_words(text.slice(0, left))
    if (left > 0 && text.length >= left)
      last_words('\ntoctoscope: the scenario prints more, which is left out\n')
    left -= text.length
    const then = typeof encoding === 'function' ? encoding : done
    if (typeof then === 'function') queueMicrotask(() => then())
    return true
  }
  for (const stream of [process.stdout, process.stderr])
    Object.defineProperty(stream, 'write', { value: print, configurable: false, writable: true })
}

/** Whether somebody types. */
export const is_typed = (): boolean => isatty(STDIN)

/** Bytes of standard input, 0 at its end. */
export function read_some(buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(STDIN, buffer)
    } catch (error) {
      if (code_of(error) === 'EOF') return 0
      if (code_of(error) !== 'EAGAIN') throw error
      wait()
    }
  }
}

/** A line editor with history, for a person who types. */
export async function line_editor(complete: (line: string) => [string[], string]): Promise<Interface> {
  const { createInterface } = await import('node:readline')
  // Not those of the process: in a thread beside that of signals they are no terminal.
  return createInterface({
    input: new ReadStream(STDIN),
    output: new WriteStream(STDOUT),
    historySize: HISTORY,
    removeHistoryDuplicates: true,
    completer: complete,
  })
}

const HISTORY = 1000

function next_line(): () => Promise<string | null> {
  const buffer = new Uint8Array(1 << 12)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return async () => {
    for (let at = rest.indexOf('\n'); ; at = rest.indexOf('\n')) {
      if (at >= 0) {
        const line = rest.slice(0, at)
        rest = rest.slice(at + 1)
        return line
      }
      const size = read_some(buffer)
      const last = rest
      rest += decoder.write(Buffer.from(buffer.buffer, 0, size))
      if (size > 0) continue
      rest = ''
      return last === '' ? null : last
    }
  }
}

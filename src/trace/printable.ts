/**
 * Names and texts come from files of others: what would control a terminal is shown as C would write it.
 */
import { escape_byte } from './strace.js'
import type { Change, Trace } from './trace.js'

/** Control characters of ASCII and of Latin-1, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text of one line, with its control characters escaped: `\33[31m`, `\n`. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char, at: number) => {
    const code = char.charCodeAt(0)
    if (code > 0xff) return `\\u${code.toString(16)}`
    return escape_byte(code, text.charCodeAt(at + 1))
  })
}

/** Bytes, which are quoted where they are shown. */
const is_bytes = (key: string, owner: unknown): boolean => {
  if (key === 'bytes' || key === 'data') return true
  return (key === 'from' || key === 'to') && /page$/.test((owner as Partial<Change>).table ?? '')
}

function map_texts(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(map_texts)
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([key, each]) => [printable(key), is_bytes(key, value) ? each : map_texts(each)]),
  )
}

/** The trace with all its names and texts fit for a terminal. */
export function printable_trace(trace: Trace): Trace {
  return map_texts({ ...trace, summary: trace.summary.replace(/\s+/g, ' ') }) as Trace
}

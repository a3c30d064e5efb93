/**
 * Names and texts come from files of others: what would control a terminal, or hide in a line, is shown as C would
 * write it.
 */
import { escape_byte, HIDDEN, is_seen } from '../../scenario/characters.js'
import type { Change, Trace } from '../trace.js'

/** A text of one line, with the characters in it that cannot be seen escaped: `\33[31m`, `\n`, `\u202e`. */
export function printable(text: string): string {
  if (is_seen(text)) return text
  return text.replace(HIDDEN, (char, at: number) => {
    const code = char.codePointAt(0)!
    if (code > 0xffff) return `\\u{${code.toString(16)}}`
    if (code > 0xff) return `\\u${code.toString(16).padStart(4, '0')}`
    return escape_byte(code, text.charCodeAt(at + 1))
  })
}

/** A text of several lines, each of them printable. */
export const printable_lines = (text: string): string => text.split('\n').map(printable).join('\n')

const ASCII_LINES = /^[\n -~]*$/

/** A document of JSON that says the same, and in which every character can be seen. */
export function printable_json(json: string): string {
  if (ASCII_LINES.test(json)) return json
  // Outside of its strings JSON has nothing but ASCII, and within them line ends stand escaped already.
  return json.replace(HIDDEN, (char) => {
    if (char === '\n') return char
    return Array.from({ length: char.length }, (_, i) => json_escape(char.charCodeAt(i))).join('')
  })
}

const json_escape = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`

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

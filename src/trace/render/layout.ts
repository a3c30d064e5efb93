/** Text in columns: widths as a terminal counts them, wrapping, and styles that can be left out. */
import picocolors from 'picocolors'
import string_width from 'string-width'

export type Style = (text: string) => string
const { createColors } = picocolors

/** The styles that a trace uses; without colour they do nothing, and everything they say stands in the text too. */
export interface Theme {
  readonly call: Style
  readonly dim: Style
  readonly good: Style
  readonly bad: Style
  readonly note: Style
  readonly strong: Style
  readonly plain: Style
}

export function theme(color: boolean): Theme {
  const c = createColors(color)
  return {
    call: c.bold,
    dim: c.dim,
    good: c.green,
    bad: (text) => c.bold(c.red(text)),
    note: c.yellow,
    strong: c.bold,
    plain: (text) => text,
  }
}

/** Letters, arrows, lines: one column each, with nothing among them that joins with its neighbours. */
const NARROW = /^[ -~\xa0-\xac\xae-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u25fc\u2713\u2717]*$/

/** Columns of a text on a terminal. Most texts are narrow: only for others need tables of emoji be made. */
export const width_of = (text: string): number => (NARROW.test(text) ? text.length : string_width(text))

/** Cuts a text that is too wide, with `…` at its end. */
export function cut(text: string, width: number): string {
  if (width_of(text) <= width) return text
  let kept = ''
  for (const char of text) {
    if (width_of(kept + char) > width - 1) break
    kept += char
  }
  return `${kept}…`
}

/** Fills a text with blanks up to a width. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - width_of(text)))
}

/**
 * Breaks a text into lines: at blanks, else behind punctuation, else within names, else anywhere. A blank at the beginning stays.
 *
 * @param hanging columns by which all lines but the first are indented more
 */
export function wrap(text: string, width: number, hanging = 0): string[] {
  const indent = /^ */.exec(text)![0].length
  const lines: string[] = []
  let rest = text
  let room = Math.max(width, indent + hanging + 8)
  while (width_of(rest) > room) {
    const at = break_at(rest, room, lines.length === 0 ? indent : indent + hanging)
    lines.push(rest.slice(0, at).trimEnd())
    rest = ' '.repeat(indent + hanging) + rest.slice(at).trimStart()
    room = Math.max(width, indent + hanging + 8)
  }
  return [...lines, rest]
}

/** Where to break: the last good place that leaves the line within its room. */
function break_at(text: string, room: number, indent: number): number {
  let fits = 0
  let width = 0
  for (const char of text) {
    width += width_of(char)
    if (width > room) break
    fits += char.length
  }
  const head = text.slice(0, fits + 1)
  const blank = head.lastIndexOf(' ')
  if (blank > indent + (fits - indent) / 3) return blank
  const mark = Math.max(
    ...[',', '/', '|', ':', '=', '('].map((each) => text.slice(0, fits).lastIndexOf(each)),
  )
  if (mark > indent + (fits - indent) / 3) return mark + 1
  const within = text.slice(0, fits).lastIndexOf('_')
  return within > indent + (fits - indent) / 3 ? within + 1 : Math.max(fits, 1)
}

/** `3 steps`, `1 step`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** The bytes that were judged and the bytes that were used, side by side. */

import { quote } from '../../scenario/strace.js'
import { type Approval, from_bytes_form, type Trace, type Use } from '../trace.js'
import { how_many } from './effects.js'
import { cut, type Theme, width_of } from './layout.js'

/** Lines of each side that are shown. */
const MOST_LINES = 8

const is_child = (trace: Trace, use: Use): boolean =>
  trace.tasks.some(({ task, name }) => task === use.task && name.startsWith('child of '))

/** The approval that a use relies on: the last of that name before it. */
export function relied_on(trace: Trace, use: Use): Approval | undefined {
  const before = trace.approvals.filter((each) => each.check === use.relies && each.step <= use.step)
  // A child may rely on what its parent was told.
  return (
    before.filter((each) => each.task === use.task).at(-1) ??
    (is_child(trace, use) ? before.at(-1) : undefined)
  )
}

/** Both sides of the last use that relies on an approval; nothing where there is none. */
export function side_by_side(trace: Trace, width: number, theme: Theme): string[] {
  const use = trace.uses.filter((each) => each.relies !== null).at(-1)
  if (use === undefined) return []
  const approval = relied_on(trace, use)
  const column = Math.floor((width - 7) / 2)
  const judged = from_bytes_form(approval?.bytes ?? '').slice(use.at)
  const used = from_bytes_form(use.bytes)
  const lines = [
    row(column, approved_title(approval), used_title(use), theme.strong, theme.strong, theme),
    row(column, approved_source(approval), used_source(use), theme.dim, theme.dim, theme),
  ]
  const [left, right] = [pieces(judged, column - 2), pieces(used, column - 2)]
  const shown = Math.min(Math.max(left.length, right.length), MOST_LINES)
  for (let i = 0; i < shown; i++) {
    const same = left[i] === right[i]
    lines.push(
      row(
        column,
        left[i] ?? '',
        right[i] ?? '',
        theme.good,
        same ? theme.good : theme.bad,
        theme,
        same ? '=' : '≠',
      ),
    )
  }
  if (Math.max(left.length, right.length) > shown) lines.push(theme.dim('  …'))
  lines.push(`  ${verdict(judged, used, theme)}`)
  return lines
}

function row(
  column: number,
  left: string,
  right: string,
  a: Theme['good'],
  b: Theme['good'],
  theme: Theme,
  between = '│',
): string {
  const [l, r] = [cut(left, column), cut(right, column)]
  return `  ${a(l)}${' '.repeat(Math.max(0, column - width_of(l)))}${theme.dim(` ${between} `)}${b(r)}`.trimEnd()
}

function approved_title(approval: Approval | undefined): string {
  return approval === undefined
    ? 'nothing was approved'
    : `approved by ${approval.check} in step ${approval.step}`
}

function used_title(use: Use): string {
  return `used in step ${use.step}${use.at === 0 ? '' : `, from byte ${use.at} on`}`
}

function approved_source(approval: Approval | undefined): string {
  return approval === undefined ? '' : `${how_many(approval.bytes)} of ${approval.object}`
}

function used_source(use: Use): string {
  if (use.from.length === 0) return how_many(use.bytes)
  return use.from
    .map(({ object, bytes, approved }) => `${how_many(bytes)} of ${object}${approved ? '' : ' (✗ policy)'}`)
    .join(', ')
}

/** Bytes as C strings, a line of the file each, broken where they are too long. */
function pieces(bytes: string, width: number): string[] {
  if (bytes === '') return ['(nothing)']
  const lines: string[] = []
  for (const line of bytes.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    let from = 0
    while (from < line.length) {
      let length = Math.min(line.length - from, width)
      while (length > 1 && width_of(quote(line.slice(from, from + length), length)) > width) length--
      lines.push(quote(line.slice(from, from + length), length))
      from += length
    }
  }
  return lines
}

function verdict(judged: string, used: string, theme: Theme): string {
  if (judged === used) return theme.good('the same bytes')
  if (used === '') return theme.bad('nothing is left of what was approved')
  if (judged.startsWith(used))
    return theme.bad(`only the first ${how_many(used.length)} of what was approved`)
  if (used.startsWith(judged))
    return theme.bad(`${how_many(used.length - judged.length)} more than what was approved`)
  let at = 0
  while (judged[at] === used[at]) at++
  return theme.bad(`the bytes differ from byte ${at} on`)
}

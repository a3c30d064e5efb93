/** The verdicts of a scenario as a table: the first parameter across, the others down, equal rows joined. */
import { cut, pad, type Style, type Theme, width_of, wrap } from '../trace/render/layout.js'
import type { CaseReport } from '../verdict/explore_case.js'

/** What of a report the table shows. */
export type Row = Pick<CaseReport, 'params' | 'verdict' | 'as_expected' | 'property' | 'states'>

interface TableLine {
  readonly labels: readonly string[]
  readonly cells: readonly (Row | undefined)[]
}

const GAP = 2

function verdict_style(row: Pick<Row, 'verdict'>, theme: Theme): Style {
  if (row.verdict === 'safe') return theme.good
  return row.verdict === 'incomplete' || row.verdict === 'unwitnessed' ? theme.note : theme.bad
}

/** A verdict in words. */
export const say_verdict = (verdict: Row['verdict']): string =>
  verdict === 'unwitnessed' ? 'not witnessed' : verdict

/** `race`, `race!` where something else was expected, `not witnessed`. */
function cell_text(row: Row | undefined): string {
  if (row === undefined) return '-'
  const surprise = row.as_expected || row.verdict === 'unwitnessed' ? '' : '!'
  return `${say_verdict(row.verdict)}${surprise}`
}

/**
 * Lines of the table. Where it is too wide, labels that join several values are broken; where that does not
 * help, the columns are put below each other.
 *
 * @returns an empty list where not even one column fits, or there are no two parameters
 */
export function verdict_table(rows: readonly Row[], width: number, theme: Theme): string[] {
  const names = Object.keys(rows[0]?.params ?? {})
  if (names.length < 2) return []
  const values = names.map((name) => [...new Set(rows.map((row) => String(row.params[name])))])
  const [across, ...down] = names
  const lines = join_rows(rows, down, values.slice(1), across!, values[0]!)
  const cells = values[0]!.map((title, i) =>
    widest([title, ...lines.map((line) => cell_text(line.cells[i]))]),
  )
  const whole = down.map((title, i) => widest([title, ...lines.map(({ labels }) => labels[i]!)]))
  const broken = down.map((title, i) =>
    widest([title, ...lines.flatMap(({ labels }) => parts_of(labels[i]!))]),
  )
  const fits = (labels: readonly number[]) => total([...labels, ...cells]) <= width
  const labels = fits(whole) ? whole : broken
  const groups = column_groups(cells, width - total(labels) - GAP)
  if (groups === null) return []
  return groups.flatMap((columns, i) => [
    ...(i === 0 ? [] : ['']),
    ...one_table({ across: across!, down, titles: values[0]!, lines, labels, cells, columns }, theme),
  ])
}

interface Layout {
  readonly across: string
  readonly down: readonly string[]
  readonly titles: readonly string[]
  readonly lines: readonly TableLine[]
  /** Widths. */
  readonly labels: readonly number[]
  readonly cells: readonly number[]
  /** Which of the cells this table shows. */
  readonly columns: readonly number[]
}

function one_table(layout: Layout, theme: Theme): string[] {
  const { across, down, titles, lines, labels, cells, columns } = layout
  const widths = [...labels, ...columns.map((i) => cells[i]!)]
  const gap = ' '.repeat(GAP)
  const head = [...down, ...columns.map((i) => titles[i]!)]
  return [
    theme.dim(`${' '.repeat(total(labels) + GAP)}${across}`),
    theme.dim(
      head
        .map((title, i) => pad(title, widths[i]!))
        .join(gap)
        .trimEnd(),
    ),
    theme.dim(widths.map((each) => '─'.repeat(each)).join(gap)),
    ...without_repeats(lines).flatMap((line) => {
      const broken = line.labels.map((label, i) => broken_label(label, labels[i]!))
      const height = Math.max(1, ...broken.map((each) => each.length))
      return Array.from({ length: height }, (_, at) =>
        [
          ...broken.map((each, i) => pad(each[at] ?? '', labels[i]!)),
          ...(at > 0 ? [] : columns.map((i) => cell(line.cells[i], cells[i]!, theme))),
        ]
          .join(gap)
          .trimEnd(),
      )
    }),
  ]
}

function cell(row: Row | undefined, width: number, theme: Theme): string {
  const text = pad(cell_text(row), width)
  return row === undefined ? theme.dim(text) : verdict_style(row, theme)(text)
}

const widest = (texts: readonly string[]): number => Math.max(...texts.map(width_of))

const total = (widths: readonly number[]): number => widths.reduce((sum, each) => sum + each + GAP, -GAP)

/** `a, b` as `a,` and `b`. */
const parts_of = (label: string): string[] => label.split(/(?<=,) /)

/** A label of several values on as many lines as it needs. */
function broken_label(label: string, width: number): string[] {
  const lines: string[] = []
  for (const part of parts_of(label)) {
    const last = lines[lines.length - 1]
    if (last !== undefined && width_of(`${last} ${part}`) <= width)
      lines[lines.length - 1] = `${last} ${part}`
    else lines.push(part)
  }
  return lines
}

/** Columns that fit beside each other; null where one alone does not. */
function column_groups(cells: readonly number[], room: number): number[][] | null {
  const groups: number[][] = []
  for (const [i, width] of cells.entries()) {
    if (width > room) return null
    const last = groups[groups.length - 1]
    if (last !== undefined && total([...last, i].map((each) => cells[each]!)) <= room) last.push(i)
    else groups.push([i])
  }
  return groups
}

/** One line per combination of the parameters down; lines that say the same are joined: `6.19, 7.2`. */
function join_rows(
  rows: readonly Row[],
  down: readonly string[],
  values: readonly (readonly string[])[],
  across: string,
  columns: readonly string[],
): TableLine[] {
  const [name, ...rest] = down
  if (name === undefined) {
    return [
      { labels: [], cells: columns.map((value) => rows.find((row) => String(row.params[across]) === value)) },
    ]
  }
  const groups: { labels: string[]; key: string; lines: TableLine[] }[] = []
  for (const value of values[0]!) {
    const of_value = rows.filter((row) => String(row.params[name]) === value)
    if (of_value.length === 0) continue
    const lines = join_rows(of_value, rest, values.slice(1), across, columns)
    const key = JSON.stringify(lines.map((line) => [line.labels, line.cells.map(cell_text)]))
    const same = groups.find((group) => group.key === key)
    if (same === undefined) groups.push({ labels: [value], key, lines })
    else same.labels.push(value)
  }
  return groups.flatMap(({ labels, lines }) => {
    const all = labels.length === values[0]!.length && labels.length > 1
    const label = all ? 'any' : labels.join(', ')
    return lines.map((line) => ({ labels: [label, ...line.labels], cells: line.cells }))
  })
}

/** A label that stands above already is left out. */
function without_repeats(lines: readonly TableLine[]): TableLine[] {
  return lines.map((line, i) => {
    const before = lines[i - 1]
    if (before === undefined || before.labels[0] !== line.labels[0]) return line
    return { ...line, labels: line.labels.map((label, at) => (at === 0 ? '' : label)) }
  })
}

/** One line per case, for scenarios with fewer than two parameters and for tables that are too wide. */
export function verdict_list(
  rows: readonly (Row & { case: string })[],
  width: number,
  theme: Theme,
): string[] {
  const [names, common] = without_common(
    rows.map((row) => row.case || '(one case)'),
    width - 34,
  )
  const longest = Math.min(Math.max(...names.map(width_of)), width - 34)
  const lines = rows.flatMap((row, i) => {
    const property = row.property === null ? '' : `  ${row.property}`
    const verdict = verdict_style(row, theme)(pad(cell_text(row), 13))
    // What tells one case from another is never cut.
    const [first, ...more] = wrap(names[i]!, longest, 2)
    return [`${pad(first!, longest)}  ${verdict}${cut(property, width - longest - 15)}`.trimEnd(), ...more]
  })
  return common === '' ? lines : [...wrap(`All with ${common}:`, width, 2).map(theme.dim), ...lines]
}

/** Names that are too long without the parameters that all have in common. */
function without_common(names: readonly string[], room: number): [string[], string] {
  if (names.length < 2 || names.every((name) => width_of(name) <= room)) return [[...names], '']
  const words = names.map((name) => name.split(' '))
  const common = words[0]!.filter((word) => words.every((each) => each.includes(word)))
  return [words.map((each) => each.filter((word) => !common.includes(word)).join(' ')), common.join(' ')]
}

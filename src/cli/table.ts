/** The verdicts of a scenario as a table: the first parameter across, the others down, equal rows joined. */
import { cut, pad, type Style, type Theme, width_of } from '../trace/layout.js'
import type { CaseReport } from '../verdicts.js'

/** What of a report the table shows. */
export type Row = Pick<
  CaseReport,
  'params' | 'verdict' | 'as_expected' | 'unwitnessed' | 'property' | 'states'
>

interface TableLine {
  readonly labels: readonly string[]
  readonly cells: readonly (Row | undefined)[]
}

const GAP = 2

export function verdict_style(row: Pick<Row, 'verdict'>, theme: Theme): Style {
  if (row.verdict === 'safe') return theme.good
  return row.verdict === 'incomplete' ? theme.note : theme.bad
}

/** `race`, `safe?` where it is not witnessed, `race!` where something else was expected. */
export function cell_text(row: Row | undefined): string {
  if (row === undefined) return '-'
  const witnessed = row.verdict === 'safe' && row.unwitnessed !== null ? '?' : ''
  return `${row.verdict}${witnessed}${row.as_expected ? '' : '!'}`
}

/** Lines of the table; an empty list where it would be wider than `width`, or there are no two parameters. */
export function verdict_table(rows: readonly Row[], width: number, theme: Theme): string[] {
  const names = Object.keys(rows[0]?.params ?? {})
  if (names.length < 2) return []
  const values = names.map((name) => [...new Set(rows.map((row) => String(row.params[name])))])
  const [across, ...down] = names
  const lines = join_rows(rows, down, values.slice(1), across!, values[0]!)
  const head = [...down, ...values[0]!]
  const widths = head.map((title, i) => {
    const texts = lines.map(({ labels, cells }) =>
      i < down.length ? labels[i]! : cell_text(cells[i - down.length]),
    )
    return Math.max(width_of(title), ...texts.map(width_of))
  })
  const total = widths.reduce((sum, each) => sum + each + GAP, -GAP)
  if (total > width) return []
  const gap = ' '.repeat(GAP)
  return [
    theme.dim(`${' '.repeat(sum_to(widths, down.length))}${across}`),
    theme.dim(
      head
        .map((title, i) => pad(title, widths[i]!))
        .join(gap)
        .trimEnd(),
    ),
    theme.dim(widths.map((each) => '─'.repeat(each)).join(gap)),
    ...without_repeats(lines).map(({ labels, cells }) =>
      [
        ...labels.map((label, i) => pad(label, widths[i]!)),
        ...cells.map((row, i) => {
          const text = pad(cell_text(row), widths[down.length + i]!)
          return row === undefined ? theme.dim(text) : verdict_style(row, theme)(text)
        }),
      ]
        .join(gap)
        .trimEnd(),
    ),
  ]
}

const sum_to = (widths: readonly number[], n: number): number =>
  widths.slice(0, n).reduce((sum, each) => sum + each + GAP, 0)

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
  const names = rows.map((row) => row.case || '(one case)')
  const longest = Math.min(Math.max(...names.map(width_of)), width - 34)
  return rows.map((row, i) => {
    const property = row.property === null ? '' : `  ${row.property}`
    const verdict = verdict_style(row, theme)(pad(cell_text(row), 11))
    return `${pad(cut(names[i]!, longest), longest)}  ${verdict}${cut(property, width - longest - 13)}`.trimEnd()
  })
}

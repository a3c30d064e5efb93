/** `explore --count`: how many interleavings of a case there are, and how many of them race. */
import { printable } from '../trace/render/printable.js'
import type { InterleavingCount } from '../trace/render/verdicts_json.js'
import { count_case, fits_verdict } from '../verdict/counted.js'
import { type BoundOptions, bounds_of, say_bound } from './bounds.js'
import { type Explored, what_is_left } from './explored.js'
import { say_numbers } from './say_numbers.js'
import type { Terminal } from './terminal.js'

export interface CountedAll {
  /** The same cases, with their numbers. */
  readonly explored: readonly Explored[]
  /** Numbers and verdicts that do not go together. */
  readonly doubts: readonly string[]
  /** Cases that could not be counted, and why. */
  readonly not_counted: readonly string[]
}

/** Counts the interleavings of every case that was searched, within the time that is left. */
export function count_all(
  explored: readonly Explored[],
  options: BoundOptions & { readonly exact?: boolean },
  terminal: Terminal,
): CountedAll {
  const began = terminal.now()
  const doubts: string[] = []
  const not_counted: string[] = []
  const counted = explored.map((each) => {
    const { loaded, index, report } = each
    const bounds = bounds_of({ ...options, ...what_is_left(options, terminal, began) }, terminal)
    const count = count_case(loaded.cases[index]!, { ...bounds, exact: options.exact }, `cases[${index}]`)
    const { interleavings, why } = count
    const name = printable(`${loaded.name} ${report.case}`.trim())
    if (!fits_verdict(report, count))
      doubts.push(`this is a bug in toctoscope: ${name}: ${say_numbers(report, in_decimals(interleavings!))}`)
    if (interleavings !== null) return { ...each, counted: in_decimals(interleavings) }
    const reason =
      why === 'endless' ? 'some run of it never ends' : `the bound was hit: ${say_bound(why!, options)}`
    not_counted.push(`not counted: ${name}: ${reason}`)
    return each
  })
  return { explored: counted, doubts, not_counted }
}

const in_decimals = ({
  all,
  racy,
  deadlocked,
}: {
  all: bigint
  racy: bigint
  deadlocked: bigint
}): InterleavingCount => ({
  all: String(all),
  racy: String(racy),
  deadlocked: String(deadlocked),
})

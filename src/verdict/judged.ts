/** A verdict beside what the unreduced search says of the same case. */
import { depth_first } from '../explore/depth_first.js'
import { judge } from '../explore/judge.js'
import { type Bound, type Bounds, BrokenInvariant, type Report } from '../explore/system.js'
import { FastStore } from '../kernel/fast_store.js'
import type { Case } from '../scenario/builder.js'
import { case_system } from '../scenario/case_system.js'
import { broken_invariant } from '../scenario/invariants.js'
import type { CaseReport } from './explore_case.js'

export interface Judged {
  /** An invariant that a stage broke: what is wrong with the machine's own books. Null if they are in order. */
  readonly broken: string | null
  /** Whether it found the same; null where a bound ended it first. */
  readonly agrees: boolean | null
  readonly bound: Bound | null
  /** States that it met. */
  readonly states: number
}

/**
 * Asks the judge about a case that was searched completely.
 *
 * @param bounds asked before each of the two searches that this takes
 */
export function ask_judge(of: Case, report: CaseReport, bounds: () => Bounds, path = ''): Judged {
  const system = case_system(of, path)
  const broken = first_breach(() => depth_first(system, { invariant: broken_invariant, ...bounds() }))
  const judged = judge(system, new FastStore(), bounds())
  const bound = judged.bounds[0] ?? null
  const agrees = bound === null ? found_of(judged) === found_of(report.search) : null
  return { broken, agrees, bound, states: judged.states }
}

/** What searches must agree on: the properties that are violated, and the outcomes of runs. */
const found_of = ({ violations, outcomes }: Pick<Report, 'violations' | 'outcomes'>): string =>
  JSON.stringify([violations.map(({ property }) => property).sort(), outcomes])

/** What a search says that looks at the machine's own books after every stage. */
function first_breach(search: () => void): string | null {
  try {
    search()
    return null
  } catch (error) {
    if (error instanceof BrokenInvariant) return error.message
    throw error
  }
}

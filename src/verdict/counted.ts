/** How many of a case's interleavings violate a property, and whether that fits its verdict. */
import { type Counted, type CountOptions, count_interleavings } from '../explore/count.js'
import type { Case } from '../scenario/builder.js'
import { case_system } from '../scenario/case_system.js'
import type { CaseVerdict } from './explore_case.js'

/**
 * Counts the interleavings of a case with all its calls.
 *
 * @param path where the case stands in its document, for messages
 */
export const count_case = (of: Case, options: CountOptions, path = ''): Counted =>
  count_interleavings(case_system(of, path), options)

/**
 * Whether search and count can both be right: neither knows of the other, and they reduce differently.
 *
 * @param report of a complete search
 */
export function fits_verdict(
  { verdict, unreached }: Pick<CaseVerdict, 'verdict' | 'unreached'>,
  { interleavings }: Counted,
): boolean {
  if (interleavings === null || verdict === 'incomplete' || unreached.length > 0) return true
  const { racy, deadlocked } = interleavings
  if (verdict === 'race' || verdict === 'hole') return racy > 0n
  return racy === 0n && deadlocked > 0n === (verdict === 'deadlock')
}

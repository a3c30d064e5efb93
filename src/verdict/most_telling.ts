/** Which of several counterexamples is shown, where one is. */
import type { CaseVerdict } from './explore_case.js'

/** Races before holes, which need no race. */
const rank = { race: 0, hole: 1, deadlock: 2, incomplete: 3, unwitnessed: 4, safe: 5 } as const

/**
 * The shortest: surprises before what was expected, races before holes, then fewest preemptions and steps; among
 * equals the newest kernel, and the first case.
 *
 * @param explored in the order of the cases
 * @returns undefined where there is no counterexample
 */
export function most_telling<T extends { readonly report: CaseVerdict }>(
  explored: readonly T[],
): T | undefined {
  const key = ({ report }: T) => [
    report.as_expected ? 1 : 0,
    rank[report.verdict],
    report.preemptions ?? 0,
    report.found_steps ?? 0,
    -release_number(report.profile),
  ]
  return explored
    .filter(({ report }) => report.found_steps !== null)
    .map((each) => ({ each, key: key(each) }))
    .sort((a, b) => compare(a.key, b.key))[0]?.each
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, each] of a.entries()) {
    const other = b[i] ?? 0
    if (each !== other) return each - other
  }
  return 0
}

/** `6.18` as 6018, so that releases compare as numbers. */
function release_number(profile: string): number {
  const [major = 0, minor = 0] = (profile.split('+')[0] ?? '').split('.').map(Number)
  return major * 1000 + minor
}

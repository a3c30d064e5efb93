/** Numbers of interleavings in words. */
import type { InterleavingCount } from '../trace/render/verdicts_json.js'
import type { CaseVerdict } from '../verdict/explore_case.js'
import { thousands } from './progress.js'

/** No interleaving violates a property, and none deadlocks. */
export const is_clean = ({ racy, deadlocked }: InterleavingCount): boolean =>
  racy === '0' && deadlocked === '0'

/** `none of 120 to 184,756 interleavings of each of the other 58 cases violates a property`: of cases that are clean. */
export function say_clean(counts: readonly InterleavingCount[]): string {
  const sorted = counts.map(({ all }) => BigInt(all)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const [least, most] = [sorted[0]!, sorted[sorted.length - 1]!]
  const cases = counts.length === 1 ? 'one case' : `each of ${counts.length} cases`
  if (most === 1n) return `the only interleaving of ${cases} violates no property`
  const range = least === most ? thousands(most) : `${thousands(least)} to ${thousands(most)}`
  return `none of the ${range} interleavings of ${cases} violates a property`
}

/** `37 of 184,756 interleavings race`, and what share that is. */
export function say_numbers({ verdict }: Pick<CaseVerdict, 'verdict'>, count: InterleavingCount): string {
  const stuck = verdict === 'deadlock'
  const these = stuck ? count.deadlocked : count.racy
  const verb = stuck ? 'deadlock' : verdict === 'race' ? 'race' : 'violate a property'
  return `${thousands(BigInt(these))} of ${thousands(BigInt(count.all))} interleavings ${verb} (${share(BigInt(these), BigInt(count.all))})`
}

/** `12 %`, `0.06 %`, `1 in 1,676`: two digits that matter. */
function share(part: bigint, all: bigint): string {
  if (part === 0n) return '0 %'
  const percent = Number((part * 10n ** 8n) / all) / 10 ** 6
  if (percent >= 0.01) return `${Number(percent.toPrecision(2))} %`
  return `1 in ${thousands(all / part)}`
}

/** `--reduce`: which orders and states a search leaves out. For those who compare reductions, or trust none. */
import { UsageError } from './errors.js'

export const reduction_names = ['fusion', 'locality', 'symmetry', 'order'] as const
export type ReductionName = (typeof reduction_names)[number]

/** What each cannot be used without, and why. */
const needs: Partial<Record<ReductionName, readonly [ReductionName, string]>> = {
  locality: ['fusion', 'it says which stages are fused'],
  order: ['locality', 'it goes by what that notes of stages'],
}

/** Splits `fusion,symmetry`; `none` for the search without any. @throws UsageError naming what is not known */
export function parse_reductions(text: string): readonly ReductionName[] {
  const names = text === 'none' ? [] : text.split(',').map((each) => each.trim())
  const unknown = names.find((each) => !(reduction_names as readonly string[]).includes(each))
  if (unknown !== undefined)
    throw new UsageError(
      `--reduce: there is no reduction ${JSON.stringify(unknown)}; expected some of ${reduction_names.join(',')}, or none`,
    )
  for (const name of names as ReductionName[]) {
    const [other, why] = needs[name] ?? []
    if (other !== undefined && !names.includes(other))
      throw new UsageError(`--reduce: ${name} is not to be had without ${other}: ${why}. Add ${other}`)
  }
  return names as ReductionName[]
}

/** The same as options of a search; all are on where nothing is said. @throws UsageError where a bound forbids one */
export function reductions_of({
  reduce,
  preemptions,
}: {
  readonly reduce?: readonly ReductionName[]
  readonly preemptions?: number
}) {
  if (reduce === undefined) return {}
  const is_on = (name: ReductionName) => reduce.includes(name)
  const counts = reduce.find((name) => name !== 'fusion')
  if (preemptions !== undefined && counts !== undefined)
    throw new UsageError(
      `--reduce ${counts} is not to be had with --preemptions: which task runs counts there. Leave one of them out`,
    )
  return {
    fusion: is_on('fusion'),
    inferred: is_on('locality'),
    symmetry: is_on('symmetry'),
    order: is_on('order'),
  }
}

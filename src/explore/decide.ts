/** The verdict on a system: the complete search, and if it finds something the shortest way there. */

import { type Counterexample, deadlocks, type Goal, shortest, violates } from './counterexample.js'
import { type DepthFirstOptions, depth_first } from './depth_first.js'
import { Player, PreemptionCount } from './replay.js'
import {
  type Bound,
  type Bounds,
  type Look,
  look_at_clock,
  type Report,
  type Schedule,
  type System,
  time_left,
  unless_cut_short,
  type Witnessed,
} from './system.js'

/**
 * In the order in which they are given: the first that holds. `unwitnessed`: all was explored and nothing found,
 * but no run shows that there was anything to find.
 */
export const verdict_names = ['hole', 'race', 'deadlock', 'incomplete', 'unwitnessed', 'safe'] as const
export type VerdictName = (typeof verdict_names)[number]

export interface Verdict {
  readonly verdict: VerdictName
  /** The property that the counterexample violates. */
  readonly property: string | null
  /** The way to the violation or deadlock. */
  readonly counterexample: Counterexample | null
  /** No counterexample has fewer preemptions. Without it the verdict `race` may be hiding a `hole`. */
  readonly minimal: boolean
  /** For `safe`: by what it is witnessed. */
  readonly witnesses: readonly string[]
  /** For `unwitnessed`: what no run showed. */
  readonly unwitnessed: string | null
  /** What is odd about the runs that were watched, where nothing was found. */
  readonly remarks: readonly string[]
  /** Bounds that were hit. */
  readonly bounds: readonly Bound[]
  readonly report: Report
}

export interface VerdictOptions extends DepthFirstOptions {
  /** Bounds of the search for the shortest counterexample; unless told those of the complete search, if they are enough. */
  readonly shortest?: Bounds
}

/**
 * What the search for the shortest way to something that was found may take at least, in states and in bytes:
 * a bound that is good enough to find it must not make the answer another one.
 */
const ENOUGH = 200_000
export const LEAST_MEMORY = 1 << 26

/** Preemptions tried where the complete search gave up without finding anything: most races need no more. */
const FEW = 2

/**
 * Searches all interleavings and says what holds. Incomplete is never safe, nor is what no run witnesses.
 *
 * @param options bounds of the search, progress, and the invariant asked after every stage
 * @throws BrokenInvariant with the schedule that broke the invariant
 */
export function decide(system: System, options: VerdictOptions = {}): Verdict {
  const began = options.now?.() ?? 0
  const report = depth_first(system, with_share_of_time(options))
  options = { ...options, ...time_left(options, began) }
  const [violation] = report.violations
  if (violation !== undefined) return found(system, options, report, violates(system), violation.schedule)
  if (report.deadlock !== null) return found(system, options, report, deadlocks, report.deadlock)
  if (report.complete) {
    const { labels, missing, remarks, bounds } = witnesses_of(system, report, look_at_clock(options))
    const verdict = bounds.length > 0 ? 'incomplete' : missing === null ? 'safe' : 'unwitnessed'
    return { ...nothing, verdict, witnesses: labels, unwitnessed: missing, remarks, bounds, report }
  }
  const { counterexample, bounds } = shortest(system, violates(system), {
    ...options,
    preemptions: options.preemptions ?? FEW,
    ...options.shortest,
  })
  if (counterexample === null) return { ...nothing, verdict: 'incomplete', bounds: report.bounds, report }
  return conclude(system, report, counterexample, bounds)
}

/** The complete search leaves a quarter of the time to the search for the shortest way. */
function with_share_of_time(options: VerdictOptions): VerdictOptions {
  const { max_time } = options
  return max_time === undefined ? options : { ...options, max_time: (max_time * 3) / 4 }
}

const nothing = {
  property: null,
  counterexample: null,
  minimal: false,
  witnesses: [],
  unwitnessed: null,
  remarks: [],
}

const no_question: Witnessed = { labels: [], missing: null, remarks: [] }

/** By what it is witnessed that nothing was found. Where there is no time to see that, nothing is safe. */
function witnesses_of(system: System, { witnesses }: Report, look: Look): WitnessedInTime {
  return unless_cut_short<WitnessedInTime>(
    () => ({ ...(system.witnessed?.(new Set(witnesses), look) ?? no_question), bounds: [] }),
    (bound) => ({ ...no_question, bounds: [bound] }),
  )
}

interface WitnessedInTime extends Witnessed {
  readonly bounds: readonly Bound[]
}

/** The search found a way; the shortest is looked for, and if that meets a bound the way found must do. */
function found(
  system: System,
  options: VerdictOptions,
  report: Report,
  goal: Goal,
  schedule: Schedule,
): Verdict {
  const { preemptions: _, ...bounds } = options
  const { max_states, max_memory } = options
  const result = shortest(system, goal, {
    ...bounds,
    locality: report.locality,
    ...(max_states === undefined ? {} : { max_states: Math.max(max_states, ENOUGH) }),
    ...(max_memory === undefined ? {} : { max_memory: Math.max(max_memory, LEAST_MEMORY) }),
    ...options.shortest,
  })
  return conclude(system, report, result.counterexample ?? { schedule, preemptions: null }, result.bounds)
}

/** @param preemptions null where nobody has counted them */
function conclude(
  system: System,
  report: Report,
  { schedule, preemptions }: { readonly schedule: Schedule; readonly preemptions: number | null },
  bounds: readonly Bound[],
): Verdict {
  const count = new PreemptionCount()
  const end = new Player(system).play(schedule, preemptions === null ? count : {})
  const [property = null] = system.violations(end)
  const counterexample = { schedule, preemptions: preemptions ?? count.preemptions }
  const verdict = property === null ? 'deadlock' : counterexample.preemptions === 0 ? 'hole' : 'race'
  const minimal = bounds.length === 0 || counterexample.preemptions === 0
  const all = [...new Set([...report.bounds, ...bounds])].sort()
  return { ...nothing, verdict, property, counterexample, minimal, bounds: all, report }
}

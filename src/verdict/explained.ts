/**
 * The explained verdict: one execution of a case, and all that is said of it. It is made once, from what a search
 * has found or from a token, and handed on to whoever draws it, plays it on a kernel, or writes it down.
 */
import type { Counterexample } from '../explore/counterexample.js'
import { can_go_on, Player, PreemptionCount } from '../explore/replay.js'
import {
  type Bound,
  type Bounds,
  type Look,
  look_at_clock,
  no_hurry,
  noting,
  type Schedule,
  unless_cut_short,
} from '../explore/system.js'
import type { Case } from '../scenario/builder.js'
import { type CaseSystem, case_system } from '../scenario/case_system.js'
import type { Verdict } from '../scenario/form.js'
import { type Cause, cause_of, not_looked_for } from './cause.js'
import { type Leaving, minimise } from './minimise.js'
import { type Removal, without_calls } from './removal.js'
import { tidy } from './tidy.js'

export interface Explained {
  /** The case with all its calls. */
  readonly whole: CaseSystem
  /** Calls that are left out. */
  readonly removed: readonly Removal[]
  /** The case without the calls in `removed`. */
  readonly system: CaseSystem
  /** Of `system`. */
  readonly schedule: Schedule
  /** How often it leaves a task that could go on. */
  readonly preemptions: number
  /** What this one execution shows; null where it shows nothing wrong. */
  readonly verdict: Verdict | null
  /** The property that is violated at the end. */
  readonly property: string | null
  /** Which step made the difference; null where no use of bytes and no result of a call is at fault. */
  readonly cause: Cause | null
  /** What ended the work on it: then it may be longer than need be, and the cause be unknown. */
  readonly bounds: readonly Bound[]
}

/** What a search has found, that is to be explained. */
export interface Finding {
  readonly verdict: 'hole' | 'race' | 'deadlock'
  readonly property: string | null
  readonly counterexample: Counterexample
  /** What ended the search for a shorter one. */
  readonly bounds: readonly Bound[]
}

export interface ExplainOptions extends Bounds, Leaving {
  /** Off: the counterexample keeps calls that do not matter. */
  readonly remove_calls?: boolean
}

/**
 * Explains what a search has found: takes out the calls that do not matter, puts switches between calls where that
 * changes nothing, and looks for the cause. Who has interrupted the search wants to see what it found: that ends
 * the first of these only.
 */
export function explain(of: Case, whole: CaseSystem, found: Finding, options: ExplainOptions): Explained {
  const { verdict, property, counterexample } = found
  const { now, max_time, remove_calls = true } = options
  const ended_by = new Set<Bound>(found.bounds)
  const patient = noting(look_at_clock({ now, max_time }), ended_by)
  const whole_player = new Player(whole, look_at_clock(options))
  const as_found = { removed: [], schedule: counterexample.schedule, cause: undefined, bounds: [] }
  const minimal =
    remove_calls && property !== null
      ? minimise(of, whole_player, counterexample, property, options)
      : { ...as_found, player: () => whole_player }
  for (const bound of minimal.bounds) ended_by.add(bound)
  const player = minimal.player()
  player.look = patient
  const schedule = tidy(player, minimal.schedule)
  const known = schedule === minimal.schedule ? minimal.cause : undefined
  return {
    whole,
    removed: minimal.removed,
    system: player.system,
    schedule,
    preemptions: counterexample.preemptions,
    verdict,
    property,
    cause: property === null ? null : known === undefined ? cause_in_time(player, schedule) : known,
    bounds: [...ended_by].sort(),
  }
}

/**
 * Explains an execution that nobody has judged.
 *
 * @param path where the case stands in its document, for messages
 * @param look called at every stage that is made to find the cause
 * @throws ScenarioError where calls cannot be left out; ReplayError where the schedule does not fit
 */
export function explain_run(
  of: Case,
  removed: readonly Removal[],
  schedule: Schedule,
  path = '',
  look: Look = no_hurry,
): Explained {
  const whole = case_system(of, path)
  const system = removed.length === 0 ? whole : case_system(without_calls(of, removed, whole), path)
  const player = new Player(system)
  const count = new PreemptionCount()
  const end = player.play(schedule, count)
  const [property = null] = system.violations(end)
  const { preemptions } = count
  const tasks = end.store.tasks()
  const stuck = tasks.length > 0 && !tasks.some((task) => can_go_on(end, task))
  const verdict = property !== null ? (preemptions === 0 ? 'hole' : 'race') : stuck ? 'deadlock' : null
  player.look = look
  const cause = property === null ? null : cause_in_time(player, schedule)
  return { whole, removed, system, schedule, preemptions, verdict, property, cause, bounds: [] }
}

/** The cause, unless the time is over before it is found. */
const cause_in_time = (player: Player<CaseSystem>, schedule: Schedule): Cause | null =>
  unless_cut_short(
    () => cause_of(player, schedule),
    () => not_looked_for,
  )

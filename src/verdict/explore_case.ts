/**
 * Explores a case and says everything about it that a report wants: the verdict, the shortest counterexample
 * without the calls that do not matter, what caused it, and by what a `safe` is witnessed.
 */

import type { Counterexample } from '../explore/counterexample.js'
import { decide, type VerdictName, type VerdictOptions } from '../explore/decide.js'
import { Player, PreemptionCount, ReplayError } from '../explore/replay.js'
import {
  type Bound,
  look_at_clock,
  type Move,
  type Report,
  type Schedule,
  type System,
  time_left,
  unless_cut_short,
} from '../explore/system.js'
import type { Kernel } from '../kernel/kernel.js'
import type { Case } from '../scenario/builder.js'
import { type CaseSystem, case_system, StandingSetup } from '../scenario/case_system.js'
import { ScenarioError } from '../scenario/error.js'
import { case_name, case_profile, type ExpectationForm } from '../scenario/form.js'
import { current_call, used } from '../scenario/monitor.js'
import { type Cause, cause_of, not_looked_for, not_reached } from './cause.js'
import type { Decided } from './decided.js'
import { with_deterministic } from './determinism.js'
import { lints_of } from './lint.js'
import { candidates, type Removal, removal_of, without_calls } from './removal.js'
import { witnessed } from './witnesses.js'

/** How a case is searched: bounds, and what is done with the counterexample. */
export interface ExploreOptions extends VerdictOptions {
  /** Off: the counterexample keeps calls that do not matter. */
  readonly remove_calls?: boolean
  /** Called before calls are tried to be left out, with how many it is not known of whether they matter. */
  readonly leaving_out?: (untried: number) => void
  /** Verdicts of cases explored before with the same bounds: a case that no search could tell from one of them has its verdict. */
  readonly decided?: Decided
}

/** All that is known of a case after the search. */
export interface CaseReport {
  /** Its parameters, as `--case` matches them. */
  readonly case: string
  /** Values of its parameters. */
  readonly params: Readonly<Record<string, string | number | boolean>>
  /** The kernel that was modelled. */
  readonly profile: string
  /** The first that holds of hole, race, deadlock, incomplete, unwitnessed, safe. */
  readonly verdict: VerdictName
  /** What the scenario expects. */
  readonly expected: ExpectationForm | null
  /** The verdict and the property are those that were expected. Where nothing was, only `unwitnessed` is unexpected. */
  readonly as_expected: boolean
  /** The property that is violated. */
  readonly property: string | null
  /** Different states that were met. */
  readonly states: number
  /** Stages that were run. */
  readonly transitions: number
  /** Bounds that were hit. */
  readonly bounds: readonly Bound[]
  /** Stages of the counterexample, and how often a task that could go on was left. */
  readonly steps: number | null
  /** How often the counterexample leaves a task that could go on. */
  readonly preemptions: number | null
  /** No counterexample has fewer preemptions. */
  readonly minimal: boolean
  /** Which step of the counterexample made the difference; null where there is none. */
  readonly cause: Cause | null
  /** Labels of what runs showed, where nothing was found; and for `unwitnessed` what they did not show. */
  readonly witnesses: readonly string[]
  /** For `unwitnessed`: what no run showed. */
  readonly unwitnessed: string | null
  /** What is odd about the case, so that it may not ask what was meant. */
  readonly lints: readonly string[]
  /** Names of the outcomes that had to be reached and that no run reached: such a hole has no counterexample. */
  readonly unreached: readonly string[]
  /** Different ends of runs, where they were asked for. */
  readonly outcomes: readonly string[]
  /** The counterexample: a schedule of `system`, which is the case without the calls in `removed`. */
  readonly counterexample: Counterexample | null
  /** Calls that the counterexample does not need. */
  readonly removed: readonly Removal[]
  /** The case as it was searched; with a counterexample, without the calls in `removed`. */
  readonly system: CaseSystem
  /** What the search itself reports. */
  readonly search: Report
}

/**
 * Searches every interleaving of a case.
 *
 * @param path where the case stands in its document, for messages
 * @throws ScenarioError where the case cannot be set up, or code of its own is not deterministic
 */
export function explore_case(of: Case, options: ExploreOptions = {}, path = ''): CaseReport {
  return with_deterministic(of, path, (watched) => report_of(watched, options, path))
}

function report_of(of: Case, options: ExploreOptions, path: string): CaseReport {
  const system = case_system(of, path)
  const searched: System = { ...system, witnessed: (seen, look) => witnessed(system, seen, look) }
  const began = options.now?.() ?? 0
  const search = () => decide(searched, { ...options, ...share_of_search(options) })
  const found = options.decided?.of(of, system, search) ?? search()
  const { report } = found
  const nothing_found = found.verdict === 'safe' || found.verdict === 'unwitnessed'
  const unreached = nothing_found ? system.unreached(new Set(report.witnesses)) : []
  const shown = minimise(of, system, found.counterexample, found.property, {
    ...options,
    ...time_left(options, began),
  })
  const verdict = unreached.length > 0 ? 'hole' : found.verdict
  const property = unreached[0] ?? found.property
  const expected = of.form.expect ?? null
  return {
    case: case_name(of.form),
    params: of.form.params ?? {},
    profile: case_profile(of.form),
    verdict,
    expected,
    as_expected: is_expected(expected, verdict, property),
    property,
    states: report.states,
    transitions: report.transitions,
    bounds: [...new Set([...found.bounds, ...shown.bounds])].sort(),
    steps: shown.counterexample?.schedule.length ?? null,
    preemptions: shown.counterexample?.preemptions ?? null,
    minimal: found.minimal,
    cause: unreached.length > 0 ? not_reached : shown.cause,
    witnesses: found.witnesses,
    lints: [...lints_of(system), ...found.remarks],
    unwitnessed: unreached.length > 0 ? null : found.unwitnessed,
    unreached,
    outcomes: report.outcomes,
    counterexample: shown.counterexample,
    removed: shown.removed,
    system: shown.system,
    search: report,
  }
}

/** The search leaves an eighth of the time: what it finds wants to be explained. */
function share_of_search({ max_time }: ExploreOptions): Pick<ExploreOptions, 'max_time'> {
  return max_time === undefined ? {} : { max_time: (max_time * 7) / 8 }
}

function is_expected(
  expected: ExpectationForm | null,
  verdict: VerdictName,
  property: string | null,
): boolean {
  if (expected === null) return verdict !== 'unwitnessed'
  return expected.verdict === verdict && (expected.property === undefined || expected.property === property)
}

// --- without the calls that do not matter --------------------------------------------------------------------

/** A case without the calls that do not matter, and the counterexample as a schedule of it. */
export interface Shown {
  /** The case without the calls in `removed`. */
  readonly system: CaseSystem
  /** A schedule of `system`. */
  readonly counterexample: Counterexample | null
  /** Calls that were taken out. */
  readonly removed: readonly Removal[]
  /** Which step of the counterexample made the difference. */
  readonly cause: Cause | null
  /** What ended the work before all was tried: then the cause may be unknown, and calls be left that do not matter. */
  readonly bounds: readonly Bound[]
}

/**
 * Finds the cause, and takes calls out as long as the same schedule without their stages still violates the same
 * property with the same bytes, as many preemptions and the same cause. First all are tried at once, and where
 * that does not do, each half: so what it costs grows with the calls that matter, not with those that do not.
 * Where the time is over, or somebody interrupts, the rest of the calls stay.
 */
export function minimise(
  of: Case,
  system: CaseSystem,
  found: Counterexample | null,
  property: string | null,
  options: ExploreOptions = {},
): Shown {
  let shown: Shown = { system, counterexample: found, removed: [], cause: null, bounds: [] }
  if (found === null || property === null) return shown
  return unless_cut_short(
    () => {
      const look = look_at_clock(options)
      const player = new Player(system, look)
      shown = { ...shown, cause: cause_of(system, found.schedule, player) }
      if (options.remove_calls === false) return shown
      for (const less of with_fewer_calls(of, shown, property, player, options.leaving_out)) shown = less
      return shown
    },
    (bound) => ({ ...shown, cause: shown.cause ?? not_looked_for, bounds: [bound] }),
  )
}

/** The same with fewer and fewer calls. */
function* with_fewer_calls(
  of: Case,
  whole: Shown,
  property: string,
  player: Player,
  tell: ExploreOptions['leaving_out'],
): Generator<Shown> {
  const { system, cause } = whole
  const found = whole.counterexample!
  const { end, calls } = calls_of_moves(player, found.schedule)
  const wanted: Wanted = { property, bytes: bytes_used(end), preemptions: found.preemptions, cause }
  const all = candidates(of).map(({ task, op }) => removal_of(system, end, task, op))
  let removed: readonly Removal[] = []
  if (all.length === 0) return
  const untried = [all]
  player.look()
  const setup = new StandingSetup(system)
  const new_player = (reduced: CaseSystem) => new Player(reduced, player.look, () => setup.boot(reduced))
  for (let some = untried.pop(); some !== undefined; some = untried.pop()) {
    tell?.(untried.reduce((sum, each) => sum + each.length, some.length))
    const more = [...removed, ...some]
    const gone = new Set(more.map((each) => `${each.task}:${each.op}`))
    const schedule = found.schedule.filter((_, i) => !gone.has(calls[i]!))
    const reduced = reduced_system(of, more, system)
    const same = reduced === undefined ? undefined : shows(reduced, schedule, wanted, new_player(reduced))
    const half = some.length >> 1
    if (same !== undefined) {
      removed = more
      const counterexample = { schedule, preemptions: found.preemptions }
      yield { system: reduced!, counterexample, removed, cause: same.cause, bounds: [] }
    } else if (half > 0) untried.push(some.slice(half), some.slice(0, half))
  }
}

/** To which operation each move of a schedule belongs, as `task:place`; and the machine after the last. */
function calls_of_moves(player: Player, schedule: Schedule): { end: Kernel; calls: string[] } {
  const calls: string[] = []
  const before = (k: Kernel, { task }: Move) => {
    const path = current_call(k, task)?.path ?? ''
    calls.push(`${task}:${/\.program\[(\d+)\]/.exec(path)?.[1]}`)
  }
  return { end: player.play(schedule, { before }), calls }
}

/** The case without some calls; undefined where what is left makes no sense. */
function reduced_system(of: Case, removed: readonly Removal[], system: CaseSystem): CaseSystem | undefined {
  try {
    return case_system(without_calls(of, removed, system))
  } catch (error) {
    if (error instanceof ScenarioError) return undefined
    throw error
  }
}

/** What all tasks have used: a counterexample must go on showing the same. */
const bytes_used = (k: Kernel): string =>
  JSON.stringify(used.rows(k).map((row) => [row.task, row.index, row.bytes]))

/** What a counterexample must go on showing. */
interface Wanted {
  readonly property: string
  readonly bytes: string
  readonly preemptions: number
  readonly cause: Cause | null
}

/** Whether a schedule can be run and shows what is wanted: then its cause, told as of this schedule. */
function shows(
  system: CaseSystem,
  schedule: Schedule,
  wanted: Wanted,
  player: Player,
): { cause: Cause | null } | undefined {
  const count = new PreemptionCount()
  try {
    const end = player.play(schedule, count)
    if (!system.violations(end).includes(wanted.property) || bytes_used(end) !== wanted.bytes)
      return undefined
  } catch (error) {
    if (error instanceof ReplayError) return undefined
    throw error
  }
  if (count.preemptions !== wanted.preemptions) return undefined
  const cause = cause_of(system, schedule, player)
  return cause?.text === wanted.cause?.text ? { cause } : undefined
}

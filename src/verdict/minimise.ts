/** A counterexample without the calls that do not matter. */
import type { Counterexample } from '../explore/counterexample.js'
import { Player, PreemptionCount, ReplayError } from '../explore/replay.js'
import { type Bound, type Move, type Schedule, unless_cut_short } from '../explore/system.js'
import type { Kernel } from '../kernel/kernel.js'
import type { Case } from '../scenario/builder.js'
import { type CaseSystem, case_system, StandingSetup } from '../scenario/case_system.js'
import { ScenarioError } from '../scenario/error.js'
import { current_call, used } from '../scenario/monitor.js'
import { type Cause, cause_of } from './cause.js'
import { candidates, type Removal, removal_of, without_calls } from './removal.js'

/** A case without some calls, and the counterexample as a schedule of it. */
export interface Minimal {
  /** Plays the case without the calls in `removed`, until another player is made here. */
  readonly player: () => Player<CaseSystem>
  readonly removed: readonly Removal[]
  readonly schedule: Schedule
  /** Which step of `schedule` made the difference; undefined where the time was over before it was known. */
  readonly cause: Cause | null | undefined
  /** What ended the work before all was tried: then calls may be left that do not matter. */
  readonly bounds: readonly Bound[]
}

/** What is told of the work. */
export interface Leaving {
  /** Called before calls are tried to be left out, with how many it is not known of whether they matter. */
  readonly leaving_out?: ((untried: number) => void) | undefined
}

/**
 * Finds the cause, and takes calls out as long as the same schedule without their stages still violates the same property with the
 * same bytes, as many preemptions and the same cause. First all are tried at once, and where that does not do,
 * each half: so what it costs grows with the calls that matter, not with those that do not. Where the time is
 * over, or somebody interrupts, the rest of the calls stay.
 *
 * @param player   plays the whole case, and bounds the time
 * @param property what the counterexample violates
 */
export function minimise(
  of: Case,
  player: Player<CaseSystem>,
  { schedule, preemptions }: Counterexample,
  property: string,
  { leaving_out }: Leaving = {},
): Minimal {
  let minimal: Minimal = { player: () => player, removed: [], schedule, cause: undefined, bounds: [] }
  return unless_cut_short(
    () => {
      const cause = cause_of(player, schedule)
      minimal = { ...minimal, cause }
      const { end, calls } = calls_of_moves(player, schedule)
      const wanted = { property, bytes: bytes_used(end), preemptions, cause }
      const all = candidates(of).map(({ task, op }) => removal_of(player.system, end, task, op))
      if (all.length === 0) return minimal
      const work = { all, calls, wanted }
      for (const less of with_fewer_calls(of, player, schedule, work, leaving_out)) minimal = less
      return minimal
    },
    (bound) => ({ ...minimal, bounds: [bound] }),
  )
}

interface Work {
  /** Calls that may be taken out. */
  readonly all: readonly Removal[]
  /** Of each move of the whole schedule its call, as `task:place`. */
  readonly calls: readonly string[]
  readonly wanted: Wanted
}

/** The same with fewer and fewer calls. */
function* with_fewer_calls(
  of: Case,
  { system: whole, look }: Player<CaseSystem>,
  found: Schedule,
  { all, calls, wanted }: Work,
  tell: Leaving['leaving_out'],
): Generator<Minimal> {
  let removed: readonly Removal[] = []
  const untried = [all]
  look()
  const setup = new StandingSetup(whole)
  const player_of = (system: CaseSystem) => new Player(system, look, () => setup.boot(system))
  for (let some = untried.pop(); some !== undefined; some = untried.pop()) {
    tell?.(untried.reduce((sum, each) => sum + each.length, some.length))
    const more = [...removed, ...some]
    const gone = new Set(more.map((each) => `${each.task}:${each.op}`))
    const schedule = found.filter((_, i) => !gone.has(calls[i] ?? ''))
    const system = system_without(of, more, whole)
    const shown = system === undefined ? undefined : shows(player_of(system), schedule, wanted)
    const half = some.length >> 1
    if (system !== undefined && shown !== undefined) {
      removed = more
      yield { player: () => player_of(system), removed, schedule, cause: shown.cause, bounds: [] }
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
function system_without(of: Case, removed: readonly Removal[], whole: CaseSystem): CaseSystem | undefined {
  try {
    return case_system(without_calls(of, removed, whole))
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
  player: Player<CaseSystem>,
  schedule: Schedule,
  wanted: Wanted,
): { cause: Cause | null } | undefined {
  const { system } = player
  const count = new PreemptionCount()
  try {
    const end = player.play(schedule, count)
    // The first that is violated is what a counterexample is said to show.
    if (system.violations(end)[0] !== wanted.property || bytes_used(end) !== wanted.bytes) return undefined
    if (count.preemptions !== wanted.preemptions) return undefined
    const cause = cause_of(player, schedule, end)
    return cause?.text === wanted.cause?.text ? { cause } : undefined
  } catch (error) {
    if (error instanceof ReplayError) return undefined
    throw error
  }
}

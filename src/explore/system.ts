/**
 * What is searched, and what a search says of it. A search knows only the machine: it boots a system into a
 * store, lets tasks step, and asks what holds.
 */
import type { Kernel, Store } from '../kernel/kernel.js'
import type { Notes } from '../kernel/notes.js'
import type { Exchangeable } from '../kernel/renumbering.js'

export interface System {
  /** Sets up a fresh world in `store` and starts its tasks. Always the same world: no clock, no randomness. */
  boot(store: Store): Kernel
  /**
   * Names of the properties violated so far, read from the state alone. Once violated, a property stays so in
   * every later state: then it need not be asked for between fused stages.
   */
  violations(k: Kernel): readonly string[]
  /**
   * No stages are fused: a property may be violated for a moment and then no more, so that it must be asked for after
   * every stage; or tasks look at what belongs to others, so that no stage is local by itself.
   */
  readonly momentary?: boolean
  /** How far the program of a task is that was there from the start: from 0, and never less later in a run. */
  phase?(k: Kernel, task: number): number
  /**
   * Tasks that nobody can tell apart, if there are any: a run in which they have each other's places is a run too, and
   * violates the same properties. No property names them, and nothing that tasks are told tells them who they are.
   */
  readonly exchangeable?: Exchangeable | null
  /**
   * The results of all calls of all tasks, as a string. Asked where no task can go on.
   *
   * @param to what it would be with tasks in each other's places: `to` of each
   */
  outcome(k: Kernel, to?: (task: number) => number): string
  /** What a run that ends here shows: `approved`, `changed`, `refused:EROFS`. Asked where no task can go on. */
  witness?(k: Kernel): readonly string[]
  /**
   * By what it is witnessed that a search found nothing. Asked after a complete one; `seen` are the labels of all
   * its runs, and `look` is called at every stage that is made to answer.
   *
   * @throws CutShort by `look`
   */
  witnessed?(seen: ReadonlySet<string>, look: Look): Witnessed
}

/** What runs show for `safe` to mean something. */
export interface Witnessed {
  readonly labels: readonly string[]
  /** What no run showed, so that nothing may have been found for want of an attack; null if nothing is missing. */
  readonly missing: string | null
  /** What is odd about these runs, for whoever wrote the system. */
  readonly remarks: readonly string[]
}

/** One stage of one task, and which answer `choose` gave in it. */
export interface Move {
  readonly task: number
  readonly choice: number
}

/** One entry per stage, so it means the same to every search and on every store. */
export type Schedule = readonly Move[]

export type Bound = 'states' | 'steps' | 'time' | 'memory' | 'preemptions' | 'stopped'

export interface Bounds {
  /** Distinct states kept. */
  readonly max_states?: number
  /** Stages on one path. */
  readonly max_steps?: number
  /** Milliseconds by `now`: of all that is done, also where one search follows another. */
  readonly max_time?: number
  /** Bytes that a search keeps: of states, and of the way to the present one. */
  readonly max_memory?: number
  /** Preemptions on one path. */
  readonly preemptions?: number
  /** The clock, in milliseconds; without it time is not bounded. */
  readonly now?: () => number
  /** Asked now and then: whether to end with what there is. */
  readonly interrupted?: () => boolean
}

/** The bound on time for what is done now, where a part of it has passed since `began`. */
export function time_left({ max_time, now }: Bounds, began: number): Pick<Bounds, 'max_time'> {
  if (max_time === undefined || now === undefined) return {}
  return { max_time: Math.max(0, max_time - (now() - began)) }
}

/** A bound ends what is done beside a search: what it had found out so far is not to be used. */
export class CutShort extends Error {
  constructor(readonly bound: 'time' | 'stopped') {
    super(`cut short: ${bound}`)
  }
}

/** Looks at the clock, and whether somebody interrupts. @throws CutShort */
export type Look = () => void

/** Where nothing bounds the time. */
export const no_hurry: Look = () => {}

/** Calls of a `Look` between two looks at the clock. */
const TICK = 1 << 6

/** What those are to call now and then, for each stage that they make, whose time is bounded from now on. */
export function look_at_clock({ max_time, now, interrupted }: Bounds): Look {
  if (interrupted === undefined && (max_time === undefined || now === undefined)) return no_hurry
  const end = max_time === undefined || now === undefined ? Number.POSITIVE_INFINITY : now() + max_time
  let calls = 0
  return () => {
    if ((calls++ & (TICK - 1)) !== 0) return
    if (interrupted?.() === true) throw new CutShort('stopped')
    if (now !== undefined && now() >= end) throw new CutShort('time')
  }
}

/** The same look, which notes by what bound it has ended something. */
export const noting =
  (look: Look, ended_by: Set<Bound>): Look =>
  () => {
    try {
      look()
    } catch (error) {
      if (error instanceof CutShort) ended_by.add(error.bound)
      throw error
    }
  }

/** Does something, or where a bound ends it, what is to be done without it. */
export function unless_cut_short<T>(act: () => T, otherwise: (bound: 'time' | 'stopped') => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof CutShort) return otherwise(error.bound)
    throw error
  }
}

export interface Progress {
  readonly states: number
  readonly transitions: number
  readonly depth: number
}

export interface Found {
  readonly property: string
  /** How the search got there; not the shortest way. */
  readonly schedule: Schedule
}

/** Which stages concern nobody else: more than are local by themselves. */
export interface Locality extends Notes {
  /** A complete search has ended without finding otherwise: nothing need be noted any more. */
  readonly settled: boolean
  is_local(k: Kernel, task: number): boolean
  /** What is noted from now on is touched by the next stage of `task`. */
  watch(k: Kernel, task: number): void
}

/** What a search of all interleavings saw. Lists are sorted, but for `violations`: in the order of finding. */
export interface Report {
  /** Every interleaving was explored. */
  readonly complete: boolean
  /** The bounds that were hit; empty if and only if complete. */
  readonly bounds: readonly Bound[]
  readonly violations: readonly Found[]
  /** How a state was reached in which a task has not ended and none can go on; null if there is none. */
  readonly deadlock: Schedule | null
  /** What the search has found out for others of the same system; settled. */
  readonly locality?: Locality
  readonly outcomes: readonly string[]
  readonly witnesses: readonly string[]
  readonly states: number
  readonly transitions: number
  /** Stages run; more than transitions where local stages were fused. */
  readonly stages: number
  /** Stages of the longest path. */
  readonly depth: number
  /** Bytes that the search kept; 0 where it is not measured. */
  readonly memory: number
}

/** A stage left the machine in a state that must not be. */
export class BrokenInvariant extends Error {
  constructor(
    readonly what: string,
    readonly schedule: Schedule,
  ) {
    super(`invariant broken: ${what}`)
  }
}

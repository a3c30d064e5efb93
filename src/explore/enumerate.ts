/**
 * Every interleaving of a tiny system, one complete run after another, each from a fresh boot: no visited set
 * and no undo. It checks the judge, and counts what others claim to be the fewest.
 */

import type { Kernel, Store } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import type { Move, Schedule, System } from './system.js'

/** One complete run. */
export interface Run {
  readonly schedule: Schedule
  /** Times that a task was left that could have gone on. */
  readonly preemptions: number
  /** Some task has not ended and none can go on. */
  readonly deadlocked: boolean
  readonly outcome: string
  /** Properties violated at its end, each with stages and preemptions until it first was. */
  readonly violations: ReadonlyMap<string, { readonly steps: number; readonly preemptions: number }>
}

/** Which moves there are after a schedule: tries each on a world of its own. */
function moves_after(system: System, make_store: () => Store, schedule: readonly Move[]): Move[] {
  const moves: Move[] = []
  for (const task of play(system, make_store(), schedule).store.tasks()) {
    let choices = 1
    for (let choice = 0; choice < choices; choice++) {
      const k = play(system, make_store(), schedule)
      if (step(k, task, choice) === STEPPED) moves.push({ task, choice })
      choices = k.choices
    }
  }
  return moves
}

function play(system: System, store: Store, schedule: readonly Move[]): Kernel {
  const k = system.boot(store)
  for (const { task, choice } of schedule) {
    step(k, task, choice)
    store.commit()
  }
  return k
}

/**
 * All complete runs, in lexicographic order of their moves.
 *
 * @param make_store makes an empty store for every run
 * @param limit      on the number of runs
 * @throws RangeError beyond it: this is for programs of some twelve stages in all
 */
export function enumerate(system: System, make_store: () => Store, limit = 100_000): Run[] {
  const runs: Run[] = []
  const extend = (schedule: Move[], preemptions: number, violated: Run['violations']): void => {
    const k = play(system, make_store(), schedule)
    const violations = new Map(violated)
    for (const property of system.violations(k)) {
      if (!violations.has(property)) violations.set(property, { steps: schedule.length, preemptions })
    }
    const moves = moves_after(system, make_store, schedule)
    if (moves.length === 0) {
      if (runs.length >= limit) throw new RangeError(`more than ${limit} interleavings`)
      const deadlocked = k.store.tasks().length > 0
      runs.push({ schedule, preemptions, deadlocked, outcome: system.outcome(k), violations })
    }
    const last = schedule.at(-1)?.task
    const could_go_on = moves.some(({ task }) => task === last)
    for (const move of moves) {
      const preempts = could_go_on && move.task !== last
      extend([...schedule, move], preemptions + (preempts ? 1 : 0), violations)
    }
  }
  extend([], 0, new Map())
  return runs
}

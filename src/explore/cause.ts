/**
 * Which step made the difference. For every step of another task one asks: had the victim run alone from
 * there on, what would its use have returned? The first step after which the answer is another is the cause.
 * So nothing need be known of what files or names are.
 *
 * A victim that would sleep, because another holds a lock in the midst of its work, is let go on as if the
 * others gave back what they hold and did nothing more: the question is what they have done so far.
 */
import { FastStore } from '../kernel/fast_store.js'
import { hold_kind } from '../kernel/fn.js'
import { type Kernel, STEPPED, step } from '../kernel/machine.js'
import type { Schedule, System } from './system.js'

export interface Counterfactual {
  readonly schedule: Schedule
  /** Moves made before the question makes sense: the index after the one that approved. */
  readonly from: number
  /** The task whose use is watched. */
  readonly victim: number
  /** What the use returned, once it has: null before. */
  readonly observe: (k: Kernel) => string | null
  /** Stages after which the victim is given up. */
  readonly max_steps?: number
}

/**
 * The first move of another task, at or after `from`, that changes what the victim's use would return.
 *
 * @returns its index in the schedule; -1 if none does, or if the use would return nothing from the start
 */
export function first_change(system: System, question: Counterfactual): number {
  const { schedule, from, victim } = question
  const k = system.boot(new FastStore())
  for (const { task, choice } of schedule.slice(0, from)) step(k, task, choice)
  const expected = what_if_alone(k, question, from)
  if (expected === null) return -1
  for (let index = from; index < schedule.length; index++) {
    const { task, choice } = schedule[index]!
    step(k, task, choice)
    if (task === victim) continue
    const seen = what_if_alone(k, question, index + 1)
    if (seen !== null && seen !== expected) return index
  }
  return -1
}

/** What the victim would see if it ran alone from here; the state is left as it was. */
function what_if_alone(k: Kernel, question: Counterfactual, index: number): string | null {
  const { schedule, victim, observe, max_steps = 100_000 } = question
  const answers = schedule.slice(index).filter(({ task }) => task === victim)
  const mark = k.store.mark()
  let seen = observe(k)
  let freed = false
  for (let i = 0; seen === null && i < max_steps && k.store.depth(victim) > 0; i++) {
    if (step_as_before(k, victim, answers[i]?.choice ?? 0)) seen = observe(k)
    else if (freed) break
    else {
      give_back_all(k, victim)
      freed = true
    }
  }
  k.store.undo(mark)
  return seen
}

/** One stage with the answer that the schedule gave, or the first where that is no answer here. */
function step_as_before(k: Kernel, task: number, choice: number): boolean {
  const mark = k.store.mark()
  const stepped = step(k, task, choice) === STEPPED
  if (choice < k.choices && stepped) return true
  k.store.undo(mark)
  return choice > 0 && choice >= k.choices && step(k, task, 0) === STEPPED
}

/** Every other task lets go of what its frames hold, the last taken first. */
function give_back_all(k: Kernel, but: number): void {
  for (const task of k.store.tasks()) {
    if (task === but) continue
    k.task = task
    for (let depth = k.store.depth(task) - 1; depth >= 0; depth--) {
      const frame = k.store.frame(task, depth)
      const { holds } = frame
      frame.holds = []
      for (let i = holds.length - 2; i >= 0; i -= 2) hold_kind(holds[i]!).release(k, holds[i + 1]!)
    }
  }
}

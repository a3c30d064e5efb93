/**
 * Of some tasks it is enough to begin with one, where their next stages meet nothing that the others may still do.
 *
 * What was noted of stages (inferred_locality.ts) is noted with the phase in which the program of a task was: the call that
 * it was in. A task that has closed the file for good meets nobody in it any more, and one that has ended meets nobody.
 * So a stage that others meet early or late in their programs is local in between; and where no stage is, some tasks may
 * still have to do with each other and nothing with the rest: then only they are expanded (a persistent set of Godefroid's).
 *
 * Why it is sound. Let the tasks P be expanded in a state `s`, with the stages that they are before, and let a run go on
 * from `s` with stages u₁ … uₙ of tasks that are not in P. Claim: each commutes with the next stage `a` of every task in P
 * that can go on, and none lets another of P go on that sleeps. Then a run in which a task of P moves at all is equivalent to
 * one that begins with its move, which is made; and in one in which none ever moves, `a` still can in the end. Suppose
 * that uᵢ is the first of which the claim is wrong. It touches, in a way that conflicts, a cell that `a` touches, or that
 * one which sleeps has looked at. The stages before it commute with `a`. So it does the same in the run a u₁ … uᵢ, up to that
 * cell at least; this run begins with a move that is made and has less to go than the first, so by induction the search has
 * made one that is equivalent to it, and has noted the touch, with a phase that is not before that in which the
 * task of uᵢ is in `s`, for phases only grow. Then that task is in P. (A child that is not there yet has no phase:
 * whoever meets it may meet it at any time, and all tasks are expanded.)
 *
 * What was taken for granted before the touch was noted is found to have been wrong, and the search begins again.
 *
 * Nothing may be put off for ever: where a move leads back to a state on the way to the present one, all tasks are
 * expanded. A state that was met before and is not on the way was left behind with all that follows it.
 *
 * An invariant is asked of every state that a stage leaves, and a property that is code may hold for a moment only: with
 * one of these all orders are searched.
 */
import type { Kernel } from '../../kernel/kernel.js'
import type { Place } from '../frontier.js'
import type { InferredLocality } from './inferred_locality.js'

/** Puts those first that need be expanded; all may be. @returns the tasks in this order */
export function expand_few(
  place: Place,
  tasks: readonly number[],
  k: Kernel,
  locality: InferredLocality,
): readonly number[] {
  const few = locality.few_enough(k, tasks)
  if (few.length === tasks.length) return tasks
  place.only = few.length
  return [...few, ...tasks.filter((task) => !few.includes(task))]
}

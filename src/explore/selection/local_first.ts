/**
 * Which task is expanded first, and whether it alone.
 *
 * At a state where a task is about to run a local stage (at the start, after a fork, before a local choice)
 * only that task is expanded, the lowest such: its stage commutes with all others, so the rest is met
 * behind it. For that nothing may be put off for ever: if a move of that task leads to a state seen before
 * (a loop of local stages), or it cannot move, the other tasks are expanded too.
 */
import type { Place } from '../frontier.js'

/** Puts this task first. @param first its place in `tasks`; below 0 for none */
export function put_first(tasks: number[], first: number): void {
  if (first > 0) tasks.unshift(...tasks.splice(first, 1))
}

/** The task with a local stage comes first, and alone. */
export function expand_local_first(place: Place, tasks: number[], is_local: (task: number) => boolean): void {
  const first = tasks.findIndex(is_local)
  place.only = first >= 0 ? 1 : 0
  put_first(tasks, first)
}

/**
 * Those that need be expanded have moved, with each answer that there is, and only to new states: the others come after
 * them. Where they have slept another may have moved, but has not done so with all of its answers.
 */
export function is_enough(place: Place): boolean {
  return place.only > 0 && place.at === place.only && place.choice === 0 && place.moves > 0 && !place.repeated
}

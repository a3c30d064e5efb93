/**
 * States in which tasks of the same program, with the same rights, only have each other's places are taken for one.
 *
 * Why it is sound. Let `p` exchange such tasks, and with them all numbers that are theirs: of rows that they have made,
 * of locks that they hold, of places in their programs (kernel/renumbering.ts). The stages of the model do not look at
 * these numbers but to find what they stand for. So if `s` goes to `t` by a stage of a task, then `p(s)` goes to `p(t)` by
 * the same stage of the task that has its place there. (A test makes random runs and the same with tasks exchanged, and
 * compares all that the states hold.) The first state is the same under every `p`, which is looked at when a search
 * begins. So the runs from `s` and those from `p(s)` are the same but for `p`: what a search that has met `s` loses by not
 * going on from `p(s)` are permutations of what it has seen. No property tells them apart: a task that one names is no
 * such task (scenario/exchangeable.ts says which are not). Of an outcome those of its permutations are counted in
 * (visitor.ts), for they are not alike to whoever reads them.
 *
 * Every state on the way is a real one, met by the schedule that is shown: nothing is to be undone in a trace.
 *
 * A state is known by the hash of a permutation of it, or with `--exact` by that permutation itself
 * (kernel/symmetric_store.ts). Two that are known alike are therefore permutations of each other.
 *
 * With what is inferred of stages (inferred_locality.ts) it goes together, since that takes what it sees of one of these
 * tasks for what happens to the others. With a bound on preemptions it is not used: the running task counts there.
 */
import type { Exchangeable } from '../../kernel/renumbering.js'

/** More permutations than this are not listed: outcomes would take longer than states. */
const MOST_PERMUTATIONS = 5040

/** How many permutations there are of the members of all classes. */
function count({ classes }: Exchangeable): number {
  let all = 1
  for (const { length } of classes) for (let i = 2; i <= length; i++) all *= i
  return all
}

/** Whether there are tasks to exchange, and not too many. */
export const is_worth_it = (exchangeable: Exchangeable | null | undefined): exchangeable is Exchangeable =>
  exchangeable != null && exchangeable.classes.length > 0 && count(exchangeable) <= MOST_PERMUTATIONS

/** All permutations of exchangeable tasks but that in which each has its own place. */
export function permutations({ classes }: Exchangeable): ((task: number) => number)[] {
  let all: ReadonlyMap<number, number>[] = [new Map()]
  for (const tasks of classes)
    all = all.flatMap((before) =>
      orders(tasks).map(
        (order) => new Map([...before, ...tasks.map((task, i) => [task, order[i]!] as const)]),
      ),
    )
  return all.slice(1).map((moved) => (task) => moved.get(task) ?? task)
}

/** The given order first. */
function orders(tasks: readonly number[]): number[][] {
  if (tasks.length === 0) return [[]]
  return tasks.flatMap((task, i) => orders(tasks.toSpliced(i, 1)).map((rest) => [task, ...rest]))
}

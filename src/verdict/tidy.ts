/**
 * A counterexample that is as easy to tell as it can be: a task that is preempted inside a system call finishes
 * that call first, or has not begun it, where this changes neither what is violated nor the number of steps and
 * preemptions. The search does not care; a reader asks what the place of the switch has to do with it.
 */
import { type Player, PreemptionCount, ReplayError } from '../explore/replay.js'
import { type Move, type Schedule, unless_cut_short } from '../explore/system.js'
import { used } from '../scenario/monitor.js'

/** What a schedule comes to, and what is asked of its moves. */
interface Played {
  readonly schedule: Schedule
  /** What must stay: what is violated, with which bytes, and after how many preemptions. */
  readonly outcome: string
  /** Places of the moves with which a system call returns. */
  readonly returns: ReadonlySet<number>
}

/**
 * @param player of the system that the schedule is of: where its time is over, what is left is not tidied
 * @returns a schedule of as many moves that violates the same, with switches between calls where that is possible
 */
export function tidy(player: Player, schedule: Schedule): Schedule {
  let best = schedule
  unless_cut_short(
    () => {
      let played = play(player, schedule)
      for (let at = 1; played !== null && at < best.length; at++) {
        if (best[at]!.task === best[at - 1]!.task) continue
        played = better(player, played, at)
        best = played.schedule
      }
    },
    () => {},
  )
  return best
}

/** The same with the switch before `at` elsewhere, if that changes nothing that must stay; else as it was. */
function better(player: Player, played: Played, at: number): Played {
  for (const other of [finish_call, begin_call_later]) {
    const schedule = other(played, at)
    const candidate = schedule === null ? null : play(player, schedule)
    if (candidate?.outcome === played.outcome) return candidate
  }
  return played
}

/** The schedule in which the task that runs before `at` finishes its call there; null if it is in none. */
function finish_call({ schedule, returns }: Played, at: number): Schedule | null {
  const { task } = schedule[at - 1]!
  if (returns.has(at - 1)) return null
  const end = schedule.findIndex((move, i) => i >= at && move.task === task && returns.has(i))
  // The last move must stay the last: with it the violation comes.
  if (end < 0 || end === schedule.length - 1) return null
  const own: Move[] = []
  const others: Move[] = []
  for (const move of schedule.slice(at, end + 1)) (move.task === task ? own : others).push(move)
  return [...schedule.slice(0, at), ...own, ...others, ...schedule.slice(end + 1)]
}

/** The schedule in which the call that the task before `at` is in begins when that task goes on; null if it is in none. */
function begin_call_later({ schedule, returns }: Played, at: number): Schedule | null {
  const { task } = schedule[at - 1]!
  if (returns.has(at - 1)) return null
  let begin = at - 1
  while (begin > 0 && schedule[begin - 1]!.task === task && !returns.has(begin - 1)) begin--
  const on = schedule.findIndex((move, i) => i >= at && move.task === task)
  if (on < 0) return null
  const [started, between] = [schedule.slice(begin, at), schedule.slice(at, on)]
  return [...schedule.slice(0, begin), ...between, ...started, ...schedule.slice(on)]
}

/** Plays a schedule; null if it cannot be played. */
function play(player: Player, schedule: Schedule): Played | null {
  const returns = new Set<number>()
  const count = new PreemptionCount()
  try {
    const end = player.play(schedule, {
      before: (k, move) => {
        count.before(k, move)
        k.events = []
      },
      after: (_, __, index, events) => {
        if (events.some(({ kind }) => kind === 'return')) returns.add(index)
      },
    })
    const bytes = used.rows(end).map((row) => [row.task, row.index, row.bytes])
    const { violations } = player.system
    const outcome = JSON.stringify([violations(end), bytes, count.preemptions, end.store.tasks()])
    return { schedule, outcome, returns }
  } catch (error) {
    if (error instanceof ReplayError) return null
    throw error
  }
}

/**
 * A counterexample that is as easy to tell as it can be: a task that is preempted inside a system call finishes
 * that call first, or has not begun it, where this changes neither what is violated nor the number of steps and
 * preemptions. The search does not care; a reader asks what the place of the switch has to do with it.
 */
import { count_preemptions, ReplayError, replay } from '../explore/replay.js'
import type { Move, Schedule } from '../explore/system.js'
import { FastStore } from '../kernel/fast_store.js'
import { used } from '../scenario/monitor.js'
import type { CaseSystem } from '../scenario/system.js'

/** @returns a schedule of as many moves that violates the same, with switches between calls where that is possible */
export function tidy(system: CaseSystem, schedule: Schedule): Schedule {
  let best = schedule
  const wanted = outcome_of(system, schedule)
  if (wanted === null) return schedule
  for (let at = 1; at < best.length; at++) {
    if (best[at]!.task === best[at - 1]!.task) continue
    for (const other of [finish_call, begin_call_later]) {
      const candidate = other(system, best, at)
      if (candidate === null || outcome_of(system, candidate) !== wanted) continue
      best = candidate
      break
    }
  }
  return best
}

/** The schedule in which the task that runs before `at` finishes its call there; null if it is in none. */
function finish_call(system: CaseSystem, schedule: Schedule, at: number): Schedule | null {
  const { task } = schedule[at - 1]!
  const returns = returning_moves(system, schedule)
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
function begin_call_later(system: CaseSystem, schedule: Schedule, at: number): Schedule | null {
  const { task } = schedule[at - 1]!
  const returns = returning_moves(system, schedule)
  if (returns.has(at - 1)) return null
  let begin = at - 1
  while (begin > 0 && schedule[begin - 1]!.task === task && !returns.has(begin - 1)) begin--
  const on = schedule.findIndex((move, i) => i >= at && move.task === task)
  if (on < 0) return null
  const [started, between] = [schedule.slice(begin, at), schedule.slice(at, on)]
  return [...schedule.slice(0, begin), ...between, ...started, ...schedule.slice(on)]
}

/** Places of the moves with which a system call returns. */
function returning_moves(system: CaseSystem, schedule: Schedule): Set<number> {
  const places = new Set<number>()
  replay(system, new FastStore(), schedule, {
    before: (k) => {
      k.events = []
    },
    after: (_, __, index, events) => {
      if (events.some(({ kind }) => kind === 'return')) places.add(index)
    },
  })
  return places
}

/** What must stay: what is violated, with which bytes, and after how many preemptions; null if it cannot be run. */
function outcome_of(system: CaseSystem, schedule: Schedule): string | null {
  try {
    const end = replay(system, new FastStore(), schedule)
    const bytes = used.rows(end).map((row) => [row.task, row.index, row.bytes])
    const preemptions = count_preemptions(system, new FastStore(), schedule)
    return JSON.stringify([system.violations(end), bytes, preemptions, end.store.tasks()])
  } catch (error) {
    if (error instanceof ReplayError) return null
    throw error
  }
}

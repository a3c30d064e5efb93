/**
 * Which step made the difference. For every step of another task one asks: had the victim run alone from
 * there on, what would its use have returned? The first step after which the answer is another is the cause.
 * So nothing need be known of what files or names are.
 *
 * A victim that would sleep, because another holds a lock in the midst of its work, is let go on as if the
 * others gave back what they hold and did nothing more: the question is what they have done so far.
 */
import { hold_kind } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import { TouchIndex } from '../kernel/notes.js'
import type { Player } from './replay.js'
import type { Move, Schedule } from './system.js'

export interface Counterfactual {
  readonly schedule: Schedule
  /** Moves made before the question makes sense: the index after the one that approved. */
  readonly from: number
  /** The task whose use is watched. */
  readonly victim: number
  /** What the use returned, once it has: null before. May read any row, but of frames only the victim's. */
  readonly observe: (k: Kernel) => string | null
  /** Stages after which the victim is given up. */
  readonly max_steps?: number
}

/**
 * The first move of another task, at or after `from`, that changes what the victim's use would return.
 *
 * The question is asked again only where the answer can be another one: a stage that writes nothing that the
 * victim touched on its way to the answer does not change it. So many calls that have nothing to do with the
 * victim cost no more than that they are made.
 *
 * @returns its index in the schedule; -1 if none does, or if the use would return nothing from the start
 * @throws CutShort where the time of `player` is over
 */
export function first_change(player: Player, question: Counterfactual): number {
  const { schedule, from, victim } = question
  const k = player.rewind()
  for (const { task, choice } of schedule.slice(0, from)) {
    player.step()
    step(k, task, choice)
  }
  const alone = new Alone(player, question)
  const expected = alone.sees()
  if (expected === null) return -1
  for (let index = from; index < schedule.length; index++) {
    player.step()
    alone.step(schedule[index]!)
    if (schedule[index]!.task === victim) continue
    const seen = alone.sees()
    if (seen !== null && seen !== expected) return index
  }
  return -1
}

/** The victim, if it ran alone from where the world stands; the world stays as it is. */
class Alone {
  private readonly k: Kernel
  /** The answers that the schedule gives to the victim, and how many of them have been given. */
  private readonly answers: readonly number[]
  private given = 0
  /** What it saw when it was asked last, and all that it touched before it saw that; null if it must be asked again. */
  private known: { readonly seen: string | null; readonly touched: TouchIndex } | null = null

  constructor(
    private readonly player: Player,
    private readonly question: Counterfactual,
  ) {
    const { schedule, from, victim } = question
    this.k = player.k
    this.answers = schedule.slice(from).flatMap(({ task, choice }) => (task === victim ? [choice] : []))
  }

  /** A move of the schedule is made. */
  step({ task, choice }: Move): void {
    const { k } = this
    if (task === this.question.victim) {
      this.given++
      this.known = null
      step(k, task, choice)
    } else if (this.known === null) step(k, task, choice)
    else {
      k.store.note()
      step(k, task, choice)
      if (this.known.touched.is_changed_by(k.store.footprint())) this.known = null
    }
  }

  /** What its use would return. */
  sees(): string | null {
    if (this.known !== null) return this.known.seen
    const { k } = this
    k.store.note()
    const mark = k.store.mark()
    const { seen, freed } = this.run()
    k.store.undo(mark)
    const touched = k.store.footprint()
    // What others hold is in their frames, and no touch of it is noted.
    this.known = freed ? null : { seen, touched: new TouchIndex(touched) }
    return seen
  }

  private run(): { seen: string | null; freed: boolean } {
    const { k, answers, given, player } = this
    const { victim, observe, max_steps = 100_000 } = this.question
    let seen = observe(k)
    let freed = false
    for (let i = 0; seen === null && i < max_steps && k.store.depth(victim) > 0; i++) {
      player.step()
      if (step_as_before(k, victim, answers[given + i] ?? 0)) seen = observe(k)
      else if (freed) break
      else {
        give_back_all(k, victim)
        freed = true
      }
    }
    return { seen, freed }
  }
}

/** One stage with the answer that the schedule gave, or the first where that is no answer here. */
function step_as_before(k: Kernel, task: number, choice: number): boolean {
  const mark = k.store.mark()
  const stepped = step(k, task, choice) === STEPPED
  if (choice < k.choices && stepped) return true
  k.store.undo(mark)
  return choice >= k.choices && step(k, task, 0) === STEPPED
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

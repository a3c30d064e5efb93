/** Plays a schedule again, on any store, and lets somebody watch. */
import { FastStore } from '../kernel/fast_store.js'
import type { Event, Kernel, Store } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import { type Look, type Move, no_hurry, type Schedule, type System } from './system.js'

/** Called around every stage. */
export interface Listener {
  readonly before?: (k: Kernel, move: Move, index: number) => void
  /** `events` are those of this stage; empty unless `k.events` was set to a list in `boot` or `before`. */
  readonly after?: (k: Kernel, move: Move, index: number, events: readonly Event[]) => void
}

/** A schedule asks for a move that there is not: it was made for something else. */
export class ReplayError extends Error {
  constructor(
    readonly index: number,
    readonly move: Move,
    readonly why: string,
  ) {
    super(`step ${index + 1} of the schedule: ${why}`)
  }
}

function make_move(k: Kernel, move: Move, index: number): void {
  const { task, choice } = move
  if (k.store.depth(task) === 0) throw new ReplayError(index, move, `task ${task} has nothing left to do`)
  const stepped = step(k, task, choice) === STEPPED
  if (choice >= k.choices) throw new ReplayError(index, move, `there is no choice ${choice} of ${k.choices}`)
  if (!stepped) throw new ReplayError(index, move, `task ${task} sleeps`)
}

/**
 * Boots the system and makes the moves of a schedule.
 *
 * @returns the machine as it stands after the last
 * @throws ReplayError at the first move that cannot be made
 */
export function replay(system: System, store: Store, schedule: Schedule, listener: Listener = {}): Kernel {
  const k = system.boot(store)
  store.commit()
  make_moves(k, schedule, listener, no_hurry)
  return k
}

function make_moves(k: Kernel, schedule: Schedule, listener: Listener, look: Look): void {
  schedule.forEach((move, index) => {
    look()
    listener.before?.(k, move, index)
    if (k.events !== null) k.events = []
    make_move(k, move, index)
    k.store.commit()
    listener.after?.(k, move, index, k.events ?? [])
  })
}

/**
 * A world in which one schedule is played after another. It is booted once, when it is first played in, for a set-up
 * may be large; and what was played is taken back before the next.
 */
export class Player<S extends System = System> {
  /** Stages made in all that was played. */
  stages = 0
  private booted: Kernel | undefined
  private start = 0

  /**
   * @param look called at every stage: what is played may be long, and there may be much of it. Another one may be
   *   set for what is played later
   * @param make makes the machine; where a set-up stands already, in that
   */
  constructor(
    readonly system: S,
    public look: Look = no_hurry,
    private readonly make: () => Kernel = () => system.boot(new FastStore()),
  ) {}

  /** The machine as it stands. @throws CutShort where there is no time to boot it */
  get k(): Kernel {
    return (this.booted ??= this.boot())
  }

  private boot(): Kernel {
    this.look()
    const k = this.make()
    this.start = k.store.mark()
    return k
  }

  /** The machine as it was booted. */
  rewind(): Kernel {
    const { k } = this
    k.store.undo(this.start)
    this.start = k.store.mark()
    k.store.footprint()
    k.events = null
    k.task = 0
    return k
  }

  /** Makes the moves of a schedule from the start. @throws ReplayError, CutShort */
  play(schedule: Schedule, listener: Listener = {}): Kernel {
    const k = this.rewind()
    make_moves(k, schedule, listener, this.step)
    return k
  }

  /** To be called before every stage that is made in this world. */
  readonly step: Look = () => {
    this.stages++
    this.look()
  }
}

/**
 * Goes on from where the machine stands, with as few switches as can be: the running task until it ends or
 * sleeps, then the lowest that can go on. Every choice is answered with 0.
 *
 * @param running   the task to go on with first; 0 for the lowest
 * @param max_steps stages, for programs that may not end
 * @param look      called before every stage
 * @returns the moves made
 */
export function run_in_order(k: Kernel, running = 0, max_steps = 1_000_000, look = no_hurry): Move[] {
  const moves: Move[] = []
  while (moves.length < max_steps) {
    look()
    const tasks = k.store.tasks()
    const order = tasks.includes(running) ? [running, ...tasks.filter((task) => task !== running)] : tasks
    const next = order.find((task) => {
      const mark = k.store.mark()
      if (step(k, task) === STEPPED) return true
      k.store.undo(mark)
      return false
    })
    if (next === undefined) break
    k.store.commit()
    running = next
    moves.push({ task: next, choice: 0 })
  }
  return moves
}

/** The schedule, and after it whatever is left to do, in order. */
export function run_to_end(system: System, make_store: () => Store, schedule: Schedule): Schedule {
  const k = replay(system, make_store(), schedule)
  return [...schedule, ...run_in_order(k, schedule.at(-1)?.task ?? 0)]
}

/** Counts, while a schedule is played, how often it leaves a task that could have gone on. */
export class PreemptionCount {
  preemptions = 0
  private running = 0

  readonly before = (k: Kernel, { task }: Move): void => {
    if (task !== this.running && can_go_on(k, this.running)) this.preemptions++
    this.running = task
  }
}

/** How often a schedule leaves a task that could have gone on. */
export function count_preemptions(system: System, store: Store, schedule: Schedule): number {
  const count = new PreemptionCount()
  replay(system, store, schedule, count)
  return count.preemptions
}

/** Whether the task has a next stage that would not sleep, with any answer. Changes nothing. */
export function can_go_on(k: Kernel, task: number): boolean {
  if (k.store.depth(task) === 0) return false
  const { events } = k
  k.events = null
  let can = false
  let choice = 0
  do {
    const mark = k.store.mark()
    can = step(k, task, choice) === STEPPED
    k.store.undo(mark)
  } while (!can && ++choice < k.choices)
  k.events = events
  return can
}

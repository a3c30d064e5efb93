/**
 * Seeded random runs. A run draws how readily it switches, from at every chance to hardly ever, because races
 * between long system calls want few switches and races inside them want many.
 */
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import { is_local, STEPPED, step } from '../kernel/machine.js'
import type { Move, Schedule, System } from './system.js'

/** A generator of numbers that is the same everywhere: mulberry32 (Tommy Ettinger, public domain). */
export class Random {
  private state: number

  /** @param seed any integer; its low 32 bits count */
  constructor(seed: number) {
    this.state = seed | 0
  }

  /** The next 32 bits, as a number from 0 to 2^32 - 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** A number from 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * n)
  }
}

export interface RandomOptions {
  readonly seed: number
  /** How many runs. */
  readonly runs: number
  /** Stages after which a run is given up. */
  readonly max_steps?: number
  /** Looks for this property only; any without it. */
  readonly property?: string
}

export interface RandomReport {
  /** Runs made, with the one that found the violation. */
  readonly runs: number
  readonly property: string | null
  /** The schedule up to the violation; null if there was none. */
  readonly schedule: Schedule | null
  readonly outcomes: readonly string[]
}

/** A run switches at one chance in 2^0 … 2^(READINESS - 1). */
const READINESS = 6

/** The task to run next: mostly the running one, else any. */
function pick(k: Kernel, random: Random, running: number, readiness: number): number {
  const tasks = k.store.tasks()
  const stays = tasks.includes(running) && (is_local(k, running) || random.below(readiness) !== 0)
  return stays ? running : (tasks[random.below(tasks.length)] ?? 0)
}

/** Makes one stage of the task, or of another if it sleeps. @returns null if none can go on */
function any_move(k: Kernel, random: Random, first: number): Move | null {
  const others = k.store.tasks().filter((task) => task !== first)
  for (let task = first; ; task = others.splice(random.below(others.length), 1)[0]!) {
    const move = move_of(k, random, task)
    if (move !== null) return move
    if (others.length === 0) return null
  }
}

/** Makes the next stage of the task, with an answer drawn from those there are. */
function move_of(k: Kernel, random: Random, task: number): Move | null {
  const { store } = k
  let mark = store.mark()
  let stepped = step(k, task, 0) === STEPPED
  const { choices } = k
  let choice = 0
  if (choices > 1) {
    choice = random.below(choices)
    store.undo(mark)
    mark = store.mark()
    stepped = step(k, task, choice) === STEPPED
  }
  if (stepped) return { task, choice }
  store.undo(mark)
  return null
}

/**
 * One random run to its end.
 *
 * @param stop asked after every stage; the run ends where it holds
 */
export function random_run(
  k: Kernel,
  random: Random,
  max_steps: number,
  stop: (k: Kernel) => boolean,
): Move[] {
  const readiness = 2 ** random.below(READINESS)
  const moves: Move[] = []
  let running = 0
  while (moves.length < max_steps && k.store.tasks().length > 0 && !stop(k)) {
    const move = any_move(k, random, pick(k, random, running, readiness))
    if (move === null) break
    running = move.task
    moves.push(move)
  }
  return moves
}

/**
 * Makes random runs until one violates a property. The same seed gives the same runs everywhere.
 *
 * @returns the first violation with its schedule, and the outcomes of the runs before it
 */
export function random_search(system: System, options: RandomOptions): RandomReport {
  const random = new Random(options.seed)
  const store = new FastStore()
  const k = system.boot(store)
  const outcomes = new Set<string>()
  const violated = () =>
    system.violations(k).find((each) => options.property === undefined || each === options.property)
  for (let run = 1; run <= options.runs; run++) {
    const start = store.mark()
    const schedule = random_run(k, random, options.max_steps ?? 1_000_000, () => violated() !== undefined)
    const property = violated()
    if (property !== undefined) return { runs: run, property, schedule, outcomes: [...outcomes].sort() }
    outcomes.add(system.outcome(k))
    store.undo(start)
  }
  return { runs: options.runs, property: null, schedule: null, outcomes: [...outcomes].sort() }
}

/**
 * The shortest counterexample: a 0-1 search over (state, running task), fewest preemptions first, then fewest
 * stages. A move costs a preemption if it leaves a task that could go on; going on with the running task, or
 * leaving one that has ended or sleeps, costs none.
 *
 * Levels are worked off one after another: all that can be reached with no preemption, then with one, and so
 * on. Within a level the order is depth first, for the world is one and mutable: the next state is then mostly
 * one move away from where the world stands. A pair that turns up again by a shorter way is taken up again.
 * So an answer with few preemptions costs little, however large the whole space is.
 *
 * Here no task is expanded alone because its stage is local, as local_first.ts does: to start a task early
 * would cost a preemption that the real schedule does not need. Fused moves may end with local stages that the
 * violation does not need; they are cut off at the end of the schedule, where the goal is reached first.
 */
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import { step } from '../kernel/machine.js'
import { BoundsOfSearch } from './bounds.js'
import { Identity } from './identity.js'
import { Mover, may_fuse } from './selection/fusion.js'
import type { Bound, Bounds, Locality, Move, Schedule, System } from './system.js'

/** What is looked for: in every state, or only in those in which no task can go on. */
export interface Goal {
  readonly at_end: boolean
  readonly holds: (k: Kernel) => boolean
}

/** A violation of this property, or of any. */
export function violates(system: System, property?: string): Goal {
  return {
    at_end: false,
    holds: (k) => {
      const violations = system.violations(k)
      return property === undefined ? violations.length > 0 : violations.includes(property)
    },
  }
}

/** A state in which a task has not ended and none can go on. */
export const deadlocks: Goal = { at_end: true, holds: (k) => k.store.tasks().length > 0 }

/** A run that ends with such results. */
export function ends_with(system: System, wanted: (outcome: string) => boolean): Goal {
  return { at_end: true, holds: (k) => wanted(system.outcome(k)) }
}

export interface Counterexample {
  readonly schedule: Schedule
  readonly preemptions: number
}

export interface ShortestResult {
  /** Null if there is none within the bounds. */
  readonly counterexample: Counterexample | null
  /** Hit before the answer was sure. An answer is then a counterexample, but perhaps not a shortest. */
  readonly bounds: readonly Bound[]
  /** Every run with fewer preemptions than this was explored. */
  readonly explored_below: number
  readonly states: number
}

export interface ShortestOptions extends Bounds {
  readonly fusion?: boolean
  /** States are compared themselves, not their hashes: slow. */
  readonly exact?: boolean
  /** Which stages a complete search of the same system has found to concern nobody else. */
  readonly locality?: Locality
}

const NONE = -1
/** Tasks tried between two looks at the clock. */
const TICK = 1 << 6

/** Columns of numbers, one entry per (state, running task), growing. */
class Nodes {
  length = 0
  private room = 1 << 10
  lo = new Int32Array(this.room)
  hi = new Int32Array(this.room)
  parent = new Int32Array(this.room)
  /** The move that led here: task (also the running one), answer, stages. */
  task = new Int32Array(this.room)
  choice = new Int32Array(this.room)
  stages = new Int32Array(this.room)
  /** The best cost known, and the one at which it was expanded last. */
  preemptions = new Int32Array(this.room)
  steps = new Int32Array(this.room)
  expanded = new Int32Array(this.room)
  /** Where it stands on the path that the world has gone; valid if the path says the same. */
  height = new Int32Array(this.room)
  private table = new Int32Array(this.room * 4).fill(NONE)

  get bytes(): number {
    return this.room * 4 * 10 + this.table.byteLength
  }

  /** The node of this hash, made if need be: `made` tells. */
  made = false
  at(lo: number, hi: number): number {
    const mask = this.table.length - 1
    let slot = lo & mask
    for (let node = this.table[slot]!; node !== NONE; node = this.table[slot]!) {
      if (this.lo[node] === lo && this.hi[node] === hi) {
        this.made = false
        return node
      }
      slot = (slot + 1) & mask
    }
    this.made = true
    if (this.length === this.room) {
      this.grow()
      return this.at(lo, hi)
    }
    this.table[slot] = this.length
    this.lo[this.length] = lo
    this.hi[this.length] = hi
    this.expanded[this.length] = NONE
    return this.length++
  }

  private grow(): void {
    this.room *= 2
    const longer = (old: Int32Array) => {
      const grown = new Int32Array(this.room)
      grown.set(old)
      return grown
    }
    this.lo = longer(this.lo)
    this.hi = longer(this.hi)
    this.parent = longer(this.parent)
    this.task = longer(this.task)
    this.choice = longer(this.choice)
    this.stages = longer(this.stages)
    this.preemptions = longer(this.preemptions)
    this.steps = longer(this.steps)
    this.expanded = longer(this.expanded)
    this.height = longer(this.height)
    this.table = new Int32Array(this.room * 4).fill(NONE)
    const mask = this.table.length - 1
    for (let node = 0; node < this.length; node++) {
      let slot = this.lo[node]! & mask
      while (this.table[slot] !== NONE) slot = (slot + 1) & mask
      this.table[slot] = node
    }
  }
}

class Shortest {
  private readonly store = new FastStore()
  private readonly k: Kernel
  private readonly mover: Mover
  private readonly identity: Identity
  private readonly nodes = new Nodes()
  /** The nodes that the world has gone through, and the journal's mark before each. */
  private readonly path: number[] = [0]
  private readonly marks: number[] = [0]

  /** Nodes of this level still to be expanded, the next last, and those of the next. */
  private todo: number[] = []
  private later: number[] = []
  private level = 0
  private best = NONE
  private readonly bounds: BoundsOfSearch
  private moves = 0
  /** The journal's mark before the first move. */
  private readonly start: number

  constructor(
    system: System,
    private readonly goal: Goal,
    private readonly options: ShortestOptions,
  ) {
    this.k = system.boot(this.store)
    this.start = this.store.mark()
    this.mover = new Mover(this.k, may_fuse(system, options.fusion), null, options.locality ?? null)
    this.identity = new Identity(this.store, options.exact ?? false)
    this.bounds = new BoundsOfSearch(options)
  }

  run(): ShortestResult {
    this.begin()
    this.bounds.look_at_clock()
    while (!this.bounds.stopped && this.best === NONE && this.todo.length > 0) this.work_off_level()
    const found = this.best !== NONE
    return {
      counterexample: found
        ? {
            schedule: this.trimmed(this.schedule_to(this.best)),
            preemptions: this.nodes.preemptions[this.best]!,
          }
        : null,
      bounds: this.bounds.list,
      explored_below: found || this.bounds.stopped ? this.level : Number.POSITIVE_INFINITY,
      states: this.nodes.length,
    }
  }

  private begin(): void {
    const root = this.node_here(0)
    this.nodes.parent[root] = NONE
    this.todo = [root]
  }

  /** Expands all that is reached with `level` preemptions, then turns to what needs one more. */
  private work_off_level(): void {
    while (this.todo.length > 0 && !this.bounds.stopped) {
      const node = this.todo.pop()!
      const { preemptions, steps, expanded } = this.nodes
      if (preemptions[node] !== this.level || expanded[node] === steps[node]) continue
      if (this.best !== NONE && steps[node]! >= steps[this.best]!) continue
      expanded[node] = steps[node]!
      this.expand(node)
    }
    if (this.best !== NONE || this.bounds.stopped) return
    const fresh = this.later.filter((node) => this.nodes.preemptions[node] === this.level + 1)
    this.later = []
    if (fresh.length > 0 && this.level === this.options.preemptions) {
      this.bounds.stop('preemptions')
      this.level++
      return
    }
    this.level++
    const { steps } = this.nodes
    this.todo = fresh.sort((a, b) => steps[b]! - steps[a]! || b - a)
  }

  /** Tries every move from a node. The running task comes first: if it can move, the others preempt it. */
  private expand(node: number): void {
    this.go_to(node)
    if (!this.goal.at_end && this.goal.holds(this.k)) {
      this.keep_best(node)
      return
    }
    const running = this.nodes.task[node]!
    const tasks = this.store.tasks()
    const depth = this.nodes.steps[node]!
    if (this.bounds.is_too_deep(depth)) {
      if (tasks.length > 0) this.bounds.leave_out('steps')
      return
    }
    const before = this.todo.length
    let goes_on = false
    let moved = false
    if (tasks.includes(running)) moved = goes_on = this.try_task(node, running, 0)
    for (const task of tasks) {
      if (task === running) continue
      if (this.try_task(node, task, goes_on ? 1 : 0)) moved = true
    }
    if (!moved && this.goal.at_end && this.goal.holds(this.k)) this.keep_best(node)
    reverse_from(this.todo, before)
  }

  /** Tries a task's next stage with every answer. @returns whether it could move */
  private try_task(node: number, task: number, cost: number): boolean {
    let moved = false
    let choice = 0
    do {
      const mark = this.store.mark()
      const stages = this.mover.move(task, choice)
      const choices = this.mover.choices
      if (stages > 0) {
        moved = true
        this.reach(node, task, choice, stages, cost)
      }
      this.store.undo(mark)
      if (++choice >= choices) break
    } while (!this.bounds.stopped)
    this.keep_bounds()
    return moved
  }

  /** The world stands where a move led: keep it if it is new, or was reached by a dearer way only. */
  private reach(from: number, task: number, choice: number, stages: number, cost: number): void {
    const { nodes } = this
    const preemptions = nodes.preemptions[from]! + cost
    const steps = nodes.steps[from]! + stages
    const node = this.node_here(task)
    if (!nodes.made) {
      const more = preemptions - nodes.preemptions[node]!
      if (more > 0 || (more === 0 && steps >= nodes.steps[node]!)) return
    }
    nodes.parent[node] = from
    nodes.task[node] = task
    nodes.choice[node] = choice
    nodes.stages[node] = stages
    nodes.preemptions[node] = preemptions
    nodes.steps[node] = steps
    nodes.expanded[node] = NONE
    if (cost > 0) this.later.push(node)
    else this.todo.push(node)
  }

  private keep_best(node: number): void {
    if (this.best === NONE || this.nodes.steps[node]! < this.nodes.steps[this.best]!) this.best = node
  }

  /** The node of the present state with this running task. */
  private node_here(running: number): number {
    this.identity.of_state_and(running, 0)
    return this.nodes.at(this.identity.lo, this.identity.hi)
  }

  /** Brings the world to a node: back to the last common place, then forward. */
  private go_to(node: number): void {
    const { nodes, path } = this
    const way: number[] = []
    let at = node
    while (path[nodes.height[at]!] !== at) {
      way.push(at)
      at = nodes.parent[at]!
    }
    const common = nodes.height[at]!
    if (common + 1 < path.length) {
      this.store.undo(this.marks[common + 1]!)
      path.length = this.marks.length = common + 1
    }
    for (let i = way.length - 1; i >= 0; i--) {
      const next = way[i]!
      nodes.height[next] = path.length
      path.push(next)
      this.marks.push(this.store.mark())
      this.mover.move(nodes.task[next]!, nodes.choice[next]!)
    }
  }

  private schedule_to(node: number): Move[] {
    const { nodes } = this
    const way: number[] = []
    for (let at = node; nodes.parent[at] !== NONE; at = nodes.parent[at]!) way.push(at)
    const schedule: Move[] = []
    for (const at of way.reverse()) {
      schedule.push({ task: nodes.task[at]!, choice: nodes.choice[at]! })
      for (let i = 1; i < nodes.stages[at]!; i++) schedule.push({ task: nodes.task[at]!, choice: 0 })
    }
    return schedule
  }

  /** The schedule up to the stage at which the goal first holds. */
  private trimmed(schedule: readonly Move[]): Schedule {
    if (this.goal.at_end) return schedule
    this.store.undo(this.start)
    const { k } = this
    let length = 0
    while (length < schedule.length && !this.goal.holds(k)) {
      step(k, schedule[length]!.task, schedule[length]!.choice)
      length++
    }
    return schedule.slice(0, length)
  }

  private keep_bounds(): void {
    const { max_states, max_memory } = this.options
    if (max_states !== undefined && this.nodes.length > max_states) this.bounds.stop('states')
    if (this.identity.full || (max_memory !== undefined && this.bytes > max_memory))
      this.bounds.stop('memory')
    if ((++this.moves & (TICK - 1)) === 0) this.bounds.look_at_clock()
  }

  /** What the search keeps: states and how they were reached, lists of what is to be done, and the path. */
  private get bytes(): number {
    const lists = this.todo.length + this.later.length + this.path.length + this.marks.length
    return this.nodes.bytes + this.identity.bytes + 8 * lists + this.store.bytes
  }
}

function reverse_from(list: number[], from: number): void {
  for (let a = from, b = list.length - 1; a < b; a++, b--) {
    const swapped = list[a]!
    list[a] = list[b]!
    list[b] = swapped
  }
}

/**
 * The counterexample with the fewest preemptions, and among those one with the fewest stages.
 *
 * @param system  what to search
 * @param goal    what to look for: `violates`, `deadlocks`, `ends_with`
 * @param options bounds; `max_states` counts pairs of a state and a running task
 */
export function shortest(system: System, goal: Goal, options: ShortestOptions = {}): ShortestResult {
  return new Shortest(system, goal, options).run()
}

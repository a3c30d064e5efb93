/**
 * The complete search: depth first on the fast store, forward by `step` and back by the journal, with a
 * visited set of 64-bit hashes (identity.ts) and fusion of local stages (mover.ts), also of those that are found to be
 * (inferred_locality.ts). Nothing recurses: depth is bounded by memory and `max_steps` only.
 *
 * At a state where a task is about to run a local stage (at the start, after a fork, before a local choice)
 * only that task is expanded, the lowest such: its stage commutes with all others, so the rest is met
 * behind it. For that nothing may be put off for ever: if a move of that task leads to a state seen before
 * (a loop of local stages), or it cannot move, the other tasks are expanded too.
 *
 * With a bound on preemptions the result is never complete unless the bound was never felt. Then the visited
 * key holds the running task and the preemptions used, since both decide what may still happen, and a state
 * seen with as few preemptions or fewer is not visited again.
 */
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import { Identity } from './identity.js'
import { InferredLocality } from './inferred_locality.js'
import { type Invariant, InvariantFailure, Mover, may_fuse } from './mover.js'
import {
  type Bound,
  type Bounds,
  BrokenInvariant,
  type Found,
  type Move,
  type Progress,
  type Report,
  type Schedule,
  type System,
  time_left,
} from './system.js'
import { Visited } from './visited.js'

export interface DepthFirstOptions extends Bounds {
  /** Stop at the first violation, or deadlock; the report is then not complete. */
  readonly first?: boolean
  /** Off: every stage yields. */
  readonly fusion?: boolean
  /** Off: only stages that are local by themselves are fused, in however many states. */
  readonly inferred?: boolean
  /** States are compared themselves, not their hashes: slow. */
  readonly exact?: boolean
  /** Asked after every stage. */
  readonly invariant?: Invariant
  /** Called now and then; answering false stops the search. */
  readonly progress?: (progress: Progress) => boolean | void
}

/** Transitions between two calls of `progress`, and between two looks at the clock. */
const PULSE = 1 << 13
const TICK = 1 << 6
/** About what a `Node` takes, with its list of tasks. */
const BYTES_OF_NODE = 256
/** Where there are no more, finding out which stages are local would cost more than it saves. */
const FEW_STATES = 1 << 15
const PATIENCE = 256

/** A state on the path, and how far its moves have been tried. Reused by depth. */
class Node {
  mark = 0
  tasks: readonly number[] = []
  /** The task being tried, as an index of `tasks`, and its answer. */
  at = 0
  choice = 0
  /** Moves made from here, and whether one led to a state seen before. */
  moves = 0
  repeated = false
  /** Only the first of `tasks` need be expanded. */
  only = false
  /** A bound forbade a move. */
  skipped = false
  /** The running task could go on: leaving it is a preemption. */
  could_go_on = false
  /** How this state was reached, and with how many stages from the start. */
  task = 0
  came_by = 0
  stages = 0
  depth = 0
  preemptions = 0
}

/** The task with a local stage has moved, and only to new states: the others come after it. */
function enough(node: Node): boolean {
  return node.only && node.at === 1 && node.moves > 0 && !node.repeated
}

class DepthFirst {
  private readonly k: Kernel
  private readonly store = new FastStore()
  private readonly fusion: boolean
  private readonly mover: Mover
  private readonly identity: Identity
  private readonly visited: Visited
  private readonly nodes: Node[] = []
  private height = 0

  private readonly hit = new Set<Bound>()
  private readonly found: Found[] = []
  private readonly violated = new Set<string>()
  private readonly outcomes = new Set<string>()
  private readonly witnesses = new Set<string>()
  private bytes_of_ends = 0
  private deadlock: Schedule | null = null
  private states = 0
  private transitions = 0
  private deepest = 0
  private stopped = false
  private readonly began: number
  /** Stages that are known to concern others, and until how many states more of them are waited for. */
  private known = 0
  private patience = 0

  constructor(
    private readonly system: System,
    private readonly options: DepthFirstOptions,
    private readonly locality: InferredLocality | null = null,
  ) {
    this.k = system.boot(this.store)
    this.fusion = may_fuse(system, options.fusion)
    this.mover = new Mover(this.k, this.fusion, options.invariant ?? null, locality)
    this.identity = new Identity(this.store, options.exact ?? false)
    this.visited = new Visited(options.max_memory)
    this.began = options.now?.() ?? 0
  }

  run(): Report {
    this.enter(this.store.mark(), 0, 0, 0, 0)
    this.look_at_clock()
    while (this.height > 0 && !this.stopped) {
      const node = this.nodes[this.height - 1]!
      if (node.at >= node.tasks.length || enough(node)) this.leave(node)
      else this.try_next(node)
    }
    return this.report()
  }

  private report(): Report {
    const bounds = [...this.hit].sort()
    return {
      complete: bounds.length === 0,
      bounds,
      violations: this.found,
      deadlock: this.deadlock,
      outcomes: [...this.outcomes].sort(),
      witnesses: [...this.witnesses].sort(),
      states: this.states,
      transitions: this.transitions,
      stages: this.mover.stages,
      depth: this.deepest,
      memory: this.bytes,
    }
  }

  /** What the search keeps: states, the path with what is to be taken back, and what was seen at ends. */
  private get bytes(): number {
    return this.visited.bytes + this.bytes_beside
  }

  private get bytes_beside(): number {
    const path = this.nodes.length * BYTES_OF_NODE + this.store.bytes
    return this.identity.bytes + path + this.bytes_of_ends + (this.locality?.bytes ?? 0)
  }

  // --- one state -------------------------------------------------------------------------------------

  /** Puts the present state on the path, if it is new and no bound forbids. */
  private enter(mark: number, task: number, choice: number, stages: number, preemptions: number): void {
    const above = this.height === 0 ? null : this.nodes[this.height - 1]!
    if (!this.is_new(task, preemptions)) {
      if (above !== null) above.repeated = true
      this.store.undo(mark)
      return
    }
    if (this.options.max_states !== undefined && this.states >= this.options.max_states) {
      this.stop('states')
      return
    }
    if (this.height === this.nodes.length) this.nodes.push(new Node())
    const node = this.nodes[this.height++]!
    node.mark = mark
    node.at = node.choice = node.moves = 0
    node.repeated = node.skipped = node.could_go_on = node.only = false
    node.task = task
    node.came_by = choice
    node.stages = stages
    node.depth = (above?.depth ?? 0) + stages
    node.preemptions = preemptions
    this.order_tasks(node)
    if (node.depth > this.deepest) this.deepest = node.depth
    this.states++
    this.look_at_locality()
    this.look_for_violations()
    this.keep_bounds(node)
  }

  private is_new(task: number, preemptions: number): boolean {
    const { identity, visited } = this
    if (this.options.preemptions === undefined) {
      identity.of_state()
      return visited.add(identity.lo, identity.hi)
    }
    for (let fewer = 0; fewer < preemptions; fewer++) {
      identity.of_state_and(task, fewer)
      if (visited.has(identity.lo, identity.hi)) return false
    }
    identity.of_state_and(task, preemptions)
    return visited.add(identity.lo, identity.hi)
  }

  /** Whom to try: first a task with a local stage; with a bound on preemptions first the running one. */
  private order_tasks(node: Node): void {
    const tasks = this.store.tasks()
    let first = -1
    if (this.options.preemptions !== undefined) first = tasks.indexOf(node.task)
    else if (this.fusion) {
      first = tasks.findIndex((task) => this.mover.is_local(task))
      node.only = first >= 0
    }
    if (first > 0) tasks.unshift(...tasks.splice(first, 1))
    node.tasks = tasks
  }

  private try_next(node: Node): void {
    const task = node.tasks[node.at]!
    const preempts = node.could_go_on && task !== node.task
    const preemptions = node.preemptions + (preempts ? 1 : 0)
    if (preempts && preemptions > this.options.preemptions!) {
      this.hit.add('preemptions')
      node.at++
      return
    }
    const { choice } = node
    const mark = this.store.mark()
    const stages = this.move(task, choice)
    this.to_next_move(node)
    if (stages === 0) {
      this.store.undo(mark)
      return
    }
    node.moves++
    if (this.options.preemptions !== undefined && task === node.task) node.could_go_on = true
    this.transitions++
    if ((this.transitions & (TICK - 1)) === 0) this.look_at_clock()
    if ((this.transitions & (PULSE - 1)) === 0) this.tell_progress()
    this.enter(mark, task, choice, stages, preemptions)
  }

  private to_next_move(node: Node): void {
    node.choice++
    if (node.choice < this.mover.choices) return
    node.choice = 0
    node.at++
  }

  private move(task: number, choice: number): number {
    try {
      return this.mover.move(task, choice)
    } catch (error) {
      if (!(error instanceof InvariantFailure)) throw error
      const last: Move[] = [{ task, choice }]
      while (last.length < error.stages) last.push({ task, choice: 0 })
      throw new BrokenInvariant(error.what, [...this.path(), ...last])
    }
  }

  /** All moves were tried: an end of a run, or back to the state before. */
  private leave(node: Node): void {
    if (node.moves === 0 && !node.skipped) this.end_of_run(node)
    this.height--
    this.store.undo(node.mark)
  }

  private end_of_run(node: Node): void {
    const before = this.outcomes.size
    const outcome = this.system.outcome(this.k)
    if (this.outcomes.add(outcome).size > before) this.bytes_of_ends += 2 * outcome.length + BYTES_OF_NODE
    for (const label of this.system.witness?.(this.k) ?? []) this.witnesses.add(label)
    if (node.tasks.length === 0 || this.deadlock !== null) return
    this.deadlock = this.path()
    if (this.options.first === true) this.stop()
  }

  private look_for_violations(): void {
    for (const property of this.system.violations(this.k)) {
      if (this.violated.has(property)) continue
      this.violated.add(property)
      this.found.push({ property, schedule: this.path() })
      if (this.options.first === true) this.stop()
    }
  }

  /** The stages from the start to the present state. */
  private path(): Move[] {
    const moves: Move[] = []
    for (let height = 1; height < this.height; height++) {
      const { task, came_by, stages } = this.nodes[height]!
      moves.push({ task, choice: came_by })
      for (let i = 1; i < stages; i++) moves.push({ task, choice: 0 })
    }
    return moves
  }

  /** A search that is disproved goes on for as long again, for what else it may find out, and is then given up. */
  private look_at_locality(): void {
    const { locality } = this
    if (locality === null || !locality.disproved) return
    if (locality.known > this.known) {
      this.known = locality.known
      this.patience = 2 * this.states + PATIENCE
    } else if (this.states > this.patience) this.stopped = true
  }

  // --- bounds ----------------------------------------------------------------------------------------

  private stop(bound: Bound = 'stopped'): void {
    this.hit.add(bound)
    this.stopped = true
  }

  private keep_bounds(node: Node): void {
    const { max_steps } = this.options
    if (max_steps !== undefined && node.depth >= max_steps && node.tasks.length > 0) {
      this.hit.add('steps')
      node.skipped = true
      node.at = node.tasks.length
    }
    const { max_memory } = this.options
    if (this.visited.full || this.identity.full) this.stop('memory')
    if (max_memory === undefined) return
    this.visited.max_bytes = max_memory - this.bytes_beside
    if (this.visited.bytes > this.visited.max_bytes) this.stop('memory')
  }

  private look_at_clock(): void {
    const { max_time, now, interrupted } = this.options
    if (interrupted?.() === true) this.stop('stopped')
    if (max_time !== undefined && now !== undefined && now() - this.began >= max_time) this.stop('time')
  }

  private tell_progress(): void {
    const { states, transitions } = this
    const depth = this.nodes[this.height - 1]!.depth
    if (this.options.progress?.({ states, transitions, depth }) === false) this.stop()
  }
}

/**
 * Explores every interleaving of a system's tasks.
 *
 * @param system  what to search
 * @param options bounds, in the units of `Bounds`; without any, the search ends when all is explored
 * @throws BrokenInvariant with the schedule that broke `options.invariant`
 */
export function depth_first(system: System, options: DepthFirstOptions = {}): Report {
  if (!may_fuse(system, options.fusion) || options.preemptions !== undefined || options.inferred === false)
    return new DepthFirst(system, options).run()
  const { max_states = Number.POSITIVE_INFINITY } = options
  const few = new DepthFirst(system, { ...options, max_states: Math.min(FEW_STATES, max_states) }).run()
  if (max_states <= FEW_STATES || few.bounds.length !== 1 || few.bounds[0] !== 'states') return few
  return depth_first_inferring(system, options)
}

/**
 * The same where every stage is taken for local until it is found not to be (inferred_locality.ts): the search begins
 * again until none is. For systems that may be fused, without a bound on preemptions.
 */
export function depth_first_inferring(system: System, options: DepthFirstOptions = {}): Report {
  const began = options.now?.() ?? 0
  const locality = new InferredLocality(system)
  for (;;) {
    locality.begin()
    const left = { ...options, ...time_left(options, began) }
    const report = new DepthFirst(system, left, locality).run()
    if (report.bounds.length > 0) return report
    if (locality.disproved) continue
    locality.settled = true
    return { ...report, locality }
  }
}

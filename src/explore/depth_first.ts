/**
 * The complete search: depth first on the fast store, forward by `step` and back by the journal. Its parts:
 *
 * - `frontier.ts`: the way to the present state;
 * - `selection/`: which moves are made from it; a file for each reduction, with the reason why it loses nothing;
 * - `visited.ts`: which states were met before;
 * - `visitor.ts`: what is asked of states and kept;
 * - `bounds.ts`: when it ends before it is complete.
 *
 * With a bound on preemptions the result is never complete unless the bound was never felt.
 */
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import type { Exchangeable } from '../kernel/renumbering.js'
import { KeyOfTwo, SymmetricStore } from '../kernel/symmetric_store.js'
import { BoundsOfSearch } from './bounds.js'
import { Frontier, type Place } from './frontier.js'
import { type Invariant, InvariantFailure, Mover, may_fuse } from './selection/fusion.js'
import { InferredLocality } from './selection/inferred_locality.js'
import { expand_local_first, is_enough, put_first } from './selection/local_first.js'
import { expand_few } from './selection/order.js'
import { is_worth_it, permutations } from './selection/symmetry.js'
import {
  type Bounds,
  BrokenInvariant,
  type Move,
  type Progress,
  type Report,
  type System,
  time_left,
} from './system.js'
import { Visited } from './visited.js'
import { Visitor } from './visitor.js'

export interface DepthFirstOptions extends Bounds {
  /** Stop at the first violation, or deadlock; the report is then not complete. */
  readonly first?: boolean
  /** Off: every stage yields. */
  readonly fusion?: boolean
  /** Off: only stages that are local by themselves are fused, in however many states. */
  readonly inferred?: boolean
  /** Off: every task is expanded that may meet another at any time, in however many states. */
  readonly order?: boolean
  /** Off: states in which exchangeable tasks have each other's places are different, however many there are. */
  readonly symmetry?: boolean
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
/** Where there are no more, finding out which stages are local would cost more than it saves. */
const FEW_STATES = 1 << 15
const PATIENCE = 256

class DepthFirst {
  private readonly k: Kernel
  private readonly store: FastStore
  private readonly fusion: boolean
  private readonly mover: Mover
  private readonly frontier = new Frontier()
  private readonly visited: Visited
  private readonly visitor: Visitor
  private readonly bounds: BoundsOfSearch

  private states = 0
  private transitions = 0
  private deepest = 0
  /** Stages that are known to concern others, and until how many states more of them are waited for. */
  private known = 0
  private patience = 0
  /** What was inferred is wrong, and nothing more is to be found out about it. */
  private given_up = false

  constructor(
    system: System,
    private readonly options: DepthFirstOptions,
    private readonly locality: InferredLocality | null = null,
    exchangeable: Exchangeable | null = null,
    private readonly order = false,
  ) {
    this.store = exchangeable === null ? new FastStore() : new SymmetricStore(exchangeable)
    this.k = system.boot(this.store)
    locality?.begin(this.k)
    this.fusion = may_fuse(system, options.fusion)
    this.mover = new Mover(this.k, this.fusion, options.invariant ?? null, locality)
    this.visited = new Visited(this.store, options)
    const alike = exchangeable === null ? [] : permutations(exchangeable)
    this.visitor = new Visitor(system, this.k, () => this.frontier.schedule(), alike)
    this.bounds = new BoundsOfSearch(options)
  }

  run(): Report {
    const { frontier, bounds } = this
    this.enter(this.store.mark(), 0, 0, 0, 0)
    bounds.look_at_clock()
    while (frontier.height > 0 && !bounds.stopped && !this.given_up) {
      const place = frontier.top
      if (place.at >= place.tasks.length || is_enough(place)) this.leave(place)
      else this.try_next(place)
    }
    return this.report()
  }

  private report(): Report {
    const bounds = this.bounds.list
    return {
      complete: bounds.length === 0,
      bounds,
      ...this.visitor.seen(),
      states: this.states,
      transitions: this.transitions,
      stages: this.mover.stages,
      depth: this.deepest,
      memory: this.visited.bytes + this.bytes_beside,
    }
  }

  /** What the search keeps beside states: the path with what is to be taken back, and what was seen at ends. */
  private get bytes_beside(): number {
    return this.frontier.bytes + this.store.bytes + this.visitor.bytes + (this.locality?.bytes ?? 0)
  }

  // --- one state -------------------------------------------------------------------------------------

  /** Puts the present state on the path, if it is new and no bound forbids. */
  private enter(mark: number, task: number, choice: number, stages: number, preemptions: number): void {
    const { frontier, bounds } = this
    if (!this.is_new(task, preemptions)) {
      if (frontier.height > 0 && this.leads_back) frontier.top.repeated = true
      this.store.undo(mark)
      return
    }
    if (bounds.look_at_states(this.states)) return
    const place = frontier.push(this.visited.lo, mark, task, choice, stages, preemptions)
    this.order_tasks(place)
    if (place.depth > this.deepest) this.deepest = place.depth
    this.states++
    this.look_at_locality()
    if (this.visitor.state() && this.options.first === true) bounds.stop()
    this.keep_bounds(place)
  }

  private is_new(task: number, preemptions: number): boolean {
    return this.options.preemptions === undefined
      ? this.visited.meet()
      : this.visited.meet_with(task, preemptions)
  }

  /** Whom to try: first a task with a local stage; with a bound on preemptions first the running one. */
  private order_tasks(place: Place): void {
    const tasks = this.store.tasks()
    if (this.options.preemptions !== undefined) put_first(tasks, tasks.indexOf(place.task))
    else if (this.fusion) expand_local_first(place, tasks, this.is_local)
    place.tasks = this.order && place.only === 0 ? expand_few(place, tasks, this.k, this.locality!) : tasks
  }

  /** Whether the present state, which was met before, may be one from which something is put off. */
  private get leads_back(): boolean {
    return !this.order || this.frontier.may_have(this.visited.lo)
  }

  private readonly is_local = (task: number): boolean => this.mover.is_local(task)

  private try_next(place: Place): void {
    const task = place.tasks[place.at]!
    const preempts = place.could_go_on && task !== place.task
    const preemptions = place.preemptions + (preempts ? 1 : 0)
    if (preempts && preemptions > this.options.preemptions!) {
      this.bounds.leave_out('preemptions')
      place.at++
      return
    }
    const { choice } = place
    const mark = this.store.mark()
    const stages = this.move(task, choice)
    place.go_on(this.mover.choices)
    if (stages === 0) {
      this.store.undo(mark)
      return
    }
    place.moves++
    if (this.options.preemptions !== undefined && task === place.task) place.could_go_on = true
    this.transitions++
    if ((this.transitions & (TICK - 1)) === 0) this.bounds.look_at_clock()
    if ((this.transitions & (PULSE - 1)) === 0) this.tell_progress()
    this.enter(mark, task, choice, stages, preemptions)
  }

  private move(task: number, choice: number): number {
    try {
      return this.mover.move(task, choice)
    } catch (error) {
      if (!(error instanceof InvariantFailure)) throw error
      const last: Move[] = [{ task, choice }]
      while (last.length < error.stages) last.push({ task, choice: 0 })
      throw new BrokenInvariant(error.what, [...this.frontier.schedule(), ...last])
    }
  }

  /** All moves were tried: an end of a run, or back to the state before. */
  private leave(place: Place): void {
    if (place.moves === 0 && !place.skipped) {
      const deadlocks = this.visitor.end_of_run(place.tasks.length === 0)
      if (deadlocks && this.options.first === true) this.bounds.stop()
    }
    this.frontier.pop()
    this.store.undo(place.mark)
  }

  /** A search that is disproved goes on for as long again, for what else it may find out, and is then given up. */
  private look_at_locality(): void {
    const { locality } = this
    if (locality === null || !locality.disproved) return
    if (locality.known > this.known) {
      this.known = locality.known
      this.patience = 2 * this.states + PATIENCE
    } else if (this.states > this.patience) this.given_up = true
  }

  // --- bounds ----------------------------------------------------------------------------------------

  private keep_bounds(place: Place): void {
    if (place.tasks.length > 0 && this.bounds.is_too_deep(place.depth)) {
      this.bounds.leave_out('steps')
      place.give_up()
    }
    const { max_memory } = this.options
    if (this.visited.full) this.bounds.stop('memory')
    if (max_memory !== undefined && !this.visited.keep_within(max_memory - this.bytes_beside))
      this.bounds.stop('memory')
  }

  private tell_progress(): void {
    const { states, transitions } = this
    const { depth } = this.frontier.top
    if (this.options.progress?.({ states, transitions, depth }) === false) this.bounds.stop()
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
  if (!may_infer(system, options) && !may_exchange(system, options))
    return new DepthFirst(system, options).run()
  const { max_states = Number.POSITIVE_INFINITY } = options
  const few = new DepthFirst(system, { ...options, max_states: Math.min(FEW_STATES, max_states) }).run()
  if (max_states <= FEW_STATES || few.bounds.length !== 1 || few.bounds[0] !== 'states') return few
  return depth_first_reduced(system, options)
}

/** Whether stages that nobody meets may be looked for. */
function may_infer(system: System, { fusion, inferred, preemptions }: DepthFirstOptions): boolean {
  return inferred !== false && preemptions === undefined && may_fuse(system, fusion)
}

/** Whether states with tasks in each other's places may be taken for one. */
function may_exchange({ exchangeable }: System, { symmetry, preemptions }: DepthFirstOptions): boolean {
  return symmetry !== false && preemptions === undefined && is_worth_it(exchangeable)
}

/** The same with all reductions that the options leave on, from the first state on. */
export function depth_first_reduced(system: System, options: DepthFirstOptions = {}): Report {
  const began = options.now?.() ?? 0
  if (may_exchange(system, options) && is_symmetric(system)) {
    try {
      return inferring(system, options, system.exchangeable!)
    } catch (error) {
      if (!(error instanceof KeyOfTwo)) throw error
    }
  }
  return inferring(system, { ...options, ...time_left(options, began) }, null)
}

/** Whether the first state is the same whoever of the exchangeable tasks has whose place. */
function is_symmetric(system: System): boolean {
  const store = new SymmetricStore(system.exchangeable!)
  system.boot(store)
  return store.is_symmetric
}

/** Every stage is taken for local until it is found not to be: the search begins again until none is. */
function inferring(system: System, options: DepthFirstOptions, exchangeable: Exchangeable | null): Report {
  if (!may_infer(system, options)) return new DepthFirst(system, options, null, exchangeable).run()
  const began = options.now?.() ?? 0
  const order = options.order !== false && options.invariant === undefined
  const locality = new InferredLocality(system, exchangeable?.classes, order)
  for (;;) {
    const left = { ...options, ...time_left(options, began) }
    const report = new DepthFirst(system, left, locality, exchangeable, order).run()
    if (report.bounds.length > 0) return report
    if (locality.disproved) continue
    locality.settled = true
    return { ...report, locality }
  }
}

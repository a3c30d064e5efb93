/**
 * Which stages nobody else can meet, found out by the search itself.
 *
 * Whether a stage concerns others is a fact of the scenario, not of the stage: a path walk concerns nobody where
 * nobody renames. So every stage is taken for local at first, and it is noted which cells each stage of each task
 * touches. Where a stage that was taken for local touches a cell that a stage of another task touches too, not both in
 * ways that commute, it yields from then on, and the search begins again. The search that comes to its end without
 * such a conflict gives the verdict. (What earlier ones have noted is kept: they were runs of the system too.)
 *
 * Why it is sound. Call G the graph that this last search has explored. Let `a` be a stage taken for local that is run
 * at once in a state of G, and let a run of the system go on from that state with stages u₁ … uₙ of other tasks before
 * `a`. Claim: `a` commutes with each of them. Then the run is equivalent to one that begins with `a`, which is a step of
 * G, and by induction over what is left of it, to a run of G. Suppose that uᵢ is the first that does not commute with
 * `a`. Then it touches a cell that `a` touches, in a way that conflicts. Up to the first such cell uᵢ does the same
 * whether `a` has run before it or not, since it has read nothing that `a` writes. So it touches that cell also in the run
 * a u₁ … uᵢ; and that run begins with a step of G and has one step less to go, so G has an equivalent one, in which uᵢ
 * sees the same values and touches the same cells. Then the conflict was noted, and `a` yields. That is a contradiction.
 *
 * A stage that would sleep touches what it looks at, and this is noted like the rest: so a stage that sleeps because
 * `a` has run, or would let `a` sleep, is such a conflict too. Nothing may be put off for ever, which is seen to as for
 * stages that are local by themselves (local_first.ts); and properties do not look between fused stages (fusion.ts).
 *
 * The claim is about every run of the system, not of this search only. So what is found out serves other searches of
 * the same system: that for the shortest way to a violation fuses the same stages.
 *
 * With exchangeable tasks (kernel/symmetric_store.ts) the search goes on from one of the states that are permutations of each other. What
 * a stage of one task touches there, the same stage of another would touch of that one's in another of these states. So
 * their cells are noted as one: who touches what is his own does not meet others of his kind that touch what is theirs;
 * he meets those who touch another's. And who touches what is nobody's of them meets others of his kind that do.
 *
 * Stages that are local by themselves are not noted: they touch only what their task owns. Who touches what
 * another task owns, as a fork does, is never taken for local.
 */
import { all_functions, hold_kind } from '../../kernel/fn.js'
import { type Kernel, RETURNING } from '../../kernel/kernel.js'
import { is_local } from '../../kernel/machine.js'
import { in_range, place_in_range, range_of } from '../../kernel/schema.js'
import { PairSet } from '../pair_set.js'
import type { Locality, System } from '../system.js'
import { ANOTHERS, Cells, JOIN, OWN, READ, WAYS } from './cells.js'

/** Sets of tasks are the bits of a number; those that have no bit of their own share one. */
const SHARED = 31
/** Odd: with another stage a cell stands elsewhere in the set of what was noted, and no two pairs become one. */
const SPREAD = 0x9e3779b1
/** Places in a function: its stages, and behind them what it gives back. */
const PLACES = 256
const GIVES_BACK = 128
const FUNCTIONS = 1 << 12

/** Who touches a cell: sets of tasks, by how; and the stages that do, by task and with how. */
interface Touched {
  readonly tasks: number[]
  readonly stages: number[]
}

export class InferredLocality extends Cells implements Locality {
  settled = false
  /** A stage that was taken for local has been found not to be, since the search began. */
  disproved = false
  /** Stages that concern others, by function and place, of tasks that are alike. */
  private readonly yielding = new Set<number>()
  private readonly cells = new Map<number, Touched>()
  /** Stages with how, and cells: pairs that were noted. */
  private readonly noted = new PairSet()
  private last_cell = 0
  private last_way = -1
  /** By task. */
  private readonly indexes: number[] = []
  /** By index: a task that has it. */
  private readonly tasks: number[] = []
  private met = 0
  /** Exchangeable tasks, by the first of their class. */
  private readonly first_of = new Map<number, number>()

  // The running stage: its task, and its number by index of the task, function and place.
  private task = 0
  private stage = 0
  private is_exchangeable = false

  protected override readonly collapses: boolean

  /** @param classes of exchangeable tasks, where the search takes states for one that differ in these alone */
  constructor(
    private readonly system: System,
    classes: readonly (readonly number[])[] = [],
  ) {
    super()
    this.collapses = classes.length > 0
    for (const tasks of classes) {
      for (const task of tasks) this.first_of.set(task, tasks[0]!)
      this.give_index(tasks[0]!, 2)
    }
    const longest = Math.max(...all_functions().map(({ steps }) => steps.length))
    if (all_functions().length > FUNCTIONS || longest > GIVES_BACK)
      throw new Error('no numbers for so many stages')
  }

  /** A search begins. */
  begin(): void {
    this.disproved = false
  }

  /** How many stages are known to concern others. */
  get known(): number {
    return this.yielding.size
  }

  get bytes(): number {
    return this.noted.bytes + 64 * this.noted.size
  }

  is_local(k: Kernel, task: number): boolean {
    if (is_local(k, task)) return true
    const stage = this.stage_of(k, task)
    return this.index_of(task) !== SHARED && !this.yielding.has(this.kind_of(stage, task))
  }

  watch(k: Kernel, task: number): void {
    this.task = task
    this.stage = this.stage_of(k, task)
    this.is_exchangeable = this.first_of.has(task) && this.index_of(task) !== SHARED
  }

  protected override collapsed(number: number, of_task: boolean): number {
    if (!this.collapses) return number
    const task = of_task ? number : range_of(number)
    const first = this.first_of.get(task)
    if (first === undefined) return number
    this.whose = task === this.task && this.whose !== ANOTHERS ? OWN : ANOTHERS
    return of_task ? first : in_range(first, place_in_range(number))
  }

  /** Of exchangeable tasks, who touches what is his own has the index of his class, and who touches else the next. */
  protected touch(way: number, cell: number): void {
    const beside = this.is_exchangeable && this.whose !== OWN ? FUNCTIONS * PLACES : 0
    const how = (this.stage + beside) * WAYS + way
    if (cell === this.last_cell && how === this.last_way) return
    this.last_cell = cell
    this.last_way = how
    // The cell first: by it the set finds its slot.
    if (this.noted.add(cell ^ Math.imul(how, SPREAD), how)) this.note(how, way, cell)
  }

  protected touch_owned(owner: number): void {
    if (owner !== this.task && range_of(owner) !== this.task) this.yields(this.stage)
  }

  private note(how: number, way: number, cell: number): void {
    let touched = this.cells.get(cell)
    if (touched === undefined) {
      touched = { tasks: [0, 0, 0], stages: [] }
      this.cells.set(cell, touched)
    }
    touched.stages.push(how)
    const bit = 1 << this.index_in(how)
    if ((touched.tasks[way]! & bit) !== 0) this.look_at(how, touched)
    else {
      touched.tasks[way]! |= bit
      for (const each of touched.stages) this.look_at(each, touched)
    }
  }

  /** Whether other tasks touch the cell in a way that does not commute with how this stage does. */
  private look_at(how: number, { tasks }: Touched): void {
    const way = how % WAYS
    const stage = (how - way) / WAYS
    const [read, write, join] = tasks as [number, number, number]
    const against = way === READ ? write | join : way === JOIN ? read | write : read | write | join
    const index = this.index_in(how)
    const own = this.is_of_others(index) ? 0 : 1 << index
    if ((against & ~own) !== 0) this.yields(stage)
  }

  private yields(stage: number): void {
    const index = Math.floor(stage / (FUNCTIONS * PLACES))
    if (index === SHARED) return
    const kind = this.kind_of(stage, this.tasks[index]!)
    if (this.yielding.has(kind)) return
    this.yielding.add(kind)
    this.disproved = true
  }

  /** The same for tasks that are alike: what one of them may meet, the others may. */
  private kind_of(stage: number, task: number): number {
    const of_task = FUNCTIONS * PLACES
    return (this.system.alike?.(task) ?? task) * of_task + (stage % of_task)
  }

  // --- numbers -----------------------------------------------------------------------------------------------

  /** Which of the tasks that were met it is; the class of exchangeable ones is as one. */
  private index_of(task: number): number {
    return this.indexes[task] ?? this.give_index(this.first_of.get(task) ?? task, 1, task)
  }

  private give_index(first: number, indexes: number, task = first): number {
    const index = this.indexes[first] ?? (this.met + indexes > SHARED ? SHARED : this.met)
    if (this.indexes[first] === undefined && index !== SHARED) this.met += indexes
    for (let i = 0; i < indexes && index !== SHARED; i++) this.tasks[index + i] = first
    this.indexes[first] = index
    this.indexes[task] = index
    return index
  }

  private index_in(how: number): number {
    return Math.floor(how / (WAYS * FUNCTIONS * PLACES))
  }

  /** Whether others of the same class have it too. */
  private is_of_others(index: number): boolean {
    const task = this.tasks[index]
    return task !== undefined && this.first_of.has(task) && this.indexes[task] !== index
  }

  private stage_of(k: Kernel, task: number): number {
    const { fn, stage, holds } = k.store.top(task)
    const given_back = holds.length === 0 ? 0 : 1 + hold_kind(holds[holds.length - 2]!).index
    const place = stage === RETURNING ? GIVES_BACK + given_back : stage
    return (this.index_of(task) * FUNCTIONS + fn.index) * PLACES + place
  }
}

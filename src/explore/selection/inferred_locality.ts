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
import { ANOTHERS, Cells, OWN, WAYS, WRITE } from './cells.js'

/** Who may touch a cell has an index, from 0; those for whom there is none share one. */
const SHARED = 31
/** Odd: with another stage a cell stands elsewhere in the set of what was noted, and no two pairs become one. */
const SPREAD = 0x9e3779b1
/** Places in a function: its stages, and behind them what it gives back. */
const PLACES = 256
const GIVES_BACK = 128
const FUNCTIONS = 1 << 12
/** Phases of programs: beyond the last, one is as good as another. */
const PHASES = 1 << 12

/** A stage of a task, or of each of a class, in one phase of its program. */
interface Stage {
  readonly number: number
  readonly index: number
  readonly phase: number
  /** By index: the last phase in which those meet it, as far as is known. */
  readonly meets: number[]
  /** By index: the first phase from which on it was taken for granted, in this search, that those do not. */
  readonly relied: number[]
  /** It was taken for local, or its task for one of those that need be expanded. */
  used: boolean
  /** It touches what another task owns, or is met by somebody of whom nobody knows what he may still do. */
  met_for_ever: boolean
}

/** Who touches a cell: by way and index, in which phase last; and the stages that do, each with how. */
interface Touched {
  readonly last: readonly [number[], number[], number[]]
  readonly stages: number[]
}

export class InferredLocality extends Cells implements Locality {
  settled = false
  /** What was taken for granted has been found to be wrong, since the search began. */
  disproved = false
  /** How often something was found out. */
  known = 0
  private readonly stages: Stage[] = []
  private readonly by_key = new Map<number, Stage>()
  private readonly cells = new Map<number, Touched>()
  /** Stages with how, and cells: pairs that were noted. */
  private readonly noted = new PairSet()
  private last_cell = 0
  private last_how = -1
  /** By task; of a class the index is that of all its tasks, and the next one stands for them as each other's others. */
  private readonly indexes: number[] = []
  private met = 0
  /** By index: whether it stands for others of a class, and whose tasks may yet be made. */
  private readonly stands_for_others: boolean[] = []
  private readonly is_child: boolean[] = []
  /** Exchangeable tasks, by the first of their class. */
  private readonly first_of = new Map<number, number>()
  /** The tasks that there are from the start. */
  private beginners: readonly number[] = []

  // The running stage, and whether its task is one of a class.
  private task = 0
  private stage: Stage | null = null
  private is_exchangeable = false

  protected override readonly collapses: boolean

  /**
   * @param classes of exchangeable tasks, where the search takes states for one that differ in these alone
   * @param phases  whether it counts what tasks may still do, and not what they ever do
   */
  constructor(
    private readonly system: System,
    classes: readonly (readonly number[])[] = [],
    private readonly phases = false,
  ) {
    super()
    this.collapses = classes.length > 0
    for (const tasks of classes) {
      for (const task of tasks) this.first_of.set(task, tasks[0]!)
      const index = this.new_index(2)
      for (const task of tasks) this.indexes[task] = index
      if (index !== SHARED) this.stands_for_others[index + 1] = true
    }
    const longest = Math.max(...all_functions().map(({ steps }) => steps.length))
    if (all_functions().length > FUNCTIONS || longest > GIVES_BACK)
      throw new Error('no numbers for so many stages')
  }

  /** A search begins, in the state that the system begins with. */
  begin(k: Kernel): void {
    this.disproved = false
    this.beginners = k.store.tasks()
    for (const task of this.beginners) this.index_of(task)
    for (const stage of this.stages) {
      stage.used = false
      stage.relied.length = 0
    }
  }

  get bytes(): number {
    return this.noted.bytes + 64 * this.noted.size
  }

  // --- who need not wait for whom --------------------------------------------------------------------------

  is_local(k: Kernel, task: number): boolean {
    if (is_local(k, task)) return true
    const stage = this.stage_of(k, task)
    if (stage.met_for_ever) return false
    for (const other of this.beginners) if (other !== task && this.may_meet(k, stage, other)) return false
    if (!this.settled) this.rely(k, stage, (other) => other !== task)
    return true
  }

  /**
   * Some of these tasks, the first of which one may begin with: their next stages meet nothing that the others may still
   * do. All of them, where there are no fewer.
   */
  few_enough(k: Kernel, tasks: readonly number[]): readonly number[] {
    let fewest = tasks
    for (const task of tasks) {
      const some = this.closed(k, [task], tasks)
      if (some.length < fewest.length) fewest = some
    }
    if (fewest.length < tasks.length)
      for (const task of fewest) this.rely(k, this.stage_of(k, task), (other) => !fewest.includes(other))
    return fewest
  }

  /** Adds whoever may meet the next stage of one of them. */
  private closed(k: Kernel, some: number[], all: readonly number[]): readonly number[] {
    for (let i = 0; i < some.length; i++) {
      const stage = this.stage_of(k, some[i]!)
      if (stage.met_for_ever) return all
      for (const other of all) {
        if (some.includes(other)) continue
        if (!this.beginners.includes(other)) return all
        if (this.may_meet(k, stage, other)) some.push(other)
      }
    }
    return some
  }

  private may_meet(k: Kernel, { meets }: Stage, other: number): boolean {
    const last = meets[this.index_of(other)]
    return last !== undefined && last >= this.phase_of(k, other)
  }

  /** It is taken for granted that these do not meet a stage any more. */
  private rely(k: Kernel, stage: Stage, on: (task: number) => boolean): void {
    stage.used = true
    for (const other of this.beginners) {
      if (!on(other)) continue
      const index = this.index_of(other)
      const phase = this.phase_of(k, other)
      if (!(stage.relied[index]! <= phase)) stage.relied[index] = phase
    }
  }

  /** How far a task is; beyond all phases where it has ended. */
  private phase_of(k: Kernel, task: number): number {
    if (!this.phases) return 0
    if (k.store.depth(task) === 0) return PHASES
    return Math.min(this.system.phase?.(k, task) ?? 0, PHASES - 1)
  }

  // --- what is noted ---------------------------------------------------------------------------------------

  watch(k: Kernel, task: number): void {
    this.task = task
    this.stage = this.stage_of(k, task)
    this.is_exchangeable = this.first_of.has(task) && this.stage.index !== SHARED
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
    const beside = this.is_exchangeable && this.whose !== OWN ? 1 : 0
    const how = (this.stage!.number * 2 + beside) * WAYS + way
    if (cell === this.last_cell && how === this.last_how) return
    this.last_cell = cell
    this.last_how = how
    // The cell first: by it the set finds its slot.
    if (this.noted.add(cell ^ Math.imul(how, SPREAD), how)) this.note(how, way, cell)
  }

  protected touch_owned(owner: number): void {
    if (owner === this.task || range_of(owner) === this.task) return
    this.meet_for_ever(this.stage!)
  }

  private meet_for_ever(stage: Stage): void {
    if (stage.met_for_ever) return
    stage.met_for_ever = true
    this.known++
    if (stage.used) this.disproved = true
  }

  private note(how: number, way: number, cell: number): void {
    let touched = this.cells.get(cell)
    if (touched === undefined) {
      touched = { last: [[], [], []], stages: [] }
      this.cells.set(cell, touched)
    }
    touched.stages.push(how)
    const { phase } = this.stage!
    const index = this.index_in(how)
    const last = touched.last[way as 0]
    if (!(last[index]! >= phase)) {
      last[index] = phase
      for (const each of touched.stages) if (!commute(way, each % WAYS)) this.meet(each, index, phase)
    }
    for (let other = 0; other < WAYS; other++) {
      if (commute(way, other)) continue
      touched.last[other as 0].forEach((phase_of_other, index_of_other) => {
        this.meet(how, index_of_other, phase_of_other)
      })
    }
  }

  /** Those of this index meet a stage in this phase, unless they are its own task. */
  private meet(how: number, index: number, phase: number): void {
    if (index === this.index_in(how) && index !== SHARED && this.stands_for_others[index] !== true) return
    const stage = this.stages[Math.floor(how / (2 * WAYS))]!
    const whose = this.stands_for_others[index] === true ? index - 1 : index
    if (whose === SHARED || this.is_child[whose] === true) {
      this.meet_for_ever(stage)
      return
    }
    if (stage.meets[whose]! >= phase) return
    stage.meets[whose] = phase
    this.known++
    if (phase >= stage.relied[whose]!) this.disproved = true
  }

  // --- numbers -----------------------------------------------------------------------------------------------

  /** Of whom it is; the class of exchangeable tasks is as one. */
  private index_of(task: number): number {
    let index = this.indexes[task]
    if (index === undefined) {
      index = this.new_index(1)
      this.indexes[task] = index
      if (!this.beginners.includes(task)) this.is_child[index] = true
    }
    return index
  }

  private new_index(so_many: number): number {
    if (this.met + so_many > SHARED) return SHARED
    const index = this.met
    this.met += so_many
    return index
  }

  private index_in(how: number): number {
    const { index } = this.stages[Math.floor(how / (2 * WAYS))]!
    return index + (Math.floor(how / WAYS) % 2)
  }

  /** The next stage of a task, in the phase in which it is. */
  private stage_of(k: Kernel, task: number): Stage {
    const { fn, stage, holds } = k.store.top(task)
    const given_back = holds.length === 0 ? 0 : 1 + hold_kind(holds[holds.length - 2]!).index
    const place = stage === RETURNING ? GIVES_BACK + given_back : stage
    const index = this.index_of(task)
    const phase = this.phase_of(k, task)
    const key = ((index * FUNCTIONS + fn.index) * PLACES + place) * PHASES + phase
    let known = this.by_key.get(key)
    if (known === undefined) {
      const number = this.stages.length
      known = { number, index, phase, meets: [], relied: [], used: false, met_for_ever: index === SHARED }
      this.stages.push(known)
      this.by_key.set(key, known)
    }
    return known
  }
}

/** Whether two touches of one cell may change places. */
const commute = (one: number, other: number): boolean => one === other && one !== WRITE

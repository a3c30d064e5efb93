/**
 * How many interleavings a system has, and how many of them violate a property: exactly.
 *
 * An interleaving is a complete run: which task makes its next stage, and which answer it gets where the kernel does not
 * say what happens, until none can go on. No reduction is made here, for each leaves out interleavings that it need not
 * see. Runs that meet in a state have the same continuations, so those of each state are counted once:
 *
 *     runs(state) = 1 where no task can go on, else the sum of runs over the states after it
 *     racy(state) = runs(state) where a property is violated, else the sum of racy over the states after it
 *
 * The sums are exact numbers of any length. States are told apart by their hash, or by themselves where that is asked
 * for (identity.ts). A state that comes back to itself has runs without end, and then there is no number.
 */
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import { Identity } from './identity.js'
import { type Bound, type Bounds, look_at_clock, type System, unless_cut_short } from './system.js'

/** Numbers of runs. */
export interface Interleavings {
  readonly all: bigint
  /** A property is violated in them. */
  readonly racy: bigint
  /** They end where a task has not ended and none can go on. */
  readonly deadlocked: bigint
}

export interface Counted {
  /** Null where they could not be counted. */
  readonly interleavings: Interleavings | null
  /** What ended the counting; `endless` where some run never ends. */
  readonly why: Bound | 'endless' | null
  /** Different states. */
  readonly states: number
}

export interface CountOptions extends Bounds {
  /** Compares states themselves, not their hashes. */
  readonly exact?: boolean
}

/** A state on the way to the present one, and the sums over those after it that are counted already. */
interface Place {
  readonly mark: number
  readonly key: bigint
  /** The next move to try: a place in `tasks`, and the choice. */
  readonly tasks: readonly number[]
  next: number
  choice: number
  readonly violated: boolean
  moved: boolean
  all: bigint
  racy: bigint
  deadlocked: bigint
}

class Counter {
  private readonly known = new Map<bigint, Interleavings>()
  private readonly on_path = new Set<bigint>()
  private readonly path: Place[] = []
  private readonly k: Kernel
  private readonly identity: Identity
  private why: Counted['why'] = null

  // Tells apart what can be told apart: on no other store would all states be counted.
  private readonly store = new FastStore()

  constructor(
    private readonly system: System,
    private readonly options: CountOptions,
  ) {
    this.k = system.boot(this.store)
    this.identity = new Identity(this.store, options.exact ?? false)
  }

  run(): Counted {
    const interleavings = unless_cut_short(
      () => this.count(),
      (bound) => {
        this.why = bound
        return null
      },
    )
    return { interleavings, why: this.why, states: this.known.size + this.path.length }
  }

  private count(): Interleavings | null {
    const look = look_at_clock(this.options)
    this.enter(this.store.mark())
    for (;;) {
      look()
      const place = this.path[this.path.length - 1]!
      if (place.next < place.tasks.length) this.make_next(place)
      else {
        const counted = this.leave(place)
        const before = this.path[this.path.length - 1]
        if (before === undefined) return counted
        add(before, counted)
      }
      if (this.why !== null) return null
    }
  }

  /** Tries the next move of a place: goes on in the state after it, or adds what is known of that. */
  private make_next(place: Place): void {
    const mark = this.store.mark()
    const stepped = step(this.k, place.tasks[place.next]!, place.choice) === STEPPED
    if (place.choice + 1 < this.k.choices) place.choice++
    else {
      place.choice = 0
      place.next++
    }
    if (!stepped) {
      this.store.undo(mark)
      return
    }
    this.store.commit()
    place.moved = true
    const known = this.known.get(this.key())
    if (known === undefined) this.enter(mark)
    else {
      this.store.undo(mark)
      add(place, known)
    }
  }

  private enter(mark: number): void {
    const key = this.key()
    if (this.on_path.has(key)) this.why = 'endless'
    const { max_states, max_memory } = this.options
    const states = this.known.size + this.path.length
    if (states >= (max_states ?? Number.POSITIVE_INFINITY)) this.why = 'states'
    if (states * BYTES_OF_STATE + this.identity.bytes >= (max_memory ?? Number.POSITIVE_INFINITY))
      this.why = 'memory'
    this.on_path.add(key)
    const violated = this.system.violations(this.k).length > 0
    const sums = { all: 0n, racy: 0n, deadlocked: 0n }
    this.path.push({
      mark,
      key,
      tasks: this.store.tasks(),
      next: 0,
      choice: 0,
      violated,
      moved: false,
      ...sums,
    })
  }

  private leave(place: Place): Interleavings {
    if (!place.moved) {
      place.all = 1n
      place.deadlocked = place.tasks.length > 0 ? 1n : 0n
    }
    const { all, racy, deadlocked } = place
    const counted = { all, racy: place.violated ? all : racy, deadlocked }
    this.known.set(place.key, counted)
    this.on_path.delete(place.key)
    this.path.pop()
    this.store.undo(place.mark)
    return counted
  }

  /** Both words of the present state's identity. */
  private key(): bigint {
    this.identity.of_state()
    return (BigInt(this.identity.hi >>> 0) << 32n) | BigInt(this.identity.lo >>> 0)
  }
}

/** About what a state and its numbers take, in bytes: measured on counts of sixty digits. */
const BYTES_OF_STATE = 400

function add(place: Place, { all, racy, deadlocked }: Interleavings): void {
  place.all += all
  place.racy += racy
  place.deadlocked += deadlocked
}

/**
 * Counts all interleavings.
 *
 * @param options `max_states`, `max_memory`, `max_time` and `interrupted` are kept
 */
export function count_interleavings(system: System, options: CountOptions = {}): Counted {
  return new Counter(system, options).run()
}

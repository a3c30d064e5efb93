/**
 * The judge of every reduction: the unreduced search. Every stage yields, no task is preferred, and the
 * visited set is keyed by the exact serialised state. It is slow, shares nothing with depth_first.ts but the
 * machine, and stays for ever.
 */

import type { Kernel, Store } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import {
  type Bound,
  type Bounds,
  type Found,
  type Look,
  look_at_clock,
  type Move,
  type Report,
  type System,
  unless_cut_short,
} from './system.js'

interface Place {
  readonly mark: number
  readonly move: Move | null
  readonly untried: Move[]
  moved: boolean
}

/** Sees the whole system and writes down what it sees. */
class Judge {
  private readonly seen = new Set<string>()
  private readonly path: Place[] = []
  private readonly found = new Map<string, Found>()
  private readonly outcomes = new Set<string>()
  private readonly witnesses = new Set<string>()
  private readonly hit = new Set<Bound>()
  private deadlock: Move[] | null = null
  private transitions = 0
  private depth = 0
  private readonly k: Kernel
  private readonly look: Look

  constructor(
    private readonly system: System,
    private readonly store: Store,
    private readonly bounds: Bounds,
  ) {
    this.look = look_at_clock(bounds)
    this.k = system.boot(store)
  }

  run(): Report {
    unless_cut_short(
      () => this.search(),
      (bound) => void this.hit.add(bound),
    )
    return this.report()
  }

  private search(): void {
    this.enter(this.store.mark(), null)
    while (this.path.length > 0 && !this.hit.has('states')) {
      this.look()
      const place = this.path[this.path.length - 1]!
      const move = place.untried.pop()
      if (move === undefined) this.leave(place)
      else this.make(place, move)
    }
  }

  private make(place: Place, move: Move): void {
    const mark = this.store.mark()
    const stepped = step(this.k, move.task, move.choice) === STEPPED
    if (move.choice + 1 < this.k.choices) place.untried.push({ task: move.task, choice: move.choice + 1 })
    if (!stepped) {
      this.store.undo(mark)
      return
    }
    this.store.commit()
    place.moved = true
    this.transitions++
    this.enter(mark, move)
  }

  private enter(mark: number, move: Move | null): void {
    const key = JSON.stringify(this.store.snapshot())
    if (this.seen.has(key)) {
      this.store.undo(mark)
      return
    }
    if (this.seen.size >= (this.bounds.max_states ?? Number.POSITIVE_INFINITY)) {
      this.hit.add('states')
      return
    }
    this.seen.add(key)
    const untried = this.store
      .tasks()
      .map((task) => ({ task, choice: 0 }))
      .reverse()
    this.path.push({ mark, move, untried, moved: false })
    this.depth = Math.max(this.depth, this.path.length - 1)
    for (const property of this.system.violations(this.k)) {
      if (!this.found.has(property)) this.found.set(property, { property, schedule: this.schedule() })
    }
  }

  private leave(place: Place): void {
    if (!place.moved) {
      this.outcomes.add(this.system.outcome(this.k))
      for (const label of this.system.witness?.(this.k) ?? []) this.witnesses.add(label)
      if (this.store.tasks().length > 0) this.deadlock ??= this.schedule()
    }
    this.path.pop()
    this.store.undo(place.mark)
  }

  private schedule(): Move[] {
    return this.path.flatMap(({ move }) => (move === null ? [] : [move]))
  }

  private report(): Report {
    return {
      complete: this.hit.size === 0,
      bounds: [...this.hit],
      violations: [...this.found.values()],
      deadlock: this.deadlock,
      outcomes: [...this.outcomes].sort(),
      witnesses: [...this.witnesses].sort(),
      states: this.seen.size,
      transitions: this.transitions,
      stages: this.transitions,
      depth: this.depth,
      memory: 0,
    }
  }
}

/**
 * Explores every interleaving without any reduction.
 *
 * @param store  an empty store of either kind
 * @param bounds `max_states`, `max_time` and `interrupted` are kept
 */
export function judge(system: System, store: Store, bounds: Bounds = {}): Report {
  return new Judge(system, store, bounds).run()
}

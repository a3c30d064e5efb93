/** What a search asks of the states that it meets, and keeps for its report. */
import type { Kernel } from '../kernel/kernel.js'
import type { Found, Report, Schedule, System } from './system.js'

/** What an outcome that is kept takes besides its characters. */
const BYTES_OF_END = 256

type Seen = Pick<Report, 'violations' | 'deadlock' | 'outcomes' | 'witnesses'>

export class Visitor {
  /** Bytes that are kept of the ends of runs. */
  bytes = 0
  private readonly found: Found[] = []
  private readonly violated = new Set<string>()
  private readonly outcomes = new Set<string>()
  private readonly witnesses = new Set<string>()
  private deadlock: Schedule | null = null

  /**
   * @param schedule     the way to the present state
   * @param permutations by which runs are taken for one
   */
  constructor(
    private readonly system: System,
    private readonly k: Kernel,
    private readonly schedule: () => Schedule,
    private readonly permutations: readonly ((task: number) => number)[] = [],
  ) {}

  /** A new state. @returns whether it violates what no state before it did */
  state(): boolean {
    const before = this.found.length
    for (const property of this.system.violations(this.k)) {
      if (this.violated.has(property)) continue
      this.violated.add(property)
      this.found.push({ property, schedule: this.schedule() })
    }
    return this.found.length > before
  }

  /** No task can go on. @returns whether it is the first deadlock */
  end_of_run(all_have_ended: boolean): boolean {
    this.outcome(this.system.outcome(this.k))
    for (const label of this.system.witness?.(this.k) ?? []) this.witnesses.add(label)
    if (all_have_ended || this.deadlock !== null) return false
    this.deadlock = this.schedule()
    return true
  }

  /** One that is new comes with those of all runs in which exchangeable tasks have each other's places. */
  private outcome(outcome: string): void {
    if (this.outcomes.has(outcome)) return
    this.keep(outcome)
    for (const to of this.permutations) this.keep(this.system.outcome(this.k, to))
  }

  private keep(outcome: string): void {
    const before = this.outcomes.size
    if (this.outcomes.add(outcome).size > before) this.bytes += 2 * outcome.length + BYTES_OF_END
  }

  seen(): Seen {
    return {
      violations: this.found,
      deadlock: this.deadlock,
      outcomes: [...this.outcomes].sort(),
      witnesses: [...this.witnesses].sort(),
    }
  }
}

/** The bounds of one search: which were hit, and whether it ends for it. */
import type { Bound, Bounds } from './system.js'

export class BoundsOfSearch {
  /** The search is to end, with what there is. */
  stopped = false
  private readonly hit = new Set<Bound>()
  private readonly began: number

  constructor(private readonly bounds: Bounds) {
    this.began = bounds.now?.() ?? 0
  }

  /** The search ends by this bound. */
  stop(bound: Bound = 'stopped'): void {
    this.hit.add(bound)
    this.stopped = true
  }

  /** The search has left something out by this bound, and goes on. */
  leave_out(bound: Bound): void {
    this.hit.add(bound)
  }

  /** Sorted. */
  get list(): readonly Bound[] {
    return [...this.hit].sort()
  }

  look_at_clock(): void {
    const { max_time, now, interrupted } = this.bounds
    if (interrupted?.() === true) this.stop('stopped')
    if (max_time !== undefined && now !== undefined && now() - this.began >= max_time) this.stop('time')
  }

  /** Before one more state: whether there may be no more of them. */
  look_at_states(states: number): boolean {
    const { max_states } = this.bounds
    if (max_states !== undefined && states >= max_states) this.stop('states')
    return this.stopped
  }

  /** Whether a way of so many stages must not be longer. */
  is_too_deep(depth: number): boolean {
    const { max_steps } = this.bounds
    return max_steps !== undefined && depth >= max_steps
  }
}

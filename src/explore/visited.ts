/**
 * The states that a search has met, so that it goes on from each once.
 *
 * With a bound on preemptions a state is known together with the running task and the preemptions used, since both
 * decide what may still happen, and one that was met with as few preemptions or fewer is not visited again.
 */
import type { FastStore } from '../kernel/fast_store.js'
import { Identity } from './identity.js'
import { PairSet } from './pair_set.js'

export class Visited {
  private readonly identity: Identity
  private readonly set: PairSet

  constructor(
    store: FastStore,
    { exact, max_memory }: { readonly exact?: boolean; readonly max_memory?: number },
  ) {
    this.identity = new Identity(store, exact ?? false)
    this.set = new PairSet(max_memory)
  }

  /** Meets the present state. @returns whether it is new */
  meet(): boolean {
    const { identity } = this
    identity.of_state()
    return this.set.add(identity.lo, identity.hi)
  }

  /** The same where preemptions are counted. */
  meet_with(task: number, preemptions: number): boolean {
    const { identity, set } = this
    for (let fewer = 0; fewer < preemptions; fewer++) {
      identity.of_state_and(task, fewer)
      if (set.has(identity.lo, identity.hi)) return false
    }
    identity.of_state_and(task, preemptions)
    return set.add(identity.lo, identity.hi)
  }

  /** A word by which the state is known that was met last. */
  get lo(): number {
    return this.identity.lo
  }

  get bytes(): number {
    return this.set.bytes + this.identity.bytes
  }

  /** No more states can be kept. */
  get full(): boolean {
    return this.set.full || this.identity.full
  }

  /** Leaves so many bytes for the set, and says whether that is enough. */
  keep_within(bytes: number): boolean {
    this.set.max_bytes = bytes - this.identity.bytes
    return this.set.bytes <= this.set.max_bytes
  }
}

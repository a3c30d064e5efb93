/**
 * What a search knows a state by: two words of 32 bits, which its sets and maps hold. Mostly they are the
 * state's hash (kernel/hash.ts says how seldom two states have the same). A search that is to be exact compares
 * the states themselves, with all that they hold, and numbers those that differ: that takes some twenty times as
 * long, and much memory.
 */

import type { FastStore } from '../kernel/fast_store.js'
import { hash_pair, out } from '../kernel/hash.js'

export class Identity {
  /** The words of the last state asked for. */
  lo = 0
  hi = 0
  private readonly known: Map<string, number> | null
  /** Bytes that the states take which are kept to be compared. */
  bytes = 0

  constructor(
    private readonly store: FastStore,
    exact: boolean,
  ) {
    this.known = exact ? new Map() : null
  }

  /** No more states can be told apart: a map of JavaScript's holds no more. */
  get full(): boolean {
    return this.known !== null && this.known.size >= MOST_KNOWN
  }

  /** The present state. */
  of_state(): void {
    if (this.known !== null) this.number_of('')
    else {
      this.store.known_by()
      this.lo = out.lo
      this.hi = out.hi
    }
  }

  /** The present state with a task, and with a number that matters too. */
  of_state_and(task: number, count: number): void {
    if (this.known !== null) this.number_of(`${task} ${count} `)
    else {
      hash_pair(this.store.hash_lo, this.store.hash_hi, task, count)
      this.lo = out.lo
      this.hi = out.hi
    }
  }

  private number_of(beside: string): void {
    const known = this.known!
    const key = beside + JSON.stringify(this.store.compared_by())
    let number = known.get(key)
    if (number === undefined) {
      number = known.size + 1
      known.set(key, number)
      this.bytes += BYTES_OF_CHARACTER * key.length + BYTES_OF_ENTRY
    }
    this.lo = number
    this.hi = 0
  }
}

const MOST_KNOWN = 1 << 23
const BYTES_OF_CHARACTER = 2
const BYTES_OF_ENTRY = 64

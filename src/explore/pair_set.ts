/**
 * A set of pairs of 32-bit words, hashes of states above all, in one typed array: open addressing with linear probing, two words a slot, zero
 * for an empty one. The pair (0, 0) counts as (0, 1): of hashes that makes one collision more among 2^64 (how
 * seldom two states have one hash stands in kernel/hash.ts). The low bits say where a pair is looked for: of
 * hashes, and of numbers that are counted up, each is as good as another, and nobody who does not know the key
 * of the hashes can choose states that all fall on one slot.
 */

const INITIAL_SLOTS = 1 << 12
/** Fullness at which the table doubles. */
const FULLNESS = 0.6

export class PairSet {
  size = 0
  /** The set may not grow further within its bound on memory, and is as full as it may be. */
  full = false
  private words = new Int32Array(2 * INITIAL_SLOTS)
  private limit = INITIAL_SLOTS * FULLNESS

  /** @param max_bytes what the table may take, together with the old one while it grows */
  constructor(public max_bytes = Number.POSITIVE_INFINITY) {}

  get bytes(): number {
    return this.words.byteLength
  }

  /** Adds a pair. @returns whether it was new */
  add(lo: number, hi: number): boolean {
    if (lo === 0 && hi === 0) hi = 1
    const at = this.slot(lo, hi)
    const { words } = this
    if (words[at] === lo && words[at + 1] === hi) return false
    words[at] = lo
    words[at + 1] = hi
    this.size++
    if (this.size > this.limit) this.grow()
    return true
  }

  has(lo: number, hi: number): boolean {
    if (lo === 0 && hi === 0) hi = 1
    const at = this.slot(lo, hi)
    return this.words[at] === lo && this.words[at + 1] === hi
  }

  /** Where the pair stands, or the empty slot where it would. */
  private slot(lo: number, hi: number): number {
    const { words } = this
    const mask = words.length - 1
    let at = (lo << 1) & mask
    while ((words[at] !== lo || words[at + 1] !== hi) && (words[at] !== 0 || words[at + 1] !== 0)) {
      at = (at + 2) & mask
    }
    return at
  }

  private grow(): void {
    const old = this.words
    const longer = old.byteLength * 3 > this.max_bytes ? null : longer_than(old)
    if (longer === null) {
      this.full = true
      return
    }
    this.words = longer
    this.limit = old.length * FULLNESS
    for (let i = 0; i < old.length; i += 2) {
      const lo = old[i]!
      const hi = old[i + 1]!
      if (lo === 0 && hi === 0) continue
      const at = this.slot(lo, hi)
      this.words[at] = lo
      this.words[at + 1] = hi
    }
  }
}

/** An empty array twice as long; null where the machine has no room for it. */
function longer_than(words: Int32Array): Int32Array<ArrayBuffer> | null {
  try {
    return new Int32Array(words.length * 2)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

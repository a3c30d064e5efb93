/**
 * Chaskey-12, a keyed function of messages made for processors with 32-bit words, as JavaScript's integers are
 * (N. Mouha, B. Mennink, A. Van Herrewege, D. Watanabe, B. Preneel, I. Verbauwhede: "Chaskey: An Efficient MAC
 * Algorithm for 32-bit Microcontrollers", 2014; with twelve rounds in ISO/IEC 29192-6). Whoever does not know
 * the key cannot tell its answers from random ones, and so cannot choose two messages with the same answer.
 */

/** Half of the 128-bit answer of the last call: JavaScript returns one number, an answer has several. */
export const tag = { lo: 0, hi: 0 }

/** Multiplication by x in the field of 2^128 elements that the two last-block keys are made in. */
function times_two([a, b, c, d]: readonly number[]): number[] {
  const carry = d! < 0 ? 0x87 : 0
  return [(a! << 1) ^ carry, (b! << 1) | (a! >>> 31), (c! << 1) | (b! >>> 31), (d! << 1) | (c! >>> 31)]
}

// The state of the permutation: 128 bits.
let a = 0
let b = 0
let c = 0
let d = 0

function permute(): void {
  let v0 = a
  let v1 = b
  let v2 = c
  let v3 = d
  for (let round = 0; round < 12; round++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  a = v0
  b = v1
  c = v2
  d = v3
}

/** Chaskey under one key. */
export class Chaskey {
  private readonly k: Int32Array
  /** The key of a last block that is full, and of one that is padded. */
  private readonly full: Int32Array
  private readonly padded: Int32Array

  /** @param key four words of 32 bits */
  constructor(key: ArrayLike<number>) {
    this.k = Int32Array.from(key)
    const full = times_two([...this.k])
    this.full = Int32Array.from(full)
    this.padded = Int32Array.from(times_two(full))
  }

  /** The message is one block: four words. The answer is in `tag`. */
  block(m0: number, m1: number, m2: number, m3: number): void {
    const { k, full } = this
    a = m0 ^ k[0]! ^ full[0]!
    b = m1 ^ k[1]! ^ full[1]!
    c = m2 ^ k[2]! ^ full[2]!
    d = m3 ^ k[3]! ^ full[3]!
    permute()
    tag.lo = a ^ full[0]!
    tag.hi = b ^ full[1]!
  }

  /** The message is a string: two bytes for each of its units, the lower first. The answer is in `tag`. */
  text(message: string): void {
    const { length } = message
    const unit = (i: number) => (i < length ? message.charCodeAt(i) : i === length ? 1 : 0)
    const pair = (i: number) => unit(i) | (unit(i + 1) << 16)
    const last = length > 0 && length % 8 === 0 ? this.full : this.padded
    const [k0, k1, k2, k3] = this.k as unknown as [number, number, number, number]
    a = k0
    b = k1
    c = k2
    d = k3
    for (let at = 0; ; at += 8) {
      a ^= pair(at)
      b ^= pair(at + 2)
      c ^= pair(at + 4)
      d ^= pair(at + 6)
      if (at + 8 >= length) break
      permute()
    }
    a ^= last[0]!
    b ^= last[1]!
    c ^= last[2]!
    d ^= last[3]!
    permute()
    tag.lo = a ^ last[0]!
    tag.hi = b ^ last[1]!
  }
}

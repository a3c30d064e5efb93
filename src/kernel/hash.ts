/**
 * The 64-bit hash of a state: the XOR of one 64-bit word per field that differs from its default
 * (Zobrist, 1970). So it does not depend on the order of changes, and a change of one field costs
 * two words. It is kept as two 32-bit lanes, because JavaScript's integers are 32 bits wide.
 *
 * Two different states have the same hash with probability 2^-64; a search of n states errs with
 * probability below n^2 / 2^65 (for ten million states: 3 in a million).
 */

/** The result of the last `hash_*` call: JavaScript returns one number, a hash has two. */
export const out = { lo: 0, hi: 0 }

/**
 * The finaliser of MurmurHash3 (Appleby, public domain): every input bit flips half the output bits. Callers
 * cut sums to 32 bits, so that none is ever handed over as a double.
 */
function finalise(h: number): number {
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Hashes a number under two salts into `out`; all its bits count. */
export function hash_number(lo: number, hi: number, value: number): void {
  const low = value | 0
  if (low !== value) {
    if (!Number.isSafeInteger(value)) {
      hash_string(lo, hi, String(value))
      return
    }
    const high = Math.floor(value / 0x1_0000_0000) | 0
    lo = finalise((lo + Math.imul(high, 0x9e3779b1)) | 0)
    hi = finalise(hi ^ Math.imul(high, 0x7feb352d))
  }
  out.lo = finalise((lo + Math.imul(low, 0x9e3779b1)) | 0)
  out.hi = finalise(hi ^ Math.imul(low + 0x165667b1, 0x2c1b3c6d))
}

const string_hashes = new Map<string, { lo: number; hi: number }>()
const STRING_HASHES_KEPT = 100_000

/** The two words of a string; kept, because states share their strings (names, file contents). */
export function string_hash(text: string): { lo: number; hi: number } {
  const known = string_hashes.get(text)
  if (known !== undefined) return known
  let lo = 0x811c9dc5
  let hi = 0x27220a95
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    lo = Math.imul(lo ^ code, 0x01000193)
    hi = Math.imul(hi + code, 0x5bd1e995) ^ (hi >>> 15)
  }
  const words = { lo: finalise(lo), hi: finalise(hi) }
  if (string_hashes.size >= STRING_HASHES_KEPT) string_hashes.clear()
  string_hashes.set(text, words)
  return words
}

/** Hashes a string under two salts into `out`. */
export function hash_string(lo: number, hi: number, value: string): void {
  const words = string_hash(value)
  out.lo = finalise((lo + Math.imul(words.lo, 0x9e3779b1)) | 0)
  out.hi = finalise(hi ^ Math.imul(words.hi, 0x2c1b3c6d))
}

/** Hashes a list of numbers under two salts into `out`; order and length count. */
export function hash_list(lo: number, hi: number, value: readonly number[]): void {
  hash_number(lo, hi, value.length)
  for (let i = 0; i < value.length; i++) hash_number(out.lo, out.hi, value[i]!)
}

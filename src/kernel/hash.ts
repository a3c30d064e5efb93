/**
 * The 64-bit hash of a state: the XOR of one 64-bit word per row, and one per field that differs from its
 * default (Zobrist, 1970). So it does not depend on the order of changes, and a change of one field costs two
 * words. It is kept as two halves of 32 bits, because JavaScript's integers are 32 bits wide.
 *
 * A word is an answer of Chaskey (chaskey.ts) to the table, the row, the column and the value, under a key that
 * is drawn anew in every process. Equal values in two rows or two columns thus have words that have nothing to
 * do with each other, and no XOR of words is likelier to be zero than that of as many random numbers: two
 * different states have the same hash with probability 2^-64, and a search of n states takes two for one with
 * probability below n^2 / 2^65 (for ten million states: 3 in a million).
 *
 * That holds for whatever a stranger writes too. He would have to know the key to look for two contents with
 * one hash; a key made from the scenario he could compute, one drawn when the process starts he cannot, and
 * nothing that is printed depends on it: hashes are only ever asked whether they are equal. With `--exact` the
 * search compares the states themselves (explore/identity.ts).
 */
import { Chaskey, tag } from './chaskey.js'

/** The result of the last `hash_*` call. */
export const out = { lo: 0, hi: 0 }

/** Each kind of value is hashed under its own four words of the key, so that 1, "1" and [1] share nothing. */
const KINDS = 6
export const KEY_WORDS = 4 * KINDS

let numbers: Chaskey
let doubles: Chaskey
let texts: Chaskey
let strings: Chaskey
let lists: Chaskey
let pairs: Chaskey

/**
 * Words of small numbers, by salt and number: a search sets the same fields to the same few values over and
 * over. Five numbers an entry: the question, all of it, and the answer.
 */
const KEPT = 1 << 13
const kept = new Int32Array(5 * KEPT)

const string_words = new Map<string, { lo: number; hi: number }>()
/** Units of all strings in the map, and as many again as an entry takes: some 32 MB. */
let string_units = 0
const STRING_UNITS_KEPT = 1 << 24
const UNITS_OF_ENTRY = 64

/**
 * Hashes under another key from now on. What was hashed before, salts included, means nothing any more: see
 * `use_key` in schema.ts.
 */
export function set_key(key: ArrayLike<number>): void {
  const words = Int32Array.from(key)
  const kind = (i: number) => new Chaskey(words.subarray(4 * i, 4 * i + 4))
  numbers = kind(0)
  doubles = kind(1)
  texts = kind(2)
  strings = kind(3)
  lists = kind(4)
  pairs = kind(5)
  forget_strings()
  numbers.block(0, 0, 0, 0)
  for (let at = 0; at < kept.length; at += 5) {
    kept[at] = kept[at + 1] = kept[at + 2] = 0
    kept[at + 3] = tag.lo
    kept[at + 4] = tag.hi
  }
}

set_key(crypto.getRandomValues(new Int32Array(KEY_WORDS)))

function forget_strings(): void {
  string_words.clear()
  string_units = 0
}

/** Takes the answer of the last block or text as the result. */
function answer(): void {
  out.lo = tag.lo
  out.hi = tag.hi
}

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** Hashes a number under two salts into `out`; all its bits count, but 0 and -0 are one. */
export function hash_number(lo: number, hi: number, value: number): void {
  const low = value | 0
  if (low !== value) {
    hash_large(lo, hi, value)
    return
  }
  const at = 5 * ((lo ^ Math.imul(low, 0x9e3779b1)) & (KEPT - 1))
  if (kept[at] !== lo || kept[at + 1] !== hi || kept[at + 2] !== low) {
    numbers.block(lo, hi, low, low >> 31)
    kept[at] = lo
    kept[at + 1] = hi
    kept[at + 2] = low
    kept[at + 3] = tag.lo
    kept[at + 4] = tag.hi
  }
  out.lo = kept[at + 3]!
  out.hi = kept[at + 4]!
}

/** A number that 32 bits do not hold. */
function hash_large(lo: number, hi: number, value: number): void {
  if (Number.isSafeInteger(value)) {
    numbers.block(lo, hi, value | 0, Math.floor(value / 0x1_0000_0000))
  } else {
    double[0] = value
    doubles.block(lo, hi, halves[0]!, halves[1]!)
  }
  answer()
}

/** Hashes two numbers of 32 bits under two salts into `out`. */
export function hash_pair(lo: number, hi: number, first: number, second: number): void {
  pairs.block(lo, hi, first, second)
  answer()
}

/** The two words of a string; kept, because states share their strings (names, file contents). */
export function string_hash(text: string): { lo: number; hi: number } {
  const known = string_words.get(text)
  if (known !== undefined) return known
  texts.text(text)
  const words = { lo: tag.lo, hi: tag.hi }
  const units = text.length + UNITS_OF_ENTRY
  if (string_units + units > STRING_UNITS_KEPT) forget_strings()
  string_words.set(text, words)
  string_units += units
  return words
}

/** Hashes a string under two salts into `out`. */
export function hash_string(lo: number, hi: number, value: string): void {
  const words = string_hash(value)
  strings.block(lo, hi, words.lo, words.hi)
  answer()
}

/** Hashes a list of numbers under two salts into `out`; order and length count. */
export function hash_list(lo: number, hi: number, value: readonly number[]): void {
  lists.block(lo, hi, value.length, 0)
  answer()
  for (let i = 0; i < value.length; i++) hash_number(out.lo, out.hi, value[i]!)
}

/**
 * SHA-256 (FIPS 180-4), for what is known outside this process: replay tokens, digests of files, the source of a
 * module. It has no key, so that the same input has the same hash everywhere, and nobody can make two with one.
 */

/** The first 32 bits of the fractions of the square and cube roots of the first primes. */
function constants(): { initial: Int32Array; rounds: Int32Array } {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  const fraction = (root: number) => Math.floor((root % 1) * 0x1_0000_0000) | 0
  return {
    initial: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
    rounds: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
  }
}

const { initial, rounds } = constants()

const rotated = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

/** The message with its end marked and its length behind it, in words of four bytes, the highest first. */
function padded(bytes: string): Int32Array {
  const words = new Int32Array(16 * Math.ceil((bytes.length + 9) / 64))
  for (let i = 0; i < bytes.length; i++) words[i >> 2]! |= (bytes.charCodeAt(i) & 0xff) << (24 - 8 * (i & 3))
  words[bytes.length >> 2]! |= 0x80 << (24 - 8 * (bytes.length & 3))
  words[words.length - 2] = Math.floor(bytes.length / 2 ** 29)
  words[words.length - 1] = bytes.length << 3
  return words
}

function extend(schedule: Int32Array, block: Int32Array): void {
  schedule.set(block)
  for (let i = 16; i < 64; i++) {
    const near = schedule[i - 2]!
    const far = schedule[i - 15]!
    const s0 = rotated(far, 7) ^ rotated(far, 18) ^ (far >>> 3)
    const s1 = rotated(near, 17) ^ rotated(near, 19) ^ (near >>> 10)
    schedule[i] = schedule[i - 16]! + s0 + schedule[i - 7]! + s1
  }
}

function compress(state: Int32Array, schedule: Int32Array): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  for (let i = 0; i < 64; i++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const first = (h + s1 + ((e & f) ^ (~e & g)) + rounds[i]! + schedule[i]!) | 0
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i]! += word
}

/** The hash of a byte string (characters below 256), as 64 hexadecimal digits. */
export function sha256(bytes: string): string {
  const words = padded(bytes)
  const state = Int32Array.from(initial)
  const schedule = new Int32Array(64)
  for (let at = 0; at < words.length; at += 16) {
    extend(schedule, words.subarray(at, at + 16))
    compress(state, schedule)
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

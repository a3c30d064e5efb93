/** Choices from a source of random numbers. */
export class Random {
  /** @param next a random 32-bit number */
  constructor(private readonly next: () => number) {}

  /** A number from 0 to `n - 1`. */
  int(n: number): number {
    return (this.next() >>> 0) % n
  }

  chance(p: number): boolean {
    return this.next() >>> 0 < p * 2 ** 32
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!
  }

  /** Does one of these, as often as its weight says in proportion to the others. */
  weighted<T>(choices: readonly (readonly [number, () => T])[]): T {
    let at = this.int(choices.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, make] of choices) {
      at -= weight
      if (at < 0) return make()
    }
    throw new Error('no choice')
  }
}

/** Rounds after which no bit of the seed is seen in the numbers any more. */
const WARM_UP = 16

/**
 * A source of random 32-bit numbers (sfc32, Chris Doty-Humphrey, public domain). Its state begins as the seed
 * and the index, and a round loses nothing of the state: no two pairs of seed and index share a state, so
 * neighbouring seeds have no programs in common.
 *
 * @param seed  a whole number below 2⁵³
 * @param index which of the seed's sources, below 2³²
 */
export function seeded(seed: number, index = 0): () => number {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / 2 ** 32) | 0, index | 0, 1]
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum
  }
  for (let round = 0; round < WARM_UP; round++) next()
  return next
}

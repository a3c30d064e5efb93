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

/** A source of random 32-bit numbers from a seed (mulberry32, Tommy Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return t ^ (t >>> 14)
  }
}

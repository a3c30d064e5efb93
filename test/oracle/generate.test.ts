import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { play, random_play } from '../../src/oracle/generate.js'
import { play_on_model } from '../../src/oracle/model_runner.js'
import { seeded } from '../../src/oracle/random.js'

describe('random plays', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(random_play(seeded(5)).play).toEqual(random_play(seeded(5)).play)
    expect(random_play(seeded(5)).play).not.toEqual(random_play(seeded(6)).play)
  })

  it('of neighbouring seeds are different programs', () => {
    const programs = (seed: number) =>
      Array.from({ length: 300 }, (_, index) => JSON.stringify(random_play(seeded(seed, index)).play))
    const all = [11, 12, 13, 11 + 2 ** 32].flatMap(programs)
    expect(new Set(all).size).toBe(all.length)
  })

  it('come with what the model answers', () => {
    for (let seed = 0; seed < 50; seed++) {
      const made = random_play(seeded(seed))
      expect(made.model).toEqual(play_on_model(made.play))
    }
  })

  it('survive JSON', () => {
    fc.assert(
      fc.property(play(), (made) => {
        expect(JSON.parse(JSON.stringify(made))).toEqual(made)
      }),
    )
  })

  it('shrink as an arbitrary: a failure is reported with its one guilty call', () => {
    const check = fc.check(
      fc.property(play(20), ({ calls }) => !calls.some((each) => each.call === 'rename')),
      { seed: 1 },
    )
    expect(check.failed).toBe(true)
    expect(check.counterexample![0].calls.map((each) => each.call)).toEqual(['rename'])
  })
})

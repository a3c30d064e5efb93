/** Bounds on time, and how what is done beside a search keeps them. */
import { describe, expect, test } from 'vitest'
import {
  type Bound,
  CutShort,
  look_at_clock,
  no_hurry,
  noting,
  time_left,
  unless_cut_short,
} from '../../src/explore/system.js'

/** A clock that stands until it is set, and says how often somebody looked. */
class Clock {
  time = 1_000_000
  looks = 0
  readonly now = () => {
    this.looks++
    return this.time
  }
}

describe('what is left of the time', () => {
  test('is what has not passed, and never less than nothing', () => {
    const clock = new Clock()
    const left = (began: number) => time_left({ max_time: 100, now: clock.now }, began)
    expect(left(clock.time)).toEqual({ max_time: 100 })
    expect(left(clock.time - 30)).toEqual({ max_time: 70 })
    expect(left(clock.time - 300)).toEqual({ max_time: 0 })
  })

  test('is not bounded without a time, nor without a clock', () => {
    expect(time_left({ now: new Clock().now }, 0)).toEqual({})
    expect(time_left({ max_time: 100 }, 0)).toEqual({})
  })
})

describe('a look at the clock', () => {
  const times = (look: () => void, count: number) => {
    for (let i = 0; i < count; i++) look()
  }

  test('is none where nothing bounds the time', () => {
    expect(look_at_clock({})).toBe(no_hurry)
    expect(look_at_clock({ max_time: 1 })).toBe(no_hurry)
    expect(look_at_clock({ now: new Clock().now })).toBe(no_hurry)
  })

  test('ends what is done when the time from then on has passed', () => {
    const clock = new Clock()
    const look = look_at_clock({ max_time: 10, now: clock.now })
    clock.time += 9
    times(look, 64)
    clock.time += 1
    expect(look).toThrow(new CutShort('time'))
    expect(() => times(look, 64)).toThrow('cut short: time')
  })

  test('is taken at the first call and then at one in sixty-four, for clocks are slow', () => {
    const clock = new Clock()
    const look = look_at_clock({ max_time: 10, now: clock.now })
    const before = clock.looks
    times(look, 64)
    expect(clock.looks - before).toBe(1)
    times(look, 1)
    expect(clock.looks - before).toBe(2)
  })

  test('sees who interrupts, with and without a clock', () => {
    let interrupted = false
    const ask = () => interrupted
    const looks = [
      look_at_clock({ interrupted: ask }),
      look_at_clock({ interrupted: ask, now: new Clock().now }),
      look_at_clock({ interrupted: ask, max_time: 10 }),
    ]
    for (const look of looks) times(look, 64)
    interrupted = true
    for (const look of looks) expect(look).toThrow(new CutShort('stopped'))
  })

  test('that ends something can be noted, and what else fails is not', () => {
    const ended_by = new Set<Bound>()
    const failing = (error?: Error) =>
      noting(() => {
        if (error !== undefined) throw error
      }, ended_by)
    failing()()
    expect(failing(new Error('another'))).toThrow('another')
    expect([...ended_by]).toEqual([])
    expect(failing(new CutShort('stopped'))).toThrow(CutShort)
    expect([...ended_by]).toEqual(['stopped'])
  })
})

test('what a bound ends is done without, and what fails otherwise has failed', () => {
  const cut = () => {
    throw new CutShort('time')
  }
  const broken = () => {
    throw new Error('broken')
  }
  expect(
    unless_cut_short(
      () => 'done',
      () => 'cut',
    ),
  ).toBe('done')
  expect(unless_cut_short<string>(cut, (bound) => bound)).toBe('time')
  expect(() => unless_cut_short<string>(broken, () => 'cut')).toThrow('broken')
})

/** The bounds of one search. */
import { expect, test } from 'vitest'
import { BoundsOfSearch } from '../../src/explore/bounds.js'

test('are listed in one order, whichever was hit first, and each once', () => {
  const bounds = new BoundsOfSearch({})
  bounds.leave_out('steps')
  bounds.leave_out('preemptions')
  expect([bounds.stopped, bounds.list]).toEqual([false, ['preemptions', 'steps']])
  bounds.stop('memory')
  bounds.stop('memory')
  expect([bounds.stopped, bounds.list]).toEqual([true, ['memory', 'preemptions', 'steps']])
})

test('of time need a time and a clock, and count from the beginning', () => {
  let time = 100
  const now = () => time
  const all = [{}, { now }, { max_time: 5 }, { max_time: 5, now }].map((bounds) => new BoundsOfSearch(bounds))
  const hit = () =>
    all.map((bounds) => {
      bounds.look_at_clock()
      return bounds.stopped
    })
  time += 4
  expect(hit()).toEqual([false, false, false, false])
  time += 1
  expect(hit()).toEqual([false, false, false, true])
  expect(all[3]!.list).toEqual(['time'])
})

test('whoever interrupts is heard without a clock', () => {
  for (const interrupted of [true, false]) {
    const bounds = new BoundsOfSearch({ interrupted: () => interrupted })
    bounds.look_at_clock()
    expect([bounds.stopped, bounds.list]).toEqual([interrupted, interrupted ? ['stopped'] : []])
  }
})

test('of states and of steps are the most that there may be; without them there are as many as there are', () => {
  const states = (max_states?: number) => new BoundsOfSearch({ max_states }).look_at_states(3)
  expect([states(4), states(3), states(2), states()]).toEqual([false, true, true, false])
  const deep = (max_steps?: number) => new BoundsOfSearch({ max_steps }).is_too_deep(3)
  expect([deep(4), deep(3), deep(2), deep()]).toEqual([false, true, true, false])
})

/** The search for the shortest way: its bounds, what it cuts off, and that it stays right as it grows. */
import { describe, expect, test } from 'vitest'
import { deadlocks, type ShortestOptions, shortest, violates } from '../../src/explore/counterexample.js'
import { depth_first_reduced } from '../../src/explore/depth_first.js'
import type { System } from '../../src/explore/system.js'
import { fn, jump, local, stage } from '../../src/kernel/fn.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { AGAIN } from '../../src/kernel/kernel.js'
import { choose } from '../../src/kernel/machine.js'
import { int } from '../../src/kernel/schema.js'
import { cell, increment, memo, toy, two_locks } from './toys.js'

/** Adds one to a cell, so many times: a stage each. */
const add = fn('toy_short_add', { source: 'toy', locals: { cell: int(), times: int() } }, [
  stage('add', (k, f) => {
    cell(k, f.cell).value += 1
    f.times -= 1
    return f.times > 0 ? AGAIN : undefined
  }),
])

/** Two tasks, each with a cell of its own that it counts up. */
const counters = (times: number, violations?: System['violations']) =>
  toy({
    cells: 2,
    programs: [
      [add, { cell: 1, times }],
      [add, { cell: 2, times }],
    ],
    violations,
  })

const increments = (violations?: System['violations']) =>
  toy({
    cells: 1,
    programs: [
      [increment, {}],
      [increment, {}],
    ],
    violations,
  })

const ended = (k: Kernel) => k.store.tasks().length === 0
const lost = increments((k) => (ended(k) && cell(k, 1).value < 2 ? ['lost'] : []))
const search = (system: System, options?: ShortestOptions) => shortest(system, violates(system), options)

/** States with the task that runs: none at first, then whoever has made a stage. */
const pairs = (times: number) => 1 + 2 * times * (times + 1)

describe('as it grows', () => {
  test('it knows every state again that it has met, with the task that runs', () => {
    for (const times of [1, 2, 40])
      expect(search(counters(times))).toMatchObject({
        counterexample: null,
        states: pairs(times),
        bounds: [],
      })
  })

  test('states themselves are as many as their hashes', () => {
    expect(search(counters(5), { exact: true }).states).toBe(pairs(5))
  })

  test('a long way is told stage by stage', () => {
    const system = toy({
      cells: 1,
      programs: [[add, { cell: 1, times: 3000 }]],
      violations: (k) => (cell(k, 1).value === 2500 ? ['there'] : []),
    })
    const { counterexample } = search(system)
    expect(counterexample).toMatchObject({ preemptions: 0 })
    expect(counterexample!.schedule).toHaveLength(2500)
  })

  test('a way between two places far apart is gone back and forth', () => {
    const meeting = counters(12, (k) => (cell(k, 1).value === 7 && cell(k, 2).value === 5 ? ['meet'] : []))
    const { counterexample, explored_below } = search(meeting)
    expect({ preemptions: counterexample?.preemptions, explored_below }).toEqual({
      preemptions: 1,
      explored_below: 1,
    })
    expect(counterexample!.schedule.map(({ task }) => task).join('')).toMatch(/^(1{7}2{5}|2{5}1{7})$/)
  })
})

describe('the way', () => {
  test('ends where the property is violated, not where the fused move ends', () => {
    const write_then_think = fn('toy_short_think', { source: 'toy', locals: {} }, [
      local('before', (k) => {
        memo(k, k.task).monitor = 1
      }),
      stage('write', (k) => {
        cell(k, 1).value = 1
      }),
      local('after', (k) => {
        memo(k, k.task).monitor = 2
      }),
    ])
    const system = toy({
      cells: 1,
      programs: [[write_then_think, {}]],
      violations: (k) => (cell(k, 1).value === 1 ? ['written'] : []),
    })
    expect(search(system).counterexample!.schedule).toHaveLength(2)
  })

  test('has no stage where the first state is one', () => {
    const system = counters(1, () => ['always'])
    expect(search(system)).toMatchObject({ counterexample: { schedule: [], preemptions: 0 } })
  })

  test('is to the property that is asked for, where there are several', () => {
    const system = increments((k) => [...(cell(k, 1).value > 0 ? ['some'] : []), ...lost.violations(k)])
    expect(shortest(system, violates(system, 'lost')).counterexample!.preemptions).toBe(1)
    expect(shortest(system, violates(system, 'some')).counterexample!.preemptions).toBe(0)
    expect(shortest(system, violates(system, 'other')).counterexample).toBeNull()
    expect(shortest(system, violates(system)).counterexample!.preemptions).toBe(0)
  })

  test.each([0, 1])('is the shorter of two that meet again, whichever was gone first (%i)', (long) => {
    const detour = fn(`toy_short_detour_${long}`, { source: 'toy', locals: { left: int() } }, [
      stage('toss', (k, f) => (choose(k, 2) === long ? jump(f, 'set_out') : undefined)),
      stage('short', (_, f) => {
        f.left = 1
        return jump(f, 'walk')
      }),
      stage('set_out', (_, f) => {
        f.left = 4
      }),
      stage('walk', (_, f) => {
        f.left -= 1
        return f.left > 0 ? AGAIN : undefined
      }),
      stage('arrive', (k) => {
        cell(k, 1).value = 1
      }),
    ])
    const system = toy({
      cells: 1,
      programs: [[detour, {}]],
      violations: (k) => (cell(k, 1).value === 1 ? ['there'] : []),
    })
    // toss, short, walk, arrive
    expect(search(system, { fusion: false }).counterexample!.schedule).toHaveLength(4)
    expect(search(system).counterexample!.schedule).toHaveLength(4)
  })

  test('to a deadlock: both hold one lock', () => {
    const locks = toy({
      cells: 2,
      programs: [
        [two_locks, { a: 1, b: 2 }],
        [two_locks, { a: 2, b: 1 }],
      ],
    })
    expect(shortest(locks, deadlocks).counterexample).toMatchObject({ preemptions: 1 })
    expect(shortest(lost, deadlocks).counterexample).toBeNull()
  })
})

test('what a complete search has found to be local is fused here too, and the way is the same', () => {
  const meeting = counters(9, (k) => (ended(k) ? ['end'] : []))
  const { locality } = depth_first_reduced(meeting)
  const [all, some] = [search(meeting), search(meeting, { locality })]
  expect(some.states).toBeLessThan(all.states)
  expect(some.counterexample).toEqual(all.counterexample)
})

describe('bounds', () => {
  const none = increments()

  test('preemptions: what needs more is left out, and that is said only where there is more', () => {
    expect(search(lost, { preemptions: 0 })).toMatchObject({
      counterexample: null,
      bounds: ['preemptions'],
      explored_below: 1,
    })
    expect(search(lost, { preemptions: 1 })).toMatchObject({
      counterexample: { preemptions: 1 },
      bounds: [],
    })
    expect(search(none, { preemptions: 0 })).toMatchObject({ bounds: ['preemptions'], explored_below: 1 })
    expect(search(none, { preemptions: 1 })).toMatchObject({
      bounds: [],
      explored_below: Number.POSITIVE_INFINITY,
    })
  })

  test('steps: hit where a run that long could go on, not where it has ended', () => {
    expect(search(lost, { max_steps: 3 })).toMatchObject({ counterexample: null, bounds: ['steps'] })
    expect(search(lost, { max_steps: 4 }).counterexample!.schedule).toHaveLength(4)
    expect(search(none, { max_steps: 4 }).bounds).toEqual([])
  })

  test('states: hit by one too many, not by the last', () => {
    expect(search(counters(3), { max_states: pairs(3) }).bounds).toEqual([])
    expect(search(counters(3), { max_states: pairs(3) - 1 })).toMatchObject({ bounds: ['states'] })
    expect(search(counters(30), { max_states: 100 }).states).toBeLessThan(110)
  })

  test('memory: of states, of the way to the present one, and of states that are compared themselves', () => {
    const long = toy({ cells: 1, programs: [[add, { cell: 1, times: 20_000 }]] })
    expect(search(long, { max_memory: 1 << 26 }).bounds).toEqual([])
    const stopped = search(long, { max_memory: 200_000 })
    expect(stopped.bounds).toEqual(['memory'])
    expect(stopped.states).toBeGreaterThan(100)
    expect(stopped.states).toBeLessThan(2000)
    expect(search(counters(20), { max_memory: 200_000 }).bounds).toEqual([])
    expect(search(counters(20), { max_memory: 200_000, exact: true }).bounds).toEqual(['memory'])
  })

  test('time, and whoever interrupts, are looked at on the way', () => {
    let time = 0
    const late = search(counters(40), { max_time: 10, now: () => time++ })
    expect(late.bounds).toEqual(['time'])
    // At one in sixty-four of the tasks that are tried, each of which makes a state or meets one again.
    expect(late.states).toBeGreaterThan(64)
    expect(late.states).toBeLessThan(64 * 12)
    let asked = 0
    const stopped = search(counters(40), { interrupted: () => ++asked > 5 })
    expect(stopped.bounds).toEqual(['stopped'])
    expect(stopped.states).toBeGreaterThan(64)
  })
})

import { describe, expect, test } from 'vitest'
import { decide } from '../../src/explore/decide.js'
import type { System } from '../../src/explore/system.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { cell, increment, toy, two_locks } from './toys.js'

const increments = (violations: System['violations'], more: Partial<System> = {}): System => ({
  ...toy({
    cells: 1,
    programs: [
      [increment, {}],
      [increment, {}],
    ],
    violations,
  }),
  ...more,
})

const all_done = (k: Kernel) => k.store.tasks().length === 0
const lost = increments((k) => (all_done(k) && cell(k, 1).value < 2 ? ['lost'] : []))
const always = increments((k) => (cell(k, 1).value >= 2 ? ['two'] : []))
const never = increments(() => [])
const locks = toy({
  cells: 2,
  programs: [
    [two_locks, { a: 1, b: 2 }],
    [two_locks, { a: 2, b: 1 }],
  ],
})

describe('the first that holds', () => {
  test('hole: no preemption is needed', () => {
    const { verdict, property, counterexample, minimal } = decide(always)
    expect({ verdict, property, minimal }).toEqual({ verdict: 'hole', property: 'two', minimal: true })
    expect(counterexample).toMatchObject({ preemptions: 0 })
    expect(counterexample!.schedule.map(({ task }) => task)).toEqual([1, 1, 2, 2])
  })

  test('race', () => {
    const { verdict, property, counterexample, minimal } = decide(lost)
    expect({ verdict, property, minimal }).toEqual({ verdict: 'race', property: 'lost', minimal: true })
    expect(counterexample!.preemptions).toBe(1)
    expect(counterexample!.schedule.map(({ task }) => task)).toEqual([1, 2, 2, 1])
  })

  test('deadlock, unless a property fails as well', () => {
    expect(decide(locks)).toMatchObject({ verdict: 'deadlock', property: null })
    const both = { ...locks, violations: (k: Kernel) => (cell(k, 1).holder === 2 ? ['held'] : []) }
    expect(decide(both)).toMatchObject({ verdict: 'hole', property: 'held' })
  })

  test('the property with the cheapest counterexample is the one that is named', () => {
    const two = increments((k) => [...lost.violations(k), ...always.violations(k)])
    expect(decide(two)).toMatchObject({ verdict: 'hole', property: 'two' })
    expect(decide(two).report.violations).toHaveLength(2)
  })

  test('incomplete is never safe', () => {
    expect(decide(never, { max_states: 5 })).toMatchObject({ verdict: 'incomplete', bounds: ['states'] })
    expect(decide(never, { preemptions: 1 })).toMatchObject({
      verdict: 'incomplete',
      bounds: ['preemptions'],
    })
  })

  test('without time nothing is decided', () => {
    expect(decide(lost, { max_time: 0, now: () => 0 })).toMatchObject({
      verdict: 'incomplete',
      bounds: ['time'],
    })
  })

  test('safe', () => {
    expect(decide(never)).toMatchObject({ verdict: 'safe', counterexample: null, unwitnessed: null })
  })
})

test('a safe says what no run has shown', () => {
  const system = (label: string) =>
    increments(() => [], {
      witness: (k) => (cell(k, 1).value === 2 ? ['approved', 'changed'] : []),
      witnessed: (seen) => ({
        labels: [...seen],
        missing: seen.has(label) ? null : `no run shows ${label}`,
        remarks: [],
      }),
    })
  expect(decide(system('changed'))).toMatchObject({ verdict: 'safe', unwitnessed: null })
  expect(decide(system('refused'))).toMatchObject({
    verdict: 'unwitnessed',
    unwitnessed: 'no run shows refused',
    witnesses: ['approved', 'changed'],
  })
})

test('a race with few preemptions is found although the complete search gave up', () => {
  expect(decide(lost, { max_states: 3, shortest: { max_states: 100 } })).toMatchObject({ verdict: 'race' })
})

test('where the shortest counterexample is out of bounds, the one that was found must do', () => {
  const verdict = decide(lost, { shortest: { max_states: 2 } })
  expect(verdict).toMatchObject({ verdict: 'race', minimal: false, bounds: ['states'] })
  expect(verdict.counterexample!.preemptions).toBe(2)
  expect(verdict.report.complete).toBe(true)
})

test('a bound within which something was found does not change what is said of it', () => {
  const whole = decide(lost)
  const { verdict, property, counterexample, minimal } = decide(lost, { max_memory: 200_000, max_states: 8 })
  expect({ verdict, property, minimal }).toEqual({ verdict: 'race', property: 'lost', minimal: true })
  expect(counterexample).toEqual(whole.counterexample)
})

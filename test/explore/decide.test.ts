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

describe('bounds', () => {
  test('on preemptions hold for the complete search only: what it found is shown the shortest way', () => {
    expect(decide(lost, { preemptions: 1 })).toMatchObject({
      verdict: 'race',
      minimal: true,
      bounds: ['preemptions'],
    })
  })

  test('what needs no preemption has no shorter way, whatever was not searched', () => {
    const hole = decide(always, { shortest: { max_states: 1 } })
    expect(hole).toMatchObject({ verdict: 'hole', minimal: true, bounds: ['states'] })
  })

  test('a deadlock is shown the shortest way too', () => {
    const { counterexample, minimal } = decide(locks)
    expect({ preemptions: counterexample!.preemptions, minimal }).toEqual({ preemptions: 1, minimal: true })
    expect(counterexample!.schedule).toHaveLength(2)
  })

  test('few states and little memory are enough for the shortest way, where a complete search found one', () => {
    const found_at_once = { first: true, max_states: 8, max_memory: 100_000 }
    expect(decide(lost, found_at_once)).toMatchObject({ verdict: 'race', minimal: true })
  })

  test('time is kept for the shortest way', () => {
    let time = 0
    const slow = { max_time: 8, now: () => time++ }
    const counted = increments(() => [], {})
    expect(decide({ ...counted, violations: () => ['at once'] }, { ...slow, first: true })).toMatchObject({
      verdict: 'hole',
      minimal: true,
    })
    expect(time).toBeLessThan(12)
  })

  test('where there is no time to see what runs have shown, nothing is safe', () => {
    let interrupted = false
    const asked = increments(() => [], {
      witnessed: (seen, look) => {
        interrupted = true
        look()
        return { labels: [...seen], missing: null, remarks: [] }
      },
    })
    expect(decide(asked, { interrupted: () => interrupted })).toMatchObject({
      verdict: 'incomplete',
      bounds: ['stopped'],
      witnesses: [],
    })
    expect(decide(asked)).toMatchObject({ verdict: 'safe', bounds: [] })
  })

  test('remarks are handed on', () => {
    const odd = increments(() => [], {
      witnessed: () => ({ labels: [], missing: null, remarks: ['odd'] }),
    })
    expect(decide(odd).remarks).toEqual(['odd'])
    expect(decide(never)).toMatchObject({ remarks: [], witnesses: [], minimal: false, property: null })
  })
})

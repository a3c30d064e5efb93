/** Numbers of interleavings: by the formula where there is one, and by playing every run where there are few. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CountOptions, count_interleavings } from '../../src/explore/count.js'
import { enumerate } from '../../src/explore/enumerate.js'
import type { System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, stage } from '../../src/kernel/fn.js'
import { AGAIN } from '../../src/kernel/kernel.js'
import { int } from '../../src/kernel/schema.js'
import { cell, coin, increment, lean_kinds, lean_toy_of, toy, two_locks } from './toys.js'

const count = count_interleavings
const numbers = (system: System, options?: CountOptions) => {
  const { interleavings } = count(system, options)
  return interleavings === null ? null : [interleavings.all, interleavings.racy, interleavings.deadlocked]
}

/** So many stages, which do nothing that anybody could see. */
const walk = fn('toy_walk', { source: 'toy', locals: { left: int() } }, [
  stage('go', (_, f) => {
    f.left -= 1
    return f.left > 0 ? AGAIN : undefined
  }),
])
const walkers = (...lengths: number[]) => toy({ cells: 1, programs: lengths.map((left) => [walk, { left }]) })

/** For ever the same. */
const spin = fn('toy_spin', { source: 'toy', locals: {} }, [stage('turn', () => AGAIN)])

const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1))

describe('the number of interleavings', () => {
  it('of tasks that do not meet is the multinomial coefficient', () => {
    expect(numbers(walkers(10, 10))).toEqual([184_756n, 0n, 0n])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }), (lengths) => {
        const total = lengths.reduce((sum, each) => sum + each, 0)
        const all = lengths.reduce((rest, each) => rest / factorial(each), factorial(total))
        expect(numbers(walkers(...lengths))).toEqual([all, 0n, 0n])
      }),
    )
  })

  it('is exact where no floating-point number is', () => {
    expect(numbers(walkers(60, 60))![0]).toBe(96614908840363322603893139521372656n)
  })

  it('counts each answer of the kernel apart', () => {
    expect(numbers(toy({ cells: 1, programs: [[coin, {}]] }))).toEqual([6n, 0n, 0n])
  })

  it('counts those that lose an update', () => {
    const lost = (k: Parameters<System['violations']>[0]) =>
      k.store.tasks().length === 0 && cell(k, 1).value < 2 ? ['lost'] : []
    const twice = toy({
      cells: 1,
      programs: [
        [increment, {}],
        [increment, {}],
      ],
      violations: lost,
    })
    expect(numbers(twice)).toEqual([6n, 4n, 0n])
  })

  it('counts a run as racy though the property holds again at its end', () => {
    const between = toy({
      cells: 1,
      programs: [
        [walk, { left: 3 }],
        [increment, {}],
      ],
      violations: (k) => (cell(k, 1).value === 0 && k.store.tasks().length === 1 ? ['late'] : []),
    })
    const late = enumerate(between, () => new FastStore()).filter((run) => run.violations.size > 0)
    expect(numbers(between)).toEqual([10n, BigInt(late.length), 0n])
    expect(late.length).toBeGreaterThan(0)
  })

  it('counts those that deadlock', () => {
    const crossed = toy({
      cells: 2,
      programs: [
        [two_locks, { a: 1, b: 2 }],
        [two_locks, { a: 2, b: 1 }],
      ],
    })
    const runs = enumerate(crossed, () => new FastStore())
    const stuck = runs.filter((run) => run.deadlocked)
    expect(numbers(crossed)).toEqual([BigInt(runs.length), 0n, BigInt(stuck.length)])
    expect(stuck.length).toBeGreaterThan(0)
  })

  const op = fc.record({
    kind: fc.constantFrom(...lean_kinds),
    cell: fc.constantFrom(1, 2),
    number: fc.integer({ min: 1, max: 3 }),
  })
  const programs = fc.array(fc.array(op, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })

  it('is that of all runs, played one after the other', () => {
    fc.assert(
      fc.property(programs, fc.boolean(), (ops, exact) => {
        const system = lean_toy_of(ops)
        const runs = enumerate(system, () => new FastStore())
        const racy = runs.filter((run) => run.violations.size > 0)
        const stuck = runs.filter((run) => run.deadlocked)
        expect(numbers(system, { exact })).toEqual([runs.length, racy.length, stuck.length].map(BigInt))
      }),
      { numRuns: 60 },
    )
  })
})

describe('what cannot be counted', () => {
  it('is a run that never ends', () => {
    expect(count(toy({ cells: 1, programs: [[spin, {}]] }))).toMatchObject({
      interleavings: null,
      why: 'endless',
    })
  })

  it('is said with the bound', () => {
    const system = walkers(20, 20)
    expect(count(system).states).toBe(21 * 21)
    expect(count(system, { max_states: 441 }).why).toBeNull()
    expect(count(system, { max_states: 440 })).toMatchObject({ interleavings: null, why: 'states' })
    // All have been met by then: those that are counted, and those on the way.
    expect(count(system, { max_states: 440 }).states).toBe(441)
    expect(count(system, { max_memory: 10_000 })).toMatchObject({ interleavings: null, why: 'memory' })
    // What states themselves take comes to what their numbers take.
    const exact = [false, true].map((exact) => count(system, { max_memory: 400 * 441, exact }).why)
    expect(exact).toEqual([null, 'memory'])
    let now = 0
    expect(count(system, { max_time: 1, now: () => now++ })).toMatchObject({
      interleavings: null,
      why: 'time',
    })
    expect(count(system, { interrupted: () => true })).toMatchObject({ interleavings: null, why: 'stopped' })
  })
})

/** Of tasks that do not meet any more one order is enough; and nothing is lost by it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { depth_first_reduced } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import type { Report, System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, stage } from '../../src/kernel/fn.js'
import { AGAIN, BLOCKED, type Fn, type Frame, type Kernel } from '../../src/kernel/kernel.js'
import { choose, start } from '../../src/kernel/machine.js'
import { int } from '../../src/kernel/schema.js'
import { cell, lean_kinds, lean_toy_of, memo, type Op, op_kinds, toy, toy_of } from './toys.js'

/** Reads a cell, then writes one more there; then as often adds to a cell of its own. */
const meet_and_part = fn(
  'toy_order_meet',
  { source: 'toy', locals: { cell: int(), own: int(), alone: int(), seen: int(), at: int() } },
  [
    stage('read', (k, f) => {
      f.seen = cell(k, f.cell).value
    }),
    stage('write', (k, f) => {
      cell(k, f.cell).value = f.seen + 1
      f.at = 1
    }),
    stage('alone', (k, f) => {
      cell(k, f.own).value += 1
      f.alone -= 1
      return f.alone > 0 ? AGAIN : undefined
    }),
  ],
)

const at_of = (k: Kernel, task: number): number => (k.store.frame(task, 0) as Frame<{ at: number }>).at

const findings = ({ complete, violations, deadlock, outcomes }: Report) => ({
  complete,
  violations: violations.map(({ property }) => property).sort(),
  deadlock: deadlock !== null,
  outcomes,
})

function system_of(cells: number, programs: readonly (readonly [Fn, object])[]): System {
  return { ...toy({ cells, programs }), phase: at_of }
}

/** @returns states of the judge, without this reduction, and with it */
function states(system: System): [number, number, number] {
  const judged = judge(system, new FastStore())
  const without = depth_first_reduced(system, { order: false })
  const ordered = depth_first_reduced(system)
  expect(findings(without)).toEqual(findings(judged))
  expect(findings(ordered)).toEqual(findings(judged))
  return [judged.states, without.states, ordered.states]
}

describe('one order is enough', () => {
  test('of two pairs, each of which only meets itself', () => {
    const pair = (at: number) => [meet_and_part, { cell: at, own: at, alone: 0 }] as const
    const [, one_pair] = states(system_of(2, [pair(1), pair(1)]))
    const [all, without, ordered] = states(system_of(2, [pair(1), pair(1), pair(2), pair(2)]))
    expect(without).toBe(all)
    // One pair after the other, from each end of the first.
    expect(ordered).toBeLessThan(5 * one_pair)
  })

  test('of what tasks do when they have met for the last time', () => {
    const looks_late = fn('toy_order_late', { source: 'toy', locals: { at: int() } }, [
      stage('early', (k) => {
        memo(k, k.task).seen = [cell(k, 2).value]
      }),
      stage('step', (_, f) => {
        f.at = 1
      }),
      stage('alone', (k, f) => {
        cell(k, 3).value += 1
        f.at += 1
        return f.at < 5 ? AGAIN : undefined
      }),
    ])
    const [, without, ordered] = states(
      system_of(3, [
        [meet_and_part, { cell: 1, own: 2, alone: 4 }],
        [looks_late, {}],
      ]),
    )
    expect(ordered).toBeLessThan(without)
  })
})

describe('nothing is lost', () => {
  test('where a task sleeps until another lets it go on', () => {
    const waits = fn('toy_order_waits', { source: 'toy', locals: { at: int() } }, [
      stage('wait', (k) => (cell(k, 1).value === 0 ? BLOCKED : undefined)),
      stage('look', (k) => {
        memo(k, k.task).seen = [cell(k, 2).value]
      }),
    ])
    const wakes = fn('toy_order_wakes', { source: 'toy', locals: { at: int() } }, [
      stage('before', (k) => {
        cell(k, 2).value += 1
      }),
      stage('wake', (k) => {
        cell(k, 1).value = 1
      }),
      stage('after', (k) => {
        cell(k, 2).value += 1
      }),
    ])
    const each = [
      [waits, {}],
      [wakes, {}],
      [meet_and_part, { cell: 3, own: 2, alone: 1 }],
    ] as const
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ])
      states(
        system_of(
          3,
          order.map((i) => each[i]!),
        ),
      )
  })

  test('where a child that is not there yet will meet others', () => {
    const child = fn('toy_order_child', { source: 'toy', locals: { at: int() } }, [
      stage('write', (k) => {
        cell(k, 1).value = 9
      }),
    ])
    const forks = fn('toy_order_forks', { source: 'toy', locals: { at: int() } }, [
      stage('alone', (k) => {
        cell(k, 2).value += 1
      }),
      stage('fork', (k) => {
        memo.create_at(k, k.task + 8, {})
        start(k, k.task + 8, child, {})
      }),
    ])
    const looks = fn('toy_order_looks', { source: 'toy', locals: { at: int() } }, [
      stage('look', (k) => {
        memo(k, k.task).seen = [cell(k, 1).value]
      }),
    ])
    states(
      system_of(2, [
        [forks, {}],
        [looks, {}],
      ]),
    )
    states(
      system_of(2, [
        [looks, {}],
        [forks, {}],
      ]),
    )
  })

  test('where one task turns in a circle for ever', () => {
    const circle = fn('toy_order_circle', { source: 'toy', locals: { at: int() } }, [
      stage('turn', (k) => {
        cell(k, 1).value = 1 - cell(k, 1).value
        return AGAIN
      }),
    ])
    const other = fn('toy_order_other', { source: 'toy', locals: { at: int() } }, [
      stage('write', (k) => {
        cell(k, 2).value = 7
      }),
    ])
    const violations = (k: Kernel) => (cell(k, 2).value === 7 ? ['seven'] : [])
    const system = {
      ...system_of(2, [
        [circle, {}],
        [other, {}],
      ]),
      violations,
    }
    expect(depth_first_reduced(system).violations.map(({ property }) => property)).toEqual(['seven'])
  })

  test('where a task that is not the first sleeps, and another has several answers', () => {
    const waits = fn('toy_order_asleep', { source: 'toy', locals: { at: int() } }, [
      stage('wait', (k) => (cell(k, 1).value === 0 ? BLOCKED : undefined)),
    ])
    const chooses = fn('toy_order_chooses', { source: 'toy', locals: { at: int() } }, [
      stage('choose', (k) => {
        cell(k, 1).value = choose(k, 3)
      }),
    ])
    states(
      system_of(2, [
        [waits, {}],
        [chooses, {}],
      ]),
    )
  })
})

const op = (kinds: readonly Op['kind'][]): fc.Arbitrary<Op> =>
  fc.record({ kind: fc.constantFrom(...kinds), cell: fc.constantFrom(1, 2), number: fc.nat(4) })
const programs_of = (kinds: readonly Op['kind'][], tasks: number, length: number) =>
  fc.array(fc.array(op(kinds), { minLength: 1, maxLength: length }), { minLength: tasks, maxLength: tasks })

test('of random toys the search says what the judge says', () => {
  let fewer = 0
  const compare = (made: System) => {
    const system = { ...made, phase: at_of }
    const judged = judge(system, new FastStore())
    const ordered = depth_first_reduced(system)
    expect(findings(ordered)).toEqual(findings(judged))
    if (ordered.states < depth_first_reduced(system, { order: false }).states) fewer++
  }
  fc.assert(
    fc.property(programs_of(op_kinds, 3, 3), (ops) => compare(toy_of(ops))),
    { numRuns: 50, seed: 7 },
  )
  fc.assert(
    fc.property(programs_of(lean_kinds, 4, 3), (ops) => compare(lean_toy_of(ops))),
    { numRuns: 50, seed: 8 },
  )
  expect(fewer).toBeGreaterThan(20)
})

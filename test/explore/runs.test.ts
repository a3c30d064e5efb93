/** Single runs: random, replayed, in order, audited; and which step in one made the difference. */
import { describe, expect, test } from 'vitest'
import { shortest, violates } from '../../src/explore/counterexample.js'
import { first_change } from '../../src/explore/first_change.js'
import { Random, random_search } from '../../src/explore/random_run.js'
import {
  count_preemptions,
  Player,
  ReplayError,
  replay,
  run_in_order,
  run_to_end,
} from '../../src/explore/replay.js'
import type { Schedule } from '../../src/explore/system.js'
import { audit } from '../../src/explore/system_audit.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, hold, local, stage, take } from '../../src/kernel/fn.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { BLOCKED } from '../../src/kernel/kernel.js'
import { int } from '../../src/kernel/schema.js'
import { cell, coin, consumer, increment, memo, producer, toy, two_locks } from './toys.js'

const lost_update = toy({
  cells: 1,
  programs: [
    [increment, {}],
    [increment, {}],
  ],
  violations: (k) => (k.store.tasks().length === 0 && cell(k, 1).value < 2 ? ['lost'] : []),
})
const pipe = toy({
  cells: 1,
  programs: [
    [consumer, { count: 2 }],
    [producer, { count: 2 }],
  ],
})
const coins = toy({ cells: 1, programs: [[coin, {}]] })
const moves = (...tasks: number[]): Schedule => tasks.map((task) => ({ task, choice: 0 }))

describe('random runs', () => {
  test('the generator is the published one, so that seeds mean the same everywhere', () => {
    const random = new Random(1)
    expect([random.next(), random.next(), random.next()]).toEqual([2693262067, 11749833, 2265367787])
    const counts = [0, 0, 0]
    for (let i = 0; i < 3000; i++) counts[random.below(3)]!++
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  test('the same seed makes the same runs', () => {
    expect(random_search(lost_update, { seed: 5, runs: 50 })).toEqual(
      random_search(lost_update, { seed: 5, runs: 50 }),
    )
  })

  test('a race is found by every seed, with a schedule that replays', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { property, schedule, runs } = random_search(lost_update, { seed, runs: 200 })
      expect(property).toBe('lost')
      expect(runs).toBeLessThanOrEqual(200)
      expect(lost_update.violations(replay(lost_update, new ImmerStore(), schedule!))).toEqual(['lost'])
    }
  })

  test('every outcome turns up, choices and sleeps included', () => {
    expect(random_search(coins, { seed: 1, runs: 200 }).outcomes).toHaveLength(6)
    expect(random_search(pipe, { seed: 1, runs: 20 }).outcomes).toHaveLength(1)
  })

  test('a property that is not asked for is not looked for', () => {
    const report = random_search(lost_update, { seed: 1, runs: 50, property: 'other' })
    expect(report).toMatchObject({ runs: 50, property: null, schedule: null })
    expect(report.outcomes).toHaveLength(2)
  })

  test('runs that do not end are given up', () => {
    expect(random_search(lost_update, { seed: 1, runs: 3, max_steps: 2 }).property).toBeNull()
  })
})

describe('replay', () => {
  test('tells before and after every stage, with the events of each', () => {
    const seen: string[] = []
    const k = replay(lost_update, new ImmerStore(), moves(1, 2, 1), {
      before: (k, { task }, index) => {
        k.events = []
        seen.push(`${index}: ${task} at ${cell(k, 1).value}`)
      },
      after: (k, { task }, index, events) =>
        seen.push(`${index}: ${task} left ${cell(k, 1).value} ${events.length}`),
    })
    expect(seen).toEqual([
      '0: 1 at 0',
      '0: 1 left 0 0',
      '1: 2 at 0',
      '1: 2 left 0 0',
      '2: 1 at 0',
      '2: 1 left 1 0',
    ])
    expect(k.store.tasks()).toEqual([2])
  })

  test.each([
    ['task 1 has nothing left to do', lost_update, moves(1, 1, 1), 2],
    ['task 1 sleeps', pipe, moves(1), 0],
    ['there is no choice 3 of 3', coins, [{ task: 1, choice: 3 }], 0],
    ['task 9 has nothing left to do', coins, moves(9), 0],
  ] as const)('refuses: %s', (why, system, schedule, index) => {
    expect(() => replay(system, new FastStore(), schedule)).toThrow(ReplayError)
    try {
      replay(system, new FastStore(), schedule)
    } catch (error) {
      expect(error).toMatchObject({ why, index })
    }
  })

  test('in order, switching only where a task sleeps or ends', () => {
    expect(run_in_order(pipe.boot(new FastStore()))).toEqual(moves(2, 1, 2, 1))
    expect(run_in_order(lost_update.boot(new ImmerStore()), 2)).toEqual(moves(2, 2, 1, 1))
    expect(run_in_order(lost_update.boot(new FastStore()), 0, 3)).toHaveLength(3)
    expect(run_to_end(lost_update, () => new FastStore(), moves(1, 2))).toEqual(moves(1, 2, 2, 1))
  })

  test('counts preemptions: leaving a task that sleeps or has ended is none', () => {
    expect(count_preemptions(lost_update, new FastStore(), moves(1, 1, 2, 2))).toBe(0)
    expect(count_preemptions(lost_update, new ImmerStore(), moves(1, 2, 2, 1))).toBe(1)
    expect(count_preemptions(lost_update, new FastStore(), moves(1, 2, 1, 2))).toBe(2)
    expect(count_preemptions(pipe, new FastStore(), moves(2, 1, 2, 1))).toBe(0)
  })
})

const unlock = hold('toy_cause_unlock', (k, id) => {
  cell(k, id).holder = 0
})
const lock = (k: Kernel, f: Parameters<typeof take>[0]) => {
  if (cell(k, 1).holder !== 0) return BLOCKED
  cell(k, 1).holder = k.task
  take(f, unlock, 1)
  return undefined
}

/** Checks the first cell, then uses it under its lock. */
const check_then_use = fn('toy_check_then_use', { source: 'toy' }, [
  stage('check', (k) => {
    memo(k, k.task).monitor = cell(k, 1).value
  }),
  stage('lock', lock),
  stage('use', (k) => {
    memo(k, k.task).seen = [cell(k, 1).value]
  }),
])

/** Writes the first cell under its lock, after touching the second. */
const change = fn('toy_change', { source: 'toy', locals: { to: int() } }, [
  stage('prepare', (k) => {
    cell(k, 2).value = 1
  }),
  stage('lock', lock),
  stage('write', (k, f) => {
    cell(k, 1).value = f.to
  }),
  stage('settle', (k) => {
    cell(k, 2).value = 2
  }),
])

const attacked = (to: number) =>
  toy({
    cells: 2,
    programs: [
      [check_then_use, {}],
      [change, { to }],
    ],
    violations: (k) => {
      const { seen, monitor } = memo(k, 1)
      return seen.length > 0 && seen[0] !== monitor ? ['changed'] : []
    },
  })

describe('cause', () => {
  const observe = (k: Kernel) => (memo(k, 1).seen.length > 0 ? String(memo(k, 1).seen[0]) : null)
  const cause = (to: number, schedule: Schedule) =>
    first_change(new Player(attacked(to)), { schedule, from: 1, victim: 1, observe })

  test('is the write, though the lock was held around it', () => {
    // check; prepare, lock, write, settle, unlock; lock, use
    expect(cause(7, moves(1, 2, 2, 2, 2, 2, 1, 1))).toBe(3)
  })

  test('is found in the shortest counterexample', () => {
    const { counterexample } = shortest(attacked(7), violates(attacked(7)))
    expect(counterexample?.preemptions).toBe(1)
    const { schedule } = counterexample!
    const index = cause(7, schedule)
    expect(replay(attacked(7), new FastStore(), schedule.slice(0, index)).store.top(2).stage).toBe(2)
  })

  test('is none where the write changes nothing, or where nothing is ever used', () => {
    expect(cause(0, moves(1, 2, 2, 2, 2, 2, 1, 1))).toBe(-1)
    const never = { schedule: moves(1, 2, 2, 2), from: 1, victim: 1, observe: () => null }
    expect(first_change(new Player(attacked(7)), never)).toBe(-1)
  })

  test('leaves the schedule as it is: what comes after the use does not count', () => {
    expect(cause(7, moves(1, 1, 1, 2, 1, 2, 2, 2))).toBe(-1)
  })
})

const liar = fn('toy_liar', { source: 'toy' }, [
  local('peek', (k) => {
    memo(k, k.task).monitor = cell(k, 1).value
  }),
  stage('meddle', (k) => {
    memo(k, 3 - k.task).monitor = 1
  }),
])

describe('audit', () => {
  test('finds stages that touch what they must not', () => {
    const system = toy({
      cells: 1,
      programs: [
        [liar, {}],
        [increment, {}],
      ],
    })
    const { problems, stages } = audit(system, 20)
    expect(problems).toEqual([
      'toy_liar.meddle: not the owner, but writes toy_memo 2 memo',
      'toy_liar.peek: local, but reads toy_cell 1 value',
    ])
    expect(stages).toEqual(['toy_increment.read', 'toy_increment.write', 'toy_liar.meddle', 'toy_liar.peek'])
  })

  test('finds nothing where all keep to what they own', () => {
    const locks = toy({ cells: 2, programs: [[two_locks, { a: 1, b: 2 }]] })
    expect(audit(locks, 3).stages).toContain('toy_two_locks.return')
    for (const system of [lost_update, pipe, coins, locks]) expect(audit(system, 20).problems).toEqual([])
  })
})

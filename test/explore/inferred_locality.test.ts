/** Stages that nobody meets are found out, and no stage that somebody meets is taken for one. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { depth_first, depth_first_reduced } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import type { Report, System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, stage } from '../../src/kernel/fn.js'
import { AGAIN, BLOCKED, type Fn } from '../../src/kernel/kernel.js'
import { start } from '../../src/kernel/machine.js'
import { int } from '../../src/kernel/schema.js'
import { boot, programs } from '../kernel/worlds.js'
import { cell, increment, memo, type Op, toy, toy_of, two_locks } from './toys.js'

/** Adds one to a cell, so many times: a stage each. */
const add = fn('toy_infer_add', { source: 'toy', locals: { cell: int(), times: int() } }, [
  stage('add', (k, f) => {
    cell(k, f.cell).value += 1
    f.times -= 1
    return f.times > 0 ? AGAIN : undefined
  }),
])

/** Waits until the first cell is 1, and writes down what the second is then. */
const wait = fn('toy_infer_wait', { source: 'toy', locals: {} }, [
  stage('wait', (k) => (cell(k, 1).value === 0 ? BLOCKED : undefined)),
  stage('look', (k) => {
    memo(k, k.task).seen = [cell(k, 2).value]
  }),
])

/** Writes the second cell, then lets the waiting go on. */
const wake = fn('toy_infer_wake', { source: 'toy', locals: {} }, [
  stage('prepare', (k) => {
    cell(k, 2).value = 7
  }),
  stage('wake', (k) => {
    cell(k, 1).value = 1
  }),
])

/** Adds to the first cell without looking at it, three times; looks at it; sets it. */
const count_up = fn('toy_infer_count_up', { source: 'toy', locals: { times: int() } }, [
  stage('add', (k, f) => {
    cell.add(k, 1, 'value', 2)
    f.times += 1
    return f.times < 3 ? AGAIN : undefined
  }),
])
const look_at_count = fn('toy_infer_look_at_count', { source: 'toy', locals: {} }, [
  stage('look', (k) => {
    memo(k, k.task).seen = [cell(k, 1).value]
  }),
])
const set_count = fn('toy_infer_set_count', { source: 'toy', locals: {} }, [
  stage('set', (k) => {
    cell(k, 1).value = 1
  }),
])

/** Makes a row, or counts those that there are. */
const make = fn('toy_infer_make', { source: 'toy', locals: {} }, [
  stage('make', (k) => {
    cell.create(k, {})
  }),
])
const count = fn('toy_infer_count', { source: 'toy', locals: {} }, [
  stage('count', (k) => {
    memo(k, k.task).seen = [cell.rows(k).length]
  }),
])

/** Starts another task, whose memo it fills in. */
const fork = fn('toy_infer_fork', { source: 'toy', locals: {} }, [
  stage('fork', (k) => {
    memo.create_at(k, k.task + 8, { monitor: 1 })
    start(k, k.task + 8, increment, {})
  }),
  stage('count', (k) => {
    cell(k, 1).value += 10
  }),
])

const findings = ({ complete, violations, deadlock, outcomes }: Report) => ({
  complete,
  violations: violations.map(({ property }) => property),
  deadlock: deadlock !== null,
  outcomes,
})

/** Searches by all means, which must agree. @returns states without reduction, and with what was inferred */
function states(...programs: (readonly [Fn, object])[]): [number, number] {
  const system = toy({ cells: 3, programs })
  const judged = judge(system, new FastStore())
  const inferred = depth_first_reduced(system, { order: false })
  expect(findings(inferred)).toEqual(findings(judged))
  const ordered = depth_first_reduced(system)
  expect(findings(ordered)).toEqual(findings(judged))
  expect(ordered.states).toBeLessThanOrEqual(inferred.states)
  expect(findings(depth_first(system, { inferred: false }))).toEqual(findings(judged))
  return [judged.states, inferred.states]
}

describe('what nobody else meets is run at once', () => {
  test('tasks that touch different cells have one order', () => {
    const one = [add, { cell: 1, times: 5 }] as const
    const other = [add, { cell: 2, times: 5 }] as const
    expect(states(one, other)).toEqual([36, 3])
  })

  test('readers of what nobody writes', () => {
    const read = fn('toy_infer_read', { source: 'toy', locals: {} }, [
      stage('read', (k) => {
        memo(k, k.task).seen = [cell(k, 1).value]
      }),
    ])
    expect(states([read, {}], [read, {}])).toEqual([4, 3])
  })

  test('additions to one counter, where nobody looks at it', () => {
    expect(states([count_up, {}], [count_up, {}])).toEqual([16, 3])
    const [all, some] = states([count_up, {}], [count_up, {}], [look_at_count, {}])
    expect(some).toBeGreaterThan(3)
    expect(some).toBeLessThanOrEqual(all)
    states([look_at_count, {}], [count_up, {}])
    states([count_up, {}], [set_count, {}])
  })

  test('two that make rows, where nobody counts them', () => {
    const [all, some] = states([make, {}], [make, {}])
    expect(some).toBeLessThan(all)
  })
})

describe('what somebody meets is not', () => {
  test('two that read and then write one cell', () => {
    const [all, some] = states([increment, {}], [increment, {}])
    expect(some).toBe(all)
  })

  test('who reads two cells in one stage, and who writes the second', () => {
    const sum = fn('toy_infer_sum', { source: 'toy', locals: {} }, [
      stage('sum', (k) => {
        memo(k, k.task).seen = [cell(k, 1).value + cell(k, 2).value]
      }),
    ])
    for (const each of [1, 2]) {
      states([sum, {}], [add, { cell: each, times: 2 }])
      states([add, { cell: each, times: 2 }], [sum, {}])
    }
  })

  test('locks that are taken in two orders', () => {
    states([two_locks, { a: 1, b: 2 }], [two_locks, { a: 2, b: 1 }])
    expect(
      depth_first_reduced(
        toy({
          cells: 2,
          programs: [
            [two_locks, { a: 1, b: 2 }],
            [two_locks, { a: 2, b: 1 }],
          ],
        }),
      ).deadlock,
    ).not.toBeNull()
  })

  test('who sleeps, and who wakes him, in either order of tasks', () => {
    states([wait, {}], [wake, {}])
    states([wake, {}], [wait, {}])
    states([wait, {}], [wake, {}], [add, { cell: 2, times: 2 }])
  })

  test('who sleeps in a stage of his own, and who has several answers', () => {
    const sleeper: readonly Op[] = [
      { kind: 'lock', cell: 1, number: 1 },
      { kind: 'fail', cell: 1, number: 1 },
    ]
    const chooser: readonly Op[] = [
      { kind: 'write', cell: 2, number: 1 },
      { kind: 'choose', cell: 1, number: 1 },
    ]
    for (const programs of [
      [sleeper, chooser],
      [chooser, sleeper],
      [sleeper, chooser, chooser],
      [chooser, sleeper, chooser],
    ]) {
      const system = toy_of(programs)
      expect(depth_first_reduced(system).outcomes).toEqual(judge(system, new FastStore()).outcomes)
    }
  })
  test('who makes rows, and who counts them', () => {
    states([make, {}], [count, {}])
    states([count, {}], [make, {}])
  })

  test('a fork, which fills in what is the child’s', () => {
    // Nobody else meets the fork itself, but it is never taken for local: others run before it too.
    expect(states([fork, {}], [add, { cell: 1, times: 2 }])).toEqual([45, 45])
  })
})

test('a search that is disproved keeps what it has found out, and the next needs less', () => {
  const system = toy({
    cells: 2,
    programs: [
      [add, { cell: 1, times: 3 }],
      [add, { cell: 1, times: 3 }],
    ],
  })
  const { locality, complete } = depth_first_reduced(system)
  expect({ complete, settled: locality?.settled }).toEqual({ complete: true, settled: true })
  const k = system.boot(new FastStore())
  expect([1, 2].map((task) => locality!.is_local(k, task))).toEqual([false, false])
})

test('whatever stages touch of tables of every kind, what is inferred loses no end of a run', () => {
  let reduced = 0
  const few = programs.map((tasks) => tasks.map((ops) => ops.slice(0, 9)).slice(0, 2))
  fc.assert(
    fc.property(few, (tasks) => {
      const system: System = {
        boot: (store) => boot(store, tasks),
        violations: () => [],
        outcome: (k) => JSON.stringify(k.store.snapshot().tables),
      }
      const judged = judge(system, new FastStore())
      const inferred = depth_first_reduced(system)
      expect(findings(inferred)).toEqual(findings(judged))
      if (inferred.states < judged.states) reduced++
    }),
    { numRuns: 40, seed: 1 },
  )
  expect(reduced).toBeGreaterThan(20)
})

test('more tasks than there are bits for are searched as without', () => {
  // The first thirty have one stage each that nobody meets; the last two meet each other, and have no bit of their own.
  const idle = fn('toy_infer_idle', { source: 'toy', locals: {} }, [stage('idle', () => {})])
  const programs = [
    ...Array.from({ length: 31 }, () => [idle, {}] as const),
    [increment, {}] as const,
    [increment, {}] as const,
  ]
  const [few, many] = [31, 0].map((from) => toy({ cells: 1, programs: programs.slice(from) }))
  expect(depth_first_reduced(many!).outcomes.map((each) => JSON.parse(each)[0])).toEqual(
    depth_first_reduced(few!).outcomes.map((each) => JSON.parse(each)[0]),
  )
})

test('a bound that is hit before anything is certain leaves the search incomplete', () => {
  const system = toy({
    cells: 2,
    programs: [
      [add, { cell: 1, times: 6 }],
      [add, { cell: 1, times: 6 }],
    ],
  })
  const bounded = depth_first_reduced(system, { max_states: 8 })
  expect(bounded.complete).toBe(false)
  expect(bounded.bounds).toEqual(['states'])
})

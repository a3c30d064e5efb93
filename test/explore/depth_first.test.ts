import { describe, expect, test } from 'vitest'
import { shortest, violates } from '../../src/explore/counterexample.js'
import { type DepthFirstOptions, depth_first, depth_first_reduced } from '../../src/explore/depth_first.js'
import { enumerate } from '../../src/explore/enumerate.js'
import { judge } from '../../src/explore/judge.js'
import { replay } from '../../src/explore/replay.js'
import type { InferredLocality } from '../../src/explore/selection/inferred_locality.js'
import { BrokenInvariant, type Report, type System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, jump, local, stage } from '../../src/kernel/fn.js'
import { AGAIN, type Kernel } from '../../src/kernel/kernel.js'
import { choose, start } from '../../src/kernel/machine.js'
import { int } from '../../src/kernel/schema.js'
import { cell, coin, consumer, increment, memo, producer, toy, two_locks } from './toys.js'

/** A counter that two tasks increase; when both have ended, an update may have been lost. */
const lost_update = toy({
  cells: 1,
  programs: [
    [increment, {}],
    [increment, {}],
  ],
  violations: (k) => (k.store.tasks().length === 0 && cell(k, 1).value < 2 ? ['lost'] : []),
  witness: (k) => [`value:${cell(k, 1).value}`],
})

const crossed_locks = toy({
  cells: 2,
  programs: [
    [two_locks, { a: 1, b: 2 }],
    [two_locks, { a: 2, b: 1 }],
  ],
})

const pipe = toy({
  cells: 1,
  programs: [
    [producer, { count: 3 }],
    [consumer, { count: 3 }],
  ],
})

const counts = ({ states, transitions }: Report) => ({ states, transitions })

describe('small systems, counted', () => {
  test('two increments: a grid of 3 by 3 places, the middle and the end split by what was read', () => {
    // Start 1; one read 2; both read 1; one done 2. One done and one read: read before or after, 4. All done: 2.
    const report = depth_first(lost_update)
    expect(counts(report)).toEqual({ states: 12, transitions: 14 })
    expect(report.complete).toBe(true)
    expect(report.depth).toBe(4)
    expect(report.deadlock).toBeNull()
    expect(report.violations.map(({ property }) => property)).toEqual(['lost'])
    expect(report.witnesses).toEqual(['value:1', 'value:2'])
    expect(enumerate(lost_update, () => new FastStore())).toHaveLength(6)
  })

  test('two locks taken in opposite order: one deadlock, and the orderly run ends', () => {
    const report = depth_first(crossed_locks)
    expect(counts(report)).toEqual(counts(judge(crossed_locks, new FastStore())))
    expect(report.deadlock).toEqual([
      { task: 1, choice: 0 },
      { task: 2, choice: 0 },
    ])
    expect(report.outcomes).toHaveLength(2)
    expect(report.violations).toEqual([])
  })

  test('producer and consumer wait for each other: one path only', () => {
    const report = depth_first(pipe)
    expect(counts(report)).toEqual({ states: 7, transitions: 6 })
    expect(report.outcomes).toEqual(['[[[0,0,[]]],[[[],0],[[1,2,3],0]]]'])
  })

  test('every answer of a choice is explored, in shared stages and in local ones', () => {
    const coins = toy({
      cells: 1,
      programs: [
        [coin, {}],
        [coin, {}],
      ],
    })
    const report = depth_first(coins)
    expect(report.outcomes).toHaveLength(12)
    expect(report.outcomes).toEqual(judge(coins, new FastStore()).outcomes)
  })

  test('the same system gives the same report', () => {
    expect(depth_first(crossed_locks)).toEqual(depth_first(crossed_locks))
  })

  test('a violation comes with a schedule that leads there', () => {
    const [found] = depth_first(lost_update).violations
    expect(lost_update.violations(replay(lost_update, new FastStore(), found!.schedule))).toEqual(['lost'])
  })
})

const child = fn('toy_child', { source: 'toy' }, [
  local('think', (k) => {
    memo(k, k.task).monitor = 1
  }),
  stage('write', (k) => {
    cell(k, 1).value = k.task
  }),
])

const parent = fn('toy_parent', { source: 'toy' }, [
  stage('fork', (k) => {
    memo.create_at(k, 2, {})
    start(k, 2, child, {})
  }),
  stage('write', (k) => {
    cell(k, 1).value = k.task
  }),
])

test('tasks that start while others run are explored too', () => {
  const report = depth_first(toy({ cells: 1, programs: [[parent, {}]] }))
  expect(report.outcomes).toEqual(['[[[1,0,[]]],[[[],0],[[],1]]]', '[[[2,0,[]]],[[[],0],[[],1]]]'])
})

const spinner = fn('toy_spinner', { source: 'toy', locals: { turn: int() } }, [
  local('spin', (_, f) => {
    f.turn = (f.turn + 1) % 10
    return jump(f, 'spin')
  }),
])

test('an endless loop of local stages puts nobody off for ever', () => {
  const system = toy({
    cells: 1,
    programs: [
      [spinner, {}],
      [increment, {}],
    ],
    violations: (k) => (cell(k, 1).value === 1 ? ['increased'] : []),
  })
  const report = depth_first(system)
  expect(report.violations.map(({ property }) => property)).toEqual(['increased'])
  expect(report.complete).toBe(true)
})

const counter = fn('toy_counter', { source: 'toy', locals: { to: int() } }, [
  stage('count', (k, f) => {
    cell(k, 1).value += 1
    return cell(k, 1).value < f.to ? AGAIN : undefined
  }),
])

/** Counts a cell up, so many times. */
const tick = fn('toy_tick', { source: 'toy', locals: { cell: int(), times: int() } }, [
  stage('tick', (k, f) => {
    cell(k, f.cell).value += 1
    f.times -= 1
    return f.times > 0 ? AGAIN : undefined
  }),
])

const count_to = (to: number): System => toy({ cells: 1, programs: [[counter, { to }]] })

test('depth is bounded by memory only', () => {
  const report = depth_first(count_to(100_000))
  expect(report.depth).toBe(100_000)
  expect(report.complete).toBe(true)
})

describe('bounds', () => {
  const hit = (system: System, options: DepthFirstOptions) => {
    const { complete, bounds } = depth_first(system, options)
    return { complete, bounds }
  }

  test('states: hit by one too many, not by the last', () => {
    expect(hit(lost_update, { max_states: 11 })).toEqual({ complete: false, bounds: ['states'] })
    expect(hit(lost_update, { max_states: 12 })).toEqual({ complete: true, bounds: [] })
    expect(depth_first(lost_update, { max_states: 11 }).states).toBe(11)
  })

  test('steps', () => {
    expect(hit(lost_update, { max_steps: 3 })).toEqual({ complete: false, bounds: ['steps'] })
    expect(hit(lost_update, { max_steps: 4 })).toEqual({ complete: true, bounds: [] })
    expect(depth_first(lost_update, { max_steps: 3 }).outcomes).toEqual([])
  })

  test('time, by the clock that is given', () => {
    let time = 0
    const now = () => (time += 10)
    expect(hit(count_to(1_000_000), { max_time: 25, now })).toEqual({ complete: false, bounds: ['time'] })
    expect(hit(count_to(10), { max_time: 25, now })).toEqual({ complete: true, bounds: [] })
    expect(hit(count_to(1000), { max_time: 2, now })).toEqual({ complete: false, bounds: ['time'] })
    expect(hit(count_to(10), { max_time: 0, now: () => 0 })).toEqual({ complete: false, bounds: ['time'] })
  })

  test('memory of the visited set', () => {
    const report = depth_first(count_to(1_000_000), { max_memory: 2_000_000, inferred: false })
    expect(report.bounds).toEqual(['memory'])
    expect(report.memory).toBeLessThan(2_010_000)
    expect(report.states).toBeGreaterThan(2_000)
  })

  test('preemptions: what was left out makes it incomplete, and nothing else', () => {
    const none = depth_first(lost_update, { preemptions: 0 })
    expect(none.bounds).toEqual(['preemptions'])
    expect(none.violations).toEqual([])
    expect(none.outcomes).toHaveLength(1)
    const one = depth_first(lost_update, { preemptions: 1 })
    expect(one.violations.map(({ property }) => property)).toEqual(['lost'])
    expect(depth_first(pipe, { preemptions: 0 }).complete).toBe(true)
    expect(depth_first(lost_update, { preemptions: 4 }).complete).toBe(true)
  })

  test('stopping at the first violation is not complete', () => {
    const report = depth_first(lost_update, { first: true })
    expect(report.bounds).toEqual(['stopped'])
    expect(report.violations).toHaveLength(1)
    expect(depth_first(crossed_locks, { first: true }).deadlock).not.toBeNull()
  })

  test('progress is told, and can stop the search', () => {
    const seen: number[] = []
    const progress = ({ transitions }: { transitions: number }) => {
      seen.push(transitions)
      return seen.length < 3
    }
    expect(hit(count_to(1_000_000), { progress, inferred: false })).toEqual({
      complete: false,
      bounds: ['stopped'],
    })
    expect(seen).toEqual([8192, 16384, 24576])
  })
})

describe('what the search says of itself', () => {
  const two_counters = (to: number, outcome = '') => {
    const system = toy({
      cells: 2,
      programs: [
        [tick, { cell: 1, times: to }],
        [tick, { cell: 2, times: to }],
      ],
    })
    return outcome === '' ? system : { ...system, outcome: () => outcome }
  }

  test('a property that stays violated is found once, where it was first', () => {
    const early = { ...lost_update, violations: (k: Kernel) => (cell(k, 1).value > 0 ? ['some'] : []) }
    const { violations } = depth_first(early)
    expect(violations).toHaveLength(1)
    expect(violations[0]!.schedule).toHaveLength(2)
    expect(judge(early, new FastStore()).violations).toHaveLength(1)
  })

  test('with a bound on preemptions a state is met again only with fewer of them, or another task', () => {
    const bounded = (preemptions: number) => depth_first(lost_update, { preemptions }).states
    const all = shortest(lost_update, violates(lost_update, 'none')).states
    // Two of them were met with more preemptions first.
    expect([bounded(4), bounded(9)]).toEqual([all + 2, all + 2])
  })

  test('a large search finds out which stages nobody meets, and a small one does not ask', () => {
    expect(depth_first(two_counters(100)).states).toBe(101 * 101)
    expect(depth_first(two_counters(200)).states).toBe(3)
    expect(depth_first(two_counters(200), { inferred: false }).states).toBe(201 * 201)
    expect(depth_first(two_counters(200), { preemptions: 0 }).states).toBe(1 + 4 * 200)
    expect(depth_first(two_counters(200), { max_states: 40_000 })).toMatchObject({
      complete: true,
      states: 3,
    })
    expect(depth_first(two_counters(200), { max_states: 1 << 15 })).toMatchObject({
      bounds: ['states'],
      states: 1 << 15,
    })
  })

  test('where a bound on steps has cut a run off, that is no end of it, and no deadlock', () => {
    const cut = depth_first(crossed_locks, { max_steps: 1 })
    expect(cut).toMatchObject({ bounds: ['steps'], deadlock: null, outcomes: [] })
    expect(depth_first(lost_update, { max_steps: 4 })).toMatchObject({ complete: true })
  })

  test('what fails in a stage fails the search', () => {
    const broken = fn('toy_broken', { source: 'toy', locals: {} }, [
      stage('break', () => {
        throw new RangeError('broken')
      }),
    ])
    expect(() => depth_first(toy({ cells: 1, programs: [[broken, {}]] }))).toThrow(new RangeError('broken'))
  })

  test('the way to a broken invariant has the answers that were given on it', () => {
    const toss = fn('toy_toss', { source: 'toy', locals: {} }, [
      stage('toss', (k) => {
        cell(k, 1).value = choose(k, 3)
      }),
      local('think', (k) => {
        memo(k, k.task).monitor = cell(k, 1).value
      }),
    ])
    try {
      depth_first(toy({ cells: 1, programs: [[toss, {}]] }), {
        invariant: (k) => (memo(k, 1).monitor === 2 ? 'two' : null),
      })
      expect.unreachable()
    } catch (error) {
      expect((error as BrokenInvariant).schedule).toEqual([
        { task: 1, choice: 2 },
        { task: 1, choice: 0 },
      ])
    }
  })

  test('what ends the first search is not begun again', () => {
    let told = 0
    const report = depth_first(two_counters(200), {
      progress: ({ depth, states, transitions }) => {
        told++
        expect(depth).toBeGreaterThan(0)
        expect(states).toBeGreaterThan(1000)
        expect(transitions).toBeGreaterThanOrEqual(states - 1)
        return false
      },
    })
    expect({ told, bounds: report.bounds }).toEqual({ told: 1, bounds: ['stopped'] })
  })

  test('time, and whoever interrupts, are looked at on the way', () => {
    let time = 1_000_000
    const late = depth_first(two_counters(100), { max_time: 10, now: () => time++ })
    expect(late.bounds).toEqual(['time'])
    expect(late.transitions).toBeGreaterThan(64 * 5)
    expect(late.transitions).toBeLessThan(64 * 12)
    let asked = 0
    const stopped = depth_first(two_counters(100), { interrupted: () => ++asked > 5 })
    expect(stopped.bounds).toEqual(['stopped'])
    expect(stopped.transitions).toBe(64 * 5)
    // Where nobody bounds the time, nobody is late.
    expect(depth_first(two_counters(9), { now: () => time++ }).complete).toBe(true)
    expect(depth_first(two_counters(9), { max_time: 0 }).complete).toBe(true)
  })

  test('the time is that of all searches together, where one follows another', () => {
    let time = 0
    const now = () => time++
    const whole = depth_first_reduced(crossed_locks, { max_time: 1000, now })
    expect(whole.complete).toBe(true)
    const short = depth_first_reduced(crossed_locks, { max_time: 2, now })
    expect(short.bounds).toEqual(['time'])
  })

  test('memory counts what was seen at ends, and states that are compared themselves', () => {
    const memory = (system: System, options = {}) => depth_first(system, options).memory
    const [plain, wordy] = [two_counters(3), two_counters(3, 'x'.repeat(10_000))]
    expect(memory(wordy) - memory(plain)).toBeGreaterThan(19_000)
    expect(memory(wordy) - memory(plain)).toBeLessThan(21_000)
    expect(memory(plain, { exact: true }) - memory(plain)).toBeGreaterThan(2000)
    const { locality, memory: inferring } = depth_first_reduced(two_counters(3))
    expect(inferring).toBeGreaterThan((locality as InferredLocality).bytes)
  })
})

test('a broken invariant is thrown with the schedule that broke it', () => {
  const invariant = (k: Parameters<System['outcome']>[0]) => (cell(k, 1).value === 2 ? 'two' : null)
  try {
    depth_first(lost_update, { invariant })
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(BrokenInvariant)
    const { what, schedule } = error as BrokenInvariant
    expect(what).toBe('two')
    expect(cell(replay(lost_update, new FastStore(), schedule), 1).value).toBe(2)
  }
})

test('where a property may hold for a moment, no task goes alone because its stage is local', () => {
  const think = fn('toy_think', { source: 'toy', locals: {} }, [
    local('think', (k) => {
      memo(k, k.task).monitor = 1
    }),
  ])
  const system = toy({
    cells: 1,
    programs: [
      [think, {}],
      [increment, {}],
    ],
    violations: (k) => (cell(k, 1).value === 1 && memo(k, 1).monitor === 0 ? ['late'] : []),
  })
  expect(judge(system, new FastStore()).violations).toHaveLength(1)
  expect(depth_first({ ...system, momentary: true }).violations).toHaveLength(1)
})

test('the invariant is asked after each stage of a fused move too', () => {
  // The second stage is local, and the third makes good what it broke: no move ends with it.
  const flash = fn('toy_flash', { source: 'toy', locals: {} }, [
    stage('begin', (k) => {
      cell(k, 1).value = 1
    }),
    local('break', (k) => {
      memo(k, k.task).monitor = 1
    }),
    local('mend', (k) => {
      memo(k, k.task).monitor = 0
    }),
  ])
  const system = toy({ cells: 1, programs: [[flash, {}]] })
  const invariant = (k: Parameters<System['outcome']>[0]) => (memo(k, 1).monitor === 1 ? 'broken' : null)
  try {
    depth_first(system, { invariant })
    expect.unreachable()
  } catch (error) {
    expect((error as BrokenInvariant).what).toBe('broken')
    expect((error as BrokenInvariant).schedule).toHaveLength(2)
  }
  const violations: System['violations'] = (k) => (invariant(k) === null ? [] : ['broken'])
  const momentary = toy({ cells: 1, programs: [[flash, {}]], violations })
  expect(depth_first({ ...momentary, momentary: true }).violations).toHaveLength(1)
  expect(
    shortest({ ...momentary, momentary: true }, violates(momentary)).counterexample?.schedule,
  ).toHaveLength(2)
})

describe('the judge', () => {
  test('keeps a bound on states, and ends where it is interrupted', () => {
    expect(judge(lost_update, new FastStore(), { max_states: 12 })).toMatchObject({
      complete: true,
      states: 12,
    })
    const few = judge(lost_update, new FastStore(), { max_states: 11 })
    expect(few).toMatchObject({ complete: false, bounds: ['states'], states: 11 })
    const stopped = judge(lost_update, new FastStore(), { interrupted: () => true })
    expect(stopped).toMatchObject({ complete: false, bounds: ['stopped'], states: 1 })
  })

  test('says how long the longest path is, and how many stages it made', () => {
    expect(judge(lost_update, new FastStore())).toMatchObject({ depth: 4, transitions: 14, stages: 14 })
  })

  test('shows what runs have witnessed, and the way to the first deadlock', () => {
    expect(judge(lost_update, new FastStore()).witnesses).toEqual(['value:1', 'value:2'])
    const { deadlock, witnesses } = judge(crossed_locks, new FastStore())
    expect(witnesses).toEqual([])
    const stuck = replay(crossed_locks, new FastStore(), deadlock!)
    expect(stuck.store.tasks()).toHaveLength(2)
    expect(depth_first(crossed_locks).deadlock).toHaveLength(deadlock!.length)
  })
})

describe('the search for the shortest', () => {
  /** A clock that goes on by one each time that somebody looks, and does not begin at 0. */
  const clock = () => {
    let time = 1_000_000
    return () => time++
  }
  const lost = violates(lost_update)

  test('has its time from when it begins, whatever the clock says then', () => {
    expect(shortest(lost_update, lost, { max_time: 1000, now: clock() })).toMatchObject({ bounds: [] })
    const late = shortest(lost_update, lost, { max_time: 1, now: clock() })
    expect(late).toMatchObject({ counterexample: null, bounds: ['time'], explored_below: 0 })
  })

  test('has no bound of time without a clock, nor without a time', () => {
    expect(shortest(lost_update, lost, { max_time: 0 })).toMatchObject({ bounds: [] })
    expect(shortest(lost_update, lost, { now: clock() })).toMatchObject({ bounds: [] })
  })

  test('stops where it is asked to', () => {
    expect(shortest(lost_update, lost, { interrupted: () => true })).toMatchObject({
      counterexample: null,
      bounds: ['stopped'],
    })
    expect(shortest(lost_update, lost, { interrupted: () => false })).toMatchObject({ bounds: [] })
  })

  test('says below how many preemptions all is known: everything, where there is nothing to find', () => {
    expect(shortest(lost_update, lost)).toMatchObject({ explored_below: 1 })
    expect(shortest(pipe, violates(pipe))).toMatchObject({
      counterexample: null,
      explored_below: Number.POSITIVE_INFINITY,
    })
  })
})

test('the enumeration gives as many runs as are allowed, and no more', () => {
  expect(enumerate(lost_update, () => new FastStore(), 6)).toHaveLength(6)
  expect(() => enumerate(lost_update, () => new FastStore(), 5)).toThrow('more than 5 interleavings')
})

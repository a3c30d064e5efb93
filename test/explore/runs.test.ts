/** Single runs: random, replayed, in order, audited; and which step in one made the difference. */
import { describe, expect, test } from 'vitest'
import { shortest, violates } from '../../src/explore/counterexample.js'
import { first_change } from '../../src/explore/first_change.js'
import { Random, random_run, random_search } from '../../src/explore/random_run.js'
import {
  can_go_on,
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
import { AGAIN, BLOCKED } from '../../src/kernel/kernel.js'
import { choose } from '../../src/kernel/machine.js'
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
/** So many stages, each of which does something and says so. */
const repeat = fn('toy_repeat', { source: 'toy', locals: { times: int() } }, [
  stage('turn', (k, f) => {
    cell(k, 1).value += 1
    f.times -= 1
    return f.times > 0 ? AGAIN : undefined
  }),
])
const talker = fn('toy_talker', { source: 'toy', locals: { times: int() } }, [
  stage('turn', (k, f) => {
    k.tell('turn', `turn ${f.times}`)
    f.times -= 1
    return f.times > 0 ? AGAIN : undefined
  }),
])
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

  test('seeds mean the same in every version: the runs of one, written down', () => {
    const three = toy({
      cells: 1,
      programs: [
        [consumer, { count: 2 }],
        [coin, {}],
        [producer, { count: 2 }],
      ],
    })
    const run = (seed: number) =>
      random_run(three.boot(new FastStore()), new Random(seed), 100, () => false)
        .map(({ task, choice }) => `${task}${'abc'[choice]}`)
        .join(' ')
    expect([1, 2, 3, 4].map(run)).toEqual([
      '3a 2a 2b 3a 1a',
      '2b 2b 1a 3a 1a 3a',
      '2a 2b 3a 1a 3a 1a',
      '2a 2a 3a 1a 3a 1a',
    ])
  })

  test('a task is not left before a stage that concerns nobody else, and anywhere else by some run', () => {
    const two = toy({
      cells: 1,
      programs: [
        [coin, {}],
        [coin, {}],
      ],
    })
    const random = new Random(1)
    const left_after = new Set<number>()
    for (let run = 0; run < 100; run++) {
      const tasks = random_run(two.boot(new FastStore()), random, 100, () => false).map(({ task }) => task)
      for (let i = 1; i < tasks.length; i++) if (tasks[i] !== tasks[i - 1]) left_after.add(i)
    }
    expect([...left_after]).toEqual([2])
  })

  test('some runs switch at every chance and some hardly ever', () => {
    const counter = toy({
      cells: 1,
      programs: Array.from({ length: 2 }, () => [repeat, { times: 40 }] as const),
    })
    const random = new Random(1)
    const switches = Array.from({ length: 100 }, () => {
      const tasks = random_run(counter.boot(new FastStore()), random, 1000, () => false).map(
        ({ task }) => task,
      )
      expect(tasks).toHaveLength(80)
      return tasks.filter((task, i) => i > 0 && task !== tasks[i - 1]).length
    })
    expect(Math.min(...switches)).toBeLessThanOrEqual(2)
    expect(Math.max(...switches)).toBeGreaterThan(30)
  })

  test('a run ends at the first state that is asked for, at so many stages, or where none can go on', () => {
    const run = (system: typeof pipe, most: number, stop: (k: Kernel) => boolean) =>
      random_run(system.boot(new FastStore()), new Random(1), most, stop)
    expect(run(lost_update, 100, () => true)).toEqual([])
    expect(run(lost_update, 100, (k) => cell(k, 1).value > 0).length).toBeLessThan(4)
    expect(run(lost_update, 3, () => false)).toHaveLength(3)
    expect(run(lost_update, 100, () => false)).toHaveLength(4)
    const waits = toy({
      cells: 1,
      programs: [
        [consumer, { count: 1 }],
        [consumer, { count: 1 }],
      ],
    })
    expect(run(waits, 100, () => false)).toEqual([])
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

  test('gives each stage its own events, and no others', () => {
    const seen: string[][] = []
    const system = toy({ cells: 1, programs: [[talker, { times: 3 }]] })
    const k = system.boot(new FastStore())
    k.events = []
    k.tell('before', 'the first stage')
    replay({ ...system, boot: () => k }, k.store, moves(1, 1, 1), {
      after: (_k, _move, _index, events) => seen.push(events.map(({ text }) => text)),
    })
    expect(seen).toEqual([['turn 3'], ['turn 2'], ['turn 1']])
  })

  test('commits each stage: the store knows what each has changed', () => {
    const store = new ImmerStore()
    const patches: number[] = []
    const system = toy({ cells: 1, programs: [[repeat, { times: 3 }]] })
    replay(system, store, moves(1, 1), { after: () => patches.push(store.patches.length) })
    expect(patches).toEqual([2, 2])
  })

  test('a player boots once, and begins each schedule from there', () => {
    let boots = 0
    const player = new Player({
      ...lost_update,
      boot: (store) => {
        boots++
        return lost_update.boot(store)
      },
    })
    expect(cell(player.play(moves(1, 2, 2, 1)), 1).value).toBe(1)
    expect(cell(player.play(moves(1, 1, 2, 2)), 1).value).toBe(2)
    expect(cell(player.play(moves(1)), 1).value).toBe(0)
    expect({ boots, stages: player.stages }).toEqual({ boots: 1, stages: 9 })
    const k = player.play(moves(1, 1), { before: (k) => (k.events = []) })
    k.store.note()
    expect({ events: player.rewind().events, task: k.task }).toEqual({ events: null, task: 0 })
    expect(k.store.footprint()).toEqual([])
  })

  test('whether a task can go on is asked with every answer, and nothing is changed by it', () => {
    // Sleeps with all answers but the last.
    const picky = fn('toy_picky', { source: 'toy' }, [
      stage('wait', (k) => {
        if (choose(k, 3) < 2) return BLOCKED
        k.tell('gone', 'on')
        cell(k, 1).value = 1
        return undefined
      }),
    ])
    const k = toy({
      cells: 1,
      programs: [
        [picky, {}],
        [consumer, { count: 1 }],
      ],
    }).boot(new FastStore())
    k.events = []
    expect([1, 2, 3].map((task) => can_go_on(k, task))).toEqual([true, false, false])
    expect({ events: k.events, value: cell(k, 1).value }).toEqual({ events: [], value: 0 })
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
    expect(run_to_end(lost_update, () => new FastStore(), moves(2, 1, 2))).toEqual(moves(2, 1, 2, 1))
    expect(run_to_end(lost_update, () => new FastStore(), [])).toEqual(moves(1, 1, 2, 2))
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

  test('takes the first answer where the one of the schedule is none yet', () => {
    const toss = fn('toy_cause_toss', { source: 'toy' }, [
      stage('check', () => {}),
      stage('toss', (k) => {
        memo(k, k.task).seen = [choose(k, cell(k, 1).value === 0 ? 2 : 3)]
      }),
    ])
    const system = toy({
      cells: 2,
      programs: [
        [toss, {}],
        [change, { to: 1 }],
      ],
    })
    const schedule = [...moves(1, 2, 2, 2), { task: 1, choice: 2 }]
    expect(first_change(new Player(system), { schedule, from: 1, victim: 1, observe })).toBe(3)
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

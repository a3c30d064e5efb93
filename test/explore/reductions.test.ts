/** Law 3: every reduction says what the judge says, and the judge what plain enumeration says. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deadlocks, ends_with, type Goal, shortest, violates } from '../../src/explore/counterexample.js'
import { depth_first, depth_first_reduced } from '../../src/explore/depth_first.js'
import { enumerate, type Run } from '../../src/explore/enumerate.js'
import { judge } from '../../src/explore/judge.js'
import { count_preemptions, replay } from '../../src/explore/replay.js'
import type { Report, Schedule, System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, jump, stage } from '../../src/kernel/fn.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import { choose } from '../../src/kernel/machine.js'
import { cell, lean_kinds, lean_toy_of, type Op, op_kinds, toy, toy_of } from './toys.js'

const fast = () => new FastStore()

const op_of = (kinds: readonly Op['kind'][]): fc.Arbitrary<Op> =>
  fc.record({
    kind: fc.constantFrom(...kinds),
    cell: fc.integer({ min: 1, max: 2 }),
    number: fc.integer({ min: 1, max: 4 }),
  })
const programs = (tasks: number, ops: number) =>
  fc.array(fc.array(op_of(op_kinds), { minLength: 1, maxLength: ops }), { minLength: 2, maxLength: tasks })

/** What every search must find alike. */
function findings(report: Report) {
  return {
    complete: report.complete,
    violations: report.violations.map(({ property }) => property).sort(),
    deadlock: report.deadlock !== null,
    outcomes: report.outcomes,
  }
}

test('fused, unfused and judge agree on violations, deadlocks and outcomes', () => {
  fc.assert(
    fc.property(programs(3, 3), (tasks) => {
      const system = toy_of(tasks)
      const expected = judge(system, new FastStore())
      const unfused = depth_first(system, { fusion: false })
      expect(findings(depth_first(system))).toEqual(findings(expected))
      expect(findings(depth_first_reduced(system))).toEqual(findings(expected))
      expect(findings(unfused)).toEqual(findings(expected))
      expect(unfused.states).toBe(expected.states)
      expect(unfused.transitions).toBe(expected.transitions)
      expect(depth_first(system).states).toBeLessThanOrEqual(expected.states)
    }),
    { numRuns: 120 },
  )
})

test('the judge says the same on either store', () => {
  fc.assert(
    fc.property(programs(2, 2), (tasks) => {
      const system = toy_of(tasks)
      expect(judge(system, new ImmerStore())).toEqual(judge(system, new FastStore()))
    }),
    { numRuns: 25 },
  )
})

function brute_force(runs: readonly Run[]) {
  return {
    complete: true,
    violations: [...new Set(runs.flatMap((run) => [...run.violations.keys()]))].sort(),
    deadlock: runs.some((run) => run.deadlocked),
    outcomes: [...new Set(runs.map((run) => run.outcome))].sort(),
  }
}

/** Programs of at most twelve stages in all. */
const tiny = fc
  .array(fc.array(op_of(lean_kinds), { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 3 })
  .filter((tasks) => tasks.flat().length <= 7)
const many_runs = { numRuns: 300, seed: 1 }

test('the judge agrees with the enumeration of all interleavings', () => {
  fc.assert(
    fc.property(tiny, (tasks) => {
      const system = lean_toy_of(tasks)
      const expected = brute_force(enumerate(system, fast))
      expect(findings(judge(system, new FastStore()))).toEqual(expected)
      expect(findings(depth_first(system))).toEqual(expected)
    }),
    many_runs,
  )
})

interface Cost {
  readonly preemptions: number
  readonly steps: number
}

function fewest(costs: readonly Cost[]): Cost | null {
  const sorted = [...costs].sort((a, b) => a.preemptions - b.preemptions || a.steps - b.steps)
  return sorted[0] ?? null
}

function cost_of(schedule: Schedule | undefined, preemptions: number | undefined): Cost | null {
  return schedule === undefined ? null : { preemptions: preemptions!, steps: schedule.length }
}

/** The goals of the 0-1 search, each with its costs in a complete run. */
function goals(system: System, runs: readonly Run[]): [Goal, Cost[]][] {
  const at_end = (run: Run) => ({ preemptions: run.preemptions, steps: run.schedule.length })
  const last = brute_force(runs).outcomes.at(-1)!
  return [
    [violates(system), runs.flatMap((run) => [...run.violations.values()])],
    [violates(system, 'three'), runs.flatMap((run) => run.violations.get('three') ?? [])],
    [deadlocks, runs.filter((run) => run.deadlocked).map(at_end)],
    [
      ends_with(system, (outcome) => outcome === last),
      runs.filter((run) => run.outcome === last).map(at_end),
    ],
  ]
}

test('the 0-1 search finds the fewest preemptions, and without fusion the fewest stages', () => {
  let found = 0
  fc.assert(
    fc.property(tiny, (tasks) => {
      const system = lean_toy_of(tasks)
      const runs = enumerate(system, fast)
      for (const [goal, costs] of goals(system, runs)) {
        const expected = fewest(costs)
        const exact = shortest(system, goal, { fusion: false }).counterexample
        expect(cost_of(exact?.schedule, exact?.preemptions)).toEqual(expected)
        const fused = shortest(system, goal).counterexample
        expect(fused?.preemptions).toBe(expected?.preemptions)
        if (fused === null || expected === null) continue
        found++
        expect(goal.holds(replay(system, fast(), fused.schedule))).toBe(true)
        expect(count_preemptions(system, fast(), fused.schedule)).toBe(expected.preemptions)
        expect(fused.schedule.length).toBeGreaterThanOrEqual(expected.steps)
      }
    }),
    many_runs,
  )
  expect(found).toBeGreaterThan(50)
})

test('what is found within a bound on preemptions is what takes no more', () => {
  fc.assert(
    fc.property(programs(3, 3), fc.nat(2), (tasks, preemptions) => {
      const system = toy_of(tasks)
      const report = depth_first(system, { preemptions })
      const needed = shortest(system, violates(system)).counterexample?.preemptions
      expect(report.violations.length > 0).toBe(needed !== undefined && needed <= preemptions)
      if (report.complete) expect(report.outcomes).toEqual(depth_first(system).outcomes)
    }),
    { numRuns: 150 },
  )
})

test('of two ways to the same state the shorter is taken, though the longer was met first', () => {
  const detour = fn('toy_detour', { source: 'toy' }, [
    stage('toss', (k, f) => (choose(k, 2) === 0 ? undefined : jump(f, 'arrive'))),
    stage('around', () => {}),
    stage('about', () => {}),
    stage('arrive', (k) => {
      cell(k, 1).value = 1
    }),
    stage('sit', () => {}),
    stage('end', (k) => {
      cell(k, 1).value = 2
    }),
  ])
  const system = toy({
    cells: 1,
    programs: [[detour, {}]],
    violations: (k) => (cell(k, 1).value === 2 ? ['two'] : []),
  })
  const { counterexample } = shortest(system, violates(system))
  expect(counterexample!.schedule).toEqual([1, 0, 0, 0].map((choice) => ({ task: 1, choice })))
})

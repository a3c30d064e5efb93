/** What `toctoscope/fast-check` promises: data in the JSON form, policies that parse, schedules that replay. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { replay } from '../../src/explore/replay.js'
import {
  case_of,
  cases,
  file_trees,
  follow,
  garbage,
  operations,
  policies,
  programs,
  schedules,
  setups,
} from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { parse_policy } from '../../src/lsm/ipe/policy_parser.js'
import { case_system } from '../../src/scenario/case_system.js'
import { setup_schema, validate_scenario } from '../../src/scenario/form_schema.js'
import { explore_case } from '../../src/verdict/explore_case.js'

const seeded = { numRuns: 200, seed: 41 }

test('cases have the JSON form, and can be set up and run', () => {
  fc.assert(
    fc.property(cases({ max_tasks: 3 }), schedules(), (form, wishes) => {
      const whole = { toctoscope: 1 as const, name: 'random', summary: '', cases: [form] }
      expect(validate_scenario(JSON.parse(JSON.stringify(whole)))).toEqual(whole)
      expect(form.tasks.length).toBeGreaterThanOrEqual(2)
      expect(form.tasks.length).toBeLessThanOrEqual(3)
      const system = case_system(case_of(form))
      const store = new FastStore()
      const schedule = follow(system, store, wishes)
      expect(schedule.length).toBeLessThanOrEqual(wishes.length)
      const again = new FastStore()
      replay(system, again, schedule)
      expect(again.snapshot()).toEqual(store.snapshot())
    }),
    seeded,
  )
})

test('set-ups and trees have the form of the schema', () => {
  fc.assert(
    fc.property(setups({ profiles: ['7.2'] }), file_trees({ names: ['a'], depth: 2 }), (setup, tree) => {
      expect(setup_schema.safeParse(setup).success).toBe(true)
      expect(setup.profile).toBe('7.2')
      const filesystems = { root: { type: 'tmpfs' as const, tree } }
      expect(setup_schema.safeParse({ filesystems }).success).toBe(true)
      expect(Object.keys(tree).filter((name) => name !== 'a')).toEqual([])
    }),
    seeded,
  )
})

test('policies are accepted', () => {
  fc.assert(
    fc.property(policies(), (text) => {
      expect(parse_policy(text)).toHaveProperty('policy')
    }),
    seeded,
  )
})

test('a program has the operations that were asked for, and every operation makes a call', () => {
  for (const name of operations.filter((each) => each !== 'again')) {
    const [program] = fc.sample(programs({ operations: [name], min: 1, max: 1 }), { numRuns: 1, seed: 43 })
    expect(program!.some((op) => 'call' in op)).toBe(true)
  }
  fc.assert(
    fc.property(programs({ operations: ['stat'], paths: ['/only'], max: 3 }), (program) => {
      expect(program.length).toBeGreaterThanOrEqual(1)
      expect(program.length).toBeLessThanOrEqual(3)
      for (const op of program) expect(op).toMatchObject({ args: ['/only'], on_error: 'continue' })
    }),
    seeded,
  )
})

test('a failing case shrinks to its core', () => {
  const writes = fc.check(
    fc.property(cases({ program: { max: 6 } }), (form) =>
      form.tasks.every((task) => task.program.every((op) => !('call' in op) || op.call !== 'rmdir')),
    ),
    { numRuns: 500, seed: 47 },
  )
  expect(writes.failed).toBe(true)
  const [form] = writes.counterexample!
  const calls = form.tasks.flatMap((task) => task.program.map((op) => ('call' in op ? op.call : 'none')))
  expect(calls).toContain('rmdir')
  expect(calls.length).toBeLessThanOrEqual(3)
  expect(form.setup!.mounts!.length).toBe(1)
  expect(form.setup!.filesystems!.root!.tree).toEqual({})
})

test('garbage is of every kind', () => {
  const kinds = new Set(fc.sample(garbage(), { numRuns: 500, seed: 53 }).map((each) => typeof each))
  expect([...kinds].sort()).toEqual([
    'bigint',
    'boolean',
    'function',
    'number',
    'object',
    'string',
    'symbol',
    'undefined',
  ])
})

test('cases are not all safe, and small', () => {
  const verdicts = fc
    .sample(cases(), { numRuns: 200, seed: 59 })
    .map((form) => explore_case(case_of(form), { max_states: 20_000, remove_calls: false }).verdict)
  const count = (verdict: string) => verdicts.filter((each) => each === verdict).length
  expect(count('incomplete')).toBe(0)
  expect(count('race')).toBeGreaterThan(30)
  expect(count('race') + count('hole')).toBeGreaterThanOrEqual(40)
})

test('an operation that there is not is named, and so is the nearest', () => {
  const programs_of = () => programs({ operations: ['open_read', 'raed'] })
  expect(programs_of).toThrow('there is no operation "raed"; did you mean read')
})

/** Both stores say the same of the whole model, step by step. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Random, random_run } from '../../src/explore/random_run.js'
import type { Move, Schedule, System } from '../../src/explore/system.js'
import { case_of, cases, follow, schedules } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Footprint } from '../../src/kernel/footprint.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Kernel, Store } from '../../src/kernel/kernel.js'
import { step } from '../../src/kernel/machine.js'
import { case_system } from '../../src/scenario/case_system.js'
import { shipped } from './support.js'

interface Seen {
  readonly state: string
  readonly hash: readonly number[]
  readonly events: unknown
  readonly footprint: Footprint
  readonly result: number
  readonly choices: number
}

/** One step with all that can be seen of it. Footprints are sets of touches in the order of the first. */
function watched(k: Kernel, { task, choice }: Move): Seen {
  k.events = []
  k.store.note()
  const result = step(k, task, choice)
  const footprint = k.store.footprint()
  k.store.commit()
  return {
    result,
    footprint,
    choices: k.choices,
    events: k.events,
    state: JSON.stringify(k.store.snapshot()),
    hash: [k.store.hash_lo, k.store.hash_hi],
  }
}

/** Runs a schedule on both, step by step. @returns how many touches were compared */
function compare(system: System, schedule: Schedule): number {
  const boot = (store: Store) => {
    const k = system.boot(store)
    store.commit()
    return k
  }
  const fast = boot(new FastStore())
  const immer = boot(new ImmerStore())
  expect(fast.store.snapshot()).toEqual(immer.store.snapshot())
  let touches = 0
  for (const move of schedule) {
    const expected = watched(immer, move)
    expect(watched(fast, move)).toEqual(expected)
    touches += expected.footprint.length
  }
  expect(system.outcome(fast)).toBe(system.outcome(immer))
  expect(system.violations(fast)).toEqual(system.violations(immer))
  return touches
}

test('on random cases', () => {
  let touches = 0
  fc.assert(
    fc.property(cases({ program: { max: 4 }, max_tasks: 3 }), schedules(150, 60), (form, wishes) => {
      const system = case_system(case_of(form))
      touches += compare(system, follow(system, new FastStore(), wishes))
    }),
    { numRuns: 60, seed: 3 },
  )
  expect(touches).toBeGreaterThan(5000)
})

test.each(shipped.map((each) => [each.name, each] as const))('on %s', (_, scenario) => {
  const random = new Random(11)
  const chosen = scenario.cases.filter((_, i) => i % Math.ceil(scenario.cases.length / 5) === 0)
  for (const each of chosen) {
    const system = case_system(each)
    const schedule = random_run(system.boot(new FastStore()), random, 1000, () => false)
    expect(compare(system, schedule)).toBeGreaterThan(50)
  }
})

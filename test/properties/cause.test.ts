/** The cause is the same where the victim is asked after every stage, and where only after those that it can meet. */
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { Random, random_run } from '../../src/explore/random_run.js'
import { Player } from '../../src/explore/replay.js'
import type { Schedule } from '../../src/explore/system.js'
import { case_of, cases } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { TouchIndex } from '../../src/kernel/notes.js'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.js'
import { cause_of } from '../../src/verdict/cause.js'
import { attacked, racy } from './support.js'

afterEach(() => vi.restoreAllMocks())

/** A random run to its first violation; null where it comes to none. */
function violating(system: CaseSystem, seed: number): Schedule | null {
  const k = system.boot(new FastStore())
  const schedule = random_run(k, new Random(seed), 3000, () => system.violations(k).length > 0)
  return system.violations(k).length > 0 ? schedule : null
}

test('what the victim cannot meet is no cause', () => {
  let compared = 0
  const found = new Set<string>()
  const compare = fc.property(fc.oneof(attacked, cases(racy)), fc.integer(), (form, seed) => {
    const system = case_system(case_of(form))
    const schedule = violating(system, seed)
    if (schedule === null) return
    const cause = cause_of(new Player(system), schedule)
    const always = vi.spyOn(TouchIndex.prototype, 'is_changed_by').mockReturnValue(true)
    const plain = cause_of(new Player(system), schedule)
    always.mockRestore()
    expect(cause).toEqual(plain)
    compared++
    if (cause !== null) found.add(cause.kind)
  })
  fc.assert(compare, { numRuns: 3000, seed: 41 })
  expect(compared).toBeGreaterThan(60)
  expect(found.size).toBeGreaterThan(2)
}, 120_000)

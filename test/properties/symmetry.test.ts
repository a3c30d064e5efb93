/** Tasks that nobody can tell apart are told apart by no stage of the model, and the search that takes them for one loses nothing. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DepthFirstOptions, depth_first, depth_first_reduced } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import { Random, random_run } from '../../src/explore/random_run.js'
import { permutations } from '../../src/explore/selection/symmetry.js'
import type { Report } from '../../src/explore/system.js'
import { case_of } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { out } from '../../src/kernel/hash.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { step } from '../../src/kernel/machine.js'
import { renumber } from '../../src/kernel/renumbering.js'
import { SymmetricStore } from '../../src/kernel/symmetric_store.js'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.js'
import { twins } from './twins.js'

const LONG = 300_000

const of_twins = twins
  .map((form) => ({ form, system: case_system(case_of(form)) }))
  .filter(({ system }) => system.exchangeable !== null)

function known_by(store: SymmetricStore): string {
  store.known_by()
  return `${out.lo} ${out.hi}`
}

/** Makes a random run and the same with tasks in each other's places, and compares all that the states hold. */
function run_beside(system: CaseSystem, seed: number, known: { alike: number; apart: number }): void {
  const random = new Random(seed)
  const schedule = random_run(system.boot(new FastStore()), random, 10_000, () => false)
  const all = permutations(system.exchangeable!)
  const to = all[seed % all.length]!
  const stores = [new SymmetricStore(system.exchangeable!), new SymmetricStore(system.exchangeable!)] as const
  const [one, other] = stores.map((store) => system.boot(store)) as [Kernel, Kernel]
  for (const { task, choice } of schedule) {
    step(one, task, choice)
    step(other, to(task), choice)
    const moved = renumber(one.store.snapshot(), system.exchangeable!, to)
    expect(JSON.stringify(other.store.snapshot())).toBe(JSON.stringify(moved))
    const [a, b] = stores.map(known_by)
    known[a === b ? 'alike' : 'apart']++
  }
  expect(system.outcome(other)).toBe(system.outcome(one, to))
}

test(
  'a run with tasks in each other’s places comes to the same states with their numbers exchanged',
  () => {
    const known = { alike: 0, apart: 0 }
    fc.assert(
      fc.property(of_twins, fc.nat(1000), ({ system }, seed) => run_beside(system, seed, known)),
      { numRuns: 60, seed: 3 },
    )
    // Of permutations some are not seen to be such, and then only a reduction is lost.
    expect(known.apart).toBeLessThan(known.alike / 20)
  },
  LONG,
)

const findings = ({ complete, violations, deadlock, outcomes, witnesses }: Report) => ({
  complete,
  violations: violations.map(({ property }) => property).sort(),
  deadlock: deadlock !== null,
  outcomes,
  witnesses,
})

const ways: readonly DepthFirstOptions[] = [{}, { inferred: false }, { fusion: false }, { exact: true }]

test(
  'the search that takes them for one says what the judge says',
  () => {
    let states = 0
    let all = 0
    const small = of_twins.filter(
      ({ system }) => depth_first(system, { fusion: false, symmetry: false, max_states: 1500 }).complete,
    )
    const compare = fc.property(small, fc.nat(ways.length - 1), ({ system }, way) => {
      const expected = judge(system, new FastStore())
      const reduced = depth_first_reduced(system, ways[way])
      // What has one hash is one state, if tasks really are in each other's places.
      if (way === 3) expect(reduced.states).toBe(depth_first_reduced(system).states)
      expect(findings(reduced)).toEqual(findings(expected))
      if (way === 2) {
        states += reduced.states
        all += expected.states
      }
    })
    fc.assert(compare, { numRuns: 60, seed: 5 })
    expect(states).toBeLessThan(0.7 * all)
  },
  LONG,
)

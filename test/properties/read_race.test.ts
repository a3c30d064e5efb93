/** The race that the project exists for, by random search; and that what is said to be safe never breaks. */
import { describe, expect, test } from 'vitest'
import scenario from '../../scenarios/overlay-copy-up.js'
import { shortest, violates } from '../../src/explore/counterexample.js'
import { depth_first } from '../../src/explore/depth_first.js'
import { random_search } from '../../src/explore/random_run.js'
import { count_preemptions, Player, replay } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { case_system } from '../../src/scenario/case_system.js'
import { minimise } from '../../src/verdict/minimise.js'
import { calls_in_order, case_named } from './support.js'

const SEEDS = Array.from({ length: 50 }, (_, i) => i + 1)

describe('the read race on an overlay', () => {
  const of = case_named(scenario, 'access=read mitigation=none profile=7.2')
  const system = case_system(of)

  test.each(SEEDS)('seed %i finds it within 2,000 runs, and it shrinks to six calls', (seed) => {
    const found = random_search(system, { seed, runs: 2000, property: 'check-use' })
    expect(found.property).toBe('check-use')
    expect(system.violations(replay(system, new FastStore(), found.schedule!))).toContain('check-use')

    const preemptions = count_preemptions(system, new FastStore(), found.schedule!)
    const { counterexample } = shortest(system, violates(system, 'check-use'), { preemptions })
    expect(counterexample!.preemptions).toBe(1)

    const shown = minimise(of, new Player(system), counterexample!, 'check-use')
    const { schedule } = shown
    expect(calls_in_order(shown.player().system, schedule)).toEqual([
      'interpreter: open("/m/script", O_RDONLY)',
      'interpreter: execveat(3, "", NULL, NULL, AT_EMPTY_PATH|AT_EXECVE_CHECK)',
      'attacker: open("/m/script", O_WRONLY)',
      'attacker: write(3, "#!/bin/i\\nsteal()\\n", 17)',
      // Without it the attacker would have the file open until it ends: a step more, and no call less.
      'attacker: close(3)',
      'interpreter: read(3, buf, 17)',
    ])
    expect(shown.player().system.code.programs.map(({ calls }) => calls.length)).toEqual([3, 3])
    expect(
      shown.player().system.violations(replay(shown.player().system, new FastStore(), schedule)),
    ).toContain('check-use')
  })
})

describe('a mapping of the checked descriptor', () => {
  const cases = ['mmap-after', 'mmap-before'].flatMap((access) =>
    ['6.19', '7.2'].map((profile) => `access=${access} mitigation=none profile=${profile}`),
  )
  test.each(cases)(
    '%s: neither 10,000 runs nor the complete search break it',
    (name) => {
      const system = case_system(case_named(scenario, name))
      const report = depth_first(system)
      expect(report.complete).toBe(true)
      expect(report.violations).toEqual([])
      expect(report.deadlock).toBeNull()
      expect(report.witnesses).toContain('approved')
      expect(report.witnesses).toContain('changed by write')

      const found = random_search(system, { seed: 1, runs: 10_000 })
      expect(found).toMatchObject({ runs: 10_000, property: null, schedule: null })
      // What random runs end with is among what the complete search saw, and they saw more than one end.
      expect(report.outcomes).toEqual(expect.arrayContaining([...found.outcomes]))
      expect(found.outcomes.length).toBeGreaterThan(1)
    },
    300_000,
  )
})

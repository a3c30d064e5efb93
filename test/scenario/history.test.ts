/** What outcomes speak of: the history of a run, whatever is overwritten later; search and judge alike. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/explore/decide.js'
import { depth_first } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import { random_search } from '../../src/explore/random_run.js'
import type { System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Case, CaseBuilder } from '../../src/scenario/builder.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { result } from '../../src/scenario/code.js'
import type { CaseForm, OpForm, OutcomeForm } from '../../src/scenario/form.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of, run } from './support.js'

const kept = (name: string): Case => {
  const text = readFileSync(new URL(`../cases/scenarios/${name}.json`, import.meta.url), 'utf8')
  return scenario_from_form(validate_scenario(JSON.parse(text))).cases[0]!
}

/** What each kind of search finds violated. */
function found(system: System): Record<string, string[]> {
  const names = (report: { violations: readonly { property: string }[] }) =>
    report.violations.map(({ property }) => property).sort()
  return {
    fused: names(depth_first(system)),
    stage_by_stage: names(depth_first(system, { fusion: false })),
    judged: names(judge(system, new FastStore())),
  }
}

const in_all = (...names: string[]) => ({ fused: names, stage_by_stage: names, judged: names })

/** One task that runs this, and what must never be. */
function never(program: readonly OpForm[], outcome: OutcomeForm): System {
  const tasks = [{ name: 'v', program }]
  const form: CaseForm = { tasks, properties: [{ never: outcome, name: 'no' }] }
  return case_system({ form, code: { modules: new Map(), properties: new Map() } })
}

const umask = (mask: number, as = 'u'): OpForm => ({ call: 'umask', args: [mask], as })

describe('an outcome that has come', () => {
  test.each([
    ['never-overwritten', 'never v.u=18'],
    ['never-at-the-end', 'never v.u=ok'],
  ])('%s: stays, although a loop overwrites the result', (name, property) => {
    const of = kept(name)
    expect(found(case_system(of))).toEqual(in_all(property))
    expect(explore_case(of)).toMatchObject({ verdict: 'hole', property })
  })

  test('may be shown by any of the calls of a name', () => {
    const twice = [umask(1), umask(2), umask(4)]
    for (const value of [0o022, 1, 2]) expect(found(never(twice, { 'v.u': value }))).toEqual(in_all('no'))
    expect(found(never(twice, { 'v.u': 4 }))).toEqual(in_all())
  })

  test('its parts need not hold at the same moment, but in the same run', () => {
    const loops: OpForm[] = [
      { repeat: 2, body: [umask(0, 'a')] },
      { repeat: 2, body: [umask(7, 'b')] },
    ]
    expect(found(never(loops, { 'v.a': 0o022, 'v.b': 7 }))).toEqual(in_all('no'))
    const either: OpForm[] = [
      { call: 'stat', args: ['/none'], as: 's', on_error: 'continue' },
      // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
      { if: { result: 's', ok: true }, then: [umask(0, 'a')], else: [umask(0, 'b')] },
    ]
    expect(found(never(either, { 'v.a': 'ok', 'v.b': 'ok' }))).toEqual(in_all())
  })

  test('a fork returns twice, and a child has its own calls', () => {
    const forks: OpForm[] = [{ call: 'fork', as: 'f', child: [umask(0)] }, umask(1)]
    expect(found(never(forks, { 'v.f': 0 }))).toEqual(in_all('no'))
    expect(found(never([{ call: 'fork', as: 'f' }], { 'v.f': 0 }))).toEqual(in_all('no'))
    expect(found(never(forks, { 'v.u': 0o022 }))).toEqual(in_all('no'))
    expect(found(never(forks, { 'v.u': 0 }))).toEqual(in_all())
  })

  test('is reached, although a loop overwrites the result', () => {
    const of = case_of((s) => {
      const t = s.task('t')
      t.repeat(2, () => t.umask(0).as('u'))
      s.reaches({ 't.u': 0o022 })
      s.reaches({ 't.u': 0 })
    })
    expect(explore_case(of).unreached).toEqual([])
  })
})

describe('what is violated', () => {
  const violations = (build: (s: CaseBuilder) => void) => {
    const { k, system } = run(case_of(build))
    return system.violations(k)
  }

  test('is named once, in the order of the case, however many tasks are at fault', () => {
    const both = (s: CaseBuilder) => {
      const tree = { f: { file: 'content', mode: 0o755 } }
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
      for (const name of ['a', 'b']) {
        const t = s.victim(name)
        const fd = t.open('/f', 'O_RDONLY')
        const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        t.use(t.read(fd, 3), { relies })
      }
    }
    expect(violations(both)).toEqual(['check-use'])
    expect(
      violations((s) => {
        s.property({ name: 'code', violated: () => true })
        s.never({ 'b.fd': 'ok' }, 'never b')
        s.never({ 'a.fd': 'failed' }, 'never a')
        s.property('check-use')
        both(s)
      }),
    ).toEqual(['check-use', 'code', 'never b'])
  })

  test('may be that a call failed, gave an errno, or a number', () => {
    const of = (value: string | number) =>
      violations((s) => {
        const t = s.task('t')
        t.stat('/none').as('failed').may_fail()
        t.open('/', 'O_RDONLY').as('fd')
        s.never({ 't.failed': value as 'failed' }, 'first')
        s.never({ 't.fd': value as 'failed' }, 'second')
      })
    expect([of('failed'), of('ok'), of('ENOENT'), of('EACCES'), of(3), of(-2)]).toEqual([
      ['first'],
      ['second'],
      ['first'],
      [],
      ['second'],
      ['first'],
    ])
  })
})

describe('a property that is code', () => {
  /** Holds only between two calls of one task, which fusion runs as one move. */
  const momentary = case_of((s: CaseBuilder) => {
    const t = s.task('t')
    t.repeat(2, () => t.umask(0).as('u'))
    s.property({ name: 'moment', violated: (k) => result.rows(k).some((row) => row.ret === 0o022) })
  })

  test('is asked after every stage, by every search', () => {
    const system = case_system(momentary)
    expect(found(system)).toEqual(in_all('moment'))
    expect(decide(system)).toMatchObject({ verdict: 'hole', property: 'moment' })
    expect(random_search(system, { seed: 1, runs: 1 }).property).toBe('moment')
  })

  test('the way to it ends at the stage at which it holds', () => {
    const system = case_system(momentary)
    const { counterexample } = decide(system)
    expect(counterexample!.schedule.length).toBeLessThan(
      depth_first({ ...system, violations: () => [], momentary: false }).depth,
    )
  })
})

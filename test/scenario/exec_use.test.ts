/** A real exec uses the bytes that it runs, on the strength of those who said yes to it. */
import { describe, expect, test } from 'vitest'
import type { CaseBuilder, Scenario } from '../../src/scenario/builder.js'
import { case_name } from '../../src/scenario/form.js'
import { explore_case } from '../../src/verdicts.js'
import hash_then_exec from '../cases/scenarios/hash-then-exec-safe.js'
import real_exec_gate from '../cases/scenarios/real-exec-gate-safe.js'
import { case_of } from './support.js'

const verdicts = (scenario: Scenario) =>
  Object.fromEntries(
    scenario.cases.map((each) => {
      const { verdict, property, unwitnessed, cause } = explore_case(each)
      return [case_name(each.form), { verdict, property, unwitnessed, cause: cause?.kind }]
    }),
  )

const race = (cause: string) => ({ verdict: 'race', property: 'check-use', unwitnessed: null, cause })
const safe = { verdict: 'safe', property: null, unwitnessed: null, cause: undefined }

test('a judge in file_open looks before writes are denied; the others only where an exec denies none', () => {
  const expected: Record<string, unknown> = {}
  for (const gate of ['file_open', 'bprm_creds_for_exec', 'bprm_check_security'])
    for (const profile of ['6.11', '6.18']) {
      const races = gate === 'file_open' || profile === '6.11'
      expected[`gate=${gate} attack=write profile=${profile}`] = races ? race('write in place') : safe
      expected[`gate=${gate} attack=rename profile=${profile}`] = safe
    }
  expect(verdicts(real_exec_gate)).toEqual(expected)
})

test('a loader that reads and then runs relies on what it read', () => {
  expect(verdicts(hash_then_exec)).toEqual({
    'by=fd attack=write profile=6.18': race('write in place'),
    'by=path attack=write profile=6.18': race('write in place'),
    'by=path attack=rename profile=6.18': race('rename over'),
    'by=fd attack=rename profile=6.18': safe,
  })
})

describe('while the program runs', () => {
  const run_and = (profile: '6.11' | '6.18', attack: (s: CaseBuilder) => void) =>
    explore_case(
      case_of((s) => {
        s.profile(profile)
        const tree = { p: { file: '\x7fELFgood', mode: 0o777 } }
        s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
        s.victim('runner').execve('/p', ['p'], null).as('run')
        attack(s)
      }),
    )

  test('its pages are those of the file: what is written then is run', () => {
    const after = (s: CaseBuilder) => {
      const a = s.attacker('writer')
      a.write(a.open('/p', 'O_WRONLY'), '\x7fELFevil')
    }
    expect(run_and('6.11', after)).toMatchObject({ verdict: 'race', property: 'check-use' })
    expect(run_and('6.18', after)).toMatchObject({ verdict: 'safe', unwitnessed: null })
  })

  test('a file that is cut short is less than what was approved', () => {
    const cut = (s: CaseBuilder) => void s.attacker('cutter').truncate('/p', 5)
    expect(run_and('6.11', cut)).toMatchObject({ verdict: 'race', property: 'check-use' })
    expect(run_and('6.18', cut)).toMatchObject({ verdict: 'safe', unwitnessed: null })
  })
})

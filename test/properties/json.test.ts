/** The JSON form survives the round trip: the same document, the same verdicts, the same states. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { case_of, cases } from '../../src/fast-check.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import type { CaseForm, ScenarioForm } from '../../src/scenario/form.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { type CaseReport, explore_case } from '../../src/verdict/explore_case.js'
import { attacked, racy, shipped } from './support.js'

const document = (form: CaseForm): ScenarioForm => ({
  toctoscope: 1,
  name: 'random',
  summary: 'made by chance',
  cases: [form],
})

/** What a report says, without the systems that it was made with. */
function said({ search, ...report }: CaseReport) {
  const { whole: _, system: __, explained: ___, ...rest } = report
  const { violations, stages, depth, deadlock } = search
  return { ...rest, violations, stages, depth, deadlock }
}

const round_trip = (form: ScenarioForm): ScenarioForm => validate_scenario(JSON.parse(JSON.stringify(form)))

test('of random cases', () => {
  const bounds = { max_states: 3000 }
  const verdicts = new Set<string>()
  fc.assert(
    fc.property(fc.oneof(cases(racy), attacked), (form) => {
      const whole = document(form)
      const again = round_trip(whole)
      expect(again).toEqual(whole)
      const [loaded] = scenario_from_form(again).cases
      const report = explore_case(loaded!, bounds)
      verdicts.add(report.verdict)
      expect(said(report)).toEqual(said(explore_case(case_of(form), bounds)))
    }),
    { numRuns: 120, seed: 9 },
  )
  expect(verdicts).toContain('safe')
  expect(verdicts).toContain('race')
})

describe.each(shipped.map((each) => [each.name, each] as const))('of %s', (_, scenario) => {
  test('as a document', () => {
    const again = round_trip(scenario.form)
    expect(again).toEqual(scenario.form)
    expect(scenario_from_form(again).form).toEqual(scenario.form)
  })

  test('explored', () => {
    const loaded = scenario_from_form(round_trip(scenario.form)).cases
    expect(loaded.length).toBe(scenario.cases.length)
    const step = Math.ceil(loaded.length / 8)
    for (let i = 0; i < loaded.length; i += step) {
      expect(said(explore_case(loaded[i]!))).toEqual(said(explore_case(scenario.cases[i]!)))
    }
  })
})

/** What explains a verdict is found out once, when somebody asks for it, and everybody is told the same. */
import { afterEach, expect, it, vi } from 'vitest'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import { Player } from '../../src/explore/replay.js'
import { counterexample_trace, replay_token } from '../../src/index.js'
import { case_name } from '../../src/scenario/form.js'
import { execution_of, token_of, trace_execution } from '../../src/trace/record/execution.js'
import { decode_token } from '../../src/trace/record/token.js'
import { explore_case } from '../../src/verdict/explore_case.js'

const index = overlay_copy_up.cases.findIndex(
  ({ form }) => case_name(form) === 'access=read mitigation=none profile=7.2',
)
const race = overlay_copy_up.cases[index]!

afterEach(() => {
  vi.restoreAllMocks()
})

it('a verdict costs no explanation, and an explanation is made once', () => {
  const play = vi.spyOn(Player.prototype, 'play')
  const report = explore_case(race)
  const { verdict, property, preemptions, bounds, minimal, found } = report
  expect({ verdict, property, preemptions, bounds, minimal }).toEqual({
    verdict: 'race',
    property: 'check-use',
    preemptions: 1,
    bounds: [],
    minimal: true,
  })
  // The search itself looks at the end of what it has found.
  const of_search = play.mock.calls.length
  expect(play.mock.calls.every(([schedule]) => schedule.length === found!.schedule.length)).toBe(true)
  const { cause } = report
  const of_cause = play.mock.calls.length
  expect(of_cause).toBeGreaterThan(of_search)
  const { explained } = report
  const trace = counterexample_trace(overlay_copy_up, race, report)!
  expect(token_of({ scenario: overlay_copy_up, index, explained: explained! })).toBe(trace.token)
  expect([report.removed, report.counterexample!.schedule]).toEqual([explained!.removed, explained!.schedule])
  expect(play.mock.calls.length).toBe(of_cause)
  expect(trace.cause).toEqual({ kind: cause!.kind, text: cause!.text, step: cause!.step + 1 })
})

it('a token says of its execution what the search said', () => {
  const report = explore_case(race)
  const trace = counterexample_trace(overlay_copy_up, race, report)!
  expect(replay_token(trace.token!, overlay_copy_up)).toEqual(trace)
  const { explained } = execution_of(decode_token(trace.token!), overlay_copy_up, index)
  const { verdict, property, cause, preemptions, schedule } = report.explained!
  expect(explained).toMatchObject({ verdict, property, cause, preemptions, schedule })
})

it('who interrupts a search is shown what it found, with its cause and all its calls', () => {
  const report = explore_case(race, { explaining: () => ({ interrupted: () => true }) })
  const { bounds, removed, cause } = report.explained!
  expect([bounds, removed, cause!.kind]).toEqual([['stopped'], [], 'copy-up'])
})

it('where there is no time to explain a counterexample it is shown as it was found', () => {
  const report = explore_case(race, { explaining: () => ({ max_time: 0, now: () => 0 }) })
  const { explained, found } = report
  expect(explained).toMatchObject({ bounds: ['time'], schedule: found!.schedule, removed: [] })
  expect(explained!.cause!.kind).toBe('not looked for')
  const trace = trace_execution({ scenario: overlay_copy_up, index, explained: explained! })
  expect(trace.cause).toMatchObject({ kind: 'not looked for', step: 0 })
})

/** What a user of the package does with traces. */
import { expect, test } from 'vitest'
import overlay_copy_up from '../../scenarios/overlay-copy-up.ts'
import path_or_descriptor from '../../scenarios/path-or-descriptor.ts'
import {
  counterexample_trace,
  explore_case,
  replay_token,
  TokenError,
  TraceError,
  trace_to_json,
  trace_to_text,
  validate_trace,
} from '../../src/index.ts'

const [first, , , , safe] = path_or_descriptor.cases
const race = counterexample_trace(path_or_descriptor, first!, explore_case(first!))!

test('a trace is drawn, repeated by its token, and read again', () => {
  expect(trace_to_text(race)).toContain(race.token)
  expect(replay_token(race.token!, path_or_descriptor)).toEqual(race)
  expect(validate_trace(JSON.parse(trace_to_json(race)))).toEqual(JSON.parse(JSON.stringify(race)))
})

test('there is none of a safe case, nor of a case of another scenario', () => {
  expect(counterexample_trace(path_or_descriptor, safe!, explore_case(safe!))).toBeNull()
  expect(() => counterexample_trace(overlay_copy_up, first!, explore_case(first!))).toThrow(
    'this case is none of the scenario overlay-copy-up',
  )
})

test('what is none is refused', () => {
  expect(() => replay_token('toct1.AAAA', path_or_descriptor)).toThrow(TokenError)
  expect(() => replay_token(race.token!, overlay_copy_up)).toThrow(
    'the token is of the scenario path-or-descriptor',
  )
  expect(() => validate_trace({ toctoscope_trace: 1 })).toThrow(TraceError)
  expect(() => validate_trace({ ...race, version: '9.9.9' })).toThrow('recorded by toctoscope 9.9.9')
  expect(() => validate_trace({ ...race, preemptions: 5 })).toThrow('it has 1 preemptions, and says 5')
})

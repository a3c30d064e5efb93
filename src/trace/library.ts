/**
 * Traces for users of the library: of what a search has found, and of a token; and those that come from outside.
 */
import type { Case, Scenario } from '../scenario/builder.js'
import { ScenarioError } from '../scenario/error.js'
import type { CaseReport } from '../verdict/explore_case.js'
import { VERSION } from '../version.js'
import { inconsistency } from './consistent.js'
import { execution_of, trace_execution } from './record/execution.js'
import { decode_token, find_case } from './record/token.js'
import type { Trace } from './trace.js'
import { validate_trace as check_form } from './trace_schema.js'

/** A document that is no trace which this version can read; the message says what is wrong with it, and where. */
export class TraceError extends Error {
  override readonly name = 'TraceError'

  /** @param next what to type next, where that would help */
  constructor(
    message: string,
    readonly next = '',
  ) {
    super(message)
  }
}

/**
 * The counterexample of a case that was explored, step by step, with the token that repeats it.
 *
 * @param of one of `scenario.cases`
 * @param report what `explore_case(of)` has found
 * @returns null where the report has no counterexample: nothing was found, or an outcome that no run reaches
 * @throws ScenarioError where the case is none of the scenario's
 */
export function counterexample_trace(scenario: Scenario, of: Case, report: CaseReport): Trace | null {
  const index = scenario.cases.indexOf(of)
  if (index < 0) throw new ScenarioError('', `this case is none of the scenario ${scenario.name}`)
  const { explained } = report
  return explained === null ? null : trace_execution({ scenario, index, explained })
}

/**
 * Repeats the execution of a token exactly.
 *
 * @param token as traces hold it (`trace.token`) and commands print it
 * @param scenario the one that the token was made of
 * @throws TokenError where it is no token, is damaged, or belongs to another version or scenario; ReplayError where
 *   its schedule does not fit
 */
export function replay_token(token: string, scenario: Scenario): Trace {
  const decoded = decode_token(token)
  return trace_execution(execution_of(decoded, scenario, find_case(decoded, scenario.form)))
}

/**
 * Checks that a document is a trace: its form, the version that recorded it, and that it agrees with itself.
 *
 * @param document of any kind, such as what `JSON.parse` gives of a file
 * @returns the same, known to be a trace
 * @throws TraceError saying, in this order, which field has not the form, which version recorded it, what does not fit
 */
export function validate_trace(document: unknown): Trace {
  const checked = check_form(document)
  if ('problem' in checked) throw new TraceError(`not a trace that this version can read: ${checked.problem}`)
  const { trace } = checked
  if (trace.version !== VERSION)
    throw new TraceError(
      `the trace was recorded by toctoscope ${trace.version}, and this is ${VERSION}`,
      'Record it anew: npx toctoscope show … --format json',
    )
  const wrong = inconsistency(trace)
  if (wrong !== null) throw new TraceError(`the trace was edited or is damaged: ${wrong}`)
  return trace
}

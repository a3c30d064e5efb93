/** Verdicts as one document of JSON: what `explore --json` prints. */

import type { CaseReport } from '../../verdict/explore_case.js'
import { VERSION } from '../../version.js'
import { type Executable, token_of, trace_execution } from '../record/execution.js'

/** A case that was explored. */
export interface ExploredCase {
  readonly scenario: Executable
  /** Its place in the scenario. */
  readonly index: number
  readonly report: CaseReport
  /** Milliseconds that it took. */
  readonly ms: number
  /** Where they were counted. */
  readonly counted?: InterleavingCount
}

/** How many interleavings there are, in decimals: all, those that violate a property, those that deadlock. */
export interface InterleavingCount {
  readonly all: string
  readonly racy: string
  readonly deadlocked: string
}

export interface VerdictsOptions {
  /** Off: no times, so that the document is the same on every machine. */
  readonly timing?: boolean
  /** Whether each counterexample stands in it, as `to_json` writes it. */
  readonly trace?: boolean
}

/**
 * The document.
 *
 * @param cases  as `case_json` writes them
 * @param failed scenarios that could not be loaded or searched
 */
export function verdicts_json(
  cases: readonly object[],
  failed: readonly { readonly called: string; readonly text: string }[],
): object {
  const errors = failed.map(({ called, text }) => ({ scenario: called, error: text }))
  return { tool: 'toctoscope', version: VERSION, cases, ...(errors.length === 0 ? {} : { errors }) }
}

/** A case in the document. */
export function case_json(
  { scenario, index, report, ms, counted }: ExploredCase,
  { timing, trace }: VerdictsOptions,
): object {
  const { explained } = report
  const execution = explained === null ? null : { scenario, index, explained }
  return {
    scenario: scenario.name,
    case: report.case,
    params: report.params,
    profile: report.profile,
    verdict: report.verdict,
    expected: report.expected?.verdict ?? null,
    property: report.property,
    states: report.states,
    transitions: report.transitions,
    interleavings: counted?.all ?? null,
    racy: counted?.racy ?? null,
    steps: report.steps,
    preemptions: report.preemptions,
    cause: report.cause?.kind ?? null,
    token: execution === null ? null : token_of(execution),
    ms: timing === false ? null : Math.round(ms * 10) / 10,
    as_expected: report.as_expected,
    unwitnessed: report.unwitnessed,
    witnesses: report.witnesses,
    bounds: [...new Set([...report.bounds, ...(explained?.bounds ?? [])])].sort(),
    lints: report.lints,
    trace: trace !== true || execution === null ? null : with_steps_last(trace_execution(execution)),
  }
}

/** In the order in which `to_json` writes it. */
function with_steps_last({ steps, ...rest }: ReturnType<typeof trace_execution>): object {
  return { ...rest, steps }
}

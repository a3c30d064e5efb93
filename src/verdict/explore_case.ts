/**
 * Explores a case and says everything about it that a report wants: the verdict, the shortest counterexample
 * without the calls that do not matter, what caused it, and by what a `safe` is witnessed.
 */
import type { Counterexample } from '../explore/counterexample.js'
import { decide, type VerdictName, type VerdictOptions } from '../explore/decide.js'
import { type Bound, type Report, type System, time_left } from '../explore/system.js'
import type { Case } from '../scenario/builder.js'
import { type CaseSystem, case_system } from '../scenario/case_system.js'
import { case_name, case_profile, type ExpectationForm } from '../scenario/form.js'
import { type Cause, not_reached } from './cause.js'
import type { Decided } from './decided.js'
import { with_deterministic } from './determinism.js'
import { type Explained, type ExplainOptions, explain } from './explained.js'
import { lints_of } from './lint.js'
import type { Removal } from './removal.js'
import { witnessed } from './witnesses.js'

/** How a case is searched: bounds, and what is done with the counterexample. */
export interface ExploreOptions extends VerdictOptions {
  /** Off: the counterexample keeps calls that do not matter. */
  readonly remove_calls?: boolean
  /** Called before calls are tried to be left out, with how many it is not known of whether they matter. */
  readonly leaving_out?: (untried: number) => void
  /** Asked when the counterexample is explained: by which bounds. Unless given, by what the search has left. */
  readonly explaining?: () => ExplainOptions
  /** Verdicts of cases explored before with the same bounds: a case that no search could tell from one of them has its verdict. */
  readonly decided?: Decided
}

/** What a table of verdicts says of a case: plain data, which can be written down and read by another run. */
export interface CaseVerdict {
  /** Its parameters, as `--case` matches them. */
  readonly case: string
  /** Values of its parameters. */
  readonly params: Readonly<Record<string, string | number | boolean>>
  /** The kernel that was modelled. */
  readonly profile: string
  /** The first that holds of hole, race, deadlock, incomplete, unwitnessed, safe. */
  readonly verdict: VerdictName
  /** What the scenario expects. */
  readonly expected: ExpectationForm | null
  /** The verdict and the property are those that were expected. Where nothing was, only `unwitnessed` is unexpected. */
  readonly as_expected: boolean
  /** The property that is violated. */
  readonly property: string | null
  /** Names of the properties that were checked. */
  readonly properties: readonly string[]
  /** Different states that were met. */
  readonly states: number
  /** Stages that were run. */
  readonly transitions: number
  /** Bounds that were hit in the search. */
  readonly bounds: readonly Bound[]
  /** How often the counterexample leaves a task that could go on. */
  readonly preemptions: number | null
  /** Stages of the counterexample as the search found it. */
  readonly found_steps: number | null
  /** Labels of what runs showed, where nothing was found; and for `unwitnessed` what they did not show. */
  readonly witnesses: readonly string[]
  /** For `unwitnessed`: what no run showed. */
  readonly unwitnessed: string | null
  /** What is odd about the case, so that it may not ask what was meant. */
  readonly lints: readonly string[]
  /** Names of the outcomes that had to be reached and that no run reached: such a hole has no counterexample. */
  readonly unreached: readonly string[]
}

/**
 * All that is known of a case after the search. What explains the counterexample is found out when it is first
 * asked for, since it may cost as much as the search, and a table of verdicts needs none of it.
 */
export interface CaseReport extends CaseVerdict {
  /** No counterexample has fewer preemptions. */
  readonly minimal: boolean
  /** Different ends of runs, where they were asked for. */
  readonly outcomes: readonly string[]
  /** The case as it was searched. */
  readonly whole: CaseSystem
  /** The counterexample as the search found it, a schedule of `whole`. */
  readonly found: Counterexample | null
  /** What the search itself reports. */
  readonly search: Report
  /** The counterexample as it is shown, with its cause. */
  readonly explained: Explained | null
  /** Which step of the counterexample made the difference; null where there is none. */
  readonly cause: Cause | null
  /** The counterexample: a schedule of `system`, which is the case without the calls in `removed`. */
  readonly counterexample: Counterexample | null
  /** Stages of the counterexample. */
  readonly steps: number | null
  /** Calls that the counterexample does not need. */
  readonly removed: readonly Removal[]
  /** The case; with a counterexample, without the calls in `removed`. */
  readonly system: CaseSystem
}

/**
 * Searches every interleaving of a case.
 *
 * @param path where the case stands in its document, for messages
 * @throws ScenarioError where the case cannot be set up, or code of its own is not deterministic
 */
export function explore_case(of: Case, options: ExploreOptions = {}, path = ''): CaseReport {
  return with_deterministic(of, path, (watched) => {
    const report = report_of(watched, options, path)
    // What code says is compared when this returns: by then it must have said all.
    if (of.code.modules.size + of.code.properties.size > 0) void report.explained
    return report
  })
}

function report_of(of: Case, options: ExploreOptions, path: string): CaseReport {
  const whole = case_system(of, path)
  const searched: System = { ...whole, witnessed: (seen, look) => witnessed(whole, seen, look) }
  const began = options.now?.() ?? 0
  const search = () => decide(searched, { ...options, ...share_of_search(options) })
  const decided = options.decided?.of(of, whole, search) ?? search()
  const { report, counterexample } = decided
  const left: ExplainOptions = { ...options, ...time_left(options, began) }
  const nothing_found = decided.verdict === 'safe' || decided.verdict === 'unwitnessed'
  const unreached = nothing_found ? whole.unreached(new Set(report.witnesses)) : []
  const verdict = unreached.length > 0 ? 'hole' : decided.verdict
  const property = unreached[0] ?? decided.property
  const expected = of.form.expect ?? null
  const explained = once(() => {
    if (counterexample === null || (verdict !== 'hole' && verdict !== 'race' && verdict !== 'deadlock'))
      return null
    const bounds = decided.minimal ? [] : decided.bounds
    const finding = { verdict, property, counterexample, bounds }
    return explain(of, whole, finding, options.explaining?.() ?? left)
  })
  return {
    case: case_name(of.form),
    params: of.form.params ?? {},
    profile: case_profile(of.form),
    verdict,
    expected,
    as_expected: is_expected(expected, verdict, property),
    property,
    properties: whole.properties.names,
    states: report.states,
    transitions: report.transitions,
    bounds: decided.bounds,
    preemptions: counterexample?.preemptions ?? null,
    found_steps: counterexample?.schedule.length ?? null,
    minimal: decided.minimal,
    witnesses: decided.witnesses,
    unwitnessed: unreached.length > 0 ? null : decided.unwitnessed,
    lints: [...lints_of(whole), ...decided.remarks],
    unreached,
    outcomes: report.outcomes,
    whole,
    found: counterexample,
    search: report,
    get explained() {
      return explained()
    },
    get cause() {
      return unreached.length > 0 ? not_reached : (explained()?.cause ?? null)
    },
    get counterexample() {
      const shown = explained()
      return shown === null ? null : { schedule: shown.schedule, preemptions: shown.preemptions }
    },
    get steps() {
      return explained()?.schedule.length ?? null
    },
    get removed() {
      return explained()?.removed ?? []
    },
    get system() {
      return explained()?.system ?? whole
    },
  }
}

/** What is found out when it is first asked for. */
function once<T>(find_out: () => T): () => T {
  let known: { readonly value: T } | undefined
  return () => (known ??= { value: find_out() }).value
}

/** The search leaves an eighth of the time: what it finds wants to be explained. */
function share_of_search({ max_time }: ExploreOptions): Pick<ExploreOptions, 'max_time'> {
  return max_time === undefined ? {} : { max_time: (max_time * 7) / 8 }
}

function is_expected(
  expected: ExpectationForm | null,
  verdict: VerdictName,
  property: string | null,
): boolean {
  if (expected === null) return verdict !== 'unwitnessed'
  return expected.verdict === verdict && (expected.property === undefined || expected.property === property)
}

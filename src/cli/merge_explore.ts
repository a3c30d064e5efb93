/** Reports of shards of `explore` as one. */
import type { Trace } from '../trace/trace.js'
import type { CaseVerdict } from '../verdict/explore_case.js'
import type { Reported } from './explore_report.js'
import { report_schema, type ShardReport, type ShardResult } from './explore_shard.js'
import type { Judged } from './explored.js'
import { is_dealt_to, say_shard } from './shard.js'
import { fitting, lost_shards, type MergeOptions } from './shard_report.js'
import { type JudgedScenario, tell_explored } from './tell_explored.js'
import type { Terminal } from './terminal.js'

/**
 * Reports on all cases as `explore` does. Cases of a shard that is lost are incomplete.
 *
 * @param read what the files hold, by their path
 * @returns the exit code that one run would have had
 * @throws LoadError where a report is not one, or does not belong to the others
 */
export function merge_explore(
  read: ReadonlyMap<string, unknown>,
  options: MergeOptions,
  terminal: Terminal,
): number {
  const reports = fitting(read, { schema: report_schema, misplaced, what_differs })
  const scenarios = merged_scenarios(reports)
  const told = {
    scenarios,
    documents: () =>
      scenarios.flatMap(({ cases }) => cases.map((each) => shown_document(each.document, options))),
    failed: distinct(reports.flatMap((each) => each.failed)),
    incomplete: [
      ...lost_shards(reports).map(
        (shard) => `shard ${say_shard(shard)} is lost, and its cases are incomplete: run it again`,
      ),
      ...reports
        .filter((each) => each.interrupted)
        .map((shard) => `shard ${say_shard(shard)} was interrupted: what it did not reach is incomplete`),
      ...reports.flatMap((each) => each.not_judged),
    ],
    doubts: reports.flatMap((each) => each.doubts),
    ms: Math.max(...reports.map((each) => each.ms)),
  }
  return tell_explored(told, { ...reports[0]!.options, ...options }, terminal)
}

// --- reports that belong together --------------------------------------------------------------------------------

/** Results must be those of the shard's own cases, each once: else a verdict could be put in another's place. */
function misplaced({ scenarios, results, ...shard }: ShardReport): string | null {
  const own = new Set<string>()
  let at = 0
  for (const [scenario, { cases }] of scenarios.entries())
    for (const { index } of cases) if (is_dealt_to(shard, at++)) own.add(`${scenario} ${index}`)
  for (const { scenario, index } of results)
    if (!own.delete(`${scenario} ${index}`))
      return `case ${index} of scenario ${scenario} is not the shard's, or is there twice`
  return null
}

function what_differs(one: ShardReport, other: ShardReport): string | null {
  if (JSON.stringify(one.options) !== JSON.stringify(other.options))
    return `options ${JSON.stringify(one.options)} and ${JSON.stringify(other.options)}`
  if (JSON.stringify(one.scenarios) !== JSON.stringify(other.scenarios))
    return 'the scenarios or their cases differ'
  return null
}

// --- one report --------------------------------------------------------------------------------------------------

interface MergedScenario extends JudgedScenario {
  readonly cases: readonly MergedCase[]
}

interface MergedCase extends Judged {
  /** What `--json` prints of it, with its trace. */
  readonly document: object
}

type ReportedScenario = ShardReport['scenarios'][number]
type ReportedCase = ReportedScenario['cases'][number]

/** Each scenario with the results of all shards. One that could not be searched has none, as in one run. */
function merged_scenarios(reports: readonly ShardReport[]): MergedScenario[] {
  const results = new Map<string, ShardResult>()
  for (const report of reports)
    for (const each of report.results) results.set(`${each.scenario} ${each.index}`, each)
  const failed = new Set(reports.flatMap((each) => each.failed.map(({ called }) => called)))
  return reports[0]!.scenarios.map((of, at) => {
    const cases = failed.has(of.called) ? [] : of.cases
    return {
      of: { ...of, cases: with_gaps(of.cases) },
      cases: cases.map((each) => merged_case(of, each, results.get(`${at} ${each.index}`))),
    }
  })
}

/** Cases at their places in the scenario: those that were not chosen are not there. */
function with_gaps(cases: readonly ReportedCase[]): Reported['cases'] {
  const placed: { form: Pick<ReportedCase, 'params'> }[] = []
  for (const { index, params } of cases) placed[index] = { form: { params } }
  return placed
}

function merged_case(
  scenario: ReportedScenario,
  of: ReportedCase,
  result: ShardResult | undefined,
): MergedCase {
  const { index, params, profile, expected } = of
  const { document, ...rest } = result ?? never_searched(scenario, of)
  const { verdict, property, states, transitions, preemptions, as_expected, unwitnessed, witnesses, lints } =
    document
  const { properties, unreached, found_steps, bounds, shown_bounds, counted } = rest
  const report = {
    ...{
      case: of.case,
      params,
      profile,
      verdict,
      as_expected,
      property,
      properties,
      states,
      transitions,
      bounds,
    },
    ...{ preemptions, found_steps, witnesses, unwitnessed, lints, unreached },
    expected: expected as CaseVerdict['expected'],
  }
  const trace = document.trace as Trace | null
  const numbers = counted === undefined ? {} : { counted }
  return {
    index,
    report,
    document,
    ...numbers,
    shown: () => (trace === null ? null : { trace, bounds: shown_bounds }),
  }
}

/** What is known of a case whose shard is lost. */
function never_searched(
  scenario: ReportedScenario,
  of: ReportedCase,
): Omit<ShardResult, 'scenario' | 'index'> {
  const nothing = {
    interleavings: null,
    racy: null,
    steps: null,
    preemptions: null,
    cause: null,
    token: null,
    ms: null,
  }
  const lists = { witnesses: [], bounds: [], lints: [] }
  const document = {
    ...{ scenario: scenario.name, case: of.case, params: of.params, profile: of.profile },
    ...{ verdict: 'incomplete' as const, expected: of.expected?.verdict ?? null, property: null },
    ...{
      states: 0,
      transitions: 0,
      ...nothing,
      as_expected: false,
      unwitnessed: null,
      ...lists,
      trace: null,
    },
  }
  return { document, properties: [], unreached: [], found_steps: null, bounds: [], shown_bounds: [] }
}

function shown_document(document: object, { timing, trace }: MergeOptions): object {
  const without_times = timing === false ? { ms: null } : {}
  return { ...document, ...without_times, ...(trace === true ? {} : { trace: null }) }
}

/** What several shards say alike is said once. */
function distinct<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((each) => [JSON.stringify(each), each])).values()]
}

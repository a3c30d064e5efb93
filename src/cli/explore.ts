/** `toctoscope explore`: every interleaving of every case, a verdict for each, and the shortest counterexample. */

import { type Bound, BrokenInvariant, type Look, look_at_clock, noting } from '../explore/system.js'
import { FastStore } from '../kernel/fast_store.js'
import { type Execution, token_of, trace_execution } from '../trace/record/execution.js'
import { case_hash } from '../trace/record/token.js'
import { command } from '../trace/render/command.js'
import { to_json } from '../trace/render/json.js'
import { count, theme, wrap } from '../trace/render/layout.js'
import { printable, printable_json } from '../trace/render/printable.js'
import { to_text } from '../trace/render/text.js'
import type { Trace } from '../trace/trace.js'
import { Decided } from '../verdict/decided.js'
import { type CaseReport, explore_case, minimise } from '../verdict/explore_case.js'
import { tidy } from '../verdict/tidy.js'
import { VERSION } from '../version.js'
import { type BoundOptions, bound_options, bounds_of, type LoadOptions, say_bound } from './bounds.js'
import { case_words, choose_cases, matching_cases, most_fitting, pattern_of } from './choose_cases.js'
import { file_of } from './draw.js'
import { exit, tell_error, UsageError, worst } from './errors.js'
import { about, type Loaded } from './load.js'
import { ProgressLine, thousands } from './progress.js'
import type { Terminal } from './terminal.js'
import { verdict_list, verdict_table } from './verdict_table.js'

export interface ExploreCommandOptions extends BoundOptions, LoadOptions {
  case?: readonly string[]
  json?: boolean
  /** False with --no-timing. */
  timing?: boolean
  exact?: boolean
  paranoid?: boolean
  /** Whether the document of JSON has the trace of each counterexample. */
  trace?: boolean
  /** Whether a lint is a failure. */
  strict?: boolean
  stages?: boolean
}

/** A case that has been explored. */
export interface Explored {
  readonly loaded: Loaded
  readonly index: number
  readonly report: CaseReport
  /** Milliseconds. */
  readonly ms: number
}

/** A scenario that could not be loaded or searched. */
export interface Failed {
  readonly called: string
  readonly text: string
  readonly code: number
}

/**
 * Searches the chosen cases of some scenarios, and reports. One that fails does not void the others.
 *
 * @param failed those that could not be loaded
 * @param began  when the command began: loading takes of its time too
 * @returns the worst exit code
 * @throws UsageError where `--case` matches nothing in any of them, or `--trace` has no document to stand in
 */
export async function explore(
  scenarios: readonly Loaded[],
  options: ExploreCommandOptions,
  terminal: Terminal,
  failed: readonly Failed[] = [],
  began = terminal.now(),
): Promise<number> {
  if (options.trace === true && options.json !== true)
    throw new UsageError('--trace belongs to --json: add that, or draw one with "toctoscope show"')
  const wrong = [...failed]
  const explored: Explored[] = []
  const searched = with_matching_cases(scenarios, options.case ?? [], terminal)
  for (const [at, loaded] of searched.entries()) {
    if (explored.length > 0 && is_interrupted(terminal)) break
    const left = { ...options, ...what_is_left(options, terminal, began) }
    try {
      explored.push(...search(loaded, left, terminal, searched.length - at - 1))
    } catch (error) {
      if (searched.length + failed.length === 1 && options.json !== true) throw error
      wrong.push({ called: loaded.called, ...tell_error(error, loaded.file === null ? [] : [loaded.file]) })
    }
  }
  const judged: Judged =
    options.paranoid === true
      ? await ask_judge(explored, { ...options, ...what_is_left(options, terminal, began) }, terminal)
      : { doubts: [], not_judged: [] }
  const { doubts, not_judged } = judged
  if (options.json === true) {
    const look = look_at_clock(bounds_of(time_to_show(options, terminal, began), terminal))
    terminal.out(`${printable_json(JSON.stringify(document(explored, wrong, options, look), null, 2))}\n`)
    // The document has no place for it, and the exit code alone says nothing.
    for (const { loaded, report } of explored) {
      if (report.unwitnessed !== null)
        terminal.err(`toctoscope: ${printable(`${loaded.name}: ${say_unwitnessed(report)}`)}\n`)
    }
  } else {
    for (const loaded of scenarios) {
      const of_this = explored.filter((each) => each.loaded === loaded)
      if (of_this.length > 0) terminal.out(report(loaded, of_this, options, terminal, terminal.now() - began))
    }
  }
  for (const { text } of wrong) terminal.err(`toctoscope: ${text}\n`)
  const cut_short = is_interrupted(terminal)
  if (cut_short) terminal.err(`toctoscope: interrupted: this is what there is\n`)
  for (const each of [...not_judged, ...doubts]) terminal.err(`toctoscope: ${each}\n`)
  return worst([
    exit_code(explored, options),
    ...wrong.map(({ code }) => code),
    ...(cut_short || not_judged.length > 0 ? [exit.incomplete] : []),
    ...(doubts.length > 0 ? [exit.bug] : []),
  ])
}

const is_interrupted = (terminal: Terminal): boolean => terminal.interrupted?.() ?? false

/** Scenarios need not have the same parameters: those without a case that matches are left out, and that is said. */
function with_matching_cases(
  scenarios: readonly Loaded[],
  patterns: readonly string[],
  terminal: Terminal,
): readonly Loaded[] {
  const matching = scenarios.filter((each) => matching_cases(each, patterns).length > 0)
  if (matching.length === 0 && scenarios.length > 0) choose_cases(most_fitting(scenarios, patterns), patterns)
  for (const each of scenarios) {
    if (!matching.includes(each))
      terminal.err(`toctoscope: ${each.called}: no case matches, so it is left out\n`)
  }
  return matching
}

/** The bound on time that is left of the command's. */
function what_is_left({ maxTime }: BoundOptions, terminal: Terminal, began: number): BoundOptions {
  return maxTime === undefined ? {} : { maxTime: Math.max(0, maxTime - (terminal.now() - began)) }
}

/** What is left to show what was found: a little even where the search has taken all, for most need no more. */
export function time_to_show(options: BoundOptions, terminal: Terminal, began: number): BoundOptions {
  const { maxTime } = options
  if (maxTime === undefined) return {}
  return { maxTime: Math.max(maxTime / 16, what_is_left(options, terminal, began).maxTime!) }
}

/**
 * Searches the chosen cases of one scenario, all within the time that `options` gives. A case may take half of
 * what is left, and the last all of it: so one does not starve those after it.
 *
 * @param after scenarios that are still to come, and want time too
 * @throws ScenarioError, UsageError
 */
export function search(
  loaded: Loaded,
  options: ExploreCommandOptions,
  terminal: Terminal,
  after = 0,
): Explored[] {
  const began_all = terminal.now()
  // Taking calls out costs as much as the search. Only the one that is shown needs it; in JSON each has a token.
  const remove_calls = options.json === true
  const chosen = choose_cases(loaded, options.case ?? [])
  const bounds = search_bounds(options, terminal)
  const line = new ProgressLine(terminal, bounds, chosen.length)
  const decided = new Decided()
  try {
    const explored: Explored[] = []
    for (const [at, index] of chosen.entries()) {
      if (at > 0 && is_interrupted(terminal)) break
      const began = terminal.now()
      const name = printable(`${loaded.name} ${pattern_of(loaded, index)}`)
      const progress = terminal.interactive
        ? (seen: Parameters<ProgressLine['show']>[2]) => line.show(at, name, seen)
        : undefined
      const { maxTime } = what_is_left(options, terminal, began_all)
      const last = at === chosen.length - 1 && after === 0
      const time = maxTime === undefined ? {} : { max_time: last ? maxTime : maxTime / 2 }
      const leaving_out = (untried: number) => line.leaving_out(at, name, untried)
      const limits = { ...bounds, ...time, progress, remove_calls, leaving_out, decided }
      const report = about(loaded, () => explore_case(loaded.cases[index]!, limits, `cases[${index}]`))
      line.case_done()
      explored.push({ loaded, index, report, ms: terminal.now() - began })
    }
    return explored
  } finally {
    line.end()
  }
}

/** Memory that a search takes at most which keeps the states themselves, unless told: it is soon a lot. */
const EXACT_MEMORY = 1 << 30

/** The bounds of every search, and how it compares states. */
function search_bounds(options: ExploreCommandOptions, terminal: Terminal) {
  if (options.exact !== true) return bounds_of(options, terminal)
  return { ...bounds_of({ maxMemory: EXACT_MEMORY, ...options }, terminal), exact: true }
}

/** A counterexample as it is shown. */
interface ShownTrace {
  readonly trace: Trace
  /** What ended the work on it before it was as short as can be. */
  readonly bounds: readonly Bound[]
}

/**
 * The counterexample of a case, as it is shown: without calls that do not matter, and switches between calls.
 * It was searched without taking calls out where only the verdict was wanted.
 */
export function shown_trace(
  { loaded, index, report }: Explored,
  options: BoundOptions,
  terminal: Terminal,
): ShownTrace {
  const bounds = bounds_of(options, terminal)
  const { now, max_time } = bounds
  const ended_by = new Set<Bound>()
  // Who has interrupted the search wants to see what it found.
  const look = noting(look_at_clock({ now, max_time }), ended_by)
  const line = new ProgressLine(terminal, bounds, 1)
  const name = printable(`${loaded.name} ${pattern_of(loaded, index)}`)
  const leaving_out = (untried: number) => line.leaving_out(0, name, untried)
  const shown =
    report.removed.length > 0
      ? { ...report, bounds: [] }
      : minimise(loaded.cases[index]!, report.system, report.counterexample, report.property, {
          ...bounds,
          leaving_out,
        })
  line.end()
  const schedule = tidy(shown.system, shown.counterexample!.schedule, look)
  const execution = { scenario: loaded, index, removed: shown.removed, schedule }
  const trace = trace_execution(execution, new FastStore(), look)
  const shortest = report.minimal ? [] : report.bounds
  return { trace, bounds: [...new Set([...shortest, ...shown.bounds, ...ended_by])] }
}

/** 1 if a verdict was not expected, as `unwitnessed` never is; else 4 if a search was not complete; else 0. */
function exit_code(explored: readonly Explored[], { strict }: ExploreCommandOptions): number {
  const wrong = ({ report }: Explored) =>
    (report.verdict !== 'incomplete' && !report.as_expected) || (strict === true && report.lints.length > 0)
  if (explored.some(wrong)) return exit.unexpected
  return explored.some(({ report }) => report.verdict === 'incomplete') ? exit.incomplete : exit.ok
}

// --- JSON --------------------------------------------------------------------------------------------------

function document(
  explored: readonly Explored[],
  wrong: readonly Failed[],
  { timing, trace }: ExploreCommandOptions,
  look: Look,
): object {
  const cases = explored.map(({ loaded, index, report, ms }) => ({
    scenario: loaded.name,
    case: report.case,
    params: report.params,
    profile: report.profile,
    verdict: report.verdict,
    expected: report.expected?.verdict ?? null,
    property: report.property,
    states: report.states,
    transitions: report.transitions,
    interleavings: null,
    racy: null,
    steps: report.steps,
    preemptions: report.preemptions,
    cause: report.cause?.kind ?? null,
    token: token(loaded, index, report, look),
    ms: timing === false ? null : Math.round(ms * 10) / 10,
    as_expected: report.as_expected,
    unwitnessed: report.unwitnessed,
    witnesses: report.witnesses,
    bounds: report.bounds,
    lints: report.lints,
    trace: trace === true ? trace_of(loaded, index, report, look) : null,
  }))
  const errors = wrong.map(({ called, text }) => ({ scenario: called, error: text }))
  return { tool: 'toctoscope', version: VERSION, cases, ...(errors.length === 0 ? {} : { errors }) }
}

/** The counterexample of a case as a schedule that a person can read; null where there is none. */
function execution_of(
  loaded: Loaded,
  index: number,
  { system, removed, counterexample }: CaseReport,
  look: Look,
): Execution | null {
  if (counterexample === null) return null
  return { scenario: loaded, index, removed, schedule: tidy(system, counterexample.schedule, look) }
}

function token(loaded: Loaded, index: number, report: CaseReport, look: Look): string | null {
  const execution = execution_of(loaded, index, report, look)
  return execution === null ? null : token_of(execution)
}

/** What `show --format json` prints of it. */
function trace_of(loaded: Loaded, index: number, report: CaseReport, look: Look): object | null {
  const execution = execution_of(loaded, index, report, look)
  if (execution === null) return null
  return JSON.parse(to_json(trace_execution(execution, new FastStore(), look))) as object
}

// --- for people ----------------------------------------------------------------------------------------------

function report(
  loaded: Loaded,
  given: readonly Explored[],
  options: ExploreCommandOptions,
  terminal: Terminal,
  ms: number,
): string {
  const { width } = terminal
  const colors = theme(terminal.color)
  const explored = given.map((each) => ({ ...each, report: printable_report(each.report) }))
  const reports = explored.map((each) => each.report)
  const table = verdict_table(reports, width, colors)
  const sections = [
    [
      colors.strong(printable(loaded.name)),
      ...wrap(loaded.summary.split(/\s+/).map(printable).join(' '), width),
      ...what_was_checked(reports, width),
    ],
    table.length > 0 ? table : verdict_list(reports, width, colors),
    totals(explored, options.timing === false ? null : ms, width),
    surprises(explored, width),
    unreached(reports, width),
    witnesses(reports, width),
    incomplete(reports, options, width),
    lints(reports, options, width),
  ]
  const lines = sections.filter((section) => section.length > 0).map((section) => section.join('\n'))
  const shown = to_be_shown(explored)
  if (shown === undefined) return `${[...lines, ...next_without(explored)].join('\n\n')}\n\n`
  const left = time_to_show(options, terminal, terminal.now() - ms)
  const { trace, bounds } = shown_trace(shown, left, terminal)
  const drawn = { width, color: terminal.color, stages: options.stages, file: file_of(loaded) }
  const rule = colors.dim('═'.repeat(width))
  const others = other_counterexamples(explored, shown, width)
  const longer = not_as_short(bounds, width)
  return `${[...lines, ...others, ...longer, rule].join('\n\n')}\n${to_text(trace, drawn)}`
}

/** Properties are added to `check-use`, and a reader must not take one for the only one. */
function what_was_checked(reports: readonly CaseReport[], width: number): string[] {
  const names = [...new Set(reports.flatMap((each) => each.system.properties.names))]
  return wrap(`Checked: ${names.map(printable).join(', ')}.`, width, 2)
}

const verdict_order = ['hole', 'race', 'deadlock', 'incomplete', 'unwitnessed', 'safe'] as const

function totals(explored: readonly Explored[], ms: number | null, width: number): string[] {
  const reports = explored.map((each) => each.report)
  const kinds = verdict_order.flatMap((verdict) => {
    const n = reports.filter((each) => each.verdict === verdict).length
    return n === 0 ? [] : [`${n} ${verdict === 'unwitnessed' ? 'not witnessed' : verdict}`]
  })
  const sum = (field: 'states' | 'transitions') =>
    thousands(reports.reduce((total, each) => total + each[field], 0))
  const time = ms === null ? '' : `, in ${(ms / 1000).toFixed(1)} s`
  return wrap(
    `${count(reports.length, 'case')}: ${kinds.join(', ')}. ${sum('states')} states, ${sum('transitions')} transitions${time}.`,
    width,
  )
}

/** Verdicts that were not expected. */
function surprises(explored: readonly Explored[], width: number): string[] {
  return explored
    .filter(({ report }) => !report.as_expected && report.verdict !== 'unwitnessed')
    .flatMap(({ report: { case: name, verdict, property, expected } }) => {
      const wanted = `${expected!.verdict}${expected!.property === undefined ? '' : ` of ${expected!.property}`}`
      return wrap(
        `! not expected: ${name || 'the case'} is ${verdict}${property === null ? '' : ` of ${property}`}, expected ${wanted}`,
        width,
        2,
      )
    })
}

/** What is shown of a report, with names that cannot control the terminal. */
function printable_report(report: CaseReport): CaseReport {
  const params = Object.entries(report.params).map(([name, value]) => [
    printable(name),
    typeof value === 'string' ? printable(value) : value,
  ])
  return {
    ...report,
    case: printable(report.case),
    params: Object.fromEntries(params),
    property: report.property === null ? null : printable(report.property),
    witnesses: report.witnesses.map(printable),
    lints: report.lints.map(printable),
    unreached: report.unreached.map(printable),
  }
}

const say_unwitnessed = (report: CaseReport): string =>
  `not witnessed: ${report.case === '' ? '' : `${report.case}: `}${report.unwitnessed}`

/** Outcomes that some run had to have, and none had: there is no counterexample to show. */
function unreached(reports: readonly CaseReport[], width: number): string[] {
  return reports.flatMap((each) =>
    each.unreached.flatMap((outcome) =>
      wrap(`! never reached: no run of ${each.case || 'the case'} has the outcome "${outcome}"`, width, 2),
    ),
  )
}

/** What is odd about the cases: that of several is said once. */
function lints(reports: readonly CaseReport[], { strict }: ExploreCommandOptions, width: number): string[] {
  const all = [...new Set(reports.flatMap((each) => each.lints))]
  return all.flatMap((lint) => {
    const of = reports.filter((each) => each.lints.includes(lint))
    const where =
      of.length === reports.length
        ? ''
        : ` (${of.length === 1 ? of[0]!.case : `${of.length} of ${reports.length} cases`})`
    return wrap(`${strict === true ? '!' : '~'} lint: ${lint}${where}`, width, 2)
  })
}

/** By what the safe cases are witnessed, and why others are not: these could be safe for want of an attack. */
function witnesses(reports: readonly CaseReport[], width: number): string[] {
  const missing = reports.filter((each) => each.unwitnessed !== null)
  if (missing.length > 0) return missing.flatMap((each) => wrap(`? ${say_unwitnessed(each)}`, width, 2))
  const safe = reports.filter((each) => each.verdict === 'safe')
  if (safe.length === 0) return []
  const all = [...new Set(safe.flatMap((each) => each.witnesses))]
  const reached = all.filter((label) => label.startsWith('reached '))
  const labels = all.filter((label) => /^(changed|refused) /.test(label))
  const said = [
    ...(all.includes('relied') ? ['the check said yes, and what it judged was used'] : []),
    ...(all.includes('met') && labels.length === 0 ? ['another task met what was used'] : []),
    ...reached.map((label) => `"${label.slice('reached '.length)}" was reached`),
    ...labels.map(attack),
  ]
  if (said.length === 0) return []
  return wrap(`Every safe is witnessed. Some run each showed: ${said.join('; ')}.`, width)
}

/** `changed by write` in words. */
function attack(label: string): string {
  return label
    .replace(/^changed by (.*)/, 'the attacker changed what others meet with $1')
    .replace(/^refused (\S+) in (.*)/, "the attacker's $2 was refused with $1")
}

function incomplete(reports: readonly CaseReport[], options: BoundOptions, width: number): string[] {
  const bounds = [...new Set(reports.flatMap((each) => each.bounds))]
  if (bounds.length === 0) return []
  const hit = bounds.map((bound) => say_bound(bound, options)).join(', ')
  const advice = [...new Set(bounds.map((bound) => bound_options[bound]).filter((each) => each !== ''))]
  const raise = advice.length === 0 ? '' : `: raise ${advice.join(' and ')}`
  return wrap(`Bound hit: ${hit}. What is incomplete is not safe${raise}.`, width, 2)
}

/** A bound ended the search for the shortest, or for what may be left out of it, or for switches between calls. */
export function not_as_short(bounds: readonly Bound[], width: number): string[] {
  if (bounds.length === 0) return []
  const why = bounds.includes('time')
    ? 'the time was over'
    : bounds.includes('stopped')
      ? 'the search was interrupted'
      : 'a bound was hit'
  const what = 'What is shown may be longer than need be, and hold switches and calls that do not matter'
  return [wrap(`${what}: ${why}.`, width, 2).join('\n')]
}

// --- which counterexample ------------------------------------------------------------------------------------

/**
 * The shortest: surprises before what was expected, races before holes (which need no race), then fewest
 * preemptions and steps; among equals the newest kernel.
 */
export function to_be_shown(explored: readonly Explored[]): Explored | undefined {
  const rank = { race: 0, hole: 1, deadlock: 2, incomplete: 3, unwitnessed: 4, safe: 5 } as const
  const key = ({ report, index }: Explored) => [
    report.as_expected ? 1 : 0,
    rank[report.verdict],
    report.preemptions ?? 0,
    report.steps ?? 0,
    -release_number(report.profile),
    index,
  ]
  return explored
    .filter(({ report }) => report.counterexample !== null)
    .sort((a, b) => {
      const [x, y] = [key(a), key(b)]
      const at = x.findIndex((each, i) => each !== y[i])
      return at < 0 ? 0 : x[at]! - y[at]!
    })[0]
}

/** `6.18` as 6018, so that releases compare as numbers. */
function release_number(profile: string): number {
  const [major = 0, minor = 0] = profile.split('+')[0]!.split('.').map(Number)
  return major * 1000 + minor
}

function other_counterexamples(explored: readonly Explored[], shown: Explored, width: number): string[] {
  const others = explored.filter((each) => each !== shown && each.report.counterexample !== null)
  if (others.length === 0) return []
  const other = others.find((each) => each.report.verdict !== shown.report.verdict) ?? others[0]!
  const { loaded, index } = other
  const below = `Below is the shortest ${shown.report.verdict}, ${shown.report.case}. ${how_many_others(others, shown)}, such as`
  const shown_by = `  ${command('show', ...case_words(loaded, index))}`
  return [[...wrap(below, width), shown_by].join('\n')]
}

/** `There are 7 other races and 10 holes`. */
function how_many_others(others: readonly Explored[], shown: Explored): string {
  const kinds = [...new Set([shown, ...others].map(({ report }) => report.verdict))].flatMap((verdict) => {
    const n = others.filter(({ report }) => report.verdict === verdict).length
    if (n === 0) return []
    return [count(n, verdict === shown.report.verdict ? `other ${verdict}` : verdict)]
  })
  return `There ${/^1 /.test(kinds[0]!) ? 'is' : 'are'} ${kinds.join(' and ')}`
}

/** Nothing was found: then the next thing to do is to look at a run, or to search further. */
function next_without(explored: readonly Explored[]): string[] {
  const [first] = explored
  if (first === undefined) return []
  const { loaded, index } = first
  return [`See a run of it:\n  ${command('run', ...case_words(loaded, index))}`]
}

// --- paranoia ------------------------------------------------------------------------------------------------

/** What the judge said. */
interface Judged {
  /** Disagreements. */
  readonly doubts: readonly string[]
  /** Cases of which it said nothing, and why. */
  readonly not_judged: readonly string[]
}

/** Asks the judge, the unreduced search, about every case that was searched completely, within the time that is left. */
async function ask_judge(
  explored: readonly Explored[],
  options: BoundOptions,
  terminal: Terminal,
): Promise<Judged> {
  const [{ judge }, { depth_first }, { case_system }, { broken_invariant }] = await Promise.all([
    import('../explore/judge.js'),
    import('../explore/depth_first.js'),
    import('../scenario/case_system.js'),
    import('../scenario/invariants.js'),
  ])
  const doubts: string[] = []
  const not_judged: string[] = []
  const began = terminal.now()
  for (const { loaded, index, report } of explored) {
    if (!report.search.complete) continue
    const system = case_system(loaded.cases[index]!, `cases[${index}]`)
    const name = printable(`${loaded.name} ${report.case}`.trim())
    const bounds = () => {
      const { now, max_time, interrupted } = bounds_of(what_is_left(options, terminal, began), terminal)
      return { now, max_time, interrupted }
    }
    const broken = first_breach(() => depth_first(system, { invariant: broken_invariant, ...bounds() }))
    if (broken !== null) doubts.push(`this is a bug in toctoscope: ${name}: ${broken}`)
    const judged = judge(system, new FastStore(), bounds())
    const [bound] = judged.bounds
    if (bound !== undefined) {
      not_judged.push(`not judged: ${name}: ${say_bound(bound, options)}`)
      continue
    }
    const violated = (found: { violations: readonly { property: string }[] }) =>
      found.violations
        .map((each) => each.property)
        .sort()
        .join()
    const same =
      violated(judged) === violated(report.search) &&
      judged.outcomes.join('\n') === report.search.outcomes.join('\n')
    if (!same)
      doubts.push(
        `this is a bug in toctoscope: search and judge disagree about ${name} (${case_hash(loaded.cases[index]!.form)})`,
      )
    else terminal.err(`judge agrees: ${name}: ${thousands(judged.states)} states without reduction\n`)
  }
  return { doubts, not_judged }
}

/** What a search says that looks at the machine's own books after every stage; null if they are in order. */
function first_breach(search: () => void): string | null {
  try {
    search()
    return null
  } catch (error) {
    if (error instanceof BrokenInvariant) return error.message
    throw error
  }
}

/** What `explore` tells people: the table of verdicts, what is to be said of them, and one counterexample. */

import { verdict_names } from '../explore/decide.js'
import type { Bound } from '../explore/system.js'
import { command } from '../trace/render/command.js'
import { count, theme, wrap } from '../trace/render/layout.js'
import { printable } from '../trace/render/printable.js'
import { to_text } from '../trace/render/text.js'
import type { CaseVerdict } from '../verdict/explore_case.js'
import { most_telling } from '../verdict/most_telling.js'
import { type BoundOptions, bound_options, say_bound } from './bounds.js'
import { case_words, type WithCases } from './choose_cases.js'
import { file_of } from './draw.js'
import type { Judged } from './explored.js'
import type { Loaded } from './load.js'
import { thousands } from './progress.js'
import { is_clean, say_clean, say_numbers } from './say_numbers.js'
import type { Terminal } from './terminal.js'
import { say_verdict, verdict_list, verdict_table } from './verdict_table.js'

export interface ReportOptions extends BoundOptions {
  /** False with --no-timing. */
  timing?: boolean
  /** Whether a lint is a failure. */
  strict?: boolean
  stages?: boolean
}

/** A scenario as far as a report speaks of it. */
export type Reported = WithCases & Pick<Loaded, 'name' | 'summary' | 'called' | 'file'>

/**
 * The report on cases of one scenario, that have been explored in so many milliseconds.
 *
 * @throws whatever explaining the counterexample that is shown throws
 */
export function explore_report(
  loaded: Reported,
  explored: readonly Judged[],
  options: ReportOptions,
  terminal: Terminal,
  ms: number,
): string {
  const { width } = terminal
  const colors = theme(terminal.color)
  const told = explored.map(({ report }) => printable_report(report))
  const table = verdict_table(told, width, colors)
  const sections = [
    [
      colors.strong(printable(loaded.name)),
      ...wrap(loaded.summary.split(/\s+/).map(printable).join(' '), width),
      ...what_was_checked(told, width),
    ],
    table.length > 0 ? table : verdict_list(told, width, colors),
    totals(told, options.timing === false ? null : ms, width),
    interleavings(explored, width),
    surprises(told, width),
    unreached(told, width),
    witnesses(told, width),
    incomplete(told, options, width),
    lints(told, options, width),
  ]
  const lines = sections.filter((section) => section.length > 0).map((section) => section.join('\n'))
  const shown = most_telling(explored)
  const counterexample = shown?.shown()
  if (shown === undefined || counterexample == null)
    return `${[...lines, ...next_without(loaded, explored)].join('\n\n')}\n\n`
  const drawn = { width, color: terminal.color, stages: options.stages, file: file_of(loaded) }
  const rule = colors.dim('═'.repeat(width))
  const others = other_counterexamples(loaded, explored, shown, width)
  const longer = not_as_short(counterexample.bounds, width)
  return `${[...lines, ...others, ...longer, rule].join('\n\n')}\n${to_text(counterexample.trace, drawn)}`
}

/** Properties are added to `check-use`, and a reader must not take one for the only one. */
function what_was_checked(reports: readonly Told[], width: number): string[] {
  const names = [...new Set(reports.flatMap((each) => each.properties))]
  return wrap(`Checked: ${names.join(', ')}.`, width, 2)
}

function totals(reports: readonly Told[], ms: number | null, width: number): string[] {
  const kinds = verdict_names.flatMap((verdict) => {
    const n = reports.filter((each) => each.verdict === verdict).length
    return n === 0 ? [] : [`${n} ${say_verdict(verdict)}`]
  })
  const sum = (field: 'states' | 'transitions') =>
    thousands(reports.reduce((total, each) => total + each[field], 0))
  const time = ms === null ? '' : `, in ${(ms / 1000).toFixed(1)} s`
  return wrap(
    `${count(reports.length, 'case')}: ${kinds.join(', ')}. ${sum('states')} states, ${sum('transitions')} transitions${time}.`,
    width,
  )
}

/** How many of the interleavings are those that matter, where that was asked for; of what is safe, in one line. */
function interleavings(judged: readonly Judged[], width: number): string[] {
  const counted = judged.flatMap(({ report, counted: numbers }) =>
    numbers === undefined ? [] : [{ report, numbers }],
  )
  const clean = counted.filter(({ numbers }) => is_clean(numbers))
  return [
    ...counted.flatMap(({ report, numbers }) => {
      if (is_clean(numbers)) return []
      const name = report.case === '' ? '' : `${printable(report.case)}: `
      return wrap(`# ${name}${say_numbers(report, numbers)}`, width, 2)
    }),
    ...(clean.length === 0 ? [] : wrap(`# ${say_clean(clean.map(({ numbers }) => numbers))}`, width, 2)),
  ]
}

/** Verdicts that were not expected. */
function surprises(reports: readonly Told[], width: number): string[] {
  return reports
    .filter(({ as_expected, verdict }) => !as_expected && verdict !== 'unwitnessed')
    .flatMap(({ case: name, verdict, property, expected }) => {
      const is = `${verdict}${property === null ? '' : ` of ${property}`}`
      return wrap(`! not expected: ${name || 'the case'} is ${is}, expected ${expected}`, width, 2)
    })
}

/** What is told of a report without its counterexample, with names that cannot control the terminal. */
type Told = ReturnType<typeof printable_report>

function printable_report(report: CaseVerdict) {
  const { verdict, as_expected, states, transitions, bounds, unwitnessed, expected } = report
  const params = Object.entries(report.params).map(([name, value]) => [
    printable(name),
    typeof value === 'string' ? printable(value) : value,
  ])
  return {
    case: printable(report.case),
    params: Object.fromEntries(params) as CaseVerdict['params'],
    verdict,
    as_expected,
    expected: `${expected?.verdict}${expected?.property === undefined ? '' : ` of ${expected.property}`}`,
    property: report.property === null ? null : printable(report.property),
    properties: report.properties.map(printable),
    states,
    transitions,
    bounds,
    unwitnessed,
    witnesses: report.witnesses.map(printable),
    lints: report.lints.map(printable),
    unreached: report.unreached.map(printable),
  }
}

/** Of a case that is not witnessed: what no run showed. */
export const say_unwitnessed = (report: Pick<CaseVerdict, 'case' | 'unwitnessed'>): string =>
  `not witnessed: ${report.case === '' ? '' : `${report.case}: `}${report.unwitnessed}`

/** Outcomes that some run had to have, and none had: there is no counterexample to show. */
function unreached(reports: readonly Told[], width: number): string[] {
  return reports.flatMap((each) =>
    each.unreached.flatMap((outcome) =>
      wrap(`! never reached: no run of ${each.case || 'the case'} has the outcome "${outcome}"`, width, 2),
    ),
  )
}

/** What is odd about the cases: that of several is said once. */
function lints(reports: readonly Told[], { strict }: ReportOptions, width: number): string[] {
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
function witnesses(reports: readonly Told[], width: number): string[] {
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

function incomplete(reports: readonly Told[], options: BoundOptions, width: number): string[] {
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

// --- which counterexample, and what next -------------------------------------------------------------------------

function other_counterexamples(
  loaded: Reported,
  explored: readonly Judged[],
  shown: Judged,
  width: number,
): string[] {
  const others = explored.filter((each) => each !== shown && each.report.found_steps !== null)
  if (others.length === 0) return []
  const other = others.find((each) => each.report.verdict !== shown.report.verdict) ?? others[0]!
  const below = `Below is the shortest ${shown.report.verdict}, ${printable(shown.report.case)}. ${how_many_others(others, shown)}, such as`
  const shown_by = `  ${command('show', ...case_words(loaded, other.index))}`
  return [[...wrap(below, width), shown_by].join('\n')]
}

/** `There are 7 other races and 10 holes`. */
function how_many_others(others: readonly Judged[], shown: Judged): string {
  const kinds = [...new Set([shown, ...others].map(({ report }) => report.verdict))].flatMap((verdict) => {
    const n = others.filter(({ report }) => report.verdict === verdict).length
    if (n === 0) return []
    return [count(n, verdict === shown.report.verdict ? `other ${verdict}` : verdict)]
  })
  return `There ${/^1 /.test(kinds[0]!) ? 'is' : 'are'} ${kinds.join(' and ')}`
}

/** Nothing was found: then the next thing to do is to look at a run, or to search further. */
function next_without(loaded: Reported, explored: readonly Judged[]): string[] {
  const [first] = explored
  if (first === undefined) return []
  return [`See a run of it:\n  ${command('run', ...case_words(loaded, first.index))}`]
}

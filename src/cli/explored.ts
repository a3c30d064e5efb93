/** Cases that have been searched, each within its share of the time. */
import type { Bound } from '../explore/system.js'
import { trace_execution } from '../trace/record/execution.js'
import { printable } from '../trace/render/printable.js'
import type { InterleavingCount } from '../trace/render/verdicts_json.js'
import type { Trace } from '../trace/trace.js'
import { Decided } from '../verdict/decided.js'
import type { Explained } from '../verdict/explained.js'
import { type CaseReport, type CaseVerdict, explore_case } from '../verdict/explore_case.js'
import { type BoundOptions, bounds_of } from './bounds.js'
import { pattern_of } from './choose_cases.js'
import { about, type Loaded } from './load.js'
import { ProgressLine } from './progress.js'
import { type ReductionName, reductions_of } from './reductions.js'
import type { Terminal } from './terminal.js'

/** A case whose verdict is known: from a search of this run, or from the report of another. */
export interface Judged {
  /** Its place in the scenario. */
  readonly index: number
  readonly report: CaseVerdict
  /** Its counterexample as it is shown, where there is one. */
  readonly shown: () => Shown | null
  /** Its interleavings, where they were counted. */
  readonly counted?: InterleavingCount
}

/** A counterexample as it is shown. */
export interface Shown {
  readonly trace: Trace
  /** What ended the work on it: then it may be longer than need be. */
  readonly bounds: readonly Bound[]
}

/** A case that has been explored. */
export interface Explored extends Judged {
  readonly loaded: Loaded
  readonly report: CaseReport
  /** Milliseconds. */
  readonly ms: number
}

export interface SearchOptions extends BoundOptions {
  /** Every counterexample will be shown, not one of them: then each is explained within the time of its search. */
  json?: boolean
  exact?: boolean
  /** The reductions that are on; all unless told. */
  reduce?: readonly ReductionName[]
}

export const is_interrupted = (terminal: Terminal): boolean => terminal.interrupted?.() ?? false

/** The bound on time that is left of the command's. */
export function what_is_left({ maxTime }: BoundOptions, terminal: Terminal, began: number): BoundOptions {
  return maxTime === undefined ? {} : { maxTime: Math.max(0, maxTime - (terminal.now() - began)) }
}

/** What is left to show what was found: a little even where the search has taken all, for most need no more. */
export function time_to_show(options: BoundOptions, terminal: Terminal, began: number): BoundOptions {
  const { maxTime } = options
  if (maxTime === undefined) return {}
  return { maxTime: Math.max(maxTime / 16, what_is_left(options, terminal, began).maxTime!) }
}

/** What is to be done besides the search. */
export interface Besides {
  /** Scenarios that are still to come, and want time too. */
  readonly after?: number
  /** The bounds by which the counterexample that is shown is explained. */
  readonly to_show?: () => BoundOptions
}

/**
 * Searches cases of one scenario, all within the time that `options` gives. A case may take half of what is left, and
 * the last all of it: so one does not starve those after it.
 *
 * @param chosen places of the cases
 * @throws ScenarioError
 */
export function search(
  loaded: Loaded,
  chosen: readonly number[],
  options: SearchOptions,
  terminal: Terminal,
  { after = 0, to_show = () => ({}) }: Besides = {},
): Explored[] {
  const began_all = terminal.now()
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
      const explaining =
        options.json === true ? undefined : () => ({ ...bounds_of(to_show(), terminal), leaving_out })
      const limits = { ...bounds, ...time, progress, leaving_out, explaining, decided }
      const of = loaded.cases[index]!
      const report = about(loaded, () => explore_case(of, limits, `cases[${index}]`))
      const explain = () => {
        try {
          return about(loaded, () => report.explained)
        } finally {
          line.end()
        }
      }
      if (options.json === true) explain()
      line.case_done()
      const shown = () => shown_of({ loaded, index }, explain())
      explored.push({ loaded, index, report, ms: terminal.now() - began, shown })
    }
    return explored
  } finally {
    line.end()
  }
}

function shown_of(
  { loaded, index }: Pick<Explored, 'loaded' | 'index'>,
  explained: Explained | null,
): Shown | null {
  if (explained === null) return null
  return { trace: trace_execution({ scenario: loaded, index, explained }), bounds: explained.bounds }
}

/** Memory that a search takes at most which keeps the states themselves, unless told: it is soon a lot. */
const EXACT_MEMORY = 1 << 30

/** The bounds of every search, what it leaves out, and how it compares states. */
function search_bounds(options: SearchOptions, terminal: Terminal) {
  const reductions = reductions_of(options)
  if (options.exact !== true) return { ...bounds_of(options, terminal), ...reductions }
  return { ...bounds_of({ maxMemory: EXACT_MEMORY, ...options }, terminal), ...reductions, exact: true }
}

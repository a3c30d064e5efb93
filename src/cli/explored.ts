/** Cases that have been searched, each within its share of the time. */
import { printable } from '../trace/render/printable.js'
import { Decided } from '../verdict/decided.js'
import type { Explained } from '../verdict/explained.js'
import { type CaseReport, explore_case } from '../verdict/explore_case.js'
import { type BoundOptions, bounds_of } from './bounds.js'
import { choose_cases, pattern_of } from './choose_cases.js'
import { about, type Loaded } from './load.js'
import { ProgressLine } from './progress.js'
import type { Terminal } from './terminal.js'

/** A case that has been explored. */
export interface Explored {
  readonly loaded: Loaded
  readonly index: number
  readonly report: CaseReport
  /** Milliseconds. */
  readonly ms: number
  /** Its counterexample, explained, while a line says how far that is. */
  readonly explain: () => Explained | null
}

export interface SearchOptions extends BoundOptions {
  case?: readonly string[]
  /** Every counterexample will be shown, not one of them: then each is explained within the time of its search. */
  json?: boolean
  exact?: boolean
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
 * Searches the chosen cases of one scenario, all within the time that `options` gives. A case may take half of
 * what is left, and the last all of it: so one does not starve those after it.
 *
 * @throws ScenarioError, UsageError
 */
export function search(
  loaded: Loaded,
  options: SearchOptions,
  terminal: Terminal,
  { after = 0, to_show = () => ({}) }: Besides = {},
): Explored[] {
  const began_all = terminal.now()
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
      explored.push({ loaded, index, report, ms: terminal.now() - began, explain })
    }
    return explored
  } finally {
    line.end()
  }
}

/** Memory that a search takes at most which keeps the states themselves, unless told: it is soon a lot. */
const EXACT_MEMORY = 1 << 30

/** The bounds of every search, and how it compares states. */
function search_bounds(options: SearchOptions, terminal: Terminal) {
  if (options.exact !== true) return bounds_of(options, terminal)
  return { ...bounds_of({ maxMemory: EXACT_MEMORY, ...options }, terminal), exact: true }
}

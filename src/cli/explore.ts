/** `toctoscope explore`: every interleaving of every case, a verdict for each, and the shortest counterexample. */
import { printable, printable_json } from '../trace/render/printable.js'
import { verdicts_json } from '../trace/render/verdicts_json.js'
import type { BoundOptions, LoadOptions } from './bounds.js'
import { choose_cases, matching_cases, most_fitting } from './choose_cases.js'
import { tell_error, UsageError, worst } from './errors.js'
import { exit } from './exit_codes.js'
import { explore_report, say_unwitnessed } from './explore_report.js'
import { type Explored, is_interrupted, search, time_to_show, what_is_left } from './explored.js'
import type { Loaded } from './load.js'
import type { Terminal } from './terminal.js'

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
  const to_show = () => time_to_show(options, terminal, began)
  for (const [at, loaded] of searched.entries()) {
    if (explored.length > 0 && is_interrupted(terminal)) break
    const left = { ...options, ...what_is_left(options, terminal, began) }
    const after = searched.length - at - 1
    try {
      explored.push(...search(loaded, left, terminal, { after, to_show }))
    } catch (error) {
      if (searched.length + failed.length === 1 && options.json !== true) throw error
      wrong.push({ called: loaded.called, ...tell_error(error, loaded.file === null ? [] : [loaded.file]) })
    }
  }
  const { doubts, not_judged } =
    options.paranoid === true
      ? await ask_judges(explored, { ...options, ...what_is_left(options, terminal, began) }, terminal)
      : nobody_asked
  if (options.json === true) {
    const { timing, trace } = options
    const document = verdicts_json(explored.map(as_executions), wrong, { timing, trace })
    terminal.out(`${printable_json(JSON.stringify(document, null, 2))}\n`)
    // The document has no place for it, and the exit code alone says nothing.
    for (const { loaded, report } of explored) {
      if (report.unwitnessed !== null)
        terminal.err(`toctoscope: ${printable(`${loaded.name}: ${say_unwitnessed(report)}`)}\n`)
    }
  } else {
    for (const loaded of scenarios) {
      const of_this = explored.filter((each) => each.loaded === loaded)
      const ms = terminal.now() - began
      if (of_this.length > 0) terminal.out(explore_report(loaded, of_this, options, terminal, ms))
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

const as_executions = ({ loaded, index, report, ms }: Explored) => ({ scenario: loaded, index, report, ms })

/** What judges said, where none was asked. */
const nobody_asked = { doubts: [], not_judged: [] }

/** Loaded when it is asked for: most do without. */
async function ask_judges(...asked: Parameters<typeof import('./paranoid.js').ask_judges>) {
  return (await import('./paranoid.js')).ask_judges(...asked)
}

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

/** 1 if a verdict was not expected, as `unwitnessed` never is; else 4 if a search was not complete; else 0. */
function exit_code(explored: readonly Explored[], { strict }: ExploreCommandOptions): number {
  const wrong = ({ report }: Explored) =>
    (report.verdict !== 'incomplete' && !report.as_expected) || (strict === true && report.lints.length > 0)
  if (explored.some(wrong)) return exit.unexpected
  return explored.some(({ report }) => report.verdict === 'incomplete') ? exit.incomplete : exit.ok
}

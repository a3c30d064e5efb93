/** `toctoscope explore`: every interleaving of every case, a verdict for each, and the shortest counterexample. */
import { case_json } from '../trace/render/verdicts_json.js'
import type { BoundOptions, LoadOptions } from './bounds.js'
import { choose_cases, matching_cases, most_fitting } from './choose_cases.js'
import { type Failed, tell_error, UsageError } from './errors.js'
import type { Chosen } from './explore_shard.js'
import { type Explored, is_interrupted, search, time_to_show, what_is_left } from './explored.js'
import type { Loaded } from './load.js'
import type { ReductionName } from './reductions.js'
import { is_dealt_to, type Shard, type ShardOptions, say_shard, whole } from './shard.js'
import { tell_explored } from './tell_explored.js'
import type { Terminal } from './terminal.js'

export interface ExploreCommandOptions extends BoundOptions, LoadOptions, ShardOptions {
  case?: readonly string[]
  json?: boolean
  /** False with --no-timing. */
  timing?: boolean
  exact?: boolean
  /** Whether interleavings are counted. */
  count?: boolean
  reduce?: readonly ReductionName[]
  paranoid?: boolean
  /** Whether the document of JSON has the trace of each counterexample. */
  trace?: boolean
  /** Whether a lint is a failure. */
  strict?: boolean
  stages?: boolean
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
  const chosen = with_matching_cases(scenarios, options.case ?? [], terminal).map((loaded) => ({
    loaded,
    cases: choose_cases(loaded, options.case ?? []),
  }))
  const searched = dealt_to(options.shard ?? whole, chosen)
  const found = search_all(searched, failed, options, terminal, began)
  const { wrong } = found
  const left = () => ({ ...options, ...what_is_left(options, terminal, began) })
  const judged = options.paranoid === true ? await ask_judges(found.explored, left(), terminal) : nobody_asked
  const { explored, ...counted } =
    options.count === true
      ? (await import('./counting.js')).count_all(found.explored, left(), terminal)
      : { explored: found.explored, doubts: [], not_counted: [] }
  const doubts = [...judged.doubts, ...counted.doubts]
  const not_judged = [...judged.not_judged, ...counted.not_counted]
  const cut_short = is_interrupted(terminal)
  const ms = terminal.now() - began
  if (options.report !== undefined) {
    const [{ shard_report }, { write_report }] = await Promise.all([
      import('./explore_shard.js'),
      import('./shard_report.js'),
    ])
    const to_write = { explored, failed: wrong, doubts, not_judged, ms, interrupted: cut_short }
    write_report(options.report, shard_report(options.shard ?? whole, options, chosen, to_write))
  }
  const to_tell = {
    scenarios: scenarios.map((of) => ({ of, cases: explored.filter(({ loaded }) => loaded === of) })),
    documents: () => explored.map(({ loaded, ...rest }) => case_json({ scenario: loaded, ...rest }, options)),
    failed: wrong,
    notices:
      searched.length === 0 && options.shard !== undefined
        ? [`no case falls to shard ${say_shard(options.shard)}`]
        : [],
    incomplete: [...(cut_short ? ['interrupted: this is what there is'] : []), ...not_judged],
    doubts,
    ms,
  }
  return tell_explored(to_tell, options, terminal)
}

/** Those of the chosen cases that a shard searches. */
function dealt_to(shard: Shard, chosen: readonly Chosen[]): Chosen[] {
  let at = 0
  return chosen
    .map(({ loaded, cases }) => ({ loaded, cases: cases.filter(() => is_dealt_to(shard, at++)) }))
    .filter(({ cases }) => cases.length > 0)
}

/** Searches them, one scenario after the other. One that fails does not void the others, unless it is the only one. */
function search_all(
  searched: readonly Chosen[],
  failed: readonly Failed[],
  options: ExploreCommandOptions,
  terminal: Terminal,
  began: number,
): { explored: Explored[]; wrong: Failed[] } {
  const wrong = [...failed]
  const explored: Explored[] = []
  const to_show = () => time_to_show(options, terminal, began)
  // What is written down is explained, as what is printed as JSON.
  const json = options.json === true || options.report !== undefined
  for (const [at, { loaded, cases }] of searched.entries()) {
    if (explored.length > 0 && is_interrupted(terminal)) break
    const left = { ...options, json, ...what_is_left(options, terminal, began) }
    const after = searched.length - at - 1
    try {
      explored.push(...search(loaded, cases, left, terminal, { after, to_show }))
    } catch (error) {
      if (searched.length + failed.length === 1 && options.json !== true) throw error
      wrong.push({ called: loaded.called, ...tell_error(error, loaded.file === null ? [] : [loaded.file]) })
    }
  }
  return { explored, wrong }
}

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

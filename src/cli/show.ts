/** `toctoscope show`: a trace in one of its forms. */

import { looks_like_token } from '../trace/record/token.js'
import { printable } from '../trace/render/printable.js'
import { most_telling } from '../verdict/most_telling.js'
import { type BoundOptions, type LoadOptions, say_bound } from './bounds.js'
import { choose_cases, pattern_of } from './choose_cases.js'
import { type DrawOptions, draw, file_of } from './draw.js'
import { UsageError } from './errors.js'
import { exit } from './exit_codes.js'
import { not_as_short } from './explore_report.js'
import { type Explored, search, time_to_show } from './explored.js'
import { load_scenario } from './load.js'
import { checked_trace, trace_of_token } from './replay.js'
import { run } from './run.js'
import type { Terminal } from './terminal.js'
import { is_trace_file } from './trace_file.js'

export interface ShowOptions extends BoundOptions, DrawOptions, LoadOptions {
  case?: readonly string[]
}

/** @param what a trace file, a token, or a scenario whose shortest counterexample is to be shown */
export async function show(
  what: string,
  file: string | undefined,
  options: ShowOptions,
  terminal: Terminal,
): Promise<number> {
  if (looks_like_token(what))
    draw(await trace_of_token(what, file, options.loadTime), options, terminal, file ?? null)
  else if (file !== undefined) throw new UsageError('only a token is followed by a file: show TOKEN FILE')
  else if (is_trace_file(what)) draw(await checked_trace(what), options, terminal, null)
  else return show_scenario(what, options, terminal)
  return exit.ok
}

async function show_scenario(called: string, options: ShowOptions, terminal: Terminal): Promise<number> {
  const loaded = await load_scenario(called, options.loadTime)
  const began = terminal.now()
  const explored = search(loaded, choose_cases(loaded, options.case ?? []), options, terminal, {
    to_show: () => time_to_show(options, terminal, began),
  })
  const found = most_telling(explored)
  const shown = found?.shown()
  if (shown != null) {
    for (const line of not_as_short(shown.bounds, terminal.width)) terminal.err(`toctoscope: ${line}\n`)
    draw(shown.trace, options, terminal, file_of(loaded))
    return exit.ok
  }
  const all = explored.length === 1 ? why_none(explored[0]!.report, options) : 'no case has one'
  const note = `there is no counterexample: ${all}. This is a run in which one task follows the other.`
  terminal.err(`toctoscope: ${printable(note)}\n`)
  for (const { report } of explored.length === 1 ? [] : explored) {
    if (report.verdict !== 'safe')
      terminal.err(`toctoscope: ${printable(`${report.case}: ${why_none(report, options)}`)}\n`)
  }
  const { format, stages } = options
  run(loaded, { case: [pattern_of(loaded, explored[0]!.index)], format, stages }, terminal)
  return explored.some(({ report }) => report.verdict === 'incomplete') ? exit.incomplete : exit.ok
}

/** Why a case has no counterexample. */
function why_none(report: Explored['report'], options: BoundOptions): string {
  const { verdict, unreached, bounds, unwitnessed } = report
  if (unwitnessed !== null) return `it is not witnessed: ${unwitnessed}`
  if (verdict === 'incomplete') {
    const hit = bounds.map((bound) => say_bound(bound, options)).join(', ')
    return `the search is incomplete, for it hit a bound (${hit}), and there may be one beyond it`
  }
  if (unreached.length === 0) return `it is ${verdict}`
  const outcomes = unreached.map((each) => JSON.stringify(each)).join(' or ')
  return `it is a ${verdict}, for no run has the outcome ${outcomes}`
}

/** `toctoscope show`: a trace in one of its forms. */

import { trace_execution } from '../trace/execution.js'
import { looks_like_token } from '../trace/token.js'
import type { BoundOptions } from './bounds.js'
import { pattern_of } from './cases.js'
import { type DrawOptions, draw, file_of } from './draw.js'
import { exit, UsageError } from './errors.js'
import { search, shown_execution, to_be_shown } from './explore.js'
import { load_scenario } from './load.js'
import { trace_of_token } from './replay.js'
import { run } from './run.js'
import type { Terminal } from './terminal.js'
import { is_trace_file, load_trace } from './trace_file.js'

export interface ShowOptions extends BoundOptions, DrawOptions {
  case?: readonly string[]
}

/** @param what a trace file, a token, or a scenario whose shortest counterexample is to be shown */
export async function show(
  what: string,
  file: string | undefined,
  options: ShowOptions,
  terminal: Terminal,
): Promise<number> {
  if (looks_like_token(what)) draw(await trace_of_token(what, file), options, terminal, file ?? null)
  else if (file !== undefined) throw new UsageError('only a token is followed by a file: show TOKEN FILE')
  else if (is_trace_file(what)) draw(await load_trace(what), options, terminal, null)
  else await show_scenario(what, options, terminal)
  return exit.ok
}

async function show_scenario(called: string, options: ShowOptions, terminal: Terminal): Promise<void> {
  const loaded = await load_scenario(called)
  const explored = search(loaded, options, terminal)
  const found = to_be_shown(explored)
  if (found !== undefined) {
    draw(trace_execution(shown_execution(found)), options, terminal, file_of(loaded))
    return
  }
  const all = explored.length === 1 ? `it is ${explored[0]!.report.verdict}` : 'no case has one'
  const note = `there is no counterexample: ${all}. This is a run in which one task follows the other.`
  terminal.err(`toctoscope: ${note}\n`)
  const { format, stages } = options
  run(loaded, { case: [pattern_of(loaded, explored[0]!.index)], format, stages }, terminal)
}

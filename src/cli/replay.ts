/** `toctoscope replay`: repeats one execution exactly. */
import { existsSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { execution_of, trace_execution } from '../trace/record/execution.js'
import { decode_token, find_case, looks_like_token } from '../trace/record/token.js'
import { columns } from '../trace/render/columns.js'
import { command } from '../trace/render/command.js'
import { theme } from '../trace/render/layout.js'
import { printable_trace } from '../trace/render/printable.js'
import { epilogue, to_text } from '../trace/render/text.js'
import type { Trace } from '../trace/trace.js'
import type { LoadOptions } from './bounds.js'
import { LoadError, UsageError } from './errors.js'
import { exit } from './exit_codes.js'
import { about, load_scenario, shipped_names } from './load.js'
import type { Terminal } from './terminal.js'
import { is_trace_file, load_trace } from './trace_file.js'

export interface ReplayOptions extends LoadOptions {
  step?: boolean
  stages?: boolean
}

/** @param what a token, or a trace file, which holds one */
export async function replay(
  what: string,
  file: string | undefined,
  options: ReplayOptions,
  terminal: Terminal,
): Promise<number> {
  const trace =
    looks_like_token(what) || !existsSync(what)
      ? await trace_of_token(what, file, options.loadTime)
      : await trace_of_file(what, file, options.loadTime)
  const { width, color } = terminal
  if (options.step === true) return step_through(trace, terminal, file)
  terminal.out(to_text(trace, { width, color, stages: options.stages, file }))
  if (terminal.interactive)
    terminal.err(
      'Every stage, one by one: add --step. As a diagram: toctoscope show TOKEN --format mermaid\n',
    )
  return exit.ok
}

/** What the token of a trace file shows, which must be what the file says. */
async function trace_of_file(
  given: string,
  file: string | undefined,
  load_time: number | undefined,
): Promise<Trace> {
  if (!given.endsWith('.json'))
    throw new UsageError(`${given}: expected a token, or a trace in JSON (toctoscope show … --format json)`)
  if (!is_trace_file(given))
    throw new LoadError(`${given}: this is not a trace; "toctoscope explore" takes scenarios`)
  const written = await load_trace(given)
  const { token } = written
  if (token === null) throw new LoadError(`${given}: this trace holds no token, so it cannot be replayed`)
  return as_replayed(given, written, token, file, load_time)
}

async function as_replayed(
  given: string,
  written: Trace,
  token: string,
  file: string | undefined,
  load_time?: number,
): Promise<Trace> {
  const played = await trace_of_token(token, file, load_time)
  const edited = edited_part(written, JSON.parse(JSON.stringify(played)) as Trace)
  if (edited === null) return played
  throw new LoadError(
    `${given}: the trace was edited: ${edited} not what its token gives`,
    `What the token gives: ${command('replay', token, file ?? null)}`,
  )
}

/** The first part that is not as it was recorded, as the beginning of a sentence; null if all are. */
function edited_part(written: Trace, played: Trace): string | null {
  for (const key of Object.keys(played) as (keyof Trace)[]) {
    if (key !== 'steps' && !isDeepStrictEqual(written[key], played[key])) return `${key} is`
  }
  const at = played.steps.findIndex((step, i) => !isDeepStrictEqual(step, written.steps[i]))
  return at < 0 && written.steps.length === played.steps.length ? null : `step ${at + 1} is`
}

/**
 * A trace file, as it was recorded: where its token can be replayed here, what the file says is compared.
 *
 * @throws LoadError, TokenError, ReplayError
 */
export async function checked_trace(given: string): Promise<Trace> {
  const trace = await load_trace(given)
  const { token } = trace
  if (token === null || !shipped_names().includes(decode_token(token).scenario)) return trace
  return as_replayed(given, trace, token, undefined)
}

/**
 * Runs what a token says.
 *
 * @param file the scenario, where the token is of one that is not shipped
 * @throws TokenError, LoadError, ReplayError
 */
export async function trace_of_token(
  word: string,
  file: string | undefined,
  load_time?: number,
): Promise<Trace> {
  const token = decode_token(word)
  if (file === undefined && !shipped_names().includes(token.scenario)) {
    throw new LoadError(
      `the token is of the scenario ${token.scenario}, which is not among the shipped ones: give its file too, toctoscope replay TOKEN FILE`,
    )
  }
  const loaded = await load_scenario(file ?? token.scenario, load_time)
  const index = find_case(token, { toctoscope: 1, ...loaded, cases: loaded.cases.map(({ form }) => form) })
  return about(loaded, () => trace_execution(execution_of(token, loaded, index)))
}

/** Stage after stage; Enter goes on, q ends. */
async function step_through(trace: Trace, terminal: Terminal, file: string | undefined): Promise<number> {
  const colors = theme(terminal.color)
  const options = { width: terminal.width, theme: colors, stages: true }
  const shown = printable_trace(trace)
  let printed = 0
  for (const { n } of trace.steps) {
    const lines = columns({ ...shown, steps: shown.steps.slice(0, n) }, options)
    terminal.out(`${lines.slice(printed).join('\n')}\n`)
    printed = lines.length
    if (n === trace.steps.length) break
    if (terminal.interactive) terminal.err(`step ${n} of ${trace.steps.length}: Enter goes on, q ends `)
    const typed = await terminal.line()
    if (typed === null || typed.trim() === 'q') return exit.ok
  }
  terminal.out(`\n${epilogue(trace, { width: terminal.width, color: terminal.color, file })}`)
  return exit.ok
}

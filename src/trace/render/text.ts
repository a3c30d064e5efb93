/**
 * The trace as text, for a terminal of 100 columns: what was found, what happened column by column, the bytes,
 * and the story in plain words. Colour only repeats what the text says.
 */

import type { Bind, Trace } from '../trace.js'
import { side_by_side } from './bytes.js'
import { columns } from './columns.js'
import { command } from './command.js'
import { explain } from './explain.js'
import { count, type Theme, theme, wrap } from './layout.js'
import { printable_trace } from './printable.js'

export interface TextOptions {
  /** Columns of the terminal; at least 60. 100 unless told. */
  readonly width?: number
  readonly color?: boolean
  /** Every stage on a line of its own, with all that it read and wrote. */
  readonly stages?: boolean
  /** The file that the scenario came from: to replay, it must be named. */
  readonly file?: string | null
}

/** @returns lines joined by newlines, with one at the end; none is wider than `width` */
export function to_text(recorded: Trace, options: TextOptions = {}): string {
  const trace = printable_trace(recorded)
  const { width, colors, stages } = given(options)
  return joined([
    header(trace, width, colors),
    columns(trace, { width, theme: colors, stages }),
    ...ending(trace, options),
  ])
}

/** What stands below the columns: the bytes, the story, the legend and how to replay. */
export function epilogue(trace: Trace, options: TextOptions = {}): string {
  return joined(ending(printable_trace(trace), options))
}

function ending(trace: Trace, options: TextOptions): string[][] {
  const { width, colors, stages } = given(options)
  return [
    side_by_side(trace, width, colors),
    story(trace, width, colors),
    legend(trace, width, colors, stages),
    next(trace, options.file ?? null, colors),
  ]
}

function given({ width = 100, color = false, stages = false }: TextOptions) {
  return { width: Math.max(60, width), colors: theme(color), stages }
}

function joined(sections: readonly string[][]): string {
  const shown = sections.filter((lines) => lines.length > 0)
  return `${shown.map((lines) => lines.map(trim_end).join('\n')).join('\n\n')}\n`
}

/** Without blanks at the end, also where a style ends behind them. */
function trim_end(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return line.replace(/ +((?:\x1b\[[\d;]*m)*)$/, '$1')
}

/** What a violated property means. */
const meanings: Readonly<Record<string, string>> = {
  'check-use': 'what was used is not what the check judged',
  policy: 'bytes were used that the policy does not approve',
}

function headline({ verdict, property, outcome }: Trace): string {
  if (verdict === 'deadlock') return 'DEADLOCK  no task can go on'
  if (property === null) return 'RUN  no property is violated'
  const meaning = meanings[property] ?? (outcome.length > 0 ? 'it happens' : 'it is violated')
  const when = verdict === 'hole' ? ', even when the tasks run one after another' : ''
  return `${(verdict ?? 'run').toUpperCase()}  ${property}: ${meaning}${when}`
}

function header(trace: Trace, width: number, { strong, bad, dim }: Theme): string[] {
  const { verdict, property, cause, removed } = trace
  const title = wrap(`${trace.scenario}${trace.case === '' ? '' : `  ${trace.case}`}`, width, 2)
  const wrong = verdict === 'deadlock' || property !== null
  const figures = [
    `kernel ${trace.profile}`,
    count(trace.preemptions, 'preemption'),
    count(trace.steps.length, 'step'),
    ...(cause === null ? [] : [`cause: ${cause.kind}${cause.step === 0 ? '' : `, step ${cause.step}`}`]),
  ]
  const left_out =
    removed.length === 0 ? [] : wrap(`Left out, for it happens without: ${removed.join(', ')}.`, width, 2)
  return [
    ...title.map(strong),
    ...wrap(trace.summary, width).map(dim),
    '',
    ...wrap(headline(trace), width, 2).map(wrong ? bad : strong),
    ...wrap(figures.join(' · '), width, 2),
    ...left_out.map(dim),
    ...trace.binds
      .filter((bind) => is_mentioned(trace, bind))
      .flatMap((bind) => wrap(say_bind(bind), width, 2)),
  ]
}

/** Only what a call names needs to be explained: stages call files by the other path. */
const is_mentioned = ({ steps }: Trace, { at }: Bind): boolean =>
  steps.some(({ call }) => call?.includes(`"${at}/`) || call?.includes(`"${at}"`))

const say_bind = ({ at, of, read_only }: Bind): string =>
  `${at} is a ${read_only ? 'read-only ' : ''}bind of ${of}: its files are called by their paths there.`

function story(trace: Trace, width: number, { strong }: Theme): string[] {
  const paragraphs = explain(trace)
  if (paragraphs.length === 0) return []
  if (paragraphs.length === 1) return [strong('What happened'), ...wrap(`  ${paragraphs[0]}`, width, 0)]
  return [strong('What happened'), ...paragraphs.flatMap((each, i) => wrap(`  ${i + 1}. ${each}`, width, 3))]
}

function legend(trace: Trace, width: number, { dim }: Theme, stages: boolean): string[] {
  const refused = trace.steps.some((step) => step.events.some(({ kind }) => kind === 'refused'))
  const entries = [
    '• stage',
    ...(stages ? [] : ['⋯ functions without news']),
    'a → b old and new',
    ...(trace.approvals.length > 0 ? ['✓ approved'] : []),
    ...(refused ? ['✗ refused'] : []),
    ...(trace.cause === null || trace.cause.step === 0 ? [] : ['◀── cause']),
  ]
  return wrap(entries.join('  '), width, 0).map(dim)
}

function next(trace: Trace, file: string | null, { strong }: Theme): string[] {
  return trace.token === null ? [] : ['Replay it with:', `  ${strong(command('replay', trace.token, file))}`]
}

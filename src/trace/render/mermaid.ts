/** The trace as a sequence diagram of Mermaid: one lifeline per task, and one for the files. */

import { quote } from '../../scenario/strace.js'
import { from_bytes_form, type Trace, type TraceStep } from '../trace.js'
import { has_kernel_news, how_many, news, say_change, say_violation } from './effects.js'
import { explain } from './explain.js'
import { printable_trace } from './printable.js'

const KERNEL = 'K'
/** Bytes that a message shows. */
const SHOWN = 24

export function to_mermaid(recorded: Trace): string {
  const trace = printable_trace(recorded)
  const lines = ['sequenceDiagram', `  title ${plain(`${trace.scenario} ${trace.case}`.trim())}`]
  const seen = new Set(trace.steps.map((step) => step.task))
  const tasks = trace.tasks.filter(({ task }) => seen.has(task))
  const [first, ...others] = tasks
  if (first !== undefined) lines.push(`  participant T${first.task} as ${plain(first.name)}`)
  lines.push(`  participant ${KERNEL} as kernel ${plain(trace.profile)}`)
  for (const { task, name } of others) lines.push(`  participant T${task} as ${plain(name)}`)
  for (const step of trace.steps) lines.push(...messages(trace, step).map((line) => `  ${line}`))
  const story = explain(trace)
  if (tasks.length > 0 && story.length > 0) {
    const over = tasks.length > 1 ? `T${first!.task},T${tasks.at(-1)!.task}` : `T${first!.task}`
    for (const paragraph of story) lines.push(`  Note over ${over}: ${broken(plain(paragraph))}`)
  }
  return `${lines.join('\n')}\n`
}

function messages(trace: Trace, step: TraceStep): string[] {
  const who = `T${step.task}`
  const lines: string[] = []
  if (step.preempts) lines.push(`Note over ${who}: preempts`)
  if (step.call !== null) lines.push(`${who}->>${KERNEL}: ${plain(step.call)}`)
  if (has_kernel_news(trace, step)) {
    const said = effects(trace, step)
    if (said.length > 0)
      lines.push(`Note over ${KERNEL}: ${[`${step.n} ${step.stage}`, ...said].map(plain).join('<br/>')}`)
  }
  const { result } = step
  if (result !== null) {
    const data = result.data === null ? '' : ` ${quote(from_bytes_form(result.data), SHOWN)}`
    lines.push(`${KERNEL}-${result.failed ? '-x' : '->>'}${who}: ${plain(`= ${result.text}${data}`)}`)
  }
  for (const { kind, text } of step.events)
    if (kind === 'violation') lines.push(`Note over ${who}: ${plain(say_violation(text))}`)
  return lines
}

function effects(trace: Trace, step: TraceStep): string[] {
  const said = news(step).map((change) => {
    const words = say_change(change)
    return `${change.name}: ${words === '' ? `${quote(change.to, SHOWN)}` : words}`
  })
  for (const { kind, text } of step.events) if (kind === 'refused' || kind === 'denied') said.push(text)
  for (const each of trace.approvals)
    if (each.step === step.n) said.push(`approved: ${how_many(each.bytes)} of ${each.object}`)
  if (trace.cause?.step === step.n) said.push(`cause: ${trace.cause.kind}`)
  return said
}

/** Its own syntax, HTML, directives (`%%{…}%%`) and formulas (`$$`), by the codes that Mermaid has for characters. */
const plain = (text: string): string =>
  text.replace(/\n/g, ' ').replace(/[#;<>&%$`]/g, (char) => `#${char.charCodeAt(0)};`)

/** Long notes in several lines. */
function broken(text: string): string {
  return text.replace(/(.{60,80}?) /g, '$1<br/>')
}

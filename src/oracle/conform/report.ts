/** A disagreement between model and kernel, for people: the play, with both answers beside each other. */
import { holds, syscall_named } from '../../kernel/syscall.js'
import '../../model.js'
import type { OpForm, ScenarioForm } from '../../scenario/form.js'
import type { Answer, Play, PlayCall } from '../agent/play.js'
import type { Disagreement } from './conform.js'

function show_argument(arg: unknown, is_text: boolean): string {
  if (arg === null) return 'NULL'
  if (typeof arg === 'object' && '$' in (arg as object)) return (arg as { $: string }).$
  if (typeof arg !== 'string') return JSON.stringify(arg)
  // Names of constants stand as in C.
  return !is_text && /^[A-Z][A-Z0-9_]*(\|\w+)*$/.test(arg) ? arg : JSON.stringify(arg)
}

/** `open("/m/f", O_RDWR)`. */
export function show_play_call({ call, args = [] }: PlayCall): string {
  const syscall = syscall_named(call)
  const shown = args.map((arg, i) => {
    const param = syscall?.params[i]
    return show_argument(arg, param !== undefined && holds(param) !== 'number')
  })
  return `${call}(${shown.join(', ')})`
}

/** `3`, `-1 ENOENT`, `SIGBUS`, `4 "data"`, `0 {st_mode=0100644, …}`. */
export function show_answer(answer: Answer): string {
  const { ret, errno, signal, data, fields } = answer
  if (errno !== undefined) return `-1 ${errno}`
  if (signal !== undefined) return signal
  if (ret === undefined) return Object.keys(answer)[0] ?? '?'
  if (data !== undefined)
    return `${ret} ${data.length > 40 ? `${JSON.stringify(data.slice(0, 40))}…` : JSON.stringify(data)}`
  if (fields === undefined) return String(ret)
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${show_field(name, value)}`)
  return `${ret} {${shown.join(', ')}}`
}

const show_field = (name: string, value: number): string =>
  name === 'st_mode' ? `0${value.toString(8)}` : String(value)

/** Only what differs, of answers with many fields. */
function show_difference(answer: Answer, what: string): string {
  const value = answer.fields?.[what]
  return value === undefined ? show_answer(answer) : `${what}=${show_field(what, value)}`
}

/** Lines that say what was played, and where the answers part. */
export function format_disagreement({
  seed,
  index,
  play,
  model,
  kernel,
  difference,
}: Disagreement): string[] {
  const { call, what } = difference
  const lines = [
    `seed ${seed}, program ${index}: ${play.calls[call]!.call}: model and kernel give another ${what}`,
  ]
  lines.push(`  setup ${JSON.stringify(play.setup)}`)
  for (const [i, task] of play.tasks.entries()) {
    const { name: _, ...who } = task
    lines.push(`  task ${i + 1} ${JSON.stringify(who)}`)
  }
  for (const [i, form] of play.calls.entries()) {
    const shown = `${form.task} ${show_play_call(form)}`
    if (i !== call) lines.push(`    ${shown} = ${show_answer(kernel[i]!)}`)
    else {
      lines.push(`  > ${shown}`)
      lines.push(`        model:  ${show_difference(model[i]!, what)}`)
      lines.push(`        kernel: ${show_difference(kernel[i]!, what)}`)
    }
  }
  return lines
}

/**
 * The play as a scenario. Its tasks make the same calls; the order in which they took turns is not part of
 * a scenario.
 */
export function scenario_of(play: Play, name: string): ScenarioForm {
  const program = (task: number): OpForm[] =>
    play.calls
      .filter((each) => each.task === task)
      .map(({ call, args, as, child }) => ({
        call,
        ...(args === undefined ? {} : { args }),
        ...(as === undefined ? {} : { as }),
        on_error: 'continue' as const,
        ...(child === undefined ? {} : { child: program(child) }),
      }))
  const tasks = play.tasks.map((task, i) => ({ ...task, program: program(i + 1) }))
  return {
    toctoscope: 1,
    name,
    summary: 'calls to which the model and a kernel gave different answers',
    cases: [{ setup: play.setup, tasks, properties: [] }],
  }
}

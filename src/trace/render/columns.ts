/** The middle of the text trace: one column per task, the kernel's calls indented, switches marked. */

import { type CallResult, from_bytes_form, type StackFrame, type Trace, type TraceStep } from '../trace.js'
import {
  denied_permissively,
  has_kernel_news,
  how_many,
  news,
  page_difference,
  quote_to_fit,
  say_change,
  say_violation,
} from './effects.js'
import { cut, pad, type Style, type Theme, width_of, wrap } from './layout.js'

/** Columns narrower than this are no use: then there is one column for all tasks. */
const NARROWEST = 26
/** Columns narrower than this save room where they indent. */
const ROOMY = 40
const GUTTER = 8
const BETWEEN = ' │ '

interface Line {
  readonly task: number
  readonly text: string
  readonly style: Style
  /** Numbers of the steps that the line is about. */
  readonly steps: string
}

export interface ColumnOptions {
  readonly width: number
  readonly theme: Theme
  /** Every stage gets a line, with all that it touched. */
  readonly stages: boolean
}

/** Steps of one task in one system call, without another task between. */
interface Stretch {
  readonly task: number
  readonly steps: TraceStep[]
}

/** The columns, as lines. */
export function columns(trace: Trace, options: ColumnOptions): string[] {
  return new Columns(trace, options).lines()
}

class Columns {
  private readonly out: string[] = []
  private readonly lanes: readonly number[]
  private readonly lane_width: number
  private readonly separate: boolean
  /** Functions whose headings stand above the current line, the outermost first; `level` of their line. */
  private open: { fn: string; level: number }[] = []
  private folded: TraceStep[] = []

  constructor(
    private readonly trace: Trace,
    private readonly options: ColumnOptions,
  ) {
    const seen = new Set(trace.steps.map((step) => step.task))
    this.lanes = trace.tasks.map(({ task }) => task).filter((task) => seen.has(task))
    const n = Math.max(this.lanes.length, 1)
    const lane = Math.floor((options.width - GUTTER - BETWEEN.length * (n - 1)) / n)
    this.separate = lane >= NARROWEST
    this.lane_width = this.separate ? lane : options.width - GUTTER
  }

  lines(): string[] {
    if (this.separate) this.heading()
    let before: Stretch | null = null
    for (const stretch of this.stretches()) {
      if (before === null || before.task !== stretch.task) this.switch_to(stretch, before)
      this.stretch(stretch, before)
      before = stretch
    }
    return this.out
  }

  private stretches(): Stretch[] {
    const stretches: Stretch[] = []
    for (const step of this.trace.steps) {
      const last = stretches[stretches.length - 1]
      if (last === undefined || last.task !== step.task || step.call !== null) {
        stretches.push({ task: step.task, steps: [step] })
      } else last.steps.push(step)
    }
    return stretches
  }

  // --- lines -------------------------------------------------------------------------------------------

  private name(task: number): string {
    return this.trace.tasks.find((each) => each.task === task)?.name ?? `task ${task}`
  }

  private heading(): void {
    const { strong, dim } = this.options.theme
    const cells = this.lanes.map((task) => {
      const { uid, role, cwd } = this.trace.tasks.find((each) => each.task === task)!
      const place = cwd === '/' ? '' : `, in ${cwd}`
      const about = `${role === 'other' ? '' : `${role}, `}uid ${uid}${place}`
      const name = cut(this.name(task), this.lane_width)
      const rest = cut(`  ${about}`, Math.max(0, this.lane_width - width_of(name)))
      return strong(name) + dim(rest) + ' '.repeat(Math.max(0, this.lane_width - width_of(name + rest)))
    })
    this.out.push(`${dim(pad('  step', GUTTER))}${cells.join(dim(BETWEEN))}`.trimEnd())
    const rules = this.lanes.map(() => '─'.repeat(this.lane_width))
    this.out.push(dim(`${'─'.repeat(GUTTER)}${rules.join('─┼─')}`))
  }

  private put(line: Line): void {
    const gutter = pad(line.steps === '' ? '' : line.steps.padStart(GUTTER - 2), GUTTER)
    const { dim } = this.options.theme
    const text = cut(line.text, this.lane_width)
    if (!this.separate) {
      this.out.push(dim(gutter) + line.style(text))
      return
    }
    const cells = this.lanes.map((task) => {
      if (task !== line.task) return ' '.repeat(this.lane_width)
      return line.style(text) + ' '.repeat(this.lane_width - width_of(text))
    })
    this.out.push((dim(gutter) + cells.join(dim(BETWEEN))).trimEnd())
  }

  /** A text in a task's column, broken into as many lines as it needs. */
  private say(task: number, indent: number, text: string, style: Style, steps = '', hanging = 2): void {
    const room = Math.max(0, Math.min(indent, this.lane_width - 16))
    wrap(' '.repeat(room) + text, this.lane_width, hanging).forEach((line, i) => {
      this.put({ task, text: line, style, steps: i === 0 ? steps : '' })
    })
  }

  // --- switches ----------------------------------------------------------------------------------------

  private switch_to(stretch: Stretch, before: Stretch | null): void {
    if (before === null) {
      if (!this.separate) this.rule(this.name(stretch.task))
      return
    }
    const { steps } = before
    const last = steps[steps.length - 1]!
    const [from, to] = [this.name(before.task), this.name(stretch.task)]
    if (last.ended) this.rule(`${from} has ended; ${to} runs`)
    else if (!stretch.steps[0]!.preempts) this.rule(`${from} sleeps; ${to} runs`)
    else this.rule(`switch: ${from} is preempted ${this.place_of(last)}; ${to} runs`)
  }

  private place_of(last: TraceStep): string {
    if (last.result !== null) return 'between two calls'
    const call = this.trace.steps.filter(
      (step) => step.task === last.task && step.n <= last.n && step.call !== null,
    )
    const name = call.at(-1)?.call?.split('(')[0] ?? 'a call'
    return `inside ${name}, after ${last.stage || last.stack.at(-1)?.fn || 'its start'}`
  }

  private rule(text: string): void {
    const { width, theme } = this.options
    const label = cut(` ${text} `, width - 12)
    this.out.push(theme.note(`━━━━━━${label}${'━'.repeat(Math.max(0, width - 6 - width_of(label)))}`))
  }

  // --- one stretch -------------------------------------------------------------------------------------

  private stretch(stretch: Stretch, before: Stretch | null): void {
    const { task, steps } = stretch
    const first = steps[0]!
    this.open = []
    this.folded = []
    if (first.call === null) {
      if (before !== null) this.say(task, 0, `… ${this.call_of(first)} goes on`, this.options.theme.call)
    } else if (this.in_one_line(stretch)) return
    else this.say(task, 0, first.call, this.options.theme.call, String(first.n), 4)
    for (const step of steps) this.step(step)
    this.unfold([])
  }

  private call_of(step: TraceStep): string {
    const { steps } = this.trace
    for (let i = step.n - 1; i >= 0; i--) {
      const each = steps[i]!
      if (each.task === step.task && each.call !== null) return each.call.split('(')[0]!
    }
    return 'the program'
  }

  /** A call that nobody interrupts and in which nothing happens that matters: `fstat(3) = 0`. */
  private in_one_line({ task, steps }: Stretch): boolean {
    const last = steps[steps.length - 1]!
    if (this.options.stages || last.result === null) return false
    if (steps.some((step) => has_kernel_news(this.trace, step))) return false
    const { theme } = this.options
    const [head, tail] = [steps[0]!.call!, this.tail_text(last.result, width_of(steps[0]!.call!) + 1)]
    const range = span(steps[0]!, last)
    if (width_of(`${head} ${tail}`) <= this.lane_width) {
      this.say(task, 0, `${head} ${tail}`, theme.call, range)
    } else {
      this.say(task, 0, head, theme.call, range, 4)
      this.say(task, 2, this.tail_text(last.result, 2), last.result.failed ? theme.bad : theme.good)
    }
    this.folded = steps.filter((step) => step.stage !== '')
    this.unfold([], true)
    this.uses(last)
    return true
  }

  private step(step: TraceStep): void {
    if (this.options.stages || has_kernel_news(this.trace, step)) {
      this.unfold(step.stack)
      if (step.stage !== '') this.stage(step)
      else if (step.call === null) this.effects(step, 2)
    } else if (step.stage !== '') this.folded.push(step)
    if (step.result !== null) this.tail(step.result)
    this.uses(step)
  }

  /**
   * Stages without news, in one line: where the kernel has been meanwhile. Functions named nearby are left out;
   * those that the next stage is in, too, are named above.
   */
  private unfold(next: readonly StackFrame[], unnumbered = false): void {
    const names = new Set<string>()
    let shared = next.length
    for (const { stack, stage } of this.folded) {
      const name = stack.at(-1)?.fn ?? stage
      if (next.some(({ fn }) => fn === name) || this.open.some(({ fn }) => fn === name)) continue
      names.add(name)
      shared = Math.min(shared, shared_frames(stack, next))
    }
    const [first, last] = [this.folded[0], this.folded[this.folded.length - 1]]
    this.folded = []
    if (names.size === 0) return
    const indent = shared === 0 ? this.indent_of(0) : this.functions(first!.task, next.slice(0, shared))
    const text = ' '.repeat(indent) + some_of([...names], this.lane_width - indent)
    const steps = unnumbered ? '' : span(first!, last!)
    this.put({ task: first!.task, text, style: this.options.theme.dim, steps })
  }

  private stage(step: TraceStep): void {
    const { theme, stages } = this.options
    const indent = this.functions(step.task, step.stack)
    this.say(step.task, indent, `• ${step.stage}`, theme.plain, String(step.n), 2)
    if (stages) this.touched(step, indent + 2)
    this.effects(step, indent + 2)
  }

  /**
   * Headings of the functions that the stage is in, those that do not stand there yet. Functions that only lead
   * to the next share a line with it. @returns the indent of the stage
   */
  private functions(task: number, frames: readonly StackFrame[]): number {
    let common = 0
    while (common < frames.length && this.open[common]?.fn === frames[common]!.fn) common++
    const above = this.open[common - 1]
    const line_went_on = above !== undefined && this.open[common]?.level === above.level
    // A stage of a function that stands in the midst of a line gets its heading once more.
    if (line_went_on && common === frames.length) common--
    this.open.length = common
    let level = above === undefined ? 0 : line_went_on ? above.level : above.level + 1
    let line: StackFrame[] = []
    for (const frame of frames.slice(common)) {
      if (line.length > 0 && !this.fits([...line, frame], level)) {
        this.function_heading(task, line, level++)
        line = []
      }
      line.push(frame)
      this.open.push({ fn: frame.fn, level })
    }
    if (line.length > 0) this.function_heading(task, line, level)
    return this.indent_of(this.open.length === 0 ? 0 : this.open[this.open.length - 1]!.level + 1)
  }

  /** Columns before a line of a level; where there is little room, levels stand closer. */
  private indent_of(level: number): number {
    return 2 + (this.lane_width < ROOMY ? 1 : 2) * level
  }

  private fits(line: readonly StackFrame[], level: number): boolean {
    return !this.options.stages && width_of(line_label(line)) <= this.lane_width - this.indent_of(level)
  }

  private function_heading(task: number, line: readonly StackFrame[], level: number): void {
    this.say(task, this.indent_of(level), line_label(line), this.options.theme.dim)
  }

  private touched(step: TraceStep, indent: number): void {
    const { dim } = this.options.theme
    for (const write of [false, true]) {
      const touched = step.touched.filter((each) => each.write === write && each.group !== 'members')
      const names = new Set(touched.map(({ name, table, group }) => `${name} ${table}.${group}`))
      if (names.size > 0)
        this.say(step.task, indent, `${write ? 'writes' : 'reads'} ${[...names].join(', ')}`, dim, '', 2)
    }
  }

  /** What a stage changed, why it refused, what it approved, and whether it is the cause. */
  private effects(step: TraceStep, indent: number): void {
    this.changes(step, indent)
    this.events(step, indent)
    this.approvals(step, indent)
    const { cause } = this.trace
    if (cause !== null && cause.step === step.n) {
      this.say(
        step.task,
        Math.min(indent, 4),
        `◀── cause: ${said_cause[cause.kind] ?? cause.kind}`,
        this.options.theme.bad,
        '',
        4,
      )
    }
  }

  private changes(step: TraceStep, indent: number): void {
    const { theme, stages } = this.options
    for (const change of stages ? step.changes : news(step)) {
      const words = say_change(change)
      const name = change.field === '' ? change.name : change.name.replace(/^open file /, '')
      if (words !== '' && width_of(`${name}: ${words}`) <= this.lane_width - indent) {
        this.say(step.task, indent, `${name}: ${words}`, theme.plain)
        continue
      }
      this.say(step.task, indent, `${name}:`, theme.plain)
      if (words !== '') {
        this.say(step.task, indent + 2, words, theme.plain)
        continue
      }
      for (const line of page_difference(change, this.lane_width - indent - 2)) {
        this.say(step.task, indent + 2, line, line.startsWith('-') ? theme.bad : theme.good)
      }
    }
  }

  private events(step: TraceStep, indent: number): void {
    const { theme } = this.options
    const result = this.trace.results.find((each) => each.task === step.task && each.step >= step.n)
    for (const { kind, text } of step.events) {
      if (said_elsewhere.has(kind)) continue
      if (kind === 'denied' && step.events.some((each) => each.kind === 'refused')) continue
      if (kind === 'refused') {
        const errno = result?.failed === true ? `${result.text.replace('-1 ', '')}: ` : ''
        this.say(step.task, indent, `✗ ${errno}${text}`, theme.bad, '', 2)
      } else if (kind === 'audit') this.say(step.task, indent, `audit: ${text}`, theme.dim, '', 2)
      else this.say(step.task, indent, kind === 'denied' ? `denied by ${text}` : text, theme.note, '', 2)
    }
  }

  private approvals(step: TraceStep, indent: number): void {
    for (const approval of this.trace.approvals) {
      const { step: n, object, bytes, approved } = approval
      if (n !== step.n) continue
      const { good, note } = this.options.theme
      const style = approved ? good : note
      this.say(step.task, indent, `✓ approved: ${how_many(bytes)} of ${object}`, style)
      this.say(
        step.task,
        indent + 2,
        quote_to_fit(from_bytes_form(bytes), this.lane_width - indent - 2),
        style,
      )
      if (approved) continue
      const asked = denied_permissively(this.trace, approval) !== null
      const why = asked ? '(which IPE denied, but it is permissive)' : '(which no policy was asked about)'
      this.say(step.task, indent + 2, why, style)
    }
  }

  /** What the program does with the bytes, once it has them, and what that breaks. */
  private uses(step: TraceStep): void {
    const { bad, strong } = this.options.theme
    for (const { step: n, from, bytes, relies } of this.trace.uses) {
      if (n !== step.n) continue
      const objects = [...new Set(from.map(({ object }) => object))].join(', ')
      const why = relies === null ? '' : `, relying on ${relies}`
      this.say(step.task, 0, `uses ${how_many(bytes)}${objects === '' ? '' : ` of ${objects}`}${why}`, strong)
    }
    for (const { kind, text } of step.events) {
      if (kind === 'violation') this.say(step.task, 2, `✗ ${say_violation(text)}`, bad)
    }
  }

  private tail(result: CallResult): void {
    const { good, bad } = this.options.theme
    this.unfold([])
    this.say(result.task, 2, this.tail_text(result, 2), result.failed ? bad : good, String(result.step), 4)
  }

  /** `= 20  "#!/bin/sh\n"`: the result, and what the call gave besides its number. */
  private tail_text(result: CallResult, used: number): string {
    if (/^SIG/.test(result.text)) return `+++ killed by ${result.text} +++`
    const text = `= ${result.text}`
    if (result.data !== null) {
      const bytes = from_bytes_form(result.data)
      const room = this.lane_width - used - text.length - 2
      return bytes === '' ? `${text}  (end of file)` : `${text}  ${quote_to_fit(bytes, Math.max(room, 12))}`
    }
    const size = result.fields?.st_size
    return size === undefined ? text : `${text}  {st_size=${size}}`
  }
}

const said_cause: Readonly<Record<string, string>> = { 'copy-up': 'copy-up of the inode' }

/** Events whose news the changes or the program's lines tell already. */
const said_elsewhere = new Set(['violation', 'published', 'copy-up'])

/** How many of the outermost functions two stacks have in common. */
function shared_frames(a: readonly StackFrame[], b: readonly StackFrame[]): number {
  let n = 0
  while (n < a.length && n < b.length && a[n]!.fn === b[n]!.fn) n++
  return n
}

/** `⋯ one, two, …`: as many names as fit, none of them cut. */
function some_of(names: readonly string[], room: number): string {
  for (let n = names.length; n > 0; n--) {
    const text = `⋯ ${names.slice(0, n).join(', ')}${n < names.length ? ', …' : ''}`
    if (width_of(text) <= room || n === 1) return text
  }
  return '⋯'
}

/** `7-12`: the steps from one to another. */
const span = (first: TraceStep, last: TraceStep): string =>
  first.n === last.n ? String(first.n) : `${first.n}-${last.n}`

/** `do_open › do_dentry_open(/m/s)`: with what the last is about. */
function line_label(line: readonly StackFrame[]): string {
  const { about } = line[line.length - 1]!
  const subject = Object.values(about).find((name) => !name.startsWith('mount '))
  const names = line.map(({ fn }) => fn).join(' › ')
  return subject === undefined ? names : `${names}(${subject.replace(/^open file /, '')})`
}

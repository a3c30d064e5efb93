/** Records a trace: plays a schedule once more and writes down everything that a reader may ask about. */

import { can_go_on, replay } from '../../explore/replay.js'
import type { Move, Schedule, System } from '../../explore/system.js'
import { FastStore } from '../../kernel/fast_store.js'
import { hold_kind } from '../../kernel/fn.js'
import type { Footprint, PlainRow } from '../../kernel/footprint.js'
import type { Event, Kernel, Store } from '../../kernel/kernel.js'
import { type Frame, RETURNING } from '../../kernel/kernel.js'
import { all_tables, type Column, show_id, type TableInfo, type Value } from '../../kernel/schema.js'
import { readable_message } from '../../scenario/characters.js'
import { type CallInstruction, type Code, code_of, result, type UseInstruction } from '../../scenario/code.js'
import {
  type CaseForm,
  case_name,
  case_profile,
  type ScenarioForm,
  type Verdict,
} from '../../scenario/form.js'
import { property_name, split_result } from '../../scenario/properties.js'
import { show_address, show_call } from '../../scenario/strace.js'
import { show_result } from '../../scenario/user.js'
import type { Cause as FoundCause } from '../../verdict/cause.js'
import { VERSION } from '../../version.js'
import { do_exit } from '../../vfs/tasks/fork_exit.js'
import {
  type Approval,
  type Bind,
  type CallResult,
  type Cause,
  type Change,
  type OutcomePart,
  type Source,
  type StackFrame,
  TRACE_FORMAT,
  type Trace,
  type TraceEvent,
  type TraceStep,
  type TraceTask,
  to_bytes_form,
  type Use,
} from '../trace.js'
import { type Before, Moment, type Rows } from './moment.js'
import { Names } from './names.js'

/** What is known of an execution besides its schedule. */
export interface Recording {
  /** The case as the machine runs it. */
  readonly system: System
  readonly scenario: Pick<ScenarioForm, 'name' | 'summary'>
  readonly case: CaseForm
  readonly schedule: Schedule
  readonly verdict?: Verdict | null
  readonly property?: string | null
  /** `step` is the index in the schedule of the move that is to blame; -1 for none. */
  readonly cause?: Pick<FoundCause, 'kind' | 'text' | 'step'> | null
  readonly removed?: readonly string[]
  readonly token?: string | null
}

/** Tables of the observers: what they hold is told as approvals, uses and results. */
const observers = new Set([
  'exec_look',
  'running',

  'result',
  'used',
  'approval',
  'violation',
  'unapproved',
  'occurred',
  'user_buffer',
])

/** Events that are told in fields of their own. */
const told_elsewhere = new Set(['call', 'return', 'approval', 'use'])

const tables_by_name = (): Map<string, TableInfo> => new Map(all_tables().map((table) => [table.name, table]))

class Recorder {
  private readonly steps: TraceStep[] = []
  private readonly approvals: Approval[] = []
  private readonly uses: Use[] = []
  private readonly results: CallResult[] = []
  private readonly tables = tables_by_name()
  private readonly task_names: Map<number, string>
  private readonly open_calls = new Map<number, { call: CallInstruction; text: string; name: string }>()
  /** From before the first step on. */
  private moment!: Moment
  private names!: Names
  private binds: Bind[] = []
  /** Where tasks stood before their first step. */
  private readonly stood = new Map<number, string>()
  private readonly programs = new Map<number, number>()
  private running = 0
  private preemptions = 0

  // Of the step that is being recorded.
  private preempts = false
  private was_local = false
  private stack: StackFrame[] = []
  private stage = ''
  private call_text: string | null = null

  constructor(
    private readonly recording: Recording,
    private readonly store: Store,
  ) {
    this.task_names = new Map(recording.case.tasks.map((task, i) => [i + 1, task.name]))
  }

  record(): Trace {
    replay(this.recording.system, this.store, this.recording.schedule, {
      before: (k, move) => this.before(k, move),
      after: (k, move, index, events) => this.after(k, move, index, events),
    })
    return this.trace()
  }

  private trace(): Trace {
    const { scenario, case: form, verdict, property, removed, token } = this.recording
    return {
      toctoscope_trace: TRACE_FORMAT,
      version: VERSION,
      scenario: scenario.name,
      summary: scenario.summary,
      case: case_name(form),
      params: form.params ?? {},
      profile: case_profile(form),
      verdict: verdict ?? null,
      property: property ?? null,
      cause: this.cause(),
      outcome: this.outcome(),
      preemptions: this.preemptions,
      removed: removed ?? [],
      token: token ?? null,
      tasks: this.tasks(),
      binds: this.binds,
      steps: this.steps,
      ...tell_apart(this.approvals, this.uses),
      results: this.results,
    }
  }

  private tasks(): TraceTask[] {
    const known = this.recording.case.tasks.map((task, i) => ({
      task: i + 1,
      name: task.name,
      role: task.role ?? ('other' as const),
      uid: task.uid ?? 0,
      cwd: this.stood.get(i + 1) ?? '/',
    }))
    const forked = new Set(this.steps.map((step) => step.task).filter((task) => task > known.length))
    return [...known, ...[...forked].sort((a, b) => a - b).map((task) => this.child(task))]
  }

  private child(task: number): TraceTask {
    const row = this.moment.row('task_struct', task)
    return {
      task,
      name: this.names.task(task),
      // A forked child does its parent's work.
      role: this.recording.case.tasks[this.programs.get(task) ?? -1]?.role ?? 'other',
      uid: Number(row?.uid ?? 0),
      cwd: this.stood.get(task) ?? '/',
    }
  }

  /** A forked task is called after its parent. */
  private name_child(task: number): void {
    if (this.task_names.has(task)) return
    const parent = Number(this.moment.row('task_struct', task)?.parent ?? 0)
    const name = `child of ${this.names.task(parent)}`
    const taken = [...this.task_names.values()].includes(name)
    this.task_names.set(task, taken ? `${name} (${task})` : name)
  }

  private cause(): Cause | null {
    const { cause } = this.recording
    if (cause === null || cause === undefined) return null
    return { step: this.steps[cause.step]?.n ?? 0, kind: cause.kind, text: cause.text }
  }

  /** The parts of the outcome that is violated, if the property is one. */
  private outcome(): OutcomePart[] {
    const { case: form, property } = this.recording
    const never = form.properties?.find((each) => property_name(each) === property)
    if (never === undefined || typeof never === 'string' || !('never' in never)) return []
    const parts = Object.entries(never.never).flatMap(([name, wanted]) => {
      const [task, result] = split_result(name)
      const made = this.results.find(
        (each) => each.name === result && this.program_name(each.task) === task && shows(each, wanted),
      )
      return made === undefined ? [] : [{ task, result, wanted, step: made.step }]
    })
    return parts.sort((a, b) => a.step - b.step)
  }

  /** The task of the scenario whose program a task runs. */
  private program_name(task: number): string | undefined {
    return this.recording.case.tasks[this.programs.get(task) ?? task - 1]?.name
  }

  // --- one step --------------------------------------------------------------------------------------

  private before(k: Kernel, { task, choice }: Move): void {
    if (this.steps.length === 0) {
      this.moment = new Moment(this.store)
      this.look()
      this.binds = this.names.binds()
    }
    this.name_child(task)
    this.note_program(k, task)
    if (!this.stood.has(task)) this.stood.set(task, this.names.pwd(task))
    k.events = []
    this.preempts = this.running !== 0 && task !== this.running && can_go_on(k, this.running)
    if (this.preempts) this.preemptions++
    this.running = task
    this.stack = this.read_stack(k, task)
    const top = k.store.top(task)
    const next = top.stage === RETURNING ? undefined : top.fn.steps[top.stage]!
    this.stage = next === undefined ? held_name(top) : next.kind === 'stage' ? next.name : ''
    this.was_local = next === undefined ? false : next.local
    this.call_text = null
    if (k.store.depth(task) === 1 && top.fn.is_program) this.begin_call(k, task)
    k.task = task
    k.choice = choice
    k.store.note()
  }

  /** Whose program a task runs: a child that of its parent. */
  private note_program(k: Kernel, task: number): void {
    const { pc } = k.store.frame(task, 0) as unknown as { pc?: number }
    const program = pc === undefined ? undefined : code_of(k).program_of[pc]
    if (program !== undefined) this.programs.set(task, program)
  }

  private begin_call(k: Kernel, task: number): void {
    const { pc } = k.store.frame(task, 0) as unknown as { pc: number }
    const code = code_of(k)
    const call = code.instructions[pc] as CallInstruction
    this.call_text = show_call(k, task, call)
    this.open_calls.set(task, { call, text: this.call_text, name: slot_name(code, pc, call.slot) })
  }

  private after(k: Kernel, { task, choice }: Move, index: number, events: readonly Event[]): void {
    const footprint = k.store.footprint()
    const before = this.moment.after(footprint)
    this.look()
    const n = index + 1
    const entered = k.store.depth(task) > this.stack.length + 1
    const slot = this.open_calls.get(task)?.call.slot ?? -1
    const returned = events.find((event) => event.kind === 'return')
    const call_result = returned === undefined ? null : this.end_call(k, task, n)
    const step: TraceStep = {
      n,
      task,
      choice,
      preempts: this.preempts,
      local: this.was_local,
      call: this.call_text,
      stack: entered ? this.read_stack(k, task) : this.stack,
      stage: this.stage,
      touched: this.touched(footprint, before),
      changes: this.changes(before),
      events: events.filter((event) => !told_elsewhere.has(event.kind)).map((event) => this.event(event)),
      result: call_result,
      ended: k.store.depth(task) === 0,
    }
    this.steps.push(step)
    if (events.some((event) => event.kind === 'approval')) this.note_approval(k, step, slot)
    this.note_uses(k, step, before)
  }

  /** Numbers of inodes mean nothing to a reader: their names do. */
  private event({ kind, text }: Event): TraceEvent {
    const named = (_: string, id: string) => this.names.inode(Number(id))
    return { kind, text: readable_message(text).replace(/\binode (\d+)\b/g, named) }
  }

  private look(): void {
    this.names = new Names(this.moment, this.task_names)
  }

  /** The stack without the program itself, the outermost first. */
  private read_stack(k: Kernel, task: number): StackFrame[] {
    const frames: StackFrame[] = []
    for (let depth = 0; depth < k.store.depth(task); depth++) {
      const frame = k.store.frame(task, depth)
      if (frame.fn.is_program) continue
      frames.push({ fn: frame.fn.name, source: frame.fn.source, about: this.references(frame) })
    }
    return frames
  }

  private references(frame: Frame): Record<string, string> {
    const about: Record<string, string> = {}
    for (const column of frame.fn.shape.columns) {
      if (column.type.kind !== 'ref') continue
      const id = (frame as unknown as Record<string, number>)[column.name]!
      if (id !== 0) about[column.name] = this.names.reference(column.type.table!, id)
    }
    return about
  }

  private end_call(k: Kernel, task: number, step: number): CallResult | null {
    const open = this.open_calls.get(task)
    if (open === undefined) return null
    this.open_calls.delete(task)
    const { call, text, name } = open
    const row = result.find(k, task, call.slot) ?? no_result
    const { returns, fields } = call.syscall
    const made: CallResult = {
      task,
      step,
      name,
      call: text,
      text: call.syscall.fn === do_exit ? '?' : row.ret >= 0 ? show_address(row.ret) : show_result(row.ret),
      failed: row.ret < 0,
      data: returns === 'bytes' && row.ret >= 0 ? to_bytes_form(row.data) : null,
      fields:
        returns === 'struct' && row.ret >= 0
          ? Object.fromEntries(fields.map((field, i) => [field, row.fields[i] ?? 0]))
          : null,
    }
    this.results.push(made)
    return made
  }

  // --- what was touched and changed ------------------------------------------------------------------

  private touched(footprint: Footprint, before: Before): TraceStep['touched'] {
    const old_names = new Names(before, this.task_names)
    return footprint
      .filter((touch) => !observers.has(touch.table))
      .map(({ write, table, row, group }) => {
        const names = this.names.has(table, row) ? this.names : old_names
        return { write, table, row, name: names.of(table, row), group }
      })
  }

  private changes(before: Before): Change[] {
    const old_names = new Names(before, this.task_names)
    const changes: Change[] = []
    for (const { table: info, row, old, now } of before.written) {
      const table = info.name
      if (observers.has(table)) continue
      if (now === undefined) {
        if (old === undefined) continue
        const name = old_names.of(table, row)
        changes.push({ table, row, name, field: '', kind: 'removed', from: content(old), to: '' })
        continue
      }
      const about = { table, row, name: this.names.of(table, row) }
      if (old === undefined) changes.push({ ...about, field: '', kind: 'made', from: '', to: content(now) })
      else changes.push(...this.fields_changed(about, old, now, old_names))
    }
    return changes
  }

  private fields_changed(
    info: { table: string; row: string; name: string },
    old: PlainRow,
    values: PlainRow,
    old_names: Names,
  ): Change[] {
    const changes: Change[] = []
    for (const column of this.tables.get(info.table)!.columns) {
      const [from, to] = [old[column.name]!, values[column.name]!]
      if (same_value(from, to)) continue
      const shown_from = show_value(old_names, column, from)
      changes.push({
        ...info,
        field: column.name,
        kind: 'set',
        from: shown_from,
        to: show_value(this.names, column, to),
      })
    }
    return changes
  }

  // --- what properties speak about -------------------------------------------------------------------

  /** A check said yes in this step, of the call whose result has this slot. */
  private note_approval(k: Kernel, step: TraceStep, slot: number): void {
    const row = this.moment.row('approval', `${step.task}:${slot}`)
    if (row === undefined) return
    const { pc } = k.store.frame(step.task, 0) as unknown as { pc: number }
    this.approvals.push({
      step: step.n,
      task: step.task,
      check: slot_name(code_of(k), pc, slot),
      object: this.names.inode(Number(row.data_inode)),
      inode: Number(row.data_inode),
      bytes: to_bytes_form(String(row.bytes)),
      approved: row.approved === 1,
    })
  }

  private note_uses(k: Kernel, step: TraceStep, before: Before): void {
    for (const { table, old, now: values } of before.written) {
      if (table.name !== 'used' || values === undefined || Number(values.task) !== step.task) continue
      if (old !== undefined && same_row(old, values)) continue
      const { slots, instruction } = this.use_instruction(k, step.task, Number(values.index))
      const relies = Number(values.relies)
      this.uses.push({
        step: step.n,
        task: step.task,
        calls: instruction?.pieces.map((piece) => slots[piece.slot]!) ?? [],
        relies: relies < 0 ? null : (slots[relies] ?? null),
        at: Number(values.at),
        bytes: to_bytes_form(String(values.bytes)),
        from: this.sources(k, values.from as readonly number[]),
      })
    }
  }

  private use_instruction(k: Kernel, task: number, index: number) {
    const code = code_of(k)
    const program = this.programs.get(task) ?? Math.min(task, code.programs.length) - 1
    const instruction = code.instructions.find(
      (each, at): each is UseInstruction =>
        each.op === 'use' && each.index === index && code.program_of[at] === program,
    )
    return { slots: code.programs[program]?.slots ?? [], instruction }
  }

  private sources(k: Kernel, runs: readonly number[]): Use['from'] {
    const from: Source[] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [inode, bytes] = [runs[i]!, runs[i + 1]!]
      const object = inode === 0 ? 'memory of its own' : this.names.inode(inode)
      from.push({ object, inode, bytes, approved: inode === 0 || policy_approves(k, inode, this.moment) })
    }
    return from
  }
}

/** Where two files had the same name, one after the other, their numbers tell them apart. */
function tell_apart(
  approvals: readonly Approval[],
  uses: readonly Use[],
): { approvals: Approval[]; uses: Use[] } {
  const all = [...approvals, ...uses.flatMap((use) => use.from)]
  const full = <T extends { object: string; inode: number }>(each: T): T => {
    const ambiguous = all.some((other) => other.object === each.object && other.inode !== each.inode)
    return ambiguous ? { ...each, object: `${each.object} (inode ${show_id(each.inode)})` } : each
  }
  return { approvals: approvals.map(full), uses: uses.map((use) => ({ ...use, from: use.from.map(full) })) }
}

/** Whether a call returned what an outcome says. */
function shows({ text, failed }: CallResult, wanted: string | number): boolean {
  if (wanted === 'ok') return !failed
  if (wanted === 'failed') return failed
  return text === String(wanted) || text === `-1 ${wanted}` || Number(text) === wanted
}

/** Of the call that a program ends with. */
const no_result = { ret: 0, data: '', fields: [] as readonly number[] }

function slot_name(code: Code, pc: number, slot: number): string {
  return code.programs[code.program_of[pc]!]?.slots[slot] ?? ''
}

function policy_approves(k: Kernel, ino: number, state: Rows): boolean {
  if (state.row('inode', ino) === undefined) return true
  return k.config.modules.every((module) => module.approves?.(k, ino) ?? true)
}

/** What a function gives back on its way out: the kernel function that does it. */
function held_name(frame: Frame): string {
  const kind = frame.holds[frame.holds.length - 2]
  return kind === undefined ? 'return' : hold_kind(kind).name
}

/** The bytes of a row that holds some: a page. */
const content = (row: PlainRow): string => (typeof row.data === 'string' ? row.data : '')

function show_value(names: Names, column: Column, value: Value): string {
  if (column.type.kind === 'ref') return names.reference(column.type.table!, value as number)
  return Names.value(column.name, value)
}

function same_value(a: Value, b: Value): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && a.join() === b.join())
}

function same_row(a: PlainRow, b: PlainRow): boolean {
  return Object.keys(a).every((field) => same_value(a[field]!, b[field]!))
}

/**
 * Plays a schedule and records it.
 *
 * @param recording the case, its schedule, and what a search has found out about it
 * @param store     where the machine lives meanwhile; the trace is the same on every store
 * @throws ReplayError if the schedule does not fit the case
 */
export function record(recording: Recording, store: Store = new FastStore()): Trace {
  return new Recorder(recording, store).record()
}

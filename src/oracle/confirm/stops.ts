/**
 * Schedules as a kernel can be made to play them. Between calls a kernel can be stopped anywhere, since tasks
 * are told their calls one by one; inside a call only where it waits for something that we hold:
 *
 * - `exec_open`     a permission event of fanotify: the file to be executed is being opened, writes are not denied yet;
 * - `exec_args`     a missing page (userfaultfd): writes are denied, the arguments are being read from user memory;
 * - `copy_up_open`, `copy_up_read`   permission events on the lower file: a copy-up has begun, nothing is read yet.
 *   Where that file lies on an overlay itself, the events are those of that overlay.
 *
 * Seen on 6.18 as root. A switch at another place inside a call cannot be played.
 */

import { begin_new_exec } from '../../exec/begin_new_exec.js'
import { exec_binprm } from '../../exec/binfmt.js'
import { do_execveat_common } from '../../exec/execveat.js'
import { do_open_execat } from '../../exec/open_execat.js'
import { replay } from '../../explore/replay.js'
import type { Move, Schedule } from '../../explore/system.js'
import { errno_name, signal_of } from '../../kernel/errno.js'
import { FastStore } from '../../kernel/fast_store.js'
import { is_at, is_inside, type Place, place, place_of, times_inside } from '../../kernel/fn.js'
import { type Event, type Kernel, RETURNING } from '../../kernel/kernel.js'
import { STEPPED, step } from '../../kernel/machine.js'
import { holds, type Parameter } from '../../kernel/syscall.js'
import { ovl_copy_up_flags } from '../../overlay/copy_up.js'
import { ovl_inode } from '../../overlay/ovl_entry.js'
import type { CaseSystem } from '../../scenario/case_system.js'
import { type CallInstruction, code_of, is_ref, result, value_of } from '../../scenario/code.js'
import { running } from '../../scenario/exec_monitor.js'
import type { ArgumentForm } from '../../scenario/form.js'
import { quote, show_call } from '../../scenario/strace.js'
import { user } from '../../scenario/user.js'
import { dentry } from '../../vfs/dentry.js'
import { inode } from '../../vfs/inode.js'
import { content_of } from '../../vfs/memory/page_cache.js'
import { do_dentry_open } from '../../vfs/open/dentry_open.js'
import { encode_call, encode_setup, encode_task } from '../agent/encode.js'
import type { Answer, Play, PlayCall } from '../agent/play.js'
import { can_run } from '../agent/real_programs.js'
import { Shown } from '../agent/shown.js'

export type StopKind = 'exec_open' | 'exec_args' | 'copy_up_open' | 'copy_up_read'

/** What a reader is told about a stop. */
export const said_stop: Readonly<Record<StopKind, string>> = {
  exec_open: 'before it denies writes',
  exec_args: 'while it denies writes',
  copy_up_open: 'as copy-up opens the lower file',
  copy_up_read: 'before copy-up reads the lower file',
}

/** By what a kernel is stopped there. */
export const stopped_by: Readonly<Record<StopKind, string>> = {
  exec_open: 'FAN_OPEN_EXEC_PERM',
  exec_args: 'userfaultfd',
  copy_up_open: 'FAN_OPEN_PERM',
  copy_up_read: 'FAN_ACCESS_PERM',
}

/** One thing that the kernel is told to do. `call` is the place of the call in the list of calls. */
export interface PlayStep {
  readonly kind: 'call' | 'stop' | 'go'
  readonly call: number
  readonly task: number
  /** As strace would write it. */
  readonly text: string
  readonly stop?: StopKind
  /** Of a stop in a copy-up: the lower file lies on an overlay itself. */
  readonly stacked?: boolean
}

/** A run, ready for a kernel: its calls in the order in which they return, and what the model answers to them. */
export interface KernelRun {
  readonly play: Play
  readonly predicted: readonly Answer[]
  readonly steps: readonly PlayStep[]
  /** Names that the scenario has for results, by the names that calls have here. */
  readonly results: ReadonlyMap<string, string>
  /** Names of the tasks by number. */
  readonly names: ReadonlyMap<number, string>
  /** What programs did with the bytes they got, and what that breaks: told after a step. */
  readonly notes: readonly { readonly after: number; readonly task: number; readonly text: string }[]
}

/** No kernel can be made to play a schedule. */
export class NotPlayable extends Error {}

/** It switches where no kernel can be stopped. */
export class NoStop extends NotPlayable {
  constructor(readonly place: string) {
    super(`the kernel cannot be stopped ${place}`)
    this.name = 'NoStop'
  }
}

/** What is run is a program to the model alone. */
class NoProgram extends NotPlayable {
  constructor(call: string) {
    super(`${call} would run a file that is no whole ELF by then, which a kernel does not`)
    this.name = 'NoProgram'
  }
}

// --- where the model stands at a stop --------------------------------------------------------------------------

const exec_opens = place(do_dentry_open, 'security_file_open')
const exec_denies_writes = place(do_open_execat, 'exe_file_deny_write_access')
const exec_maps = place(begin_new_exec, 'elf_load')
const copy_up_begins = place(ovl_copy_up_flags, 'ovl_copy_up_start')
const copy_up_copies = place(ovl_copy_up_flags, 'ovl_copy_up_file')

/** Whether a task has mapped just now, by the stage that it ran, what a kernel would not run. */
function runs_no_program(k: Kernel, task: number, ran: Place): boolean {
  if (!is_at(ran, exec_maps)) return false
  const program = running.find(k, task)
  return program !== undefined && !can_run(content_of(k, program.data_inode))
}

/** Stops that a kernel has just where a task stands after it has run `ran`. */
function stops_after(k: Kernel, task: number, ran: Place): readonly StopKind[] {
  if (k.store.depth(task) === 0) return []
  const top = k.store.top(task)
  // fs/open.c: do_dentry_open: fsnotify_open_perm() follows security_file_open(). The first event is that of the file
  // that was named; real files below it are opened after it.
  if (is_at(ran, exec_opens)) {
    const opens = top.fn === do_dentry_open && top.stage !== RETURNING
    const of_exec = is_inside(k, task, do_open_execat) && !is_inside(k, task, exec_binprm)
    return opens && times_inside(k, task, do_dentry_open) === 1 && of_exec ? ['exec_open'] : []
  }
  if (is_at(ran, exec_denies_writes)) {
    const has_opened = is_inside(k, task, do_execveat_common) && !is_inside(k, task, do_open_execat)
    return has_opened ? ['exec_args'] : []
  }
  if (is_at(ran, copy_up_begins)) return is_at(top, copy_up_copies) ? ['copy_up_read', 'copy_up_open'] : []
  return []
}

/** The stage, or where a function calls another or gives back what it holds, the function. */
function name_of_place({ fn, stage }: Place): string {
  const step = stage === RETURNING ? undefined : fn.steps[stage]
  return step?.kind === 'stage' ? step.name : fn.name
}

/** Whether a task that stands in a copy-up copies from another overlay. */
function copies_from_overlay(k: Kernel, task: number): boolean {
  if (k.store.depth(task) === 0) return false
  const top = k.store.top(task)
  if (top.fn !== ovl_copy_up_flags) return false
  const { at } = top as unknown as { at: number }
  return at !== 0 && ovl_inode.has(k, ovl_inode(k, dentry(k, at).d_inode).lower)
}

// --- every run that a kernel can be made to play -----------------------------------------------------------------

export interface Grain {
  /** Inside calls too. */
  readonly stops: boolean
  /** Runs after which the search ends. */
  readonly limit: number
  /** It ends where this is true, too. */
  readonly interrupted?: (() => boolean) | undefined
}

/** A complete run whose switches all lie where a kernel can be stopped. */
export interface Playable {
  readonly schedule: Schedule
  readonly outcome: string
  readonly violations: readonly string[]
  readonly witness: readonly string[]
  /** Stops inside calls, and changes of task. */
  readonly stops: number
  readonly switches: number
}

const MOST_STAGES = 100_000

class Runs {
  readonly found: Playable[] = []
  private readonly k: Kernel
  private readonly moves: Move[] = []
  /** Tasks that stand inside a call. */
  private readonly stopped = new Set<number>()

  constructor(
    private readonly system: CaseSystem,
    private readonly grain: Grain,
  ) {
    this.k = system.boot(new FastStore())
    this.k.events = []
  }

  search(running: number, stops: number, switches: number): void {
    const { k, grain } = this
    const tasks = k.store.tasks()
    if (tasks.length === 0) this.note(stops, switches)
    const order = [running, ...tasks.filter((task) => task !== running)].filter((task) =>
      tasks.includes(task),
    )
    for (const task of order) {
      const changed = switches + (task === running ? 0 : 1)
      const was_stopped = this.stopped.has(task)
      for (let nth = 0; nth < 4 && this.found.length < grain.limit; nth++) {
        if (grain.interrupted?.() === true) return
        // nth 0: until the call returns; n: until its n-th stop.
        if (nth > 0 && (!grain.stops || was_stopped || tasks.length === 1)) break
        const mark = k.store.mark()
        const length = this.moves.length
        const reached = this.advance(task, nth)
        if (reached) {
          if (nth > 0) this.stopped.add(task)
          else this.stopped.delete(task)
          this.search(task, stops + (nth > 0 ? 1 : 0), changed)
        }
        if (was_stopped) this.stopped.add(task)
        else this.stopped.delete(task)
        k.store.undo(mark)
        this.moves.length = length
        if (nth > 0 && !reached) break
      }
    }
  }

  /** @returns false where the task sleeps before, or has no such stop in this call */
  private advance(task: number, nth: number): boolean {
    const { k } = this
    for (let n = 0, seen = 0; n < MOST_STAGES; n++) {
      const ran = place_of(k.store.top(task))
      k.events = []
      if (step(k, task) !== STEPPED || runs_no_program(k, task, ran)) return false
      this.moves.push({ task, choice: 0 })
      const returned = k.events.some(({ kind }) => kind === 'return')
      if (returned || k.store.depth(task) === 0) return nth === 0
      if (nth > 0 && stops_after(k, task, ran).length > 0 && ++seen === nth) return true
    }
    return false
  }

  private note(stops: number, switches: number): void {
    const { k, system } = this
    this.found.push({
      schedule: [...this.moves],
      outcome: system.outcome(k),
      violations: system.violations(k),
      witness: system.witness(k),
      stops,
      switches,
    })
  }
}

/** All complete runs with switches between calls, and at stops inside them if asked for; those with few stops and switches first. */
export function playable_runs(system: CaseSystem, grain: Grain): readonly Playable[] {
  const runs = new Runs(system, grain)
  runs.search(0, 0, 0)
  return runs.found.sort((a, b) => a.stops - b.stops || a.switches - b.switches)
}

// --- a schedule as calls -------------------------------------------------------------------------------------------

/** Bytes of a use that are told. */
const SHOWN = 60

interface OpenCall {
  readonly call: CallInstruction
  readonly text: string
  readonly form: PlayCall
  /** It has been left in the middle: it is on the kernel already. */
  readonly begun: boolean
  readonly stops: readonly StopKind[]
  readonly stacked?: boolean
}

/** Of the call that a program ends with. */
const no_result = { ret: 0, data: '', fields: [] as readonly number[] }

class Telling {
  private readonly forms: PlayCall[] = []
  private readonly predicted: Answer[] = []
  private readonly steps: PlayStep[] = []
  private readonly notes: { after: number; task: number; text: string }[] = []
  private readonly names = new Map<number, string>()
  private readonly results = new Map<string, string>()
  private readonly open = new Map<number, OpenCall>()
  /** What stands in a result of a task: the name of a call of the play, or nothing that a call gave. */
  private readonly slots = new Map<string, string>()
  private readonly children = new Map<number, number>()
  private readonly inode_numbers = new Map<number, number>()
  private inodes = 0
  private made = 0
  private ran: Place = { fn: user, stage: 0 }
  private last: Move | undefined

  constructor(
    private readonly system: CaseSystem,
    private readonly prefer: StopKind | undefined,
  ) {
    for (const [i, { name }] of system.form.tasks.entries()) this.names.set(i + 1, name)
  }

  run(schedule: Schedule): KernelRun {
    replay(this.system, new FastStore(), schedule, {
      before: (k, move) => this.before(k, move),
      after: (k, move, _, events) => this.after(k, move, events),
    })
    const tasks = this.system.form.tasks.map(({ program: _, role: __, ...task }) => task)
    const play: Play = { setup: this.system.form.setup ?? {}, tasks, calls: this.forms }
    const { predicted, steps, names, notes, results } = this
    return { play, predicted, steps, names, notes, results }
  }

  private before(k: Kernel, move: Move): void {
    k.events = []
    const { task } = move
    if (this.last !== undefined && this.last.task !== task) this.leave(this.last.task)
    this.last = move
    if (k.store.depth(task) === 1 && k.store.top(task).fn.is_program) this.begin(k, task)
    this.ran = place_of(k.store.top(task))
  }

  private begin(k: Kernel, task: number): void {
    const { pc } = k.store.frame(task, 0) as unknown as { pc: number }
    const call = code_of(k).instructions[pc] as CallInstruction
    const as = `c${this.made++}`
    const program = code_of(k).programs[code_of(k).program_of[pc]!]!
    this.results.set(as, program.slots[call.slot] ?? as)
    const args = call.args.flatMap((arg, i) =>
      arg === undefined ? [] : [this.argument(k, task, arg, call.syscall.params[i]!)],
    )
    const form = { task: this.number(task), call: call.syscall.name, args, as }
    this.open.set(task, { call, text: show_call(k, task, call), form, begun: false, stops: [] })
  }

  private number(task: number): number {
    return this.children.get(task) ?? task
  }

  private argument(k: Kernel, task: number, arg: ArgumentForm, param: Parameter): ArgumentForm {
    if (!is_ref(arg)) return arg
    const { slot, field } = arg as unknown as { slot: number; field: number }
    const row = result.find(k, task, slot)
    if (holds(param) !== 'number') return value_of(k, task, arg, param) as ArgumentForm
    const name = this.slots.get(`${task}:${slot}`)
    if (name === undefined || name === '') return field >= 0 ? 0 : (row?.ret ?? -1)
    const instruction = code_of(k).instructions.find(
      (each, at): each is CallInstruction =>
        each.op === 'call' && each.slot === slot && code_of(k).program_of[at] === this.program(k, task),
    )
    if (field < 0) return { $: name }
    const named = instruction?.syscall.fields[field]
    return named === undefined ? 0 : { $: `${name}.${named}` }
  }

  private program(k: Kernel, task: number): number {
    const { pc } = k.store.frame(task, 0) as unknown as { pc: number }
    return code_of(k).program_of[pc]!
  }

  /** Another task runs now: a task inside a call must stand at a stop. */
  private leave(task: number): void {
    const open = this.open.get(task)
    if (open === undefined) return
    const kinds = open.stops
    const stop = kinds.find((kind) => kind === this.prefer) ?? kinds[0]
    if (stop === undefined || open.begun) {
      throw new NoStop(`inside ${open.form.call}, after ${name_of_place(this.ran)}`)
    }
    this.open.set(task, { ...open, begun: true })
    const { text, stacked = false } = open
    const step = { kind: 'stop', call: this.forms.length, task, text, stop } as const
    this.steps.push(stacked ? { ...step, stacked } : step)
    this.forms.push(open.form)
    this.predicted.push({})
  }

  private after(k: Kernel, { task }: Move, events: readonly Event[]): void {
    const open = this.open.get(task)
    if (open === undefined) return
    if (runs_no_program(k, task, this.ran)) throw new NoProgram(open.form.call)
    if (!events.some(({ kind }) => kind === 'return')) {
      if (k.store.depth(task) === 0) this.open.delete(task)
      else {
        const stops = stops_after(k, task, this.ran)
        this.open.set(task, { ...open, stops, stacked: copies_from_overlay(k, task) })
      }
      return
    }
    this.open.delete(task)
    this.end(k, task, open)
    for (const { kind, text, detail } of events) {
      if (kind === 'use') this.note(task, `uses ${quote(String(detail?.bytes ?? ''), SHOWN)}`)
      if (kind === 'violation') this.note(task, `✗ ${text}`)
    }
  }

  private note(task: number, text: string): void {
    this.notes.push({ after: this.steps.length - 1, task, text })
  }

  private end(k: Kernel, task: number, open: OpenCall): void {
    const { call, form, begun, text } = open
    const row = result.find(k, task, call.slot) ?? no_result
    this.slots.set(`${task}:${call.slot}`, form.as!)
    const child = call.syscall.returns === 'task' && row.ret > 0 ? this.new_child(row.ret, task, call) : 0
    const full = child > 0 ? { ...form, child } : form
    const answer = this.answer(k, call, row, child)
    if (begun) {
      const at = this.forms.findIndex((each) => each.as === form.as)
      this.predicted[at] = answer
      this.steps.push({ kind: 'go', call: at, task, text })
      return
    }
    this.steps.push({ kind: 'call', call: this.forms.length, task, text })
    this.forms.push(full)
    this.predicted.push(answer)
    if (answer.signal !== undefined) this.die(task)
  }

  /** The agent's tasks outlive a signal: they have a handler. */
  private die(task: number): void {
    const form = { task: this.number(task), call: 'exit_group', args: [0], as: `c${this.made++}` }
    this.steps.push({ kind: 'call', call: this.forms.length, task, text: 'exit_group(0)' })
    this.forms.push(form)
    this.predicted.push({ dead: true })
  }

  /** A child has its parent's results, but of the fork itself. */
  private new_child(task: number, parent: number, call: CallInstruction): number {
    const number = this.names.size + 1
    this.children.set(task, number)
    this.names.set(number, `child ${number}`)
    for (const [key, name] of [...this.slots]) {
      const [of, slot] = key.split(':')
      if (Number(of) === parent) this.slots.set(`${task}:${slot}`, Number(slot) === call.slot ? '' : name)
    }
    return number
  }

  private answer(
    k: Kernel,
    { syscall, gives }: CallInstruction,
    row: { ret: number; data: string; fields: readonly number[] },
    child: number,
  ): Answer {
    const { ret, data, fields } = row
    if (ret < 0) {
      if (signal_of(ret) === 0) return { errno: errno_name(ret) }
      return gives === 'exec' ? { dead: true } : { signal: errno_name(ret) }
    }
    if (gives === 'exec') return { exec: true }
    if (gives === 'never') return { dead: true }
    if (gives === 'task') return { ret: child }
    if (gives === 'bytes') return { ret, data }
    if (gives !== 'struct') return { ret }
    const named = Object.fromEntries(syscall.fields.map((field, i) => [field, fields[i] ?? 0]))
    return { ret: 0, fields: this.renumbered(k, named) }
  }

  /** The model gives numbers of inodes again; each inode has one of its own here. */
  private renumbered(k: Kernel, fields: Record<string, number>): Record<string, number> {
    const numbers = this.inode_numbers
    for (const ino of numbers.keys()) if (!inode.has(k, ino)) numbers.delete(ino)
    // What proc computes has none.
    if (fields.st_ino === undefined || fields.st_ino === 0) return fields
    if (!numbers.has(fields.st_ino)) numbers.set(fields.st_ino, ++this.inodes)
    return { ...fields, st_ino: numbers.get(fields.st_ino)! }
  }
}

/**
 * A schedule as the calls that a kernel is told to make, with what the model answers.
 *
 * @param prefer which stop, where a place has several
 * @throws NoStop where the schedule switches inside a call at a place where no kernel can be stopped
 * @throws ReplayError where it does not fit the case
 */
export function kernel_run(system: CaseSystem, schedule: Schedule, prefer?: StopKind): KernelRun {
  return new Telling(system, prefer).run(schedule)
}

/** The requests to the agent; it answers once per step. */
export function encode_run({ play, predicted, steps }: KernelRun): string {
  const lines = encode_setup(play.setup)
  const shown = new Shown(play.setup)
  if (steps.some(({ kind }) => kind === 'stop')) lines.push('stoppable')
  for (const [i, task] of play.tasks.entries())
    lines.push(encode_task(i + 1, task), ...shown.request(i + 1, i + 1))
  // The agent counts the calls that it is told to make.
  const known = new Map<string, number>()
  const replaced = new Set<number>()
  for (const { kind, call, stop, stacked } of steps) {
    const form = play.calls[call]!
    if (predicted[call]!.exec) replaced.add(form.task)
    // A program that was run takes no calls: it is made to end.
    if (form.call === 'exit_group' && replaced.has(form.task)) lines.push(`kill ${form.task}`)
    else if (kind === 'go') lines.push(`go ${form.task}`)
    else {
      const request = encode_call(shown.call(form, form.task), known)
      const stop_at = `stop ${stacked ? 'stacked_' : ''}${stop}`
      lines.push(kind === 'stop' ? request.replace(/^call/, stop_at) : request)
      if (form.as !== undefined) known.set(form.as, known.size)
      if (form.child !== undefined) lines.push(...shown.request(form.child, form.child))
    }
  }
  lines.push('end', '')
  return lines.join('\n')
}

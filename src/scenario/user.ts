/**
 * What tasks do between system calls: one function, `user`, runs the instructions of a program. Its stack frame
 * holds the place in the program and nothing else; results stand in tables of the task. Everything but the
 * calls themselves is local to the task, so it never yields.
 */

import { decode_argument } from '../kernel/decode.js'
import { errno_name, signal_of } from '../kernel/errno.js'
import { attempt, call, done, fn, jump } from '../kernel/fn.js'
import type { Fn, Frame, Kernel, Outcome } from '../kernel/kernel.js'
import { int, naming, type Value, type ValuesOf } from '../kernel/schema.js'
import { type Argument, place_of } from '../kernel/syscall.js'
import { do_exit, ends_unseen } from '../vfs/tasks/fork_exit.js'
import { user_buffer } from '../vfs/tasks/task.js'
import { type CallInstruction, type CaseConfig, code_of, ends, is_ref, result, value_of } from './code.js'
import { withdraw_looks } from './exec_monitor.js'
import { inherit, judge_fault, judge_use, note_occurred, withdraw_approval } from './monitor.js'
import { show_call } from './strace.js'

const user_locals = {
  pc: naming('place'),
  /** While it dies in a call: the signal, as the call's result. */
  signal: int(),
}
type UserFrame = Frame<ValuesOf<typeof user_locals>>

function locals_of(k: Kernel, call: CallInstruction): object {
  if (call.fixed !== undefined) return call.fixed
  const { params, locals } = call.syscall
  const args: Argument[] = call.decoded.slice()
  for (const i of call.symbolic) {
    args[i] = decode_argument(params[i]!, value_of(k, k.task, call.args[i]!, params[i]!))
  }
  return locals(...args)
}

/** As strace would write the result: the value, or `-1 EACCES`. */
export function show_result(ret: number): string {
  if (signal_of(ret) !== 0) return errno_name(ret)
  return ret < 0 ? `-1 ${errno_name(ret)}` : String(ret)
}

function enter_call(k: Kernel, f: UserFrame): object {
  const call = code_of(k).instructions[f.pc] as CallInstruction
  k.tell('call', () => show_call(k, k.task, call))
  if (call.syscall.returns === 'bytes') clear_buffer(k)
  return locals_of(k, call)
}

function clear_buffer(k: Kernel): void {
  const buffer = user_buffer(k, k.task)
  buffer.data = ''
  buffer.from = []
}

/** Position that a call's arguments give to its bytes: of `pread(fd, count, offset)`, and -1 elsewhere. */
function position_of(k: Kernel, call: CallInstruction): number {
  const at = place_of(call.syscall, 'offset')
  if (at < 0) return -1
  const arg = call.args[at]
  const value = is_ref(arg) ? value_of(k, k.task, arg, call.syscall.params[at]!) : arg
  return typeof value === 'number' ? Math.trunc(value) : -1
}

function record(k: Kernel, call: CallInstruction, ret: Value): number {
  const { returns } = call.syscall
  const number = typeof ret === 'number' ? ret : 0
  const values = {
    ret: number,
    data: '',
    from: [] as readonly number[],
    fields: [] as readonly number[],
    at: -1,
  }
  if (typeof ret === 'object') values.fields = ret
  if (returns === 'bytes') {
    const buffer = user_buffer(k, k.task)
    if (number >= 0) Object.assign(values, { data: buffer.data, from: buffer.from, at: position_of(k, call) })
    clear_buffer(k)
  }
  const row = result.find(k, k.task, call.slot)
  if (row !== undefined) Object.assign(row, values)
  else if (call.slot >= 0) result.create(k, { task: k.task, slot: call.slot, ...values })
  k.tell('return', () => show_result(number), { slot: call.slot, ret: number })
  return number
}

/** The call returned: notes what it gave, and goes on to the next call. */
function after_call(k: Kernel, f: UserFrame, ret: Value): Outcome {
  const call = code_of(k).instructions[f.pc] as CallInstruction
  if (typeof ret === 'number' && signal_of(ret) !== 0 && !nobody_can_tell(k)) {
    f.signal = ret
    return jump(f, 'do_exit')
  }
  const number = record(k, call, ret)
  note_occurred(k, k.task, f.pc, number)
  if (call.relied && number < 0) withdraw_approval(k, call.slot)
  if (call.gives === 'exec' && number < 0) withdraw_looks(k, call)
  if (signal_of(number) !== 0) {
    judge_fault(k, f.pc, number)
    return done(f)
  }
  if (call.syscall.returns === 'task' && number > 0) begin_child(k, number, f.pc)
  const pc = next_call(k, f.pc, call, number)
  if (pc < 0) return done(f)
  f.pc = pc
  return jump(f, 'syscall')
}

function after_signal(k: Kernel, f: UserFrame): Outcome {
  const call = code_of(k).instructions[f.pc] as CallInstruction
  const number = record(k, call, f.signal)
  note_occurred(k, k.task, f.pc, number)
  judge_fault(k, f.pc, number)
  return done(f)
}

/** Where the program goes on after a call, or -1. The program of a real exec does nothing but end. */
function next_call(k: Kernel, pc: number, call: CallInstruction, ret: number): number {
  if (call.syscall.fn === do_exit) return -1
  const is_over = ret < 0 ? call.exit_on_error : ends(call)
  return is_over ? end_of_program(k, pc) : run_to_call(k, pc + 1)
}

const nobody_can_tell = (k: Kernel): boolean => ends_unseen(k) && !(k.config as CaseConfig).ends_are_seen

/**
 * The end of a program is the end of its process: C's `main` returns into exit_group(2). Where nobody can tell,
 * the task stops in the stage of its last call, and the search is spared the stages of do_exit.
 */
function end_of_program(k: Kernel, pc: number): number {
  const { programs, program_of } = code_of(k)
  return nobody_can_tell(k) ? -1 : programs[program_of[pc]!]!.end
}

/** The child has its parent's memory: all results so far, but of the fork at `pc` it sees 0. */
function begin_child(k: Kernel, child: number, pc: number): void {
  const parent = k.task
  const call = code_of(k).instructions[pc] as CallInstruction
  note_occurred(k, child, pc, 0)
  for (const row of result.where(k, parent)) {
    const { slot, ret, data, from, fields, at } = row
    result.create(k, { task: child, slot, ret: slot === call.slot ? 0 : ret, data, from, fields, at })
  }
  inherit(k, child)
  begin(k, child, call.child)
}

/** Starts `task` at a place of the code. */
export function begin(k: Kernel, task: number, entry: number): void {
  const runner = k.task
  k.task = task
  const pc = run_to_call(k, entry)
  k.task = runner
  if (pc >= 0) k.store.push(task, user, { pc })
}

/** Runs what stands between calls. @returns the place of the next call, or -1 if the task makes none any more */
function run_to_call(k: Kernel, pc: number): number {
  const { instructions } = code_of(k)
  for (;;) {
    const next = instructions[pc]!
    switch (next.op) {
      case 'call':
        return pc
      case 'end':
        return end_of_program(k, pc)
      case 'pause':
        // pause(2): it keeps all that it has, and is heard of no more.
        k.tell('pauses', 'pauses for ever')
        return -1
      case 'goto':
        pc = next.target
        break
      case 'branch': {
        const row = result.find(k, k.task, next.slot)
        pc = row !== undefined && next.test(row.ret) ? pc + 1 : next.target
        break
      }
      case 'use':
        judge_use(k, next)
        pc++
    }
  }
}

/** A task's program, outside the kernel. */
export const user: Fn<ValuesOf<typeof user_locals>> = fn(
  'user',
  { source: 'the program of the task', locals: user_locals, is_program: true },
  [
    attempt(
      (k, f: UserFrame) => (code_of(k).instructions[f.pc] as CallInstruction).syscall.fn,
      enter_call,
      after_call,
      'syscall',
    ),
    // kernel/signal.c: get_signal. The call has not returned before the process is gone.
    call(do_exit, (_, f) => ({ code: f.signal }), after_signal),
  ],
)

/**
 * A case as the machine runs it: the programs of its tasks as one flat list of instructions, and the table of
 * what their calls gave.
 */
import { utf8_text } from '../kernel/decode.js'
import type { Config, Kernel } from '../kernel/kernel.js'
import type { Feature } from '../kernel/profile.js'
import { int, list, str, table, task_number } from '../kernel/schema.js'
import { type Argument, holds, type Parameter, type ResultKind, type Syscall } from '../kernel/syscall.js'
import { task_struct } from '../vfs/tasks/task.js'
import type { ArgumentForm, ResultRef } from './form.js'

/** What a call gave: one row per named result of a task; a call that runs again replaces it. */
export const result = table(
  'result',
  {
    key: { task: task_number(), slot: int() },
    ret: {
      /** As the kernel returns it: a number, or a negative errno or signal. */
      ret: int(),
      /** Bytes that the call gave, and (inode, length) of each run of them. */
      data: str(),
      from: list([true, false]),
      /** Fields of a structure that the call gave: of stat(2), where the second is the number of an inode. */
      fields: list([false, true, false, false, false, false, false, false, false]),
      /** Position in the file at which the bytes stand, -1 where the call does not say. */
      at: int(-1),
    },
  },
  { unique: ['task', 'slot'], keyed: true, owned: true },
)

export type Test = (ret: number) => boolean

export interface CallInstruction {
  readonly op: 'call'
  readonly syscall: Syscall
  /** Where its result stands; -1 for that at a program's end, which has none. */
  readonly slot: number
  /** At the places of its parameters. */
  readonly args: readonly (ArgumentForm | undefined)[]
  /** The same, decoded; something stands in the place of each symbolic one. */
  readonly decoded: readonly Argument[]
  /** Places of the symbolic arguments. */
  readonly symbolic: readonly number[]
  /** The callee's locals, where no argument is symbolic. */
  readonly fixed: object | undefined
  readonly exit_on_error: boolean
  /** What a success gives, with the flags that it has. */
  readonly gives: ResultKind
  /** Where a forked child begins, or -1. */
  readonly child: number
  /** Of a real exec: what the program takes of the same thing that it runs, on no check's word but its own. */
  readonly own_looks: OwnLook[]
  /** Some `use` relies on this call's approval. */
  relied: boolean
  readonly path: string
}

/** Bytes that a program takes for a file's content, or for a part of it: results of calls, and where they stand. */
export interface OwnLook {
  readonly pieces: readonly { readonly slot: number; readonly at: number }[]
  readonly part: boolean
}

export interface UseInstruction extends OwnLook {
  readonly op: 'use'
  /** Number of this use in its program. */
  readonly index: number
  /** Slot of the check, or -1. */
  readonly relies: number
  readonly block: Block
  readonly path: string
}

/** What one process runs: a task's program, or the part of it that a forked child runs. */
export interface Block {
  /** The place of its first instruction. */
  readonly begins: number
  /** The place of the fork in `parent`, -1 for the program of a task. */
  readonly forked_at: number
  readonly parent: Block | null
}

/** Whether a process that is at `from` may still come, itself or by a child, to `to`, which lies in `block`. */
export function may_come_to(from: number, to: number, block: Block): boolean {
  let at = to
  for (let within: Block | null = block; within !== null; within = within.parent) {
    if (from >= within.begins && from < at) return true
    at = within.forked_at
  }
  return false
}

/** One `task.result = value` of an outcome that must come, or must not. */
export interface Part {
  /** Its number among those of the case. */
  readonly index: number
  readonly test: Test
}

export type Instruction =
  | CallInstruction
  | UseInstruction
  | { readonly op: 'branch'; readonly slot: number; readonly test: Test; target: number }
  | { readonly op: 'goto'; target: number }
  /** The program is over: it goes on at its `exit_group`. */
  | { readonly op: 'end' }
  /** It waits for ever. */
  | { readonly op: 'pause' }

/** The program of one task, and of its children. */
export interface Program {
  readonly name: string
  readonly role: 'victim' | 'attacker' | 'other'
  readonly entry: number
  /** Place of the `exit_group` that it ends with, and its children too: C's return from `main`. */
  readonly end: number
  /** Names of results by slot, and which of them the program's author gave. */
  readonly slots: readonly string[]
  readonly calls: readonly CallInstruction[]
}

export interface Code {
  readonly instructions: readonly Instruction[]
  readonly programs: readonly Program[]
  /** The program to which an instruction belongs. */
  readonly program_of: readonly number[]
}

/** A program longer than this, loops unrolled, is refused. */
export const MAX_INSTRUCTIONS = 10_000

/** If the call succeeds, this program is gone: a real exec, or an exit. */
export const ends = ({ gives }: CallInstruction): boolean => gives === 'exec' || gives === 'never'

export function is_ref(arg: unknown): arg is ResultRef {
  return typeof arg === 'object' && arg !== null && '$' in arg
}

/** What a kernel that runs a case knows besides its profile and modules. */
export interface CaseConfig extends Config {
  readonly code: Code
  /** Names of the properties that are watched while tasks run; `check-use` is always among them. */
  readonly watched: ReadonlySet<string>
  /** Parts of outcomes, by the program and the slot of the result that they speak of. */
  readonly parts: readonly ReadonlyMap<number, readonly Part[]>[]
  /** Properties that are code look at every state, so they see each task end, and what it lets go of. */
  readonly ends_are_seen: boolean
  /** Features that any run of this case has asked for so far. */
  readonly asked: Set<Feature>
}

/** The instructions of the case that this kernel runs. */
export const code_of = (k: Kernel): Code => (k.config as CaseConfig).code

/** The tasks that run parts of a task's program: itself, and all that it and its children have forked. */
export function tasks_of(k: Kernel, task: number): readonly number[] {
  const tasks = [task]
  for (let at = 0; at < tasks.length; at++) {
    if (task_struct(k, tasks[at]!).children === 0) continue
    for (const { id, parent } of task_struct.rows(k)) if (parent === tasks[at]) tasks.push(id)
  }
  return tasks
}

/** The value of a symbolic argument: what C would have in the variable; a failed call leaves -1. */
export function value_of(k: Kernel, task: number, ref: ArgumentForm, param: Parameter): unknown {
  const { slot, field } = ref as unknown as { slot: number; field: number }
  const row = result.find(k, task, slot)
  if (field >= 0) return row?.fields[field] ?? 0
  if (holds(param) === 'bytes') return { base64: btoa(row?.data ?? '') }
  if (holds(param) === 'string') return utf8_text(row?.data ?? '')
  return row === undefined || row.ret < 0 ? -1 : row.ret
}

/**
 * What properties remember of a run: deterministic monitors whose memory is rows of the state, so that states
 * which differ in what was approved or used are never taken for one. Rows belong to the task that they are
 * about; writing them is local to it.
 */

import { errno_name } from '../kernel/errno.js'
import type { Frame, Kernel } from '../kernel/kernel.js'
import { int, list, ref, str, table, task_number } from '../kernel/schema.js'
import { inode } from '../vfs/inode.js'
import { content_of } from '../vfs/memory/page_cache.js'
import {
  type CallInstruction,
  type CaseConfig,
  code_of,
  may_come_to,
  type Part,
  result,
  type UseInstruction,
} from './code.js'

/** A check that said yes: the inode whose data it judged, and these bytes at that moment. */
export const approval = table(
  'approval',
  {
    key: { task: task_number(), slot: int() },
    judged: { data_inode: ref('inode'), bytes: str(), approved: int() },
  },
  { unique: ['task', 'slot'], keyed: true, owned: true },
)

/** What a task took for the file's content: bytes, where they stand, and (inode, length) of each run. */
export const used = table(
  'used',
  {
    key: { task: task_number(), index: int() },
    what: { bytes: str(), at: int(), from: list([true, false]), relies: int(-1) },
  },
  { unique: ['task', 'index'], keyed: true, owned: true },
)

/**
 * An object of which the policy did not approve when the task was given bytes of it. It is judged then, in the
 * stage that copies: the use itself concerns nobody but the task.
 */
export const unapproved = table(
  'unapproved',
  { key: { task: task_number(), object: ref('inode') } },
  { unique: ['task', 'object'], keyed: true, owned: true },
)

/** A property that a task has found broken; of each the first time stays. */
export const violation = table(
  'violation',
  {
    key: { task: task_number(), property: str() },
    what: {
      /** `bytes`, `prefix`, `longer`, `no approval`, the name of a signal; `unapproved` of the property policy. */
      kind: str(),
      /** The use that was at fault, or that a fault came before. */
      use: int(),
    },
  },
  { unique: ['task', 'property'], keyed: true, owned: true },
)

/**
 * A part of an outcome that a call has shown. It stays, whatever later calls of that name give: outcomes speak
 * of the history of a run.
 */
export const occurred = table(
  'occurred',
  { key: { task: task_number(), part: int() } },
  { unique: ['task', 'part'], keyed: true, owned: true },
)

/** Whether every module that judges objects approves of what this inode holds. */
export function policy_approves(k: Kernel, ino: number): boolean {
  return k.config.modules.every((module) => module.approves?.(k, ino) ?? true)
}

/** The call that a task is in or about to make; undefined where it runs no program, or none any more. */
export function current_call(k: Kernel, task: number): CallInstruction | undefined {
  if (k.store.depth(task) === 0) return undefined
  const f = k.store.frame(task, 0) as Frame<{ pc: number }>
  return f.fn.is_program ? (code_of(k).instructions[f.pc] as CallInstruction) : undefined
}

/** The hook of `Config.monitor`: an execution check has said yes about the data of this inode. */
export function on_approval(k: Kernel, data_inode: number): void {
  const call = current_call(k, k.task)
  if (call === undefined || !call.relied) return
  withdraw_approval(k, call.slot)
  const bytes = content_of(k, data_inode)
  const approved = policy_approves(k, data_inode) ? 1 : 0
  approval.create(k, { task: k.task, slot: call.slot, data_inode, bytes, approved })
  k.tell('approval', () => `approves ${bytes.length} bytes of inode ${data_inode}`, {
    data_inode,
    bytes,
    approved,
  })
}

/** The hook of `Config.monitor`: the running task is given bytes of this inode. */
export function on_copy(k: Kernel, ino: number): void {
  if (policy_approves(k, ino) || unapproved.find(k, k.task, ino) !== undefined) return
  unapproved.create(k, { task: k.task, object: ino })
}

/** A forked child has its parent's memory: what was approved, and which of the bytes in it were not. */
export function inherit(k: Kernel, child: number): void {
  for (const { slot, data_inode, bytes, approved } of approval.where(k, k.task))
    approval.create(k, { task: child, slot, data_inode, bytes, approved })
  for (const { object } of unapproved.where(k, k.task)) unapproved.create(k, { task: child, object })
}

/** The check failed after all, or runs again. */
export function withdraw_approval(k: Kernel, slot: number): void {
  const row = approval.find(k, k.task, slot)
  if (row !== undefined) approval.remove(k, row.id)
}

export function violate(k: Kernel, property: string, kind: string, use: number): void {
  if (violation.find(k, k.task, property) !== undefined) return
  violation.create(k, { task: k.task, property, kind, use })
  k.tell('violation', () => `${property}: ${kind}`, { property, kind })
}

export interface Assembled {
  readonly at: number
  readonly bytes: string
  readonly from: readonly number[]
  /** False where the pieces do not join. */
  readonly joined: boolean
}

/** The pieces one after the other, each where the call says that it stands, or behind the one before. */
export function assemble(k: Kernel, use: Pick<UseInstruction, 'pieces'>): Assembled {
  let at = -1
  let bytes = ''
  let from: readonly number[] = []
  let joined = true
  for (const piece of use.pieces) {
    const row = result.find(k, k.task, piece.slot)
    if (row === undefined) continue
    const stands = piece.at >= 0 ? piece.at : row.at >= 0 ? row.at : at < 0 ? 0 : at + bytes.length
    if (at < 0) at = stands
    else if (stands !== at + bytes.length) joined = false
    bytes += row.data
    from = join_runs(from, row.from)
  }
  return { at: Math.max(at, 0), bytes, from, joined }
}

function join_runs(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length > 0 && b.length > 0 && a[a.length - 2] === b[0]) {
    return [...a.slice(0, -1), a[a.length - 1]! + b[1]!, ...b.slice(2)]
  }
  return [...a, ...b]
}

/** How bytes that are used differ from those that were judged; undefined where they do not. */
export function difference(judged: string, at: number, bytes: string, part: boolean): string | undefined {
  const expected = part ? judged.slice(at, at + bytes.length) : judged
  if (!part && at !== 0) return 'bytes'
  if (bytes === expected) return undefined
  if (bytes.length < expected.length && expected.startsWith(bytes)) return 'prefix'
  if (bytes.length > expected.length && bytes.startsWith(expected)) return 'longer'
  return 'bytes'
}

/** A task uses bytes: notes which, and compares them with what the check that it relies on judged. */
export function judge_use(k: Kernel, use: UseInstruction): void {
  const taken = assemble(k, use)
  const row = used.find(k, k.task, use.index)
  if (row !== undefined) used.remove(k, row.id)
  const { at, bytes, from } = taken
  used.create(k, { task: k.task, index: use.index, bytes, at, from, relies: use.relies })
  const judged = use.relies < 0 ? undefined : approval.find(k, k.task, use.relies)
  k.tell('use', () => `uses ${bytes.length} bytes`, { bytes, at, from, judged: judged?.bytes ?? '' })
  if (use.relies >= 0) {
    const kind =
      judged === undefined
        ? 'no approval'
        : taken.joined
          ? difference(judged.bytes, at, bytes, use.part)
          : 'bytes'
    if (kind !== undefined) violate(k, 'check-use', kind, use.index)
  }
  judge_policy(k, use.index, from)
}

/** Each run of bytes must come from an object that the policy approves; where nobody watches that, none is noted. */
function judge_policy(k: Kernel, index: number, from: readonly number[]): void {
  for (let i = 0; i < from.length; i += 2) {
    const ino = from[i]!
    if (from[i + 1]! > 0 && unapproved.find(k, k.task, ino) !== undefined) {
      violate(k, 'policy', 'unapproved', index)
      return
    }
  }
}

/**
 * The call at `pc`, whose bytes would have been used, ended the task: after an approval that is a use of less.
 * At fault is the first of the uses to come that rely on an approval which was given.
 */
export function judge_fault(k: Kernel, pc: number, ret: number): void {
  const { instructions, program_of } = code_of(k)
  const { slot } = instructions[pc] as CallInstruction
  for (let at = pc + 1; program_of[at] === program_of[pc]; at++) {
    const use = instructions[at]!
    if (use.op !== 'use' || use.relies < 0 || !use.pieces.some((piece) => piece.slot === slot)) continue
    if (!may_come_to(pc, at, use.block) || approval.find(k, k.task, use.relies) === undefined) continue
    violate(k, 'check-use', errno_name(ret), use.index)
    return
  }
}

/** A call of `task` at `pc` gave this: latches the parts of outcomes that it shows. */
export function note_occurred(k: Kernel, task: number, pc: number, ret: number): void {
  const { code, parts } = k.config as CaseConfig
  const { slot } = code.instructions[pc] as CallInstruction
  for (const { index, test } of parts[code.program_of[pc]!]!.get(slot) ?? NO_PARTS) {
    if (test(ret) && occurred.find(k, task, index) === undefined) occurred.create(k, { task, part: index })
  }
}

const NO_PARTS: readonly Part[] = []

/**
 * How what a task used stands to what was judged, in words that are equal for equal situations: for finding
 * the step that made the difference.
 *
 * @returns null while the task may still come to its use; `ended` if it never will
 */
export function use_and_approval(k: Kernel, task: number, use: number): string | null {
  const row = used.find(k, task, use)
  if (row === undefined) return k.store.depth(task) === 0 ? 'ended' : null
  const judged = row.relies < 0 ? undefined : approval.find(k, task, row.relies)
  const sources = row.from.filter((_, i) => i % 2 === 0)
  const objects = sources.map((ino) => {
    const object = ino === judged?.data_inode ? 'judged' : 'another'
    return !inode.has(k, ino) || policy_approves(k, ino) ? object : `${object}, unapproved`
  })
  const same = judged === undefined || difference(judged.bytes, row.at, row.bytes, false) === undefined
  return `${same ? 'same' : 'other'} bytes of ${objects.join(' and ')} object`
}

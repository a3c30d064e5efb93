/**
 * A real exec uses the bytes that it runs. What they must be, each on its own:
 *
 * - what the file held when the modules said yes in `bprm_creds_for_exec`, as for a check;
 * - what each module that looked at the bytes, in any hook about this file, saw when it last did so in this exec:
 *   one that judges in `file_open` judges before writes are denied;
 * - what the program itself read and took for good (a `use` that relies on no check) of the same descriptor or path:
 *   all of it, so that bytes behind its end are bytes that nobody looked at; with `part: true` those that were read.
 *
 * They are used where the program is mapped, and again when it ends: its pages are those of the file until then, so
 * a write that nothing denies changes what runs. A script is handed to its interpreter by name and is no such use.
 */
import type { Kernel } from '../kernel/kernel.js'
import { int, naming, str, table, task_number } from '../kernel/schema.js'
import { d_real_inode } from '../vfs/d_real.js'
import { file } from '../vfs/file.js'
import { inode } from '../vfs/inode.js'
import { content_of } from '../vfs/memory/page_cache.js'
import { type CallInstruction, type CaseConfig, result } from './code.js'
import {
  type Assembled,
  approval,
  assemble,
  current_call,
  difference,
  policy_approves,
  used,
  violate,
  withdraw_approval,
} from './monitor.js'

/** The number with which a key of `exec_look` ends. */
const number_at_end = (text: string, renumber: (id: number) => number): string =>
  text.replace(/ (\d+)$/, (_, id) => ` ${renumber(Number(id))}`)

/** Bytes that somebody approved of in the exec that a task is in, or whose program it runs. */
export const exec_look = table(
  'exec_look',
  {
    /** By whom: `kernel`, or the name of a module; and the file's own inode. */
    key: { task: task_number(), by: str('', number_at_end) },
    look: { inode: naming('row'), bytes: str() },
  },
  { unique: ['task', 'by'], keyed: true, owned: true },
)

/** The program that a task runs: the inode of which it is mapped, and that of the file. */
export const running = table(
  'running',
  {
    key: { task: task_number() },
    program: { slot: int(), file_inode: naming('row'), data_inode: naming('row') },
  },
  { unique: ['task'], keyed: true, owned: true },
)

/** Uses by execs have numbers from here on, above those of a program. */
const EXEC_USE = 1_000_000

/** The real exec that the running task is in. */
function current_exec(k: Kernel): CallInstruction | undefined {
  const call = current_call(k, k.task)
  return call?.gives === 'exec' ? call : undefined
}

function note_look(k: Kernel, by: string, file_inode: number, data_inode: number): void {
  const key = `${by} ${file_inode}`
  const bytes = content_of(k, data_inode)
  const row = exec_look.find(k, k.task, key)
  if (row === undefined) exec_look.create(k, { task: k.task, by: key, inode: file_inode, bytes })
  else row.bytes = bytes
}

/** The hook of `Config.monitor`: a module that is asked about an open file looks at bytes. */
export function on_look(k: Kernel, ino: number, opened: number, module: string): void {
  if (current_exec(k) === undefined) return
  const { f_inode, f_dentry } = file(k, opened)
  if (ino !== d_real_inode(k, f_dentry)) return
  note_look(k, `module ${module}`, f_inode, ino)
  k.tell('looks', () => `${module} looks at the bytes`)
}

/** The hook of `Config.monitor`: the modules have said yes to running this file. */
export function on_exec_approval(k: Kernel, data_inode: number, opened: number): void {
  const call = current_exec(k)
  if (call === undefined) return
  note_look(k, 'kernel', file(k, opened).f_inode, data_inode)
  approve(k, call.slot, data_inode, content_of(k, data_inode))
}

function set_approval(k: Kernel, slot: number, data_inode: number, bytes: string): number {
  withdraw_approval(k, slot)
  const approved = policy_approves(k, data_inode) ? 1 : 0
  approval.create(k, { task: k.task, slot, data_inode, bytes, approved })
  return approved
}

function approve(k: Kernel, slot: number, data_inode: number, bytes: string): void {
  const approved = set_approval(k, slot, data_inode, bytes)
  k.tell('approval', () => `approves ${bytes.length} bytes of inode ${data_inode}`, {
    data_inode,
    bytes,
    approved,
  })
}

/** The hook of `Config.monitor`: the program is mapped. */
export function on_loaded(k: Kernel, opened: number, data_inode: number): void {
  const call = current_exec(k)
  if (call === undefined) return
  const file_inode = file(k, opened).f_inode
  running.create(k, { task: k.task, slot: call.slot, file_inode, data_inode })
  judge_program(k)
  judge_own_looks(k, call)
}

/** The hook of `Config.monitor`: a program ends, whose pages were the file's until now. */
export function on_unmapped(k: Kernel): void {
  const program = running.find(k, k.task)
  if (program === undefined) return
  if (inode.has(k, program.data_inode)) judge_program(k)
  running.remove(k, program.id)
}

/** Compares what runs with what was approved of in this exec. */
function judge_program(k: Kernel): void {
  const { slot, file_inode, data_inode } = running.find(k, k.task)!
  const bytes = content_of(k, data_inode)
  const looks = exec_look.where(k, k.task).filter((look) => look.inode === file_inode)
  note_use(k, slot, data_inode, bytes, looks.length > 0)
  for (const look of looks) {
    const kind = difference(look.bytes, 0, bytes, false)
    if (kind !== undefined) fail(k, slot, data_inode, look.bytes, kind)
  }
  if ((k.config as CaseConfig).watched.has('policy') && !policy_approves(k, data_inode))
    violate(k, 'policy', 'unapproved', EXEC_USE + slot)
}

/** Compares what runs with what the program itself has read of the same thing and taken for good. */
function judge_own_looks(k: Kernel, call: CallInstruction): void {
  const { slot, file_inode, data_inode } = running.find(k, k.task)!
  // The interpreter of a script is another file than the one that was looked at.
  const was_asked_for = exec_look.find(k, k.task, `kernel ${file_inode}`) !== undefined
  if (!was_asked_for) return
  for (const look of call.own_looks) {
    const pieces = look.pieces.filter((piece) => (result.find(k, k.task, piece.slot)?.ret ?? -1) >= 0)
    if (pieces.length === 0) continue
    const seen = assemble(k, { pieces })
    const kind = difference_from_look(seen, content_of(k, data_inode), look.part)
    if (kind !== undefined) fail(k, slot, data_inode, seen.bytes, kind)
  }
}

/** How a program differs from what was seen of it; undefined where it does not. */
function difference_from_look(seen: Assembled, bytes: string, part: boolean): string | undefined {
  const { at, joined } = seen
  if (!joined || (at !== 0 && !part)) return 'bytes'
  return difference(seen.bytes, 0, part ? bytes.slice(at, at + seen.bytes.length) : bytes, false)
}

function fail(k: Kernel, slot: number, data_inode: number, judged: string, kind: string): void {
  set_approval(k, slot, data_inode, judged)
  violate(k, 'check-use', kind, EXEC_USE + slot)
}

/** @param approved somebody looked at this file: at a script's interpreter perhaps nobody did */
function note_use(k: Kernel, slot: number, ino: number, bytes: string, approved: boolean): void {
  const index = EXEC_USE + slot
  const row = used.find(k, k.task, index)
  if (row?.bytes === bytes) return
  if (row !== undefined) used.remove(k, row.id)
  used.create(k, {
    task: k.task,
    index,
    bytes,
    at: 0,
    from: [ino, bytes.length],
    relies: approved ? slot : -1,
  })
  k.tell('use', () => `runs ${bytes.length} bytes`, { bytes, at: 0, from: [ino, bytes.length], judged: '' })
}

/** The exec failed: what was approved of in it is nothing. */
export function withdraw_looks(k: Kernel, call: CallInstruction): void {
  for (const { id } of exec_look.where(k, k.task)) exec_look.remove(k, id)
  withdraw_approval(k, call.slot)
}

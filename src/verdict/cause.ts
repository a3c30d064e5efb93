/** Which step of a counterexample made the difference, in the words that people use for such things. */
import { do_open_execat } from '../exec/open_execat.js'
import { first_change } from '../explore/first_change.js'
import type { Player } from '../explore/replay.js'
import type { Schedule } from '../explore/system.js'
import { is_at, type Place, place } from '../kernel/fn.js'
import type { Fn, Frame, Kernel } from '../kernel/kernel.js'
import { step } from '../kernel/machine.js'
import type { Change } from '../kernel/syscall.js'
import { ovl_copy_up_flags } from '../overlay/copy_up.js'
import { ovl_create_object, ovl_link, ovl_tmpfile } from '../overlay/dir.js'
import type { CaseSystem } from '../scenario/case_system.js'
import { type CallInstruction, tasks_of } from '../scenario/code.js'
import { approval, current_call, occurred, use_and_approval, used, violation } from '../scenario/monitor.js'
import type { Outcome } from '../scenario/properties.js'
import { show_call } from '../scenario/strace.js'
import { dentry } from '../vfs/dentry.js'
import { FMODE_WRITER, file } from '../vfs/file.js'
import { simple_create } from '../vfs/filesystems/simple.js'
import { inode, is_lnk } from '../vfs/inode.js'
import { do_open } from '../vfs/namei/do_open.js'
import { do_renameat2 } from '../vfs/namei/rename.js'
import { do_dentry_open } from '../vfs/open/dentry_open.js'
import { do_ftruncate, do_truncate, vfs_truncate } from '../vfs/open/truncate.js'
import { fd_slot } from '../vfs/tasks/task.js'

export type CauseKind =
  | 'copy-up'
  | 'write in place'
  | 'truncation'
  | 'rename over'
  | 'path switch'
  | 'layer switch'
  | 'moved position'
  | 'write access'
  | 'write denial'
  | 'another change'
  | 'the check did not look'
  | 'nobody'
  | 'not reached'
  | 'not looked for'

/** What made the difference. */
export interface Cause {
  readonly kind: CauseKind
  /** One line: who did what, in which kernel function. */
  readonly text: string
  /** The step of the counterexample, from 0; -1 where no step made the difference. */
  readonly step: number
  /** Name of the task, of the kernel function and of its stage; empty where no step made the difference. */
  readonly task: string
  readonly fn: string
  readonly stage: string
}

/**
 * The first step of another task after which the use would no longer agree with the approval that it relies
 * on, or would come from another object; of a `never` the first after which the call that completes it would
 * return what it must not.
 *
 * @param player where the schedule is played, and whose time it takes
 * @param end what is played there now, if that is the schedule
 * @returns null where no use of bytes and no result of a call is at fault
 * @throws CutShort where the time of `player` is over: no cause is then known
 */
export function cause_of(
  player: Player<CaseSystem>,
  schedule: Schedule,
  end: Kernel = player.play(schedule),
): Cause | null {
  const [property] = player.system.violations(end)
  const broken = violation.rows(end).find((row) => row.property === property)
  if (broken === undefined) return cause_of_outcome(player, schedule, property)
  const { task, use, kind } = broken
  if (property === 'policy' && approved_without_looking(end, task, use)) return did_not_look
  const observe = (k: Kernel) => {
    close_writers(k, task)
    const seen = use_and_approval(k, task, use)
    // Only a fault is a use that never comes; a check that fails is no answer to the question.
    return seen === 'ended' && !kind.startsWith('SIG') ? null : seen
  }
  const at = first_change(player, { schedule, from: 0, victim: task, observe })
  return at < 0 ? nobody : describe(player, schedule, at)
}

/** The last part of a `never` to come says whose call it was; who made it return that is the question. */
function cause_of_outcome(
  player: Player<CaseSystem>,
  schedule: Schedule,
  property: string | undefined,
): Cause | null {
  const outcome = player.system.properties.never.find(({ name }) => name === property)
  const last = outcome === undefined ? undefined : last_part(player, schedule, outcome)
  if (last === undefined) return null
  const { task, part } = last
  const observe = (k: Kernel) => {
    if (occurred.find(k, task, part) !== undefined) return 'so'
    return k.store.depth(task) === 0 ? 'otherwise' : null
  }
  const at = first_change(player, { schedule, from: 0, victim: task, observe })
  return at < 0 ? null : describe(player, schedule, at)
}

/** Which part of an outcome came last, and to which task. */
function last_part(
  player: Player,
  schedule: Schedule,
  { parts }: Outcome,
): { task: number; part: number } | undefined {
  const missing = new Set(parts)
  let last: { task: number; part: number } | undefined
  player.play(schedule, {
    after: (k) => {
      for (const { task, part } of occurred.rows(k)) if (missing.delete(part)) last = { task, part }
    },
  })
  return last
}

/**
 * As if the other tasks had closed what they have open for writing: a check would fail because of that, and
 * never say what the victim would have used. The search for the cause takes this back.
 */
function close_writers(k: Kernel, victim: number): void {
  const writers = file.rows(k).filter((opened) => (opened.f_mode & FMODE_WRITER) !== 0)
  if (writers.length === 0) return
  const open = new Set(fd_slot.rows_in(k, victim).map((slot) => slot.file))
  const own = writers.filter((opened) => open.has(opened.id))
  for (const { f_inode } of writers) {
    const node = inode(k, f_inode)
    if (node.i_writecount > 0) node.i_writecount = own.filter((opened) => opened.f_inode === f_inode).length
  }
}

const no_step = { step: -1, task: '', fn: '', stage: '' }

const did_not_look: Cause = {
  kind: 'the check did not look',
  text: 'the check did not look: it said yes to bytes that no policy approves',
  ...no_step,
}

const nobody: Cause = {
  kind: 'nobody',
  text: 'nobody changed anything: the program uses other bytes than those that the check judged',
  ...no_step,
}

/** Of a counterexample whose cause it would have taken too long to find. */
export const not_looked_for: Cause = {
  kind: 'not looked for',
  text: 'the cause was not looked for: there was no more time',
  ...no_step,
}

/** Of an outcome that some run had to have, and none has. */
export const not_reached: Cause = { kind: 'not reached', text: 'no run reaches it', ...no_step }

/** The check said yes about an object that the policy does not approve. */
function approved_without_looking(k: Kernel, task: number, use: number): boolean {
  const row = used.find(k, task, use)
  return row !== undefined && approval.find(k, task, row.relies)?.approved === 0
}

function describe(player: Player<CaseSystem>, schedule: Schedule, at: number): Cause {
  const k = player.play(schedule.slice(0, at))
  const { task, choice } = schedule[at]!
  const call = current_call(k, task)
  const f = k.store.top(task)
  const fn = f.fn.name
  const stage = f.fn.steps[f.stage]?.name ?? 'return'
  const name = name_of_task(k, player.system, task)
  const what = call === undefined ? '' : ` in ${show_call(k, task, call)}`
  const kind = only_moves_position(k, task, choice) ? 'moved position' : kind_of(k, task, call)
  return { kind, text: `${kind} by ${name}: ${fn}/${stage}${what}`, step: at, task: name, fn, stage }
}

/** A forked task is called after the task whose program it runs. */
function name_of_task(k: Kernel, system: CaseSystem, task: number): string {
  const { programs } = system.code
  const of = programs.findIndex((_, i) => tasks_of(k, i + 1).includes(task))
  if (of < 0) return `task ${task}`
  return of === task - 1 ? programs[of]!.name : `child of ${programs[of]!.name}`
}

/** Whether all that the step changes for others is where they stand in an open file that is shared (struct file: f_pos). */
function only_moves_position(k: Kernel, task: number, choice: number): boolean {
  const mark = k.store.mark()
  k.store.note()
  step(k, task, choice)
  const touches = k.store.footprint()
  k.store.undo(mark)
  const written = touches.filter(({ write, table }) => write && shared_tables.has(table))
  return (
    written.length > 0 && written.every(({ table, group }) => table === 'file' && group.startsWith('pos'))
  )
}

/** Tables in which a change can be met by other tasks. */
const shared_tables = new Set(['file', 'inode', 'page', 'dentry', 'mount', 'ovl_inode', 'super_block'])

/** Of a call that does one thing only. */
const by_change: Partial<Record<Change, CauseKind>> = { contents: 'write in place', names: 'path switch' }

function by_call(call: CallInstruction | undefined): CauseKind | undefined {
  const changes = call?.syscall.changes
  return typeof changes === 'string' ? by_change[changes] : undefined
}

/** Functions and stages, and of what kind is that which a task changes in them. */
type Kinds = readonly { readonly kind: CauseKind; readonly at: readonly (Fn | Place)[] }[]

/** Whatever the call is. */
const by_place: Kinds = [
  { kind: 'copy-up', at: [ovl_copy_up_flags] },
  {
    kind: 'truncation',
    at: [
      do_truncate,
      vfs_truncate,
      do_ftruncate,
      place(do_open, 'will_truncate'),
      place(do_open, 'handle_truncate'),
      place(do_open, 'do_truncate'),
    ],
  },
]

/** Of a call that does several things, like open: by what it is doing. */
const by_place_of_call: Kinds = [
  { kind: 'write denial', at: [place(do_open_execat, 'exe_file_deny_write_access')] },
  { kind: 'write access', at: [place(do_dentry_open, 'file_get_write_access')] },
  {
    kind: 'path switch',
    at: [
      simple_create,
      ovl_create_object,
      place(ovl_tmpfile, 'ovl_create_tmpfile'),
      place(ovl_link, 'ovl_create_or_link'),
    ],
  },
]

function kind_of(k: Kernel, task: number, call: CallInstruction | undefined): CauseKind {
  const frames: Frame[] = []
  for (let depth = 0; depth < k.store.depth(task); depth++) frames.push(k.store.frame(task, depth))
  const kind = kind_at(frames, by_place)
  if (kind !== undefined) return kind
  if (call?.syscall.fn === do_renameat2) return moves_link(k, frames) ? 'path switch' : 'rename over'
  return kind_at(frames, by_place_of_call) ?? by_call(call) ?? 'another change'
}

const kind_at = (frames: readonly Frame[], kinds: Kinds): CauseKind | undefined =>
  kinds.find(({ at }) =>
    at.some((each) => frames.some((f) => ('steps' in each ? f.fn === each : is_at(f, each)))),
  )?.kind

/** Whether what is being renamed is a symbolic link. */
function moves_link(k: Kernel, frames: readonly Frame[]): boolean {
  return frames.some((f) => {
    const { old_dentry = 0 } = f as { old_dentry?: number }
    return (
      old_dentry !== 0 && dentry.has(k, old_dentry) && is_lnk(inode(k, dentry(k, old_dentry).d_inode).i_mode)
    )
  })
}

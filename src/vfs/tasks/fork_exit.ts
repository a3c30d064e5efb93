/**
 * Tasks begin and end (kernel/fork.c, kernel/exit.c).
 *
 *     fork
 *       kernel_clone         copies of credentials, descriptors (they share the open files) and mappings
 *     exit
 *       exit_mm              mappings, then the running program no longer denies writing to itself
 *       fput                 of files that mappings pinned, then of descriptors, each a stage
 *       exit_notify
 */
import { EAGAIN } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { BLOCKED } from '../../kernel/kernel.js'
import { BELOW, int, list, place_in_range, type Row, type TableInfo } from '../../kernel/schema.js'
import { define_syscall } from '../../kernel/syscall.js'
import { dget, dput, ihold, iput } from '../dentry.js'
import { FMODE_STREAM, FMODE_WRITER, file } from '../file.js'
import { inode } from '../inode.js'
import { anon_page, mm_struct, vm_area } from '../memory/mm.js'
import { fput_all, mappings } from '../memory/mmap.js'
import { current, fd_row, fd_slot, first_cred, task_struct, user_buffer } from './task.js'

/** Children that one task can have. */
export const MAX_CHILDREN = 7
/** Tasks have numbers below this: a number and a place share the 32 bits of a row's number. */
const MAX_TASK = 1 << 13

/**
 * The number of the next child of the running task: of its own range, in order, so that the order in which
 * different tasks fork does not matter.
 *
 * @returns it, or -EAGAIN
 */
function alloc_pid(k: Kernel): number {
  const parent = current(k)
  const pid = (k.task + 8) * 8 + parent.children + 1
  if (parent.children === MAX_CHILDREN || pid >= MAX_TASK) return k.refuse(-EAGAIN, 'no task number is left')
  parent.children += 1
  return pid
}

/** All fields of a row, to make another one of them. */
function fields_of<V>(row: Row<V>, info: TableInfo): Row<V> {
  return Object.fromEntries(info.columns.map(({ name }) => [name, row[name as keyof V]])) as Row<V>
}

/** kernel/fork.c: copy_files. The open files are shared, positions and all. */
function copy_files(k: Kernel, child: number): void {
  for (const slot of fd_slot.rows_in(k, k.task)) {
    const fd = place_in_range(slot.id)
    fd_slot.create_at(k, fd_row(child, fd), { file: slot.file, close_on_exec: slot.close_on_exec })
    file(k, slot.file).f_count += 1
  }
}

/**
 * kernel/fork.c: dup_mmap. Each copy of a mapping pins the file once more; private pages are copied, shared
 * ones are the page cache's. The running program is denied to writers once per address space.
 *
 * @returns the new address space, 0 where there is none to copy
 */
function copy_mm(k: Kernel, child: number): number {
  const { mm } = current(k)
  if (mm === 0) return 0
  const { exe_file } = mm_struct(k, mm)
  const copy = mm_struct.create_at(
    k,
    mm_struct.lowest_free(k, child, 1),
    fields_of(mm_struct(k, mm), mm_struct.info),
  )
  if (exe_file !== 0) {
    ihold(k, exe_file)
    if (k.has('exec_denies_writes')) inode.add_on_side(k, exe_file, 'i_writecount', -1, BELOW)
  }
  for (const vma of mappings(k, mm)) {
    if (vma.vm_file !== 0) file(k, vma.vm_file).f_count += 1
    const id = vm_area.lowest_free(k, child, 1)
    vm_area.create_at(k, id, { ...fields_of(vma, vm_area.info), vm_mm: copy.id })
  }
  for (const { address, mapping, index, data } of anon_page.where(k, mm)) {
    anon_page.create(k, { mm: copy.id, address, mapping, index, data })
  }
  return copy.id
}

/**
 * fork(2): a copy of the running task that has nothing to do yet. What it does is for whoever asked to
 * decide. Errors: EAGAIN. @returns the child's number
 */
export const kernel_clone = fn('kernel_clone', { source: 'kernel/fork.c' }, [
  stage('copy_process', (k, f) => {
    const child = alloc_pid(k)
    if (child < 0) return child
    copy_files(k, child)
    const mm = copy_mm(k, child)
    const parent = current(k)
    task_struct.create_at(k, child, {
      ...fields_of(parent, task_struct.info),
      parent: k.task,
      children: 0,
      mm,
      cred: first_cred(child),
    })
    user_buffer.create_at(k, child, {})
    dget(k, parent.pwd)
    return done(f, child)
  }),
])

/**
 * Takes an address space down (mm/mmap.c: exit_mmap; kernel/fork.c: __mmput). The running program is writable
 * again when the last address space that runs it is gone.
 *
 * @returns the files that its mappings pinned: the caller drops a reference of each
 */
export function exit_mmap(k: Kernel, mm: number): number[] {
  const files: number[] = []
  for (const { id, vm_file } of mappings(k, mm)) {
    if (vm_file !== 0) files.push(vm_file)
    vm_area.remove(k, id)
  }
  for (const { id } of anon_page.where(k, mm)) anon_page.remove(k, id)
  const { exe_file } = mm_struct(k, mm)
  mm_struct.remove(k, mm)
  if (exe_file !== 0) {
    if (k.has('exec_denies_writes')) inode.add_on_side(k, exe_file, 'i_writecount', 1, BELOW)
    iput(k, exe_file)
  }
  return files
}

/**
 * Whether nobody can tell that the running task ends: what it still has is only its own. Others meet what a task
 * holds in the counts of an inode: write access (of a descriptor, or of a mapping that pins an open file), and
 * the denial of it by the program that runs; and the ends of a FIFO, whose other end is told when one goes.
 * Whoever has a plain file open for reading only is in nobody's way; names
 * are not kept by those who stand on them, file systems cannot be unmounted, and memory is the task's alone.
 */
export function ends_unseen(k: Kernel): boolean {
  const { mm } = current(k)
  if (mm !== 0 && mm_struct(k, mm).exe_file !== 0) return false
  return (
    fd_slot.rows_in(k, k.task).every((slot) => !is_noticed(k, slot.file)) &&
    mappings(k, mm).every(({ vm_file }) => vm_file === 0 || !is_noticed(k, vm_file))
  )
}

const is_noticed = (k: Kernel, opened: number): boolean =>
  (file(k, opened).f_mode & (FMODE_WRITER | FMODE_STREAM)) !== 0

/**
 * Ends the running task. Locals: `code`, as it is kept: 1 + exit status, or the negative number of a signal.
 * Its row stays, as a zombie's does; it holds nothing any more.
 */
export const do_exit = fn(
  'do_exit',
  { source: 'kernel/exit.c', locals: { code: int(), files: list([true]) } },
  [
    stage('exit_mm', (k, f) => {
      const task = current(k)
      if (task.mm === 0) return
      k.config.monitor?.unmapped?.(k)
      f.files = exit_mmap(k, task.mm)
      task.mm = 0
    }),
    local('exit_files', (k, f) => {
      const files = [...f.files]
      for (const slot of fd_slot.rows_in(k, k.task)) {
        files.push(slot.file)
        fd_slot.remove(k, slot.id)
      }
      f.files = files
    }),
    call(fput_all, (_, f) => ({ files: f.files })),
    stage('exit_notify', (k, f) => {
      const task = current(k)
      dput(k, task.pwd)
      task.pwd = 0
      task.pwd_mnt = 0
      task.exit_code = f.code
    }),
  ],
)

/** Signals are not sent here, so nobody wakes it (kernel/signal.c). It does not return. */
export const pause = fn('pause', { source: 'kernel/signal.c' }, [stage('schedule', () => BLOCKED)])

define_syscall({
  name: 'pause',
  says: 'Waits for a signal, and nobody sends one.',
  prototype: [],
  fn: pause,
  locals: () => ({}),
  returns: 'never',
  gives: 'nothing: it does not return',
  changes: 'nothing',
})
define_syscall({
  name: 'fork',
  says: "Makes a child with a copy of this task's memory and its descriptors.",
  prototype: [],
  as: null,
  fn: kernel_clone,
  locals: () => ({}),
  returns: 'task',
  gives: 'the number of the child; to the child 0',
  changes: 'nothing',
})
const status = { name: 'status', kind: 'int', missing: 0 } as const
const exits = {
  library: false,
  fn: do_exit,
  locals: (status: number) => ({ code: 1 + (status & 0xff) }),
  returns: 'never',
  gives: 'nothing: it does not return',
  changes: 'nothing',
} as const

define_syscall({
  name: 'exit',
  says: 'Ends the process, with a status.',
  prototype: [status],
  as: ['exit_group', 'status'],
  ...exits,
})
define_syscall({
  name: 'exit_group',
  says: 'Ends the process, with a status.',
  prototype: [status],
  ...exits,
})

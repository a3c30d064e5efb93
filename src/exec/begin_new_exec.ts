/** Becoming the new program (fs/exec.c: begin_new_exec, exec_mmap; fs/binfmt_elf.c: load_elf_binary). */
import { raise, SIGSEGV } from '../kernel/errno.js'
import { call, type Frame, fn, jump, local, type Outcome, stage } from '../kernel/fn.js'
import type { Kernel } from '../kernel/machine.js'
import { int, list, range_of, ref, str, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { dentry, ihold, iput } from '../vfs/dentry.js'
import { file } from '../vfs/file.js'
import { fput } from '../vfs/file_table.js'
import { inode, inode_ops, PAGE_SIZE, S_ISGID, S_ISUID } from '../vfs/inode.js'
import { anon_page, mm_struct, PROT_EXEC, PROT_READ, PROT_WRITE, vm_area } from '../vfs/mm.js'
import { MNT_NOSUID, mount } from '../vfs/mount.js'
import { generic_permission, MAY_EXEC } from '../vfs/permission.js'
import { CAP_FULL_SET, current, fd_slot } from '../vfs/task.js'
import { SECBIT_KEEP_CAPS, SECBIT_NOROOT } from './securebits.js'

/** Where the one segment of a program is mapped: where x86_64 linkers put it. */
export const SEGMENT_START = 0x400000
const MAP_PRIVATE = 2

const new_exec = {
  file: ref('file'),
  filename: str(),
  /** It is run by a descriptor alone: the file's own name becomes the task's, since 6.14. */
  by_descriptor: int(),
  euid: int(),
  egid: int(),
  /** Files to drop: of close-on-exec descriptors, then of the old address space. */
  files: list(),
  old_mm: ref('mm_struct'),
  mm: ref('mm_struct'),
}
type NewExec = Frame<ValuesOf<typeof new_exec>>

/**
 * Replaces the running task's program by the one in `file`. The caller keeps file and denial; the new address
 * space has a denial of its own for as long as it lives.
 *
 * @returns 0; what a module answers to the credentials; past the point of no return SIGSEGV
 */
export const begin_new_exec = fn('begin_new_exec', { source: 'fs/exec.c', locals: new_exec }, [
  stage('bprm_creds_from_file', (k, f) => {
    bprm_fill_uid(k, f)
    return security(k, 'bprm_creds_from_file', { file: f.file, filename: f.filename, is_check: false })
  }),
  stage('do_close_on_exec', do_close_on_exec),
  drop_files('filp_close'),
  stage('set_mm_exe_file', exec_mmap),
  drop_files('exit_mmap'),
  local('mmput', (_, f) => (f.old_mm === 0 ? jump(f, 'commit_creds') : undefined)),
  stage('replace_exe_file', (k, f) => {
    const { exe_file } = mm_struct(k, f.old_mm)
    mm_struct.remove(k, f.old_mm)
    if (exe_file === 0) return
    if (k.has('exec_denies_writes')) inode(k, exe_file).i_writecount += 1
    iput(k, exe_file)
  }),
  local('commit_creds', commit_creds),
  stage('elf_load', elf_load),
])

/** Drops the files that the frame has listed, one after the other. */
function drop_files(name: string) {
  return call<ValuesOf<typeof new_exec>, { file: number }>(
    (_, f) => (f.files.length === 0 ? null : fput),
    (_, f) => ({ file: f.files[0]! }),
    (_, f) => {
      f.files = f.files.slice(1)
      return jump(f, name)
    },
    name,
  )
}

/**
 * Whose ids the program gets: set-user-id and set-group-id count, unless the mount is nosuid, the task has
 * no_new_privs, or by now it may not execute the file (mode and owner are read again, under the lock).
 */
function bprm_fill_uid(k: Kernel, f: NewExec): void {
  const { euid, egid, no_new_privs } = current(k)
  f.euid = euid
  f.egid = egid
  const { f_mnt, f_inode } = file(k, f.file)
  if (no_new_privs === 1 || (mount(k, f_mnt).mnt_flags & MNT_NOSUID) !== 0) return
  const node = inode(k, f_inode)
  if ((node.i_mode & (S_ISUID | S_ISGID)) === 0 || generic_permission(k, node, MAY_EXEC) !== 0) return
  if ((node.i_mode & S_ISUID) !== 0) f.euid = node.i_uid
  // Without group execute permission, set-group-id once meant mandatory locking.
  if ((node.i_mode & S_ISGID) !== 0 && (node.i_mode & 0o010) !== 0) f.egid = node.i_gid
}

function do_close_on_exec(k: Kernel, f: NewExec): void {
  const closing = fd_slot.rows(k).filter((slot) => range_of(slot.id) === k.task && slot.close_on_exec === 1)
  f.files = closing.map((slot) => slot.file)
  for (const slot of closing) fd_slot.remove(k, slot.id)
}

/**
 * The new address space denies writing to what it runs (kernel/fork.c: set_mm_exe_file; it cannot fail, for
 * the exec itself denies already) and takes the place of the old one, whose mappings go.
 */
function exec_mmap(k: Kernel, f: NewExec): void {
  const { f_inode } = file(k, f.file)
  if (k.has('exec_denies_writes')) inode(k, f_inode).i_writecount -= 1
  ihold(k, f_inode)
  f.mm = mm_struct.create(k, { exe_file: f_inode }).id
  f.old_mm = current(k).mm
  current(k).mm = f.mm
  if (f.old_mm === 0) return
  const mappings = vm_area.where(k, f.old_mm)
  f.files = mappings.map((vma) => vma.vm_file).filter((id) => id !== 0)
  for (const vma of mappings) vm_area.remove(k, vma.id)
  for (const copy of anon_page.where(k, f.old_mm)) anon_page.remove(k, copy.id)
}

/**
 * Name and credentials of the new program. Root gets every capability and anybody else none, for files have
 * none in the model (security/commoncap.c: handle_privileged_root); SECBIT_NOROOT takes root's away.
 * Of the securebits only SECBIT_KEEP_CAPS is cleared.
 */
function commit_creds(k: Kernel, f: NewExec): void {
  const task = current(k)
  task.comm = comm_of(k, f)
  task.euid = f.euid
  task.egid = f.egid
  task.cap_effective = f.euid === 0 && (task.securebits & SECBIT_NOROOT) === 0 ? CAP_FULL_SET : 0
  task.securebits &= ~SECBIT_KEEP_CAPS
}

const TASK_COMM_LEN = 16

/** The last component of the name that was run; by a descriptor alone it is its number, since 6.14 the file's name. */
function comm_of(k: Kernel, f: NewExec): string {
  const of_file = f.by_descriptor === 1 && k.has('at_execve_check')
  const name = of_file
    ? dentry(k, file(k, f.file).f_dentry).d_name.split('/')[0]!
    : f.filename.slice(f.filename.lastIndexOf('/') + 1)
  return name.slice(0, TASK_COMM_LEN - 1)
}

/** Maps the program's one segment (fs/binfmt_elf.c: elf_load). Too late for an errno. */
function elf_load(k: Kernel, f: NewExec): Outcome {
  const prot = PROT_READ | PROT_EXEC
  const denied = security(k, 'mmap_file', { file: f.file, reqprot: prot, prot, flags: MAP_PRIVATE })
  if (denied !== 0) return k.refuse(raise(SIGSEGV), 'the program cannot be mapped, and the old one is gone')
  const { f_inode } = file(k, f.file)
  const mapped = inode_ops(k, f_inode).mmap_file?.(k, f.file) ?? f.file
  const { i_size } = inode(k, file(k, mapped).f_inode)
  file(k, mapped).f_count += 1
  vm_area.create(k, {
    vm_mm: f.mm,
    vm_start: SEGMENT_START,
    vm_end: SEGMENT_START + Math.max(1, Math.ceil(i_size / PAGE_SIZE)) * PAGE_SIZE,
    vm_prot: prot,
    vm_may: PROT_READ | PROT_WRITE | PROT_EXEC,
    vm_file: mapped,
  })
}

/** Becoming the new program (fs/exec.c: begin_new_exec, exec_mmap; fs/binfmt_elf.c: load_elf_binary). */
import { raise, SIGSEGV } from '../kernel/errno.js'
import { call, fn, local, stage } from '../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../kernel/kernel.js'
import { BELOW, int, list, ref, str, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { ihold, name_of } from '../vfs/dentry.js'
import { file } from '../vfs/file.js'
import { inode, inode_ops, PAGE_SIZE, S_ISGID, S_ISUID } from '../vfs/inode.js'
import { mm_struct, PROT_EXEC, PROT_READ, PROT_WRITE, vm_area } from '../vfs/memory/mm.js'
import { fput_all, MAP_PRIVATE } from '../vfs/memory/mmap.js'
import { MNT_NOSUID, mount } from '../vfs/mount.js'
import { generic_permission, MAY_EXEC, MAY_READ } from '../vfs/namei/permission.js'
import { exit_mmap } from '../vfs/tasks/fork_exit.js'
import { CAP_FULL_SET, commit_creds, current, fd_row, fd_slot, RLIMIT_NOFILE } from '../vfs/tasks/task.js'
import { SECBIT_KEEP_CAPS, SECBIT_NOROOT } from './securebits.js'

/** Where the one segment of a program is mapped: where x86_64 linkers put it. */
const SEGMENT_START = 0x400000

const new_exec = {
  file: ref('file'),
  filename: str(),
  /** It is run by a descriptor alone: the file's own name becomes the task's, since 6.14. */
  by_descriptor: int(),
  euid: int(),
  egid: int(),
  /** Files to drop: of close-on-exec descriptors, then of the old address space. */
  files: list([true]),
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
  local('do_close_on_exec', do_close_on_exec),
  call(fput_all, (_, f) => ({ files: f.files }), undefined, 'filp_close'),
  stage('exec_mmap', exec_mmap),
  call(fput_all, (_, f) => ({ files: f.files }), undefined, 'exit_mmap'),
  stage('elf_load', (k, f) => {
    bprm_committing_creds(k, f)
    return elf_load(k, f)
  }),
])

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
  const files: number[] = []
  for (let fd = 0; fd < RLIMIT_NOFILE; fd++) {
    const row = fd_row(k.task, fd)
    if (!fd_slot.has(k, row) || fd_slot(k, row).close_on_exec === 0) continue
    files.push(fd_slot(k, row).file)
    fd_slot.remove(k, row)
  }
  f.files = files
}

/**
 * The new address space denies writing to what it runs (kernel/fork.c: set_mm_exe_file) and takes the place
 * of the old one. That denial cannot fail, and nobody sees it come: the exec itself denies already.
 */
function exec_mmap(k: Kernel, f: NewExec): void {
  const { f_inode, f_mnt, f_dentry } = file(k, f.file)
  if (k.has('exec_denies_writes')) inode.add_on_side(k, f_inode, 'i_writecount', -1, BELOW)
  ihold(k, f_inode)
  const task = current(k)
  const old = task.mm
  const dumpable = may_be_dumped(k, f) ? 1 : 0
  task.mm = mm_struct.create(k, {
    exe_file: f_inode,
    exe_mnt: f_mnt,
    exe_dentry: f_dentry,
    dumpable,
  }).id
  f.files = old === 0 ? [] : exit_mmap(k, old)
}

/**
 * Whether the task's user may look into the new program: he may read its file, and it runs with his ids (fs/exec.c:
 * would_dump, begin_new_exec; fs.suid_dumpable is 0). Modules are not asked a second time.
 */
function may_be_dumped(k: Kernel, f: NewExec): boolean {
  const { uid, gid } = current(k)
  const readable = generic_permission(k, inode(k, file(k, f.file).f_inode), MAY_READ) === 0
  return readable && uid === f.euid && gid === f.egid
}

/**
 * Name and credentials of the new program. Root gets every capability and anybody else none, for files have
 * none in the model (security/commoncap.c: handle_privileged_root); SECBIT_NOROOT takes root's away.
 * Of the securebits only SECBIT_KEEP_CAPS is cleared.
 */
function bprm_committing_creds(k: Kernel, f: NewExec): void {
  const task = current(k)
  task.comm = comm_of(k, f)
  task.euid = f.euid
  task.egid = f.egid
  task.cap_effective = f.euid === 0 && (task.securebits & SECBIT_NOROOT) === 0 ? CAP_FULL_SET : 0
  task.securebits &= ~SECBIT_KEEP_CAPS
  commit_creds(k)
}

const TASK_COMM_LEN = 16

/** The last component of the name that was run; by a descriptor alone it is its number, since 6.14 the file's name. */
function comm_of(k: Kernel, f: NewExec): string {
  const of_file = f.by_descriptor === 1 && k.has('at_execve_check')
  const name = of_file
    ? name_of(k, file(k, f.file).f_dentry)
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
  k.config.monitor?.loaded?.(k, f.file, file(k, mapped).f_inode)
  vm_area.create(k, {
    vm_mm: current(k).mm,
    vm_start: SEGMENT_START,
    vm_end: SEGMENT_START + Math.max(1, Math.ceil(i_size / PAGE_SIZE)) * PAGE_SIZE,
    vm_prot: prot,
    vm_may: PROT_READ | PROT_WRITE | PROT_EXEC,
    vm_file: mapped,
  })
}

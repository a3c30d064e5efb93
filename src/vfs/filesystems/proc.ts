/**
 * What processes show of themselves (fs/proc): a file system without a tree. Its names are computed from tasks and
 * their descriptors, and so are the numbers behind them.
 *
 *     /proc/self            a symbolic link to the number of the task that reads it
 *     /proc/2/              a task
 *     /proc/2/exe           magic links: to the program that it runs, to where it stands, to its root
 *     /proc/2/cwd
 *     /proc/2/root
 *     /proc/2/fd/3          to what its descriptor has open
 *
 * A **magic link** has no text to be walked: it jumps to a place, and what is opened is opened there afresh. So a
 * descriptor that is open for reading is opened for writing, where the file's own mode allows it. Whether the task
 * may follow the link is asked as the walk comes to it, and where it leads is read then too, though the name was found
 * before: a descriptor that was closed in between is not there.
 *
 * A task has the number that it has in the model. Left out: threads, and that the owner of a name is remembered from
 * when it was last looked up. All other names are refused.
 */
import { EACCES, ENOENT, EPERM } from '../../kernel/errno.js'
import { done, fn, stage } from '../../kernel/fn.js'
import {
  type ComputedNames,
  type FileSystemOperations,
  type LinkTarget,
  setattr_locals,
} from '../../kernel/fs.js'
import type { Kernel } from '../../kernel/kernel.js'
import { NotModelled } from '../../kernel/not_modelled.js'
import { computed_number, computed_of, is_computed, place_in_range } from '../../kernel/schema.js'
import { ATTR_GID, ATTR_MODE, ATTR_UID, setattr_prepare, simple_setattr } from '../attributes/attr.js'
import { dentry } from '../dentry.js'
import { FMODE_READ, FMODE_WRITE, file } from '../file.js'
import { S_IFDIR, S_IFLNK, S_IMMUTABLE } from '../inode.js'
import { mm_struct } from '../memory/mm.js'
import { mount } from '../mount.js'
import { d_path } from '../namei/d_path.js'
import { super_block } from '../super_block.js'
import {
  CAP_SYS_PTRACE,
  capable,
  current,
  fd_row,
  fd_slot,
  RLIMIT_NOFILE,
  task_struct,
} from '../tasks/task.js'
import { populate } from './populate.js'
import { simple_lookup } from './simple.js'

// --- numbers -----------------------------------------------------------------------------------------------

/** What is computed from a task, as places in its range of numbers. */
const TASK = 0
const FD = 1
const links = ['exe', 'cwd', 'root'] as const
const FIRST_LINK = 2
/** From here on descriptors: the number, and how it was open as it was found, which its link has as mode. */
const FIRST_DESCRIPTOR = 1 << 12
const MODE_BITS = 2
const MODES = FMODE_READ | FMODE_WRITE

type Named =
  | { readonly kind: 'task' }
  | { readonly kind: 'fd' }
  | { readonly kind: 'link'; readonly link: (typeof links)[number] }
  | { readonly kind: 'descriptor'; readonly fd: number; readonly f_mode: number }

/** What a number stands for. */
function named(id: number): Named {
  const place = place_in_range(id)
  if (place >= FIRST_DESCRIPTOR) {
    const descriptor = place - FIRST_DESCRIPTOR
    return { kind: 'descriptor', fd: descriptor >> MODE_BITS, f_mode: descriptor & MODES }
  }
  if (place >= FIRST_LINK) return { kind: 'link', link: links[place - FIRST_LINK]! }
  return place === FD ? { kind: 'fd' } : { kind: 'task' }
}

const descriptor_number = (task: number, fd: number, f_mode: number): number =>
  computed_number(task, FIRST_DESCRIPTOR + (fd << MODE_BITS) + (f_mode & MODES))

/** The last component of the name behind a number. */
function name_of(id: number): string {
  const it = named(id)
  if (it.kind === 'task') return String(computed_of(id))
  return it.kind === 'link' ? it.link : it.kind === 'fd' ? 'fd' : String(it.fd)
}

/** The name above. */
const parent_of = (id: number): number =>
  computed_number(computed_of(id), named(id).kind === 'descriptor' ? FD : TASK)

function path_of(id: number): string {
  const above = named(id).kind === 'task' ? '' : path_of(parent_of(id))
  return `${above}/${name_of(id)}`
}

/** The one superblock of this type. Set-ups make them, one number after another: so it is found without a touch. */
function proc_sb(k: Kernel): number {
  let sb = 1
  while (super_block(k, sb).s_type !== 'proc') sb++
  return sb
}

// --- who may ----------------------------------------------------------------------------------------------

/** An address space that others of the same user may look into; a task that has none left has nothing to hide. */
function task_dumpable(k: Kernel, task: number): boolean {
  const { mm } = task_struct(k, task)
  return mm === 0 || mm_struct(k, mm).dumpable === 1
}

/**
 * Whether the running task may look into another: the same user and group in every way, no more capabilities, and a
 * program that may be dumped; or CAP_SYS_PTRACE (kernel/ptrace.c: __ptrace_may_access with
 * PTRACE_MODE_READ_FSCREDS; security/commoncap.c: cap_ptrace_access_check). Modules have no hook for it here.
 */
function ptrace_may_access(k: Kernel, task: number): boolean {
  if (task === k.task || capable(k, CAP_SYS_PTRACE)) return true
  const { euid, egid, cap_effective } = current(k)
  const other = task_struct(k, task)
  const same_user = other.uid === euid && other.euid === euid
  const same_group = other.gid === egid && other.egid === egid
  const within = (BigInt(other.cap_effective) & ~BigInt(cap_effective)) === 0n
  return same_user && same_group && within && task_dumpable(k, task)
}

/** Whether a magic link may be followed or read (fs/proc/base.c: proc_fd_access_allowed). @returns 0 or -EACCES */
function proc_fd_access_allowed(k: Kernel, id: number): number {
  const task = computed_of(id)
  if (ptrace_may_access(k, task)) return 0
  return k.refuse(-EACCES, () => `task ${k.task} may not look into task ${task}`)
}

/** A task may search its own descriptors, whoever it has become (fs/proc/fd.c: proc_fd_permission). */
const is_own_fd = (k: Kernel, ino: number): boolean =>
  is_computed(ino) && named(ino).kind === 'fd' && computed_of(ino) === k.task

// --- dentries and inodes -----------------------------------------------------------------------------------

const LINK_SIZE = 64
/** fs/proc/root.c: s_blocksize. No other type that is modelled has it. */
export const PROC_BLKSIZE = 1024
const S_IRWXUGO = 0o777

/** fs/proc/fd.c: tid_fd_update_inode. */
const mode_of_descriptor = (f_mode: number): number =>
  ((f_mode & FMODE_READ) !== 0 ? 0o500 : 0) | ((f_mode & FMODE_WRITE) !== 0 ? 0o300 : 0)

function mode_of(id: number): number {
  const it = named(id)
  switch (it.kind) {
    case 'task':
      return S_IFDIR | 0o555
    case 'fd':
      return S_IFDIR | 0o500
    case 'link':
      return S_IFLNK | S_IRWXUGO
    case 'descriptor':
      return S_IFLNK | mode_of_descriptor(it.f_mode)
  }
}

/** The task's user and group; root's where nobody may look into it, but for its directory (fs/proc/base.c: task_dump_owner). */
function task_dump_owner(k: Kernel, id: number): { uid: number; gid: number } {
  const task = computed_of(id)
  if (named(id).kind !== 'task' && !task_dumpable(k, task)) return { uid: 0, gid: 0 }
  const { euid, egid } = task_struct(k, task)
  return { uid: euid, gid: egid }
}

const computed: ComputedNames = {
  dentry: (k, id) => ({
    get d_parent() {
      return named(id).kind === 'task' ? super_block(k, proc_sb(k)).s_root : parent_of(id)
    },
    d_name: name_of(id),
    d_inode: id,
    d_sb: proc_sb(k),
  }),
  inode: (k, id) => ({
    i_sb: proc_sb(k),
    i_mode: mode_of(id),
    get i_uid() {
      return task_dump_owner(k, id).uid
    },
    get i_gid() {
      return task_dump_owner(k, id).gid
    },
    i_nlink: links_of(id),
    i_size: named(id).kind === 'descriptor' ? LINK_SIZE : 0,
    // fs/proc/base.c: proc_pid_instantiate.
    i_flags: named(id).kind === 'task' ? S_IMMUTABLE : 0,
  }),
  path: path_of,
}

/** Of a task's directory, two and those that a kernel with the usual options has in it (fs/proc/base.c: nlink_tgid). */
function links_of(id: number): number {
  const { kind } = named(id)
  return kind === 'task' ? 9 : kind === 'fd' ? 2 : 1
}

/** @throws NotModelled for the root: it counts the processes of the machine (fs/proc/root.c: proc_root_getattr) */
function stat_nlink(k: Kernel, ino: number): number {
  if (is_computed(ino)) return links_of(ino)
  if (ino === dentry(k, super_block(k, proc_sb(k)).s_root).d_inode)
    throw new NotModelled('the number of links of the root of proc')
  return 1
}

/** The inode of a computed name lasts until the name was missing once: who has looked shows in its number. */
const stat_ino = (_: Kernel, ino: number): number => (is_computed(ino) ? 0 : ino)

// --- looking up --------------------------------------------------------------------------------------------

/** A decimal number as the kernel writes it (fs/proc/util.c: name_to_int). @returns it, or -1 */
function name_to_int(name: string): number {
  const number = /^(0|[1-9]\d{0,9})$/.test(name) ? Number(name) : -1
  return number < 2 ** 32 - 1 ? number : -1
}

/** The name of a task, or of what it has. Nothing can be made here: what is missing is an error. */
function proc_lookup(k: Kernel, parent: number, name: string): number {
  if (!is_computed(parent)) return proc_root_lookup(k, parent, name)
  return named(parent).kind === 'fd' ? proc_lookupfd(k, parent, name) : proc_tgid_base_lookup(parent, name)
}

/** fs/proc/root.c: proc_root_lookup; base.c: proc_pid_lookup. */
function proc_root_lookup(k: Kernel, parent: number, name: string): number {
  if (/^\d+$/.test(name)) {
    const task = name_to_int(name)
    return task > 0 && task_struct.has(k, task)
      ? computed_number(task, TASK)
      : k.refuse(-ENOENT, () => `there is no task ${name}`)
  }
  return simple_lookup(k, parent, name) || not_modelled(`/${name}`)
}

/** fs/proc/base.c: proc_tgid_base_lookup. */
function proc_tgid_base_lookup(parent: number, name: string): number {
  if (name === 'fd') return computed_number(computed_of(parent), FD)
  const link = (links as readonly string[]).indexOf(name)
  return link < 0 ? not_modelled(`/<pid>/${name}`) : computed_number(computed_of(parent), FIRST_LINK + link)
}

/** fs/proc/fd.c: proc_lookupfd. */
function proc_lookupfd(k: Kernel, parent: number, name: string): number {
  const task = computed_of(parent)
  const fd = name_to_int(name)
  const opened = task_lookup_fd(k, task, fd)
  if (opened === 0) return k.refuse(-ENOENT, () => `task ${task} has no descriptor ${name}`)
  return descriptor_number(task, fd, file(k, opened).f_mode)
}

/** @throws NotModelled, always: a kernel may have the name */
function not_modelled(name: string): never {
  throw new NotModelled(`${JSON.stringify(name)} of proc`)
}

/** The open file of a task's descriptor, or 0 (fs/file.c: task_lookup_fd_rcu). */
function task_lookup_fd(k: Kernel, task: number, fd: number): number {
  if (fd < 0 || fd >= RLIMIT_NOFILE) return 0
  const row = fd_row(task, fd)
  return fd_slot.has(k, row) ? fd_slot(k, row).file : 0
}

// --- links -------------------------------------------------------------------------------------------------

/** Where a magic link leads now. */
interface Target {
  readonly mnt: number
  readonly dentry: number
}

/** A place, or 0 where the task has none any more (fs/proc/fd.c: proc_fd_link; base.c: proc_exe_link, proc_cwd_link …). */
function target_of(k: Kernel, id: number): Target | 0 {
  const task = computed_of(id)
  const it = named(id)
  if (it.kind === 'link') return place_of(k, task, it.link)
  const opened = it.kind === 'descriptor' ? task_lookup_fd(k, task, it.fd) : 0
  return opened === 0 ? 0 : { mnt: file(k, opened).f_mnt, dentry: file(k, opened).f_dentry }
}

function place_of(k: Kernel, task: number, link: (typeof links)[number]): Target | 0 {
  const { mm, pwd, pwd_mnt, root, root_mnt } = task_struct(k, task)
  if (link === 'exe') return mm === 0 ? 0 : exe_of(k, task)
  if (pwd === 0) return 0
  return link === 'cwd' ? { mnt: pwd_mnt, dentry: pwd } : { mnt: root_mnt, dentry: root }
}

/** @throws NotModelled while the task runs the program that it began with */
function exe_of(k: Kernel, task: number): Target {
  const { exe_file, exe_mnt, exe_dentry } = mm_struct(k, task_struct(k, task).mm)
  if (exe_file === 0) throw new NotModelled(`the exe in proc of task ${task}, which has run no file,`)
  return { mnt: exe_mnt, dentry: exe_dentry }
}

/** Where a link leads, if the running task may know. @returns a place or a negative errno */
function proc_get_link(k: Kernel, id: number): Target | number {
  const denied = proc_fd_access_allowed(k, id)
  if (denied !== 0) return denied
  return target_of(k, id) || k.refuse(-ENOENT, () => `nothing is behind ${path_of(id)} of proc any more`)
}

/** A magic link jumps; `self` is a text of its own for each task that reads it (fs/proc/self.c: proc_self_get_link). */
const get_link = (k: Kernel, link: number): LinkTarget =>
  is_computed(link) ? proc_get_link(k, link) : String(k.task)

/** The path to which a magic link would jump (fs/proc/base.c: proc_pid_readlink). */
function proc_pid_readlink(k: Kernel, link: number): string | number | undefined {
  if (!is_computed(link)) return undefined
  const target = proc_get_link(k, link)
  if (typeof target === 'number') return target
  check_path_is_known(k, target)
  return d_path(k, target.mnt, target.dentry)
}

/** @throws NotModelled for what a kernel calls by numbers and places of its own */
function check_path_is_known(k: Kernel, { mnt, dentry: at }: Target): void {
  const { mnt_parent, mnt_mountpoint } = mount(k, mnt)
  if (mnt_parent === 0 && mnt_mountpoint !== 0)
    throw new NotModelled('the path in proc of a descriptor that a task begins with')
  const { d_name, d_unhashed } = dentry(k, at)
  if (d_unhashed === 1 && d_name === '') throw new NotModelled('the path in proc of a file without a name')
}

// --- attributes --------------------------------------------------------------------------------------------

/**
 * What a task shows has the task's owner, and a mode that nobody changes (fs/proc/base.c: proc_setattr).
 *
 * @throws NotModelled for an owner: it lasts until the name is looked up again
 */
const proc_setattr = fn('proc_setattr', { source: 'fs/proc/base.c', locals: setattr_locals }, [
  stage('proc_setattr', (k, f) => {
    if (!is_computed(f.inode)) return simple_setattr(k, f) || done(f)
    if ((f.valid & ATTR_MODE) !== 0) return k.refuse(-EPERM, 'proc sets its modes itself')
    const refused = setattr_prepare(k, f)
    if (refused !== 0) return refused
    if ((f.valid & (ATTR_UID | ATTR_GID)) !== 0)
      throw new NotModelled(`an owner for ${path_of(f.inode)} of proc`)
  }),
])

/** The root, and in it the one name that does not depend on tasks (fs/proc/root.c: proc_fill_super). */
function proc_fill_super(k: Kernel, sb: number): number {
  return populate(k, sb, {
    type: 'dir',
    mode: 0o555,
    entries: { self: { type: 'symlink', target: '' } },
  })
}

export const proc = {
  name: 'proc',
  fill_super: proc_fill_super,
  lookup: proc_lookup,
  computed,
  is_exempt: is_own_fd,
  get_link,
  readlink: proc_pid_readlink,
  setattr: proc_setattr,
  stat_ino,
  stat_nlink,
  st_blksize: PROC_BLKSIZE,
} as const satisfies FileSystemOperations

/**
 * rename (fs/namei.c: do_renameat2, vfs_rename).
 *
 *     rename('/m/a/old', '/m/b/new')
 *       path_parentat      '/m/a', then '/m/b'
 *       lock_rename        s_vfs_rename_mutex of the file system, if the directories differ: then no directory
 *                          changes its place in the tree
 *       lock_directory     the ancestor first
 *       do_renameat2       lock the other: names; path_rename; may_delete, may_create; inode_rename
 *       lock_children      a directory that changes its parent, what is replaced, and files
 *       rename             the file system moves the name; everything is unlocked
 *
 * Two names of one inode are the same file: nothing is done, and both names stay.
 */
import { EBUSY, EEXIST, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from '../../kernel/errno.js'
import { attempt, call, done, fn, hold, jump, local, stage, take } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, BLOCKED, type Frame, type Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall } from '../../kernel/syscall.js'
import { dentry, ihold, iput } from '../dentry.js'
import { is_dir } from '../inode.js'
import { inode_lock, inode_rwsem } from '../lock.js'
import { dirfd, gives_zero, path } from '../parameters.js'
import { ops_of, super_block } from '../super_block.js'
import { check_mountpoint, d_inode, may_create, may_delete, release_all } from './directory.js'
import { AT_FDCWD, last_component, lookup_slow, mnt_want_write, path_parentat } from './namei.js'
import { inode_permission, MAY_WRITE } from './permission.js'
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from './rename_flags.js'

/** The file system's lock that keeps its directories in their places. */
export const rename_mutex = hold('mutex_unlock(s_vfs_rename_mutex)', (k, sb) => {
  super_block(k, sb).s_vfs_rename_mutex = 0
})

/** An inode that must not go while its lock is held, though it may lose its last name. */
const inode_reference = hold('iput', iput)

const renamedata = {
  olddfd: int(AT_FDCWD),
  from: str(),
  newdfd: int(AT_FDCWD),
  to: str(),
  flags: int(),
  mnt: ref('mount'),
  new_mnt: ref('mount'),
  old_parent: ref('dentry'),
  new_parent: ref('dentry'),
  old_dentry: ref('dentry'),
  /** What the new name stands for already, or 0. */
  new_dentry: ref('dentry'),
  /** Inodes of the two that are still to be locked, in this order; 0 where there is none. */
  first: ref('inode'),
  second: ref('inode'),
}
type Rename = Frame<ValuesOf<typeof renamedata>>

/**
 * Gives a file or directory another name.
 *
 * Errors, in order: EINVAL (flags); those of both walks; EXDEV (another mount, even of the same file system);
 * EBUSY (the old name is `.`, `..` or `/`; the new one, with RENAME_NOREPLACE EEXIST); EROFS (mount); ENOENT,
 * ENAMETOOLONG; EEXIST (RENAME_NOREPLACE); ENOENT (RENAME_EXCHANGE without target); ENOTDIR (slash behind what
 * is no directory); EINVAL (into itself); ENOTEMPTY (over its ancestor; RENAME_EXCHANGE: EINVAL); path_rename;
 * those of may_delete of the source, then of may_create or may_delete of the target; EROFS, EACCES (a
 * directory that changes its parent must be writable); inode_rename; EBUSY (something is mounted on either);
 * ENOTEMPTY.
 */
export const do_renameat2 = fn('do_renameat2', { source: 'fs/namei.c', locals: renamedata }, [
  local('flags', (_, f) => check_flags(f.flags)),
  call(
    path_parentat,
    (_, f) => ({ dfd: f.olddfd, name: f.from }),
    (_, f, [mnt, parent]: readonly number[]) => {
      f.mnt = mnt!
      f.old_parent = parent!
    },
    'filename_parentat(old)',
  ),
  call(
    path_parentat,
    (_, f) => ({ dfd: f.newdfd, name: f.to }),
    (k, f, [mnt, parent]: readonly number[]) => {
      f.new_mnt = mnt!
      f.new_parent = parent!
      return check_last_components(k, f)
    },
    'filename_parentat(new)',
  ),
  local('same directory', (_, f) => (f.old_parent === f.new_parent ? jump(f, 'do_renameat2') : undefined)),
  stage('lock_rename', lock_rename),
  stage('lock_directory', (k, f) => inode_lock(k, f, d_inode(k, directories_in_order(k, f)[0]).id)),
  stage('do_renameat2', lookup_and_check),
  stage('lock_children', lock_children),
  attempt(
    (k, f) => ops_of(k, dentry(k, f.old_dentry).d_sb).rename ?? null,
    (_, f) => ({
      old_dentry: f.old_dentry,
      parent: f.new_parent,
      name: last_component(f.to).name,
      new_dentry: f.new_dentry,
      flags: f.flags,
    }),
    (k, f, ret: number) => {
      unlock_all(k, f)
      return ret < 0 ? ret : done(f)
    },
    'rename',
  ),
  local('i_op', () => -EPERM),
])

function check_flags(flags: number): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL
  const both = (flags & RENAME_EXCHANGE) !== 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0
  return both ? -EINVAL : 0
}

function check_last_components(k: Kernel, f: Rename): number {
  if (f.mnt !== f.new_mnt) return k.refuse(-EXDEV, 'the two names are on different mounts')
  if (last_component(f.from).type !== 'norm') return k.refuse(-EBUSY, 'the old name is . or .. or /')
  if (last_component(f.to).type === 'norm') return 0
  const errno = (f.flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY
  return k.refuse(errno, 'the new name is . or .. or /')
}

/** Two directories are locked only while nothing else moves directories (fs/namei.c: lock_rename). */
function lock_rename(k: Kernel, f: Rename): Outcome {
  const read_only = mnt_want_write(k, f.mnt)
  if (read_only !== 0) return read_only
  const sb = super_block(k, dentry(k, f.old_parent).d_sb)
  if (sb.s_vfs_rename_mutex !== 0) return BLOCKED
  sb.s_vfs_rename_mutex = k.task
  take(f, rename_mutex, sb.id)
}

/** The child of `ancestor` on the way to `d`: itself if `d` is one, 0 if `d` is not below it. */
function child_towards(k: Kernel, ancestor: number, d: number): number {
  for (;;) {
    const { d_parent } = dentry(k, d)
    if (d_parent === d) return 0
    if (d_parent === ancestor) return d
    d = d_parent
  }
}

/** In which order the two directories are locked: an ancestor first, else the new one (fs/namei.c: lock_two_directories). */
function directories_in_order(k: Kernel, f: Rename): readonly [number, number] {
  const old_is_ancestor = child_towards(k, f.old_parent, f.new_parent) !== 0
  return old_is_ancestor ? [f.old_parent, f.new_parent] : [f.new_parent, f.old_parent]
}

/** The second directory (or the only one) is locked; both names are looked up and judged. */
function lookup_and_check(k: Kernel, f: Rename): Outcome {
  const same = f.old_parent === f.new_parent
  const read_only = same ? mnt_want_write(k, f.mnt) : 0
  if (read_only !== 0) return read_only
  const last = same ? f.old_parent : directories_in_order(k, f)[1]
  if (inode_lock(k, f, d_inode(k, last).id) === BLOCKED) return BLOCKED
  const refused = judge(k, f)
  if (refused !== 0) {
    unlock_all(k, f)
    return refused
  }
  if (is_same_file(k, f)) {
    unlock_all(k, f)
    return done(f)
  }
  children_to_lock(k, f)
  if (f.first === 0) return nothing_mounted(k, f) || jump(f, 'rename')
}

/** Two names of one inode. */
function is_same_file(k: Kernel, f: Rename): boolean {
  return f.new_dentry !== 0 && d_inode(k, f.old_dentry).id === d_inode(k, f.new_dentry).id
}

function judge(k: Kernel, f: Rename): number {
  const refused = lookup_names(k, f) || check_tree(k, f) || ask_path_rename(k, f)
  return refused || (is_same_file(k, f) ? 0 : may_rename(k, f) || ask_inode_rename(k, f))
}

/** Everything goes back in one stage: nobody could tell it from one after the other. */
function unlock_all(k: Kernel, f: Rename): void {
  release_all(k, f, inode_rwsem)
  release_all(k, f, inode_reference)
  release_all(k, f, rename_mutex)
}

function lookup_names(k: Kernel, f: Rename): number {
  const from = last_component(f.from)
  const to = last_component(f.to)
  const found = lookup_slow(k, f.old_parent, from.name)
  if (found < 0) return found
  if (found === 0) return k.refuse(-ENOENT, () => `no ${from.name} there`)
  const target = lookup_slow(k, f.new_parent, to.name)
  if (target < 0) return target
  f.old_dentry = found
  f.new_dentry = target
  const exchange = (f.flags & RENAME_EXCHANGE) !== 0
  if ((f.flags & RENAME_NOREPLACE) !== 0 && target !== 0) return k.refuse(-EEXIST, () => `${to.name} exists`)
  if (exchange) {
    if (target === 0) return k.refuse(-ENOENT, () => `no ${to.name} there`)
    if (to.trailing_slash && !is_dir(d_inode(k, target).i_mode)) return -ENOTDIR
  }
  if (is_dir(d_inode(k, found).i_mode)) return 0
  const slash = from.trailing_slash || (!exchange && to.trailing_slash)
  return slash ? k.refuse(-ENOTDIR, 'a trailing slash asks for a directory') : 0
}

/** A directory cannot be moved into itself, nor take the place of one that it is in. */
function check_tree(k: Kernel, f: Rename): number {
  if (f.old_parent === f.new_parent) return 0
  if (f.old_dentry === child_towards(k, f.old_parent, f.new_parent)) {
    return k.refuse(-EINVAL, 'a directory cannot be moved into itself')
  }
  if (f.new_dentry === 0 || f.new_dentry !== child_towards(k, f.new_parent, f.old_parent)) return 0
  const errno = (f.flags & RENAME_EXCHANGE) !== 0 ? -EINVAL : -ENOTEMPTY
  return k.refuse(errno, 'the new name stands for a directory that the old one is in')
}

function ask_path_rename(k: Kernel, f: Rename): number {
  const { name } = last_component(f.to)
  const { old_dentry, new_dentry, flags } = f
  const old_dir = { mnt: f.mnt, dentry: f.old_parent }
  const new_dir = { mnt: f.new_mnt, dentry: f.new_parent }
  return security(k, 'path_rename', { old_dir, old_dentry, new_dir, name, new_dentry, flags })
}

/** With RENAME_EXCHANGE the hook is asked twice, for the way back first (security/security.c: security_inode_rename). */
function ask_inode_rename(k: Kernel, f: Rename): number {
  const { old_dentry, new_dentry, old_parent, new_parent } = f
  const there = { old_dentry, parent: new_parent, name: last_component(f.to).name, new_dentry }
  const back = {
    old_dentry: new_dentry,
    parent: old_parent,
    name: last_component(f.from).name,
    new_dentry: old_dentry,
  }
  const refused = (f.flags & RENAME_EXCHANGE) !== 0 ? security(k, 'inode_rename', back) : 0
  return refused || security(k, 'inode_rename', there)
}

/** fs/namei.c: vfs_rename, up to the module's word. */
function may_rename(k: Kernel, f: Rename): number {
  const source = d_inode(k, f.old_dentry)
  const moves_dir = is_dir(source.i_mode)
  const exchange = (f.flags & RENAME_EXCHANGE) !== 0
  const refused = may_delete(k, f.old_parent, f.old_dentry, moves_dir)
  if (refused !== 0) return refused
  if (f.new_dentry === 0) {
    const denied = may_create(k, f.new_parent)
    if (denied !== 0) return denied
  } else {
    const target_is_dir = is_dir(d_inode(k, f.new_dentry).i_mode)
    const denied = may_delete(k, f.new_parent, f.new_dentry, exchange ? target_is_dir : moves_dir)
    if (denied !== 0) return denied
  }
  if (f.old_parent === f.new_parent) return 0
  // Its `..` changes, so a directory that gets another parent must be writable.
  const denied = moves_dir ? inode_permission(k, source.id, MAY_WRITE) : 0
  if (denied !== 0 || !exchange) return denied
  const target = d_inode(k, f.new_dentry)
  return is_dir(target.i_mode) ? inode_permission(k, target.id, MAY_WRITE) : 0
}

/**
 * Which of the two are locked, and in which order: a directory that gets another parent or is replaced, and
 * every file; directories before files, two files by their numbers (fs/namei.c: vfs_rename).
 */
function children_to_lock(k: Kernel, f: Rename): void {
  const crosses = f.old_parent !== f.new_parent
  const exchange = (f.flags & RENAME_EXCHANGE) !== 0
  const source = d_inode(k, f.old_dentry)
  const target = f.new_dentry === 0 ? undefined : d_inode(k, f.new_dentry)
  const moves_dir = is_dir(source.i_mode)
  const lock_source = !moves_dir || crosses
  const lock_target = target !== undefined && (!is_dir(target.i_mode) || crosses || !exchange)
  const locks = [lock_source ? source.id : 0, lock_target ? target.id : 0].filter((ino) => ino !== 0)
  if (locks.length === 2 && !moves_dir) {
    const file_before_file = !is_dir(target!.i_mode) && source.id < target!.id
    if (!file_before_file) locks.reverse()
  }
  f.first = locks[0] ?? 0
  f.second = locks[1] ?? 0
}

/** Locks them one after the other; then nothing may be mounted on either. */
function lock_children(k: Kernel, f: Rename): Outcome {
  if (f.first !== 0) {
    if (inode_lock(k, f, f.first) === BLOCKED) return BLOCKED
    ihold(k, f.first)
    take(f, inode_reference, f.first)
    f.first = f.second
    f.second = 0
    if (f.first !== 0) return AGAIN
  }
  return nothing_mounted(k, f)
}

function nothing_mounted(k: Kernel, f: Rename): number {
  const busy =
    check_mountpoint(k, f.old_dentry) || (f.new_dentry === 0 ? 0 : check_mountpoint(k, f.new_dentry))
  if (busy !== 0) unlock_all(k, f)
  return busy
}

const oldpath = path('oldpath')
const newpath = path('newpath')
const olddirfd = dirfd('olddirfd', "where a relative `oldpath` begins: an open directory, or `'AT_FDCWD'`")
const newdirfd = dirfd('newdirfd', 'where a relative `newpath` begins')
const renames = { fn: do_renameat2, ...gives_zero, changes: 'names' } as const

define_syscall({
  name: 'rename',
  says: 'Gives a file another name, atomically; what had that name has lost it.',
  prototype: [oldpath, newpath],
  as: ['renameat2', 'AT_FDCWD', 'oldpath', 'AT_FDCWD', 'newpath', '0'],
  locals: (from, to) => ({ from, to }),
  ...renames,
})
define_syscall({
  name: 'renameat',
  says: 'As `rename`, each path from a directory.',
  prototype: [olddirfd, oldpath, newdirfd, newpath],
  as: ['renameat2', 'olddirfd', 'oldpath', 'newdirfd', 'newpath', '0'],
  locals: (olddfd, from, newdfd, to) => ({ olddfd, from, newdfd, to }),
  ...renames,
})
define_syscall({
  name: 'renameat2',
  says: 'As `renameat`, with flags.',
  prototype: [
    olddirfd,
    oldpath,
    newdirfd,
    newpath,
    {
      name: 'flags',
      kind: 'flags',
      says: "`'RENAME_NOREPLACE'`, `'RENAME_EXCHANGE'`, `'RENAME_WHITEOUT'`",
      constants: { RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT },
      constant: 'RenameFlag',
      missing: 0,
    },
  ],
  locals: (olddfd, from, newdfd, to, flags) => ({ olddfd, from, newdfd, to, flags }),
  ...renames,
})

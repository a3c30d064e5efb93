/**
 * Rights and places in a directory, for everything that makes or removes names (fs/namei.c).
 *
 * The order of locks: a directory before what is in it, directories before files, an ancestor before its
 * descendants (`rename.ts`). What is decided about a name is decided while its directory is locked.
 */
import { EACCES, EBUSY, EISDIR, ENOTDIR, EPERM } from '../../kernel/errno.js'
import { type Hold, release } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { BLOCKED, type Frame, type Outcome } from '../../kernel/kernel.js'
import { dentry } from '../dentry.js'
import { inode, is_dir, S_APPEND, S_IMMUTABLE, S_ISGID, S_ISVTX } from '../inode.js'
import { inode_lock, inode_rwsem } from '../lock.js'
import { mount } from '../mount.js'
import { CAP_FOWNER, CAP_FSETID, capable, current } from '../tasks/task.js'
import { in_group, inode_permission, MAY_EXEC, MAY_WRITE } from './permission.js'

/** The inode that a dentry stands for. */
export const d_inode = (k: Kernel, d: number) => inode(k, dentry(k, d).d_inode)

/**
 * Takes the lock of an inode and does what must be done first under it, in the same stage. Where that fails
 * the lock is given back at once: nobody could tell it from giving it back a moment later.
 */
export function under_inode_lock(k: Kernel, f: Frame<any>, ino: number, body: () => number): Outcome {
  if (inode_lock(k, f, ino) === BLOCKED) return BLOCKED
  const failed = body()
  if (failed === 0) return
  release_all(k, f, inode_rwsem)
  return failed
}

/** Gives back every one that the frame holds of this kind, as part of the running stage. */
export function release_all(k: Kernel, f: Frame<any>, kind: Hold): void {
  while (f.holds.some((held: number, i: number) => i % 2 === 0 && held === kind.index)) release(k, f, kind)
}

/** Whether the task may add a name to the directory. @returns 0 or the errno of inode_permission */
export function may_create(k: Kernel, parent: number): number {
  return inode_permission(k, dentry(k, parent).d_inode, MAY_WRITE | MAY_EXEC)
}

/** In a sticky directory a name belongs to its file's owner, and to the directory's (fs/namei.c: __check_sticky). */
function is_sticky_for_task(k: Kernel, parent: number, victim: number): boolean {
  const dir = d_inode(k, parent)
  if ((dir.i_mode & S_ISVTX) === 0) return false
  const { euid } = current(k)
  return euid !== d_inode(k, victim).i_uid && euid !== dir.i_uid && !capable(k, CAP_FOWNER)
}

/**
 * Whether the task may take a name away (fs/namei.c: may_delete).
 *
 * @param isdir whether a directory is expected
 * @returns 0, or the first of: those of inode_permission on the directory; -EPERM (append-only directory,
 *   sticky directory, append-only or immutable victim); -ENOTDIR, -EBUSY (root) or -EISDIR by type
 */
export function may_delete(k: Kernel, parent: number, victim: number, isdir: boolean): number {
  const denied = inode_permission(k, dentry(k, parent).d_inode, MAY_WRITE | MAY_EXEC)
  if (denied !== 0) return denied
  if ((d_inode(k, parent).i_flags & S_APPEND) !== 0) return k.refuse(-EPERM, 'the directory is append-only')
  if (is_sticky_for_task(k, parent, victim)) {
    return k.refuse(-EPERM, 'the directory is sticky, and neither it nor the file belongs to the task')
  }
  const node = d_inode(k, victim)
  if ((node.i_flags & (S_APPEND | S_IMMUTABLE)) !== 0)
    return k.refuse(-EPERM, 'the inode is append-only or immutable')
  if (isdir && !is_dir(node.i_mode)) return k.refuse(-ENOTDIR, 'not a directory')
  if (!isdir && is_dir(node.i_mode)) return k.refuse(-EISDIR, 'a directory')
  return 0
}

/** Whether something is mounted on a dentry: then it stays (fs/namespace.c: is_local_mountpoint). @returns 0 or -EBUSY */
export function check_mountpoint(k: Kernel, d: number): number {
  const busy = mount.rows(k).some((m) => m.mnt_mountpoint === d)
  return busy ? k.refuse(-EBUSY, 'a file system is mounted on it') : 0
}

/**
 * Permission bits of a new inode (fs/namei.c: vfs_prepare_mode): in a set-group-id directory an executable
 * gets its set-group-id bit only from a member of the group or with CAP_FSETID, then the umask is applied.
 */
export function vfs_prepare_mode(k: Kernel, parent: number, mode: number): number {
  const dir = d_inode(k, parent)
  const executable_by_group = (mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010)
  if (executable_by_group && (dir.i_mode & S_ISGID) !== 0) {
    if (!in_group(k, dir.i_gid) && !capable(k, CAP_FSETID)) mode &= ~S_ISGID
  }
  return mode & ~current(k).umask
}

/** What a file system type that has no such operation answers (EACCES where a plain file is created). */
export const no_operation = (creates_file: boolean): number => (creates_file ? -EACCES : -EPERM)

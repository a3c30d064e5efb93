/**
 * The locks of the model, and the one order in which a task takes them. What all tasks keep to cannot end in a circle
 * of tasks that wait for each other; the kernel's lockdep watches over the same.
 *
 *     f_pos_lock                  of the open file
 *     for each file system, an overlay before those that its layers lie on (s_stack_depth)
 *       s_vfs_rename_mutex        names go from one directory to another
 *       i_rwsem of directories    an ancestor before its descendants (I_MUTEX_PARENT, I_MUTEX_CHILD); two that are
 *                                 neither's ancestor only under s_vfs_rename_mutex (I_MUTEX_PARENT2)
 *       i_rwsem of other inodes   the lower number first (I_MUTEX_NORMAL, I_MUTEX_NONDIR2)
 *       ovl_inode_lock            the overlay inode's own: one at a time
 *
 * Source: Documentation/filesystems/directory-locking.rst; fs/overlayfs/util.c: ovl_inode_lock.
 */
import type { Hold } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { ovl_inode_mutex } from '../overlay/copy_up.js'
import { ovl_fs, ovl_inode } from '../overlay/ovl_entry.js'
import { dentry } from '../vfs/dentry.js'
import { file } from '../vfs/file.js'
import { f_pos_lock } from '../vfs/files/read_write.js'
import { inode, is_dir } from '../vfs/inode.js'
import { inode_rwsem } from '../vfs/lock.js'
import { mount } from '../vfs/mount.js'
import { rename_mutex } from '../vfs/namei/rename.js'
import { super_block } from '../vfs/super_block.js'

/** A lock that a frame holds: the name of its kind, and what it is the lock of. */
export interface HeldLock {
  readonly kind: string
  readonly object: number
}

interface Lock {
  readonly hold: Hold
  /** As it is spoken of, and the table whose rows have it. */
  readonly name: string
  readonly of: string
  /** All that there are, with the task that holds each, or 0. */
  owners(k: Kernel): { readonly id: number; readonly owner: number }[]
  /** The file system that it belongs to; 0 for what is taken before all of them. */
  sb(k: Kernel, object: number): number
}

/** Every lock, in the order in which those of one file system are taken. */
export const locks: readonly Lock[] = [
  {
    hold: f_pos_lock,
    name: 'f_pos_lock',
    of: 'file',
    owners: (k) => file.rows(k).map(({ id, f_pos_lock: owner }) => ({ id, owner })),
    sb: () => 0,
  },
  {
    hold: rename_mutex,
    name: 's_vfs_rename_mutex',
    of: 'super_block',
    owners: (k) => super_block.rows(k).map(({ id, s_vfs_rename_mutex: owner }) => ({ id, owner })),
    sb: (_, sb) => sb,
  },
  {
    hold: inode_rwsem,
    name: 'i_rwsem',
    of: 'inode',
    owners: (k) => inode.rows(k).map(({ id, i_rwsem: owner }) => ({ id, owner })),
    sb: (k, ino) => inode(k, ino).i_sb,
  },
  {
    hold: ovl_inode_mutex,
    name: 'ovl_lock',
    of: 'ovl_inode',
    owners: (k) => ovl_inode.rows(k).map(({ id, ovl_lock: owner }) => ({ id, owner })),
    sb: (k, ino) => inode(k, ino).i_sb,
  },
]

const place_of = (kind: string): number => locks.findIndex(({ hold }) => hold.name === kind)

/**
 * How many file systems lie below this one (fs/overlayfs/super.c: s_stack_depth): under an upper layer there is none.
 * What no file system has is above all.
 */
function stack_depth(k: Kernel, sb: number): number {
  if (sb === 0) return Number.POSITIVE_INFINITY
  if (!ovl_fs.has(k, sb)) return 0
  return 1 + Math.max(...ovl_fs(k, sb).lower_mnts.map((mnt) => stack_depth(k, mount(k, mnt).mnt_sb)))
}

/** Whether one directory is above another. */
function is_ancestor(k: Kernel, above: number, ino: number): boolean {
  let at = dentry.rows(k).find(({ d_inode }) => d_inode === ino)
  while (at !== undefined && at.d_parent !== at.id) {
    at = dentry(k, at.d_parent)
    if (at.d_inode === above) return true
  }
  return false
}

/** Whether `second` may be taken while `first` is held. */
function in_order(k: Kernel, first: HeldLock, second: HeldLock, held: readonly HeldLock[]): boolean {
  const [a, b] = [place_of(first.kind), place_of(second.kind)]
  const [sb, other_sb] = [locks[a]!.sb(k, first.object), locks[b]!.sb(k, second.object)]
  const [depth, other_depth] = [stack_depth(k, sb), stack_depth(k, other_sb)]
  if (depth !== other_depth) return depth > other_depth
  if (a !== b) return a < b
  return first.kind === inode_rwsem.name && inodes_in_order(k, first.object, second.object, held)
}

function inodes_in_order(k: Kernel, first: number, second: number, held: readonly HeldLock[]): boolean {
  const [a, b] = [inode(k, first), inode(k, second)]
  if (!is_dir(a.i_mode)) return !is_dir(b.i_mode) && first < second
  if (!is_dir(b.i_mode) || is_ancestor(k, first, second)) return true
  const still = held.some(({ kind, object }) => kind === rename_mutex.name && object === a.i_sb)
  return still && !is_ancestor(k, second, first)
}

/**
 * What of the locks of one task is out of order, or null.
 *
 * @param held what its frames hold, the outermost frame first, in each the first taken first
 */
export function broken_lock_order(k: Kernel, held: readonly HeldLock[]): string | null {
  const taken = held.filter(({ kind }) => place_of(kind) >= 0)
  for (const [i, second] of taken.entries()) {
    const wrong = taken.slice(0, i).find((first) => !in_order(k, first, second, taken))
    if (wrong !== undefined) return `${named(second)} was taken while ${named(wrong)} was held`
  }
  return null
}

function named({ kind, object }: HeldLock): string {
  const { name, of } = locks[place_of(kind)]!
  return `${name} of ${of} ${object}`
}

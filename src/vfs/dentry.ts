/** A name in a directory (struct dentry). */
import { computing_type } from '../kernel/fs.js'
import type { Kernel } from '../kernel/kernel.js'
import { int, is_computed, ref, str, table } from '../kernel/schema.js'
import { inode, inode_ops, page } from './inode.js'

export const dentry = table(
  'dentry',
  {
    /** The root of a file system is its own parent. */
    name: {
      d_parent: ref('dentry'),
      /** Empty of a file without a name (`name_of`). */
      d_name: str(),
      /** 1 of what no lookup finds: it was taken away, or never was in its directory (fs/dcache.c: d_unhashed). */
      d_unhashed: int(),
    },
    identity: { d_inode: ref('inode'), d_sb: ref('super_block') },
    /** Open files and working directories that stand on it. */
    count: { d_count: int() },
  },
  {
    unique: ['d_parent', 'd_name'],
    unkeyed: 'd_unhashed',
    constant: ['identity'],
    computed: (k, id) => computing_type().computed.dentry(k as Kernel, id),
  },
)

/** The last component of a path to a dentry; of a file without a name its inode's number (fs/dcache.c: d_mark_tmpfile). */
export function name_of(k: Kernel, id: number): string {
  const { d_name, d_inode, d_unhashed } = dentry(k, id)
  return d_unhashed === 1 && d_name === '' ? `#${d_inode}` : d_name
}

/** Names of a directory, in order of their dentries' numbers. */
export function children(k: Kernel, parent: number) {
  return dentry.where(k, parent).filter((child) => child.id !== parent)
}

/**
 * Makes `name` in `parent` stand for an inode (fs/dcache.c: d_add).
 *
 * @param d_unhashed 1 where no lookup is to find it
 * @returns the new dentry's number
 */
export function d_add(k: Kernel, parent: number, name: string, ino: number, d_unhashed: 0 | 1 = 0): number {
  const { d_sb } = dentry(k, parent)
  const made = dentry.create(k, { d_parent: parent, d_name: name, d_inode: ino, d_sb, d_unhashed })
  inode(k, ino).i_count += 1
  return made.id
}

/**
 * Takes a name out of its directory (fs/dcache.c: d_delete). It keeps its parent: so `..` and the path of an open
 * file still work.
 *
 * The row stays, and with it the inode: a task in the middle of a path walk may stand on it, which the
 * kernel counts and we do not (every walk would write a count). Nobody can find it any more, and its number
 * is not given to another dentry, which such a task would then take for this one.
 */
export function d_drop(k: Kernel, id: number): void {
  dentry(k, id).d_unhashed = 1
}

/** Nobody counts who stands on a computed name: it does not go. */
export function dget(k: Kernel, id: number): void {
  if (!is_computed(id)) dentry.add(k, id, 'd_count', 1)
}

export function dput(k: Kernel, id: number): void {
  if (!is_computed(id)) dentry.add(k, id, 'd_count', -1)
}

/** Adds a reference to an inode. */
export function ihold(k: Kernel, ino: number): void {
  if (!is_computed(ino)) inode(k, ino).i_count += 1
}

/** Drops a reference; an inode with neither references nor links goes, with its pages (fs/inode.c: iput). */
export function iput(k: Kernel, ino: number): void {
  if (is_computed(ino)) return
  const node = inode(k, ino)
  node.i_count -= 1
  if (node.i_count > 0 || node.i_nlink > 0) return
  inode_ops(k, ino).evict_inode?.(k, ino)
  for (const { id } of page.where(k, ino)) page.remove(k, id)
  inode.remove(k, ino)
}

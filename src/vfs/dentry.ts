/** A name in a directory (struct dentry). */
import type { Kernel } from '../kernel/machine.js'
import { ref, str, table } from '../kernel/schema.js'

export const dentry = table(
  'dentry',
  {
    /** The root of a file system is its own parent. An unlinked name has parent 0 and a name of its own. */
    name: { d_parent: ref('dentry'), d_name: str() },
    inode: { d_inode: ref('inode') },
    sb: { d_sb: ref('super_block') },
  },
  { unique: ['d_parent', 'd_name'] },
)

/** Names of a directory, in order of their dentries' numbers. */
export function children(k: Kernel, parent: number) {
  return dentry.where(k, parent).filter((child) => child.id !== parent)
}

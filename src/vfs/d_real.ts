/** The inode that a dentry really stands for (include/linux/fs.h: d_real_inode). */
import type { DRealType } from '../kernel/fs.js'
import type { Kernel } from '../kernel/kernel.js'
import { dentry } from './dentry.js'
import { ops_of } from './super_block.js'

/**
 * @param dent number of a positive dentry
 * @param type `data`: the inode that holds the bytes; `metadata`: the one that holds mode and owner
 * @returns the dentry's own inode unless its file system is stacked on others; then theirs, as of now
 */
export function d_real_inode(k: Kernel, dent: number, type: DRealType = 'data'): number {
  const { d_inode, d_sb } = dentry(k, dent)
  return ops_of(k, d_sb).d_real?.(k, dent, type) ?? d_inode
}

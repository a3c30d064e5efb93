/** Short forms of trees for tests. */
import type { TreeNode } from '../../src/vfs/filesystems/populate.js'

type More = Omit<Partial<TreeNode>, 'type' | 'entries'>

export const dir = (entries: Record<string, TreeNode> = {}, more: More = {}): TreeNode => ({
  type: 'dir',
  entries,
  ...more,
})
export const file = (more: More = {}): TreeNode => ({ type: 'file', ...more })
export const symlink = (target: string, more: More = {}): TreeNode => ({ type: 'symlink', target, ...more })
export const hardlink = (target: string): TreeNode => ({ type: 'hardlink', target })
export const fifo = (more: More = {}): TreeNode => ({ type: 'fifo', ...more })

/** 256 characters: one more than a name may have. */
export const LONG = 'a'.repeat(256)
export const AT_FDCWD = -100

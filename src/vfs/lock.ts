/** The inode's i_rwsem, held exclusively (include/linux/fs.h: inode_lock). */

import { hold, take } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { BLOCKED, type Frame, type Outcome } from '../kernel/kernel.js'
import { inode } from './inode.js'

export const inode_rwsem = hold('inode_unlock', (k, ino) => {
  inode(k, ino).i_rwsem = 0
})

/** Takes the lock, or sleeps until it is free. The frame gives it back. */
export function inode_lock(k: Kernel, f: Frame<any>, ino: number): Outcome {
  const node = inode(k, ino)
  if (node.i_rwsem !== 0) return BLOCKED
  node.i_rwsem = k.task
  take(f, inode_rwsem, ino)
}

/** The inode's i_rwsem, held exclusively (include/linux/fs.h: inode_lock). */

import { hold, take } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { BLOCKED, type Frame, type Outcome } from '../kernel/kernel.js'
import { is_computed } from '../kernel/schema.js'
import { inode } from './inode.js'

export const inode_rwsem = hold('inode_unlock', (k, ino) => {
  if (!is_computed(ino)) inode(k, ino).i_rwsem = 0
})

/**
 * Takes the lock, or sleeps until it is free. The frame gives it back. That of a computed inode keeps nobody out:
 * whatever needs it is refused under it, so nobody could tell.
 */
export function inode_lock(k: Kernel, f: Frame<any>, ino: number): Outcome {
  if (!is_computed(ino)) {
    const node = inode(k, ino)
    if (node.i_rwsem !== 0) return BLOCKED
    node.i_rwsem = k.task
  }
  take(f, inode_rwsem, ino)
}

/**
 * Write access and its denial (include/linux/fs.h: get_write_access, deny_write_access): one counter per
 * inode, above zero for writers, below zero for those who deny writing.
 */
import { ETXTBSY } from '../../kernel/errno.js'
import { hold, take } from '../../kernel/fn.js'
import type { Frame, Kernel } from '../../kernel/kernel.js'
import { ABOVE, BELOW } from '../../kernel/schema.js'
import { inode } from '../inode.js'

/** A writer's count, given back by put_write_access. */
export const write_access = hold('put_write_access', (k, ino) => {
  inode.add_on_side(k, ino, 'i_writecount', -1, ABOVE)
})

/** A denier's count, given back by allow_write_access. */
export const write_denial = hold('allow_write_access', (k, ino) => {
  inode.add_on_side(k, ino, 'i_writecount', 1, BELOW)
})

const count = (k: Kernel, ino: number): string => `i_writecount ${inode(k, ino).i_writecount}`

/**
 * Counts one more writer, which the frame gives back unless it hands it over.
 *
 * @returns 0, or -ETXTBSY while anybody denies writing
 */
export function get_write_access(k: Kernel, f: Frame<any>, ino: number): number {
  if (!inode.add_on_side(k, ino, 'i_writecount', 1, ABOVE))
    return k.refuse(-ETXTBSY, () => `inode ${ino} is denied to writers (${count(k, ino)})`)
  take(f, write_access, ino)
  return 0
}

/**
 * Counts one more denier, which the frame gives back unless it hands it over.
 *
 * @returns 0, or -ETXTBSY while anybody has the file open for writing
 */
export function deny_write_access(k: Kernel, f: Frame<any>, ino: number): number {
  if (!inode.add_on_side(k, ino, 'i_writecount', -1, BELOW))
    return k.refuse(-ETXTBSY, () => `inode ${ino} is open for writing (${count(k, ino)})`)
  take(f, write_denial, ino)
  return 0
}

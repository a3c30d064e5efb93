/** The superblock that an open file is seen through. */
import type { Kernel } from '../../kernel/kernel.js'
import { file } from '../file.js'
import { inode } from '../inode.js'
import { mount } from '../mount.js'
import { SB_KERNMOUNT, super_block } from '../super_block.js'

/**
 * The superblock of the mount that a file was opened through (security/ipe/eval.c: FILE_SUPERBLOCK). Memory of the
 * kernel's own is in a mount of its own (mm/shmem.c: shm_mnt), which has no row.
 */
export function file_superblock(k: Kernel, id: number): number {
  const { f_mnt, f_inode } = file(k, id)
  const { i_sb } = inode(k, f_inode)
  return (super_block(k, i_sb).s_flags & SB_KERNMOUNT) !== 0 ? i_sb : mount(k, f_mnt).mnt_sb
}

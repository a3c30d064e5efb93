/**
 * What fs-verity says of an inode (fs/verity): its content is frozen from the day it was enabled, and known
 * by one digest. Name, mode and owner stay free; so does unlinking it. ext4 keeps the content as it is
 * (`vfs/filesystems/ext4`).
 */
import type { Kernel } from '../kernel/kernel.js'
import { inode } from '../vfs/inode.js'
import { type Digest, parse_digest } from './dm_verity.js'

export interface FsVerity {
  readonly digest: Digest
  /** It has a built-in signature that the kernel has verified (security_inode_setintegrity). */
  readonly signed: boolean
}

/**
 * The fs-verity digest of an inode.
 *
 * @param ino the inode itself: an overlay inode never has fs-verity, so ask `d_real_inode` first
 * @returns null where fs-verity is not enabled
 */
export function fs_verity(k: Kernel, ino: number): FsVerity | null {
  const { verity_digest, verity_signed } = inode(k, ino)
  return verity_digest === '' ? null : { digest: parse_digest(verity_digest), signed: verity_signed === 1 }
}

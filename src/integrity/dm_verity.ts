/**
 * What dm-verity says of the device below an inode (drivers/md/dm-verity-target.c: verity_preresume, which
 * hands root hash and signature to the security modules by security_bdev_setintegrity).
 *
 * The device answers for every block it gives: what cannot be read as signed is EIO. So the model needs no
 * hash tree, only what the device is known by.
 */
import type { Kernel } from '../kernel/kernel.js'
import { inode } from '../vfs/inode.js'
import { block_device, super_block } from '../vfs/super_block.js'

/** A digest as policies write it: `sha256:00ff…`. */
export interface Digest {
  readonly alg: string
  readonly hex: string
}

/** Takes `alg:hex` apart; without a colon it is all hex. */
export function parse_digest(text: string): Digest {
  const colon = text.indexOf(':')
  return { alg: text.slice(0, Math.max(colon, 0)), hex: text.slice(colon + 1) }
}

export interface DmVerity {
  readonly roothash: Digest
  /** The root hash came with a signature that the kernel has verified (root_hash_sig_key_desc). */
  readonly signed: boolean
}

/**
 * The dm-verity device that holds an inode's blocks.
 *
 * @param ino an inode of a file system on a device: for a file of an overlay, ask `d_real_inode` first
 * @returns null without a device (tmpfs, overlay, an image mounted from a file) or without dm-verity on it
 */
export function dm_verity(k: Kernel, ino: number): DmVerity | null {
  const { s_bdev } = super_block(k, inode(k, ino).i_sb)
  if (s_bdev === 0) return null
  const { roothash, roothash_signed } = block_device(k, s_bdev)
  if (roothash === '' && roothash_signed === 0) return null
  return { roothash: parse_digest(roothash), signed: roothash_signed === 1 }
}

/** A mounted file system (struct super_block) and the block device below it. */
import { type FileSystemOperations, file_system } from '../kernel/fs.js'
import type { Kernel } from '../kernel/kernel.js'
import { int, ref, str, table, task_number } from '../kernel/schema.js'

/** include/linux/fs.h: SB_RDONLY. */
export const SB_RDONLY = 1
/** include/linux/fs.h: SB_KERNMOUNT. Mounted by the kernel for itself (kern_mount), never by a set-up. */
export const SB_KERNMOUNT = 1 << 22
/** include/linux/fs.h: SB_I_NOEXEC. */
export const SB_I_NOEXEC = 2

export const super_block = table(
  'super_block',
  {
    sb: {
      /** The name that the set-up gives it: for people, nothing is decided by it. */
      s_id: str(),
      /** Name of its file system type: tmpfs, ext4, erofs, overlay. */
      s_type: str(),
      s_bdev: ref('block_device'),
      /** The unpacked initramfs, which IPE's boot_verified asks for. */
      s_initramfs: int(),
    },
    root: { s_root: ref('dentry') },
    flags: { s_flags: int() },
    /** The task that moves a name from one directory to another, or 0. */
    rename: { s_vfs_rename_mutex: task_number() },
  },
  { constant: ['sb'] },
)

/** What a block device carries for security modules (dm-verity: security_bdev_setintegrity). */
export const block_device = table(
  'block_device',
  {
    integrity: {
      bd_name: str(),
      /** `alg:hex` of a dm-verity root hash, or empty. */
      roothash: str(),
      /** 1 if the root hash has a signature that the kernel has verified. */
      roothash_signed: int(),
    },
  },
  { constant: ['integrity'] },
)

/** The operations of the file system type of a superblock. */
export function ops_of(k: Kernel, sb: number): FileSystemOperations {
  return file_system(super_block(k, sb).s_type)
}

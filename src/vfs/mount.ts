/** Where a tree of dentries is attached (struct mount, struct path). */
import type { Kernel } from '../kernel/kernel.js'
import { int, ref, table } from '../kernel/schema.js'
import { SB_I_NOEXEC, SB_RDONLY, super_block } from './super_block.js'

export const MNT_NOSUID = 1
export const MNT_NODEV = 2
export const MNT_NOEXEC = 4
export const MNT_READONLY = 64
export const MNT_NOSYMFOLLOW = 128

export const mount = table(
  'mount',
  {
    /** The mount that this one stands on, and the dentry there that it covers; both 0 for the root. */
    place: { mnt_parent: ref('mount'), mnt_mountpoint: ref('dentry') },
    tree: { mnt_sb: ref('super_block'), mnt_root: ref('dentry') },
    flags: { mnt_flags: int() },
  },
  { unique: ['mnt_parent', 'mnt_mountpoint'], constant: ['place', 'tree'] },
)

/** The mount that covers this place, or undefined (fs/namespace.c: lookup_mnt). */
export function lookup_mnt(k: Kernel, mnt: number, at: number) {
  return mount.find(k, mnt, at)
}

/** Whether writing through this mount is refused (fs/namespace.c: mnt_is_readonly). */
export function mnt_is_readonly(k: Kernel, mnt: number): boolean {
  const m = mount(k, mnt)
  return (m.mnt_flags & MNT_READONLY) !== 0 || (super_block(k, m.mnt_sb).s_flags & SB_RDONLY) !== 0
}

/** Whether exec and PROT_EXEC mappings are refused on this mount (fs/exec.c: path_noexec). */
export function path_noexec(k: Kernel, mnt: number): boolean {
  const { mnt_flags, mnt_sb } = mount(k, mnt)
  return (mnt_flags & MNT_NOEXEC) !== 0 || (super_block(k, mnt_sb).s_flags & SB_I_NOEXEC) !== 0
}

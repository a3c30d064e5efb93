/** The name of a place, as the running task sees it (fs/d_path.c). */
import type { Kernel } from '../../kernel/kernel.js'
import { dentry, name_of } from '../dentry.js'
import { mount } from '../mount.js'
import { SB_KERNMOUNT, super_block } from '../super_block.js'
import { task_struct } from '../tasks/task.js'

/**
 * The path of a dentry seen through a mount: upwards to the task's root, or as far as there is a way.
 *
 * @param mnt  number of the mount
 * @param dent number of the dentry
 * @returns an absolute path; ` (deleted)` stands behind the path of an unlinked name
 */
export function d_path(k: Kernel, mnt: number, dent: number): string {
  // Shared anonymous memory has a name without a place (mm/shmem.c: shmem_zero_setup; fs/d_path.c: simple_dname).
  if ((super_block(k, dentry(k, dent).d_sb).s_flags & SB_KERNMOUNT) !== 0) return '/dev/zero (deleted)'
  const parts: string[] = []
  let at = { mnt, dent }
  while (!is_root(k, at)) {
    const { mnt_root, mnt_parent, mnt_mountpoint } = mount(k, at.mnt)
    if (at.dent === mnt_root) {
      if (mnt_parent === 0) break
      at = { mnt: mnt_parent, dent: mnt_mountpoint }
      continue
    }
    const { d_parent } = dentry(k, at.dent)
    if (d_parent === at.dent) break
    parts.unshift(name_of(k, at.dent))
    at = { mnt: at.mnt, dent: d_parent }
  }
  return `/${parts.join('/')}${dentry(k, dent).d_unhashed === 1 ? ' (deleted)' : ''}`
}

function is_root(k: Kernel, at: { mnt: number; dent: number }): boolean {
  if (!task_struct.has(k, k.task)) return false
  const { root_mnt, root } = task_struct(k, k.task)
  return at.mnt === root_mnt && at.dent === root
}

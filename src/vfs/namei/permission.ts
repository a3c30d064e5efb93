/** Discretionary access control for one inode (fs/namei.c: inode_permission, generic_permission). */
import { EACCES, EPERM, EROFS } from '../../kernel/errno.js'
import type { Kernel } from '../../kernel/kernel.js'
import type { Row } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { inode, inode_ops, is_dir, is_lnk, is_reg, S_IMMUTABLE } from '../inode.js'
import { SB_RDONLY, super_block } from '../super_block.js'
import { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, capable, current } from '../tasks/task.js'

export const MAY_EXEC = 1
export const MAY_WRITE = 2
export const MAY_READ = 4
export const MAY_APPEND = 8
export const MAY_ACCESS = 0x10
export const MAY_OPEN = 0x20
export const MAY_CHDIR = 0x40

type Attributes = Pick<Row<{ i_mode: number; i_uid: number; i_gid: number }>, 'i_mode' | 'i_uid' | 'i_gid'>

/** Whether the running task is in the group (kernel/groups.c: in_group_p). */
export function in_group(k: Kernel, gid: number): boolean {
  const task = current(k)
  return task.egid === gid || task.groups.includes(gid)
}

/** The mode bits that count for the running task, in the place of "other" (fs/namei.c: acl_permission_check). */
function bits_for_task(k: Kernel, node: Attributes): number {
  if (current(k).euid === node.i_uid) return (node.i_mode >> 6) & 7
  return in_group(k, node.i_gid) ? (node.i_mode >> 3) & 7 : node.i_mode & 7
}

/** Mode bits, then capabilities (fs/namei.c: generic_permission). @returns 0 or -EACCES */
export function generic_permission(k: Kernel, node: Attributes, mask: number): number {
  const wanted = mask & (MAY_READ | MAY_WRITE | MAY_EXEC)
  if ((wanted & ~bits_for_task(k, node)) === 0) return 0
  if (is_dir(node.i_mode)) {
    if ((wanted & MAY_WRITE) === 0 && capable(k, CAP_DAC_READ_SEARCH)) return 0
    return capable(k, CAP_DAC_OVERRIDE) ? 0 : -EACCES
  }
  if (wanted === MAY_READ && capable(k, CAP_DAC_READ_SEARCH)) return 0
  // CAP_DAC_OVERRIDE does not make a file executable that nobody may execute.
  if ((wanted & MAY_EXEC) === 0 || (node.i_mode & 0o111) !== 0) {
    if (capable(k, CAP_DAC_OVERRIDE)) return 0
  }
  return -EACCES
}

/** A read-only superblock refuses writing to what it stores (fs/namei.c: sb_permission). @returns 0 or -EROFS */
export function sb_permission(k: Kernel, ino: number, mask: number): number {
  if ((mask & MAY_WRITE) === 0) return 0
  const node = inode(k, ino)
  const stored = is_reg(node.i_mode) || is_dir(node.i_mode) || is_lnk(node.i_mode)
  return stored && (super_block(k, node.i_sb).s_flags & SB_RDONLY) !== 0 ? -EROFS : 0
}

/**
 * Whether the running task may use the inode as `mask` says (fs/namei.c: inode_permission).
 *
 * @returns 0, or the first that holds of: -EROFS (superblock), -EPERM (immutable), -EACCES (mode bits and
 *   capabilities, unless the file system lets the task off), what the file system adds, what a security module answers
 */
export function inode_permission(k: Kernel, ino: number, mask: number): number {
  const read_only = sb_permission(k, ino, mask)
  if (read_only !== 0) return k.refuse(read_only, 'the superblock is read-only')
  const node = inode(k, ino)
  if ((mask & MAY_WRITE) !== 0 && (node.i_flags & S_IMMUTABLE) !== 0)
    return k.refuse(-EPERM, 'the inode is immutable')
  const denied = generic_permission(k, node, mask)
  const ops = inode_ops(k, ino)
  if (denied !== 0 && ops.is_exempt?.(k, ino) !== true)
    return k.refuse(denied, () => why_denied(k, node, mask))
  const by_type = ops.permission?.(k, ino, mask) ?? 0
  if (by_type !== 0) return by_type
  return security(k, 'inode_permission', { inode: ino, mask })
}

function why_denied(k: Kernel, node: Attributes, mask: number): string {
  const wanted = [mask & MAY_READ && 'read', mask & MAY_WRITE && 'write', mask & MAY_EXEC && 'execute']
  const mode = (node.i_mode & 0o7777).toString(8).padStart(4, '0')
  return `uid ${current(k).euid} may not ${wanted.filter(Boolean).join(' and ')} mode ${mode} of ${node.i_uid}:${node.i_gid}`
}

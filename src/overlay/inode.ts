/** Attributes of overlay inodes, and which real inode stands behind them (fs/overlayfs/inode.c, super.c). */
import { EPERM } from '../kernel/errno.js'
import { call, fn, stage } from '../kernel/fn.js'
import { type DRealType, setattr_locals } from '../kernel/fs.js'
import type { Frame, Kernel } from '../kernel/kernel.js'
import { ref, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import {
  ATTR_FILE,
  ATTR_FORCE,
  ATTR_GID,
  ATTR_KILL_SGID,
  ATTR_KILL_SUID,
  ATTR_MODE,
  ATTR_OPEN,
  ATTR_SIZE,
  ATTR_UID,
  notify_change,
  setattr_prepare,
} from '../vfs/attributes/attr.js'
import { dentry } from '../vfs/dentry.js'
import { inode, inode_ops, is_reg, is_special, S_IMMUTABLE } from '../vfs/inode.js'
import { inode_lock } from '../vfs/lock.js'
import { mnt_want_write } from '../vfs/namei/namei.js'
import { MAY_APPEND, MAY_READ, MAY_WRITE, sb_permission } from '../vfs/namei/permission.js'
import { O_WRONLY } from '../vfs/open/open_flags.js'
import { get_write_access } from '../vfs/open/write_access.js'
import { ovl_copy_up_flags } from './copy_up.js'
import {
  bottom_real,
  bottom_realdata,
  only_contents_change_below,
  ovl_copyattr,
  ovl_dentry_upper,
  ovl_fs,
  ovl_inode,
  ovl_inode_upper,
} from './ovl_entry.js'

/**
 * What the mounter may do with a real inode. He is root, so mode bits never stop him; a read-only file
 * system, an immutable inode and the modules do (fs/namei.c: inode_permission).
 */
export function mounter_permission(k: Kernel, real: number, mask: number): number {
  const read_only = sb_permission(k, real, mask)
  if (read_only !== 0) return k.refuse(read_only, 'the superblock of the real inode is read-only')
  if ((mask & MAY_WRITE) !== 0 && (inode(k, real).i_flags & S_IMMUTABLE) !== 0) {
    return k.refuse(-EPERM, 'the real inode is immutable')
  }
  return (
    inode_ops(k, real).permission?.(k, real, mask) || security(k, 'inode_permission', { inode: real, mask })
  )
}

/**
 * Beyond the mode bits of the overlay inode, which the vfs has judged for the caller: what the mounter may
 * do with the real one. A lower file is never written, only read for its copy-up
 * (fs/overlayfs/inode.c: ovl_permission).
 */
export function ovl_permission(k: Kernel, ino: number, mask: number): number {
  const { upper, lower } = ovl_inode(k, ino)
  const copies_up = upper === 0 && (mask & MAY_WRITE) !== 0 && !is_special(inode(k, lower).i_mode)
  const real_mask = copies_up ? (mask & ~(MAY_WRITE | MAY_APPEND)) | MAY_READ : mask
  return mounter_permission(k, upper || lower, real_mask)
}

/**
 * The real inode behind a dentry, down to a file system that is no overlay (fs/overlayfs/super.c: ovl_d_real).
 * What is no regular file stands for itself.
 */
export function ovl_d_real(k: Kernel, dent: number, type: DRealType): number {
  const { d_inode } = dentry(k, dent)
  if (!is_reg(inode(k, d_inode).i_mode)) return d_inode
  return type === 'data' ? bottom_realdata(k, d_inode) : bottom_real(k, d_inode)
}

const setattr = {
  ...setattr_locals,
  upper: ref('inode'),
  upper_dentry: ref('dentry'),
}
type Setattr = Frame<ValuesOf<typeof setattr>>

/**
 * Changes attributes through the overlay: asked of the overlay inode for the caller, done to the upper one
 * for the mounter. A lower file is copied up first, with all its data also where it is to be truncated.
 *
 * Errors, in order: those of setattr_prepare, of the copy-up, ETXTBSY (a new size while somebody runs the
 * upper file itself), EROFS (the upper layer), those of notify_change on the upper inode.
 */
export const ovl_setattr = fn('ovl_setattr', { source: 'fs/overlayfs/inode.c', locals: setattr }, [
  stage('setattr_prepare', (k, f) => {
    const refused = setattr_prepare(k, f)
    if (refused !== 0) return refused
    if ((f.valid & (ATTR_MODE | ATTR_UID | ATTR_GID)) !== 0)
      only_contents_change_below(k, inode(k, f.inode).i_sb, 'a change of mode or owner')
    f.upper = ovl_inode_upper(k, f.inode)
  }),
  call(
    (_, f) => (f.upper !== 0 ? null : ovl_copy_up_flags),
    (_, f) => ({ dentry: f.dentry, flags: O_WRONLY }),
    undefined,
    'ovl_copy_up',
  ),
  stage('ovl_want_write', (k, f) => {
    f.upper = ovl_inode_upper(k, f.inode)
    f.upper_dentry = ovl_dentry_upper(k, f.dentry)
    const busy = (f.valid & ATTR_SIZE) === 0 ? 0 : get_write_access(k, f, f.upper)
    return busy || mnt_want_write(k, ovl_fs(k, inode(k, f.inode).i_sb).upper_mnt)
  }),
  stage('inode_lock', (k, f) => inode_lock(k, f, f.upper)),
  call(
    notify_change,
    (_, f) => ({
      dentry: f.upper_dentry,
      inode: f.upper,
      valid: upper_valid(f),
      mode: f.mode,
      uid: f.uid,
      gid: f.gid,
      size: f.size,
    }),
    (k, f) => ovl_copyattr(k, f.inode),
  ),
])

/** The mounter may do it. Bits to take away are taken from the upper inode's mode, not from the copy of it. */
function upper_valid(f: Setattr): number {
  const kills = (f.valid & (ATTR_KILL_SUID | ATTR_KILL_SGID)) !== 0
  return ((kills ? f.valid & ~ATTR_MODE : f.valid) & ~(ATTR_FILE | ATTR_OPEN)) | ATTR_FORCE
}

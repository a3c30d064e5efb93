/**
 * Cutting and growing files (fs/open.c).
 *
 *     truncate
 *       path_lookupat
 *       inode_permission         type, permission bits
 *       get_write_access         mount writable, append-only, ETXTBSY, security_path_truncate
 *       do_truncate
 *         inode_lock
 *         notify_change          size and pages change, in every mapping at once
 *         inode_unlock
 *       put_write_access
 *
 * ftruncate needs a descriptor open for writing instead, and counts no writer: the descriptor is one.
 */
import { EBADF, EINVAL, EISDIR, EPERM } from '../../kernel/errno.js'
import { call, fn, local, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { int, ref, str } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import {
  ATTR_FILE,
  ATTR_FORCE,
  ATTR_SIZE,
  not_open,
  notify_change,
  setattr_should_drop_suidgid,
} from '../attributes/attr.js'
import { dentry } from '../dentry.js'
import { FMODE_WRITE, file } from '../file.js'
import { fdget } from '../files/file_table.js'
import { inode, is_dir, is_reg, S_APPEND } from '../inode.js'
import { inode_lock } from '../lock.js'
import { LOOKUP_FOLLOW, mnt_want_write, path_lookupat } from '../namei/namei.js'
import { inode_permission, MAY_WRITE } from '../namei/permission.js'
import { fd, gives_zero, path } from '../parameters.js'
import { get_write_access } from './write_access.js'

/**
 * Sets the size of a file under its lock. The caller has made sure of the right to write.
 *
 * Locals: `dentry`, `length` in bytes, `file` of an ftruncate or an open (0 for a path), `attr` ATTR_OPEN for
 * an O_TRUNC. Errors: those of notify_change.
 */
export const do_truncate = fn(
  'do_truncate',
  {
    source: 'fs/open.c',
    locals: { dentry: ref('dentry'), length: int(), file: ref('file'), attr: int(), valid: int() },
  },
  [
    stage('inode_lock', (k, f) => {
      const ino = dentry(k, f.dentry).d_inode
      const asleep = inode_lock(k, f, ino)
      if (asleep) return asleep
      const kill = setattr_should_drop_suidgid(k, ino)
      f.valid = ATTR_SIZE | f.attr | (f.file !== 0 ? ATTR_FILE : 0) | (kill !== 0 ? kill | ATTR_FORCE : 0)
    }),
    call(notify_change, (k, f) => ({
      dentry: f.dentry,
      inode: dentry(k, f.dentry).d_inode,
      valid: f.valid,
      size: f.length,
      file: f.file,
    })),
  ],
)

function is_append(k: Kernel, ino: number): number {
  return (inode(k, ino).i_flags & S_APPEND) !== 0 ? k.refuse(-EPERM, 'the inode is append-only') : 0
}

/**
 * truncate(2). Errors, in order: EINVAL (negative length), those of the walk, EISDIR, EINVAL (not a regular
 * file), EROFS, EPERM, EACCES of inode_permission, EROFS (mount), EPERM (append-only), ETXTBSY, what
 * security_path_truncate answers, those of notify_change. Before `truncate_dac_first` the mount's EROFS
 * came before inode_permission.
 */
export const vfs_truncate = fn(
  'vfs_truncate',
  { source: 'fs/open.c', locals: { name: str(), length: int(), mnt: ref('mount'), dentry: ref('dentry') } },
  [
    local('do_sys_truncate', (_, f) => (f.length < 0 ? -EINVAL : undefined)),
    call(
      path_lookupat,
      (_, f) => ({ name: f.name, flags: LOOKUP_FOLLOW }),
      (_, f, [mnt, found]: readonly number[]) => {
        f.mnt = mnt!
        f.dentry = found!
      },
    ),
    stage('inode_permission', (k, f) => {
      const ino = dentry(k, f.dentry).d_inode
      const { i_mode } = inode(k, ino)
      if (is_dir(i_mode)) return k.refuse(-EISDIR, 'a directory')
      if (!is_reg(i_mode)) return k.refuse(-EINVAL, 'not a regular file')
      const read_only = k.has('truncate_dac_first') ? 0 : mnt_want_write(k, f.mnt)
      return read_only || inode_permission(k, ino, MAY_WRITE)
    }),
    stage('get_write_access', (k, f) => {
      const ino = dentry(k, f.dentry).d_inode
      return (
        mnt_want_write(k, f.mnt) ||
        is_append(k, ino) ||
        get_write_access(k, f, ino) ||
        security(k, 'path_truncate', { path: { mnt: f.mnt, dentry: f.dentry } })
      )
    }),
    call(do_truncate, (_, f) => ({ dentry: f.dentry, length: f.length })),
  ],
)

/**
 * ftruncate(2). Errors, in order: EINVAL (negative length), EBADF, EINVAL (not a regular file, not open for
 * writing), EPERM (append-only), what security_file_truncate answers, those of notify_change.
 */
export const do_ftruncate = fn(
  'do_ftruncate',
  { source: 'fs/open.c', locals: { fd: int(), length: int(), file: ref('file') } },
  [
    stage('do_ftruncate', (k, f) => {
      if (f.length < 0) return -EINVAL
      f.file = fdget(k, f.fd)
      if (f.file === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
      const { f_inode, f_mode } = file(k, f.file)
      if (!is_reg(inode(k, f_inode).i_mode)) return k.refuse(-EINVAL, 'not a regular file')
      if ((f_mode & FMODE_WRITE) === 0) return k.refuse(-EINVAL, 'the descriptor is not open for writing')
      return is_append(k, f_inode) || security(k, 'file_truncate', { file: f.file })
    }),
    call(do_truncate, (k, f) => ({ dentry: file(k, f.file).f_dentry, length: f.length, file: f.file })),
  ],
)

const length: Parameter = { name: 'length', kind: 'offset', says: 'its new size in bytes' }

define_syscall({
  name: 'truncate',
  says: 'Cuts a file, or fills it up with zeros.',
  prototype: [path('path'), length],
  fn: vfs_truncate,
  locals: (name, length) => ({ name, length }),
  ...gives_zero,
  changes: 'contents',
})
define_syscall({
  name: 'ftruncate',
  says: 'Cuts an open file, or fills it up with zeros; it must be open for writing.',
  prototype: [fd, length],
  fn: do_ftruncate,
  locals: (fd, length) => ({ fd, length }),
  ...gives_zero,
  changes: 'contents',
})

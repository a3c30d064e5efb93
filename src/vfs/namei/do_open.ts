/**
 * Opening what a walk has found (fs/namei.c: do_open, may_open, handle_truncate).
 *
 *     do_open
 *       may_open                 O_CREAT of what exists; type, permission bits, security_inode_permission
 *       do_dentry_open           the open file (`dentry_open.ts`)
 *       handle_truncate          O_TRUNC
 */
import { EACCES, EEXIST, EISDIR, ELOOP, ENOTDIR, EPERM } from '../../kernel/errno.js'
import { attempt, call, done, fn, jump, local, release, stage } from '../../kernel/fn.js'
import type { Frame, Kernel } from '../../kernel/kernel.js'
import { int, ref, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { dentry } from '../dentry.js'
import { fput } from '../files/file_table.js'
import {
  inode,
  is_dir,
  is_lnk,
  is_reg,
  is_special,
  S_APPEND,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_ISVTX,
  S_IWOTH,
} from '../inode.js'
import { MNT_NODEV, mount, path_noexec } from '../mount.js'
import { do_dentry_open } from '../open/dentry_open.js'
import { O_ACCMODE, O_APPEND, O_CREAT, O_EXCL, O_NOATIME, O_RDONLY, O_TRUNC } from '../open/open_flags.js'
import { do_truncate } from '../open/truncate.js'
import { get_write_access, write_access } from '../open/write_access.js'
import { CAP_FOWNER, capable, current } from '../tasks/task.js'
import { mnt_want_write } from './namei.js'
import { inode_permission, MAY_EXEC, MAY_OPEN, MAY_WRITE } from './permission.js'

const do_open_locals = {
  mnt: ref('mount'),
  dentry: ref('dentry'),
  /** With O_CREAT: the directory in which it was found. */
  dir: ref('dentry'),
  /** LOOKUP_DIRECTORY of the walk, or 0. */
  directory: int(),
  flags: int(),
  acc_mode: int(),
  fmode: int(),
  created: int(),
  file: ref('file'),
  special: int(),
  /** O_TRUNC on a regular file that was there before. */
  will_truncate: int(),
  /** Why an open that had succeeded fails after all. */
  error: int(),
}
type DoOpen = Frame<ValuesOf<typeof do_open_locals>>

/**
 * Opens what the walk has found. @returns the file's number
 *
 * Errors, in order: with O_CREAT EEXIST, EISDIR, EACCES (sticky directory); ENOTDIR; with O_TRUNC EROFS (mount);
 * those of may_open; those of do_dentry_open; what file_post_open answers; with O_TRUNC ETXTBSY, what
 * file_truncate answers, those of do_truncate.
 */
export const do_open = fn('do_open', { source: 'fs/namei.c', locals: do_open_locals }, [
  stage('may_open', (k, f) => before_may_open(k, f) || may_open(k, f)),
  call(
    do_dentry_open,
    (_, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: f.flags, fmode: f.fmode, special: f.special }),
    (k, f, opened: number) => {
      f.file = opened
      if (k.chain.file_post_open === undefined) return jump(f, 'will_truncate')
    },
  ),
  stage('security_file_post_open', (k, f) => {
    f.error = security(k, 'file_post_open', { file: f.file, mask: f.acc_mode })
    if (f.error !== 0) return jump(f, 'fput')
  }),
  local('will_truncate', (_, f) => {
    if (f.will_truncate === 0) return done(f, f.file)
  }),
  stage('handle_truncate', (k, f) => {
    const { d_inode } = dentry(k, f.dentry)
    f.error = get_write_access(k, f, d_inode) || security(k, 'file_truncate', { file: f.file })
    if (f.error !== 0) return jump(f, 'fput')
  }),
  attempt(
    do_truncate,
    (_, f) => ({ dentry: f.dentry, length: 0, file: f.file }),
    (k, f, ret: number) => {
      release(k, f, write_access)
      if (ret >= 0) return done(f, f.file)
      f.error = ret
    },
  ),
  // The file was opened, but the open fails: it is closed again.
  call(fput, (_, f) => ({ file: f.file })),
  local('error', (_, f) => f.error),
])

function before_may_open(k: Kernel, f: DoOpen): number {
  const { i_mode } = inode(k, dentry(k, f.dentry).d_inode)
  if ((f.flags & O_CREAT) !== 0 && f.created === 0) {
    if ((f.flags & O_EXCL) !== 0) return k.refuse(-EEXIST, 'the name exists')
    if (is_dir(i_mode)) return -EISDIR
    const sticky = may_create_in_sticky(k, f)
    if (sticky !== 0) return sticky
  }
  if (f.directory !== 0 && !is_dir(i_mode)) return k.refuse(-ENOTDIR, 'not a directory')
  f.special = is_special(i_mode) ? 1 : 0
  f.will_truncate = (f.flags & O_TRUNC) !== 0 && f.created === 0 && is_reg(i_mode) ? 1 : 0
  return f.will_truncate === 1 ? mnt_want_write(k, f.mnt) : 0
}

/**
 * O_CREAT does not open what somebody else has put into a sticky directory that everybody may write: somebody
 * who is neither the task nor the directory's owner. Regular files and fifos are exempt while
 * fs.protected_regular and fs.protected_fifos are 0, as they are here.
 */
function may_create_in_sticky(k: Kernel, f: DoOpen): number {
  const { i_mode, i_uid } = inode(k, dentry(k, f.dentry).d_inode)
  const dir = inode(k, dentry(k, f.dir).d_inode)
  const type = i_mode & S_IFMT
  if ((dir.i_mode & S_ISVTX) === 0 || type === S_IFREG || type === S_IFIFO) return 0
  if (i_uid === dir.i_uid || i_uid === current(k).euid || (dir.i_mode & S_IWOTH) === 0) return 0
  return k.refuse(-EACCES, 'somebody else has put it into a sticky directory')
}

/**
 * Whether this inode may be opened so (fs/namei.c: may_open).
 *
 * @returns 0, or the first of: ELOOP (symbolic link), EISDIR, EACCES (exec of what is not a regular file,
 *   device on nodev, exec on noexec), those of inode_permission, EPERM (append-only, O_NOATIME)
 */
function may_open(k: Kernel, f: DoOpen): number {
  const ino = dentry(k, f.dentry).d_inode
  const node = inode(k, ino)
  const by_type = may_open_type(k, f, node.i_mode)
  if (by_type !== 0) return by_type
  // Who has made a file may open it as he likes, whatever its mode.
  const acc_mode = f.created === 1 ? 0 : f.acc_mode
  const denied = acc_mode === 0 ? 0 : inode_permission(k, ino, MAY_OPEN | acc_mode)
  if (denied !== 0) return denied
  if ((node.i_flags & S_APPEND) !== 0 && f.created === 0) {
    if ((f.flags & O_ACCMODE) !== O_RDONLY && (f.flags & O_APPEND) === 0) return -EPERM
    if ((f.flags & O_TRUNC) !== 0) return -EPERM
  }
  if ((f.flags & O_NOATIME) !== 0 && current(k).euid !== node.i_uid && !capable(k, CAP_FOWNER)) return -EPERM
  return 0
}

function may_open_type(k: Kernel, f: DoOpen, mode: number): number {
  const executes = (f.acc_mode & MAY_EXEC) !== 0
  if (is_lnk(mode)) return k.refuse(-ELOOP, 'a symbolic link that may not be followed')
  if (is_dir(mode)) {
    if ((f.acc_mode & MAY_WRITE) !== 0) return -EISDIR
    return executes ? k.refuse(-EACCES, 'a directory cannot be executed') : 0
  }
  const type = mode & S_IFMT
  if ((type === S_IFBLK || type === S_IFCHR) && (mount(k, f.mnt).mnt_flags & MNT_NODEV) !== 0) {
    return k.refuse(-EACCES, 'a device on a nodev mount')
  }
  if (!executes) return 0
  if (!is_reg(mode)) return k.refuse(-EACCES, 'not a regular file')
  return path_noexec(k, f.mnt) ? k.refuse(-EACCES, 'the mount is noexec') : 0
}

/**
 * The open file of what a walk has found (fs/open.c: do_dentry_open).
 *
 *     do_dentry_open
 *       file_get_write_access                ETXTBSY, then EROFS of the mount
 *       security_file_open                   the last word of a module before the file system's own open
 *       f_op->open                           overlay: copy-up and the real file; ext4: fs-verity
 *
 * Write access is taken before security_file_open; exec denies it after: a module's answer in file_open is
 * given before an exec keeps writers out, its answer in bprm_creds_for_exec while it does.
 */
import { EINVAL, ENXIO, EROFS } from '../../kernel/errno.js'
import { call, done, fn, hand_over, hold, jump, local, stage, take } from '../../kernel/fn.js'
import type { Fn, Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, ref, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { dentry, dget, dput } from '../dentry.js'
import { FMODE_PATH, FMODE_READ, FMODE_STREAM, FMODE_WRITE, FMODE_WRITER, file } from '../file.js'
import { device_open } from '../files/char_dev.js'
import { fifo_end, fifo_open, is_fifo, wait_for_partner } from '../files/pipe.js'
import { inode, is_reg, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../inode.js'
import { mnt_is_readonly } from '../mount.js'
import { MAY_READ, MAY_WRITE } from '../namei/permission.js'
import { ops_of } from '../super_block.js'
import { current } from '../tasks/task.js'
import { ACC_MODE, O_ACCMODE, O_CREAT, O_DIRECT, O_EXCL, O_NOCTTY, O_PATH, O_TRUNC } from './open_flags.js'
import { get_write_access, write_access } from './write_access.js'

/** A file that nobody has a descriptor of yet: a failed open takes it back. */
const unopened_file = hold('file_free', (k, id) => {
  const { f_dentry } = file(k, id)
  file.remove(k, id)
  dput(k, f_dentry)
})

const dentry_open = {
  mnt: ref('mount'),
  dentry: ref('dentry'),
  flags: int(),
  /** FMODE_EXEC where exec opens it; then all mode bits that the file gets. */
  fmode: int(),
  /** A device, fifo or socket: writing to it is not counted. */
  special: int(),
  /** It was opened by a stacked file system with the mounter's rights. */
  backing: int(),
  file: ref('file'),
  /** 1 once an end of a FIFO is taken; and where the other end is awaited, how often that was opened before. */
  fifo: int(),
  awaited: int(-1),
  /** O_DIRECT of something that has no direct I/O. */
  undirected: int(),
}
type DentryOpen = Frame<ValuesOf<typeof dentry_open>>

/** Access mode 3 is neither reader nor writer (include/linux/fs.h: OPEN_FMODE). */
function fmode_of(f: DentryOpen): number {
  if ((f.flags & O_PATH) !== 0) return FMODE_PATH
  if ((f.flags & O_ACCMODE) === O_ACCMODE) return f.fmode
  const access = ACC_MODE[f.flags & O_ACCMODE]!
  const write = (access & MAY_WRITE) !== 0 ? FMODE_WRITE : 0
  const writer = write !== 0 && f.special === 0 ? FMODE_WRITER : 0
  return f.fmode | ((access & MAY_READ) !== 0 ? FMODE_READ : 0) | write | writer
}

/**
 * Makes an open file of a dentry.
 *
 * @returns the file's number; it has one reference
 *
 * Errors, in order: ETXTBSY (somebody denies writing), EROFS (the mount), what security_file_open answers,
 * ENXIO and EINVAL of devices, sockets and FIFOs, what the file system's open answers, EINVAL (O_DIRECT of what
 * has no direct I/O). The open of a FIFO sleeps until its other end is opened.
 */
export const do_dentry_open = fn('do_dentry_open', { source: 'fs/open.c', locals: dentry_open }, [
  local('f_mode', (_, f) => {
    f.fmode = fmode_of(f)
    if ((f.fmode & FMODE_WRITER) === 0) return jump(f, 'security_file_open')
  }),
  stage('file_get_write_access', (k, f) => {
    const busy = get_write_access(k, f, dentry(k, f.dentry).d_inode)
    if (busy !== 0) return busy
    if (f.backing === 0 && mnt_is_readonly(k, f.mnt)) return k.refuse(-EROFS, 'the mount is read-only')
  }),
  stage('security_file_open', security_file_open),
  call(
    f_op_open,
    (_, f) => (f.awaited < 0 ? { file: f.file, flags: f.flags } : { file: f.file, since: f.awaited }),
    undefined,
    'f_op->open',
  ),
  local('opened', (k, f) => {
    if (f.undirected === 1) return k.refuse(-EINVAL, 'O_DIRECT is for files that have direct I/O')
    if (f.fifo === 1) hand_over(f, fifo_end)
    if ((f.fmode & FMODE_WRITER) !== 0) hand_over(f, write_access)
    return done(f, hand_over(f, unopened_file))
  }),
])

/** What remains to be done to open it: of a FIFO waiting, of anything else what its file system does. */
function f_op_open(k: Kernel, f: DentryOpen): Fn | null {
  if ((f.flags & O_PATH) !== 0) return null
  return f.awaited < 0 ? (ops_of(k, dentry(k, f.dentry).d_sb).open ?? null) : wait_for_partner
}

function security_file_open(k: Kernel, f: DentryOpen): Outcome {
  const { d_inode } = dentry(k, f.dentry)
  const opened = file.create(k, {
    f_mnt: f.mnt,
    f_dentry: f.dentry,
    f_inode: d_inode,
    // Creation flags are not kept (fs/open.c: do_dentry_open).
    f_flags: f.flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC),
    f_mode: f.fmode | (is_fifo(inode(k, d_inode).i_mode) && (f.flags & O_PATH) === 0 ? FMODE_STREAM : 0),
    f_cred: f.backing === 1 ? 0 : current(k).cred,
    f_count: 1,
  })
  dget(k, f.dentry)
  f.file = opened.id
  take(f, unopened_file, opened.id)
  if ((f.flags & O_PATH) !== 0) return
  const { i_mode } = inode(k, d_inode)
  // Regular files of every type modelled here have it, a FIFO, a device and a directory have not.
  f.undirected = (f.flags & O_DIRECT) !== 0 && !is_reg(i_mode) ? 1 : 0
  return security(k, 'file_open', { file: opened.id }) || special_open(k, f, d_inode)
}

/** What is opened by its type, before any file system is asked. @returns 0 or a negative errno */
function special_open(k: Kernel, f: DentryOpen, ino: number): number {
  const { i_mode, i_rdev } = inode(k, ino)
  const type = i_mode & S_IFMT
  if (type === S_IFSOCK) return k.refuse(-ENXIO, 'a socket is not opened by its name')
  if (type === S_IFBLK || type === S_IFCHR) return device_open(k, type === S_IFCHR, i_rdev)
  return type === S_IFIFO ? fifo_open(k, f) : 0
}

/**
 * Opens the real file below a stacked one, with the mounter's rights: no mode bits are asked
 * (fs/backing-file.c: backing_file_open). @returns the file's number
 */
export const backing_file_open = fn(
  'backing_file_open',
  {
    source: 'fs/backing-file.c',
    since: '6.8',
    locals: { mnt: ref('mount'), dentry: ref('dentry'), flags: int() },
  },
  [
    call(
      do_dentry_open,
      (_, f) => ({
        mnt: f.mnt,
        dentry: f.dentry,
        flags: f.flags & ~(O_CREAT | O_EXCL | O_TRUNC),
        backing: 1,
      }),
      (_, f, opened: number) => done(f, opened),
    ),
  ],
)

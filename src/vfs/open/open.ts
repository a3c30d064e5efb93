/**
 * Opening files (fs/namei.c: path_openat; fs/open.c: do_dentry_open).
 *
 *     openat
 *       do_filp_open
 *         path_lookupat | open_last_lookups      the name, or with O_CREAT the directory and the last component
 *         may_open                               type, permission bits, security_inode_permission
 *         do_dentry_open
 *           file_get_write_access                ETXTBSY, then EROFS of the mount
 *           security_file_open                   the last word of a module before the file system's own open
 *           f_op->open                           overlay: copy-up and the real file; ext4: fs-verity
 *         handle_truncate                        O_TRUNC
 *       fd_install
 *
 * Write access is taken before security_file_open; exec denies it after: a module's answer in file_open is
 * given before an exec keeps writers out, its answer in bprm_creds_for_exec while it does.
 */
import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  EMFILE,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
} from '../../kernel/errno.js'
import {
  attempt,
  call,
  done,
  fn,
  hand_over,
  hold,
  jump,
  local,
  release,
  stage,
  take,
} from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { type Change, define_syscall, type Parameter } from '../../kernel/syscall.js'
import { dentry, dget, dput } from '../dentry.js'
import { FMODE_PATH, FMODE_READ, FMODE_STREAM, FMODE_WRITE, FMODE_WRITER, file } from '../file.js'
import { device_open } from '../files/char_dev.js'
import { alloc_fd, fd_install, fput } from '../files/file_table.js'
import { fifo_end, fifo_open, is_fifo, wait_for_partner } from '../files/pipe.js'
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
  S_IFSOCK,
  S_ISGID,
  S_ISVTX,
} from '../inode.js'
import { inode_lock, inode_rwsem } from '../lock.js'
import { lookup_mnt, MNT_NODEV, MNT_NOEXEC, mnt_is_readonly, mount } from '../mount.js'
import {
  AT_FDCWD,
  getname,
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  last_component,
  lookup_slow,
  mnt_want_write,
  path_lookupat,
  pick_link,
} from '../namei/namei.js'
import {
  in_group,
  inode_permission,
  MAY_APPEND,
  MAY_EXEC,
  MAY_OPEN,
  MAY_READ,
  MAY_WRITE,
} from '../namei/permission.js'
import { dirfd, new_mode, path } from '../parameters.js'
import { ops_of, SB_I_NOEXEC, super_block } from '../super_block.js'
import { CAP_FOWNER, CAP_FSETID, capable, current } from '../tasks/task.js'
import {
  __O_TMPFILE,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  open_flags,
} from './open_flags.js'
import { do_truncate } from './truncate.js'
import { get_write_access, write_access } from './write_access.js'

/** Permission asked for by an access mode; mode 3 asks for both and can do neither (fs/open.c: ACC_MODE). */
export const ACC_MODE = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE]

/**
 * Open flags as the kernel reads them (fs/open.c: build_open_flags).
 *
 * @returns what to ask for, or -EINVAL
 */
export function build_open_flags(given: number, mode: number) {
  // open() ignores bits it does not know.
  let flags = given & Object.values(open_flags).reduce((all, flag) => all | flag, 0)
  const creating = (flags & (O_CREAT | __O_TMPFILE)) !== 0
  if ((flags & O_PATH) !== 0) flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC
  else if ((flags & __O_TMPFILE) !== 0) {
    if ((flags & O_TMPFILE) !== O_TMPFILE || (flags & O_CREAT) !== 0) return -EINVAL
    if ((ACC_MODE[flags & O_ACCMODE]! & MAY_WRITE) === 0) return -EINVAL
  } else if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return -EINVAL

  let acc_mode = (flags & O_PATH) !== 0 ? 0 : ACC_MODE[flags & O_ACCMODE]!
  if ((flags & O_TRUNC) !== 0) acc_mode |= MAY_WRITE
  if ((flags & O_APPEND) !== 0) acc_mode |= MAY_APPEND
  const exclusive = (flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)
  const lookup_flags = (flags & O_NOFOLLOW) !== 0 || exclusive ? 0 : LOOKUP_FOLLOW
  return { flags, acc_mode, lookup_flags, mode: creating ? mode & 0o7777 : 0 }
}

/** Whether exec and PROT_EXEC mappings are refused on this mount (fs/exec.c: path_noexec). */
export function path_noexec(k: Kernel, mnt: number): boolean {
  const { mnt_flags, mnt_sb } = mount(k, mnt)
  return (mnt_flags & MNT_NOEXEC) !== 0 || (super_block(k, mnt_sb).s_flags & SB_I_NOEXEC) !== 0
}

// --- the open file ---------------------------------------------------------------------------------------

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
function f_op_open(k: Kernel, f: DentryOpen) {
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

// --- which inode, and may it be opened -------------------------------------------------------------------

const do_open_locals = {
  mnt: ref('mount'),
  dentry: ref('dentry'),
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

/** Opens what the walk has found (fs/namei.c: do_open). @returns the file's number */
export const do_open = fn('do_open', { source: 'fs/namei.c', locals: do_open_locals }, [
  stage('may_open', (k, f) => before_may_open(k, f) || may_open(k, f)),
  call(
    do_dentry_open,
    (_, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: f.flags, fmode: f.fmode, special: f.special }),
    (k, f, opened: number) => {
      f.file = opened
      if ((f.flags & O_PATH) !== 0) return done(f, opened)
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
  if ((f.flags & O_DIRECTORY) !== 0 && !is_dir(i_mode)) return k.refuse(-ENOTDIR, 'not a directory')
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
  const { d_inode, d_parent } = dentry(k, f.dentry)
  const { i_mode, i_uid } = inode(k, d_inode)
  const dir = inode(k, dentry(k, d_parent).d_inode)
  const type = i_mode & S_IFMT
  if ((dir.i_mode & S_ISVTX) === 0 || type === S_IFREG || type === S_IFIFO) return 0
  if (i_uid === dir.i_uid || i_uid === current(k).euid || (dir.i_mode & S_IWOTH) === 0) return 0
  return k.refuse(-EACCES, 'somebody else has put it into a sticky directory')
}

const S_IWOTH = 0o002

/**
 * Whether this inode may be opened so (fs/namei.c: may_open).
 *
 * @returns 0, or the first of: ELOOP (symbolic link), EISDIR, EACCES (exec of what is not a regular file,
 *   device on nodev, exec on noexec), those of inode_permission, EPERM (append-only, O_NOATIME)
 */
function may_open(k: Kernel, f: DoOpen): number {
  if ((f.flags & O_PATH) !== 0) return 0
  const ino = dentry(k, f.dentry).d_inode
  const node = inode(k, ino)
  const by_type = may_open_type(k, f, node.i_mode)
  if (by_type !== 0) return by_type
  const denied = f.acc_mode === 0 ? 0 : inode_permission(k, ino, MAY_OPEN | f.acc_mode)
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

// --- by path ---------------------------------------------------------------------------------------------

const filp_open = {
  dfd: int(AT_FDCWD),
  name: str(),
  flags: int(),
  mode: int(),
  acc_mode: int(),
  lookup_flags: int(),
  fmode: int(),
  mnt: ref('mount'),
  dentry: ref('dentry'),
  /** With O_CREAT: the directory, and what is left of the path: its last component, or a link's target. */
  dir_mnt: ref('mount'),
  dir: ref('dentry'),
  links: int(),
  created: int(),
  file: ref('file'),
}
type FilpOpen = Frame<ValuesOf<typeof filp_open>>

/**
 * Opens a path.
 *
 * @returns the number of the open file, which has one reference and no descriptor
 *
 * Errors, in order: those of the walk; with O_CREAT EEXIST, EISDIR; ENOTDIR (O_DIRECTORY); with O_TRUNC EROFS;
 * those of may_open; those of do_dentry_open; with O_TRUNC ETXTBSY and what a module answers.
 */
export const do_filp_open = fn('do_filp_open', { source: 'fs/namei.c', locals: filp_open }, [
  local('path_openat', (_, f) => {
    if ((f.flags & O_CREAT) !== 0) return jump(f, 'link_path_walk')
  }),
  call(
    path_lookupat,
    (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.lookup_flags }),
    (_, f, [mnt, found]: readonly number[]) => {
      f.mnt = mnt!
      f.dentry = found!
      return jump(f, 'do_open')
    },
  ),
  call(
    path_lookupat,
    (_, f) => ({
      dfd: f.dfd,
      name: f.name,
      flags: LOOKUP_PARENT | (f.lookup_flags & LOOKUP_EMPTY),
      mnt: f.dir_mnt,
      dentry: f.dir,
      links: f.links,
    }),
    (_, f, [mnt, dir]: readonly number[]) => {
      f.dir_mnt = mnt!
      f.dir = dir!
    },
    'link_path_walk',
  ),
  stage('open_last_lookups', open_last_lookups),
  call(
    (k, f) => (f.dentry !== 0 ? null : (ops_of(k, dentry(k, f.dir).d_sb).create ?? null)),
    (_, f) => ({ parent: f.dir, name: last_component(f.name).name, mode: f.mode }),
    (k, f, made: number) => {
      f.dentry = made
      f.mnt = f.dir_mnt
      f.created = 1
      f.acc_mode = 0
      release(k, f, inode_rwsem)
    },
    'create',
  ),
  call(
    do_open,
    (_, f) => ({
      mnt: f.mnt,
      dentry: f.dentry,
      flags: f.flags,
      acc_mode: f.acc_mode,
      fmode: f.fmode,
      created: f.created,
    }),
    (_, f, opened: number) => done(f, opened),
  ),
])

/** The last component of an open with O_CREAT: there already, or to be created under the directory's lock. */
function open_last_lookups(k: Kernel, f: FilpOpen): Outcome {
  const last = last_component(f.name)
  if (last.type !== 'norm') return open_dots(k, f, last.type)
  if (last.trailing_slash) return -EISDIR
  const found = lookup_slow(k, f.dir, last.name)
  if (found < 0) return found
  return found !== 0 ? open_existing(k, f, found) : lookup_open(k, f, last.name)
}

/** `.`, `..` and `/` are directories that exist (fs/namei.c: handle_dots, then do_open). */
function open_dots(k: Kernel, f: FilpOpen, type: string): Outcome {
  return (f.flags & O_EXCL) !== 0 ? k.refuse(-EEXIST, `${type} exists`) : -EISDIR
}

function open_existing(k: Kernel, f: FilpOpen, found: number): Outcome {
  const node = inode(k, dentry(k, found).d_inode)
  if (is_lnk(node.i_mode) && (f.lookup_flags & LOOKUP_FOLLOW) !== 0) {
    const link = { mnt: f.dir_mnt, links: f.links }
    const failed = pick_link(k, link as never, found)
    if (failed !== 0) return failed
    f.links = link.links
    if (node.i_link.startsWith('/')) {
      f.dir_mnt = current(k).root_mnt
      f.dir = current(k).root
    }
    f.name = node.i_link
    return jump(f, 'link_path_walk')
  }
  f.mnt = f.dir_mnt
  f.dentry = found
  for (let over = lookup_mnt(k, f.mnt, f.dentry); over !== undefined; over = lookup_mnt(k, f.mnt, f.dentry)) {
    f.mnt = over.id
    f.dentry = over.mnt_root
  }
}

/**
 * A missing name: what stands in the way of creating it shows only now, since a name that exists needs
 * none of it (fs/namei.c: lookup_open).
 */
function lookup_open(k: Kernel, f: FilpOpen, name: string): Outcome {
  const dir = dentry(k, f.dir).d_inode
  const asleep = inode_lock(k, f, dir)
  if (asleep) return asleep
  const read_only = mnt_want_write(k, f.dir_mnt)
  if (read_only !== 0) return read_only
  // Worked out here, under the directory's lock.
  const mode = create_mode(k, f)
  f.mode = mode
  return (
    security(k, 'path_mknod', { parent: f.dir, name, mode }) ||
    inode_permission(k, dir, MAY_WRITE | MAY_EXEC) ||
    security(k, 'inode_create', { parent: f.dir, name, mode })
  )
}

/** Mode of a new file: set-group-id only for members of the directory's group, then the umask (fs/inode.c: mode_strip_sgid). */
function create_mode(k: Kernel, f: FilpOpen): number {
  const directory = inode(k, dentry(k, f.dir).d_inode)
  let mode = f.mode & 0o7777
  const inherits_group = (directory.i_mode & S_ISGID) !== 0
  if ((mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010) && inherits_group) {
    if (!in_group(k, directory.i_gid) && !capable(k, CAP_FSETID)) mode &= ~S_ISGID
  }
  return S_IFREG | (mode & ~current(k).umask)
}

// --- O_TMPFILE -------------------------------------------------------------------------------------------

/** An open file whose inode has no name (fs/namei.c: do_tmpfile). @returns the file's number */
const do_tmpfile = fn('do_tmpfile', { source: 'fs/namei.c', locals: filp_open }, [
  call(
    path_lookupat,
    (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.lookup_flags }),
    (_, f, [mnt, dir]: readonly number[]) => {
      f.dir_mnt = mnt!
      f.dir = dir!
    },
  ),
  stage('vfs_tmpfile', (k, f) => {
    const directory = dentry(k, f.dir)
    if (!is_dir(inode(k, directory.d_inode).i_mode)) return -ENOTDIR
    const refused =
      mnt_want_write(k, f.dir_mnt) || inode_permission(k, directory.d_inode, MAY_WRITE | MAY_EXEC)
    if (refused !== 0) return refused
    if (ops_of(k, directory.d_sb).tmpfile === undefined) return -EOPNOTSUPP
    f.mode = create_mode(k, f)
  }),
  call(
    (k, f) => ops_of(k, dentry(k, f.dir).d_sb).tmpfile!,
    (_, f) => ({ parent: f.dir, mode: f.mode, flags: f.flags }),
    (_, f, made: number) => {
      f.dentry = made
    },
    'i_op->tmpfile',
  ),
  call(
    do_dentry_open,
    (_, f) => ({ mnt: f.dir_mnt, dentry: f.dentry, flags: f.flags & ~O_TMPFILE }),
    (_, f, opened: number) => done(f, opened),
  ),
])

// --- the system calls ------------------------------------------------------------------------------------

export const do_sys_openat2 = fn(
  'do_sys_openat2',
  {
    source: 'fs/open.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      flags: int(),
      mode: int(),
      acc_mode: int(),
      lookup_flags: int(),
    },
  },
  [
    local('build_open_flags', (k, f) => {
      const how = build_open_flags(f.flags, f.mode)
      if (typeof how === 'number') return how
      const bad_name = getname(f.name, 0)
      if (bad_name !== 0) return bad_name
      if (alloc_fd(k) < 0) return k.refuse(-EMFILE, 'no descriptor is left')
      f.flags = how.flags
      f.mode = how.mode
      f.acc_mode = how.acc_mode
      f.lookup_flags = how.lookup_flags
    }),
    call(
      (_, f) => ((f.flags & __O_TMPFILE) !== 0 ? do_tmpfile : do_filp_open),
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        flags: f.flags,
        mode: f.mode,
        acc_mode: f.acc_mode,
        lookup_flags: f.lookup_flags,
      }),
      (k, f, opened: number) => {
        const fd = alloc_fd(k)
        fd_install(k, fd, opened, (f.flags & O_CLOEXEC) !== 0)
        return done(f, fd)
      },
      'do_filp_open',
    ),
  ],
)

const pathname = path('pathname', 'up to 4095 bytes')
const flags_param: Parameter = {
  name: 'flags',
  kind: 'flags',
  says: "an access mode, with others: `'O_WRONLY|O_CREAT|O_TRUNC'`",
  constants: open_flags,
  constant: 'OpenFlag',
}
const mode_param: Parameter = {
  ...new_mode('permission bits of a file that is made, less the umask; asked for with O_CREAT and O_TMPFILE'),
  missing: 0,
}
const opens = { fn: do_sys_openat2, returns: 'fd', gives: 'the lowest free descriptor' } as const

/** An open may write, truncate or create; whether it does shows later. */
function changes({ flags }: { flags: number }): Change {
  if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) return 'contents'
  return (flags & O_CREAT) !== 0 ? 'names' : 'nothing'
}

define_syscall({
  name: 'openat',
  says: 'Opens a file, from a directory.',
  prototype: [dirfd(), pathname, flags_param, mode_param],
  locals: (dfd, name, flags, mode) => ({ dfd, name, flags, mode }),
  ...opens,
  changes,
})
define_syscall({
  name: 'open',
  says: 'Opens a file.',
  prototype: [pathname, flags_param, mode_param],
  as: ['openat', 'AT_FDCWD', 'pathname', 'flags', 'mode'],
  locals: (name, flags, mode) => ({ name, flags, mode }),
  ...opens,
  changes,
})
define_syscall({
  name: 'creat',
  says: 'Opens a file as O_WRONLY|O_CREAT|O_TRUNC does.',
  prototype: [path(), new_mode('permission bits of a file that is made, less the umask')],
  as: ['openat', 'AT_FDCWD', 'pathname', 'O_CREAT | O_WRONLY | O_TRUNC', 'mode'],
  locals: (name, mode) => ({ name, flags: O_CREAT | O_WRONLY | O_TRUNC, mode }),
  ...opens,
  changes,
})

/**
 * Changing attributes (fs/attr.c: notify_change), and chmod and chown on top of it (fs/open.c).
 *
 *     chmod
 *       path_lookupat
 *       inode_lock           mount writable, the inode's i_rwsem, security_path_chmod
 *       notify_change        immutable, security_inode_setattr, owner, then the change: one stage, under the lock
 *       inode_unlock
 */
import { EBADF, EFBIG, EINVAL, EOPNOTSUPP, EPERM } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import { type SetattrLocals, setattr_locals } from '../../kernel/fs.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { NotModelled } from '../../kernel/not_modelled.js'
import { int, ref, str } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import { dentry } from '../dentry.js'
import { file } from '../file.js'
import { fdget, fdget_raw } from '../files/file_table.js'
import {
  inode,
  inode_ops,
  is_dir,
  is_lnk,
  is_reg,
  S_APPEND,
  S_IMMUTABLE,
  S_ISGID,
  S_ISUID,
} from '../inode.js'
import { inode_lock } from '../lock.js'
import { LARGEST_EXACT, MAX_LFS_FILESIZE, truncate_setsize } from '../memory/page_cache.js'
import { AT_FDCWD, LOOKUP_EMPTY, LOOKUP_FOLLOW, mnt_want_write, path_lookupat } from '../namei/namei.js'
import { in_group } from '../namei/permission.js'
import { dirfd, fd, gives_zero, path } from '../parameters.js'
import { CAP_CHOWN, CAP_FOWNER, CAP_FSETID, capable, current } from '../tasks/task.js'

/** include/linux/fs.h. */
export const ATTR_MODE = 1
export const ATTR_UID = 2
export const ATTR_GID = 4
export const ATTR_SIZE = 8
export const ATTR_FORCE = 0x200
export const ATTR_KILL_SUID = 0x800
export const ATTR_KILL_SGID = 0x1000
export const ATTR_FILE = 0x2000
export const ATTR_OPEN = 0x8000

const S_IXGRP = 0o010
const S_IALLUGO = 0o7777

/** Whether the running task owns the inode, or may act as if (fs/inode.c: inode_owner_or_capable). */
export function inode_owner_or_capable(k: Kernel, ino: number): boolean {
  return current(k).euid === inode(k, ino).i_uid || capable(k, CAP_FOWNER)
}

const in_group_or_capable = (k: Kernel, gid: number): boolean => in_group(k, gid) || capable(k, CAP_FSETID)

/**
 * What a change of content or owner takes from the set-group-id bit: with group execute always, without it
 * only where the task is not of the group (fs/attr.c: setattr_should_drop_sgid).
 */
function setattr_should_drop_sgid(k: Kernel, ino: number): number {
  const { i_mode, i_gid } = inode(k, ino)
  if ((i_mode & S_ISGID) === 0) return 0
  return (i_mode & S_IXGRP) !== 0 || !in_group_or_capable(k, i_gid) ? ATTR_KILL_SGID : 0
}

/**
 * The bits that a write or truncation takes away: set-user-id and set-group-id of a regular file, unless
 * the writer has CAP_FSETID (fs/attr.c: setattr_should_drop_suidgid). File capabilities are not modelled.
 *
 * @returns ATTR_KILL_SUID | ATTR_KILL_SGID, or 0
 */
export function setattr_should_drop_suidgid(k: Kernel, ino: number): number {
  const { i_mode } = inode(k, ino)
  if (!is_reg(i_mode) || capable(k, CAP_FSETID)) return 0
  return ((i_mode & S_ISUID) !== 0 ? ATTR_KILL_SUID : 0) | setattr_should_drop_sgid(k, ino)
}

const has = (attr: SetattrLocals, bit: number): boolean => (attr.valid & bit) !== 0

/**
 * Whether this change is allowed; drops set-group-id from the mode where the task may not set it
 * (fs/attr.c: setattr_prepare).
 *
 * @returns 0, or the first of: EFBIG (size), EPERM (owner, group, mode)
 */
export function setattr_prepare(k: Kernel, attr: SetattrLocals): number {
  const node = inode(k, attr.inode)
  if (has(attr, ATTR_SIZE) && attr.size > node.i_size) {
    if (attr.size > s_maxbytes(k, attr.inode)) return k.refuse(-EFBIG, 'larger than the file system allows')
    exact_size(attr.size)
  }
  if (has(attr, ATTR_FORCE)) return 0
  const owner = current(k).euid === node.i_uid
  if (has(attr, ATTR_UID) && !(owner && attr.uid === node.i_uid) && !capable(k, CAP_CHOWN)) {
    return k.refuse(-EPERM, () => `uid ${current(k).euid} may not give the file away`)
  }
  const own_group = in_group(k, attr.gid) || attr.gid === node.i_gid
  if (has(attr, ATTR_GID) && !(owner && own_group) && !capable(k, CAP_CHOWN)) {
    return k.refuse(-EPERM, () => `uid ${current(k).euid} may not give the file to group ${attr.gid}`)
  }
  if (has(attr, ATTR_MODE)) {
    if (!inode_owner_or_capable(k, attr.inode)) return k.refuse(-EPERM, () => not_owner(k, node.i_uid))
    if (!in_group_or_capable(k, has(attr, ATTR_GID) ? attr.gid : node.i_gid)) attr.mode &= ~S_ISGID
  }
  return 0
}

const not_owner = (k: Kernel, owner: number): string => `uid ${current(k).euid} is not the owner (${owner})`

/** The largest file of the inode's file system (struct super_block: s_maxbytes). */
export const s_maxbytes = (k: Kernel, ino: number): number => inode_ops(k, ino).s_maxbytes ?? MAX_LFS_FILESIZE

/** @throws NotModelled for a size that the file system allows and the model cannot hold exactly */
export function exact_size(size: number): void {
  if (size > LARGEST_EXACT)
    throw new NotModelled(`a file of more than ${LARGEST_EXACT} bytes (2^53 - 1 less a page)`)
}

/**
 * Changes an inode as tmpfs and ext4 do (fs/libfs.c: simple_setattr; fs/attr.c: setattr_copy). A file under
 * fs-verity keeps its size (fs/verity/open.c: __fsverity_prepare_setattr).
 *
 * @returns 0, or the first of: what setattr_prepare answers, EPERM (size under fs-verity)
 */
export function simple_setattr(k: Kernel, attr: SetattrLocals): number {
  const refused = setattr_prepare(k, attr)
  if (refused !== 0) return refused
  const node = inode(k, attr.inode)
  if (has(attr, ATTR_SIZE)) {
    if (node.verity_digest !== '') return k.refuse(-EPERM, 'the file is under fs-verity')
    truncate_setsize(k, attr.inode, attr.size)
  }
  if (has(attr, ATTR_UID)) node.i_uid = attr.uid
  if (has(attr, ATTR_GID)) node.i_gid = attr.gid
  // setattr_copy looks at the group once more: by now the new one.
  if (has(attr, ATTR_MODE)) {
    node.i_mode = in_group_or_capable(k, node.i_gid) ? attr.mode : attr.mode & ~S_ISGID
  }
  return 0
}

/** What stands in the way before the file system is asked (fs/attr.c: may_setattr). */
function may_setattr(k: Kernel, attr: SetattrLocals): number {
  const { i_flags, i_mode } = inode(k, attr.inode)
  if (has(attr, ATTR_MODE | ATTR_UID | ATTR_GID) && (i_flags & (S_IMMUTABLE | S_APPEND)) !== 0) {
    return k.refuse(-EPERM, 'the inode is immutable or append-only')
  }
  if (has(attr, ATTR_MODE) && is_lnk(i_mode)) return k.refuse(-EOPNOTSUPP, 'a symbolic link has no mode')
  return 0
}

/** Turns "take these bits away" into a mode. */
function kill_suid_sgid(k: Kernel, attr: SetattrLocals): void {
  const { i_mode } = inode(k, attr.inode)
  const killed =
    (has(attr, ATTR_KILL_SUID) ? i_mode & S_ISUID : 0) | (has(attr, ATTR_KILL_SGID) ? i_mode & S_ISGID : 0)
  if (killed === 0) return
  attr.valid |= ATTR_MODE
  attr.mode = i_mode & ~killed
}

/**
 * Changes attributes of an inode, whose lock the caller holds: the locals are SetattrLocals.
 *
 * Errors, in order: EPERM (immutable, append-only), EOPNOTSUPP (mode of a symbolic link), what
 * security_inode_setattr answers, EFBIG, EPERM (not the owner, fs-verity), what a stacked file system adds.
 */
export const notify_change = fn('notify_change', { source: 'fs/attr.c', locals: setattr_locals }, [
  stage('notify_change', (k, f) => {
    const barred = may_setattr(k, f)
    if (barred !== 0) return barred
    kill_suid_sgid(k, f)
    // Nothing to change is a change of the time (ATTR_CTIME), which overlay copies up for.
    const denied = security(k, 'inode_setattr', { dentry: f.dentry, valid: f.valid })
    if (denied !== 0) return denied
    if (inode_ops(k, f.inode).setattr === undefined) return simple_setattr(k, f) || done(f)
  }),
  call(
    (k, f) => inode_ops(k, f.inode).setattr ?? null,
    (_, { dentry, inode, valid, mode, uid, gid, size, file }) => ({
      dentry,
      inode,
      valid,
      mode,
      uid,
      gid,
      size,
      file,
    }),
    undefined,
    'setattr',
  ),
])

/** Takes the set-id bits of a file that is written which its writer found are to go (fs/inode.c: file_remove_privs). */
export const file_remove_privs = <L extends { file: number; kill: number }>() =>
  call<L, any>(
    (_, f) => (f.kill === 0 ? null : notify_change),
    (k, f) => ({
      dentry: file(k, f.file).f_dentry,
      inode: file(k, f.file).f_inode,
      valid: f.kill | ATTR_FORCE,
    }),
    undefined,
    'file_remove_privs',
  )

// --- chmod, chown ------------------------------------------------------------------------------------------

const on_path = {
  dfd: int(AT_FDCWD),
  name: str(),
  /** AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
  flags: int(),
  /** The descriptor of an fchmod or fchown; -1 for a path. */
  fd: int(-1),
  mnt: ref('mount'),
  dentry: ref('dentry'),
}
type OnPath = { dfd: number; name: string; flags: number; fd: number; mnt: number; dentry: number }

const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EMPTY_PATH = 0x1000

/** What is named by a descriptor (not one of O_PATH), or by a path after its flags are found good. */
function named_by_fd(k: Kernel, f: Frame<OnPath>): Outcome {
  if (f.fd === -1) {
    return (f.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0 ? -EINVAL : undefined
  }
  const opened = fdget(k, f.fd)
  if (opened === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
  const { f_mnt, f_dentry } = file(k, opened)
  f.mnt = f_mnt
  f.dentry = f_dentry
}

/** Why a descriptor is of no use to a call. */
export function not_open(k: Kernel, fd: number): string {
  return fdget_raw(k, fd) === 0 ? `descriptor ${fd} is not open` : `descriptor ${fd} is only a path (O_PATH)`
}

function lookup_flags(f: OnPath): number {
  const follow = (f.flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0
  return follow | ((f.flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0)
}

const walk = <L extends OnPath>() =>
  call<L, any>(
    (_, f) => (f.fd === -1 ? path_lookupat : null),
    (_, f) => ({ dfd: f.dfd, name: f.name, flags: lookup_flags(f) }),
    (_, f, [mnt, found]: readonly number[]) => {
      f.mnt = mnt!
      f.dentry = found!
    },
    'path_lookupat',
  )

/** The mount may be written, and the inode is locked. */
const lock_to_change = (k: Kernel, f: Frame<OnPath>): Outcome =>
  mnt_want_write(k, f.mnt) || inode_lock(k, f, dentry(k, f.dentry).d_inode)

/**
 * chmod and its family. Errors, in order: EINVAL (flags), EBADF, those of the walk, EROFS (mount), what
 * security_path_chmod answers, those of notify_change.
 */
const chmod_common = fn('chmod_common', { source: 'fs/open.c', locals: { ...on_path, mode: int() } }, [
  local('fdget', named_by_fd),
  walk(),
  stage('inode_lock', (k, f) => {
    const barred = lock_to_change(k, f)
    if (barred) return barred
    const ino = dentry(k, f.dentry).d_inode
    f.mode = (f.mode & S_IALLUGO) | (inode(k, ino).i_mode & ~S_IALLUGO)
    return security(k, 'path_chmod', { path: { mnt: f.mnt, dentry: f.dentry }, mode: f.mode })
  }),
  call(notify_change, (k, f) => ({
    dentry: f.dentry,
    inode: dentry(k, f.dentry).d_inode,
    valid: ATTR_MODE,
    mode: f.mode,
  })),
])

/** An id of -1 is left alone; others are unsigned. */
const KEEP = -1
const as_id = (id: number): number => (id === KEEP ? KEEP : id >>> 0)

/**
 * chown and its family: also the same ids again take set-user-id, set-group-id from a file. Errors, in
 * order: EINVAL (flags), EBADF, those of the walk, EROFS (mount), what security_path_chown answers, those of notify_change.
 */
const chown_common = fn(
  'chown_common',
  { source: 'fs/open.c', locals: { ...on_path, uid: int(KEEP), gid: int(KEEP), valid: int() } },
  [
    local('fdget', named_by_fd),
    walk(),
    stage('inode_lock', (k, f) => {
      const barred = lock_to_change(k, f)
      if (barred) return barred
      const ino = dentry(k, f.dentry).d_inode
      f.valid = (f.uid === KEEP ? 0 : ATTR_UID) | (f.gid === KEEP ? 0 : ATTR_GID)
      if (!is_dir(inode(k, ino).i_mode)) f.valid |= ATTR_KILL_SUID | setattr_should_drop_sgid(k, ino)
      return security(k, 'path_chown', { path: { mnt: f.mnt, dentry: f.dentry }, uid: f.uid, gid: f.gid })
    }),
    call(notify_change, (k, f) => ({
      dentry: f.dentry,
      inode: dentry(k, f.dentry).d_inode,
      valid: f.valid,
      uid: f.uid,
      gid: f.gid,
    })),
  ],
)

const mode: Parameter = {
  name: 'mode',
  kind: 'mode',
  says: '`0o755`; only the twelve lowest bits count',
}
const owner: Parameter = { name: 'owner', kind: 'id', says: 'a user id; -1 leaves it' }
const group: Parameter = { name: 'group', kind: 'id', says: 'a group id; -1 leaves it' }
const flags_param: Parameter = {
  name: 'flags',
  kind: 'flags',
  constants: { AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH },
  constant: 'AtFlag',
  missing: 0,
}
const changes_mode = { fn: chmod_common, ...gives_zero, changes: 'attributes' } as const
const changes_owner = { fn: chown_common, ...gives_zero, changes: 'attributes' } as const
/** -1 means "a path" inside; a descriptor of -1 is as bad as any negative number. */
const as_fd = (fd: number): number => (fd < 0 ? -2 : fd)

define_syscall({
  name: 'chmod',
  says: 'Sets permission bits.',
  prototype: [path(), mode],
  as: ['fchmodat', 'AT_FDCWD', 'pathname', 'mode'],
  locals: (name, mode) => ({ name, mode }),
  ...changes_mode,
})
define_syscall({
  name: 'fchmod',
  says: 'Sets permission bits of what a descriptor has open.',
  prototype: [fd, mode],
  locals: (fd, mode) => ({ fd: as_fd(fd), mode }),
  ...changes_mode,
})
define_syscall({
  name: 'fchmodat',
  says: 'Sets permission bits, from a directory.',
  prototype: [dirfd(), path(), mode, flags_param],
  as: ['fchmodat2', 'dirfd', 'pathname', 'mode', 'flags'],
  locals: (dfd, name, mode, flags) => ({ dfd, name, mode, flags }),
  ...changes_mode,
})
define_syscall({
  name: 'chown',
  says: 'Sets owner and group, through symbolic links.',
  prototype: [path(), owner, group],
  as: ['fchownat', 'AT_FDCWD', 'pathname', 'owner', 'group', '0'],
  locals: (name, uid, gid) => ({ name, uid: as_id(uid), gid: as_id(gid) }),
  ...changes_owner,
})
define_syscall({
  name: 'lchown',
  says: 'Sets owner and group; of a symbolic link those of the link.',
  prototype: [path(), owner, group],
  as: ['fchownat', 'AT_FDCWD', 'pathname', 'owner', 'group', 'AT_SYMLINK_NOFOLLOW'],
  locals: (name, uid, gid) => ({ name, uid: as_id(uid), gid: as_id(gid), flags: AT_SYMLINK_NOFOLLOW }),
  ...changes_owner,
})
define_syscall({
  name: 'fchown',
  says: 'Sets owner and group of what a descriptor has open.',
  prototype: [fd, owner, group],
  locals: (fd, uid, gid) => ({ fd: as_fd(fd), uid: as_id(uid), gid: as_id(gid) }),
  ...changes_owner,
})
define_syscall({
  name: 'fchownat',
  says: 'Sets owner and group, from a directory.',
  prototype: [dirfd(), path(), owner, group, flags_param],
  locals: (dfd, name, uid, gid, flags) => ({ dfd, name, uid: as_id(uid), gid: as_id(gid), flags }),
  ...changes_owner,
})

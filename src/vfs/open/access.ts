/**
 * access: may the real user do this? (fs/open.c: do_faccessat)
 *
 * The question is asked of the real ids, and of the capabilities that a program of that user would have;
 * AT_EACCESS asks of the effective ones. The answer holds for the moment: to rely on it is the oldest race.
 */
import { EACCES, EINVAL, EROFS } from '../../kernel/errno.js'
import { call, fn, hold, local, stage, take } from '../../kernel/fn.js'
import type { Frame, Kernel } from '../../kernel/kernel.js'
import { int, ref, str, table } from '../../kernel/schema.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import { is_reg, is_special } from '../inode.js'
import { mnt_is_readonly, path_noexec } from '../mount.js'
import { d_inode } from '../namei/directory.js'
import { AT_FDCWD, LOOKUP_EMPTY, LOOKUP_FOLLOW, path_lookupat } from '../namei/namei.js'
import { inode_permission, MAY_ACCESS, MAY_EXEC, MAY_READ, MAY_WRITE } from '../namei/permission.js'
import { dirfd, path } from '../parameters.js'
import { current } from '../tasks/task.js'

/** include/uapi/linux/fcntl.h */
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EACCESS = 0x200
const AT_EMPTY_PATH = 0x1000
/** include/uapi/linux/securebits.h: SECBIT_NO_SETUID_FIXUP. */
const SECBIT_NO_SETUID_FIXUP = 4

/** The credentials of a task that runs with others for the length of a call. */
const overridden_cred = table(
  'overridden_cred',
  { cred: { euid: int(), egid: int(), cap_effective: int() } },
  { owned: true },
)

const cred_override = hold(
  'revert_creds',
  (k, id) => {
    const { euid, egid, cap_effective } = overridden_cred(k, id)
    Object.assign(current(k), { euid, egid, cap_effective })
    overridden_cred.remove(k, id)
  },
  { local: true },
)

/**
 * Takes the real ids. A user other than root has no capabilities then; root those that he has (what he is
 * merely permitted is not modelled). Who is the same anyway keeps his credentials (fs/open.c:
 * access_override_creds).
 */
function access_override_creds(k: Kernel, f: Frame<any>): void {
  const task = current(k)
  const { uid, gid, euid, egid, cap_effective } = task
  const keeps_capabilities = uid === 0 || (task.securebits & SECBIT_NO_SETUID_FIXUP) !== 0
  const capabilities = keeps_capabilities ? cap_effective : 0
  if (uid === euid && gid === egid && capabilities === cap_effective) return
  take(f, cred_override, overridden_cred.create(k, { euid, egid, cap_effective }).id)
  Object.assign(task, { euid: uid, egid: gid, cap_effective: capabilities })
}

/**
 * Whether the task may use a file as `mode` says (R_OK 4, W_OK 2, X_OK 1, F_OK 0).
 *
 * Errors, in order: EINVAL (mode, flags); those of the walk; EACCES (X_OK of a regular file on noexec); those
 * of inode_permission; EROFS (W_OK on a read-only mount, except of devices and fifos).
 */
export const do_faccessat = fn(
  'do_faccessat',
  {
    source: 'fs/open.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      mode: int(),
      flags: int(),
      mnt: ref('mount'),
      dentry: ref('dentry'),
    },
  },
  [
    local('access_override_creds', (k, f) => {
      if ((f.mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC)) !== 0) return -EINVAL
      if ((f.flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL
      if ((f.flags & AT_EACCESS) === 0) access_override_creds(k, f)
    }),
    call(
      path_lookupat,
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        flags:
          ((f.flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0) |
          ((f.flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0),
      }),
      (_, f, [mnt, found]: readonly number[]) => {
        f.mnt = mnt!
        f.dentry = found!
      },
    ),
    stage('inode_permission', (k, f) => {
      const { id, i_mode } = d_inode(k, f.dentry)
      if ((f.mode & MAY_EXEC) !== 0 && is_reg(i_mode) && path_noexec(k, f.mnt)) {
        return k.refuse(-EACCES, 'the mount is noexec')
      }
      const denied = inode_permission(k, id, f.mode | MAY_ACCESS)
      if (denied !== 0 || (f.mode & MAY_WRITE) === 0 || is_special(i_mode)) return denied
      return mnt_is_readonly(k, f.mnt) ? k.refuse(-EROFS, 'the mount is read-only') : 0
    }),
  ],
)

const mode = (says: string): Parameter => ({
  name: 'mode',
  kind: 'flags',
  says,
  constants: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 },
  constant: 'AccessMode',
})
const flags = (says: string): Parameter => ({
  name: 'flags',
  kind: 'flags',
  says,
  constants: { AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH },
  constant: 'AccessFlag',
  missing: 0,
})
const asks = {
  fn: do_faccessat,
  returns: 'int',
  gives: '0, or EACCES, EROFS … as an error',
  changes: 'nothing',
} as const

define_syscall({
  name: 'access',
  says: 'Asks whether the real user and group may do something to a file.',
  prototype: [path(), mode("`'R_OK|X_OK'`, or `'F_OK'`: is it there?")],
  as: ['faccessat', 'AT_FDCWD', 'pathname', 'mode'],
  locals: (name, mode) => ({ name, mode }),
  ...asks,
})
define_syscall({
  name: 'faccessat',
  says: 'As `access`, from a directory.',
  prototype: [
    dirfd(),
    path(),
    mode("`'R_OK|X_OK'`, or `'F_OK'`"),
    flags("as the C library has them: `'AT_EACCESS'` asks for the effective user and group"),
  ],
  as: ['faccessat2', 'dirfd', 'pathname', 'mode', 'flags'],
  locals: (dfd, name, mode, flags) => ({ dfd, name, mode, flags }),
  ...asks,
})
define_syscall({
  name: 'faccessat2',
  says: 'As `access`, from a directory, by the system call that takes flags.',
  prototype: [
    dirfd(),
    path(),
    mode("`'R_OK|X_OK'`, or `'F_OK'`"),
    flags("`'AT_EACCESS'` (the effective user and group), `'AT_SYMLINK_NOFOLLOW'`, `'AT_EMPTY_PATH'`"),
  ],
  library: false,
  locals: (dfd, name, mode, flags) => ({ dfd, name, mode, flags }),
  ...asks,
})

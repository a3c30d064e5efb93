/**
 * Taking names away: unlink, rmdir (fs/namei.c).
 *
 *     unlink('/m/old')
 *       path_parentat     '/m'
 *       do_unlinkat       EROFS; lock '/m': ENOENT; path_unlink; may it be deleted
 *       vfs_unlink        lock the victim: EBUSY; inode_unlink
 *       unlink            the file system takes the name away; unlock both
 *
 * A read-only mount is found out before the name is even looked up. Open files and mappings of the victim
 * stay as they are.
 */
import { EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM } from '../../kernel/errno.js'
import { attempt, call, done, fn, local, release, stage } from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall } from '../../kernel/syscall.js'
import { dentry, ihold, iput } from '../dentry.js'
import { is_dir } from '../inode.js'
import { inode_rwsem } from '../lock.js'
import { dirfd, gives_zero, path } from '../parameters.js'
import { ops_of } from '../super_block.js'
import { check_mountpoint, d_inode, may_delete, under_inode_lock } from './directory.js'
import { AT_FDCWD, last_component, lookup_slow, mnt_want_write, path_parentat } from './namei.js'

/** include/uapi/linux/fcntl.h */
export const AT_REMOVEDIR = 0x200

const removal = {
  dfd: int(AT_FDCWD),
  name: str(),
  mnt: ref('mount'),
  parent: ref('dentry'),
  victim: ref('dentry'),
}
type Removal = Frame<ValuesOf<typeof removal>>

/** The directory of the name; `.`, `..` and `/` cannot be taken away, and each call says so in its way. */
function parent_of_victim(refused: { dot: number; dotdot: number; root: number }) {
  return call<ValuesOf<typeof removal>>(
    path_parentat,
    (_, f) => ({ dfd: f.dfd, name: f.name }),
    (k, f, [mnt, parent]: readonly number[]) => {
      f.mnt = mnt!
      f.parent = parent!
      const { type } = last_component(f.name)
      if (type !== 'norm') return k.refuse(refused[type], 'the last component is . or .. or /')
    },
  )
}

/** Locks the directory, finds the name in it, and lets `may` judge it. */
function lock_parent(
  k: Kernel,
  f: Removal,
  may: (victim: number, trailing_slash: boolean) => number,
): Outcome {
  const read_only = mnt_want_write(k, f.mnt)
  if (read_only !== 0) return read_only
  return under_inode_lock(k, f, dentry(k, f.parent).d_inode, () => {
    const { name, trailing_slash } = last_component(f.name)
    const found = lookup_slow(k, f.parent, name)
    if (found < 0) return found
    if (found === 0) return k.refuse(-ENOENT, () => `no ${name} there`)
    f.victim = found
    return may(found, trailing_slash)
  })
}

/** Locks what loses its name. It stays until both locks are back, though nothing else may refer to it. */
function lock_victim(k: Kernel, f: Removal, hook: 'inode_unlink' | 'inode_rmdir'): Outcome {
  const ino = dentry(k, f.victim).d_inode
  return under_inode_lock(k, f, ino, () => {
    const failed = check_mountpoint(k, f.victim) || security(k, hook, { dentry: f.victim })
    if (failed === 0) ihold(k, ino)
    return failed
  })
}

/** The file system takes the name away; with that, in the same stage, the locks go back. */
const remove_name = attempt<ValuesOf<typeof removal>>(
  (k, f) => ops_of(k, dentry(k, f.victim).d_sb).unlink ?? null,
  (_, f) => ({ dentry: f.victim }),
  (k, f, ret: number) => {
    const victim = f.holds[f.holds.length - 1]!
    release(k, f, inode_rwsem)
    release(k, f, inode_rwsem)
    iput(k, victim)
    return ret < 0 ? ret : done(f)
  },
  'unlink',
)

/** A type that has no such operation (its superblock is read-only, so nothing comes here). */
const without_operation = local<ValuesOf<typeof removal>>('i_op', () => -EPERM)

/**
 * Takes the name of a file away.
 *
 * Errors, in order: those of the walk; EISDIR (`.`, `..`, `/`); EROFS (mount, also where the name is not
 * there); ENOENT, ENAMETOOLONG; with a trailing slash EISDIR or ENOTDIR; path_unlink; EROFS (superblock),
 * EACCES, EPERM, EISDIR of may_delete; EBUSY (something is mounted on it); inode_unlink.
 */
export const do_unlinkat = fn('do_unlinkat', { source: 'fs/namei.c', locals: removal }, [
  parent_of_victim({ dot: -EISDIR, dotdot: -EISDIR, root: -EISDIR }),
  stage('do_unlinkat', (k, f) =>
    lock_parent(k, f, (victim, trailing_slash) => {
      if (trailing_slash) return is_dir(d_inode(k, victim).i_mode) ? -EISDIR : -ENOTDIR
      return (
        security(k, 'path_unlink', { dir: { mnt: f.mnt, dentry: f.parent }, dentry: victim }) ||
        may_delete(k, f.parent, victim, false)
      )
    }),
  ),
  stage('vfs_unlink', (k, f) => lock_victim(k, f, 'inode_unlink')),
  remove_name,
  without_operation,
])

/**
 * Takes an empty directory away.
 *
 * Errors, in order: those of the walk; ENOTEMPTY (`..`), EINVAL (`.`), EBUSY (`/`); EROFS (mount, also where
 * the name is not there); ENOENT, ENAMETOOLONG; path_rmdir; EROFS (superblock), EACCES, EPERM, ENOTDIR of
 * may_delete; EBUSY (something is mounted on it); inode_rmdir; ENOTEMPTY.
 */
export const do_rmdir = fn('do_rmdir', { source: 'fs/namei.c', locals: removal }, [
  parent_of_victim({ dot: -EINVAL, dotdot: -ENOTEMPTY, root: -EBUSY }),
  stage('do_rmdir', (k, f) =>
    lock_parent(
      k,
      f,
      (victim) =>
        security(k, 'path_rmdir', { dir: { mnt: f.mnt, dentry: f.parent }, dentry: victim }) ||
        may_delete(k, f.parent, victim, true),
    ),
  ),
  stage('vfs_rmdir', (k, f) => lock_victim(k, f, 'inode_rmdir')),
  remove_name,
  without_operation,
])

const unlinkat = fn('unlinkat', { source: 'fs/namei.c', locals: { ...removal, flags: int() } }, [
  local('flags', (_, f) => ((f.flags & ~AT_REMOVEDIR) !== 0 ? -EINVAL : 0)),
  call(
    (_, f) => ((f.flags & AT_REMOVEDIR) !== 0 ? do_rmdir : do_unlinkat),
    (_, f) => ({ dfd: f.dfd, name: f.name }),
    undefined,
    'do_unlinkat',
  ),
])

const removes = { ...gives_zero, changes: 'names' } as const

define_syscall({
  name: 'unlink',
  says: 'Takes a name away; the file goes with its last name and the last descriptor.',
  prototype: [path()],
  as: ['unlinkat', 'AT_FDCWD', 'pathname', '0'],
  fn: do_unlinkat,
  locals: (name) => ({ name }),
  ...removes,
})
define_syscall({
  name: 'rmdir',
  says: 'Takes an empty directory away.',
  prototype: [path()],
  as: ['unlinkat', 'AT_FDCWD', 'pathname', 'AT_REMOVEDIR'],
  fn: do_rmdir,
  locals: (name) => ({ name }),
  ...removes,
})
define_syscall({
  name: 'unlinkat',
  says: 'Takes a name away, from a directory.',
  prototype: [
    dirfd(),
    path(),
    {
      name: 'flags',
      kind: 'choice',
      says: "`'AT_REMOVEDIR'`: an empty directory, as `rmdir`",
      constants: { AT_REMOVEDIR },
      constant: 'UnlinkFlag',
      missing: 0,
    },
  ],
  fn: unlinkat,
  locals: (dfd, name, flags) => ({ dfd, name, flags }),
  ...removes,
})

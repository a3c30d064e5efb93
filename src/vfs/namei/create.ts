/**
 * Making names: mkdir, mknod, symlink (fs/namei.c).
 *
 *     mkdir('/m/new')
 *       path_parentat             '/m'
 *       filename_create           lock '/m': EEXIST, EROFS; path_mkdir; may '/m' be written; inode_mkdir
 *       create                    the file system makes it; unlock '/m'
 *
 * That the name exists is found out before anything that would stand in the way of making it: a read-only
 * mount, the directory's mode bits, a module.
 */
import { EEXIST, EINVAL, ENOENT, EPERM } from '../../kernel/errno.js'
import { call, done, fn, local, release, stage } from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import type { Path } from '../../kernel/lsm_hook_defs.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import { dentry } from '../dentry.js'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISVTX } from '../inode.js'
import { inode_rwsem } from '../lock.js'
import { dirfd, gives_zero, new_mode, path } from '../parameters.js'
import { ops_of } from '../super_block.js'
import { CAP_MKNOD, capable } from '../tasks/task.js'
import { may_create, no_operation, under_inode_lock, vfs_prepare_mode } from './directory.js'
import { AT_FDCWD, getname, last_component, lookup_slow, mnt_want_write, path_parentat } from './namei.js'

const creation = {
  dfd: int(AT_FDCWD),
  name: str(),
  /** As the caller gave it; once the parent is locked, as the file system gets it. */
  mode: int(),
  target: str(),
  rdev: int(),
  mnt: ref('mount'),
  parent: ref('dentry'),
}
type Creation = Frame<ValuesOf<typeof creation>>

/** What stands in the way of the new name before its directory is asked, and after. Both: 0 or a negative errno. */
interface Permits {
  path_hook(k: Kernel, f: Creation, name: string): number
  inode_hook(k: Kernel, f: Creation, name: string): number
}

/** The directory of the new name; `.`, `..` and `/` exist already (fs/namei.c: filename_create). */
const filename_parentat = call<ValuesOf<typeof creation>>(
  path_parentat,
  (_, f) => ({ dfd: f.dfd, name: f.name }),
  (k, f, [mnt, parent]: readonly number[]) => {
    f.mnt = mnt!
    f.parent = parent!
    const { type } = last_component(f.name)
    return type === 'norm' ? undefined : k.refuse(-EEXIST, 'the last component is a directory that exists')
  },
)

const directory_of = ({ mnt, parent }: Creation): Path => ({ mnt, dentry: parent })

/** fs/namei.c: filename_create, with the lock held from here on. */
function filename_create(k: Kernel, f: Creation, permits: Permits): Outcome {
  return under_inode_lock(k, f, dentry(k, f.parent).d_inode, () => {
    const failed = check_new_name(k, f.mnt, f.parent, f.name, (f.mode & S_IFMT) === S_IFDIR)
    if (failed !== 0) return failed
    const { name } = last_component(f.name)
    return permits.path_hook(k, f, name) || may_create(k, f.parent) || permits.inode_hook(k, f, name)
  })
}

/**
 * Whether a name can be made in a locked directory: the part that all creators share.
 *
 * @returns 0, or the first of: -ENOENT (removed directory), -ENAMETOOLONG, -EEXIST, -ENOENT (`new/` for
 *   what is no directory), -EROFS
 */
export function check_new_name(
  k: Kernel,
  mnt: number,
  parent: number,
  path: string,
  want_dir: boolean,
): number {
  const last = last_component(path)
  const found = lookup_slow(k, parent, last.name)
  if (found < 0) return found
  if (found !== 0) return k.refuse(-EEXIST, () => `${last.name} exists`)
  if (last.trailing_slash && !want_dir) return k.refuse(-ENOENT, 'a trailing slash asks for a directory')
  return mnt_want_write(k, mnt)
}

/** The file system makes it, and the directory's lock goes back. */
const create = call<ValuesOf<typeof creation>>(
  (k, f) => ops_of(k, dentry(k, f.parent).d_sb).create ?? null,
  (_, f) => ({
    parent: f.parent,
    name: last_component(f.name).name,
    mode: f.mode,
    target: f.target,
    rdev: f.rdev,
  }),
  (k, f) => {
    release(k, f, inode_rwsem)
    return done(f)
  },
  'create',
)

/** What a type answers that cannot make this. */
const without_operation = local<ValuesOf<typeof creation>>('i_op', (_, f) =>
  no_operation((f.mode & S_IFMT) === S_IFREG),
)

/**
 * Makes a directory.
 *
 * Errors, in order: those of the walk; EEXIST (`.`, `..`, `/`); ENOENT (the parent was removed),
 * ENAMETOOLONG, EEXIST, EROFS (mount); path_mkdir; EROFS (superblock), EPERM (immutable), EACCES;
 * inode_mkdir.
 */
export const do_mkdirat = fn('do_mkdirat', { source: 'fs/namei.c', locals: creation }, [
  filename_parentat,
  stage('filename_create', (k, f) =>
    filename_create(k, f, {
      path_hook: (k, f, name) =>
        security(k, 'path_mkdir', { dir: directory_of(f), name, mode: masked(k, f) }),
      inode_hook: (k, f, name) => {
        // mkdir takes permission bits and the sticky bit; set-id bits come from the directory alone.
        f.mode = S_IFDIR | (vfs_prepare_mode(k, f.parent, f.mode) & (0o777 | S_ISVTX))
        return security(k, 'inode_mkdir', { parent: f.parent, name, mode: f.mode })
      },
    }),
  ),
  create,
  without_operation,
])

const masked = (k: Kernel, f: Creation): number =>
  (f.mode & S_IFMT) | vfs_prepare_mode(k, f.parent, f.mode & 0o7777)

/** Which types mknod makes (fs/namei.c: may_mknod); no type means a regular file. @returns 0, -EPERM or -EINVAL */
function may_mknod(k: Kernel, f: Creation): number {
  const type = f.mode & S_IFMT
  if (type === 0) f.mode |= S_IFREG
  else if (type === S_IFDIR) return k.refuse(-EPERM, 'mknod makes no directories')
  else if (![S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK].includes(type)) return -EINVAL
  return 0
}

/** A device needs CAP_MKNOD, unless it is a whiteout: character device 0/0 (fs/namei.c: vfs_mknod). */
function may_make_device(k: Kernel, f: Creation): number {
  const type = f.mode & S_IFMT
  if (type !== S_IFCHR && type !== S_IFBLK) {
    f.rdev = 0
    return 0
  }
  const is_whiteout = type === S_IFCHR && f.rdev === 0
  return is_whiteout || capable(k, CAP_MKNOD) ? 0 : k.refuse(-EPERM, 'CAP_MKNOD is missing')
}

/**
 * Makes a regular file, a device, a fifo or a socket.
 *
 * Errors, in order: EPERM (a directory), EINVAL (another type); those of the walk; EEXIST, ENOENT (`new/`),
 * EROFS; path_mknod; EROFS, EPERM (immutable), EACCES of the parent; EPERM (CAP_MKNOD); inode_mknod, or
 * inode_create for a regular file.
 */
export const do_mknodat = fn('do_mknodat', { source: 'fs/namei.c', locals: creation }, [
  local('may_mknod', may_mknod),
  filename_parentat,
  stage('filename_create', (k, f) =>
    filename_create(k, f, {
      path_hook: (k, f, name) =>
        security(k, 'path_mknod', { dir: directory_of(f), name, mode: masked(k, f), dev: f.rdev }),
      inode_hook: (k, f, name) => {
        const refused = may_make_device(k, f)
        if (refused !== 0) return refused
        f.mode = masked(k, f)
        const hook = (f.mode & S_IFMT) === S_IFREG ? 'inode_create' : 'inode_mknod'
        return security(k, hook, { parent: f.parent, name, mode: f.mode })
      },
    }),
  ),
  create,
  without_operation,
])

/**
 * Makes a symbolic link; its mode is always 0777.
 *
 * Errors, in order: EFAULT, ENOENT, ENAMETOOLONG of the target; those of the walk; EEXIST, ENOENT (`new/`),
 * EROFS; path_symlink; EROFS, EPERM (immutable), EACCES of the parent; inode_symlink.
 */
export const do_symlinkat = fn('do_symlinkat', { source: 'fs/namei.c', locals: creation }, [
  local('getname', (_, f) => {
    f.mode = S_IFLNK | 0o777
    return getname(f.target, 0)
  }),
  filename_parentat,
  stage('filename_create', (k, f) =>
    filename_create(k, f, {
      path_hook: (k, f, name) =>
        security(k, 'path_symlink', { dir: directory_of(f), name, target: f.target }),
      inode_hook: (k, f, name) => security(k, 'inode_symlink', { parent: f.parent, name, target: f.target }),
    }),
  ),
  create,
  without_operation,
])

const file_types = { S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFDIR }
const directory_mode = new_mode('permission bits, less the umask: `0o755`')
const node_mode: Parameter = {
  ...new_mode("type and permission bits: `'S_IFIFO|0644'`; less the umask"),
  constants: file_types,
  constant: 'FileType',
}
const dev: Parameter = {
  name: 'dev',
  kind: 'device',
  says: 'the number of a device: major and minor as one number, as in C',
  missing: 0,
}
const target: Parameter = {
  name: 'target',
  kind: 'text',
  says: 'what the link says; nobody looks whether it is there',
}
const makes = { ...gives_zero, changes: 'names' } as const

define_syscall({
  name: 'mkdir',
  says: 'Makes a directory.',
  prototype: [path(), directory_mode],
  as: ['mkdirat', 'AT_FDCWD', 'pathname', 'mode'],
  fn: do_mkdirat,
  locals: (name, mode) => ({ name, mode: S_IFDIR | (mode & 0o7777) }),
  ...makes,
})
define_syscall({
  name: 'mkdirat',
  says: 'Makes a directory, from a directory.',
  prototype: [dirfd(), path(), directory_mode],
  fn: do_mkdirat,
  locals: (dfd, name, mode) => ({ dfd, name, mode: S_IFDIR | (mode & 0o7777) }),
  ...makes,
})
define_syscall({
  name: 'mknod',
  says: 'Makes a file of any type.',
  prototype: [path(), node_mode, dev],
  as: ['mknodat', 'AT_FDCWD', 'pathname', 'mode', 'dev'],
  fn: do_mknodat,
  locals: (name, mode, rdev) => ({ name, mode: mode & 0xffff, rdev: rdev >>> 0 }),
  ...makes,
})
define_syscall({
  name: 'mknodat',
  says: 'Makes a file of any type, from a directory.',
  prototype: [dirfd(), path(), node_mode, dev],
  fn: do_mknodat,
  locals: (dfd, name, mode, rdev) => ({ dfd, name, mode: mode & 0xffff, rdev: rdev >>> 0 }),
  ...makes,
})
define_syscall({
  name: 'symlink',
  says: 'Makes a symbolic link.',
  prototype: [target, path('linkpath', 'where the link is made')],
  as: ['symlinkat', 'target', 'AT_FDCWD', 'linkpath'],
  fn: do_symlinkat,
  locals: (target, name) => ({ target, name }),
  ...makes,
})
define_syscall({
  name: 'symlinkat',
  says: 'Makes a symbolic link, from a directory.',
  prototype: [
    target,
    dirfd('newdirfd', "where a relative `linkpath` begins: an open directory, or `'AT_FDCWD'`"),
    path('linkpath'),
  ],
  fn: do_symlinkat,
  locals: (target, dfd, name) => ({ target, dfd, name }),
  ...makes,
})

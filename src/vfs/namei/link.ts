/**
 * Hard links and the text of symbolic links (fs/namei.c: do_linkat, vfs_link; fs/stat.c: do_readlinkat).
 *
 *     link('/m/file', '/m/name')
 *       path_lookupat      the file
 *       path_parentat      the new name's directory
 *       filename_create    lock the directory: EEXIST, EROFS; EXDEV; protected_hardlinks; path_link; DAC; inode_link
 *       vfs_link           lock the file: it must still have a name
 *       link               the file system adds the name; unlock both
 */
import { EEXIST, EINVAL, ENOENT, EPERM, EXDEV } from '../../kernel/errno.js'
import { attempt, call, done, fn, local, stage } from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import { inode_owner_or_capable } from '../attributes/attr.js'
import { dentry } from '../dentry.js'
import { file } from '../file.js'
import { fdget_raw } from '../files/file_table.js'
import { is_dir, is_lnk, is_reg, S_APPEND, S_IMMUTABLE, S_ISGID, S_ISUID } from '../inode.js'
import { inode_rwsem } from '../lock.js'
import { dirfd, gives_zero, path } from '../parameters.js'
import { ops_of } from '../super_block.js'
import { CAP_DAC_READ_SEARCH, capable, copy_to_user, current } from '../tasks/task.js'
import { check_new_name } from './create.js'
import { d_inode, may_create, release_all, under_inode_lock } from './directory.js'
import {
  AT_FDCWD,
  get_link,
  getname,
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  last_component,
  path_lookupat,
  path_parentat,
} from './namei.js'
import { inode_permission, MAY_READ, MAY_WRITE } from './permission.js'

/** include/uapi/linux/fcntl.h */
export const AT_SYMLINK_FOLLOW = 0x400
const AT_EMPTY_PATH = 0x1000

const linking = {
  olddfd: int(AT_FDCWD),
  old: str(),
  newdfd: int(AT_FDCWD),
  name: str(),
  flags: int(),
  old_mnt: ref('mount'),
  old_dentry: ref('dentry'),
  mnt: ref('mount'),
  parent: ref('dentry'),
}
type Linking = Frame<ValuesOf<typeof linking>>

/**
 * Gives a file another name.
 *
 * Errors, in order: EINVAL (flags); ENOENT (AT_EMPTY_PATH with a descriptor of other credentials); those of the walk
 * to the file; those of the walk to the new name; EEXIST, ENOENT (`new/`), EROFS; EXDEV (another mount, even
 * of the same file system); EPERM (protected_hardlinks); path_link; EROFS (superblock), EACCES of the
 * directory; EPERM (append-only, immutable, a directory); inode_link; ENOENT (it has lost its last name).
 */
export const do_linkat = fn('do_linkat', { source: 'fs/namei.c', locals: linking }, [
  local('flags', check_flags),
  call(
    path_lookupat,
    (_, f) => ({
      dfd: f.olddfd,
      name: f.old,
      flags:
        ((f.flags & AT_SYMLINK_FOLLOW) !== 0 ? LOOKUP_FOLLOW : 0) |
        ((f.flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0),
    }),
    (_, f, [mnt, found]: readonly number[]) => {
      f.old_mnt = mnt!
      f.old_dentry = found!
    },
  ),
  call(
    path_parentat,
    (_, f) => ({ dfd: f.newdfd, name: f.name }),
    (k, f, [mnt, parent]: readonly number[]) => {
      f.mnt = mnt!
      f.parent = parent!
      const { type } = last_component(f.name)
      return type === 'norm' ? undefined : k.refuse(-EEXIST, 'the last component is a directory that exists')
    },
  ),
  stage('filename_create', (k, f) =>
    under_inode_lock(
      k,
      f,
      dentry(k, f.parent).d_inode,
      () => check_new_name(k, f.mnt, f.parent, f.name, false) || may_link(k, f),
    ),
  ),
  stage('vfs_link', lock_source),
  attempt(
    (k, f) => ops_of(k, dentry(k, f.parent).d_sb).link ?? null,
    (k, f) => ({
      inode: dentry(k, f.old_dentry).d_inode,
      parent: f.parent,
      name: last_component(f.name).name,
      old_dentry: f.old_dentry,
    }),
    (k, f, ret: number) => {
      if (ret >= 0) d_inode(k, f.old_dentry).i_linkable = 0
      release_all(k, f, inode_rwsem)
      return ret < 0 ? ret : done(f)
    },
    'link',
  ),
  local('i_op', () => -EPERM),
])

/**
 * A descriptor is a name for linkat only to whoever opened it, or with CAP_DAC_READ_SEARCH: the struct cred must
 * be the very one of the open, which a fork, an exec or a change of securebits replaces (fs/namei.c: path_init,
 * since 6.10).
 */
function check_flags(k: Kernel, f: Linking): number {
  if ((f.flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL
  if ((f.flags & AT_EMPTY_PATH) === 0 || f.olddfd === AT_FDCWD || f.old.startsWith('/')) return 0
  if (getname(f.old, LOOKUP_EMPTY) !== 0) return 0
  const opened = fdget_raw(k, f.olddfd)
  if (opened === 0 || file(k, opened).f_cred === current(k).cred || capable(k, CAP_DAC_READ_SEARCH)) return 0
  return k.refuse(-ENOENT, 'the descriptor was opened with other credentials')
}

function may_link(k: Kernel, f: Linking): number {
  if (f.old_mnt !== f.mnt) return k.refuse(-EXDEV, 'the file and the new name are on different mounts')
  const { name } = last_component(f.name)
  const refused =
    may_linkat(k, f.old_dentry) ||
    security(k, 'path_link', { old_dentry: f.old_dentry, new_dir: { mnt: f.mnt, dentry: f.parent }, name }) ||
    may_create(k, f.parent)
  if (refused !== 0) return refused
  const node = d_inode(k, f.old_dentry)
  if (node.i_sb !== d_inode(k, f.parent).i_sb) return -EXDEV
  if ((node.i_flags & (S_APPEND | S_IMMUTABLE)) !== 0)
    return k.refuse(-EPERM, 'the inode is append-only or immutable')
  if (is_dir(node.i_mode)) return k.refuse(-EPERM, 'a directory has one name only')
  return security(k, 'inode_link', { old_dentry: f.old_dentry, parent: f.parent, name })
}

/**
 * With fs.protected_hardlinks=1 a file of somebody else can be linked only if it is a regular file without
 * privileges, and may be read and written (fs/namei.c: may_linkat, safe_hardlink_source).
 */
function may_linkat(k: Kernel, old: number): number {
  const { id, i_mode } = d_inode(k, old)
  if (inode_owner_or_capable(k, id)) return 0
  const privileged = (i_mode & S_ISUID) !== 0 || (i_mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010)
  if (is_reg(i_mode) && !privileged && inode_permission(k, id, MAY_READ | MAY_WRITE) === 0) return 0
  return k.refuse(
    -EPERM,
    'protected_hardlinks: not the owner, and not a plain file that may be read and written',
  )
}

/** A file that has lost its last name gets no other, unless it never had one (O_TMPFILE, I_LINKABLE). */
function lock_source(k: Kernel, f: Linking): Outcome {
  const { id, i_nlink, i_linkable } = d_inode(k, f.old_dentry)
  return under_inode_lock(k, f, id, () =>
    i_nlink === 0 && i_linkable === 0 ? k.refuse(-ENOENT, 'the file has lost its last name') : 0,
  )
}

/**
 * What a symbolic link points to.
 *
 * Errors, in order: EINVAL (`bufsiz` not positive); those of the walk, which does not follow the last
 * component; EINVAL (not a symbolic link; ENOENT if the path is empty); inode_readlink.
 */
export const do_readlinkat = fn(
  'do_readlinkat',
  {
    source: 'fs/stat.c',
    locals: { dfd: int(AT_FDCWD), name: str(), bufsiz: int(), dentry: ref('dentry') },
  },
  [
    local('bufsiz', (_, f) => (f.bufsiz <= 0 ? -EINVAL : 0)),
    call(
      path_lookupat,
      (_, f) => ({ dfd: f.dfd, name: f.name, flags: LOOKUP_EMPTY }),
      (_, f, [, found]: readonly number[]) => {
        f.dentry = found!
      },
    ),
    stage('vfs_readlink', (k, f) => {
      const { id, i_mode } = d_inode(k, f.dentry)
      if (!is_lnk(i_mode)) return k.refuse(f.name === '' ? -ENOENT : -EINVAL, 'not a symbolic link')
      const refused = security(k, 'inode_readlink', { dentry: f.dentry })
      if (refused !== 0) return refused
      const text = vfs_readlink(k, f.dentry)
      if (typeof text === 'number') return text
      const target = text.slice(0, f.bufsiz)
      copy_to_user(k, target, id)
      return done(f, target.length)
    }),
  ],
)

/** The text of a symbolic link, or what its file system says where it has none (fs/namei.c: vfs_readlink). */
function vfs_readlink(k: Kernel, link: number): string | number {
  const said = ops_of(k, dentry(k, link).d_sb).readlink?.(k, link)
  if (said !== undefined) return said
  const target = get_link(k, link)
  return typeof target === 'object' ? -EINVAL : target
}

const oldpath = path('oldpath')
const newpath = path('newpath')
const links = { fn: do_linkat, ...gives_zero, changes: 'names' } as const
const filled_buf = { name: 'buf', kind: 'filled', size: 'bufsiz' } as const
const bufsiz: Parameter = {
  name: 'bufsiz',
  kind: 'int',
  says: 'bytes at most, 4096 unless told; the buffer of C is left out',
  missing: 4096,
}
const reads_link = {
  fn: do_readlinkat,
  returns: 'bytes',
  gives: 'the bytes, without one at the end',
  changes: 'nothing',
} as const

define_syscall({
  name: 'link',
  says: 'Gives a file a second name; a symbolic link is linked itself.',
  prototype: [oldpath, newpath],
  as: ['linkat', 'AT_FDCWD', 'oldpath', 'AT_FDCWD', 'newpath', '0'],
  locals: (old, name) => ({ old, name }),
  ...links,
})
define_syscall({
  name: 'linkat',
  says: 'As `link`, each path from a directory.',
  prototype: [
    dirfd('olddirfd', "where a relative `oldpath` begins: an open directory, or `'AT_FDCWD'`"),
    oldpath,
    dirfd('newdirfd', 'where a relative `newpath` begins'),
    newpath,
    {
      name: 'flags',
      kind: 'flags',
      says: "`'AT_SYMLINK_FOLLOW'`; with `'AT_EMPTY_PATH'` and the path `''` what `olddirfd` has open",
      constants: { AT_SYMLINK_FOLLOW, AT_EMPTY_PATH },
      constant: 'LinkFlag',
      missing: 0,
    },
  ],
  locals: (olddfd, old, newdfd, name, flags) => ({ olddfd, old, newdfd, name, flags }),
  ...links,
})
define_syscall({
  name: 'readlink',
  says: 'What a symbolic link says.',
  prototype: [path(), filled_buf, bufsiz],
  as: ['readlinkat', 'AT_FDCWD', 'pathname', 'buf', 'bufsiz'],
  locals: (name, bufsiz) => ({ name, bufsiz }),
  ...reads_link,
})
define_syscall({
  name: 'readlinkat',
  says: 'What a symbolic link says, from a directory.',
  prototype: [dirfd(), path(), filled_buf, bufsiz],
  locals: (dfd, name, bufsiz) => ({ dfd, name, bufsiz }),
  ...reads_link,
})

/** What a file is (fs/stat.c). Times and block counts are not modelled. */
import { EBADF, EINVAL } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import type { Frame, Kernel } from '../../kernel/kernel.js'
import { int, ref, str } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Filled } from '../../kernel/syscall.js'
import { dentry } from '../dentry.js'
import { file } from '../file.js'
import { fdget_raw } from '../files/file_table.js'
import { inode, inode_ops, is_dir, PAGE_SIZE } from '../inode.js'
import { AT_FDCWD, LOOKUP_EMPTY, LOOKUP_FOLLOW, path_lookupat } from '../namei/namei.js'
import { dirfd, fd, path } from '../parameters.js'

export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_NO_AUTOMOUNT = 0x800
export const AT_EMPTY_PATH = 0x1000

/** Fields of struct stat that the model knows, in the order in which `vfs_getattr` lists them. */
const stat_fields = [
  'st_dev',
  'st_ino',
  'st_mode',
  'st_nlink',
  'st_uid',
  'st_gid',
  'st_rdev',
  'st_size',
  'st_blksize',
] as const
export type Stat = Readonly<Record<(typeof stat_fields)[number], number>>

/**
 * The attributes of an inode. A stacked file system answers with a device of its own and the real inode's rest.
 * One step, although the kernel copies field by field without a lock: no rule modelled here tells them apart.
 */
function vfs_getattr(k: Kernel, at: number): readonly number[] | number {
  const refused = security(k, 'inode_getattr', { dentry: at })
  if (refused !== 0) return refused
  const { d_inode, d_sb } = dentry(k, at)
  const { i_mode, i_uid, i_gid, i_size } = inode(k, getattr_inode(k, d_inode))
  const ino = inode_ops(k, d_inode).stat_ino?.(k, d_inode) ?? d_inode
  return [
    inode_ops(k, d_inode).stat_dev?.(k, d_inode) ?? d_sb,
    ino,
    i_mode,
    inode_ops(k, d_inode).stat_nlink?.(k, d_inode) ?? links(k, d_inode),
    i_uid,
    i_gid,
    inode(k, d_inode).i_rdev,
    i_size,
    inode_ops(k, d_inode).st_blksize ?? PAGE_SIZE,
  ]
}

/** The inode whose attributes are told: that of a stacked one is asked, which may be stacked again (fs/overlayfs/inode.c: ovl_getattr). */
function getattr_inode(k: Kernel, ino: number): number {
  const real = inode_ops(k, ino).getattr_inode?.(k, ino)
  return real === undefined ? ino : getattr_inode(k, real)
}

/** A merged directory of an overlay counts as one link, also for an overlay on top, whatever its real one counts. */
function links(k: Kernel, ino: number): number {
  const { i_mode, i_nlink } = inode(k, ino)
  const real = inode_ops(k, ino).getattr_inode?.(k, ino)
  return real === undefined || (is_dir(i_mode) && i_nlink === 1) ? i_nlink : links(k, real)
}

function answer(f: Frame<any>, attributes: readonly number[] | number) {
  return typeof attributes === 'number' ? attributes : done(f, attributes)
}

const vfs_fstat = fn('vfs_fstat', { source: 'fs/stat.c', locals: { fd: int() } }, [
  stage('vfs_getattr', (k, f) => {
    const opened = fdget_raw(k, f.fd)
    if (opened === 0) return k.refuse(-EBADF, () => `descriptor ${f.fd} is not open`)
    return answer(f, vfs_getattr(k, file(k, opened).f_dentry))
  }),
])

const vfs_statx = fn(
  'vfs_statx',
  { source: 'fs/stat.c', locals: { dfd: int(AT_FDCWD), name: str(), flags: int(), dentry: ref('dentry') } },
  [
    call(
      path_lookupat,
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        flags:
          ((f.flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) |
          ((f.flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0),
      }),
      (_, f, [, found]: readonly number[]) => {
        f.dentry = found!
      },
    ),
    stage('vfs_getattr', (k, f) => answer(f, vfs_getattr(k, f.dentry))),
  ],
)

const newfstatat = fn(
  'newfstatat',
  { source: 'fs/stat.c', locals: { dfd: int(AT_FDCWD), name: str(), flags: int() } },
  [
    local('flags', (_, f) =>
      (f.flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) !== 0 ? -EINVAL : 0,
    ),
    call(
      vfs_statx,
      (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.flags }),
      (_, f, attributes: readonly number[]) => done(f, attributes),
    ),
  ],
)

const says: Readonly<Record<(typeof stat_fields)[number], string>> = {
  st_dev: 'Number of the device; the same for all files of one file system.',
  st_ino: 'Number of the inode; 0 of what proc computes, whose numbers do not last.',
  st_mode: 'Type and permission bits.',
  st_nlink: 'How many names the file has.',
  st_uid: 'Owner.',
  st_gid: 'Group.',
  st_rdev: 'Of a device file: which device.',
  st_size: 'Size in bytes.',
  st_blksize: 'Bytes that are best moved at once: 4096, on proc 1024.',
}
const statbuf: Filled = {
  name: 'statbuf',
  kind: 'filled',
  struct: { name: 'stat', fields: stat_fields, says },
}
const looks = {
  returns: 'struct',
  gives: 'fields for later calls: `st.st_size` in bytes, `st.st_mode` …; times are not modelled',
  changes: 'nothing',
} as const

define_syscall({
  name: 'fstat',
  says: 'What a descriptor has open.',
  prototype: [fd, statbuf],
  fn: vfs_fstat,
  locals: (fd) => ({ fd }),
  ...looks,
})
define_syscall({
  name: 'stat',
  says: 'What a path leads to, through symbolic links.',
  prototype: [path(), statbuf],
  as: ['newfstatat', 'AT_FDCWD', 'pathname', 'statbuf', '0'],
  fn: newfstatat,
  locals: (name) => ({ name }),
  ...looks,
})
define_syscall({
  name: 'lstat',
  says: 'What a path leads to; of a symbolic link at its end the link itself.',
  prototype: [path(), statbuf],
  as: ['newfstatat', 'AT_FDCWD', 'pathname', 'statbuf', 'AT_SYMLINK_NOFOLLOW'],
  fn: newfstatat,
  locals: (name) => ({ name, flags: AT_SYMLINK_NOFOLLOW }),
  ...looks,
})
define_syscall({
  name: 'fstatat',
  says: 'What a path leads to, from a directory.',
  prototype: [
    dirfd(),
    path(),
    statbuf,
    {
      name: 'flags',
      kind: 'flags',
      says: "`'AT_SYMLINK_NOFOLLOW'`; with `'AT_EMPTY_PATH'` and the path `''` what `dirfd` has open",
      constants: { AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH },
      constant: 'StatFlag',
      missing: 0,
    },
  ],
  as: ['newfstatat', 'dirfd', 'pathname', 'statbuf', 'flags'],
  fn: newfstatat,
  locals: (dfd, name, flags) => ({ dfd, name, flags }),
  ...looks,
})

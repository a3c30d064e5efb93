/** Where a task stands, and its umask (fs/fs_struct.c; fs/open.c: chdir, fchdir; kernel/sys.c: umask). */
import { EBADF, ENOTDIR } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { int, ref, str } from '../../kernel/schema.js'
import { define_syscall } from '../../kernel/syscall.js'
import { dget, dput } from '../dentry.js'
import { file } from '../file.js'
import { fdget_raw } from '../files/file_table.js'
import { is_dir } from '../inode.js'
import { d_inode } from '../namei/directory.js'
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, path_lookupat } from '../namei/namei.js'
import { inode_permission, MAY_CHDIR, MAY_EXEC } from '../namei/permission.js'
import { fd, gives_zero, path } from '../parameters.js'
import { current } from './task.js'

/** Moves the task, if it may search there. @returns 0, -ENOTDIR or the errno of inode_permission */
function set_fs_pwd(k: Kernel, mnt: number, d: number): number {
  const node = d_inode(k, d)
  if (!is_dir(node.i_mode)) return k.refuse(-ENOTDIR, 'not a directory')
  const denied = inode_permission(k, node.id, MAY_EXEC | MAY_CHDIR)
  if (denied !== 0) return denied
  const task = current(k)
  const left = task.pwd
  dget(k, d)
  task.pwd_mnt = mnt
  task.pwd = d
  dput(k, left)
  return 0
}

/** Errors, in order: those of the walk, ENOTDIR, EACCES (search permission), inode_permission of modules. */
const chdir = fn(
  'chdir',
  { source: 'fs/open.c', locals: { name: str(), mnt: ref('mount'), dentry: ref('dentry') } },
  [
    call(
      path_lookupat,
      (_, f) => ({ name: f.name, flags: LOOKUP_FOLLOW | LOOKUP_DIRECTORY }),
      (_, f, [mnt, found]: readonly number[]) => {
        f.mnt = mnt!
        f.dentry = found!
      },
    ),
    stage('set_fs_pwd', (k, f) => set_fs_pwd(k, f.mnt, f.dentry)),
  ],
)

/** Errors, in order: EBADF, ENOTDIR, EACCES (search permission). A descriptor of O_PATH will do. */
const fchdir = fn('fchdir', { source: 'fs/open.c', locals: { fd: int() } }, [
  stage('set_fs_pwd', (k, f) => {
    const opened = fdget_raw(k, f.fd)
    if (opened === 0) return k.refuse(-EBADF, () => `descriptor ${f.fd} is not open`)
    const { f_mnt, f_dentry } = file(k, opened)
    return set_fs_pwd(k, f_mnt, f_dentry)
  }),
])

/** Sets the bits that new files do not get. @returns those before; it never fails */
const umask = fn('umask', { source: 'kernel/sys.c', locals: { mask: int() } }, [
  local('umask', (k, f) => {
    const task = current(k)
    const before = task.umask
    task.umask = f.mask & 0o777
    return done(f, before)
  }),
])

define_syscall({
  name: 'chdir',
  says: 'Goes to a directory, from where relative paths begin.',
  prototype: [path('path')],
  fn: chdir,
  locals: (name) => ({ name }),
  ...gives_zero,
  changes: 'nothing',
  random: { area: 'tasks', weight: 1 },
})
define_syscall({
  name: 'fchdir',
  says: 'Goes to an open directory, from where relative paths begin.',
  prototype: [fd],
  fn: fchdir,
  locals: (fd) => ({ fd }),
  ...gives_zero,
  changes: 'nothing',
  random: { area: 'tasks', weight: 1 },
})
define_syscall({
  name: 'umask',
  says: 'Sets which permission bits are taken from what is made.',
  prototype: [{ name: 'mask', kind: 'mode', says: '`0o022`' }],
  fn: umask,
  locals: (mask) => ({ mask }),
  returns: 'int',
  gives: 'the mask before',
  changes: 'nothing',
  random: { area: 'tasks', weight: 1 },
})

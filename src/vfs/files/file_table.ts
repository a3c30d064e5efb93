/** Descriptors, and the life of an open file description (fs/file.c, fs/file_table.c). */
import { EBADF, EINVAL, EMFILE } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { ABOVE, int, place_in_range, ref } from '../../kernel/schema.js'
import { define_syscall } from '../../kernel/syscall.js'
import { dput } from '../dentry.js'
import { FMODE_PATH, FMODE_WRITER, file } from '../file.js'
import { inode, inode_ops } from '../inode.js'
import { O_CLOEXEC } from '../open/open_flags.js'
import { current, fd_row, fd_slot, RLIMIT_NOFILE } from '../tasks/task.js'
import { pipe_release } from './pipe.js'

/** The open file of a descriptor, or 0: also for one opened with O_PATH, on which nothing can be done. */
export function fdget(k: Kernel, fd: number): number {
  const found = fdget_raw(k, fd)
  return found !== 0 && (file(k, found).f_mode & FMODE_PATH) === 0 ? found : 0
}

/** The open file of a descriptor, O_PATH or not, or 0. */
export function fdget_raw(k: Kernel, fd: number): number {
  if (fd < 0 || fd >= RLIMIT_NOFILE || !Number.isInteger(fd)) return 0
  const row = fd_row(k.task, fd)
  return fd_slot.has(k, row) ? fd_slot(k, row).file : 0
}

/** The lowest free descriptor at or after `from`. @returns it, or -EMFILE */
export function alloc_fd(k: Kernel, from = 0): number {
  const fd = place_in_range(fd_slot.lowest_free(k, k.task, from))
  return fd < current(k).rlimit_nofile ? fd : -EMFILE
}

export function fd_install(k: Kernel, fd: number, opened: number, close_on_exec: boolean): void {
  fd_slot.create_at(k, fd_row(k.task, fd), { file: opened, close_on_exec: close_on_exec ? 1 : 0 })
}

/**
 * The last reference is gone: after the file system's release, write access goes back, then the path
 * (fs/file_table.c: __fput).
 */
export function destroy_file(k: Kernel, id: number): void {
  const { f_mode, f_inode, f_dentry } = file(k, id)
  pipe_release(k, id)
  if ((f_mode & FMODE_WRITER) !== 0) inode.add_on_side(k, f_inode, 'i_writecount', -1, ABOVE)
  file.remove(k, id)
  dput(k, f_dentry)
}

/** Drops a reference to an open file. */
export const fput = fn('fput', { source: 'fs/file_table.c', locals: { file: ref('file') } }, [
  stage('fput', (k, f) => {
    const opened = file(k, f.file)
    if (opened.f_count > 1) {
      opened.f_count -= 1
      return done(f)
    }
    if (release_of(k, f.file) !== null) return
    destroy_file(k, f.file)
    return done(f)
  }),
  call(
    (k, f) => release_of(k, f.file),
    (_, f) => ({ file: f.file }),
    undefined,
    'release',
  ),
  stage('__fput', (k, f) => destroy_file(k, f.file)),
])

function release_of(k: Kernel, id: number) {
  const { f_inode, f_mode } = file(k, id)
  return (f_mode & FMODE_PATH) !== 0 ? null : (inode_ops(k, f_inode).release ?? null)
}

/** Takes a descriptor out of the table (fs/file.c: file_close_fd). @returns its open file, or -EBADF */
export function file_close_fd(k: Kernel, fd: number): number {
  const opened = fdget_raw(k, fd)
  if (opened === 0) return -EBADF
  fd_slot.remove(k, fd_row(k.task, fd))
  return opened
}

const close = fn('close', { source: 'fs/open.c', locals: { fd: int(), file: ref('file') } }, [
  local('file_close_fd', (k, f) => {
    const opened = file_close_fd(k, f.fd)
    if (opened < 0) return opened
    f.file = opened
  }),
  call(fput, (_, f) => ({ file: f.file })),
])

/** Shares the open file of `oldfd` under another descriptor (fs/file.c: ksys_dup3, do_dup2). */
const do_dup2 = fn(
  'do_dup2',
  {
    source: 'fs/file.c',
    locals: {
      oldfd: int(),
      newfd: int(),
      /** 1 where the caller takes the lowest descriptor that is free. */
      lowest: int(),
      flags: int(),
      dup3: int(),
      replaced: ref('file'),
    },
  },
  [
    stage('do_dup2', (k, f) => {
      if ((f.flags & ~O_CLOEXEC) !== 0) return -EINVAL
      if (f.dup3 === 1 && f.oldfd === f.newfd) return -EINVAL
      const opened = fdget_raw(k, f.oldfd)
      if (f.newfd >= current(k).rlimit_nofile || f.newfd < 0) return -EBADF
      if (opened === 0) return -EBADF
      if (f.lowest === 0 && f.oldfd === f.newfd) return done(f, f.newfd)
      const fd = f.lowest === 1 ? alloc_fd(k) : f.newfd
      if (fd < 0) return fd
      f.replaced = fdget_raw(k, fd)
      if (f.replaced !== 0) fd_slot.remove(k, fd_row(k.task, fd))
      file(k, opened).f_count += 1
      fd_install(k, fd, opened, (f.flags & O_CLOEXEC) !== 0)
      f.newfd = fd
    }),
    call(
      (_, f) => (f.replaced === 0 ? null : fput),
      (_, f) => ({ file: f.replaced }),
      undefined,
      'filp_close',
    ),
    local('newfd', (_, f) => done(f, f.newfd)),
  ],
)

const oldfd = { name: 'oldfd', kind: 'fd' } as const
const newfd = { name: 'newfd', kind: 'newfd' } as const

define_syscall({
  name: 'close',
  says: 'Closes a descriptor; with the last of an open file its write access is given back.',
  prototype: [{ name: 'fd', kind: 'fd' }],
  fn: close,
  locals: (fd) => ({ fd }),
  returns: 'int',
  gives: '0',
  changes: 'nothing',
})
define_syscall({
  name: 'dup',
  says: 'Another descriptor of the same open file: they share its position.',
  prototype: [oldfd],
  fn: do_dup2,
  locals: (oldfd) => ({ oldfd, lowest: 1 }),
  returns: 'fd',
  gives: 'the lowest free descriptor',
  changes: 'nothing',
})
define_syscall({
  name: 'dup2',
  says: 'Another descriptor of the same open file, with this number. What was open there is closed.',
  prototype: [oldfd, newfd],
  fn: do_dup2,
  locals: (oldfd, newfd) => ({ oldfd, newfd }),
  returns: 'fd',
  gives: '`newfd`',
  changes: 'nothing',
})
define_syscall({
  name: 'dup3',
  says: 'As `dup2`, with flags; EINVAL where both numbers are the same.',
  prototype: [
    oldfd,
    newfd,
    { name: 'flags', kind: 'choice', says: "`'O_CLOEXEC'` or 0", constants: { O_CLOEXEC } },
  ],
  fn: do_dup2,
  locals: (oldfd, newfd, flags) => ({ oldfd, newfd, flags, dup3: 1 }),
  returns: 'fd',
  gives: '`newfd`',
  changes: 'nothing',
})

/**
 * Opening a file to run it, and keeping writers out of it meanwhile (fs/exec.c: do_open_execat,
 * do_close_execat; include/linux/fs.h: exe_file_deny_write_access).
 */

import { hex_flags } from '../kernel/decode.js'
import { EACCES, EINVAL } from '../kernel/errno.js'
import { call, done, fn, hand_over, local, release, stage, take } from '../kernel/fn.js'
import type { Frame, Kernel } from '../kernel/kernel.js'
import { int, ref, str } from '../kernel/schema.js'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from '../vfs/attributes/stat.js'
import { FMODE_EXEC, file } from '../vfs/file.js'
import { fput } from '../vfs/files/file_table.js'
import { path_noexec } from '../vfs/mount.js'
import { AT_FDCWD, LOOKUP_EMPTY, LOOKUP_FOLLOW } from '../vfs/namei/namei.js'
import { do_filp_open } from '../vfs/namei/path_openat.js'
import { MAY_EXEC } from '../vfs/namei/permission.js'
import { deny_write_access, write_denial } from '../vfs/open/write_access.js'

/** Only ask whether the file may be executed (include/uapi/linux/fcntl.h). */
export const AT_EXECVE_CHECK = 0x10000

/** The frame answers for the denial on an open file from now on, where this kernel denies at all. */
export function take_denial(k: Kernel, f: Frame<any>, opened: number): void {
  if (k.has('exec_denies_writes')) take(f, write_denial, file(k, opened).f_inode)
}

/** The frame no longer answers for its last denial: whoever gets the file does, in the same step. */
export function pass_denial(k: Kernel, f: Frame<any>): void {
  if (k.has('exec_denies_writes')) hand_over(f, write_denial)
}

/**
 * For the arguments of a call: what this frame holds is from now on held by the frame of the callee.
 */
export function pass_holds(f: Frame<any>): object {
  const { holds } = f
  f.holds = []
  return { holds }
}

/** Unknown flags, among them AT_EXECVE_CHECK before 6.14. @returns 0 or -EINVAL */
function bad_flags(k: Kernel, flags: number): number {
  const known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | (k.has('at_execve_check') ? AT_EXECVE_CHECK : 0)
  return (flags & ~known) === 0 ? 0 : k.refuse(-EINVAL, () => `unknown flags ${hex_flags(flags & ~known)}`)
}

/**
 * Opens a file for running it, and denies writing to it. Of an overlay file the overlay's own inode is
 * denied, not the real one.
 *
 * @returns the number of the open file; the denial is the caller's (`take_denial`)
 *
 * Errors, in order: EINVAL (flags); those of do_filp_open with permission to execute; EACCES (noexec, asked
 * again after the open); ETXTBSY (somebody has it open for writing).
 */
export const do_open_execat = fn(
  'do_open_execat',
  {
    source: 'fs/exec.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      flags: int(),
      lookup_empty: int(),
      file: ref('file'),
      error: int(),
    },
  },
  [
    local('flags', (k, f) => bad_flags(k, f.flags)),
    call(
      do_filp_open,
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        acc_mode: MAY_EXEC,
        fmode: FMODE_EXEC,
        lookup_flags:
          ((f.flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) |
          ((f.flags & AT_EMPTY_PATH) !== 0 || f.lookup_empty === 1 ? LOOKUP_EMPTY : 0),
      }),
      (_, f, opened: number) => {
        f.file = opened
      },
    ),
    // The mount's flags are read again just before: nobody can tell the two apart, so they are one stage.
    stage('exe_file_deny_write_access', (k, f) => {
      const { f_mnt, f_inode } = file(k, f.file)
      f.error = path_noexec(k, f_mnt) ? k.refuse(-EACCES, 'the mount is noexec') : 0
      if (f.error === 0 && k.has('exec_denies_writes')) f.error = deny_write_access(k, f, f_inode)
      if (f.error !== 0) return
      pass_denial(k, f)
      return done(f, f.file)
    }),
    call(fput, (_, f) => ({ file: f.file })),
    local('exit', (_, f) => f.error),
  ],
)

/**
 * Gives back the denial and the open file at the end of an exec or a check (free_bprm, do_close_execat).
 * The file itself goes by task work before the return to user space; no call of this task can tell.
 */
export const free_bprm = fn('free_bprm', { source: 'fs/exec.c', locals: { file: ref('file') } }, [
  stage('exe_file_allow_write_access', (k, f) => {
    if (k.has('exec_denies_writes')) release(k, f, write_denial)
  }),
  call(fput, (_, f) => ({ file: f.file })),
])

/** What a function of exec returns that gives the open file back to its caller: how it went, and the file. */
export type ErrorAndFile = readonly number[]

/**
 * execveat(2): running a file, or asking whether it may be run (fs/exec.c).
 *
 *     do_execveat_common
 *       do_open_execat                 flags, walk, permission, security_file_open, noexec, ETXTBSY
 *       copy_strings                   E2BIG, EFAULT
 *       bprm_execve
 *         security_bprm_creds_for_exec what the modules say while writers are kept out; a check ends here
 *         exec_binprm                  formats and interpreters, and the new program
 *       free_bprm                      writers may come back
 *
 * Not modelled, since tasks have one thread and no limit on processes: cred_guard_mutex, fs->in_exec, EAGAIN
 * of RLIMIT_NPROC.
 */
import { call, done, fn, local, stage } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { int, ref, str } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { type Constants, define_syscall, type Parameter } from '../kernel/syscall.js'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from '../vfs/attributes/stat.js'
import { d_real_inode } from '../vfs/d_real.js'
import { file } from '../vfs/file.js'
import { AT_FDCWD, getname, LOOKUP_EMPTY } from '../vfs/namei/namei.js'
import { dirfd, path } from '../vfs/parameters.js'
import { fd_row, fd_slot } from '../vfs/tasks/task.js'
import { copy_strings } from './arguments.js'
import { exec_binprm } from './binfmt.js'
import {
  AT_EXECVE_CHECK,
  do_open_execat,
  type ErrorAndFile,
  free_bprm,
  pass_denial,
  pass_holds,
  take_denial,
} from './open_execat.js'

/**
 * The name under which a file is run (fs/exec.c: alloc_bprm): of a path relative to a descriptor one below
 * `/dev/fd`.
 */
export function bprm_filename(dfd: number, name: string): string {
  if (dfd === AT_FDCWD || name.startsWith('/')) return name
  return name === '' ? `/dev/fd/${dfd}` : `/dev/fd/${dfd}/${name}`
}

/** Whether that name will lead nowhere after the exec (BINPRM_FLAGS_PATH_INACCESSIBLE). */
function path_inaccessible(k: Kernel, dfd: number, name: string): boolean {
  const row = fd_row(k.task, dfd)
  if (dfd === AT_FDCWD || name.startsWith('/') || !fd_slot.has(k, row)) return false
  return fd_slot(k, row).close_on_exec === 1
}

/**
 * The modules' verdict on the named file. It is the moment of approval: what they judge are the bytes of the
 * data inode as of now. Nobody who comes through the denied inode can change them before free_bprm.
 *
 * @returns 0, or what a module answers
 */
function creds_for_exec(k: Kernel, opened: number, filename: string, is_check: boolean): number {
  const denied = security(k, 'bprm_creds_for_exec', { file: opened, filename, is_check })
  if (denied !== 0) return denied
  k.config.monitor?.approval?.(k, d_real_inode(k, file(k, opened).f_dentry), opened, is_check)
  return 0
}

const execve_locals = {
  file: ref('file'),
  filename: str(),
  flags: int(),
  inaccessible: int(),
  by_descriptor: int(),
}

/**
 * Runs an open file, or stops where a check stops. Takes over the file with its denial and gives back the
 * one that is open at the end: the interpreter's, if it came to that.
 *
 * @returns [0 or the error, file]
 */
const bprm_execve = fn<typeof execve_locals, ErrorAndFile>(
  'bprm_execve',
  { source: 'fs/exec.c', locals: execve_locals },
  [
    stage('security_bprm_creds_for_exec', (k, f) => {
      const is_check = (f.flags & AT_EXECVE_CHECK) !== 0
      const denied = creds_for_exec(k, f.file, f.filename, is_check)
      if (denied === 0 && !is_check) return
      pass_denial(k, f)
      return done(f, [denied, f.file])
    }),
    call(
      exec_binprm,
      (_, f) => ({
        file: f.file,
        filename: f.filename,
        inaccessible: f.inaccessible,
        by_descriptor: f.by_descriptor,
        ...pass_holds(f),
      }),
      (_, f, ran: ErrorAndFile) => done(f, ran),
    ),
  ],
)

/**
 * @returns 0 when the check says yes, or the new program runs
 *
 * Errors, in order: EFAULT, ENOENT, ENAMETOOLONG (the path's text); EINVAL (flags); EBADF, ENOTDIR and those of
 * the walk; EACCES (not a regular file, noexec, permission); what a module answers to the open; ETXTBSY (open
 * for writing); E2BIG, EFAULT (arguments); what a module answers. Then for a real exec only: those of
 * exec_binprm.
 */
export const do_execveat_common = fn(
  'do_execveat_common',
  {
    source: 'fs/exec.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      flags: int(),
      /** What copying the strings comes to. */
      copied: int(),
      file: ref('file'),
      error: int(),
    },
  },
  [
    local('getname', (_, f) => getname(f.name, (f.flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0)),
    call(
      do_open_execat,
      (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.flags }),
      (k, f, opened: number) => {
        f.file = opened
        take_denial(k, f, opened)
        f.error = f.copied
      },
      'alloc_bprm',
    ),
    call(
      (_, f) => (f.error === 0 ? bprm_execve : null),
      (k, f) => ({
        file: f.file,
        filename: bprm_filename(f.dfd, f.name),
        flags: f.flags,
        inaccessible: path_inaccessible(k, f.dfd, f.name) ? 1 : 0,
        by_descriptor: f.name === '' ? 1 : 0,
        ...pass_holds(f),
      }),
      (k, f, [error, opened]: ErrorAndFile) => {
        f.error = error!
        f.file = opened!
        take_denial(k, f, opened!)
      },
      'bprm_execve',
    ),
    call(free_bprm, (_, f) => ({ file: f.file, ...pass_holds(f) })),
    local('exit', (_, f) => f.error),
  ],
)

const execveat_flags: Constants = { AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EXECVE_CHECK }

const argv: Parameter = { name: 'argv', kind: 'strings', says: 'the arguments; null is an empty vector' }
const envp: Parameter = { name: 'envp', kind: 'strings', says: 'the environment; null is an empty one' }

define_syscall({
  name: 'execveat',
  says: 'With AT_EXECVE_CHECK asks whether a file could be executed, and gives an approval on which a `use` relies. Else runs it: then the program ends where this succeeds, and uses the bytes that it runs.',
  prototype: [
    dirfd('dirfd', "where a relative path begins; with `'AT_EMPTY_PATH'` and the path `''` the file itself"),
    path(),
    argv,
    envp,
    {
      name: 'flags',
      kind: 'flags',
      says: "`'AT_EMPTY_PATH|AT_EXECVE_CHECK'`, or 0",
      constants: execveat_flags,
      constant: 'ExecFlag',
    },
  ],
  library: false,
  fn: do_execveat_common,
  locals: (dfd, name, argv, envp, flags) => ({
    dfd,
    name,
    flags,
    copied: copy_strings(bprm_filename(dfd, name), argv, envp),
  }),
  returns: 'exec',
  returns_with: { flag: 'AT_EXECVE_CHECK', returns: 'approval' },
  gives: 'of a check an approval, 0; of a real exec nothing that the program could take',
  changes: 'nothing',
})
define_syscall({
  name: 'execve',
  says: 'Runs a file: the program ends where this succeeds, and uses the bytes that it runs.',
  prototype: [path(), argv, envp],
  library: false,
  fn: do_execveat_common,
  locals: (name, argv, envp) => ({
    name,
    copied: copy_strings(name, argv, envp),
  }),
  returns: 'exec',
  gives: 'nothing that the program could take; errors as numbers',
  changes: 'nothing',
})

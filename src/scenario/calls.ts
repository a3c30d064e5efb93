/**
 * The system calls as methods with types: a wrong argument is a compile error. Arguments stand in the order of
 * the C library; flags are checked names joined by `|`, or numbers. What a call gives is a `Result` of its
 * kind, which later calls take where they take such a value.
 */

import type { ErrnoName } from '../kernel/errno.js'
import { stat_fields } from '../vfs/stat.js'

/** `S` if it is names of `N` joined by `|`, else never. */
export type Flags<N extends string, S extends string> = S extends N
  ? S
  : S extends `${infer Head}|${infer Rest}`
    ? Head extends N
      ? Flags<N, Rest> extends never
        ? never
        : S
      : never
    : never

/**
 * Names of constants, by the argument that takes them. A test compares each list with what the model knows.
 */
export const CONSTANTS = {
  OpenFlag: [
    'O_RDONLY',
    'O_WRONLY',
    'O_RDWR',
    'O_ACCMODE',
    'O_CREAT',
    'O_EXCL',
    'O_NOCTTY',
    'O_TRUNC',
    'O_APPEND',
    'O_NONBLOCK',
    'O_DSYNC',
    'O_DIRECT',
    'O_LARGEFILE',
    'O_DIRECTORY',
    'O_NOFOLLOW',
    'O_NOATIME',
    'O_CLOEXEC',
    'O_SYNC',
    'O_PATH',
    'O_TMPFILE',
  ],
  StatFlag: ['AT_SYMLINK_NOFOLLOW', 'AT_NO_AUTOMOUNT', 'AT_EMPTY_PATH'],
  AtFlag: ['AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'],
  LinkFlag: ['AT_SYMLINK_FOLLOW', 'AT_EMPTY_PATH'],
  UnlinkFlag: ['AT_REMOVEDIR'],
  AccessFlag: ['AT_EACCESS', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'],
  AccessMode: ['F_OK', 'R_OK', 'W_OK', 'X_OK'],
  ExecFlag: ['AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH', 'AT_EXECVE_CHECK'],
  RenameFlag: ['RENAME_NOREPLACE', 'RENAME_EXCHANGE', 'RENAME_WHITEOUT'],
  MapProtection: ['PROT_NONE', 'PROT_READ', 'PROT_WRITE', 'PROT_EXEC', 'PROT_SEM'],
  Protection: [
    'PROT_NONE',
    'PROT_READ',
    'PROT_WRITE',
    'PROT_EXEC',
    'PROT_SEM',
    'PROT_GROWSDOWN',
    'PROT_GROWSUP',
  ],
  MapFlag: [
    'MAP_SHARED',
    'MAP_PRIVATE',
    'MAP_SHARED_VALIDATE',
    'MAP_FIXED',
    'MAP_ANONYMOUS',
    'MAP_ANON',
    'MAP_GROWSDOWN',
    'MAP_SYNC',
    'MAP_FIXED_NOREPLACE',
  ],
  Whence: ['SEEK_SET', 'SEEK_CUR', 'SEEK_END', 'SEEK_DATA', 'SEEK_HOLE'],
  FileType: ['S_IFREG', 'S_IFCHR', 'S_IFBLK', 'S_IFIFO', 'S_IFSOCK', 'S_IFDIR'],
  PrctlOption: ['PR_GET_SECUREBITS', 'PR_SET_SECUREBITS', 'PR_SET_NO_NEW_PRIVS', 'PR_GET_NO_NEW_PRIVS'],
  SecureBit: [
    'SECBIT_NOROOT',
    'SECBIT_NOROOT_LOCKED',
    'SECBIT_NO_SETUID_FIXUP',
    'SECBIT_NO_SETUID_FIXUP_LOCKED',
    'SECBIT_KEEP_CAPS',
    'SECBIT_KEEP_CAPS_LOCKED',
    'SECBIT_NO_CAP_AMBIENT_RAISE',
    'SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED',
    'SECBIT_EXEC_RESTRICT_FILE',
    'SECBIT_EXEC_RESTRICT_FILE_LOCKED',
    'SECBIT_EXEC_DENY_INTERACTIVE',
    'SECBIT_EXEC_DENY_INTERACTIVE_LOCKED',
  ],
} as const

/** A name of `CONSTANTS`. */
export type Constant<K extends keyof typeof CONSTANTS> = (typeof CONSTANTS)[K][number]

export type Errno = ErrnoName

/** What kinds of results there are. An approval is the result of an execution check. */
export type Kind = 'int' | 'fd' | 'bytes' | 'address' | 'task' | 'approval' | 'stat' | 'exec'

/** A test of a result, for `if`. */
export interface Condition {
  readonly result: Result
  readonly test: {
    readonly ok?: true
    readonly failed?: true
    readonly errno?: Errno
    readonly equals?: number
  }
}

/** What a call will give when the program runs. */
export interface Result<K extends Kind = Kind> {
  readonly kind: K
  /** Gives the result a name, for properties and traces. */
  as(name: string): this
  /** The program goes on if the call fails; without it the program ends there. */
  may_fail(): this
  ok(): Condition
  failed(): Condition
  failed_with(errno: Errno): Condition
  equals(value: number): Condition
}

export type Fd = Result<'fd'>
export type Bytes = Result<'bytes'>
export type Address = Result<'address'>
export type Approval = Result<'approval'>

/** A number of a structure that a call will have filled. */
export interface Field {
  readonly of: Result
  readonly field: string
}

/** What `stat` and its family give; fields are values for later calls. */
export interface Stat extends Result<'stat'> {
  readonly st_dev: Field
  readonly st_ino: Field
  readonly st_mode: Field
  readonly st_nlink: Field
  readonly st_uid: Field
  readonly st_gid: Field
  readonly st_rdev: Field
  readonly st_size: Field
  readonly st_blksize: Field
}

/** A number: itself, a field of a structure, or the result of a call that gives a plain number. */
export type Int = number | Field | Result<'int'> | Result<'task'> | Result<'bytes'>
export type FdArg = number | Fd
export type DirFd = FdArg | 'AT_FDCWD'
/** An address: of a mapping, or a number; NULL is 0. */
export type Addr = number | Address
/** A path or name; null is a bad pointer. */
export type Path = string | null
/** Bytes to write: text, base64, or what an earlier call read. */
export type Data = string | { readonly base64: string } | Bytes
type Vector = readonly string[] | null

/** What execveat gives by its flags; of flags that are a number nothing is known. */
type Executed<F extends string> = string extends F
  ? Approval
  : F extends `${string}AT_EXECVE_CHECK${string}`
    ? Approval
    : Result<'exec'>

/** Type and permission bits of a special file. */
type NodeMode = number | Constant<'FileType'> | `${Constant<'FileType'>}|0${number}`

type N<K extends keyof typeof CONSTANTS, S extends string> = number | Flags<Constant<K>, S>

/** Every system call that the model has, as in C; a buffer to be filled is left out, only its length given. */
export interface Calls {
  openat<const F extends string>(dirfd: DirFd, pathname: Path, flags: N<'OpenFlag', F>, mode?: Int): Fd
  open<const F extends string>(pathname: Path, flags: N<'OpenFlag', F>, mode?: Int): Fd
  creat(pathname: Path, mode: Int): Fd
  close(fd: FdArg): Result<'int'>
  dup(oldfd: FdArg): Fd
  dup2(oldfd: FdArg, newfd: FdArg): Fd
  dup3(oldfd: FdArg, newfd: FdArg, flags: number | 'O_CLOEXEC'): Fd

  read(fd: FdArg, count: Int): Bytes
  pread(fd: FdArg, count: Int, offset: Int): Bytes
  write(fd: FdArg, buf: Data, count?: Int): Result<'int'>
  pwrite(fd: FdArg, buf: Data, count: Int, offset: Int): Result<'int'>
  lseek(fd: FdArg, offset: Int, whence: number | Constant<'Whence'>): Result<'int'>
  truncate(path: Path, length: Int): Result<'int'>
  ftruncate(fd: FdArg, length: Int): Result<'int'>

  stat(pathname: Path): Stat
  lstat(pathname: Path): Stat
  fstat(fd: FdArg): Stat
  fstatat<const F extends string>(dirfd: DirFd, pathname: Path, flags?: N<'StatFlag', F>): Stat
  access<const M extends string>(pathname: Path, mode: N<'AccessMode', M>): Result<'int'>
  faccessat<const M extends string, const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: N<'AccessMode', M>,
    flags?: N<'AccessFlag', F>,
  ): Result<'int'>
  faccessat2<const M extends string, const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: N<'AccessMode', M>,
    flags?: N<'AccessFlag', F>,
  ): Result<'int'>

  mmap<const P extends string, const F extends string>(
    addr: Addr,
    length: Int,
    prot: N<'MapProtection', P>,
    flags: N<'MapFlag', F>,
    fd: FdArg,
    offset?: Int,
  ): Address
  munmap(addr: Addr, length: Int): Result<'int'>
  mprotect<const P extends string>(addr: Addr, length: Int, prot: N<'Protection', P>): Result<'int'>
  /** Reads memory; ends the task with SIGBUS or SIGSEGV where C would. */
  peek(addr: Addr, length: Int): Bytes
  /** Writes memory. */
  poke(addr: Addr, data: Data): Result<'int'>

  /** With AT_EXECVE_CHECK an approval; else the program ends where it succeeds. */
  execveat(dirfd: DirFd, pathname: Path, argv: Vector, envp: Vector, flags: 0): Result<'exec'>
  execveat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    argv: Vector,
    envp: Vector,
    flags: N<'ExecFlag', F>,
  ): Executed<F>
  execve(pathname: Path, argv: Vector, envp: Vector): Result<'exec'>
  prctl<const B extends string>(
    option: number | Constant<'PrctlOption'>,
    arg2?: Int | Flags<Constant<'SecureBit'>, B>,
    arg3?: Int,
    arg4?: Int,
    arg5?: Int,
  ): Result<'int'>

  chmod(pathname: Path, mode: Int): Result<'int'>
  fchmod(fd: FdArg, mode: Int): Result<'int'>
  fchmodat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: Int,
    flags?: N<'AtFlag', F>,
  ): Result<'int'>
  chown(pathname: Path, owner: Int, group: Int): Result<'int'>
  lchown(pathname: Path, owner: Int, group: Int): Result<'int'>
  fchown(fd: FdArg, owner: Int, group: Int): Result<'int'>
  fchownat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    owner: Int,
    group: Int,
    flags?: N<'AtFlag', F>,
  ): Result<'int'>

  rename(oldpath: Path, newpath: Path): Result<'int'>
  renameat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path): Result<'int'>
  renameat2<const F extends string>(
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    flags?: N<'RenameFlag', F>,
  ): Result<'int'>
  link(oldpath: Path, newpath: Path): Result<'int'>
  linkat<const F extends string>(
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    flags?: N<'LinkFlag', F>,
  ): Result<'int'>
  symlink(target: Path, linkpath: Path): Result<'int'>
  symlinkat(target: Path, newdirfd: DirFd, linkpath: Path): Result<'int'>
  readlink(pathname: Path, bufsiz?: Int): Bytes
  readlinkat(dirfd: DirFd, pathname: Path, bufsiz?: Int): Bytes
  unlink(pathname: Path): Result<'int'>
  unlinkat(dirfd: DirFd, pathname: Path, flags?: number | Constant<'UnlinkFlag'>): Result<'int'>
  rmdir(pathname: Path): Result<'int'>
  mkdir(pathname: Path, mode: Int): Result<'int'>
  mkdirat(dirfd: DirFd, pathname: Path, mode: Int): Result<'int'>
  /** `mode` is the type and permission bits: `'S_IFIFO|0644'`. */
  mknod(pathname: Path, mode: NodeMode, dev?: Int): Result<'int'>
  mknodat(dirfd: DirFd, pathname: Path, mode: NodeMode, dev?: Int): Result<'int'>
  chdir(path: Path): Result<'int'>
  fchdir(fd: FdArg): Result<'int'>
  umask(mask: Int): Result<'int'>
}

/** Fields of `Stat`, for the builder. */
export const STAT_FIELDS = stat_fields satisfies readonly (keyof Stat)[]

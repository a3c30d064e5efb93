/**
 * The system calls as methods with types: a wrong argument is a compile error. Arguments stand in the order of
 * the C library; flags are checked names joined by `|`, or numbers. What a call gives is a `Result` of its
 * kind, which later calls take where they take such a value.
 */

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

type AccessMode = 'O_RDONLY' | 'O_WRONLY' | 'O_RDWR'
export type OpenFlag =
  | AccessMode
  | 'O_ACCMODE'
  | 'O_CREAT'
  | 'O_EXCL'
  | 'O_NOCTTY'
  | 'O_TRUNC'
  | 'O_APPEND'
  | 'O_NONBLOCK'
  | 'O_DSYNC'
  | 'O_SYNC'
  | 'O_DIRECT'
  | 'O_LARGEFILE'
  | 'O_DIRECTORY'
  | 'O_NOFOLLOW'
  | 'O_NOATIME'
  | 'O_CLOEXEC'
  | 'O_PATH'
  | 'O_TMPFILE'
  | 'O_EMPTYPATH'
  | 'O_DENY_WRITE'
export type AtFlag = 'AT_SYMLINK_NOFOLLOW' | 'AT_NO_AUTOMOUNT' | 'AT_EMPTY_PATH'
export type ExecFlag = 'AT_SYMLINK_NOFOLLOW' | 'AT_EMPTY_PATH' | 'AT_EXECVE_CHECK'
export type Protection = 'PROT_NONE' | 'PROT_READ' | 'PROT_WRITE' | 'PROT_EXEC'
export type MapFlag =
  | 'MAP_SHARED'
  | 'MAP_PRIVATE'
  | 'MAP_FIXED'
  | 'MAP_ANONYMOUS'
  | 'MAP_FIXED_NOREPLACE'
  | 'MAP_SHARED_VALIDATE'
export type Whence = 'SEEK_SET' | 'SEEK_CUR' | 'SEEK_END' | 'SEEK_DATA' | 'SEEK_HOLE'
export type RenameFlag = 'RENAME_NOREPLACE' | 'RENAME_EXCHANGE' | 'RENAME_WHITEOUT'
export type SecureBit =
  | 'SECBIT_NOROOT'
  | 'SECBIT_NOROOT_LOCKED'
  | 'SECBIT_NO_SETUID_FIXUP'
  | 'SECBIT_NO_SETUID_FIXUP_LOCKED'
  | 'SECBIT_KEEP_CAPS'
  | 'SECBIT_KEEP_CAPS_LOCKED'
  | 'SECBIT_NO_CAP_AMBIENT_RAISE'
  | 'SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED'
  | 'SECBIT_EXEC_RESTRICT_FILE'
  | 'SECBIT_EXEC_RESTRICT_FILE_LOCKED'
  | 'SECBIT_EXEC_DENY_INTERACTIVE'
  | 'SECBIT_EXEC_DENY_INTERACTIVE_LOCKED'

export type Errno =
  | 'EPERM'
  | 'ENOENT'
  | 'EIO'
  | 'ENXIO'
  | 'E2BIG'
  | 'ENOEXEC'
  | 'EBADF'
  | 'EAGAIN'
  | 'ENOMEM'
  | 'EACCES'
  | 'EFAULT'
  | 'EBUSY'
  | 'EEXIST'
  | 'EXDEV'
  | 'ENODEV'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EINVAL'
  | 'EMFILE'
  | 'ETXTBSY'
  | 'EFBIG'
  | 'ENOSPC'
  | 'ESPIPE'
  | 'EROFS'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENOTEMPTY'
  | 'ELOOP'
  | 'EOVERFLOW'
  | 'EOPNOTSUPP'
  | 'ESTALE'
  | 'ENODATA'
  | 'EBADMSG'

/** What kinds of results there are. An approval is the result of an execution check. */
export type Kind = 'int' | 'fd' | 'bytes' | 'address' | 'task' | 'approval' | 'stat' | 'exec'

/** A test of a result, for `if`. */
export interface Condition {
  readonly result: Result
  readonly test: {
    readonly ok?: true
    readonly failed?: true
    readonly errno?: string
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

/** Every system call that the model has, as in C; a buffer to be filled is left out, only its length given. */
export interface Calls {
  openat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    flags: number | Flags<OpenFlag, F>,
    mode?: Int,
  ): Fd
  open<const F extends string>(pathname: Path, flags: number | Flags<OpenFlag, F>, mode?: Int): Fd
  creat(pathname: Path, mode: Int): Fd
  close(fd: FdArg): Result<'int'>
  dup(oldfd: FdArg): Fd
  dup2(oldfd: FdArg, newfd: FdArg): Fd
  dup3<const F extends string>(oldfd: FdArg, newfd: FdArg, flags: number | Flags<'O_CLOEXEC', F>): Fd

  read(fd: FdArg, count: Int): Bytes
  pread(fd: FdArg, count: Int, offset: Int): Bytes
  write(fd: FdArg, data: Data, count?: Int): Result<'int'>
  pwrite(fd: FdArg, data: Data, count: Int | undefined, offset: Int): Result<'int'>
  lseek(fd: FdArg, offset: Int, whence: number | Whence): Result<'int'>
  truncate(path: Path, length: Int): Result<'int'>
  ftruncate(fd: FdArg, length: Int): Result<'int'>

  stat(pathname: Path): Stat
  lstat(pathname: Path): Stat
  fstat(fd: FdArg): Stat
  fstatat<const F extends string>(dirfd: DirFd, pathname: Path, flags?: number | Flags<AtFlag, F>): Stat

  mmap<const P extends string, const F extends string>(
    addr: Addr,
    length: Int,
    prot: number | Flags<Protection, P>,
    flags: number | Flags<MapFlag, F>,
    fd: FdArg,
    offset?: Int,
  ): Address
  munmap(addr: Addr, length: Int): Result<'int'>
  mprotect<const P extends string>(
    addr: Addr,
    length: Int,
    prot: number | Flags<Protection, P>,
  ): Result<'int'>
  /** Reads memory; ends the task with SIGBUS or SIGSEGV where C would. */
  peek(addr: Addr, length: Int): Bytes
  /** Writes memory. */
  poke(addr: Addr, data: Data): Result<'int'>

  /** With AT_EXECVE_CHECK an approval; else the program ends where it succeeds. */
  execveat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    argv: Vector,
    envp: Vector,
    flags: number | Flags<ExecFlag, F>,
  ): Approval
  execve(pathname: Path, argv: Vector, envp: Vector): Result<'exec'>
  prctl(
    option:
      | number
      | 'PR_SET_SECUREBITS'
      | 'PR_GET_SECUREBITS'
      | 'PR_SET_NO_NEW_PRIVS'
      | 'PR_GET_NO_NEW_PRIVS',
    arg2?: Int | SecureBit | `${SecureBit}|${string}`,
  ): Result<'int'>

  chmod(pathname: Path, mode: Int): Result<'int'>
  fchmod(fd: FdArg, mode: Int): Result<'int'>
  rename(oldpath: Path, newpath: Path): Result<'int'>
  unlink(pathname: Path): Result<'int'>
  rmdir(pathname: Path): Result<'int'>
  mkdir(pathname: Path, mode: Int): Result<'int'>
  symlink(target: Path, linkpath: Path): Result<'int'>
  link(oldpath: Path, newpath: Path): Result<'int'>
}

/** Fields of `Stat`, for the builder. */
export const STAT_FIELDS = [
  'st_dev',
  'st_ino',
  'st_mode',
  'st_nlink',
  'st_uid',
  'st_gid',
  'st_rdev',
  'st_size',
  'st_blksize',
] as const satisfies readonly (keyof Stat)[]

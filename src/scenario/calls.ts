/**
 * The system calls as methods with types: a wrong argument is a compile error. Arguments stand in the order of
 * the C library; flags are checked names joined by `|`, or numbers.
 *
 * Made from the declarations of the calls (`define_syscall`) by `npm run docs`: change them there.
 */

import type {
  Addr,
  Address,
  Approval,
  Bytes,
  Data,
  Deciding,
  DirFd,
  Fd,
  FdArg,
  Field,
  Flags,
  Int,
  ModeOf,
  NumberOr,
  Path,
  Result,
  Vector,
} from './results.js'

/** struct stat, as fstat, fstatat, lstat, stat fill it; its fields are values for later calls. */
export interface Stat extends Result<'struct'> {
  /** Number of the device; the same for all files of one file system. */
  readonly st_dev: Field
  /** Number of the inode; 0 of what proc computes, whose numbers do not last. */
  readonly st_ino: Field
  /** Type and permission bits. */
  readonly st_mode: Field
  /** How many names the file has. */
  readonly st_nlink: Field
  /** Owner. */
  readonly st_uid: Field
  /** Group. */
  readonly st_gid: Field
  /** Of a device file: which device. */
  readonly st_rdev: Field
  /** Size in bytes. */
  readonly st_size: Field
  /** Bytes that are best moved at once: 4096, on proc 1024. */
  readonly st_blksize: Field
}

/** Names of constants, by the arguments that take them. */
export interface Constants {
  /** For `flags` of faccessat, `flags` of faccessat2. */
  AccessFlag: 'AT_EACCESS' | 'AT_SYMLINK_NOFOLLOW' | 'AT_EMPTY_PATH'
  /** For `mode` of access, `mode` of faccessat, `mode` of faccessat2. */
  AccessMode: 'F_OK' | 'R_OK' | 'W_OK' | 'X_OK'
  /** For `flags` of fchmodat, `flags` of fchownat. */
  AtFlag: 'AT_SYMLINK_NOFOLLOW' | 'AT_EMPTY_PATH'
  /** For `flags` of execveat. */
  ExecFlag: 'AT_SYMLINK_NOFOLLOW' | 'AT_EMPTY_PATH' | 'AT_EXECVE_CHECK'
  /** For `mode` of mknod, `mode` of mknodat. */
  FileType: 'S_IFREG' | 'S_IFCHR' | 'S_IFBLK' | 'S_IFIFO' | 'S_IFSOCK' | 'S_IFDIR'
  /** For `flags` of linkat. */
  LinkFlag: 'AT_SYMLINK_FOLLOW' | 'AT_EMPTY_PATH'
  /** For `flags` of mmap. */
  MapFlag:
    | 'MAP_SHARED'
    | 'MAP_PRIVATE'
    | 'MAP_SHARED_VALIDATE'
    | 'MAP_FIXED'
    | 'MAP_ANONYMOUS'
    | 'MAP_ANON'
    | 'MAP_GROWSDOWN'
    | 'MAP_SYNC'
    | 'MAP_FIXED_NOREPLACE'
  /** For `prot` of mmap. */
  MapProtection: 'PROT_NONE' | 'PROT_READ' | 'PROT_WRITE' | 'PROT_EXEC' | 'PROT_SEM'
  /** For `flags` of open, `flags` of openat. */
  OpenFlag:
    | 'O_RDONLY'
    | 'O_WRONLY'
    | 'O_RDWR'
    | 'O_ACCMODE'
    | 'O_CREAT'
    | 'O_EXCL'
    | 'O_NOCTTY'
    | 'O_TRUNC'
    | 'O_APPEND'
    | 'O_NONBLOCK'
    | 'O_DSYNC'
    | 'O_DIRECT'
    | 'O_LARGEFILE'
    | 'O_DIRECTORY'
    | 'O_NOFOLLOW'
    | 'O_NOATIME'
    | 'O_CLOEXEC'
    | 'O_SYNC'
    | 'O_PATH'
    | 'O_TMPFILE'
  /** For `option` of prctl. */
  PrctlOption: 'PR_GET_SECUREBITS' | 'PR_SET_SECUREBITS' | 'PR_SET_NO_NEW_PRIVS' | 'PR_GET_NO_NEW_PRIVS'
  /** For `prot` of mprotect. */
  Protection:
    | 'PROT_NONE'
    | 'PROT_READ'
    | 'PROT_WRITE'
    | 'PROT_EXEC'
    | 'PROT_SEM'
    | 'PROT_GROWSDOWN'
    | 'PROT_GROWSUP'
  /** For `flags` of renameat2. */
  RenameFlag: 'RENAME_NOREPLACE' | 'RENAME_EXCHANGE' | 'RENAME_WHITEOUT'
  /** For `arg2` of prctl. */
  SecureBit:
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
  /** For `flags` of fstatat. */
  StatFlag: 'AT_SYMLINK_NOFOLLOW' | 'AT_NO_AUTOMOUNT' | 'AT_EMPTY_PATH'
  /** For `flags` of unlinkat. */
  UnlinkFlag: 'AT_REMOVEDIR'
  /** For `whence` of lseek. */
  Whence: 'SEEK_SET' | 'SEEK_CUR' | 'SEEK_END' | 'SEEK_DATA' | 'SEEK_HOLE'
}

/** The names of one list. */
export type Constant<K extends keyof Constants> = Constants[K]

/** Every system call that the model has, as in C; a buffer to be filled is left out, only its length given. */
export interface Calls {
  /**
   * Asks whether the real user and group may do something to a file.
   *
   * @param mode `'R_OK|X_OK'`, or `'F_OK'`: is it there?
   * @returns 0, or EACCES, EROFS … as an error
   * @see man 2 access
   */
  access<const M extends string>(pathname: Path, mode: NumberOr<Constant<'AccessMode'>, M>): Result<'int'>
  /**
   * Goes to a directory, from where relative paths begin.
   *
   * @returns 0
   * @see man 2 chdir
   */
  chdir(path: Path): Result<'int'>
  /**
   * Sets permission bits.
   *
   * @param mode `0o755`; only the twelve lowest bits count
   * @returns 0
   * @see man 2 chmod
   */
  chmod(pathname: Path, mode: Int): Result<'int'>
  /**
   * Sets owner and group, through symbolic links.
   *
   * @param owner a user id; -1 leaves it
   * @param group a group id; -1 leaves it
   * @returns 0
   * @see man 2 chown
   */
  chown(pathname: Path, owner: Int, group: Int): Result<'int'>
  /**
   * Closes a descriptor; with the last of an open file its write access is given back.
   *
   * @returns 0
   * @see man 2 close
   */
  close(fd: FdArg): Result<'int'>
  /**
   * Opens a file as O_WRONLY|O_CREAT|O_TRUNC does.
   *
   * @param mode permission bits of a file that is made, less the umask
   * @returns the lowest free descriptor
   * @see man 2 creat
   */
  creat(pathname: Path, mode: Int): Fd
  /**
   * Another descriptor of the same open file: they share its position.
   *
   * @returns the lowest free descriptor
   * @see man 2 dup
   */
  dup(oldfd: FdArg): Fd
  /**
   * Another descriptor of the same open file, with this number. What was open there is closed.
   *
   * @returns `newfd`
   * @see man 2 dup2
   */
  dup2(oldfd: FdArg, newfd: FdArg): Fd
  /**
   * As `dup2`, with flags; EINVAL where both numbers are the same.
   *
   * @param flags `'O_CLOEXEC'` or 0
   * @returns `newfd`
   * @see man 2 dup3
   */
  dup3(oldfd: FdArg, newfd: FdArg, flags: number | 'O_CLOEXEC'): Fd
  /**
   * Runs a file: the program ends where this succeeds, and uses the bytes that it runs.
   *
   * @param argv the arguments; null is an empty vector
   * @param envp the environment; null is an empty one
   * @returns nothing that the program could take; errors as numbers
   * @see man 2 execve
   */
  execve(pathname: Path, argv: Vector, envp: Vector): Result<'exec'>
  /**
   * With AT_EXECVE_CHECK asks whether a file could be executed, and gives an approval on which a `use`
   * relies. Else runs it: then the program ends where this succeeds, and uses the bytes that it runs.
   *
   * @param dirfd where a relative path begins; with `'AT_EMPTY_PATH'` and the path `''` the file itself
   * @param argv the arguments; null is an empty vector
   * @param envp the environment; null is an empty one
   * @param flags `'AT_EMPTY_PATH|AT_EXECVE_CHECK'`, or 0
   * @returns of a check an approval, 0; of a real exec nothing that the program could take
   * @see man 2 execveat
   */
  execveat<const F extends string | number>(
    dirfd: DirFd,
    pathname: Path,
    argv: Vector,
    envp: Vector,
    flags: NumberOr<Constant<'ExecFlag'>, Extract<F, string>>,
  ): Deciding<F, 'AT_EXECVE_CHECK', Approval, Result<'exec'>>
  /**
   * As `access`, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param mode `'R_OK|X_OK'`, or `'F_OK'`
   * @param flags as the C library has them: `'AT_EACCESS'` asks for the effective user and group
   * @returns 0, or EACCES, EROFS … as an error
   * @see man 2 faccessat
   */
  faccessat<const M extends string, const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: NumberOr<Constant<'AccessMode'>, M>,
    flags?: NumberOr<Constant<'AccessFlag'>, F>,
  ): Result<'int'>
  /**
   * As `access`, from a directory, by the system call that takes flags.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param mode `'R_OK|X_OK'`, or `'F_OK'`
   * @param flags `'AT_EACCESS'` (the effective user and group), `'AT_SYMLINK_NOFOLLOW'`, `'AT_EMPTY_PATH'`
   * @returns 0, or EACCES, EROFS … as an error
   * @see man 2 faccessat2
   */
  faccessat2<const M extends string, const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: NumberOr<Constant<'AccessMode'>, M>,
    flags?: NumberOr<Constant<'AccessFlag'>, F>,
  ): Result<'int'>
  /**
   * Goes to an open directory, from where relative paths begin.
   *
   * @returns 0
   * @see man 2 fchdir
   */
  fchdir(fd: FdArg): Result<'int'>
  /**
   * Sets permission bits of what a descriptor has open.
   *
   * @param mode `0o755`; only the twelve lowest bits count
   * @returns 0
   * @see man 2 fchmod
   */
  fchmod(fd: FdArg, mode: Int): Result<'int'>
  /**
   * Sets permission bits, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param mode `0o755`; only the twelve lowest bits count
   * @returns 0
   * @see man 2 fchmodat
   */
  fchmodat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    mode: Int,
    flags?: NumberOr<Constant<'AtFlag'>, F>,
  ): Result<'int'>
  /**
   * Sets owner and group of what a descriptor has open.
   *
   * @param owner a user id; -1 leaves it
   * @param group a group id; -1 leaves it
   * @returns 0
   * @see man 2 fchown
   */
  fchown(fd: FdArg, owner: Int, group: Int): Result<'int'>
  /**
   * Sets owner and group, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param owner a user id; -1 leaves it
   * @param group a group id; -1 leaves it
   * @returns 0
   * @see man 2 fchownat
   */
  fchownat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    owner: Int,
    group: Int,
    flags?: NumberOr<Constant<'AtFlag'>, F>,
  ): Result<'int'>
  /**
   * Waits until what was written to an open file is on its device.
   *
   * @returns 0
   * @see man 2 fdatasync
   */
  fdatasync(fd: FdArg): Result<'int'>
  /**
   * What a descriptor has open.
   *
   * @returns fields for later calls: `st.st_size` in bytes, `st.st_mode` …; times are not modelled
   * @see man 2 fstat
   */
  fstat(fd: FdArg): Stat
  /**
   * What a path leads to, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param flags `'AT_SYMLINK_NOFOLLOW'`; with `'AT_EMPTY_PATH'` and the path `''` what `dirfd` has open
   * @returns fields for later calls: `st.st_size` in bytes, `st.st_mode` …; times are not modelled
   * @see man 2 fstatat
   */
  fstatat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    flags?: NumberOr<Constant<'StatFlag'>, F>,
  ): Stat
  /**
   * Cuts an open file, or fills it up with zeros; it must be open for writing.
   *
   * @param length its new size in bytes
   * @returns 0
   * @see man 2 ftruncate
   */
  ftruncate(fd: FdArg, length: Int): Result<'int'>
  /**
   * Sets owner and group; of a symbolic link those of the link.
   *
   * @param owner a user id; -1 leaves it
   * @param group a group id; -1 leaves it
   * @returns 0
   * @see man 2 lchown
   */
  lchown(pathname: Path, owner: Int, group: Int): Result<'int'>
  /**
   * Gives a file a second name; a symbolic link is linked itself.
   *
   * @returns 0
   * @see man 2 link
   */
  link(oldpath: Path, newpath: Path): Result<'int'>
  /**
   * As `link`, each path from a directory.
   *
   * @param olddirfd where a relative `oldpath` begins: an open directory, or `'AT_FDCWD'`
   * @param newdirfd where a relative `newpath` begins
   * @param flags `'AT_SYMLINK_FOLLOW'`; with `'AT_EMPTY_PATH'` and the path `''` what `olddirfd` has open
   * @returns 0
   * @see man 2 linkat
   */
  linkat<const F extends string>(
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    flags?: NumberOr<Constant<'LinkFlag'>, F>,
  ): Result<'int'>
  /**
   * Moves an open file.
   *
   * @param offset in bytes, from where `whence` says; may be negative
   * @param whence `'SEEK_SET'` (the beginning), `'SEEK_CUR'`, `'SEEK_END'`, `'SEEK_DATA'` or `'SEEK_HOLE'`
   * @returns where it stands now, in bytes from the beginning
   * @see man 2 lseek
   */
  lseek(fd: FdArg, offset: Int, whence: number | Constant<'Whence'>): Result<'int'>
  /**
   * What a path leads to; of a symbolic link at its end the link itself.
   *
   * @returns fields for later calls: `st.st_size` in bytes, `st.st_mode` …; times are not modelled
   * @see man 2 lstat
   */
  lstat(pathname: Path): Stat
  /**
   * Makes a directory.
   *
   * @param mode permission bits, less the umask: `0o755`
   * @returns 0
   * @see man 2 mkdir
   */
  mkdir(pathname: Path, mode: Int): Result<'int'>
  /**
   * Makes a directory, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param mode permission bits, less the umask: `0o755`
   * @returns 0
   * @see man 2 mkdirat
   */
  mkdirat(dirfd: DirFd, pathname: Path, mode: Int): Result<'int'>
  /**
   * Makes a file of any type.
   *
   * @param mode type and permission bits: `'S_IFIFO|0644'`; less the umask
   * @param dev the number of a device: major and minor as one number, as in C
   * @returns 0
   * @see man 2 mknod
   */
  mknod(pathname: Path, mode: ModeOf<Constant<'FileType'>>, dev?: Int): Result<'int'>
  /**
   * Makes a file of any type, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param mode type and permission bits: `'S_IFIFO|0644'`; less the umask
   * @param dev the number of a device: major and minor as one number, as in C
   * @returns 0
   * @see man 2 mknodat
   */
  mknodat(dirfd: DirFd, pathname: Path, mode: ModeOf<Constant<'FileType'>>, dev?: Int): Result<'int'>
  /**
   * Maps a file or zeros into memory. `peek` and `poke` use it.
   *
   * @param addr 0: the kernel chooses; else a hint, or with MAP_FIXED the address
   * @param length in bytes; whole pages of 4096 are mapped
   * @param prot `'PROT_READ|PROT_WRITE'`
   * @param flags `'MAP_SHARED'` or `'MAP_PRIVATE'`, with others
   * @param fd -1 with MAP_ANONYMOUS
   * @param offset in bytes from the beginning of the file; a multiple of 4096
   * @returns the address of the mapping
   * @see man 2 mmap
   */
  mmap<const P extends string, const F extends string>(
    addr: Addr,
    length: Int,
    prot: NumberOr<Constant<'MapProtection'>, P>,
    flags: NumberOr<Constant<'MapFlag'>, F>,
    fd: FdArg,
    offset?: Int,
  ): Address
  /**
   * Changes what may be done to mapped memory.
   *
   * @param addr a multiple of 4096
   * @param length in bytes
   * @param prot `'PROT_READ|PROT_EXEC'`
   * @returns 0
   * @see man 2 mprotect
   */
  mprotect<const P extends string>(
    addr: Addr,
    length: Int,
    prot: NumberOr<Constant<'Protection'>, P>,
  ): Result<'int'>
  /**
   * Takes mappings away.
   *
   * @param addr a multiple of 4096
   * @param length in bytes
   * @returns 0
   * @see man 2 munmap
   */
  munmap(addr: Addr, length: Int): Result<'int'>
  /**
   * Opens a file.
   *
   * @param pathname up to 4095 bytes
   * @param flags an access mode, with others: `'O_WRONLY|O_CREAT|O_TRUNC'`
   * @param mode permission bits of a file that is made, less the umask; asked for with O_CREAT and O_TMPFILE
   * @returns the lowest free descriptor
   * @see man 2 open
   */
  open<const F extends string>(pathname: Path, flags: NumberOr<Constant<'OpenFlag'>, F>, mode?: Int): Fd
  /**
   * Opens a file, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param pathname up to 4095 bytes
   * @param flags an access mode, with others: `'O_WRONLY|O_CREAT|O_TRUNC'`
   * @param mode permission bits of a file that is made, less the umask; asked for with O_CREAT and O_TMPFILE
   * @returns the lowest free descriptor
   * @see man 2 openat
   */
  openat<const F extends string>(
    dirfd: DirFd,
    pathname: Path,
    flags: NumberOr<Constant<'OpenFlag'>, F>,
    mode?: Int,
  ): Fd
  /**
   * Reads memory, as a program does without any system call. SIGBUS or SIGSEGV end the task where they would
   * in C.
   *
   * @param length in bytes
   * @returns the bytes, for `use` and `write`
   * @see man 2 mmap
   */
  peek(addr: Addr, length: Int): Bytes
  /**
   * Writes memory, as a program does without any system call. SIGBUS or SIGSEGV end the task where they would
   * in C.
   *
   * @param data text (its UTF-8), `{ base64 }`, or what an earlier call has read
   * @returns 0
   * @see man 2 mmap
   */
  poke(addr: Addr, data: Data): Result<'int'>
  /**
   * Reads or sets securebits, or no_new_privs.
   *
   * @param option `'PR_SET_SECUREBITS'`, `'PR_GET_SECUREBITS'`, `'PR_SET_NO_NEW_PRIVS'` or
   * `'PR_GET_NO_NEW_PRIVS'`
   * @param arg2 of PR_SET_SECUREBITS the bits: `'SECBIT_EXEC_RESTRICT_FILE|SECBIT_EXEC_RESTRICT_FILE_LOCKED'`
   * @returns 0, or what was asked for
   * @see man 2 prctl
   */
  prctl<const A extends string>(
    option: number | Constant<'PrctlOption'>,
    arg2?: Int | Flags<Constant<'SecureBit'>, A>,
    arg3?: Int,
    arg4?: Int,
    arg5?: Int,
  ): Result<'int'>
  /**
   * Reads from an offset; the open file stays where it stands.
   *
   * @param count bytes at most, up to 1 MiB; the buffer of C is left out
   * @param offset in bytes from the beginning of the file
   * @returns the bytes that were read, for `use`, `write`, and where a number is taken their count; none at
   * the end
   * @see man 2 pread
   */
  pread(fd: FdArg, count: Int, offset: Int): Bytes
  /**
   * Writes at an offset; the open file stays where it stands.
   *
   * @param buf text (its UTF-8), `{ base64 }`, or what an earlier call has read
   * @param count bytes
   * @param offset in bytes from the beginning of the file
   * @returns how many bytes were written
   * @see man 2 pwrite
   */
  pwrite(fd: FdArg, buf: Data, count: Int, offset: Int): Result<'int'>
  /**
   * Reads from where the open file stands, and moves it on.
   *
   * @param count bytes at most, up to 1 MiB; the buffer of C is left out
   * @returns the bytes that were read, for `use`, `write`, and where a number is taken their count; none at
   * the end
   * @see man 2 read
   */
  read(fd: FdArg, count: Int): Bytes
  /**
   * What a symbolic link says.
   *
   * @param bufsiz bytes at most, 4096 unless told; the buffer of C is left out
   * @returns the bytes, without one at the end
   * @see man 2 readlink
   */
  readlink(pathname: Path, bufsiz?: Int): Bytes
  /**
   * What a symbolic link says, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param bufsiz bytes at most, 4096 unless told; the buffer of C is left out
   * @returns the bytes, without one at the end
   * @see man 2 readlinkat
   */
  readlinkat(dirfd: DirFd, pathname: Path, bufsiz?: Int): Bytes
  /**
   * Gives a file another name, atomically; what had that name has lost it.
   *
   * @returns 0
   * @see man 2 rename
   */
  rename(oldpath: Path, newpath: Path): Result<'int'>
  /**
   * As `rename`, each path from a directory.
   *
   * @param olddirfd where a relative `oldpath` begins: an open directory, or `'AT_FDCWD'`
   * @param newdirfd where a relative `newpath` begins
   * @returns 0
   * @see man 2 renameat
   */
  renameat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path): Result<'int'>
  /**
   * As `renameat`, with flags.
   *
   * @param olddirfd where a relative `oldpath` begins: an open directory, or `'AT_FDCWD'`
   * @param newdirfd where a relative `newpath` begins
   * @param flags `'RENAME_NOREPLACE'`, `'RENAME_EXCHANGE'`, `'RENAME_WHITEOUT'`
   * @returns 0
   * @see man 2 renameat2
   */
  renameat2<const F extends string>(
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    flags?: NumberOr<Constant<'RenameFlag'>, F>,
  ): Result<'int'>
  /**
   * Takes an empty directory away.
   *
   * @returns 0
   * @see man 2 rmdir
   */
  rmdir(pathname: Path): Result<'int'>
  /**
   * What a path leads to, through symbolic links.
   *
   * @returns fields for later calls: `st.st_size` in bytes, `st.st_mode` …; times are not modelled
   * @see man 2 stat
   */
  stat(pathname: Path): Stat
  /**
   * Makes a symbolic link.
   *
   * @param target what the link says; nobody looks whether it is there
   * @param linkpath where the link is made
   * @returns 0
   * @see man 2 symlink
   */
  symlink(target: Path, linkpath: Path): Result<'int'>
  /**
   * Makes a symbolic link, from a directory.
   *
   * @param target what the link says; nobody looks whether it is there
   * @param newdirfd where a relative `linkpath` begins: an open directory, or `'AT_FDCWD'`
   * @returns 0
   * @see man 2 symlinkat
   */
  symlinkat(target: Path, newdirfd: DirFd, linkpath: Path): Result<'int'>
  /**
   * Cuts a file, or fills it up with zeros.
   *
   * @param length its new size in bytes
   * @returns 0
   * @see man 2 truncate
   */
  truncate(path: Path, length: Int): Result<'int'>
  /**
   * Sets which permission bits are taken from what is made.
   *
   * @param mask `0o022`
   * @returns the mask before
   * @see man 2 umask
   */
  umask(mask: Int): Result<'int'>
  /**
   * Takes a name away; the file goes with its last name and the last descriptor.
   *
   * @returns 0
   * @see man 2 unlink
   */
  unlink(pathname: Path): Result<'int'>
  /**
   * Takes a name away, from a directory.
   *
   * @param dirfd where a relative path begins: an open directory, or `'AT_FDCWD'`
   * @param flags `'AT_REMOVEDIR'`: an empty directory, as `rmdir`
   * @returns 0
   * @see man 2 unlinkat
   */
  unlinkat(dirfd: DirFd, pathname: Path, flags?: number | Constant<'UnlinkFlag'>): Result<'int'>
  /**
   * Writes where the open file stands (at its end with O_APPEND), and moves it on.
   *
   * @param buf text (its UTF-8), `{ base64 }`, or what an earlier call has read
   * @param count bytes; unless told all of `buf`
   * @returns how many bytes were written
   * @see man 2 write
   */
  write(fd: FdArg, buf: Data, count?: Int): Result<'int'>
}

/**
 * Error numbers of x86_64 Linux (include/uapi/asm-generic/errno-base.h, errno.h).
 *
 * A stage that fails returns the negative number, as the kernel does: `return -EACCES`.
 */
export const EPERM = 1
export const ENOENT = 2
export const ESRCH = 3
export const EINTR = 4
export const EIO = 5
export const ENXIO = 6
export const E2BIG = 7
export const ENOEXEC = 8
export const EBADF = 9
export const ECHILD = 10
export const EAGAIN = 11
export const ENOMEM = 12
export const EACCES = 13
export const EFAULT = 14
export const EBUSY = 16
export const EEXIST = 17
export const EXDEV = 18
export const ENODEV = 19
export const ENOTDIR = 20
export const EISDIR = 21
export const EINVAL = 22
export const ENFILE = 23
export const EMFILE = 24
export const ENOTTY = 25
export const ETXTBSY = 26
export const EFBIG = 27
export const ENOSPC = 28
export const ESPIPE = 29
export const EROFS = 30
export const EMLINK = 31
export const EPIPE = 32
export const ERANGE = 34
export const EDEADLK = 35
export const ENAMETOOLONG = 36
export const ENOSYS = 38
export const ENOTEMPTY = 39
export const ELOOP = 40
export const ENODATA = 61
export const EBADMSG = 74
export const EOVERFLOW = 75
export const EOPNOTSUPP = 95
export const ESTALE = 116
export const ENOKEY = 126
export const EKEYREJECTED = 129

/** Signals that a memory access or an exec past its point of no return can end a task with. */
export const SIGKILL = 9
export const SIGBUS = 7
export const SIGSEGV = 11

const names = {
  EPERM,
  ENOENT,
  ESRCH,
  EINTR,
  EIO,
  ENXIO,
  E2BIG,
  ENOEXEC,
  EBADF,
  ECHILD,
  EAGAIN,
  ENOMEM,
  EACCES,
  EFAULT,
  EBUSY,
  EEXIST,
  EXDEV,
  ENODEV,
  ENOTDIR,
  EISDIR,
  EINVAL,
  ENFILE,
  EMFILE,
  ENOTTY,
  ETXTBSY,
  EFBIG,
  ENOSPC,
  ESPIPE,
  EROFS,
  EMLINK,
  EPIPE,
  ERANGE,
  EDEADLK,
  ENAMETOOLONG,
  ENOSYS,
  ENOTEMPTY,
  ELOOP,
  ENODATA,
  EBADMSG,
  EOVERFLOW,
  EOPNOTSUPP,
  ESTALE,
  ENOKEY,
  EKEYREJECTED,
} // prettier-ignore
const signals = { SIGKILL, SIGBUS, SIGSEGV }

export type ErrnoName = keyof typeof names
export type SignalName = keyof typeof signals

/**
 * A signal travels as a return value below every errno, so that a fault in a memory access unwinds
 * like an error and can never be taken for one.
 */
const SIGNAL_BASE = 100_000

/** The return value of an access that raises `signal`. */
export function raise(signal: number): number {
  return -(SIGNAL_BASE + signal)
}

/** The signal that a return value stands for, or 0 where it is a result or an errno. */
export function signal_of(ret: number): number {
  return ret <= -SIGNAL_BASE ? -ret - SIGNAL_BASE : 0
}

/** Names of all errnos and signals. */
export const errno_names: readonly string[] = [...Object.keys(names), ...Object.keys(signals)]

const by_number = new Map(Object.entries(names).map(([name, number]) => [number, name]))
const signal_by_number = new Map(Object.entries(signals).map(([name, number]) => [number, name]))

/** `errno_name(13)` and `errno_name(-13)` are `'EACCES'`; of a raised signal, its name. */
export function errno_name(errno: number): string {
  const signal = signal_of(errno)
  if (signal !== 0) return signal_by_number.get(signal) ?? `signal ${signal}`
  return by_number.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`
}

/** The number of an errno or signal name, as a stage returns it (negative); undefined where there is none. */
export function errno_value(name: string): number | undefined {
  if (Object.hasOwn(signals, name)) return raise(signals[name as SignalName])
  return Object.hasOwn(names, name) ? -names[name as ErrnoName] : undefined
}

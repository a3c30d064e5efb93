/** Flags of open(2) (include/uapi/asm-generic/fcntl.h). */
import type { Constants } from '../../kernel/syscall.js'
import { MAY_READ, MAY_WRITE } from '../namei/permission.js'

export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_ACCMODE = 3
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NOCTTY = 0o400
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_DSYNC = 0o10000
export const O_DIRECT = 0o40000
export const O_LARGEFILE = 0o100000
export const O_DIRECTORY = 0o200000
export const O_NOFOLLOW = 0o400000
export const O_NOATIME = 0o1000000
export const O_CLOEXEC = 0o2000000
export const O_SYNC = 0o4010000
export const O_PATH = 0o10000000
/** The bit that only O_TMPFILE has; O_TMPFILE itself includes O_DIRECTORY. */
export const __O_TMPFILE = 0o20000000
export const O_TMPFILE = __O_TMPFILE | O_DIRECTORY

/** Permission asked for by an access mode; mode 3 asks for both and can do neither (include/linux/fs.h: ACC_MODE). */
export const ACC_MODE = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE]

export const open_flags: Constants = {
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_NOCTTY,
  O_TRUNC,
  O_APPEND,
  O_NONBLOCK,
  O_DSYNC,
  O_DIRECT,
  O_LARGEFILE,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NOATIME,
  O_CLOEXEC,
  O_SYNC,
  O_PATH,
  O_TMPFILE,
}

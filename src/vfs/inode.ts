/** A file apart from its names (struct inode), and the pages that hold its data. */
import { computing_type, type FileSystemOperations } from '../kernel/fs.js'
import type { Kernel } from '../kernel/kernel.js'
import { int, ref, sided, str, table, task_number } from '../kernel/schema.js'
import { ops_of } from './super_block.js'

export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_ISVTX = 0o1000
export const S_IWOTH = 0o002

export const is_reg = (mode: number): boolean => (mode & S_IFMT) === S_IFREG
export const is_dir = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR
export const is_lnk = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK
/** include/linux/fs.h: special_file. */
export const is_special = (mode: number): boolean =>
  (mode & S_IFMT) === S_IFCHR ||
  (mode & S_IFMT) === S_IFBLK ||
  (mode & S_IFMT) === S_IFIFO ||
  (mode & S_IFMT) === S_IFSOCK

/** Inode flags (include/linux/fs.h: S_IMMUTABLE, S_APPEND). */
export const S_APPEND = 4
export const S_IMMUTABLE = 8

export const PAGE_SIZE = 4096

export const inode = table(
  'inode',
  {
    /** `i_link` is the target of a symbolic link. */
    identity: { i_sb: ref('super_block'), i_rdev: int(), i_link: str() },
    attr: { i_mode: int(), i_uid: int(), i_gid: int(), i_flags: int() },
    size: { i_size: int() },
    /** Writers if positive, deniers if negative. */
    writecount: { i_writecount: sided() },
    /** With I_LINKABLE it can get a name though it has none. */
    links: { i_nlink: int(), i_linkable: int() },
    /** The task that holds i_rwsem exclusively, or 0. */
    rwsem: { i_rwsem: task_number() },
    /** References: its dentries, and address spaces that run it. With none left, and no links, it goes. */
    count: { i_count: int() },
    /** fs-verity: `alg:hex` of the digest, and whether its built-in signature was verified. */
    verity: { verity_digest: str(), verity_signed: int() },
  },
  {
    constant: ['identity'],
    computed: (k, id) => computing_type().computed.inode(k as Kernel, id),
  },
)

/**
 * One page of a file's page cache. A page of zeros has no row, and trailing zeros are cut off, so that a
 * content has one form only. The last page of a file holds nothing past the file's end.
 */
export const page = table(
  'page',
  { identity: { mapping: ref('inode'), index: int() }, data: { data: str() } },
  { unique: ['mapping', 'index'], keyed: true },
)

/** The operations of the file system that an inode lives on. */
export function inode_ops(k: Kernel, ino: number): FileSystemOperations {
  return ops_of(k, inode(k, ino).i_sb)
}

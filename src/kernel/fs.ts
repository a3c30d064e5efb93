/**
 * The first of the two tables by which Linux keeps its parts apart: what a file system type does.
 * (The other is `security.ts`.) `vfs` calls through it and registers tmpfs, ext4 and erofs; `overlay`
 * registers itself, and neither imports the other's stages.
 *
 * Operations that the kernel does in one atomic piece are plain functions; those that others can
 * interleave with are kernel functions (`Fn`) that `vfs` calls with the locals named here. What a type
 * leaves out, the vfs does in its generic way.
 */
import type { Fn, Kernel } from './kernel.js'
import { int, ref, type ValuesOf } from './schema.js'

/** Which real inode an overlay dentry stands for (include/linux/dcache.h: enum d_real_type). */
export type DRealType = 'data' | 'metadata'

/** A place: a mount and a dentry (include/linux/path.h). */
export interface Path {
  readonly mnt: number
  readonly dentry: number
}

/** Where a symbolic link leads: a text to walk on with, a place to jump to (a magic link), or a negative errno. */
export type LinkTarget = string | Path | number

/**
 * Names that nobody has made: each is computed from what it names, and so is its number (`computed_number`). Nothing
 * about them is in the state, so nothing can be written there: no name is made, moved or removed among them.
 */
export interface ComputedNames {
  dentry(
    k: Kernel,
    id: number,
  ): {
    readonly d_parent: number
    readonly d_name: string
    readonly d_inode: number
    readonly d_sb: number
  }
  inode(
    k: Kernel,
    id: number,
  ): {
    readonly i_sb: number
    readonly i_mode: number
    readonly i_uid: number
    readonly i_gid: number
    readonly i_nlink: number
    readonly i_size?: number
    readonly i_flags?: number
  }
  /** The path of a dentry from the root of its file system, for people. */
  path(id: number): string
}

/** A kernel function that has at least the locals `L`, which its caller fills, be it that it needs them or not; it may have more of its own. */
export type Operation<L extends object> = Fn<any> & { readonly takes?: L }

export interface FileSystemOperations {
  /** `s_type` of its superblocks. */
  readonly name: string
  /** Makes the root of a new superblock, where no set-up says what is in it. @returns the root dentry's number */
  fill_super?(k: Kernel, sb: number): number
  /** The largest file in bytes, where that is less than the vfs's own limit (16 TiB on ext4). */
  readonly s_maxbytes?: number
  /** A write that could copy nothing leaves the file as long as where it began (mm/shmem.c: shmem_write_end). */
  readonly extends_by_failed_write?: boolean
  /** The most links that an inode can have; unless told there is no limit. */
  readonly max_links?: number
  /**
   * The dentry of `name` in the directory `parent` (a dentry number); 0 where there is none, but one can be made; or a
   * negative errno. Atomic.
   */
  lookup(k: Kernel, parent: number, name: string): number
  /** Of a type whose directories are computed: what stands behind the numbers that its `lookup` gives. */
  readonly computed?: ComputedNames
  /** Where the symbolic link `link` (a dentry) leads (`inode_operations.get_link`); unless told, its inode's `i_link`. */
  get_link?(k: Kernel, link: number): LinkTarget
  /**
   * What readlink says of a link (`inode_operations.readlink`): the text, or a negative errno; unless told, the text that
   * it leads to.
   */
  readlink?(k: Kernel, link: number): string | number | undefined
  /** Whether an inode may be used though its mode bits do not say so (`inode_operations.permission`). */
  is_exempt?(k: Kernel, inode: number): boolean
  /** What this type asks beyond mode bits (`inode_operations.permission`): 0 or a negative errno. */
  permission?(k: Kernel, inode: number, mask: number): number
  /** The inode whose data (or metadata) a dentry stands for; itself unless stacked. */
  d_real?(k: Kernel, dentry: number, type: DRealType): number
  /** The inode below, of which `stat` asks size and attributes; itself unless stacked. */
  getattr_inode?(k: Kernel, inode: number): number
  /** The inode whose number `stat` reports; itself unless stacked. */
  stat_ino?(k: Kernel, inode: number): number
  /** The number of links that `stat` reports, where the inode does not count them. */
  stat_nlink?(k: Kernel, inode: number): number
  /** The block size that `stat` reports: a page unless told. */
  readonly st_blksize?: number
  /** The device that `stat` reports; the superblock's unless stacked. */
  stat_dev?(k: Kernel, inode: number): number
  /** The inode that `read`, `lseek(SEEK_END)` and the like of this open file reach now; its own unless stacked. */
  file_data_inode?(k: Kernel, file: number): number
  /** The open file that a new mapping of this file pins and maps; itself unless stacked. */
  mmap_file?(k: Kernel, file: number): number

  /**
   * `file_operations.open`: locals `file`, and the `flags` of the open: with O_TRUNC, which f_flags no longer
   * has. Fails the open with its errno.
   */
  readonly open?: Operation<{ file: number; flags: number }>
  /** `file_operations.release`: locals `file`, when the last reference goes. */
  readonly release?: Operation<{ file: number }>
  /** Locals `file`, `pos`, `count`: copies to the task's user buffer, returns the number of bytes. */
  readonly read_iter?: Operation<{ file: number; pos: number; count: number }>
  /** Locals `file`, `pos`, `data`: with `pos` -1 at the file's position (and the position moves). Returns the number of bytes. */
  readonly write_iter?: Operation<{ file: number; pos: number; data: string; unmapped: number }>
  /** `inode_operations.setattr`, under the inode's lock: locals of `notify_change`. */
  readonly setattr?: Operation<SetattrLocals>
  /** `inode_operations.create`, `mkdir`, `symlink`, `mknod`: makes `name` in `parent` (locked); returns the dentry. */
  readonly create?: Operation<CreateLocals>
  /** Makes `name` in `parent` another link of `inode`. */
  readonly link?: Operation<{ inode: number; parent: number; name: string; old_dentry: number }>
  /** Removes `dentry` (of a directory if it is one: it is empty, or the type answers ENOTEMPTY). */
  readonly unlink?: Operation<{ dentry: number }>
  /** Moves `old_dentry` to `name` in `parent`, over `new_dentry` where that is not 0. */
  readonly rename?: Operation<{
    old_dentry: number
    parent: number
    name: string
    new_dentry: number
    flags: number
  }>
  /** Makes an inode without a name, for O_TMPFILE in the directory `parent`; types without it answer EOPNOTSUPP. */
  readonly tmpfile?: Operation<TmpfileLocals>
  /** The inode goes: what the type keeps about it goes too. */
  evict_inode?(k: Kernel, inode: number): void
  /** Whether a directory (a dentry) has no entries. */
  is_empty?(k: Kernel, dentry: number): boolean
}

/** What an attribute change asks for: which of the values count is in `valid` (ATTR_MODE | ATTR_SIZE …). */
export const setattr_locals = {
  dentry: ref('dentry'),
  inode: ref('inode'),
  valid: int(),
  mode: int(),
  uid: int(),
  gid: int(),
  size: int(),
  /** The open file of an ftruncate or fchmod, 0 for a path. */
  file: ref('file'),
}
export type SetattrLocals = ValuesOf<typeof setattr_locals>

export interface CreateLocals {
  parent: number
  name: string
  /** Type and permission bits; the umask is applied already. */
  mode: number
  /** Target of a symbolic link. */
  target: string
  rdev: number
}

export interface TmpfileLocals {
  parent: number
  /** Type and permission bits; the umask is applied already. */
  mode: number
  /** Those of the open: with O_EXCL it gets no name later. */
  flags: number
}

const types = new Map<string, FileSystemOperations>()
let computing: FileSystemOperations | null = null

/** The type whose directories are computed. */
export function computing_type(): { readonly name: string; readonly computed: ComputedNames } {
  if (computing?.computed === undefined) throw new Error('no file system type has computed names')
  return { name: computing.name, computed: computing.computed }
}

/** Makes a file system type known to the vfs (fs/filesystems.c: register_filesystem). */
export function register_filesystem(operations: FileSystemOperations): void {
  types.set(operations.name, operations)
  if (operations.computed === undefined) return
  // One number has room for a task and a name, not for a type too.
  if (computing !== null) throw new Error(`${computing.name} has computed names already`)
  computing = operations
}

/** The operations of a file system type. */
export function file_system(name: string): FileSystemOperations {
  const found = types.get(name)
  if (found === undefined) throw new Error(`no file system type ${name} is registered`)
  return found
}

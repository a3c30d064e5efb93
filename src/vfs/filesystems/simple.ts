/**
 * Directories whose names live in the dentry table alone: what tmpfs and ext4 have in common (fs/libfs.c:
 * simple_*; mm/shmem.c and fs/ext4/namei.c do the same steps to their own storage).
 *
 * The caller holds the locks: i_rwsem of the directories, and of the inodes whose link counts change. So
 * each operation is one atomic stage.
 */
import { EMLINK, ENOTEMPTY } from '../../kernel/errno.js'
import { done, fn, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { int, ref, str } from '../../kernel/schema.js'
import { children, d_add, d_drop, dentry } from '../dentry.js'
import { inode, inode_ops, is_dir, is_lnk, S_IFCHR, S_ISGID } from '../inode.js'
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from '../namei/rename_flags.js'
import { O_EXCL } from '../open/open_flags.js'
import { current } from '../tasks/task.js'

/** The dentry of a name, or 0: a name that has none is not there (fs/libfs.c: simple_lookup). */
export function simple_lookup(k: Kernel, parent: number, name: string): number {
  return dentry.find(k, parent, name)?.id ?? 0
}

/** Whether a directory has no entries (fs/libfs.c: simple_empty). */
export function simple_empty(k: Kernel, dir: number): boolean {
  return children(k, dir).length === 0
}

/** The inode of a directory that a dentry stands for, or that a name stands in. */
const directory_of = (k: Kernel, dir: number) => inode(k, dentry(k, dir).d_inode)

/**
 * Makes an inode in a directory: it belongs to the task, and in a set-group-id directory to the directory's
 * group, which a new directory passes on (fs/inode.c: inode_init_owner).
 *
 * @param mode type and permission bits, the umask applied
 * @returns its number; it has no name and no links yet
 */
export function new_inode(k: Kernel, parent: number, mode: number, target = '', rdev = 0): number {
  const dir = directory_of(k, parent)
  const inherits = (dir.i_mode & S_ISGID) !== 0
  const made = inode.create(k, {
    i_sb: dir.i_sb,
    i_rdev: rdev,
    i_link: target,
    i_size: is_lnk(mode) ? target.length : 0,
    i_mode: inherits && is_dir(mode) ? mode | S_ISGID : mode,
    i_uid: current(k).euid,
    i_gid: inherits ? dir.i_gid : current(k).egid,
  })
  return made.id
}

/** Gives a new inode its first name. A directory counts its own `.`, and its `..` counts for the parent. */
export function add_entry(k: Kernel, parent: number, name: string, ino: number): number {
  const node = inode(k, ino)
  if (is_dir(node.i_mode)) directory_of(k, parent).i_nlink += 1
  node.i_nlink = is_dir(node.i_mode) ? 2 : 1
  return d_add(k, parent, name, ino)
}

/** Makes a file of any type (mm/shmem.c: shmem_mknod, shmem_mkdir, shmem_symlink). @returns its dentry */
export const simple_create = fn(
  'simple_create',
  {
    source: 'fs/libfs.c',
    locals: { parent: ref('dentry'), name: str(), mode: int(), target: str(), rdev: int() },
  },
  [
    stage('d_instantiate', (k, f) => {
      const ino = new_inode(k, f.parent, f.mode, f.target, f.rdev)
      return done(f, add_entry(k, f.parent, f.name, ino))
    }),
  ],
)

/** Whether an inode has as many links as it can have (fs/ext4/namei.c: ext4_link). @returns 0 or -EMLINK */
export function too_many_links(k: Kernel, ino: number): number {
  const { max_links = Number.POSITIVE_INFINITY } = inode_ops(k, ino)
  return inode(k, ino).i_nlink < max_links ? 0 : k.refuse(-EMLINK, () => `it has ${max_links} links already`)
}

/** Another name for a file that is not a directory. Errors: EMLINK. @returns the new dentry */
export const simple_link = fn(
  'simple_link',
  {
    source: 'fs/libfs.c',
    locals: { inode: ref('inode'), parent: ref('dentry'), name: str(), old_dentry: ref('dentry') },
  },
  [
    stage('inc_nlink', (k, f) => {
      const full = too_many_links(k, f.inode)
      if (full !== 0) return full
      inode(k, f.inode).i_nlink += 1
      return done(f, d_add(k, f.parent, f.name, f.inode))
    }),
  ],
)

/** Takes a name away; a directory loses `.` with it, and the parent its `..`. */
export function remove_entry(k: Kernel, victim: number): void {
  const node = directory_of(k, victim)
  if (is_dir(node.i_mode)) {
    directory_of(k, dentry(k, victim).d_parent).i_nlink -= 1
    node.i_nlink = 0
  } else {
    node.i_nlink -= 1
  }
  d_drop(k, victim)
}

/** Errors: ENOTEMPTY (fs/libfs.c: simple_unlink, simple_rmdir). */
export const simple_unlink = fn(
  'simple_unlink',
  { source: 'fs/libfs.c', locals: { dentry: ref('dentry') } },
  [
    stage('drop_nlink', (k, f) => {
      if (is_dir(directory_of(k, f.dentry).i_mode) && !simple_empty(k, f.dentry)) {
        return k.refuse(-ENOTEMPTY, 'the directory has entries')
      }
      remove_entry(k, f.dentry)
    }),
  ],
)

/** Moves a name. On the way no lookup finds it: half-way it would stand on another's name (fs/dcache.c: __d_move). */
export function d_move(k: Kernel, id: number, parent: number, name: string): void {
  const d = dentry(k, id)
  d.d_unhashed = 1
  d.d_parent = parent
  d.d_name = name
  d.d_unhashed = 0
}

/** Two names change places (fs/dcache.c: d_exchange). */
export function d_exchange(k: Kernel, a: number, b: number): void {
  const { d_parent, d_name } = dentry(k, a)
  const other = dentry(k, b)
  const to = { parent: other.d_parent, name: other.d_name }
  dentry(k, a).d_unhashed = 1
  d_move(k, b, d_parent, d_name)
  d_move(k, a, to.parent, to.name)
}

/** A subdirectory's `..` leaves one directory for another. */
function move_dotdot(k: Kernel, from: number, to: number): void {
  directory_of(k, from).i_nlink -= 1
  directory_of(k, to).i_nlink += 1
}

/**
 * Moves a name within a file system, over what has the new name, or exchanges the two (fs/libfs.c:
 * simple_rename, simple_rename_exchange). A whiteout takes the old place with RENAME_WHITEOUT.
 *
 * Errors: ENOTEMPTY (the directory to be replaced has entries).
 */
export const simple_rename = fn(
  'simple_rename',
  {
    source: 'fs/libfs.c',
    locals: {
      old_dentry: ref('dentry'),
      parent: ref('dentry'),
      name: str(),
      new_dentry: ref('dentry'),
      flags: int(),
    },
  },
  [
    stage('d_move', (k, f) => {
      const { d_parent, d_name } = dentry(k, f.old_dentry)
      const moves_dir = is_dir(directory_of(k, f.old_dentry).i_mode)
      if ((f.flags & RENAME_EXCHANGE) !== 0) {
        if (moves_dir) move_dotdot(k, d_parent, f.parent)
        if (is_dir(directory_of(k, f.new_dentry).i_mode)) move_dotdot(k, f.parent, d_parent)
        return d_exchange(k, f.old_dentry, f.new_dentry)
      }
      if (f.new_dentry !== 0) {
        if (moves_dir && !simple_empty(k, f.new_dentry)) {
          return k.refuse(-ENOTEMPTY, 'the directory to be replaced has entries')
        }
        remove_entry(k, f.new_dentry)
      }
      if (moves_dir) move_dotdot(k, d_parent, f.parent)
      d_move(k, f.old_dentry, f.parent, f.name)
      if ((f.flags & RENAME_WHITEOUT) !== 0) {
        add_entry(k, d_parent, d_name, new_inode(k, d_parent, S_IFCHR))
      }
    }),
  ],
)

/**
 * The dentry of a file without a name (fs/dcache.c: d_tmpfile). It may get a name later, but not with O_EXCL
 * (fs/namei.c: vfs_tmpfile).
 */
export function d_tmpfile(k: Kernel, parent: number, ino: number, flags: number): number {
  const made = d_add(k, parent, '', ino, 1)
  if ((flags & O_EXCL) === 0) inode(k, ino).i_linkable = 1
  return made
}

/** A file without a name, which may be given one later (mm/shmem.c: shmem_tmpfile). @returns its dentry */
export const simple_tmpfile = fn(
  'shmem_tmpfile',
  { source: 'mm/shmem.c', locals: { parent: ref('dentry'), mode: int(), flags: int() } },
  [
    stage('shmem_tmpfile', (k, f) =>
      done(f, d_tmpfile(k, f.parent, new_inode(k, f.parent, f.mode), f.flags)),
    ),
  ],
)

/**
 * Path walk (fs/namei.c): from a string to a mount and a dentry, one atomic stage per component.
 *
 *     path_lookupat('/m/script')
 *       path_init            where the walk starts: the root, the working directory, or a descriptor
 *       walk_component       'm':      may search '/', look up, cross into the mount on it
 *       walk_component       'script': may search, look up, follow it if it is a symbolic link
 *
 * There is one walk. Its state is a `nameidata`, the locals that all its forms have in common, and its forms differ in
 * what they do with the last component: path_lookupat goes there, path_parentat stays before it, and path_openat
 * (`path_openat.ts`) opens it or makes it.
 *
 * A rename between two components is seen by the later one only: that is the race of checking by path.
 */
import { EACCES, EBADF, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS } from '../../kernel/errno.js'
import { done, fn, local, stage } from '../../kernel/fn.js'
import type { LinkTarget, Path } from '../../kernel/fs.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, type Frame, type Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { NULL_POINTER } from '../../kernel/syscall.js'
import { dentry } from '../dentry.js'
import { file } from '../file.js'
import { fdget_raw } from '../files/file_table.js'
import { inode, is_dir, is_lnk, S_ISVTX, S_IWOTH } from '../inode.js'
import { lookup_mnt, MNT_NOSYMFOLLOW, mnt_is_readonly, mount } from '../mount.js'
import { ops_of } from '../super_block.js'
import { current } from '../tasks/task.js'
import { inode_permission, MAY_EXEC } from './permission.js'

export const AT_FDCWD = -100

/** include/linux/namei.h */
/** The last component is followed if it is a symbolic link. */
export const LOOKUP_FOLLOW = 0x0001
/** What the walk ends at must be a directory: ENOTDIR otherwise. A slash at the end asks for it too. */
export const LOOKUP_DIRECTORY = 0x0002
/** An empty path names the place where the walk starts. */
export const LOOKUP_EMPTY = 0x4000

const PATH_MAX = 4096
const NAME_MAX = 255
const MAXSYMLINKS = 40

/** What the last component of a path is; creating and removing care. */
export interface LastComponent {
  readonly name: string
  readonly type: 'norm' | 'dot' | 'dotdot' | 'root'
  readonly trailing_slash: boolean
}

/** The last component of a path, by its text alone (fs/namei.c: link_path_walk, LAST_NORM …). */
export function last_component(path: string): LastComponent {
  const without_slashes = path.replace(/\/+$/, '')
  const name = without_slashes.slice(without_slashes.lastIndexOf('/') + 1)
  const trailing_slash = without_slashes.length < path.length
  const type = name === '' ? 'root' : name === '.' ? 'dot' : name === '..' ? 'dotdot' : 'norm'
  return { name, type, trailing_slash }
}

/** What is wrong with a path's text before any lookup (fs/namei.c: getname_flags). @returns 0 or a negative errno */
export function getname(path: string, flags: number): number {
  if (path === NULL_POINTER) return -EFAULT
  if (path === '' && (flags & LOOKUP_EMPTY) === 0) return -ENOENT
  return path.length >= PATH_MAX ? -ENAMETOOLONG : 0
}

/** The dentry of `name` in a directory, 0 or a negative errno: one atomic step (fs/namei.c: lookup_fast, lookup_slow). */
export function lookup_one(k: Kernel, parent: number, name: string): number {
  return ops_of(k, dentry(k, parent).d_sb).lookup(k, parent, name)
}

/**
 * Looks a name up, and says why there can be none: in a directory that was removed its file system is not asked
 * any more, and no name is longer than NAME_MAX (fs/namei.c: __lookup_slow, lookup_one_qstr_excl; fs/libfs.c:
 * simple_lookup).
 *
 * @returns the dentry, 0 where there is none, or -ENOENT, -ENAMETOOLONG, and what the file system answers
 */
export function lookup_slow(k: Kernel, parent: number, name: string): number {
  const found = name.length > NAME_MAX ? 0 : lookup_one(k, parent, name)
  if (found !== 0) return found
  if (dentry(k, parent).d_unhashed === 1) return k.refuse(-ENOENT, 'the directory has been removed')
  return name.length > NAME_MAX ? k.refuse(-ENAMETOOLONG, () => `a name of ${name.length} bytes`) : 0
}

/** Whether the mount may be written through (fs/namespace.c: mnt_want_write). @returns 0 or -EROFS */
export function mnt_want_write(k: Kernel, mnt: number): number {
  return mnt_is_readonly(k, mnt) ? k.refuse(-EROFS, 'the mount is read-only') : 0
}

/** What a walk knows of itself (fs/namei.c: struct nameidata): the locals of all its forms. */
export const nameidata = {
  /** Where a relative path starts, and the path. */
  dfd: int(AT_FDCWD),
  name: str(),
  /** LOOKUP_FOLLOW … */
  flags: int(),
  /** Where the walk is. */
  mnt: ref('mount'),
  dentry: ref('dentry'),
  /** What is left of the path, with the text of links that are being followed; at last the last component. */
  rest: str(),
  total_link_count: int(),
}
export type Nameidata = Frame<ValuesOf<typeof nameidata>>

/**
 * Walks a path.
 *
 * @returns [mount, dentry] of what it names
 *
 * Errors, in order: EFAULT, ENOENT, ENAMETOOLONG of the text; EBADF, ENOTDIR of `dfd`; then, component by
 * component: EACCES (search permission), ENAMETOOLONG, ENOENT, those of pick_link, ENOTDIR.
 */
export const path_lookupat = fn<typeof nameidata, readonly number[]>(
  'path_lookupat',
  { source: 'fs/namei.c', locals: nameidata },
  [
    local('path_init', (k, f) => path_init(k, f) || (f.name === '' ? done(f, [f.mnt, f.dentry]) : 0)),
    stage('walk_component', (k, f) => link_path_walk(k, f) || lookup_last(k, f)),
  ],
)

/**
 * Walks to the directory that holds the last component of a path; what that is, its text tells (`last_component`).
 *
 * @returns [mount, dentry] of the directory. Errors: those of path_lookupat, of all components but the last
 */
export const path_parentat = fn<typeof nameidata, readonly number[]>(
  'path_parentat',
  { source: 'fs/namei.c', locals: nameidata },
  [
    local('path_init', path_init),
    stage('walk_component', (k, f) => link_path_walk(k, f) || done(f, [f.mnt, f.dentry])),
  ],
)

/** Where the walk starts. Errors: EFAULT, ENOENT, ENAMETOOLONG of the text; EBADF. */
export function path_init(k: Kernel, f: Nameidata): number {
  const bad_name = getname(f.name, f.flags)
  if (bad_name !== 0) return bad_name
  f.rest = f.name
  if (f.name.startsWith('/')) nd_jump_root(k, f)
  else if (f.dfd === AT_FDCWD) nd_jump(f, current(k).pwd_mnt, current(k).pwd)
  else {
    const base = fdget_raw(k, f.dfd)
    if (base === 0) return k.refuse(-EBADF, () => `descriptor ${f.dfd} is not open`)
    const { f_mnt, f_dentry } = file(k, base)
    nd_jump(f, f_mnt, f_dentry)
  }
  return 0
}

/** The walk goes on from here (fs/namei.c: nd_jump_link). */
function nd_jump(f: Nameidata, mnt: number, at: number): void {
  f.mnt = mnt
  f.dentry = at
}

/** An absolute path, or link, starts at the task's root (fs/namei.c: nd_jump_root). */
function nd_jump_root(k: Kernel, f: Nameidata): void {
  const { root_mnt, root } = current(k)
  nd_jump(f, root_mnt, root)
}

/**
 * One component of the path that is not its last; or, at the last, whether it may be looked up: then `rest` is the
 * last component, with the slashes around it, and each form of the walk does with it what it is for.
 *
 * @returns 0 at the last component, AGAIN before it, or a negative errno
 */
export function link_path_walk(k: Kernel, f: Nameidata): number {
  const path = f.rest.replace(/^\/+/, '')
  if (path === '') return 0
  const refused = may_lookup(k, f)
  if (refused !== 0) return refused
  const slash = path.indexOf('/')
  const rest = slash < 0 ? '' : path.slice(slash)
  if (/^\/*$/.test(rest)) return 0
  f.rest = rest
  const failed = walk_component(k, f, path.slice(0, slash), false)
  return failed || d_can_lookup(k, f) || AGAIN
}

/** Whether names may be looked up where the walk is: it is a directory, and may be searched. */
function may_lookup(k: Kernel, f: Nameidata): number {
  const directory = dentry(k, f.dentry).d_inode
  // Of a descriptor that is none (fs/namei.c: path_init): the others have been looked at when they were reached.
  if (!is_dir(inode(k, directory).i_mode)) return k.refuse(-ENOTDIR, 'dirfd is not a directory')
  return inode_permission(k, directory, MAY_EXEC)
}

/** What was reached must be a directory. @returns 0 or -ENOTDIR */
function d_can_lookup(k: Kernel, f: Nameidata): number {
  const { d_inode, d_name } = dentry(k, f.dentry)
  return is_dir(inode(k, d_inode).i_mode) ? 0 : k.refuse(-ENOTDIR, () => `${d_name} is not a directory`)
}

/** Goes to the last component. A slash behind it asks for a directory, and follows a link to one. */
function lookup_last(k: Kernel, f: Nameidata): Outcome {
  const { name, trailing_slash } = last_component(f.rest)
  if (trailing_slash && name !== '') f.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY
  f.rest = ''
  const failed = walk_component(k, f, name, true)
  if (failed !== 0) return failed
  // The text of a link is left to be walked.
  if (f.rest !== '') return AGAIN
  return ((f.flags & LOOKUP_DIRECTORY) !== 0 && d_can_lookup(k, f)) || done(f, [f.mnt, f.dentry])
}

/** Goes through one name. @returns 0 or a negative errno */
function walk_component(k: Kernel, f: Nameidata, name: string, trailing: boolean): number {
  if (handle_dots(k, f, name)) return 0
  const found = lookup_slow(k, f.dentry, name)
  if (found < 0) return found
  return found === 0 ? k.refuse(-ENOENT, () => `no ${name} there`) : step_into(k, f, found, trailing)
}

/** `.` and `..`, and the nothing that is left of `/`. @returns whether it was one of them */
export function handle_dots(k: Kernel, f: Nameidata, name: string): boolean {
  if (name === '..') follow_dotdot(k, f)
  return name === '..' || name === '.' || name === ''
}

/** The parent directory; the task's root is its own. */
function follow_dotdot(k: Kernel, f: Nameidata): void {
  const { root, root_mnt } = current(k)
  while (f.dentry !== root || f.mnt !== root_mnt) {
    const { mnt_root, mnt_parent, mnt_mountpoint } = mount(k, f.mnt)
    if (f.dentry !== mnt_root) {
      f.dentry = dentry(k, f.dentry).d_parent
      break
    }
    if (mnt_parent === 0) break
    nd_jump(f, mnt_parent, mnt_mountpoint)
  }
  const over = traverse_mounts(k, f.mnt, f.dentry)
  if (over.mnt !== f.mnt) nd_jump(f, over.mnt, over.dentry)
}

/** Through whatever is mounted on a place. */
function traverse_mounts(k: Kernel, mnt: number, at: number): Path {
  const over = lookup_mnt(k, mnt, at)
  return over === undefined ? { mnt, dentry: at } : traverse_mounts(k, over.id, over.mnt_root)
}

/**
 * Goes to what a name stands for, through the mounts on it and, if it is a symbolic link to be followed, through it.
 *
 * @param trailing it is the last component, whose links are followed with LOOKUP_FOLLOW only
 * @returns 0 or a negative errno; then `rest` begins with what is to be walked of a link
 */
export function step_into(k: Kernel, f: Nameidata, found: number, trailing: boolean): number {
  const to = traverse_mounts(k, f.mnt, found)
  const { i_mode } = inode(k, dentry(k, to.dentry).d_inode)
  const follow = is_lnk(i_mode) && (!trailing || (f.flags & LOOKUP_FOLLOW) !== 0)
  if (follow) return pick_link(k, f, to, trailing)
  if (to.mnt !== f.mnt) f.mnt = to.mnt
  f.dentry = to.dentry
  return 0
}

/**
 * Follows a symbolic link: its text is walked from the directory that it is in, or from the root; a magic link leads
 * to a place at once.
 *
 * @returns 0, or the first of: -ELOOP (too many links), -EACCES (fs.protected_symlinks), -ELOOP (nosymfollow), what
 *   inode_follow_link answers, what the file system's get_link answers
 */
function pick_link(k: Kernel, f: Nameidata, link: Path, trailing: boolean): number {
  if (f.total_link_count >= MAXSYMLINKS) return k.refuse(-ELOOP, `more than ${MAXSYMLINKS} symbolic links`)
  f.total_link_count += 1
  const refused = trailing ? may_follow_link(k, f, link.dentry) : 0
  if (refused !== 0) return refused
  if ((mount(k, link.mnt).mnt_flags & MNT_NOSYMFOLLOW) !== 0)
    return k.refuse(-ELOOP, 'the mount forbids symbolic links')
  const denied = security(k, 'inode_follow_link', { dentry: link.dentry })
  if (denied !== 0) return denied
  const target = get_link(k, link.dentry)
  if (typeof target === 'number') return target
  if (typeof target === 'object') nd_jump(f, target.mnt, target.dentry)
  else {
    if (target.startsWith('/')) nd_jump_root(k, f)
    f.rest = target.replace(/^\/+/, '') + f.rest
  }
  return 0
}

/**
 * Where a symbolic link leads: the text that its inode has, or what its file system says of it (`inode_operations.get_link`).
 *
 * @returns a text, a place, or a negative errno
 */
export function get_link(k: Kernel, link: number): LinkTarget {
  const { d_inode, d_sb } = dentry(k, link)
  return ops_of(k, d_sb).get_link?.(k, link) ?? inode(k, d_inode).i_link
}

/**
 * With fs.protected_symlinks a link at the end of a path, in a sticky directory that everybody may write, is followed
 * only by its owner, or if it belongs to the directory's.
 *
 * @returns 0 or -EACCES
 */
function may_follow_link(k: Kernel, f: Nameidata, link: number): number {
  if (!k.has('protected_symlinks')) return 0
  const { i_uid } = inode(k, dentry(k, link).d_inode)
  const dir = inode(k, dentry(k, f.dentry).d_inode)
  const sticky = (dir.i_mode & (S_ISVTX | S_IWOTH)) === (S_ISVTX | S_IWOTH)
  if (!sticky || i_uid === current(k).euid || i_uid === dir.i_uid) return 0
  return k.refuse(-EACCES, 'protected_symlinks: a link of somebody else in a sticky directory')
}

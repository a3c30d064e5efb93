/**
 * Path walk (fs/namei.c): from a string to a mount and a dentry, one atomic stage per component.
 *
 *     path_lookupat('/m/script')
 *       path_init            where the walk starts: the root, the working directory, or a descriptor
 *       walk_component       'm':      may search '/', look up, cross into the mount on it
 *       walk_component       'script': may search, look up, follow it if it is a symbolic link
 *
 * A rename between two components is seen by the later one only: that is the race of checking by path.
 */
import { EBADF, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS } from '../../kernel/errno.js'
import { call, done, fn, local, stage } from '../../kernel/fn.js'
import { file_system } from '../../kernel/fs.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, type Frame } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { NULL_POINTER } from '../../kernel/syscall.js'
import { dentry, is_unhashed } from '../dentry.js'
import { file } from '../file.js'
import { fdget_raw } from '../files/file_table.js'
import { inode, is_dir, is_lnk } from '../inode.js'
import { lookup_mnt, MNT_NOSYMFOLLOW, mnt_is_readonly, mount } from '../mount.js'
import { super_block } from '../super_block.js'
import { current } from '../tasks/task.js'
import { inode_permission, MAY_EXEC } from './permission.js'

export const AT_FDCWD = -100

/** include/linux/namei.h */
export const LOOKUP_FOLLOW = 0x0001
export const LOOKUP_DIRECTORY = 0x0002
export const LOOKUP_EMPTY = 0x4000
/** Stop at the directory that holds the last component. */
export const LOOKUP_PARENT = 0x0010

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

/** The dentry of `name` in a directory, or 0: one atomic step (fs/namei.c: lookup_fast, lookup_slow). */
export function lookup_one(k: Kernel, parent: number, name: string): number {
  return file_system(super_block(k, dentry(k, parent).d_sb).s_type).lookup(k, parent, name)
}

/**
 * Looks a name up, and says why there can be none: in a directory that was removed its file system is not asked
 * any more, and no name is longer than NAME_MAX (fs/namei.c: __lookup_slow, lookup_one_qstr_excl; fs/libfs.c:
 * simple_lookup).
 *
 * @returns the dentry, 0 where there is none, or -ENOENT, -ENAMETOOLONG
 */
export function lookup_slow(k: Kernel, parent: number, name: string): number {
  const found = name.length > NAME_MAX ? 0 : lookup_one(k, parent, name)
  if (found !== 0) return found
  if (is_unhashed(dentry(k, parent).d_name)) return k.refuse(-ENOENT, 'the directory has been removed')
  return name.length > NAME_MAX ? k.refuse(-ENAMETOOLONG, () => `a name of ${name.length} bytes`) : 0
}

/** Whether the mount may be written through (fs/namespace.c: mnt_want_write). @returns 0 or -EROFS */
export function mnt_want_write(k: Kernel, mnt: number): number {
  return mnt_is_readonly(k, mnt) ? k.refuse(-EROFS, 'the mount is read-only') : 0
}

const nameidata = {
  dfd: int(AT_FDCWD),
  name: str(),
  flags: int(),
  /** Where the walk is; given in advance, the walk starts there instead of at `dfd`. */
  mnt: ref('mount'),
  dentry: ref('dentry'),
  /** What is left of the path. */
  rest: str(),
  /** Symbolic links followed so far, on the whole walk. */
  links: int(),
}
type Nameidata = Frame<ValuesOf<typeof nameidata>>

/**
 * Walks a path.
 *
 * @returns [mount, dentry] of what it names, or with LOOKUP_PARENT of the directory of the last component
 *
 * Errors, in order: EFAULT, ENOENT, ENAMETOOLONG of the text; EBADF, ENOTDIR of `dfd`; then, component by
 * component: EACCES (search permission), ENAMETOOLONG, ENOENT, ELOOP, ENOTDIR.
 */
export const path_lookupat = fn<typeof nameidata, readonly number[]>(
  'path_lookupat',
  { source: 'fs/namei.c', locals: nameidata },
  [local('path_init', path_init), stage('walk_component', walk_component)],
)

const parent_locals = { dfd: int(AT_FDCWD), name: str() }

/** The directory that holds the last component of a path. @returns [mount, dentry] */
export const path_parentat = fn<typeof parent_locals, readonly number[]>(
  'path_parentat',
  { source: 'fs/namei.c', locals: parent_locals },
  [
    call(
      path_lookupat,
      (_, f) => ({ dfd: f.dfd, name: f.name, flags: LOOKUP_PARENT }),
      (_, f, path: readonly number[]) => done(f, path),
    ),
  ],
)

function path_init(k: Kernel, f: Nameidata) {
  const bad_name = getname(f.name, f.flags)
  if (bad_name !== 0) return bad_name
  f.rest = f.name
  if (f.dentry !== 0) return
  const task = current(k)
  if (f.name.startsWith('/')) return start_at(f, task.root_mnt, task.root)
  if (f.dfd === AT_FDCWD) start_at(f, task.pwd_mnt, task.pwd)
  else {
    const base = fdget_raw(k, f.dfd)
    if (base === 0) return k.refuse(-EBADF, () => `descriptor ${f.dfd} is not open`)
    const { f_mnt, f_dentry } = file(k, base)
    start_at(f, f_mnt, f_dentry)
  }
  if (f.name === '') return done(f, [f.mnt, f.dentry])
}

function start_at(f: Nameidata, mnt: number, at: number): void {
  f.mnt = mnt
  f.dentry = at
}

/** One component; the walk is over when nothing is left. */
function walk_component(k: Kernel, f: Nameidata) {
  const path = f.rest.replace(/^\/+/, '')
  if (path === '') return done(f, [f.mnt, f.dentry])
  const slash = path.indexOf('/')
  const name = slash < 0 ? path : path.slice(0, slash)
  const rest = slash < 0 ? '' : path.slice(slash)
  const last = /^\/*$/.test(rest)

  const directory = dentry(k, f.dentry).d_inode
  if (!is_dir(inode(k, directory).i_mode)) return k.refuse(-ENOTDIR, 'dirfd is not a directory')
  const denied = inode_permission(k, directory, MAY_EXEC)
  if (denied !== 0) return denied
  if (last && (f.flags & LOOKUP_PARENT) !== 0) return done(f, [f.mnt, f.dentry])

  f.rest = rest
  if (name === '..') follow_dotdot(k, f)
  else if (name !== '.') {
    const failed = step_into(k, f, name, last)
    if (failed !== 0) return failed
  }
  if (f.rest !== rest || f.rest !== '') return must_go_on(k, f)
  return done(f, [f.mnt, f.dentry])
}

/** More components, a link's target, or trailing slashes: what was reached must be a directory. */
function must_go_on(k: Kernel, f: Nameidata) {
  if (!is_dir(inode(k, dentry(k, f.dentry).d_inode).i_mode)) {
    return k.refuse(-ENOTDIR, () => `${dentry(k, f.dentry).d_name} is not a directory`)
  }
  return /^\/*$/.test(f.rest) ? done(f, [f.mnt, f.dentry]) : AGAIN
}

/** fs/namei.c: follow_dotdot. The task's root is its own parent. */
function follow_dotdot(k: Kernel, f: Nameidata): void {
  const { root, root_mnt } = current(k)
  while (f.dentry !== root || f.mnt !== root_mnt) {
    const { mnt_root, mnt_parent, mnt_mountpoint } = mount(k, f.mnt)
    if (f.dentry !== mnt_root) {
      f.dentry = dentry(k, f.dentry).d_parent
      break
    }
    if (mnt_parent === 0) break
    start_at(f, mnt_parent, mnt_mountpoint)
  }
  cross_mounts(k, f)
}

function cross_mounts(k: Kernel, f: Nameidata): void {
  for (let over = lookup_mnt(k, f.mnt, f.dentry); over !== undefined; over = lookup_mnt(k, f.mnt, f.dentry)) {
    start_at(f, over.id, over.mnt_root)
  }
}

/** Looks a name up, goes there, and through it if it is a link to be followed. @returns 0 or a negative errno */
function step_into(k: Kernel, f: Nameidata, name: string, last: boolean): number {
  const found = lookup_slow(k, f.dentry, name)
  if (found < 0) return found
  if (found === 0) return k.refuse(-ENOENT, () => `no ${name} there`)
  const node = inode(k, dentry(k, found).d_inode)
  const follow = is_lnk(node.i_mode) && (!last || f.rest !== '' || (f.flags & LOOKUP_FOLLOW) !== 0)
  if (!follow) {
    f.dentry = found
    cross_mounts(k, f)
    return 0
  }
  const failed = pick_link(k, f, found)
  if (failed !== 0) return failed
  f.rest = node.i_link + f.rest
  if (node.i_link.startsWith('/')) start_at(f, current(k).root_mnt, current(k).root)
  return 0
}

/** Whether a symbolic link may be followed (fs/namei.c: pick_link). @returns 0 or a negative errno */
export function pick_link(k: Kernel, f: Frame<{ mnt: number; links: number }>, link: number): number {
  if (f.links >= MAXSYMLINKS) return k.refuse(-ELOOP, `more than ${MAXSYMLINKS} symbolic links`)
  f.links += 1
  if ((mount(k, f.mnt).mnt_flags & MNT_NOSYMFOLLOW) !== 0)
    return k.refuse(-ELOOP, 'the mount forbids symbolic links')
  return security(k, 'inode_follow_link', { dentry: link })
}

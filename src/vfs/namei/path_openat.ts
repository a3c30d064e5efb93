/**
 * The walk of an open (fs/namei.c: path_openat): it goes to the last component, or makes it, and opens it.
 *
 *     do_filp_open
 *       path_openat
 *         path_init
 *         walk_component         the walk of `namei.ts`; without O_CREAT also to the last component
 *         open_last_lookups      with O_CREAT: the last component is there, or its directory is locked to make it
 *         create                 the file system makes it; unlock
 *         do_open                `do_open.ts`
 *
 * A symbolic link at the end is followed by the same walk, whose links are all counted together. O_TMPFILE and O_PATH
 * walk as any other call does, by path_lookupat.
 */
import { EISDIR, ENOENT, EOPNOTSUPP } from '../../kernel/errno.js'
import { call, done, fn, jump, local, release, stage } from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { dentry } from '../dentry.js'
import { S_IFREG } from '../inode.js'
import { inode_lock, inode_rwsem } from '../lock.js'
import { do_dentry_open } from '../open/dentry_open.js'
import { __O_TMPFILE, O_CREAT, O_PATH, O_TMPFILE } from '../open/open_flags.js'
import { ops_of } from '../super_block.js'
import { may_create, vfs_prepare_mode } from './directory.js'
import { do_open } from './do_open.js'
import {
  AT_FDCWD,
  handle_dots,
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  last_component,
  link_path_walk,
  lookup_slow,
  mnt_want_write,
  nameidata,
  path_init,
  path_lookupat,
  step_into,
} from './namei.js'

/** What is asked of an open (fs/internal.h: struct open_flags; build_open_flags makes it). */
const open_flags = { open_flag: int(), mode: int(), acc_mode: int(), fmode: int() }

const opening = {
  ...nameidata,
  ...open_flags,
  /** With O_CREAT: the directory in which the last component was looked up, wherever a link at the end led. */
  dir: ref('dentry'),
  created: int(),
}
type Opening = Frame<ValuesOf<typeof opening>>

/** An open file whose inode has no name. Errors: those of the walk; EROFS, EACCES; EOPNOTSUPP. @returns the file's number */
const do_tmpfile = fn('do_tmpfile', { source: 'fs/namei.c', locals: { ...nameidata, ...open_flags } }, [
  call(
    path_lookupat,
    (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.flags | LOOKUP_DIRECTORY }),
    (_, f, [mnt, dir]: readonly number[]) => {
      f.mnt = mnt!
      f.dentry = dir!
    },
  ),
  stage('vfs_tmpfile', (k, f) => {
    const refused = mnt_want_write(k, f.mnt) || may_create(k, f.dentry)
    if (refused !== 0) return refused
    if (ops_of(k, dentry(k, f.dentry).d_sb).tmpfile === undefined) return -EOPNOTSUPP
    f.mode = S_IFREG | vfs_prepare_mode(k, f.dentry, f.mode)
  }),
  call(
    (k, f) => ops_of(k, dentry(k, f.dentry).d_sb).tmpfile!,
    (_, f) => ({ parent: f.dentry, mode: f.mode, flags: f.open_flag }),
    (_, f, made: number) => {
      f.dentry = made
    },
    'i_op->tmpfile',
  ),
  call(
    do_dentry_open,
    (_, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: f.open_flag & ~O_TMPFILE }),
    (_, f, opened: number) => done(f, opened),
  ),
])

/** A descriptor that stands for a place, whatever may be done there. Errors: those of the walk. @returns the file's number */
const do_o_path = fn(
  'do_o_path',
  {
    source: 'fs/namei.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      flags: int(),
      open_flag: int(),
      mnt: ref('mount'),
      dentry: ref('dentry'),
    },
  },
  [
    call(
      path_lookupat,
      (_, f) => ({ dfd: f.dfd, name: f.name, flags: f.flags }),
      (_, f, [mnt, found]: readonly number[]) => {
        f.mnt = mnt!
        f.dentry = found!
      },
    ),
    call(
      do_dentry_open,
      (_, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: f.open_flag }),
      (_, f, opened: number) => done(f, opened),
      'vfs_open',
    ),
  ],
)

/**
 * Walks to what is to be opened, makes it if O_CREAT asks for that, and opens it.
 *
 * @returns the number of the open file, which has one reference and no descriptor
 *
 * Errors, in order: those of the walk; with O_CREAT EISDIR (a slash at the end), and of a missing name those of
 * lookup_open; those of do_open.
 */
const path_openat = fn('path_openat', { source: 'fs/namei.c', locals: opening }, [
  local('open_flag', (_, f) => {
    if ((f.open_flag & __O_TMPFILE) !== 0) return jump(f, 'do_tmpfile')
    if ((f.open_flag & O_PATH) !== 0) return jump(f, 'do_o_path')
  }),
  local('path_init', (k, f) => path_init(k, f) || (f.name === '' ? jump(f, 'do_open') : 0)),
  stage('walk_component', (k, f) => {
    const ahead = link_path_walk(k, f)
    // What is only looked up is found with the right to search its directory, in one stage.
    if (ahead !== 0 || (f.open_flag & O_CREAT) !== 0) return ahead
    return open_last_lookups(k, f) || jump(f, 'do_open')
  }),
  stage('open_last_lookups', open_last_lookups),
  call(
    (k, f) => (is_missing(f) ? (ops_of(k, dentry(k, f.dentry).d_sb).create ?? null) : null),
    (_, f) => ({ parent: f.dentry, name: last_component(f.rest).name, mode: f.mode }),
    (k, f, made: number) => {
      f.dentry = made
      f.created = 1
      release(k, f, inode_rwsem)
    },
    'create',
  ),
  call(
    do_open,
    (_, f) => ({
      mnt: f.mnt,
      dentry: f.dentry,
      dir: f.dir,
      directory: f.flags & LOOKUP_DIRECTORY,
      flags: f.open_flag,
      acc_mode: f.acc_mode,
      fmode: f.fmode,
      created: f.created,
    }),
    (_, f, opened: number) => done(f, opened),
  ),
  call(
    do_tmpfile,
    (_, { dfd, name, flags, open_flag, mode }) => ({ dfd, name, flags, open_flag, mode }),
    (_, f, opened: number) => done(f, opened),
  ),
  call(
    do_o_path,
    (_, { dfd, name, flags, open_flag }) => ({ dfd, name, flags, open_flag }),
    (_, f, opened: number) => done(f, opened),
  ),
])

/** Whether the last component is still to be made. */
const is_missing = (f: Opening): boolean => f.rest !== ''

/**
 * The last component: goes to it, or through it if it is a link to be followed; what O_CREAT is to make is looked for
 * under its directory's lock.
 *
 * @returns 0 where it is there, or is to be made; else where to go on, or a negative errno
 */
function open_last_lookups(k: Kernel, f: Opening): Outcome {
  const { name, type, trailing_slash } = last_component(f.rest)
  const creates = (f.open_flag & O_CREAT) !== 0
  if (type === 'norm' && trailing_slash) {
    if (creates) return k.refuse(-EISDIR, 'a slash at the end: O_CREAT makes no directories')
    f.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY
  }
  if (handle_dots(k, f, name)) {
    f.rest = ''
    return 0
  }
  const found = lookup_slow(k, f.dentry, name)
  if (found < 0) return found
  if (found === 0) return creates ? lookup_open(k, f, name) : k.refuse(-ENOENT, () => `no ${name} there`)
  f.rest = ''
  if (creates) f.dir = f.dentry
  const failed = step_into(k, f, found, true)
  if (failed !== 0) return failed
  // The text of a link is left to be walked.
  return f.rest === '' ? 0 : jump(f, 'walk_component')
}

/**
 * A missing name: what stands in the way of making it shows only now, since a name that exists needs none of it.
 * Errors, in order: EROFS (mount), path_mknod, EROFS (superblock), EPERM (immutable), EACCES, inode_create.
 */
function lookup_open(k: Kernel, f: Opening, name: string): Outcome {
  const asleep = inode_lock(k, f, dentry(k, f.dentry).d_inode)
  if (asleep) return asleep
  const read_only = mnt_want_write(k, f.mnt)
  if (read_only !== 0) return read_only
  // Worked out here, under the directory's lock.
  f.mode = S_IFREG | vfs_prepare_mode(k, f.dentry, f.mode & 0o7777)
  const { mode } = f
  return (
    security(k, 'path_mknod', { dir: { mnt: f.mnt, dentry: f.dentry }, name, mode, dev: 0 }) ||
    may_create(k, f.dentry) ||
    security(k, 'inode_create', { parent: f.dentry, name, mode })
  )
}

/** Opens a path. @returns the number of the open file; errors are those of path_openat */
export const do_filp_open = fn(
  'do_filp_open',
  {
    source: 'fs/namei.c',
    locals: { dfd: int(AT_FDCWD), name: str(), lookup_flags: int(), ...open_flags },
  },
  [
    call(
      path_openat,
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        flags: f.lookup_flags,
        open_flag: f.open_flag,
        mode: f.mode,
        acc_mode: f.acc_mode,
        fmode: f.fmode,
      }),
      (_, f, opened: number) => done(f, opened),
    ),
  ],
)

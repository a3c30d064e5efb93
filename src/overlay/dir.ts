/**
 * Making, linking, removing and renaming in an overlay (fs/overlayfs/dir.c).
 *
 * The change is made in the upper layer, so the directory is copied up first; what a lower layer still has
 * is hidden by a whiteout. The vfs holds the locks of the overlay directories; the upper directory's lock is
 * taken only for the change itself, which is one stage.
 */
import { EINVAL, ENOTEMPTY, EPERM, ESTALE, EXDEV } from '../kernel/errno.js'
import { call, done, fn, jump, stage } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { BLOCKED, type Frame, type Outcome } from '../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../kernel/schema.js'
import { children, d_add, d_drop, dentry } from '../vfs/dentry.js'
import {
  add_entry,
  d_exchange,
  d_move,
  d_tmpfile,
  new_inode,
  remove_entry,
  too_many_links,
} from '../vfs/filesystems/simple.js'
import { inode, is_dir, S_IFCHR, S_IFMT, S_ISGID } from '../vfs/inode.js'
import { lookup_one, mnt_want_write } from '../vfs/namei/namei.js'
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../vfs/namei/rename_flags.js'
import { super_block } from '../vfs/super_block.js'
import { ovl_copy_up_flags } from './copy_up.js'
import { ovl_get_inode, ovl_is_empty, ovl_is_whiteout, ovl_lower_has, ovl_lower_positive } from './lookup.js'
import {
  make_shared_whiteout,
  one_inode_for_all_names,
  only_contents_change_below,
  ovl_dentry_upper,
  ovl_fs,
  ovl_inode,
  ovl_is_pure_upper,
} from './ovl_entry.js'

/** What is still to be copied up before a change can be made; the stage that makes it runs again after. */
const wanted = { copy_up: ref('dentry') }
type Wanted = Frame<ValuesOf<typeof wanted>>

/** Notes the first of these dentries that has no upper one. @returns whether there is one */
function must_copy_up(k: Kernel, f: Wanted, ...dentries: number[]): boolean {
  const first = dentries.find((dent) => ovl_dentry_upper(k, dent) === 0)
  if (first !== undefined) f.copy_up = first
  return first !== undefined
}

/** Copies up what the stage before has asked for, and goes back to it. */
const copy_up_then = <L extends ValuesOf<typeof wanted>>(back: string) =>
  call<L>(
    ovl_copy_up_flags,
    (_, f) => ({ dentry: f.copy_up }),
    (_, f) => {
      f.copy_up = 0
      return jump(f, back)
    },
    'ovl_copy_up',
  )

const is_locked = (k: Kernel, dir: number): boolean => inode(k, dentry(k, dir).d_inode).i_rwsem !== 0
const is_directory = (k: Kernel, dent: number): boolean => is_dir(inode(k, dentry(k, dent).d_inode).i_mode)

/** Whether the upper layer can be written now (fs/overlayfs/util.c: ovl_want_write). @returns 0 or -EROFS */
function ovl_want_write(k: Kernel, dent: number): number {
  return mnt_want_write(k, ovl_fs(k, dentry(k, dent).d_sb).upper_mnt)
}

/**
 * A whiteout takes the place of what is removed: another link of the one that the overlay keeps in its workdir.
 * When that can have no more links it is used up itself, and the next one is made (fs/overlayfs/dir.c:
 * ovl_whiteout).
 */
function ovl_whiteout(k: Kernel, sb: number, upperdir: number, name: string): void {
  const ofs = ovl_fs(k, sb)
  if (ofs.whiteout === 0) ofs.whiteout = make_shared_whiteout(k, ofs.workdir)
  const shared = inode(k, ofs.whiteout)
  d_add(k, upperdir, name, shared.id)
  if (too_many_links(k, shared.id) === 0) {
    shared.i_nlink += 1
    return
  }
  shared.i_count -= 1
  ofs.whiteout = 0
}

/**
 * The whiteout that the upper file system makes where a name is moved away: an inode of its own, which belongs to
 * the mounter, but to the group of a set-group-ID directory (mm/shmem.c: shmem_whiteout; RENAME_WHITEOUT).
 */
function leave_whiteout(k: Kernel, upperdir: number, name: string): void {
  const { i_mode, i_gid } = inode(k, dentry(k, upperdir).d_inode)
  const made = inode(k, new_inode(k, upperdir, S_IFCHR))
  made.i_uid = 0
  made.i_gid = (i_mode & S_ISGID) !== 0 ? i_gid : 0
  add_entry(k, upperdir, name, made.id)
}

/** Removes a name from the upper layer; a directory goes with its whiteouts, which are all that is left in it. */
function ovl_cleanup(k: Kernel, real: number): void {
  if (is_directory(k, real)) for (const { id } of children(k, real)) remove_entry(k, id)
  remove_entry(k, real)
}

/** The overlay's own name goes (fs/overlayfs/util.c: ovl_drop_nlink). */
function drop_overlay_name(k: Kernel, dent: number): void {
  const node = inode(k, dentry(k, dent).d_inode)
  node.i_nlink = is_dir(node.i_mode) ? 0 : Math.max(0, node.i_nlink - 1)
  d_drop(k, dent)
}

// --- creating --------------------------------------------------------------------------------------------

const creation = { parent: ref('dentry'), name: str(), mode: int(), target: str(), rdev: int(), ...wanted }
type Creation = Frame<ValuesOf<typeof creation>>

/**
 * Makes a file of any type: ovl_create, ovl_mkdir, ovl_symlink, ovl_mknod. @returns the new dentry
 *
 * Errors, in order: EPERM (a whiteout), those of copying the directory up, EROFS (the upper layer), ESTALE
 * (somebody made the name in the upper layer meanwhile).
 */
export const ovl_create_object = fn('ovl_create_object', { source: 'fs/overlayfs/dir.c', locals: creation }, [
  stage('ovl_create_upper', ovl_create_upper),
  copy_up_then('ovl_create_upper'),
])

function ovl_create_upper(k: Kernel, f: Creation): Outcome {
  if ((f.mode & S_IFMT) === S_IFCHR && f.rdev === 0)
    return k.refuse(-EPERM, 'whiteouts are not made through the overlay')
  only_contents_change_below(k, dentry(k, f.parent).d_sb, 'a new name')
  if (must_copy_up(k, f, f.parent)) return
  const upperdir = ovl_dentry_upper(k, f.parent)
  if (is_locked(k, upperdir)) return BLOCKED
  const refused = ovl_want_write(k, f.parent) || make_room(k, upperdir, f.name)
  if (refused !== 0) return refused
  const ino = new_inode(k, upperdir, f.mode, f.target, f.rdev)
  const upper = add_entry(k, upperdir, f.name, ino)
  return done(f, ovl_instantiate(k, f.parent, f.name, upper))
}

/** A whiteout gives way to what is made in its place (ovl_create_over_whiteout). @returns 0 or -ESTALE */
function make_room(k: Kernel, upperdir: number, name: string): number {
  const there = lookup_one(k, upperdir, name)
  if (there === 0) return 0
  if (!ovl_is_whiteout(k, there)) return k.refuse(-ESTALE, () => `${name} was made in the upper layer`)
  remove_entry(k, there)
  return 0
}

/** The overlay's dentry and inode of what was made. A new directory hides lower ones of its name: it is opaque. */
function ovl_instantiate(k: Kernel, parent: number, name: string, upper: number): number {
  return d_add(k, parent, name, ovl_get_inode(k, dentry(k, parent).d_sb, { upper, lowerstack: [] }))
}

/**
 * Makes a file without a name (O_TMPFILE), in the upper layer; the directory is copied up for it. @returns its dentry
 *
 * Errors, in order: EROFS (the upper layer), those of copying the directory up.
 */
export const ovl_tmpfile = fn(
  'ovl_tmpfile',
  {
    source: 'fs/overlayfs/dir.c',
    since: '6.1',
    locals: { parent: ref('dentry'), mode: int(), flags: int(), ...wanted },
  },
  [
    stage('ovl_create_tmpfile', (k, f) => {
      const read_only = ovl_want_write(k, f.parent)
      if (read_only !== 0) return read_only
      if (must_copy_up(k, f, f.parent)) return
      const upperdir = ovl_dentry_upper(k, f.parent)
      const upper = d_tmpfile(k, upperdir, new_inode(k, upperdir, f.mode), f.flags)
      const ino = ovl_get_inode(k, dentry(k, f.parent).d_sb, { upper, lowerstack: [] })
      return done(f, d_tmpfile(k, f.parent, ino, f.flags))
    }),
    copy_up_then('ovl_create_tmpfile'),
  ],
)

/**
 * Another name for a file, which is copied up for it. @returns the new dentry
 *
 * Errors, in order: those of copying up the file, then the directory; EROFS; EMLINK; ESTALE.
 */
export const ovl_link = fn(
  'ovl_link',
  {
    source: 'fs/overlayfs/dir.c',
    locals: { inode: ref('inode'), parent: ref('dentry'), name: str(), old_dentry: ref('dentry'), ...wanted },
  },
  [
    stage('ovl_create_or_link', (k, f) => {
      only_contents_change_below(k, dentry(k, f.parent).d_sb, 'a new name')
      one_inode_for_all_names(k, f.inode)
      if (must_copy_up(k, f, f.old_dentry, f.parent)) return
      const upperdir = ovl_dentry_upper(k, f.parent)
      const { upper } = ovl_inode(k, f.inode)
      if (is_locked(k, upperdir) || inode(k, upper).i_rwsem !== 0) return BLOCKED
      const refused =
        ovl_want_write(k, f.parent) || too_many_links(k, upper) || make_room(k, upperdir, f.name)
      if (refused !== 0) return refused
      inode(k, upper).i_nlink += 1
      inode(k, f.inode).i_nlink += 1
      d_add(k, upperdir, f.name, upper)
      inode(k, upper).i_linkable = 0
      return done(f, d_add(k, f.parent, f.name, f.inode))
    }),
    copy_up_then('ovl_create_or_link'),
  ],
)

// --- removing --------------------------------------------------------------------------------------------

/**
 * Removes a name: from the upper layer, and with a whiteout where a lower layer has it too. The object
 * itself is not copied up, only its directory.
 *
 * Errors, in order: ENOTEMPTY, those of copying the directory up, EROFS, ESTALE (the upper name is gone, or
 * is another file).
 */
export const ovl_do_remove = fn(
  'ovl_do_remove',
  { source: 'fs/overlayfs/dir.c', locals: { dentry: ref('dentry'), ...wanted } },
  [
    stage('ovl_do_remove', (k, f) => {
      if (is_directory(k, f.dentry) && !ovl_is_empty(k, f.dentry, ovl_lower_positive(k, f.dentry)))
        return k.refuse(-ENOTEMPTY, 'the merged directory has entries')
      const { d_parent, d_inode, d_sb } = dentry(k, f.dentry)
      only_contents_change_below(k, d_sb, 'the removal of a name')
      if (must_copy_up(k, f, d_parent)) return
      // ovl_nlink_start: a copy-up of the victim is waited for.
      if (is_locked(k, ovl_dentry_upper(k, d_parent)) || ovl_inode(k, d_inode).ovl_lock !== 0) return BLOCKED
      const refused = ovl_want_write(k, f.dentry) || ovl_remove_upper(k, f.dentry)
      if (refused !== 0) return refused
      drop_overlay_name(k, f.dentry)
      return done(f)
    }),
    copy_up_then('ovl_do_remove'),
  ],
)

/** fs/overlayfs/dir.c: ovl_remove_upper, ovl_remove_and_whiteout. @returns 0 or -ESTALE */
function ovl_remove_upper(k: Kernel, victim: number): number {
  const { d_parent, d_name } = dentry(k, victim)
  const upperdir = ovl_dentry_upper(k, d_parent)
  const real = lookup_one(k, upperdir, d_name)
  if (!ovl_matches_upper(k, victim, real))
    return k.refuse(-ESTALE, () => `${d_name} is no longer what the upper layer has`)
  const lower_positive = ovl_lower_positive(k, victim)
  if (real !== 0) ovl_cleanup(k, real)
  if (lower_positive) ovl_whiteout(k, dentry(k, victim).d_sb, upperdir, d_name)
  return 0
}

/** Whether the upper layer still has under the name what the dentry stands for; nothing is asked of a lower file. */
function ovl_matches_upper(k: Kernel, dent: number, real: number): boolean {
  const { upper } = ovl_inode(k, dentry(k, dent).d_inode)
  return upper === 0 || (real !== 0 && dentry(k, real).d_inode === upper)
}

// --- renaming --------------------------------------------------------------------------------------------

const renaming = {
  old_dentry: ref('dentry'),
  parent: ref('dentry'),
  name: str(),
  new_dentry: ref('dentry'),
  flags: int(),
  ...wanted,
}
type Renaming = Frame<ValuesOf<typeof renaming>>

/**
 * Moves a name within the overlay. What is moved is copied up, and leaves a whiteout where a lower layer has
 * the old name. A directory with lower parts cannot be moved: redirect_dir is off.
 *
 * Errors, in order: EINVAL (RENAME_WHITEOUT), EXDEV, ENOTEMPTY, those of copying up, EROFS, ESTALE.
 */
export const ovl_rename = fn('ovl_rename', { source: 'fs/overlayfs/dir.c', locals: renaming }, [
  stage('ovl_rename', (k, f) => {
    const refused = ovl_may_rename(k, f)
    if (refused !== 0) return refused
    only_contents_change_below(k, dentry(k, f.parent).d_sb, 'a rename')
    const exchanged = (f.flags & RENAME_EXCHANGE) !== 0 ? [f.new_dentry] : []
    if (must_copy_up(k, f, f.old_dentry, f.parent, ...exchanged)) return
    if (is_rename_locked(k, f)) return BLOCKED
    return ovl_want_write(k, f.old_dentry) || check_upper_names(k, f) || move(k, f) || done(f)
  }),
  copy_up_then('ovl_rename'),
])

function ovl_may_rename(k: Kernel, f: Renaming): number {
  if ((f.flags & ~(RENAME_EXCHANGE | RENAME_NOREPLACE)) !== 0) return -EINVAL
  const exchange = (f.flags & RENAME_EXCHANGE) !== 0
  if (!ovl_can_move(k, f.old_dentry) || (exchange && !ovl_can_move(k, f.new_dentry))) {
    return k.refuse(-EXDEV, 'a directory with lower parts is not moved (redirect_dir is off)')
  }
  const replaced = exchange ? 0 : f.new_dentry
  if (replaced !== 0 && is_directory(k, replaced) && !ovl_is_empty(k, replaced)) {
    return k.refuse(-ENOTEMPTY, 'the directory to be replaced has entries')
  }
  return 0
}

const ovl_can_move = (k: Kernel, dent: number): boolean =>
  !is_directory(k, dent) || ovl_is_pure_upper(k, dentry(k, dent).d_inode)

const upperdirs = (k: Kernel, f: Renaming): readonly [number, number] => [
  ovl_dentry_upper(k, dentry(k, f.old_dentry).d_parent),
  ovl_dentry_upper(k, f.parent),
]

/** Whether a lock that the change needs is taken: those of the upper directories, and of what is replaced. */
function is_rename_locked(k: Kernel, f: Renaming): boolean {
  const [from, to] = upperdirs(k, f)
  if (is_locked(k, from) || is_locked(k, to)) return true
  if (from !== to && super_block(k, dentry(k, to).d_sb).s_vfs_rename_mutex !== 0) return true
  return f.new_dentry !== 0 && ovl_inode(k, dentry(k, f.new_dentry).d_inode).ovl_lock !== 0
}

/** The upper layer must have under both names what the overlay takes them for. @returns 0 or -ESTALE */
function check_upper_names(k: Kernel, f: Renaming): number {
  const [from, to] = upperdirs(k, f)
  const source = lookup_one(k, from, dentry(k, f.old_dentry).d_name)
  const target = lookup_one(k, to, f.name)
  const has_upper = f.new_dentry !== 0 && ovl_dentry_upper(k, f.new_dentry) !== 0
  const fits = has_upper
    ? ovl_matches_upper(k, f.new_dentry, target)
    : target === 0 || ovl_is_whiteout(k, target)
  return ovl_matches_upper(k, f.old_dentry, source) && fits
    ? 0
    : k.refuse(-ESTALE, 'the upper layer has changed')
}

function move(k: Kernel, f: Renaming): void {
  const [from, to] = upperdirs(k, f)
  const { d_parent, d_name } = dentry(k, f.old_dentry)
  // By its name: links of one upper inode are one overlay inode, which knows but one of their dentries.
  const source = lookup_one(k, from, d_name)
  const target = lookup_one(k, to, f.name)
  if (is_directory(k, source)) move_dotdot(k, from, to)
  if ((f.flags & RENAME_EXCHANGE) !== 0) {
    if (is_directory(k, target)) move_dotdot(k, to, from)
    d_exchange(k, source, target)
    d_exchange(k, f.old_dentry, f.new_dentry)
    return
  }
  const leaves_whiteout = ovl_lower_has(k, d_parent, d_name)
  // A whiteout that stands in the new place goes to the old one.
  if (leaves_whiteout && target !== 0 && f.new_dentry === 0) d_exchange(k, source, target)
  else {
    if (target !== 0) ovl_cleanup(k, target)
    d_move(k, source, to, f.name)
    if (leaves_whiteout) leave_whiteout(k, from, d_name)
  }
  if (f.new_dentry !== 0) drop_overlay_name(k, f.new_dentry)
  d_move(k, f.old_dentry, f.parent, f.name)
}

/** A subdirectory's `..` leaves one directory for another. */
function move_dotdot(k: Kernel, from: number, to: number): void {
  if (from === to) return
  inode(k, dentry(k, from).d_inode).i_nlink -= 1
  inode(k, dentry(k, to).d_inode).i_nlink += 1
}

/**
 * Copy-up: a lower object gets a copy in the upper layer, and from one instant on the overlay inode stands
 * for that (fs/overlayfs/copy_up.c).
 *
 *     ovl_copy_up_flags
 *       ovl_copy_up_start     per object, parents first: the mutex, the attributes, a file without a name
 *       ovl_copy_up_file      the data, page by page; the lower file may change meanwhile
 *       ovl_do_link           the name in the upper directory: whoever looks there sees it now
 *       ovl_inode_update      publication: whoever reads through the overlay gets the copy from now on
 *
 * The kernel waits for nothing between ovl_do_link and ovl_inode_update, yet they are two instants: a
 * reader of the upper directory and one of the overlay can disagree in between.
 */
import { EEXIST, EISDIR, ENOTDIR, ENOTEMPTY, EROFS } from '../kernel/errno.js'
import { done, fn, hand_over, hold, jump, release, stage, take } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { AGAIN, BLOCKED, type Frame, type Outcome } from '../kernel/kernel.js'
import { NotModelled } from '../kernel/not_modelled.js'
import { int, ref, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { children, dentry, iput } from '../vfs/dentry.js'
import { add_entry, new_inode, remove_entry } from '../vfs/filesystems/simple.js'
import { inode, is_dir, is_reg, is_special, PAGE_SIZE, page } from '../vfs/inode.js'
import { read_page, write_page } from '../vfs/memory/page_cache.js'
import { lookup_one, mnt_want_write } from '../vfs/namei/namei.js'
import { O_ACCMODE, O_RDWR, O_TRUNC, O_WRONLY } from '../vfs/open/open_flags.js'
import { ovl_is_whiteout } from './lookup.js'
import { bottom_real, bottom_realdata, ovl_dentry_upper, ovl_fs, ovl_inode } from './ovl_entry.js'

/** The overlay inode's mutex: one copy-up at a time (fs/overlayfs/util.c: ovl_inode_lock). */
export const ovl_inode_mutex = hold('ovl_inode_unlock', (k, ino) => {
  ovl_inode(k, ino).ovl_lock = 0
})

/** Takes the overlay inode's mutex, or sleeps until it is free. */
export function ovl_inode_lock(k: Kernel, f: Frame<any>, ino: number): Outcome {
  const info = ovl_inode(k, ino)
  if (info.ovl_lock !== 0) return BLOCKED
  info.ovl_lock = k.task
  take(f, ovl_inode_mutex, ino)
}

/** The copy while it has no name: it is thrown away if the copy-up fails. */
const tmpfile = hold('ovl_cleanup', (k, ino) => iput(k, ino))

/** Whether an open with these flags wants to write: then a lower file is copied up (ovl_open_flags_need_copy_up). */
function ovl_open_flags_need_copy_up(flags: number): boolean {
  const mode = flags & O_ACCMODE
  return mode === O_WRONLY || mode === O_RDWR || (flags & O_TRUNC) !== 0
}

/** ... and whether it does so for this inode: never for devices and fifos (ovl_open_need_copy_up). */
export function ovl_open_need_copy_up(k: Kernel, ino: number, flags: number): boolean {
  return (
    ovl_open_flags_need_copy_up(flags) && !is_special(inode(k, ino).i_mode) && ovl_inode(k, ino).upper === 0
  )
}

const copy_up = {
  /** What is to be copied up in the end, and the flags of the open that wants it (O_TRUNC: no data). */
  dentry: ref('dentry'),
  flags: int(),
  /** What is being copied up now: `dentry`, or an ancestor of it. */
  at: ref('dentry'),
  /** The copy, its size when the copy began, and how much of that has been copied. */
  temp: ref('inode'),
  size: int(),
  pos: int(),
  /** The name that the copy has got. */
  linked: ref('dentry'),
  /** The inode that its data is being read from, and the page at which that reading began. */
  from: ref('inode'),
  splice: int(),
}
type CopyUp = Frame<ValuesOf<typeof copy_up>>

/**
 * Copies an overlay object up, and before it every ancestor that is in no upper layer yet, each atomically:
 * a failure leaves the ancestors that were done.
 *
 * Errors, in order: EROFS (no upper layer, or it is read-only), what a module answers to inode_copy_up,
 * EEXIST (somebody made the name in the upper directory meanwhile).
 */
export const ovl_copy_up_flags = fn(
  'ovl_copy_up_flags',
  { source: 'fs/overlayfs/copy_up.c', locals: copy_up },
  [
    stage('ovl_copy_up_start', ovl_copy_up_start),
    stage('ovl_copy_up_file', ovl_copy_up_file),
    stage('ovl_do_link', ovl_do_link),
    stage('ovl_inode_update', ovl_inode_update),
  ],
)

/** The topmost ancestor that no upper layer has: its parent has an upper dentry. */
function next_to_copy(k: Kernel, dent: number): number {
  let at = dent
  for (
    let parent = dentry(k, at).d_parent;
    ovl_dentry_upper(k, parent) === 0;
    parent = dentry(k, at).d_parent
  )
    at = parent
  return at
}

/**
 * One step, although the kernel looks, locks, looks again and makes the unnamed file: nobody else can see
 * that file, and who finds the mutex taken finds the copy published when he gets it.
 */
function ovl_copy_up_start(k: Kernel, f: CopyUp): Outcome {
  if (ovl_dentry_upper(k, f.dentry) !== 0) return done(f)
  const { d_sb } = dentry(k, f.dentry)
  const { upper_mnt, workdir } = ovl_fs(k, d_sb)
  if (upper_mnt === 0) return k.refuse(-EROFS, 'the overlay has no upper layer')
  const at = next_to_copy(k, f.dentry)
  const { d_inode } = dentry(k, at)
  if (ovl_inode(k, d_inode).ovl_lock !== 0) return BLOCKED
  const refused = mnt_want_write(k, upper_mnt) || security(k, 'inode_copy_up', { dentry: at })
  if (refused !== 0) return refused
  f.at = at
  ovl_inode_lock(k, f, d_inode)
  make_temp(k, f, workdir)
  return f.size === 0 ? jump(f, 'ovl_do_link') : undefined
}

/** A file without a name, with the attributes that the lower one has now (ovl_do_tmpfile, ovl_copy_up_metadata). */
function make_temp(k: Kernel, f: CopyUp, workdir: number): void {
  const lower = inode(k, bottom_real(k, ovl_inode(k, dentry(k, f.at).d_inode).lower))
  const temp = inode(k, new_inode(k, workdir, lower.i_mode, lower.i_link, lower.i_rdev))
  temp.i_mode = lower.i_mode
  temp.i_uid = lower.i_uid
  temp.i_gid = lower.i_gid
  // Immutable and append-only stay with the overlay inode: the upper file has them as an attribute (protattr).
  temp.i_count = 1
  const truncated = f.at === f.dentry && (f.flags & O_TRUNC) !== 0
  const size = is_reg(lower.i_mode) && !truncated ? lower.i_size : 0
  if (is_reg(lower.i_mode)) temp.i_size = size
  f.temp = temp.id
  f.size = size
  f.pos = 0
  f.from = size > 0 && k.has('ovl_read_pinned') ? lower_data(k, f) : 0
  take(f, tmpfile, temp.id)
  k.tell('copy-up', () => `${dentry(k, f.at).d_name}: ${size} bytes to copy`)
}

/** Pages that one splice carries (include/linux/pipe_fs_i.h: PIPE_DEF_BUFFERS). */
const SPLICED = 16

/**
 * Copies the next page that is no hole. The lower file is not locked: its pages are copied as they are now,
 * up to the size that it had at the start; what it has lost since is zeros.
 */
function ovl_copy_up_file(k: Kernel, f: CopyUp): Outcome {
  const index = next_page_to_copy(k, f)
  const start = index * PAGE_SIZE
  if (start >= f.size) return
  const data = read_page(k, f.from, index).slice(0, f.size - start)
  if (data !== '') write_page(k, f.temp, index, 0, data)
  f.pos = start + PAGE_SIZE
  const has_more = [f.from, lower_data(k, f)].some((ino) => page_from(k, ino, index + 1) < Infinity)
  return f.pos < f.size && has_more ? AGAIN : undefined
}

/** The inode that has the data of what is copied up now, as of now. */
const lower_data = (k: Kernel, f: CopyUp): number =>
  bottom_realdata(k, ovl_inode(k, dentry(k, f.at).d_inode).lower)

/** The first page of an inode from here on, or Infinity. */
function page_from(k: Kernel, ino: number, from: number): number {
  return Math.min(
    ...page
      .where(k, ino)
      .map((row) => row.index)
      .filter((index) => index >= from),
  )
}

/**
 * A lower file that lies on an overlay may be copied up there meanwhile: each splice reads from what is its real file
 * then (fs/overlayfs/file.c: ovl_splice_read).
 */
function next_page_to_copy(k: Kernel, f: CopyUp): number {
  const from = f.pos / PAGE_SIZE
  const index = f.from === 0 ? Infinity : page_from(k, f.from, from)
  const in_splice = index < f.splice + SPLICED || k.has('ovl_read_pinned')
  if (f.from !== 0 && in_splice) return index
  const first = f.from === 0
  f.from = lower_data(k, f)
  const next = page_from(k, f.from, from)
  if (next < Infinity) f.splice = first ? next : next - ((next - f.splice) % SPLICED)
  return next
}

/** The name that a dentry has, or had before it was unlinked: then a whiteout stands there. */

/** The copy gets its name in the upper directory, whose lock is held only for that (ovl_copy_up_tmpfile, ovl_copy_up_workdir). */
function ovl_do_link(k: Kernel, f: CopyUp): Outcome {
  const { d_parent } = dentry(k, f.at)
  const d_name = dentry(k, f.at).d_name
  const upperdir = ovl_dentry_upper(k, d_parent)
  if (inode(k, dentry(k, upperdir).d_inode).i_rwsem !== 0) return BLOCKED
  const read_only = mnt_want_write(k, ovl_fs(k, dentry(k, f.at).d_sb).upper_mnt)
  if (read_only !== 0) return read_only
  const refused = make_way(k, f, d_name, lookup_one(k, upperdir, d_name))
  if (refused !== 0) return refused
  const linked = add_entry(k, upperdir, d_name, f.temp)
  hand_over(f, tmpfile)
  inode(k, f.temp).i_count -= 1
  f.pos = 0
  f.linked = linked
}

/**
 * What stands at the name in the upper layer already. A regular file is linked to its name, and fails; everything
 * else is made in the workdir and moved there, over whatever it finds (fs/overlayfs/copy_up.c: ovl_copy_up_tmpfile,
 * ovl_copy_up_workdir; seen on 6.18). Over a whiteout the name that was unlinked comes back: it is found again, unless
 * somebody has looked it up since, and the kernel remembers that it was not there.
 *
 * @returns 0, or -EEXIST, -EISDIR, -ENOTDIR, -ENOTEMPTY
 * @throws NotModelled where the name comes back
 */
function make_way(k: Kernel, f: CopyUp, name: string, there: number): number {
  if (there === 0) return 0
  const { i_mode } = inode(k, f.temp)
  if (is_reg(i_mode)) return k.refuse(-EEXIST, () => `${name} was made in the upper layer`)
  const directory = is_dir(inode(k, dentry(k, there).d_inode).i_mode)
  if (directory && !is_dir(i_mode)) return -EISDIR
  if (!directory && is_dir(i_mode)) return -ENOTDIR
  if (directory && children(k, there).length > 0) return -ENOTEMPTY
  if (ovl_is_whiteout(k, there))
    throw new NotModelled('a removed name of what is no regular file, which comes back with its copy-up,')
  remove_entry(k, there)
  return 0
}

/** Publication, and the end of the mutex. After an ancestor comes the next of its descendants. */
function ovl_inode_update(k: Kernel, f: CopyUp): Outcome {
  const ino = dentry(k, f.at).d_inode
  const info = ovl_inode(k, ino)
  info.upper = f.temp
  info.upper_dentry = f.linked
  // A directory of two layers is a merged one, which counts as one link.
  if (is_dir(inode(k, ino).i_mode)) inode(k, ino).i_nlink = 1
  release(k, f, ovl_inode_mutex)
  k.tell('published', () => `${dentry(k, f.at).d_name} is the upper one from now on`)
  return f.at === f.dentry ? done(f) : jump(f, 'ovl_copy_up_start')
}

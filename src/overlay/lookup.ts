/** Names of an overlay directory: merging, whiteouts, opaque directories (fs/overlayfs/namei.c). */
import type { Kernel } from '../kernel/kernel.js'
import { children, d_add, dentry } from '../vfs/dentry.js'
import { inode, is_dir, S_IFCHR, S_IFMT } from '../vfs/inode.js'
import { lookup_one } from '../vfs/namei/namei.js'
import { ovl_fs, ovl_inode, ovl_lowerstack, type RealPath } from './ovl_entry.js'

/** Which real objects stand behind a name. */
export interface RealObjects {
  /** Dentry in the upper layer, or 0. */
  readonly upper: number
  /** Pairs of (mount, dentry), the topmost first. */
  readonly lowerstack: readonly number[]
}

/** A character device 0:0 hides what lies below it (fs/overlayfs/overlayfs.h: WHITEOUT_DEV). */
export function ovl_is_whiteout(k: Kernel, dent: number): boolean {
  const { i_mode, i_rdev } = inode(k, dentry(k, dent).d_inode)
  return (i_mode & S_IFMT) === S_IFCHR && i_rdev === 0
}

/** Directories whose lower parts are hidden (`trusted.overlay.opaque=y`): given at the mount, by their dentries. */
export type OpaqueDirs = ReadonlySet<number>
const NOTHING_OPAQUE: OpaqueDirs = new Set()

/**
 * Asks the layers of a directory for a name, the upper one first (fs/overlayfs/namei.c: ovl_lookup).
 *
 * A whiteout, a file, or an opaque directory ends the search; below a directory only directories count.
 *
 * @returns the real objects, or null where the name is in no layer, or under a whiteout
 */
function ovl_lookup_layers(
  k: Kernel,
  dir: RealObjects,
  name: string,
  opaque: OpaqueDirs = NOTHING_OPAQUE,
): RealObjects | null {
  let upper = 0
  const lowerstack: number[] = []
  for (const layer of layers_of(dir)) {
    const found = lookup_one(k, layer.dentry, name)
    if (found === 0) continue
    if (ovl_is_whiteout(k, found)) break
    const directory = is_dir(inode(k, dentry(k, found).d_inode).i_mode)
    const first = upper === 0 && lowerstack.length === 0
    if (!first && !directory) break
    if (layer.mnt === 0) upper = found
    else lowerstack.push(layer.mnt, found)
    if (!directory || opaque.has(found)) break
  }
  return upper === 0 && lowerstack.length === 0 ? null : { upper, lowerstack }
}

/** The real directories that make up a directory; the upper one has mount 0. */
function* layers_of(dir: RealObjects): Generator<RealPath> {
  if (dir.upper !== 0) yield { mnt: 0, dentry: dir.upper }
  yield* ovl_lowerstack(dir.lowerstack)
}

/** The real objects behind an overlay inode. */
function real_objects(k: Kernel, ino: number): RealObjects {
  const { upper_dentry, lowerstack } = ovl_inode(k, ino)
  return { upper: upper_dentry, lowerstack }
}

/**
 * The overlay inode for real objects (fs/overlayfs/inode.c: ovl_get_inode).
 *
 * Names that share an upper inode share the overlay inode. Links of a lower inode do not: without index=on
 * each becomes a file of its own when it is copied up.
 */
export function ovl_get_inode(k: Kernel, sb: number, real: RealObjects): number {
  const top = dentry(k, real.upper || real.lowerstack[1]!).d_inode
  const { i_rdev, i_link, i_mode, i_uid, i_gid, i_flags, i_size, i_nlink } = inode(k, top)
  if (real.upper !== 0 && !is_dir(i_mode) && i_nlink > 1) {
    const shared = ovl_inode.rows(k).find((row) => row.upper === top && inode(k, row.id).i_sb === sb)
    if (shared !== undefined) return shared.id
  }
  const merged = is_dir(i_mode) && (real.upper === 0 ? 0 : 1) + real.lowerstack.length / 2 > 1
  // Its links in the lower layer are no links of what it becomes.
  const is_broken_by_copy_up = real.upper === 0 && !is_dir(i_mode) && ovl_fs(k, sb).upper_mnt !== 0
  const made = inode.create(k, {
    i_sb: sb,
    i_rdev,
    i_link,
    i_mode,
    i_uid,
    i_gid,
    i_flags,
    i_size,
    i_nlink: merged || is_broken_by_copy_up ? 1 : i_nlink,
  })
  new_ovl_inode(k, made.id, real)
  return made.id
}

/** Makes the row that ties an overlay inode to its real objects. */
export function new_ovl_inode(k: Kernel, ino: number, real: RealObjects): void {
  const { upper, lowerstack } = real
  ovl_inode.create_at(k, ino, {
    upper: upper === 0 ? 0 : dentry(k, upper).d_inode,
    upper_dentry: upper,
    lower: lowerstack.length === 0 ? 0 : dentry(k, lowerstack[1]!).d_inode,
    lowerstack,
  })
}

/**
 * The dentry of a name: the one that is there, else whatever the layers have under that name by now
 * (names that were made behind the overlay). A name that is there is not looked up in the layers again, and in a
 * directory that was removed none is.
 */
export function ovl_lookup(k: Kernel, parent: number, name: string): number {
  const there = dentry.find(k, parent, name)
  if (there !== undefined) return there.id
  const { d_inode, d_sb } = dentry(k, parent)
  if (!ovl_inode.has(k, d_inode) || dentry(k, parent).d_unhashed === 1) return 0
  const found = ovl_lookup_layers(k, real_objects(k, d_inode), name)
  return found === null ? 0 : d_add(k, parent, name, ovl_get_inode(k, d_sb, found))
}

/**
 * Makes the whole tree below a directory, so that the numbers of dentries and inodes do not depend on who
 * looks first. Names come in the order in which readdir lists them: those of the lowest layer first, then
 * the upper ones, then the rest downwards (fs/overlayfs/readdir.c: ovl_dir_read_merged).
 */
export function instantiate_tree(k: Kernel, parent: number, opaque: OpaqueDirs): void {
  const { d_inode, d_sb } = dentry(k, parent)
  const dir = real_objects(k, d_inode)
  const layers = [...layers_of(dir)]
  const lowest_first = [...layers.slice(-1), ...layers.slice(0, -1)]
  const names = new Set(
    lowest_first.flatMap((layer) => children(k, layer.dentry).map((child) => child.d_name)),
  )
  for (const name of names) {
    const found = ovl_lookup_layers(k, dir, name, opaque)
    if (found === null) continue
    const made = d_add(k, parent, name, ovl_get_inode(k, d_sb, found))
    if (is_dir(inode(k, dentry(k, made).d_inode).i_mode)) instantiate_tree(k, made, opaque)
  }
}

/**
 * Whether a directory can be removed. Whiteouts do not count where they hide something; in a directory that
 * only the upper layer has they are entries, as its file system counts them, unless rmdir is to put a
 * whiteout in its place (fs/overlayfs/dir.c: ovl_do_remove, readdir.c: ovl_check_empty_dir).
 */
export function ovl_is_empty(k: Kernel, dent: number, leaves_whiteout = false): boolean {
  const dir = real_objects(k, dentry(k, dent).d_inode)
  if (dir.lowerstack.length === 0 && !leaves_whiteout) return children(k, dir.upper).length === 0
  const layers = [...layers_of(dir)]
  return layers.every((layer, i) => {
    const is_there = (name: string) => ovl_lookup_layers(k, dir, name) !== null
    const is_hidden = (name: string) =>
      layers.slice(0, i).some((above) => lookup_one(k, above.dentry, name) !== 0)
    return (
      !children(k, layer.dentry).some((child) => is_there(child.d_name)) &&
      listed_whiteouts(k, layer.dentry).every(is_hidden)
    )
  })
}

/**
 * Whiteouts that readdir of an overlay lists, although no lookup finds them: those of a directory that is in one layer
 * only, whose own list is taken as it is. An overlay on top counts them as entries (fs/overlayfs/readdir.c:
 * ovl_dir_is_real, ovl_check_whiteouts; seen on 6.18).
 */
function listed_whiteouts(k: Kernel, dent: number): readonly string[] {
  const { d_inode } = dentry(k, dent)
  if (!ovl_inode.has(k, d_inode)) return []
  const layers = [...layers_of(real_objects(k, d_inode))]
  if (layers.length !== 1) return []
  const listed = children(k, layers[0]!.dentry)
  return listed.filter((child) => ovl_is_whiteout(k, child.id)).map((child) => child.d_name)
}

/** Whether the name of a dentry also exists in a lower layer, so that removing it takes a whiteout (ovl_lower_positive). */
export function ovl_lower_positive(k: Kernel, dent: number): boolean {
  const { d_inode, d_parent, d_name } = dentry(k, dent)
  if (ovl_inode(k, d_inode).upper === 0) return true
  return ovl_lower_has(k, d_parent, d_name)
}

/** Whether the lower layers of an overlay directory have a name that no whiteout hides. */
export function ovl_lower_has(k: Kernel, parent: number, name: string): boolean {
  const { lowerstack } = ovl_inode(k, dentry(k, parent).d_inode)
  return ovl_lookup_layers(k, { upper: 0, lowerstack }, name) !== null
}

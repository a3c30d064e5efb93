/** Setting up an overlay: which layers go together, and the tree that they make (fs/overlayfs/super.c, params.c). */
import { ELOOP } from '../kernel/errno.js'
import type { Kernel } from '../kernel/kernel.js'
import { dentry } from '../vfs/dentry.js'
import { inode, is_dir } from '../vfs/inode.js'
import { mnt_is_readonly, mount } from '../vfs/mount.js'
import { SB_RDONLY, super_block } from '../vfs/super_block.js'
import { instantiate_tree, new_ovl_inode, type RealObjects } from './lookup.js'
import { clone_private_mount, make_shared_whiteout, ovl_fs } from './ovl_entry.js'
import { check_options, invalid, type OverlayOptions, type Refusal } from './params.js'

/** An overlay as a set-up describes it; layers are numbers of dentries. */
export interface OverlaySpec {
  /** Name of the superblock. */
  readonly id: string
  /** Lower directories, the topmost first. */
  readonly lower: readonly number[]
  readonly upper?: number
  readonly work?: number
  /** The mounts through which they were named, where paths were. */
  readonly upper_mnt?: number
  readonly work_mnt?: number
  /** Mounted with `ro`, although it could be written. */
  readonly read_only?: boolean
  /** Directories of the layers that are marked opaque: what lies below them in lower layers is hidden. */
  readonly opaque?: readonly number[]
  readonly options?: OverlayOptions
}

/** A superblock's number, or why there is none. */
export type OverlayMount = { readonly sb: number } | { readonly errno: number; readonly why: string }

/** At most so many file systems on top of each other (include/linux/fs.h: FILESYSTEM_MAX_STACK_DEPTH). */
const MAX_STACK_DEPTH = 2

/**
 * Makes an overlay's superblock, with its whole merged tree. It is not attached anywhere.
 *
 * Errors, the first that holds: those of check_options, EINVAL (no lower, one lower without upper, upper without workdir,
 * layers that are no directories, a read-only or overlay upper, a layer of proc, workdir on another mount than
 * upper, or one inside the other, too many overlays on top of each other), ELOOP (a layer twice, or inside
 * another).
 */
export function mount_overlay(k: Kernel, spec: OverlaySpec): OverlayMount {
  const refused =
    check_options(spec.options ?? {}, spec.upper !== undefined) ??
    check_layers(k, spec) ??
    check_overlap(k, spec)
  if (refused !== null) return refused
  // A workdir without an upper is ignored.
  const { upper = 0 } = spec
  const sb = super_block.create(k, {
    s_id: spec.id,
    s_type: 'overlay',
    s_flags: upper === 0 || spec.read_only ? SB_RDONLY : 0,
  })
  const lower_mnts = spec.lower.map((root) => clone_private_mount(k, root))
  const upper_mnt = upper === 0 ? 0 : clone_private_mount(k, upper)
  const workdir = upper === 0 ? 0 : spec.work!
  const whiteout = upper === 0 ? 0 : make_shared_whiteout(k, workdir)
  ovl_fs.create_at(k, sb.id, { upper_mnt, workdir, lower_mnts, whiteout })
  sb.s_root = make_root(k, sb.id, {
    upper,
    lowerstack: spec.lower.flatMap((root, i) => [lower_mnts[i]!, root]),
  })
  instantiate_tree(k, sb.s_root, new Set(spec.opaque))
  return { sb: sb.id }
}

/** The root: the union of all layers (fs/overlayfs/super.c: ovl_get_root). */
function make_root(k: Kernel, sb: number, real: RealObjects): number {
  const { i_mode, i_uid, i_gid, i_size } = inode(k, dentry(k, real.upper || real.lowerstack[1]!).d_inode)
  const made = inode.create(k, { i_sb: sb, i_mode, i_uid, i_gid, i_size, i_nlink: 1, i_count: 1 })
  new_ovl_inode(k, made.id, real)
  const root = dentry.create(k, { d_inode: made.id, d_sb: sb, d_name: '' })
  root.d_parent = root.id
  return root.id
}

const is_directory = (k: Kernel, dent: number): boolean => is_dir(inode(k, dentry(k, dent).d_inode).i_mode)
const sb_of = (k: Kernel, dent: number) => super_block(k, dentry(k, dent).d_sb)

/** Each layer by itself (fs/overlayfs/params.c: ovl_mount_dir_check; super.c: ovl_fill_super). */
function check_layers(k: Kernel, spec: OverlaySpec): Refusal | null {
  const { lower, upper } = spec
  if (lower.length === 0) return invalid('lowerdir is missing')
  if (upper === undefined && lower.length < 2)
    return invalid('without upperdir there must be two lowerdirs at least')
  for (const layer of [...lower, ...(upper === undefined ? [] : [upper])]) {
    if (!is_directory(k, layer)) return invalid(`layer ${dentry(k, layer).d_name} is not a directory`)
    if (sb_of(k, layer).s_type === 'proc') return invalid('a layer cannot be on proc')
    if (stack_depth(k, layer) >= MAX_STACK_DEPTH)
      return invalid(`too many overlays on top of each other: there may be ${MAX_STACK_DEPTH}`)
  }
  return upper === undefined ? null : check_upper(k, upper, spec)
}

/** The layer that is written, and where it is prepared (fs/overlayfs/super.c: ovl_get_upper, ovl_get_workdir). */
function check_upper(k: Kernel, upper: number, spec: OverlaySpec): Refusal | null {
  const { work, upper_mnt = 0, work_mnt = 0 } = spec
  if (work === undefined) return invalid('upperdir needs a workdir')
  if (!is_directory(k, work)) return invalid('workdir is not a directory')
  if (sb_of(k, upper).s_type === 'overlay') return invalid('upperdir cannot be on an overlay')
  if ((sb_of(k, upper).s_flags & SB_RDONLY) !== 0) return invalid('upperdir is on a read-only file system')
  if (upper_mnt !== 0 && mnt_is_readonly(k, upper_mnt)) return invalid('upperdir is on a read-only mount')
  if (dentry(k, work).d_sb !== dentry(k, upper).d_sb || work_mnt !== upper_mnt)
    return invalid('workdir must be on the mount of upperdir')
  if (is_inside(k, work, upper) || is_inside(k, upper, work))
    return invalid('workdir and upperdir must be apart')
  return null
}

/** No lower may be a layer already, or lie inside one (fs/overlayfs/super.c: ovl_check_overlapping_layers). */
function check_overlap(k: Kernel, spec: OverlaySpec): Refusal | null {
  const others = spec.upper === undefined ? [] : [spec.upper, spec.work!]
  for (const [i, lower] of spec.lower.entries()) {
    const rest = [...others, ...spec.lower.filter((_, j) => j !== i)]
    if (rest.some((layer) => is_inside(k, lower, layer)))
      return { errno: -ELOOP, why: `layer ${dentry(k, lower).d_name} overlaps another layer` }
  }
  return null
}

/** Whether a directory is another one, or lies below it. */
export function is_inside(k: Kernel, dent: number, above: number): boolean {
  for (let at = dent; ; at = dentry(k, at).d_parent) {
    if (at === above) return true
    if (dentry(k, at).d_parent === at) return false
  }
}

/** How many overlays stand below a directory, its own file system included. */
function stack_depth(k: Kernel, dent: number): number {
  const sb = dentry(k, dent).d_sb
  if (super_block(k, sb).s_type !== 'overlay') return 0
  const { upper_mnt, lower_mnts } = ovl_fs(k, sb)
  const layers = upper_mnt === 0 ? lower_mnts : [upper_mnt, ...lower_mnts]
  return 1 + Math.max(...layers.map((mnt) => stack_depth(k, mount(k, mnt).mnt_root)))
}

/**
 * What an overlay keeps beside the ordinary tables (fs/overlayfs/ovl_entry.h): which real objects stand
 * behind its superblock and its inodes. Overlay dentries and inodes themselves are rows like any other.
 */
import type { Kernel } from '../kernel/kernel.js'
import { NotModelled } from '../kernel/not_modelled.js'
import { list, RANGE_SIZE, ref, table, task_number } from '../kernel/schema.js'
import { dentry } from '../vfs/dentry.js'
import { inode, is_dir, S_IFCHR } from '../vfs/inode.js'
import { mount } from '../vfs/mount.js'
import { super_block } from '../vfs/super_block.js'

/** struct ovl_fs; its number is the superblock's. Layers are private mounts, so that they cannot be covered. */
export const ovl_fs = table(
  'ovl_fs',
  {
    config: {
      /** 0 without an upper layer: then nothing can be written. */
      upper_mnt: ref('mount'),
      workdir: ref('dentry'),
      /** Mounts of the lower layers, the topmost first. */
      lower_mnts: list([true]),
    },
    /** The whiteout in the workdir that others are links of; 0 once it can have no more, until another is made. */
    whiteout: { whiteout: ref('inode') },
  },
  { constant: ['config'] },
)

/** struct ovl_inode; its number is the inode's. */
export const ovl_inode = table(
  'ovl_inode',
  {
    lower: {
      /** Inode of the topmost lower object, 0 if there is none. */
      lower: ref('inode'),
      /** Pairs of (mount, dentry), the topmost first: several for a merged directory, one for a file. */
      lowerstack: list([true]),
    },
    /**
     * `__upperdentry` and its inode: 0 until a copy-up publishes them, and never 0 again. One word in the
     * kernel, and one group here: the switch is one write.
     */
    upper: { upper: ref('inode'), upper_dentry: ref('dentry') },
    /** The task that holds the overlay inode's mutex (`ovl_inode_lock`), or 0. */
    lock: { ovl_lock: task_number() },
  },
  { constant: ['lower'] },
)

/** A real object as overlay opens it: where it is mounted, and its dentry. */
export interface RealPath {
  readonly mnt: number
  readonly dentry: number
}

/** The upper object, or 0 where there is none yet (fs/overlayfs/util.c: ovl_inode_upper). */
export const ovl_inode_upper = (k: Kernel, ino: number): number => ovl_inode(k, ino).upper

/** The inode that holds the attributes: the upper one if there is one (fs/overlayfs/util.c: ovl_inode_real). */
export function ovl_inode_real(k: Kernel, ino: number): number {
  const { upper, lower } = ovl_inode(k, ino)
  return upper || lower
}

/**
 * The inode that holds the data (fs/overlayfs/util.c: ovl_inode_realdata). It is another one than
 * `ovl_inode_real` only for a metacopy, which is not modelled yet; callers ask for the one they mean.
 */
export const ovl_inode_realdata = ovl_inode_real

/** The inode whose attributes stat reports: the real one, down to a file system that is no overlay. */
export function bottom_real(k: Kernel, ino: number): number {
  return ovl_inode.has(k, ino) ? bottom_real(k, ovl_inode_real(k, ino)) : ino
}

/**
 * The inode whose number stat reports: for a file the lower one, also after its copy-up, so that the number
 * stays; but names of one lower inode become different files when they are copied up, and then have the
 * upper one's (fs/overlayfs/inode.c: ovl_getattr, ovl_map_dev_ino). A directory has a number of its own.
 */
export function ovl_stat_ino(k: Kernel, ino: number): number {
  if (!ovl_inode.has(k, ino) || is_dir(inode(k, ino).i_mode)) return ino
  return ovl_stat_ino(k, numbered(k, ino))
}

/** The real inode that gives a file its number. How many names the lower one has is asked through an overlay too. */
function numbered(k: Kernel, ino: number): number {
  const { lower, upper } = ovl_inode(k, ino)
  const broken = upper !== 0 && lower !== 0 && inode(k, bottom_real(k, lower)).i_nlink > 1
  return lower === 0 || broken ? upper : lower
}

/** Whether all layers are on one file system: then its inode numbers are the overlay's (fs/overlayfs/util.c: ovl_same_fs). */
function ovl_same_fs(k: Kernel, sb: number): boolean {
  const { upper_mnt, lower_mnts } = ovl_fs(k, sb)
  const layers = upper_mnt === 0 ? lower_mnts : [upper_mnt, ...lower_mnts]
  return new Set(layers.map((mnt) => mount(k, mnt).mnt_sb)).size === 1
}

/**
 * The device that stat reports: the overlay's own, but for a file where the layers are on different file systems:
 * then two files may have one inode number, and each file system of a layer has a device number in each overlay
 * (fs/overlayfs/inode.c: ovl_map_dev_ino, with xino off; super.c: pseudo_dev).
 */
export function ovl_stat_dev(k: Kernel, ino: number): number {
  const { i_sb, i_mode } = inode(k, ino)
  if (is_dir(i_mode) || !ovl_inode.has(k, ino) || ovl_same_fs(k, i_sb)) return i_sb
  return inode(k, numbered(k, ino)).i_sb * RANGE_SIZE + i_sb
}

/** The inode that holds the data, down to a file system that is no overlay. */
export function bottom_realdata(k: Kernel, ino: number): number {
  return ovl_inode.has(k, ino) ? bottom_realdata(k, ovl_inode_realdata(k, ino)) : ino
}

/** Where the data is to be opened: the upper dentry, else the topmost lower one (ovl_path_realdata). */
export function ovl_path_realdata(k: Kernel, ino: number): RealPath {
  const { upper_dentry, lowerstack } = ovl_inode(k, ino)
  if (upper_dentry !== 0) return { mnt: ovl_fs(k, inode(k, ino).i_sb).upper_mnt, dentry: upper_dentry }
  return { mnt: lowerstack[0]!, dentry: lowerstack[1]! }
}

/** The upper dentry of an overlay dentry, or 0 (fs/overlayfs/util.c: ovl_dentry_upper). */
export const ovl_dentry_upper = (k: Kernel, dent: number): number =>
  ovl_inode(k, dentry(k, dent).d_inode).upper_dentry

/**
 * What an overlay shows of its layers is what they had when it first looked, so what is changed in them later shows at
 * once, later or never (Documentation/filesystems/overlayfs.rst: changes to underlying filesystems). Of an overlay
 * that is a lower layer only the contents of files change here.
 *
 * @param sb   the overlay in which something is about to be changed
 * @param what the change, as the subject of a sentence
 * @throws NotModelled where it is a lower layer of another
 */
export function only_contents_change_below(k: Kernel, sb: number, what: string): void {
  const above = ovl_fs.rows(k).find(({ lower_mnts }) => lower_mnts.some((mnt) => mount(k, mnt).mnt_sb === sb))
  if (above === undefined) return
  const name = (overlay: number) => super_block(k, overlay).s_id
  throw new NotModelled(`${what} in ${name(sb)}, an overlay that is a lower layer of ${name(above.id)},`)
}

/**
 * A new name is looked up afresh (fs/overlayfs/dir.c: ovl_instantiate, d_drop). An overlay as a lower layer gives no file
 * handles by which the copy would know its origin, so the new name then stands for another inode of the overlay than
 * the old one does, on one file of the upper layer: with numbers, locks and a write denial of its own.
 *
 * @param ino an inode of an overlay that is about to get another name
 * @throws NotModelled where its lower layer is an overlay
 */
export function one_inode_for_all_names(k: Kernel, ino: number): void {
  if (!ovl_inode.has(k, ovl_inode(k, ino).lower)) return
  throw new NotModelled('a second name of a file whose lower layer is itself an overlay')
}

/** The lower (mount, dentry) pairs as objects, the topmost first. */
export function* ovl_lowerstack(stack: readonly number[]): Generator<RealPath> {
  for (let i = 0; i < stack.length; i += 2) yield { mnt: stack[i]!, dentry: stack[i + 1]! }
}

/** Only the upper layer has it (fs/overlayfs/util.c: !OVL_TYPE_MERGE_OR_LOWER). */
export const ovl_is_pure_upper = (k: Kernel, ino: number): boolean => ovl_inode(k, ino).lower === 0

/** The private mount of a layer (fs/overlayfs/super.c: clone_private_mount), shared by overlays of the same layer. */
export function clone_private_mount(k: Kernel, root: number): number {
  const there = mount.find(k, 0, root)
  if (there !== undefined) return there.id
  return mount.create(k, { mnt_mountpoint: root, mnt_sb: dentry(k, root).d_sb, mnt_root: root }).id
}

/**
 * The whiteout of which others of an overlay are links (fs/overlayfs/dir.c: ovl_whiteout). The kernel makes it with
 * the first of them, in a directory of its own in the workdir, where nobody looks; here it is there from the mount
 * on, so that its number does not depend on who is first.
 *
 * @returns its inode, which has the one link
 */
export function make_shared_whiteout(k: Kernel, workdir: number): number {
  const i_sb = dentry(k, workdir).d_sb
  return inode.create(k, { i_sb, i_mode: S_IFCHR, i_nlink: 1, i_count: 1 }).id
}

/**
 * Takes the attributes of the real inode over into the overlay inode, whose mode bits the vfs judges
 * (fs/overlayfs/util.c: ovl_copyattr). Writes only what differs.
 */
export function ovl_copyattr(k: Kernel, ino: number): void {
  const node = inode(k, ino)
  const real = inode(k, ovl_inode_real(k, ino))
  if (node.i_mode !== real.i_mode) node.i_mode = real.i_mode
  if (node.i_uid !== real.i_uid) node.i_uid = real.i_uid
  if (node.i_gid !== real.i_gid) node.i_gid = real.i_gid
  if (node.i_size !== real.i_size) node.i_size = real.i_size
}

/**
 * Set-up: file systems, their trees and their mounts, made from plain data before any task runs. Nothing
 * is asked for permission here, and no stage runs.
 *
 *     const sb = make_super_block(k, { id: 'disk', type: 'ext4' })
 *     populate(k, sb, { type: 'dir', entries: { script: { type: 'file', mode: 0o755, data: '#!/bin/sh\n' } } })
 *     const root = attach_mount(k, { root: super_block(k, sb).s_root })
 */
import type { Kernel } from '../../kernel/kernel.js'
import { d_add, dentry } from '../dentry.js'
import {
  inode,
  is_lnk,
  PAGE_SIZE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from '../inode.js'
import { write_page } from '../memory/page_cache.js'
import {
  lookup_mnt,
  MNT_NODEV,
  MNT_NOEXEC,
  MNT_NOSUID,
  MNT_NOSYMFOLLOW,
  MNT_READONLY,
  mount,
} from '../mount.js'
import { lookup_one } from '../namei/namei.js'
import { block_device, SB_RDONLY, super_block } from '../super_block.js'

/** A file of a tree. */
export interface TreeNode {
  /** `hardlink`: another name of the file at `target`, a path from the tree's root. */
  readonly type: 'dir' | 'file' | 'symlink' | 'fifo' | 'socket' | 'char' | 'block' | 'hardlink'
  /** Permission bits; unless told 0755 for a directory, 0777 for a symbolic link, 0644 for all else. */
  readonly mode?: number
  /** Owner and group; root unless told. */
  readonly uid?: number
  readonly gid?: number
  /** Bytes of a file: characters below 256. */
  readonly data?: string
  /** What a symbolic link points to, or what a hard link is another name of. */
  readonly target?: string
  /** Device number. */
  readonly rdev?: number
  /** Inode flags: S_APPEND, S_IMMUTABLE. */
  readonly flags?: number
  readonly entries?: { readonly [name: string]: TreeNode }
  /** fs-verity: the digest as `alg:hex`, and whether its built-in signature was verified. */
  readonly verity?: { readonly digest: string; readonly signed?: boolean }
}

export interface SuperBlockOptions {
  /** Its name, for people. */
  readonly id: string
  /** A registered file system type. An erofs is read-only whatever is asked. */
  readonly type: string
  readonly read_only?: boolean
  /** It is what the kernel unpacked at boot. */
  readonly initramfs?: boolean
  /** The block device below, with what dm-verity says of it; without it there is none. */
  readonly bdev?: { readonly name?: string; readonly roothash?: string; readonly signed?: boolean }
}

/** Makes a superblock. It has no root until it is populated. @returns its number */
export function make_super_block(k: Kernel, options: SuperBlockOptions): number {
  const { id, type, read_only, initramfs, bdev } = options
  const device =
    bdev === undefined
      ? 0
      : block_device.create(k, {
          bd_name: bdev.name ?? id,
          roothash: bdev.roothash ?? '',
          roothash_signed: bdev.signed ? 1 : 0,
        }).id
  const made = super_block.create(k, {
    s_id: id,
    s_type: type,
    s_flags: read_only || type === 'erofs' ? SB_RDONLY : 0,
    s_bdev: device,
    s_initramfs: initramfs ? 1 : 0,
  })
  return made.id
}

const types: Readonly<Record<TreeNode['type'], number>> = {
  dir: S_IFDIR,
  file: S_IFREG,
  symlink: S_IFLNK,
  fifo: S_IFIFO,
  socket: S_IFSOCK,
  char: S_IFCHR,
  block: S_IFBLK,
  hardlink: 0,
}
const default_modes: Partial<Record<TreeNode['type'], number>> = { dir: 0o755, symlink: 0o777 }

/**
 * Builds the tree of a superblock that has none yet.
 *
 * @param tree the root, a directory
 * @returns the root dentry's number
 * @throws Error where a hard link names no earlier file
 */
export function populate(k: Kernel, sb: number, tree: TreeNode): number {
  const ino = make_inode(k, sb, tree)
  const root = dentry.create(k, { d_name: '', d_inode: ino, d_sb: sb })
  root.d_parent = root.id
  inode(k, ino).i_count += 1
  super_block(k, sb).s_root = root.id
  add_entries(k, root.id, tree)
  return root.id
}

/** Adds a file to a tree that is there already. @returns its dentry's number */
export function add_node(k: Kernel, parent: number, name: string, node: TreeNode): number {
  if (node.type === 'hardlink') return add_hardlink(k, parent, name, node)
  const { d_inode, d_sb } = dentry(k, parent)
  const made = d_add(k, parent, name, make_inode(k, d_sb, node))
  if (node.type === 'dir') {
    inode(k, d_inode).i_nlink += 1
    add_entries(k, made, node)
  }
  return made
}

function add_entries(k: Kernel, dir: number, node: TreeNode): void {
  for (const [name, entry] of Object.entries(node.entries ?? {})) add_node(k, dir, name, entry)
}

function add_hardlink(k: Kernel, parent: number, name: string, node: TreeNode): number {
  const target = lookup_path(k, super_block(k, dentry(k, parent).d_sb).s_root, node.target ?? '')
  if (target === 0) throw new Error(`hard link ${name}: there is no ${node.target} before it`)
  const { d_inode } = dentry(k, target)
  inode(k, d_inode).i_nlink += 1
  return d_add(k, parent, name, d_inode)
}

function make_inode(k: Kernel, sb: number, node: TreeNode): number {
  const mode = types[node.type] | (node.mode ?? default_modes[node.type] ?? 0o644)
  const data = node.data ?? ''
  const target = node.target ?? ''
  const made = inode.create(k, {
    i_sb: sb,
    i_mode: mode,
    i_uid: node.uid ?? 0,
    i_gid: node.gid ?? 0,
    i_flags: node.flags ?? 0,
    i_nlink: node.type === 'dir' ? 2 : 1,
    i_rdev: node.rdev ?? 0,
    i_link: is_lnk(mode) ? target : '',
    i_size: is_lnk(mode) ? target.length : data.length,
    verity_digest: node.verity?.digest ?? '',
    verity_signed: node.verity?.signed ? 1 : 0,
  })
  for (let start = 0; start < data.length; start += PAGE_SIZE) {
    write_page(k, made.id, start / PAGE_SIZE, 0, data.slice(start, start + PAGE_SIZE))
  }
  return made.id
}

/**
 * The dentry that a path leads to within one file system, without following links or crossing mounts.
 *
 * @param from the dentry that the path starts at, absolute or not
 * @returns its number, or 0
 */
export function lookup_path(k: Kernel, from: number, path: string): number {
  let at = from
  for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
    at = lookup_one(k, at, name)
    if (at <= 0) return 0
  }
  return at
}

/** Names of mount options, as in mount(8). */
export const mount_flags = {
  ro: MNT_READONLY,
  noexec: MNT_NOEXEC,
  nosuid: MNT_NOSUID,
  nodev: MNT_NODEV,
  nosymfollow: MNT_NOSYMFOLLOW,
} as const

export type MountOption = keyof typeof mount_flags

export interface MountOptions {
  /** The dentry that shows at the mount point: the root of a superblock, or any for a bind mount. */
  readonly root: number
  /** Where it is attached: a mount and a dentry seen through it. Left out for the root of everything. */
  readonly parent?: number
  readonly mountpoint?: number
  readonly options?: readonly MountOption[]
  /** Of a bind: the mount that it is a copy of. */
  readonly inherited?: number
}

/**
 * Attaches a mount. A bind without options has the flags of the mount that it is a copy of (fs/namespace.c:
 * clone_mnt); options are a second step, which replaces them all (MS_REMOUNT | MS_BIND: do_reconfigure_mnt).
 *
 * @returns its number
 */
export function attach_mount(k: Kernel, given: MountOptions): number {
  const { root, parent, mountpoint, options = [], inherited } = given
  const copied = inherited === undefined ? 0 : mount(k, inherited).mnt_flags
  const made = mount.create(k, {
    mnt_parent: parent ?? 0,
    mnt_mountpoint: mountpoint ?? 0,
    mnt_sb: dentry(k, root).d_sb,
    mnt_root: root,
    mnt_flags:
      options.length === 0 ? copied : options.reduce((flags, option) => flags | mount_flags[option], 0),
  })
  return made.id
}

export interface Place {
  readonly mnt: number
  readonly dentry: number
}

/**
 * Where a path leads, across mounts, without following symbolic links.
 *
 * @param root_mnt the mount at `/`
 * @returns the mount and dentry, or undefined where there is nothing
 */
export function find_place(k: Kernel, root_mnt: number, path: string): Place | undefined {
  let at = cross(k, { mnt: root_mnt, dentry: mount(k, root_mnt).mnt_root })
  for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
    const found = lookup_one(k, at.dentry, name)
    if (found <= 0) return undefined
    at = cross(k, { mnt: at.mnt, dentry: found })
  }
  return at
}

function cross(k: Kernel, at: Place): Place {
  const over = lookup_mnt(k, at.mnt, at.dentry)
  return over === undefined ? at : cross(k, { mnt: over.id, dentry: over.mnt_root })
}

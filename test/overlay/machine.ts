/** A small kernel with an overlay on /m, whose layers stand beside it: /l (and /l2), /u, /w. */

import type { SecurityModule } from '../../src/kernel/kernel.js'
import { type Feature, profile } from '../../src/kernel/profile.js'
import { mount_overlay, type OverlaySpec } from '../../src/overlay/overlay.js'
import '../../src/vfs/memory/fault.js'
import '../../src/vfs/memory/mmap.js'
import '../../src/vfs/files/read_write.js'
import { children, dentry } from '../../src/vfs/dentry.js'
import type { MountOption, TreeNode } from '../../src/vfs/filesystems/populate.js'
import { inode } from '../../src/vfs/inode.js'
import { content_of } from '../../src/vfs/memory/page_cache.js'
import { super_block } from '../../src/vfs/super_block.js'
import { user_buffer } from '../../src/vfs/tasks/task.js'
import { Machine, type Result } from '../vfs/machine.js'

export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_PATH = 0o10000000
export const PROT_READ = 1
export const PROT_WRITE = 2
export const MAP_SHARED = 1
export const MAP_PRIVATE = 2

type Entries = { readonly [name: string]: TreeNode }

export const dir = (entries: Entries = {}, more: Partial<TreeNode> = {}): TreeNode => ({
  type: 'dir',
  entries,
  ...more,
})
export const file = (data = '', more: Partial<TreeNode> = {}): TreeNode => ({ type: 'file', data, ...more })
export const whiteout: TreeNode = { type: 'char', mode: 0, rdev: 0 }

export interface Layers {
  readonly l?: Entries
  /** A second lower layer, below the first. */
  readonly l2?: Entries
  readonly u?: Entries
  /** No upper layer: then two lowers. */
  readonly no_upper?: boolean
  readonly read_only?: boolean
  readonly opaque?: readonly string[]
  readonly options?: readonly MountOption[]
  readonly features?: readonly Feature[]
  readonly modules?: SecurityModule[]
}

export class Overlay extends Machine {
  readonly sb: number

  constructor(layers: Layers) {
    const { l = {}, l2, u = {}, no_upper, opaque = [] } = layers
    const more = { ro: dir() }
    super(dir({ l: dir(l), l2: dir(l2 ?? {}), u: dir(u), w: dir(), m: dir(), ...more }), {
      modules: layers.modules ?? [],
    })
    const config = { ...this.k.config, profile: profile('6.18', layers.features ?? []) }
    Object.assign(this.k, { config })
    const lower = l2 === undefined && !no_upper ? ['/l'] : ['/l', '/l2']
    this.sb = this.make({
      lower: lower.map((path) => this.at(path)),
      ...(no_upper ? {} : { upper: this.at('/u'), work: this.at('/w') }),
      read_only: layers.read_only,
      opaque: opaque.map((path) => this.at(path)),
    })
    this.mount('/m', super_block(this.k, this.sb).s_root, ...(layers.options ?? []))
  }

  at(path: string): number {
    return this.place(path).dentry
  }

  private make(spec: Omit<OverlaySpec, 'id'>): number {
    const made = mount_overlay(this.k, { id: 'm', ...spec })
    if ('errno' in made) throw new Error(made.why)
    return made.sb
  }

  override begin(task: number, name: string, ...args: unknown[]): void {
    const buffer = user_buffer(this.k, task)
    buffer.data = ''
    buffer.from = []
    super.begin(task, name, ...args)
  }

  /** Opens and returns the descriptor; the open must succeed. */
  open(path: string, flags = O_RDONLY, mode = 0o644, task = 1): number {
    const fd = this.as(task, 'open', path, flags, mode)
    if (typeof fd !== 'number') throw new Error(`open ${path}: ${fd}`)
    return fd
  }

  /** What a read of up to 64 KiB from the start gives, or the name of an errno. */
  pread(fd: number, task = 1): string {
    const result = this.as(task, 'pread', fd, 65536, 0)
    return typeof result === 'number' ? this.data(task) : String(result)
  }

  /** What a fresh reader of the path reads. */
  cat(path: string): string {
    const fd = this.open(path)
    const data = this.pread(fd)
    this.call('close', fd)
    return data
  }

  /** The content of an inode at a path, without any system call. */
  content(path: string): string {
    return content_of(this.k, this.inode(path).id)
  }

  map(fd: number, flags = MAP_SHARED, prot = PROT_READ): number {
    const address = this.call('mmap', 0, 4096, prot, flags, fd, 0)
    if (typeof address !== 'number') throw new Error(`mmap: ${address}`)
    return address
  }

  peek(address: number, length: number): string {
    const result = this.call('peek', address, length)
    return typeof result === 'number' ? this.data() : String(result)
  }

  /** Names in a real directory, whiteouts with a `-` before them. */
  names(path: string): string {
    return children(this.k, this.at(path))
      .map(({ d_name, d_inode }) => (inode(this.k, d_inode).i_mode === 0o020000 ? `-${d_name}` : d_name))
      .sort()
      .join(' ')
  }

  /** The whole upper tree, as `path` for each name. */
  upper_tree(path = '/u'): string[] {
    return children(this.k, this.at(path)).flatMap(({ d_name, d_inode }) => [
      `${path}/${d_name}`,
      ...(dentry.has(this.k, d_inode) && (inode(this.k, d_inode).i_mode & 0o170000) === 0o040000
        ? this.upper_tree(`${path}/${d_name}`)
        : []),
    ])
  }

  set_super_flags(sb: number, flags: number): void {
    super_block(this.k, sb).s_flags = flags
  }

  /** Denies writing, as an execution of the file at the path does; or allows it again with -1. */
  deny(path: string, times = 1): void {
    this.inode(path).i_writecount -= times
  }

  writecount(path: string): number {
    return this.inode(path).i_writecount
  }

  /** st_ino, st_size, st_nlink … of a path or descriptor. */
  stat(what: string | number): { ino: number; size: number; nlink: number; mode: number; uid: number } {
    const result = typeof what === 'number' ? this.call('fstat', what) : this.call('lstat', what)
    if (typeof result !== 'object') throw new Error(`stat ${what}: ${result}`)
    const [, ino, mode, nlink, uid, , , size] = result as number[]
    return { ino: ino!, size: size!, nlink: nlink!, mode: mode!, uid: uid! }
  }
}

export type { Result }

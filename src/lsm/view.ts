/**
 * What a module of a user's own sees: views that read the state when they are asked and cannot change it.
 * A view is good for the hook in which it was given.
 */

import { type Digest, dm_verity } from '../integrity/dm_verity.js'
import { fs_verity } from '../integrity/fs_verity.js'
import { utf8_text } from '../kernel/decode.js'
import type { Kernel } from '../kernel/kernel.js'
import type { HookArguments, HookName, Path } from '../kernel/lsm_hook_defs.js'
import { d_real_inode } from '../vfs/d_real.js'
import { dentry, name_of } from '../vfs/dentry.js'
import { file } from '../vfs/file.js'
import { file_superblock } from '../vfs/files/file_superblock.js'
import { inode } from '../vfs/inode.js'
import { vm_area } from '../vfs/memory/mm.js'
import { content_of } from '../vfs/memory/page_cache.js'
import { mnt_is_readonly, path_noexec } from '../vfs/mount.js'
import { d_path } from '../vfs/namei/d_path.js'
import { super_block } from '../vfs/super_block.js'
import { task_struct } from '../vfs/tasks/task.js'

export interface Verity {
  /** `alg:hex`: of the whole device, or of the file. */
  readonly digest: string
  /** The kernel has verified a signature of the digest. */
  readonly signed: boolean
}

function verity(found: { digest: Digest; signed: boolean } | null): Verity | null {
  if (found === null) return null
  return Object.freeze({ digest: `${found.digest.alg}:${found.digest.hex}`, signed: found.signed })
}

/** The running task. */
class TaskView {
  readonly #k: Kernel
  readonly number: number
  constructor(k: Kernel) {
    this.#k = k
    this.number = k.task
    Object.freeze(this)
  }
  get #row() {
    return task_struct(this.#k, this.number)
  }
  get comm(): string {
    return utf8_text(this.#row.comm)
  }
  get uid(): number {
    return this.#row.uid
  }
  get gid(): number {
    return this.#row.gid
  }
  get euid(): number {
    return this.#row.euid
  }
  get egid(): number {
    return this.#row.egid
  }
  get groups(): readonly number[] {
    return this.#row.groups
  }
  get securebits(): number {
    return this.#row.securebits
  }
  get no_new_privs(): boolean {
    return this.#row.no_new_privs === 1
  }
}

/** Told of each inode whose bytes a module looks at. */
type Looked = (ino: number) => void

/** A file apart from its names. Of an overlay: the overlay's own inode, without bytes of its own. */
export class InodeView {
  readonly #k: Kernel
  readonly #looked: Looked
  readonly number: number
  constructor(k: Kernel, number: number, looked: Looked) {
    this.#k = k
    this.#looked = looked
    this.number = number
    Object.freeze(this)
  }
  get #row() {
    return inode(this.#k, this.number)
  }
  /** Type and permission bits. */
  get mode(): number {
    return this.#row.i_mode
  }
  get uid(): number {
    return this.#row.i_uid
  }
  get gid(): number {
    return this.#row.i_gid
  }
  /** In bytes. */
  get size(): number {
    return this.#row.i_size
  }
  get nlink(): number {
    return this.#row.i_nlink
  }
  /** Type of the file system: `tmpfs`, `ext4`, `erofs`, `overlay`. */
  get filesystem(): string {
    return super_block(this.#k, this.#row.i_sb).s_type
  }
  /** The name that the set-up gave the file system. */
  get sb(): string {
    return super_block(this.#k, this.#row.i_sb).s_id
  }
  get dmverity(): Verity | null {
    const found = dm_verity(this.#k, this.number)
    return verity(found && { digest: found.roothash, signed: found.signed })
  }
  get fsverity(): Verity | null {
    return verity(fs_verity(this.#k, this.number))
  }
  /** The content, one character below 256 per byte. */
  bytes(): string {
    this.#looked(this.number)
    return content_of(this.#k, this.number)
  }
}

/** An open file. Mode and owner are those of its inode; size, bytes and verity those of the inode with the data. */
export class FileView {
  readonly #k: Kernel
  readonly #looked: Looked
  readonly number: number
  constructor(k: Kernel, number: number, looked: Looked) {
    this.#k = k
    this.#looked = looked
    this.number = number
    Object.freeze(this)
  }
  get #row() {
    return file(this.#k, this.number)
  }
  /** As the running task sees it. */
  get path(): string {
    return d_path(this.#k, this.#row.f_mnt, this.#row.f_dentry)
  }
  /** Flags of the open: O_RDONLY … */
  get flags(): number {
    return this.#row.f_flags
  }
  get inode(): InodeView {
    return new InodeView(this.#k, this.#row.f_inode, this.#looked)
  }
  /** The inode that holds the bytes now: of an overlay file the upper or the lower one. */
  get data(): InodeView {
    return new InodeView(this.#k, d_real_inode(this.#k, this.#row.f_dentry), this.#looked)
  }
  get mode(): number {
    return this.inode.mode
  }
  get uid(): number {
    return this.inode.uid
  }
  get gid(): number {
    return this.inode.gid
  }
  get size(): number {
    return this.data.size
  }
  get filesystem(): string {
    return this.inode.filesystem
  }
  get sb(): string {
    return this.inode.sb
  }
  get dmverity(): Verity | null {
    return this.data.dmverity
  }
  get fsverity(): Verity | null {
    return this.data.fsverity
  }
  /** Whether it was opened on the file system that was unpacked at boot. */
  get initramfs(): boolean {
    return super_block(this.#k, file_superblock(this.#k, this.#row.id)).s_initramfs === 1
  }
  /** The content as `read` would give it to somebody who opens the file now. */
  bytes(): string {
    return this.data.bytes()
  }
}

/** A name in a directory. Without a mount it has no path, only a way from its file system's root. */
export class DentryView {
  readonly #k: Kernel
  readonly #looked: Looked
  readonly number: number
  constructor(k: Kernel, number: number, looked: Looked) {
    this.#k = k
    this.#looked = looked
    this.number = number
    Object.freeze(this)
  }
  get name(): string {
    return name_of(this.#k, this.number)
  }
  get inode(): InodeView {
    return new InodeView(this.#k, dentry(this.#k, this.number).d_inode, this.#looked)
  }
  /** From the root of its file system. */
  get path_in_filesystem(): string {
    const names: string[] = []
    for (let at = this.number; ; ) {
      const { d_parent } = dentry(this.#k, at)
      if (d_parent === at || d_parent === 0) return `/${names.join('/')}`
      names.unshift(name_of(this.#k, at))
      at = d_parent
    }
  }
  get filesystem(): string {
    return super_block(this.#k, dentry(this.#k, this.number).d_sb).s_type
  }
  get sb(): string {
    return super_block(this.#k, dentry(this.#k, this.number).d_sb).s_id
  }
}

/** A place as the running task reaches it: through a mount. */
export class PathView {
  readonly #k: Kernel
  readonly #looked: Looked
  readonly #place: Path
  constructor(k: Kernel, place: Path, looked: Looked) {
    this.#k = k
    this.#looked = looked
    this.#place = place
    Object.freeze(this)
  }
  /** As the running task sees it. */
  get path(): string {
    return d_path(this.#k, this.#place.mnt, this.#place.dentry)
  }
  get dentry(): DentryView {
    return new DentryView(this.#k, this.#place.dentry, this.#looked)
  }
  /** Nothing can be written through the mount. */
  get read_only(): boolean {
    return mnt_is_readonly(this.#k, this.#place.mnt)
  }
  /** Nothing can be executed through the mount. */
  get noexec(): boolean {
    return path_noexec(this.#k, this.#place.mnt)
  }
  get filesystem(): string {
    return this.dentry.filesystem
  }
  get sb(): string {
    return this.dentry.sb
  }
}

/** A mapping. */
export class VmaView {
  readonly #k: Kernel
  readonly #looked: Looked
  readonly number: number
  constructor(k: Kernel, number: number, looked: Looked) {
    this.#k = k
    this.#looked = looked
    this.number = number
    Object.freeze(this)
  }
  get #row() {
    return vm_area(this.#k, this.number)
  }
  get start(): number {
    return this.#row.vm_start
  }
  get end(): number {
    return this.#row.vm_end
  }
  /** The protection that it has now: PROT_READ … */
  get prot(): number {
    return this.#row.vm_prot
  }
  get shared(): boolean {
    return this.#row.vm_shared === 1
  }
  /** Of an overlay file the real one; null for anonymous memory. */
  get file(): FileView | null {
    return this.#row.vm_file === 0 ? null : new FileView(this.#k, this.#row.vm_file, this.#looked)
  }
}

const views = {
  file: FileView,
  inode: InodeView,
  vma: VmaView,
  dentry: DentryView,
  old_dentry: DentryView,
  new_dentry: DentryView,
  parent: DentryView,
  path: PathView,
  dir: PathView,
  old_dir: PathView,
  new_dir: PathView,
}
type Views = { [A in keyof typeof views]: InstanceType<(typeof views)[A]> }

/** Arguments that can be absent: `mmap_file` of anonymous memory, a rename over nothing. */
type Absent<N, A> = [N, A] extends ['mmap_file', 'file'] ? null : A extends 'new_dentry' ? null : never

/** What a hook of a user's module is given: the kernel's arguments, objects as views, and the running task. */
export type HookContext<N extends HookName = HookName> = { readonly hook: N; readonly task: TaskView } & {
  readonly [A in keyof HookArguments[N]]: A extends keyof Views
    ? Views[A] | Absent<N, A>
    : HookArguments[N][A]
}

/** Makes the view of a hook's arguments. */
export function hook_context<N extends HookName>(
  k: Kernel,
  hook: N,
  args: HookArguments[N],
  looked: Looked = () => {},
): HookContext<N> {
  const context: Record<string, unknown> = { hook, task: new TaskView(k) }
  for (const [name, value] of Object.entries(args)) {
    const view = views[name as keyof Views]
    if (view === undefined) context[name] = value
    else context[name] = value === 0 ? null : new view(k, value as never, looked)
  }
  return Object.freeze(context) as HookContext<N>
}

/** A small world for tests of exec and of security modules: a root, a few mounts, tasks that make calls. */

import { decode_arguments } from '../../src/kernel/decode.js'
import { errno_name } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import { type Config, type Event, Kernel } from '../../src/kernel/kernel.js'
import { ended, is_local, STEPPED, start, step } from '../../src/kernel/machine.js'
import { type Feature, profile, type Release } from '../../src/kernel/profile.js'
import { all_tables } from '../../src/kernel/schema.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import { d_add, dentry } from '../../src/vfs/dentry.js'
import '../../src/exec/execveat.js'
import '../../src/exec/securebits.js'
import '../../src/vfs/filesystems/filesystems.js'
import '../../src/vfs/namei/unlink.js'
import '../../src/vfs/attributes/attr.js'
import '../../src/vfs/files/read_write.js'
import '../../src/vfs/open/open.js'
import { inode, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../../src/vfs/inode.js'
import { content_of, set_content } from '../../src/vfs/memory/page_cache.js'
import { mount } from '../../src/vfs/mount.js'
import { block_device, super_block } from '../../src/vfs/super_block.js'
import { CAP_FULL_SET, task_struct, user_buffer } from '../../src/vfs/tasks/task.js'

export interface Options {
  readonly release?: Release
  readonly features?: readonly (Feature | `-${Feature}`)[]
  readonly modules?: readonly SecurityModule[]
  readonly monitor?: Config['monitor']
}

/** Tables of which a task touches its own rows alone. */
const own = new Set(
  all_tables()
    .filter((table) => table.owned)
    .map((table) => table.name),
)

export class World {
  readonly k: Kernel
  readonly root_mnt: number
  readonly root: number

  constructor({ release = '7.2', features = [], modules = [], monitor }: Options = {}) {
    this.k = new Kernel(new FastStore(), { profile: profile(release, features), modules, monitor })
    this.root = this.file_system('root', 'tmpfs')
    this.root_mnt = mount.create(this.k, {
      mnt_sb: dentry(this.k, this.root).d_sb,
      mnt_root: this.root,
    }).id
    this.task(1)
  }

  /** A file system with an empty root directory. @returns the root's dentry */
  file_system(name: string, type: string, more: object = {}): number {
    const { k } = this
    const sb = super_block.create(k, { s_id: name, s_type: type, ...more })
    const ino = inode.create(k, { i_sb: sb.id, i_mode: S_IFDIR | 0o755, i_nlink: 2, i_count: 1 })
    const d = dentry.create(k, { d_name: '', d_inode: ino.id, d_sb: sb.id })
    d.d_parent = d.id
    sb.s_root = d.id
    return d.id
  }

  device(roothash: string, signed: boolean): number {
    return block_device.create(this.k, { bd_name: 'dm-0', roothash, roothash_signed: signed ? 1 : 0 }).id
  }

  /** Mounts a file system's root on a directory of the root. @returns the mount */
  mount(name: string, root: number, mnt_flags = 0): number {
    const at = this.add(name, S_IFDIR | 0o755)
    const mnt_sb = dentry(this.k, root).d_sb
    return mount.create(this.k, {
      mnt_parent: this.root_mnt,
      mnt_mountpoint: at,
      mnt_sb,
      mnt_root: root,
      mnt_flags,
    }).id
  }

  add(name: string, i_mode: number, parent = this.root, more: object = {}): number {
    const { k } = this
    const { d_sb } = dentry(k, parent)
    return d_add(k, parent, name, inode.create(k, { i_sb: d_sb, i_mode, i_nlink: 1, ...more }).id)
  }

  /** A regular file. @returns its inode */
  file(name: string, content: string, mode = 0o755, parent = this.root, more: object = {}): number {
    const ino = dentry(this.k, this.add(name, S_IFREG | mode, parent, more)).d_inode
    set_content(this.k, ino, content)
    return ino
  }
  dir(name: string, mode = 0o755, parent = this.root): number {
    return this.add(name, S_IFDIR | mode, parent)
  }
  link(name: string, i_link: string, parent = this.root): number {
    return this.add(name, S_IFLNK | 0o777, parent, { i_link, i_size: i_link.length })
  }
  fifo(name: string): number {
    return this.add(name, S_IFIFO | 0o755)
  }
  char_device(name: string): number {
    return this.add(name, S_IFCHR | 0o755, this.root, { i_rdev: 0x103 })
  }

  task(number: number, uid = 0, more: object = {}): void {
    const place = { pwd_mnt: this.root_mnt, pwd: this.root, root_mnt: this.root_mnt, root: this.root }
    const ids = { uid, gid: uid, euid: uid, egid: uid, cap_effective: uid === 0 ? CAP_FULL_SET : 0 }
    task_struct.create_at(this.k, number, { comm: `task${number}`, umask: 0o022, ...place, ...ids, ...more })
    user_buffer.create_at(this.k, number, {})
  }

  /** Starts a call of a task without running it. The result stands in `results`. */
  begin(task: number, name: string, ...args: unknown[]): void {
    const call = syscall_named(name)
    if (call === undefined) throw new Error(`no system call ${name}`)
    this.k.task = task
    start(this.k, task, call.fn, decode_arguments(call, args))
  }

  /** Runs one stage. @returns the names of function and stage that ran */
  step(task: number): string {
    const { k } = this
    const frame = k.store.top(task)
    const label = `${frame.fn.name}: ${frame.fn.steps[frame.stage]?.name ?? 'return'}`
    const local = is_local(k, task)
    const bottom = k.store.frame(task, 0)
    k.store.note()
    if (step(k, task) !== STEPPED) throw new Error(`${label} sleeps`)
    const shared = k.store.footprint().filter(({ table }) => !own.has(table))
    if (local && shared.length > 0) throw new Error(`${label} is not local: ${JSON.stringify(shared)}`)
    if (ended(k, task)) this.result = bottom.ret
    return label
  }
  result: unknown = 0

  /** Runs a task until a stage of this name is next. */
  until(task: number, stage: string): void {
    for (;;) {
      const frame = this.k.store.top(task)
      if (frame.fn.steps[frame.stage]?.name === stage) return
      this.step(task)
    }
  }

  /** Runs what a task has begun to its end. @returns 'EACCES' and the like, or the result */
  finish(task: number): unknown {
    while (!ended(this.k, task)) this.step(task)
    this.k.task = 0
    const { result } = this
    return typeof result === 'number' && result < 0 ? errno_name(result) : result
  }

  call(task: number, name: string, ...args: unknown[]): any {
    this.begin(task, name, ...args)
    return this.finish(task)
  }

  /** Runs a call and gives the events of its kind. */
  heard(kind: string, run: () => void): string[] {
    const events: Event[] = []
    this.k.events = events
    run()
    this.k.events = null
    return events.filter((event) => event.kind === kind).map((event) => event.text)
  }

  check(path: string, flags: string | number = 0, dirfd: string | number = 'AT_FDCWD', task = 1): unknown {
    const all = typeof flags === 'number' ? flags | 0x10000 : `AT_EXECVE_CHECK|${flags}`
    return this.call(task, 'execveat', dirfd, path, null, null, all)
  }
  exec(path: string, flags: string | number = 0, dirfd: string | number = 'AT_FDCWD', task = 1): unknown {
    return this.call(task, 'execveat', dirfd, path, null, null, flags)
  }
  open(path: string, flags: string, task = 1): any {
    return this.call(task, 'openat', 'AT_FDCWD', path, flags, 0o644)
  }
  writecount(ino: number): number {
    return inode(this.k, ino).i_writecount
  }
  content(ino: number): string {
    return content_of(this.k, ino)
  }
}

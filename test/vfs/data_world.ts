/**
 * A small world for tests of the data path: one file system at `/`, tasks that make calls, stages one by one.
 * Every step is audited: a local stage touches only tables of its task, a stage that sleeps changes nothing.
 */

import { decode_arguments } from '../../src/kernel/decode.js'
import { errno_name } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { attempt, fn } from '../../src/kernel/fn.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import { type Event, type Fn, Kernel } from '../../src/kernel/kernel.js'
import { ended, is_local, STEPPED, start, step } from '../../src/kernel/machine.js'
import { type Feature, profile, type Release } from '../../src/kernel/profile.js'
import { all_tables, range_of } from '../../src/kernel/schema.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import '../../src/vfs/filesystems/filesystems.js'
import '../../src/vfs/attributes/attr.js'
import { dentry } from '../../src/vfs/dentry.js'
import { file } from '../../src/vfs/file.js'
import '../../src/vfs/tasks/fork_exit.js'
import { inode } from '../../src/vfs/inode.js'
import '../../src/vfs/memory/fault.js'
import { vm_area } from '../../src/vfs/memory/mm.js'
import '../../src/vfs/memory/mmap.js'
import '../../src/vfs/open/open.js'
import {
  attach_mount,
  lookup_path,
  type MountOption,
  make_super_block,
  populate,
  type TreeNode,
} from '../../src/vfs/filesystems/populate.js'
import { content_of } from '../../src/vfs/memory/page_cache.js'
import '../../src/vfs/files/read_write.js'
import '../../src/vfs/attributes/stat.js'
import { super_block } from '../../src/vfs/super_block.js'
import { CAP_FULL_SET, fd_slot, task_struct, user_buffer } from '../../src/vfs/tasks/task.js'
import '../../src/vfs/open/truncate.js'
import '../../src/vfs/namei/unlink.js'

const pending = new Map<number, { fn: Fn; locals: object }>()
const results = new Map<number, unknown>()

const test_data_call = fn('test_data_call', { source: 'test' }, [
  attempt(
    (k) => pending.get(k.task)!.fn,
    (k) => pending.get(k.task)!.locals,
    (k, _f, ret) => {
      results.set(k.task, ret)
    },
  ),
])

export interface Options {
  readonly release?: Release
  readonly features?: readonly (Feature | `-${Feature}`)[]
  readonly modules?: readonly SecurityModule[]
  readonly type?: string
  readonly read_only?: boolean
  readonly options?: readonly MountOption[]
}

const owned = new Set(
  all_tables()
    .filter((table) => table.owned)
    .map((table) => table.name),
)

export class World {
  readonly k: Kernel
  readonly mnt: number
  readonly root: number

  constructor(entries: { [name: string]: TreeNode }, world: Options = {}) {
    const { release = '6.18', features = [], modules = [], type = 'tmpfs', read_only = false } = world
    this.k = new Kernel(new FastStore(), { profile: profile(release, features), modules })
    const sb = make_super_block(this.k, { id: 'root', type, read_only })
    populate(this.k, sb, { type: 'dir', mode: 0o777, entries })
    this.root = super_block(this.k, sb).s_root
    this.mnt = attach_mount(this.k, { root: this.root, options: world.options })
    this.task(1)
  }

  /** Root has every capability, others have none. */
  task(number: number, uid = 0, more: object = {}): this {
    const place = { pwd_mnt: this.mnt, pwd: this.root, root_mnt: this.mnt, root: this.root }
    const ids = { uid, gid: uid, euid: uid, egid: uid, cap_effective: uid === 0 ? CAP_FULL_SET : 0 }
    task_struct.create_at(this.k, number, { comm: `task${number}`, ...place, ...ids, ...more })
    user_buffer.create_at(this.k, number, {})
    dentry(this.k, this.root).d_count += 1
    return this
  }

  /** Starts a call without running it. */
  begin(task: number, name: string, ...args: unknown[]): this {
    const call = syscall_named(name)
    if (call === undefined) throw new Error(`no system call ${name}`)
    pending.set(task, { fn: call.fn, locals: decode_arguments(call, args) })
    Object.assign(user_buffer(this.k, task), { data: '', from: [] })
    start(this.k, task, test_data_call, {})
    return this
  }

  /** The stage that a task would run next. */
  next(task: number): string {
    const { k } = this
    const f = k.store.top(task)
    return f.stage < 0 ? 'give back' : f.fn.steps[f.stage]!.name
  }

  /** Runs one stage. @returns false where it sleeps */
  step(task: number): boolean {
    const { k } = this
    const next = this.next(task)
    const local = is_local(k, task)
    const hash = [k.store.hash_lo, k.store.hash_hi].join()
    k.store.note()
    const stepped = step(k, task) === STEPPED
    const foreign = k.store.footprint().filter((touch) => !owned.has(touch.table))
    k.task = 0
    if (local && foreign.length > 0) throw new Error(`local ${next} touches ${JSON.stringify(foreign)}`)
    if (!stepped && hash !== [k.store.hash_lo, k.store.hash_hi].join())
      throw new Error(`${next} sleeps and writes`)
    return stepped
  }

  /** Runs a task until this stage is next. */
  until(task: number, stage: string): this {
    while (this.next(task) !== stage) if (!this.step(task)) throw new Error(`${this.next(task)} sleeps`)
    return this
  }

  /** Runs what a task has begun to its end. @returns the result; of a failure its errno's name */
  finish(task: number): any {
    while (!ended(this.k, task)) if (!this.step(task)) throw new Error(`${this.next(task)} sleeps`)
    const ret = results.get(task)
    this.check_counts()
    return typeof ret === 'number' && ret < 0 ? errno_name(ret) : ret
  }

  call(task: number, name: string, ...args: unknown[]): any {
    return this.begin(task, name, ...args).finish(task)
  }

  /** The names of the stages that a call runs, without those that do not yield. */
  stages(task: number, name: string, ...args: unknown[]): string[] {
    const names: string[] = []
    this.begin(task, name, ...args)
    while (!ended(this.k, task)) {
      if (!is_local(this.k, task)) names.push(this.next(task))
      this.step(task)
    }
    return names
  }

  /** What the last call of a task put into its buffer. */
  data(task: number): string {
    return user_buffer(this.k, task).data
  }

  from(task: number): readonly number[] {
    return user_buffer(this.k, task).from
  }

  /** A call that reads, and what it read. */
  bytes(task: number, name: string, ...args: unknown[]): string {
    const ret = this.call(task, name, ...args)
    return typeof ret === 'number' ? this.data(task) : ret
  }

  ino(path: string): number {
    return dentry(this.k, lookup_path(this.k, this.root, path)).d_inode
  }
  node(path: string) {
    return inode(this.k, this.ino(path))
  }
  content(path: string): string {
    return content_of(this.k, this.ino(path))
  }
  mode(path: string): string {
    return (this.node(path).i_mode & 0o7777).toString(8)
  }

  /** Why the calls of `run` were refused. */
  refusals(run: () => void): string[] {
    const events: Event[] = []
    this.k.events = events
    run()
    this.k.events = null
    return events.filter((event) => event.kind === 'refused').map((event) => event.text)
  }

  /** Each open file has as many references as descriptors and mappings show it, once nobody is in a call. */
  private check_counts(): void {
    const { k } = this
    if (task_struct.rows(k).some(({ id }) => !ended(k, id))) return
    const slots = fd_slot.rows(k).map((slot) => slot.file)
    const mapped = vm_area.rows(k).map((vma) => vma.vm_file)
    for (const { id, f_count } of file.rows(k)) {
      const seen = [...slots, ...mapped].filter((each) => each === id).length
      if (f_count !== seen) throw new Error(`file ${id} has f_count ${f_count}, but ${seen} references`)
    }
    for (const { id, i_rwsem } of inode.rows(k)) if (i_rwsem !== 0) throw new Error(`inode ${id} is locked`)
    for (const { id, vm_mm } of vm_area.rows(k))
      if (range_of(id) !== range_of(vm_mm)) throw new Error(`vma ${id}`)
  }
}

export const PAGE = 4096
export const pages = (...letters: string[]): string => letters.map((letter) => letter.repeat(PAGE)).join('')

export const text = (data: string, more: Partial<TreeNode> = {}): TreeNode => ({
  type: 'file',
  data,
  ...more,
})

/** A security module that answers one hook with -EACCES and notes what it was asked. */
export function denying(hook: string, asked: object[] = []): SecurityModule {
  const answer = (_k: Kernel, args: object) => {
    asked.push({ ...args })
    return -13
  }
  return { name: 'denying', hooks: { [hook]: answer } } as SecurityModule
}

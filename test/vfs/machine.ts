/** A small kernel for tests: a tree, tasks, and system calls run one after the other or stage by stage. */

import { decode_arguments } from '../../src/kernel/decode.js'
import { errno_name } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { attempt, fn, local } from '../../src/kernel/fn.js'
import { audit_local, audit_owned, owned_tables } from '../../src/kernel/footprint_audit.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import { BLOCKED, type Fn, Kernel } from '../../src/kernel/kernel.js'
import { ASLEEP, is_local, start, step } from '../../src/kernel/machine.js'
import { type Feature, profile, type Release } from '../../src/kernel/profile.js'
import { all_tables, value } from '../../src/kernel/schema.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import { dentry, dget } from '../../src/vfs/dentry.js'
import { inode } from '../../src/vfs/inode.js'
import '../../src/vfs/filesystems/filesystems.js'
import '../../src/vfs/open/access.js'
import '../../src/vfs/attributes/attr.js'
import '../../src/vfs/namei/create.js'
import '../../src/vfs/tasks/fs_struct.js'
import '../../src/vfs/namei/link.js'
import '../../src/vfs/open/open.js'
import '../../src/vfs/namei/rename.js'
import '../../src/vfs/attributes/stat.js'
import '../../src/vfs/open/truncate.js'
import '../../src/vfs/namei/unlink.js'
import {
  attach_mount,
  find_place,
  type MountOption,
  make_super_block,
  populate,
  type SuperBlockOptions,
  type TreeNode,
} from '../../src/vfs/filesystems/populate.js'
import { mount } from '../../src/vfs/mount.js'
import { CAP_FULL_SET, first_cred, task_struct, user_buffer } from '../../src/vfs/tasks/task.js'

export interface Who {
  readonly uid?: number
  readonly gid?: number
  readonly euid?: number
  readonly egid?: number
  readonly groups?: readonly number[]
  readonly caps?: number
  readonly umask?: number
  readonly cwd?: string
}

const owned = owned_tables(all_tables())
const pending = new Map<number, { fn: Fn; locals: object }>()

/** Runs one call and stays: the result is in its frame. */
const test_call = fn('test_call', { source: 'test', locals: { result: value(), over: value() } }, [
  attempt(
    (k) => pending.get(k.task)!.fn,
    (k) => pending.get(k.task)!.locals,
    (_, f, result) => {
      f.result = result
      f.over = 1
    },
    'call',
  ),
  local('stay', () => BLOCKED),
])

/** A result as tests write it: a number, a list, or the name of an errno. */
export type Result = number | string | readonly number[]

export class Machine {
  readonly k: Kernel
  root_mnt = 0

  constructor(
    tree: TreeNode,
    options: {
      sb?: Partial<SuperBlockOptions>
      modules?: SecurityModule[]
      release?: Release
      features?: Feature[]
    } = {},
  ) {
    const config = {
      profile: profile(options.release ?? '6.18', options.features),
      modules: options.modules ?? [],
    }
    this.k = new Kernel(new FastStore(), config)
    this.root_mnt = attach_mount(this.k, { root: this.file_system(tree, options.sb) })
    this.spawn(1)
  }

  /** A populated file system. @returns its root dentry */
  file_system(tree: TreeNode, sb: Partial<SuperBlockOptions> = {}): number {
    return populate(this.k, make_super_block(this.k, { id: 'test', type: 'tmpfs', ...sb }), tree)
  }

  spawn(task: number, who: Who = {}): void {
    const { uid = 0, gid = uid, umask = 0o022 } = who
    const pwd = this.place(who.cwd ?? '/')
    const root = this.place('/')
    task_struct.create_at(this.k, task, {
      uid,
      gid,
      euid: who.euid ?? uid,
      egid: who.egid ?? gid,
      groups: who.groups ?? [],
      cap_effective: who.caps ?? (uid === 0 ? CAP_FULL_SET : 0),
      cred: first_cred(task),
      umask,
      pwd_mnt: pwd.mnt,
      pwd: pwd.dentry,
      root_mnt: root.mnt,
      root: root.dentry,
    })
    dget(this.k, pwd.dentry)
    user_buffer.create_at(this.k, task, {})
  }

  place(path: string) {
    const found = find_place(this.k, this.root_mnt, path)
    if (found === undefined) throw new Error(`no ${path}`)
    return found
  }

  has(path: string): boolean {
    return find_place(this.k, this.root_mnt, path) !== undefined
  }

  /** The inode at a path (the last component is not followed). */
  inode(path: string) {
    return inode(this.k, dentry(this.k, this.place(path).dentry).d_inode)
  }

  mount(path: string, root: number, ...options: MountOption[]): number {
    const { mnt, dentry: at } = this.place(path)
    return attach_mount(this.k, { root, parent: mnt, mountpoint: at, options })
  }

  bind(from: string, to: string, ...options: MountOption[]): number {
    return this.mount(to, this.place(from).dentry, ...options)
  }

  set_flags(mnt: number, flags: number): void {
    mount(this.k, mnt).mnt_flags = flags
  }

  /** Begins a call; `step` then runs its stages. */
  begin(task: number, name: string, ...args: unknown[]): void {
    const call = syscall_named(name)
    if (call === undefined) throw new Error(`no system call ${name}`)
    pending.set(task, { fn: call.fn, locals: decode_arguments(call, args) })
    while (this.k.store.depth(task) > 0) this.k.store.pop(task)
    start(this.k, task, test_call, {})
  }

  /**
   * Every step is audited: a stage that does not yield touches only what its task owns, and one that sleeps has
   * changed nothing.
   *
   * @returns false if the task sleeps
   */
  step(task: number): boolean {
    const { store } = this.k
    const { fn: running, stage } = store.top(task)
    const local = is_local(this.k, task)
    const hash = [store.hash_lo, store.hash_hi]
    store.note()
    const slept = step(this.k, task) === ASLEEP
    const footprint = store.footprint()
    const broken = [
      ...(local ? audit_local(footprint, task, owned) : []),
      ...audit_owned(footprint, task, owned, store.tasks()),
    ]
    const where = `${running.name}: ${running.steps[stage]?.name}`
    if (broken.length > 0) throw new Error(`${where} touches ${JSON.stringify(broken)}`)
    if (slept && (hash[0] !== store.hash_lo || hash[1] !== store.hash_hi))
      throw new Error(`${where} slept and wrote`)
    return !slept
  }

  /** The result of the call, or undefined while it runs. */
  result(task: number): Result | undefined {
    const f = this.k.store.frame(task, 0) as unknown as { over: number; result: Result }
    if (f.over !== 1) return undefined
    return typeof f.result === 'number' && f.result < 0 ? errno_name(f.result) : f.result
  }

  /** Runs until the call is over, or it sleeps. */
  finish(task: number): Result | 'asleep' {
    for (;;) {
      const result = this.result(task)
      if (result !== undefined) return result
      if (!this.step(task)) return 'asleep'
    }
  }

  as(task: number, name: string, ...args: unknown[]): Result {
    this.begin(task, name, ...args)
    return this.finish(task)
  }

  /** A call of task 1, who is root. */
  call(name: string, ...args: unknown[]): Result {
    return this.as(1, name, ...args)
  }

  /** What the last call gave to user space. */
  data(task = 1): string {
    return user_buffer(this.k, task).data
  }

  /**
   * Runs calls of several tasks in every interleaving of their stages.
   *
   * @param calls by task: name and arguments of its call
   * @param look  what to note at the end of a run, besides the results
   * @returns every different outcome, sorted: `task:result …` and what `look` noted
   */
  interleavings(
    calls: { [task: number]: readonly [string, ...unknown[]] },
    look: () => string = () => '',
  ): string[] {
    const tasks = Object.keys(calls).map(Number)
    for (const task of tasks) this.begin(task, ...calls[task]!)
    const outcomes = new Set<string>()
    const visited = new Set<string>()
    const visit = () => {
      const state = `${this.k.store.hash_lo}:${this.k.store.hash_hi}`
      if (visited.has(state)) return
      visited.add(state)
      let moved = false
      for (const task of tasks) {
        if (this.result(task) !== undefined) continue
        const mark = this.k.store.mark()
        if (this.step(task)) {
          moved = true
          visit()
        }
        this.k.store.undo(mark)
      }
      if (moved) return
      const results = tasks.map((task) => `${task}:${this.result(task) ?? 'deadlock'}`)
      outcomes.add([...results, look()].join(' ').trim())
    }
    visit()
    return [...outcomes].sort()
  }
}

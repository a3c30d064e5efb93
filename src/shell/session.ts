/**
 * A machine that is told its calls one by one, by tasks that have no program: the engine of the shell.
 *
 *     const session = new Session()
 *     session.call(1, syscall_named('mkdir')!, ['/m', 0o755])       { ret: 0 }
 *
 * A call runs from its beginning to its end, or until it would sleep. While some sleep, they are tried again
 * after each call that was made.
 */

import { bprm_filename } from '../exec/execveat.js'
import { ArgumentError, decode_arguments, kind_of_result } from '../kernel/decode.js'
import { errno_name, signal_of } from '../kernel/errno.js'
import type { Kernel } from '../kernel/kernel.js'
import { ASLEEP, is_local, start, step } from '../kernel/machine.js'
import { NotModelled } from '../kernel/not_modelled.js'
import type { Syscall } from '../kernel/syscall.js'
import { make_kernel } from '../model.js'
import { ScenarioError } from '../scenario/error.js'
import { DEFAULT_PROFILE, type SetupForm, type TaskForm } from '../scenario/form.js'
import { boot_setup, type Environment, make_modules, make_task, parse_profile } from '../scenario/setup.js'
import { dentry } from '../vfs/dentry.js'
import { inode, is_dir } from '../vfs/inode.js'
import { AT_FDCWD } from '../vfs/namei/namei.js'
import { shrink_dcache } from '../vfs/shrink_dcache.js'
import { do_exit, MAX_CHILDREN } from '../vfs/tasks/fork_exit.js'
import { task_struct, user_buffer } from '../vfs/tasks/task.js'
import { type Answer, first_child, Numbering, RequestError, type StatFields } from './answer.js'
import { LimitError, ShellStore } from './shell_store.js'
import { DEFAULT_SETUP } from './world.js'

export type TaskSpec = Omit<TaskForm, 'program' | 'role'>

/** Stages after which a call is given up: a read of so many bytes takes far fewer. */
const MOST_STEPS = 2_000_000
/** Calls after which unlinked names are looked through, and more where there are more names. */
const CALLS_BETWEEN_SHRINKS = 4096

/** A call that has begun and not returned. */
export interface Pending {
  readonly task: number
  /** Whatever the caller knows the call by. */
  readonly id: unknown
  readonly syscall: Syscall
  /** Name of the program, where the call is a real exec. */
  readonly exec: string | null
  /** It runs only when it is told to. */
  readonly held: boolean
}

/** What a call that was pending has given. */
export interface Completed {
  readonly call: Pending
  /** Where it cannot go on, why not. */
  readonly answer: Answer | { readonly error: string }
}

/** Told of each stage, before it runs; what it answers is called after. */
export type Watcher = (k: Kernel, task: number) => () => void

export interface SessionOptions {
  readonly setup?: SetupForm | null
  /** Unless the set-up names one. */
  readonly profile?: string
  /** Who there is, from task 1 on; unless told one task, root. */
  readonly tasks?: readonly TaskSpec[]
  /** Remembers everything, so that it can be taken back. */
  readonly undo?: boolean
}

export class Session {
  k!: Kernel
  store!: ShellStore
  watcher: Watcher | null = null
  readonly profile: string

  private env!: Environment
  private numbers = new Numbering()
  private pending = new Map<number, Pending>()
  /** Tasks that have ended, and those that run another program since an exec. */
  private ended = new Set<number>()
  private replaced = new Set<number>()
  private specs: [number, TaskSpec][] = []
  private called = false
  private calls_to_shrink = CALLS_BETWEEN_SHRINKS

  /** @throws ScenarioError where the set-up is refused */
  constructor(private readonly options: SessionOptions = {}) {
    const { setup = null, profile, tasks = [{ name: 'task 1' }] } = options
    this.profile = setup?.profile ?? profile ?? DEFAULT_PROFILE
    this.boot(
      setup,
      tasks.map((spec, i) => [i + 1, spec]),
    )
  }

  private boot(setup: SetupForm | null, specs: [number, TaskSpec][]): void {
    const numbers = new Numbering()
    const store = new ShellStore(this.options.undo !== true, ({ name }, id) => {
      if (name === 'inode') numbers.forget(id)
    })
    const profile = parse_profile(setup?.profile ?? this.profile, 'setup.profile')
    const k = make_kernel(store, profile, make_modules(setup?.lsm ?? {}, new Map(), 'setup.lsm'))
    const env = boot_setup(k, setup ?? DEFAULT_SETUP, 'setup')
    for (const [task, spec] of specs) make_task(k, task, spec, env, 'spawn')
    k.task = 0
    store.commit()
    Object.assign(this, { k, store, env, numbers, specs })
  }

  // --- tasks ---------------------------------------------------------------------------------------------

  /** Tasks that can be told calls, or that are inside one, by number. */
  tasks(): number[] {
    return task_struct
      .rows(this.k)
      .filter(({ exit_code }) => exit_code === 0)
      .map(({ id }) => id)
  }

  pending_of(task: number): Pending | undefined {
    return this.pending.get(task)
  }

  runs_other_program(task: number): boolean {
    return this.replaced.has(task)
  }

  /** @throws RequestError where there is no such task, or none any more */
  private alive(task: number): void {
    if (task_struct.has(this.k, task)) return
    throw new RequestError(this.ended.has(task) ? `task ${task} has ended` : `there is no task ${task}`)
  }

  /** @throws RequestError where the task cannot be told a call */
  private can_call(task: number): void {
    this.alive(task)
    if (this.replaced.has(task))
      throw new RequestError(`task ${task} runs another program since its exec, and takes no more calls`)
    if (this.pending.has(task)) throw new RequestError(`task ${task} is inside a call`)
  }

  /** Makes a task. @throws RequestError */
  spawn(task: number, spec: TaskSpec): Answer {
    if (task_struct.has(this.k, task)) throw new RequestError(`spawn.task: there is a task ${task} already`)
    this.guarded(() => {
      const { cwd = '/' } = spec
      const at = this.env.walk(cwd, 'spawn.cwd')
      if (!is_dir(inode(this.k, dentry(this.k, at.dentry).d_inode).i_mode))
        throw new RequestError(`spawn.cwd: ${cwd} is not a directory`)
      make_task(this.k, task, spec, this.env, 'spawn')
    })
    this.specs.push([task, spec])
    this.ended.delete(task)
    return { ret: task }
  }

  /** Ends a task. @throws RequestError where it has ended, or is inside a call */
  exit(task: number): Answer {
    this.alive(task)
    if (this.pending.has(task)) throw new RequestError(`exit: task ${task} is inside a call`)
    this.called = true
    return this.guarded(() => {
      start(this.k, task, do_exit, { code: 1 })
      this.run(task)
      this.end(task)
      return { ret: 0 }
    })
  }

  /** Nothing is left of a task but that it was there. Its number may be given again. */
  private end(task: number): void {
    this.ended.add(task)
    this.replaced.delete(task)
    task_struct.remove(this.k, task)
    user_buffer.remove(this.k, task)
  }

  /**
   * Starts all over in another world, with the tasks that there are.
   *
   * @throws RequestError where some task has made a call already
   * @throws ScenarioError naming the field that is wrong
   */
  setup(form: SetupForm): Answer {
    if (this.called) throw new RequestError('setup: comes before the first call of any task')
    this.boot(form, this.specs)
    return { ret: 0 }
  }

  // --- calls ---------------------------------------------------------------------------------------------

  /**
   * Makes a call.
   *
   * @param id what the caller knows the call by, should it block
   * @throws RequestError, ArgumentError naming what is wrong; nothing has happened then
   */
  call(task: number, syscall: Syscall, args: readonly unknown[], id: unknown = null): Answer {
    this.can_call(task)
    const locals = decode_arguments(syscall, args)
    this.called = true
    return this.guarded(() => {
      const call = this.begin_call(task, syscall, id, args, locals, false)
      return this.run(task) ? this.answer(call) : { blocked: true }
    })
  }

  /** Lets a task begin a call and stop before its first stage that others could notice. */
  hold(task: number, syscall: Syscall, args: readonly unknown[], id: unknown): Answer {
    this.can_call(task)
    const locals = decode_arguments(syscall, args)
    this.called = true
    return this.guarded(() => {
      const call = this.begin_call(task, syscall, id, args, locals, true)
      return this.advance(task) ? this.answer(call) : { blocked: true }
    })
  }

  private begin_call(
    task: number,
    syscall: Syscall,
    id: unknown,
    args: readonly unknown[],
    locals: object,
    held: boolean,
  ): Pending {
    if (syscall.returns === 'bytes') this.clear_buffer(task)
    if (syscall.returns === 'task') this.count_children(task)
    const call: Pending = {
      task,
      id,
      syscall,
      exec: kind_of_result(syscall, args) === 'exec' ? exec_name(locals) : null,
      held,
    }
    start(this.k, task, syscall.fn, locals)
    this.pending.set(task, call)
    return call
  }

  /**
   * A program's task counts the children that it has had, and numbers them by that. Here tasks go and come for
   * ever: what is counted is those below the lowest number that is free.
   */
  private count_children(task: number): void {
    const first = first_child(task)
    let taken = 0
    while (taken < MAX_CHILDREN && task_struct.has(this.k, first + taken)) taken++
    task_struct(this.k, task).children = taken
  }

  private clear_buffer(task: number): void {
    const buffer = user_buffer(this.k, task)
    if (buffer.data === '') return
    buffer.data = ''
    buffer.from = []
  }

  /** Runs a task until its call has returned. @returns false where it sleeps */
  private run(task: number): boolean {
    const { k, store } = this
    for (let steps = 0; store.depth(task) > 0; steps++) {
      if (steps > MOST_STEPS) throw new LimitError(`the call goes on for more than ${MOST_STEPS} stages`)
      if (this.one_step(k, task) === ASLEEP) return false
    }
    return true
  }

  private one_step(k: Kernel, task: number) {
    if (this.watcher === null) return step(k, task)
    const after = this.watcher(k, task)
    const result = step(k, task)
    if (result !== ASLEEP) after()
    return result
  }

  /** Runs the stages that concern nobody else. @returns whether the call has returned */
  private advance(task: number): boolean {
    const { k, store } = this
    while (store.depth(task) > 0 && is_local(k, task)) this.one_step(k, task)
    return store.depth(task) === 0
  }

  /**
   * Runs one stage of a call that is held, and those after it that concern nobody else.
   *
   * @returns what the call gave, where it has returned; `asleep` where it waits for another task
   */
  step(task: number): Answer | 'asleep' | 'inside' {
    const call = this.held_call(task)
    return this.guarded(() => {
      if (this.one_step(this.k, task) === ASLEEP) return 'asleep'
      return this.advance(task) ? this.answer(call) : 'inside'
    })
  }

  /** Lets a call that is held run on. */
  finish(task: number): Answer {
    const call = this.held_call(task)
    return this.guarded(() => {
      if (this.run(task)) return this.answer(call)
      this.pending.set(task, { ...call, held: false })
      return { blocked: true }
    })
  }

  private held_call(task: number): Pending {
    this.alive(task)
    const call = this.pending.get(task)
    if (call === undefined) throw new RequestError(`task ${task} is inside no call`)
    return call
  }

  /** Tries the calls that sleep once more, the lowest task first. @returns those that have returned */
  completed(): Completed[] {
    const done: Completed[] = []
    if (this.pending.size === 0) return done
    for (let again = true; again; ) {
      again = false
      for (const call of [...this.pending.values()].sort((a, b) => a.task - b.task)) {
        if (call.held) continue
        const answer = this.resumed(call)
        if (answer === null) continue
        done.push({ call, answer })
        again = true
      }
    }
    return done
  }

  /** What a call gives that has slept; null while it sleeps on. */
  private resumed(call: Pending): Completed['answer'] | null {
    try {
      return this.guarded(() => (this.run(call.task) ? this.answer(call) : null))
    } catch (error) {
      this.pending.set(call.task, { ...call, held: true })
      return { error: (error as Error).message }
    }
  }

  // --- results -------------------------------------------------------------------------------------------

  /** What the call gave that has just returned. */
  private answer(call: Pending): Answer {
    const { task, syscall } = call
    this.pending.delete(task)
    const ret = this.k.returned
    if (typeof ret === 'number') {
      if (ret < 0) return this.failure(call, ret)
      if (task_struct(this.k, task).exit_code !== 0) this.end(task)
      if (syscall.returns === 'task') this.ended.delete(ret)
      if (call.exec !== null) {
        this.replaced.add(task)
        return { exec: call.exec }
      }
      if (syscall.returns !== 'bytes') return { ret }
      return { ret, data: user_buffer(this.k, task).data }
    }
    return { ret: 0, stat: this.stat(syscall, ret as readonly number[]) }
  }

  private failure(call: Pending, ret: number): Answer {
    if (signal_of(ret) === 0) return { errno: errno_name(ret) }
    // Past the point of no return there is no old program any more: the task dies of it.
    if (call.exec !== null) {
      start(this.k, call.task, do_exit, { code: -signal_of(ret) })
      this.run(call.task)
      this.end(call.task)
    }
    return { signal: errno_name(ret) }
  }

  private stat(syscall: Syscall, values: readonly number[]): StatFields {
    const fields: Record<string, number> = {}
    for (let i = 0; i < syscall.fields.length; i++) fields[syscall.fields[i]!] = values[i]!
    fields.st_ino = this.numbers.inode(fields.st_dev!, fields.st_ino!)
    fields.st_dev = this.numbers.device(fields.st_dev!)
    return fields
  }

  // --- all or nothing ------------------------------------------------------------------------------------

  /** Does it; where it cannot be done, nothing of it has happened. */
  private guarded<T>(work: () => T): T {
    const mark = this.store.mark()
    const pending = this.pending.size === 0 ? null : new Map(this.pending)
    let result: T
    try {
      result = work()
    } catch (error) {
      this.store.undo(mark)
      this.pending = pending ?? new Map()
      this.k.task = 0
      throw request_error(error)
    }
    this.settle()
    return result
  }

  /** What was done stays done; now and then what nobody needs is thrown away. */
  private settle(): void {
    this.k.task = 0
    if (this.options.undo === true) return
    if (--this.calls_to_shrink <= 0 && this.pending.size === 0) {
      shrink_dcache(this.k)
      this.calls_to_shrink = Math.max(CALLS_BETWEEN_SHRINKS, dentry.rows(this.k).length)
    }
    this.store.commit()
  }

  /** Everything as it is now, to come back to. Only of a session with `undo`. */
  mark(): () => void {
    const mark = this.store.mark()
    const kept = {
      pending: new Map(this.pending),
      ended: new Set(this.ended),
      replaced: new Set(this.replaced),
      specs: [...this.specs],
      called: this.called,
    }
    const { k, store, env, numbers } = this
    return () => {
      Object.assign(this, { k, store, env, numbers, ...kept })
      store.undo(mark)
    }
  }
}

/** The name of the program that a real exec runs if it succeeds. */
function exec_name(locals: object): string {
  const { dfd, name } = locals as { dfd?: number; name: string }
  return bprm_filename(dfd ?? AT_FDCWD, name)
}

/** What to tell whoever asked. */
function request_error(error: unknown): Error {
  if (error instanceof RequestError || error instanceof ArgumentError) return error
  if (error instanceof ScenarioError || error instanceof LimitError || error instanceof NotModelled)
    return new RequestError(error.message)
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new RequestError(`this is a bug in toctoscope: ${text.split('\n')[0]}`)
}

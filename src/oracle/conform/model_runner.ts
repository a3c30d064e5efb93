/**
 * Plays on the model what the agent plays on the kernel: calls run one after another, each from beginning to
 * end, and answer in the same form.
 */

import { decode_arguments, kind_of_result } from '../../kernel/decode.js'
import { errno_name, signal_of } from '../../kernel/errno.js'
import type { Kernel } from '../../kernel/kernel.js'
import { ASLEEP, ended, start, step } from '../../kernel/machine.js'
import { NotModelled } from '../../kernel/not_modelled.js'
import type { Value } from '../../kernel/schema.js'
import { holds, type Parameter, type Syscall, syscall_named } from '../../kernel/syscall.js'
import { UnhashedStore } from '../../kernel/unhashed_store.js'
import { make_kernel } from '../../model.js'
import type { ArgumentForm, ResultRef, SetupForm } from '../../scenario/form.js'
import { boot_setup, type Environment, make_modules, make_task, parse_profile } from '../../scenario/setup.js'
import { dentry } from '../../vfs/dentry.js'
import { file } from '../../vfs/file.js'
import { inode } from '../../vfs/inode.js'
import { super_block } from '../../vfs/super_block.js'
import { fd_row, fd_slot, task_struct, user_buffer } from '../../vfs/tasks/task.js'
import type { Answer, Play, PlayCall, PlayTask } from '../agent/play.js'

/** A machine that is told its calls one by one. */
export class ModelMachine {
  readonly k: Kernel
  private readonly env: Environment
  private readonly results = new Map<string, { readonly ret: number; readonly fields?: Answer['fields'] }>()
  /** Tasks of the model by their number here; they differ for children. */
  private readonly numbers = new Map<number, number>()
  /** Tasks that run another program. */
  private readonly replaced = new Set<number>()

  /** @throws ScenarioError where the set-up is refused */
  constructor(setup: SetupForm, release = setup.profile ?? '6.18') {
    const modules = make_modules(setup.lsm ?? {}, new Map(), 'setup.lsm')
    this.k = make_kernel(new UnhashedStore(), parse_profile(release, 'setup.profile'), modules)
    this.env = boot_setup(this.k, setup, 'setup')
  }

  add_task(number: number, task: PlayTask): void {
    this.numbers.set(number, number)
    make_task(this.k, number, task, this.env, `tasks[${number - 1}]`)
  }

  /** Name of the file system in which the file of a task's descriptor lies; undefined where there is none. */
  filesystem_of(number: number, fd: number): string | undefined {
    const task = this.numbers.get(number)
    if (task === undefined || fd < 0 || !fd_slot.has(this.k, fd_row(task, fd))) return undefined
    const opened = file(this.k, fd_slot(this.k, fd_row(task, fd)).file)
    return super_block(this.k, dentry(this.k, opened.f_dentry).d_sb).s_id
  }

  /**
   * As call, but a call that would sleep, or to which the model has no answer, is not made: nothing has changed.
   *
   * @returns undefined then
   */
  call_without_sleep(form: PlayCall): Answer | undefined {
    const before = this.k.store.mark()
    try {
      const answer = this.call(form)
      if (!answer.blocked) return answer
    } catch (error) {
      if (!(error instanceof NotModelled)) throw error
    }
    this.k.store.undo(before)
    return undefined
  }

  /** Makes one call and answers what it gave. */
  call(form: PlayCall): Answer {
    const task = this.numbers.get(form.task)
    if (task === undefined || task_struct(this.k, task).exit_code !== 0)
      return this.keep(form, { dead: true })
    if (this.replaced.has(task)) return this.keep(form, { exec: true })
    const syscall = syscall_named(form.call)
    if (syscall === undefined) throw new Error(`there is no system call ${form.call}`)
    const buffer = user_buffer(this.k, task)
    buffer.data = ''
    buffer.from = []
    start(this.k, task, syscall.fn, decode_arguments(syscall, this.arguments_of(syscall, form.args ?? [])))
    while (!ended(this.k, task)) {
      if (step(this.k, task) === ASLEEP) return this.keep(form, { blocked: true })
    }
    this.k.store.commit()
    return this.keep(form, this.answer(form, syscall, task, this.k.returned))
  }

  private keep(form: PlayCall, answer: Answer): Answer {
    if (form.as !== undefined) this.results.set(form.as, { ret: answer.ret ?? -1, fields: answer.fields })
    return answer
  }

  private answer(form: PlayCall, syscall: Syscall, task: number, ret: Value): Answer {
    const gives = kind_of_result(syscall, form.args ?? [])
    if (typeof ret === 'number' && ret < 0) {
      if (signal_of(ret) === 0) return { errno: errno_name(ret) }
      if (gives === 'exec') return { dead: true }
      return { signal: errno_name(ret) }
    }
    if (gives === 'never') return { dead: true }
    if (gives === 'exec') {
      this.replaced.add(task)
      return { exec: true }
    }
    if (gives === 'task') {
      this.numbers.set(form.child ?? 0, ret as number)
      return { ret: form.child ?? 0 }
    }
    if (gives === 'struct') {
      const values = ret as readonly number[]
      return { ret: 0, fields: Object.fromEntries(syscall.fields.map((field, i) => [field, values[i]!])) }
    }
    if (gives === 'bytes') return { ret: ret as number, data: user_buffer(this.k, task).data }
    return { ret: ret as number }
  }

  private arguments_of(syscall: Syscall, args: readonly ArgumentForm[]): unknown[] {
    return args.map((arg, i) => (is_ref(arg) ? this.value_of(arg, syscall.params[i]) : arg))
  }

  private value_of(ref: ResultRef, param: Parameter | undefined): unknown {
    const [name, field] = ref.$.split('.')
    const result = this.results.get(name!)
    if (result === undefined) throw new Error(`no earlier call is named ${name}`)
    if (param !== undefined && holds(param) !== 'number') throw new Error(`${param.name} cannot be a result`)
    return field === undefined ? result.ret : (result.fields?.[field] ?? 0)
  }
}

const is_ref = (arg: unknown): arg is ResultRef => typeof arg === 'object' && arg !== null && '$' in arg

/**
 * A play on the model, call by call. Inode numbers of the model are given again when an inode has gone; in
 * these answers each inode has a number of its own, as on a kernel.
 */
export class ModelPlay {
  readonly answers: Answer[] = []
  private readonly machine: ModelMachine
  private readonly numbers = new Map<number, number>()
  private inodes = 0

  /** @throws ScenarioError where the set-up or a task is refused */
  constructor(setup: SetupForm, tasks: readonly PlayTask[], release?: string) {
    this.machine = new ModelMachine(setup, release)
    for (const [i, task] of tasks.entries()) this.machine.add_task(i + 1, task)
  }

  call(form: PlayCall): Answer {
    return this.keep(this.machine.call(form))
  }

  /** As call, but a call that would sleep is not made. @returns undefined then */
  call_without_sleep(form: PlayCall): Answer | undefined {
    const answer = this.machine.call_without_sleep(form)
    return answer && this.keep(answer)
  }

  private keep(given: Answer): Answer {
    const answer = this.renumbered(given)
    this.answers.push(answer)
    return answer
  }

  /** Name of the file system in which the file of a task's descriptor lies; undefined where there is none. */
  filesystem_of(task: number, fd: number): string | undefined {
    return this.machine.filesystem_of(task, fd)
  }

  private renumbered(answer: Answer): Answer {
    const { numbers } = this
    for (const ino of numbers.keys()) if (!inode.has(this.machine.k, ino)) numbers.delete(ino)
    const ino = answer.fields?.st_ino
    // What proc computes has none.
    if (ino === undefined || ino === 0) return answer
    if (!numbers.has(ino)) numbers.set(ino, ++this.inodes)
    return { ...answer, fields: { ...answer.fields, st_ino: numbers.get(ino)! } }
  }
}

/** Plays on the model. @throws ScenarioError where the set-up is refused */
export function play_on_model(play: Play, release?: string): Answer[] {
  const model = new ModelPlay(play.setup, play.tasks, release)
  return play.calls.map((call) => model.call(call))
}

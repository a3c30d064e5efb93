/**
 * The shell's requests on the kernel of this machine: each task is a process of the agent's.
 *
 * Answers have the form of the model's. What a kernel chooses for itself is made the same: inodes and devices
 * are numbered in the order in which they are seen, a directory's size is 0, tasks and mappings get the numbers
 * and addresses that the model would give them.
 */
import { bprm_filename } from '../../exec/execveat.js'
import { decode_argument, decode_arguments, kind_of_result } from '../../kernel/decode.js'
import { type Argument, holds, type Syscall } from '../../kernel/syscall.js'
import { ScenarioError } from '../../scenario/error.js'
import type { ArgumentForm, SetupForm } from '../../scenario/form.js'
import {
  first_child,
  Numbering,
  RequestError,
  type Answer as ShellAnswer,
  type StatFields,
} from '../../shell/answer.js'
import type { Player } from '../../shell/protocol.js'
import type { Completed, TaskSpec } from '../../shell/session.js'
import { DEFAULT_SETUP } from '../../shell/world.js'
import { is_dir } from '../../vfs/inode.js'
import { MAX_RW_COUNT } from '../../vfs/memory/page_cache.js'
import { AT_FDCWD } from '../../vfs/namei/namei.js'
import { MAX_CHILDREN } from '../../vfs/tasks/fork_exit.js'
import { AddressSpace } from './address_space.js'
import type { Agent } from './agent.js'
import { encode_call, encode_setup, encode_task } from './encode.js'
import { type Answer, OracleError, SetupRefused } from './play.js'
import { Shown } from './shown.js'
import { HostRefused } from './stage.js'

/** Numbers of the agent's processes are below this, and no process has the last. */
const MAX_SLOT = 30
const NOBODY = 31
/** Characters of the longest request that the agent reads. */
const MAX_REQUEST = (1 << 20) - 1

interface Process {
  readonly slot: number
  readonly memory: AddressSpace
  state: 'ready' | 'other program' | 'inside'
}

interface Sleeping {
  readonly task: number
  readonly id: unknown
  readonly syscall: Syscall
  readonly made: Made
}

/** A call as it is made: what must be known when it answers. */
interface Made {
  readonly args: readonly unknown[]
  readonly locals: Readonly<Record<string, Argument>>
}

export class KernelPlayer implements Player {
  /** Why nothing more can be played; undefined while it can. */
  lost: OracleError | undefined
  private processes = new Map<number, Process>()
  private ended = new Set<number>()
  private specs: [number, TaskSpec][] = []
  private sleeping: Sleeping[] = []
  private numbers = new Numbering()
  private called = false
  private shown = new Shown({})

  private constructor(private readonly agent: Agent) {}

  /**
   * Builds a world and its tasks on the kernel.
   *
   * @param setup null for the world that a shell starts in
   * @throws SetupRefused where the kernel refuses a part of it
   */
  static async open(
    agent: Agent,
    setup: SetupForm | null,
    tasks: readonly TaskSpec[] = [{ name: 'task 1' }],
  ): Promise<KernelPlayer> {
    const player = new KernelPlayer(agent)
    await player.build(
      setup,
      tasks.map((spec, i) => [i + 1, spec]),
    )
    return player
  }

  private async build(setup: SetupForm | null, specs: readonly [number, TaskSpec][]): Promise<void> {
    if (setup?.lsm !== undefined) throw new RequestError('setup.lsm: a kernel has the modules that it has')
    const lines = told_of(() => encode_setup(setup ?? DEFAULT_SETUP))
    this.shown = told_of(() => new Shown(setup ?? DEFAULT_SETUP))
    await this.converse(lines)
    for (const [task, spec] of specs) await this.spawn(task, spec)
  }

  /** Sends set-up requests, and waits until they have been done. */
  private async converse(lines: readonly string[]): Promise<void> {
    await this.asked(`${lines.join('\n')}\nwait ${NOBODY}\n`)
  }

  private async asked(text: string): Promise<Answer> {
    try {
      return (await this.agent.converse(text, 1))[0]!
    } catch (error) {
      if (error instanceof OracleError) this.lost = error
      if (error instanceof SetupRefused || error instanceof OracleError || error instanceof HostRefused)
        throw new RequestError(error.message)
      throw error
    }
  }

  // --- tasks -----------------------------------------------------------------------------------------------

  private free_slot(): number {
    const taken = new Set([...this.processes.values()].map(({ slot }) => slot))
    for (let slot = 1; slot <= MAX_SLOT; slot++) if (!taken.has(slot)) return slot
    throw new RequestError(`no more than ${MAX_SLOT} tasks at a time on a kernel`)
  }

  private process_of(task: number): Process {
    const found = this.processes.get(task)
    if (found !== undefined) return found
    throw new RequestError(this.ended.has(task) ? `task ${task} has ended` : `there is no task ${task}`)
  }

  async spawn(task: number, spec: TaskSpec): Promise<ShellAnswer> {
    if (this.processes.has(task)) throw new RequestError(`spawn.task: there is a task ${task} already`)
    const slot = this.free_slot()
    try {
      await this.converse([encode_task(slot, spec), ...this.shown.request(slot, task)])
    } catch (error) {
      await this.asked(`kill ${slot}\n`)
      throw error
    }
    this.processes.set(task, { slot, memory: new AddressSpace(), state: 'ready' })
    this.ended.delete(task)
    this.specs.push([task, spec])
    return { ret: task }
  }

  async exit(task: number): Promise<ShellAnswer> {
    const { state } = this.process_of(task)
    if (state === 'inside') throw new RequestError(`exit: task ${task} is inside a call`)
    this.called = true
    await this.end(task)
    return { ret: 0 }
  }

  private async end(task: number): Promise<void> {
    const { slot } = this.process_of(task)
    this.processes.delete(task)
    this.ended.add(task)
    await this.asked(`kill ${slot}\n`)
  }

  async setup(form: SetupForm): Promise<ShellAnswer> {
    if (this.called) throw new RequestError('setup: comes before the first call of any task')
    const specs = this.specs
    await this.agent.request('end\n')
    this.processes = new Map()
    this.specs = []
    await this.build(form, specs)
    return { ret: 0 }
  }

  // --- calls -----------------------------------------------------------------------------------------------

  async call(task: number, syscall: Syscall, args: readonly unknown[], id: unknown): Promise<ShellAnswer> {
    const process = this.process_of(task)
    if (process.state === 'other program')
      throw new RequestError(`task ${task} runs another program since its exec, and takes no more calls`)
    if (process.state === 'inside') throw new RequestError(`task ${task} is inside a call`)
    const locals = decode_arguments(syscall, args) as Made['locals']
    this.called = true
    const made = { args, locals }
    const refused = refused_here(syscall, made)
    if (refused !== null) return { errno: refused }
    if (syscall.returns === 'task') return this.fork(task, process)
    const form = { task: process.slot, call: syscall.name, args: this.arguments_of(process, syscall, made) }
    const request = told_of(() => encode_call(this.shown.call(form, task), new Map()))
    if (request.length > MAX_REQUEST)
      throw new RequestError('the arguments are too long for a call on a kernel')
    const answer = await this.asked(`${request}\n`)
    if (answer.blocked) {
      process.state = 'inside'
      this.sleeping.push({ task, id, syscall, made })
      return { blocked: true }
    }
    return this.told(task, syscall, made, answer)
  }

  private async fork(task: number, parent: Process): Promise<ShellAnswer> {
    const first = first_child(task)
    let child = first
    while (child < first + MAX_CHILDREN && this.processes.has(child)) child++
    if (child === first + MAX_CHILDREN || child >= 1 << 13) return { errno: 'EAGAIN' }
    const slot = this.free_slot()
    const answer = await this.asked(`call ${parent.slot} fork ${slot}\n`)
    if (answer.errno !== undefined) return { errno: answer.errno }
    this.processes.set(child, { slot, memory: parent.memory.copy(), state: 'ready' })
    const lines = this.shown.request(slot, child)
    if (lines.length > 0) await this.converse(lines)
    this.ended.delete(child)
    return { ret: child }
  }

  /** Arguments as the agent takes them. */
  private arguments_of(process: Process, syscall: Syscall, { args, locals }: Made): ArgumentForm[] {
    const sent = syscall.params.map((param, i) => {
      const given = args[i] as ArgumentForm
      if (holds(param) !== 'number' || given === undefined) return given
      return decode_argument(param, given) as number
    })
    if (syscall.returns !== 'address') return sent.slice(0, args.length)
    process.memory.place(sent, locals)
    return sent
  }

  async completed(): Promise<readonly Completed[]> {
    const done: Completed[] = []
    for (const call of [...this.sleeping].sort((a, b) => a.task - b.task)) {
      const process = this.processes.get(call.task)
      if (process === undefined) continue
      const answer = await this.asked(`wait ${process.slot}\n`)
      if (answer.blocked) continue
      this.sleeping = this.sleeping.filter((each) => each !== call)
      process.state = 'ready'
      const { task, id, syscall } = call
      done.push({
        call: { task, id, syscall, exec: null, held: false },
        answer: await this.told(task, syscall, call.made, answer),
      })
    }
    return done
  }

  // --- answers ---------------------------------------------------------------------------------------------

  private async told(task: number, syscall: Syscall, made: Made, answer: Answer): Promise<ShellAnswer> {
    const { ret, errno, signal, data, fields } = answer
    if (errno !== undefined) return { errno }
    if (signal !== undefined) return { signal }
    if (answer.exec) {
      this.process_of(task).state = 'other program'
      return {
        exec: bprm_filename((made.locals.dfd as number | undefined) ?? AT_FDCWD, made.locals.name as string),
      }
    }
    if (answer.dead) {
      await this.end(task)
      // An exec that fails past the point of no return: fs/exec.c: bprm_execve forces SIGSEGV.
      return kind_of_result(syscall, made.args) === 'exec' ? { signal: 'SIGSEGV' } : { ret: 0 }
    }
    this.process_of(task).memory.note(syscall.name, made.locals, ret!)
    if (fields !== undefined) return { ret: 0, stat: this.stat(fields) }
    return data === undefined ? { ret: ret! } : { ret: ret!, data }
  }

  private stat(fields: Readonly<Record<string, number>>): StatFields {
    const { st_dev = 0, st_ino = 0, st_mode = 0, st_size = 0 } = fields
    return {
      ...fields,
      st_dev: this.numbers.device(st_dev),
      st_ino: this.numbers.inode(st_dev, st_ino),
      // Each file system decides for itself what the size of a directory is.
      st_size: is_dir(st_mode) ? 0 : st_size,
    }
  }

  /** Takes everything down. */
  close(): void {
    this.agent.close()
  }
}

/** What would reach the host is told to who asked for it. @throws RequestError */
function told_of<T>(encode: () => T): T {
  try {
    return encode()
  } catch (error) {
    if (error instanceof ScenarioError) throw new RequestError(error.message)
    throw error
  }
}

/** What is not asked of a kernel: memory that our buffer has no room for. */
function refused_here({ name }: Syscall, { locals }: Made): string | null {
  if (name === 'peek') {
    const length = locals.length as number
    return length < 0 || length > MAX_RW_COUNT ? 'EINVAL' : null
  }
  return null
}

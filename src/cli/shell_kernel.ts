/** `shell --kernel` and `shell --both`: the calls go to the kernel of this machine, alone or beside the model. */
import type { Syscall } from '../kernel/syscall.js'
import { Agent } from '../oracle/agent/agent.js'
import { OracleError } from '../oracle/agent/play.js'
import { KernelPlayer } from '../oracle/agent/player.js'
import type { SetupForm } from '../scenario/form.js'
import { type Answer, RequestError } from '../shell/answer.js'
import { type Console, type Played, parse_spawn } from '../shell/console.js'
import type { Player } from '../shell/protocol.js'
import { render_call, render_result } from '../shell/render.js'
import type { Completed, Session, TaskSpec } from '../shell/session.js'
import { looks_like_call, parse_call } from '../shell/syntax.js'
import { LoadError } from './errors.js'

/**
 * Starts a kernel's side.
 *
 * @returns why nothing can be played here, where nothing can
 * @throws LoadError where the kernel refuses the set-up
 */
export async function open_kernel(
  setup: SetupForm | null,
  tasks: readonly TaskSpec[] | undefined,
): Promise<KernelPlayer | string> {
  let agent: Agent
  try {
    agent = await Agent.start()
  } catch (error) {
    if (error instanceof OracleError) return error.message
    throw error
  }
  try {
    return await KernelPlayer.open(agent, setup, tasks)
  } catch (error) {
    agent.close()
    if (error instanceof RequestError) throw new LoadError(`the kernel refuses the set-up: ${error.message}`)
    throw error
  }
}

/** Whether model and kernel say the same. */
export function agree(model: Answer, kernel: Answer): boolean {
  return JSON.stringify(model) === JSON.stringify(kernel)
}

/** Plays everything on both, the model first. */
export class BothPlayer implements Player {
  /** The first answers that were not the same; nothing is compared after that. */
  difference: string | null = null

  constructor(
    private readonly session: Session,
    private readonly kernel: KernelPlayer,
  ) {}

  private async both(what: string, model: Answer, kernel: Promise<Answer>): Promise<Answer> {
    try {
      const theirs = await kernel
      if (!agree(model, theirs)) this.difference ??= what
      return { ...model, kernel: theirs }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.difference ??= `${what}: ${error.message}`
      throw new RequestError(`the kernel: ${error.message}`)
    }
  }

  spawn(task: number, spec: TaskSpec): Promise<Answer> {
    return this.both('spawn', this.session.spawn(task, spec), this.kernel.spawn(task, spec))
  }

  exit(task: number): Promise<Answer> {
    return this.both('exit', this.session.exit(task), this.kernel.exit(task))
  }

  setup(form: SetupForm): Promise<Answer> {
    return this.both('setup', this.session.setup(form), this.kernel.setup(form))
  }

  call(task: number, syscall: Syscall, args: readonly unknown[], id: unknown): Promise<Answer> {
    return this.both(
      syscall.name,
      this.session.call(task, syscall, args, id),
      this.kernel.call(task, syscall, args, id),
    )
  }

  async completed(): Promise<readonly Completed[]> {
    const model = this.session.completed()
    const kernel = await this.kernel.completed()
    if (model.length !== kernel.length) this.difference ??= 'a call that slept'
    return model.map((each) => {
      const theirs = kernel.find(({ call }) => call.task === each.call.task)
      if (theirs === undefined || 'error' in theirs.answer || 'error' in each.answer) return each
      if (!agree(each.answer, theirs.answer)) this.difference ??= each.call.syscall.name
      return { call: each.call, answer: { ...each.answer, kernel: theirs.answer } }
    })
  }
}

// --- for people ----------------------------------------------------------------------------------------------

const only_model = 'a kernel does not show its state; "shell" and "shell --both" do'

/** Lines typed at the kernel alone. */
export class KernelConsole {
  private current = 1

  constructor(private readonly kernel: KernelPlayer) {}

  /** @returns what to show; null where the line ends the shell */
  async line(text: string): Promise<readonly string[] | null> {
    const line = text.trim()
    if (line === '' || line.startsWith('#')) return []
    if (/^(quit|q)$/.test(line)) return null
    try {
      if (looks_like_call(line)) return await this.call(line)
      return await this.command(line)
    } catch (error) {
      return [`error: ${(error as Error).message}`]
    }
  }

  private async call(line: string): Promise<readonly string[]> {
    const { task, syscall, args } = parse_call(line)
    const who = task ?? this.current
    const answer = await this.kernel.call(who, syscall, args, { syscall, args })
    return [
      `${who === this.current ? '' : `${who}: `}${shown(syscall, args, answer)}`,
      ...(await this.later()),
    ]
  }

  private async later(): Promise<string[]> {
    return (await this.kernel.completed()).map(({ call, answer }) => {
      const { args } = call.id as { args: readonly unknown[] }
      return `${call.task}: ${'error' in answer ? answer.error : shown(call.syscall, args, answer)}`
    })
  }

  private async command(line: string): Promise<readonly string[]> {
    const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(line)!
    switch (word) {
      case 'help':
        return ['calls as in C, "spawn 2 uid=1000", "task 2", "end 2", "quit"']
      case 'spawn': {
        const { ret } = await this.kernel.spawn(...parse_spawn(rest))
        return [`task ${ret} is there`]
      }
      case 'end':
        await this.kernel.exit(Number(rest))
        return [`task ${Number(rest)} has ended`]
      case 'task':
        if (!/^\d+$/.test(rest)) throw new RequestError('task: expected the number of a task')
        this.current = Number(rest)
        return [`task ${this.current} makes the calls now`]
      default:
        throw new RequestError(`${word.slice(0, 64)}: ${only_model}`)
    }
  }
}

const shown = (syscall: Syscall, args: readonly unknown[], answer: Answer): string =>
  `${render_call(syscall, args, answer)} ${render_result(answer, '')}`

/** What cannot be done on a kernel too. */
const model_only = /^(undo|redo|begin|step|finish)\b/

/** Lines typed at both: what the model shows, and below what the kernel says. */
export class BothConsole {
  difference: string | null = null

  constructor(
    private readonly console: Console,
    private readonly kernel: KernelPlayer,
  ) {}

  async line(text: string): Promise<readonly string[] | null> {
    if (model_only.test(text.trim()))
      return [`error: ${text.trim().split(/\s/)[0]} cannot be done on a kernel`]
    const lines = this.console.line(text)
    if (lines === null) return null
    const more: string[] = []
    for (const each of this.console.played) more.push(...(await this.same(each)))
    return [...lines, ...more]
  }

  private async same(played: Played): Promise<string[]> {
    try {
      if ('spawn' in played) await this.kernel.spawn(...played.spawn)
      else if ('end' in played) await this.kernel.exit(played.end)
      else return await this.same_call(played)
      return []
    } catch (error) {
      this.difference ??= (error as Error).message
      return [`  kernel: ${(error as Error).message}`]
    }
  }

  private async same_call({
    task,
    syscall,
    args,
    answer,
  }: Extract<Played, { syscall: Syscall }>): Promise<string[]> {
    const theirs = await this.kernel.call(task, syscall, args, null)
    const lines = [`  kernel: ${shown(syscall, args, theirs)}`]
    if (agree(answer, theirs)) return lines
    this.difference ??= syscall.name
    return [...lines, '  they differ']
  }
}

/**
 * A log of strace played at a session: which task stands for which process, and which numbers of the model stand
 * for those that the kernel of the log has given.
 */
import type { Parameter } from '../kernel/syscall.js'
import { RequestError } from './answer.js'
import type { LoggedCall, LogLine } from './strace_log.js'
import type { TypedCall } from './syntax.js'

/** Numbers of one process. */
interface Numbers {
  readonly fds: Map<number, number>
  /** Descriptors that a call gave which was not played. */
  readonly unknown: Set<number>
  readonly maps: { readonly from: number; readonly length: number; readonly here: number }[]
}

const copy_of = (numbers: Numbers | undefined): Numbers => ({
  fds: new Map(numbers?.fds),
  unknown: new Set(numbers?.unknown),
  maps: [...(numbers?.maps ?? [])],
})

const is_fd = ({ kind }: Parameter): boolean => kind === 'fd' || kind === 'dirfd'

export class ReplayedLog {
  private readonly tasks: Map<number | null, number>
  private readonly numbers = new Map<number | null, Numbers>()

  constructor(from?: ReplayedLog) {
    this.tasks = new Map(from?.tasks)
    for (const [pid, numbers] of from?.numbers ?? []) this.numbers.set(pid, copy_of(numbers))
  }

  /** The task of a process; undefined for one that has not been met. */
  task_of(pid: number | null): number | undefined {
    return this.tasks.get(pid)
  }

  /** The highest number that stands for a process, also for one that has ended; 0 where none does. */
  get last_task(): number {
    return Math.max(0, ...this.tasks.values())
  }

  meets(pid: number | null, task: number, parent?: number | null): void {
    this.tasks.set(pid, task)
    this.numbers.set(pid, copy_of(parent === undefined ? undefined : this.numbers.get(parent)))
  }

  get is_empty(): boolean {
    return this.tasks.size === 0
  }

  /** A call that was not played has given this number: perhaps a descriptor. */
  note_skipped({ pid, gives }: Extract<LogLine, { skipped: string }>): void {
    if (gives === undefined || gives < 3) return
    const of = this.numbers.get(pid)
    of?.unknown.add(gives)
    of?.fds.delete(gives)
  }

  /** The arguments with the model's numbers. @throws RequestError where one comes from a call that was not played */
  translated(logged: LoggedCall, { syscall, args }: TypedCall): readonly unknown[] {
    const of = this.numbers.get(logged.pid)!
    return args.map((arg, i) => {
      const param = syscall.params[i]!
      const number = typeof arg === 'string' && /^(\d+|0x[0-9a-f]+)$/.test(arg) ? Number(arg) : undefined
      if (number === undefined) return arg
      if (is_fd(param)) return descriptor(of, number)
      return param.kind === 'address' && number !== 0 ? address(of, number) : arg
    })
  }

  /** What the log and the model have returned: the one stands for the other from now on. */
  note_result(
    { pid, syscall, returned }: LoggedCall,
    args: readonly unknown[],
    here: number | undefined,
  ): void {
    const of = this.numbers.get(pid)!
    if (typeof returned !== 'number' || returned < 0) return
    if (syscall.returns === 'fd') {
      if (here === undefined) of.unknown.add(returned)
      else {
        of.fds.set(returned, here)
        of.unknown.delete(returned)
      }
    } else if (syscall.returns === 'address' && here !== undefined)
      of.maps.push({ from: returned, length: Number(args[1]), here })
  }
}

function descriptor({ fds, unknown }: Numbers, fd: number): number {
  if (unknown.has(fd)) throw new RequestError(`descriptor ${fd} comes from a call that was not played`)
  return fds.get(fd) ?? fd
}

function address({ maps }: Numbers, at: number): number {
  const found = maps.findLast(({ from, length }) => at >= from && at < from + length)
  if (found === undefined)
    throw new RequestError(`address 0x${at.toString(16)} is of no mapping that was played`)
  return found.here + at - found.from
}

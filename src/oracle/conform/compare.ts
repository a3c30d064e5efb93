/** Where the answers of a model and of a kernel differ. */
import { syscall_named } from '../../kernel/syscall.js'
import '../../model.js'
import type { Answer, Play } from '../agent/play.js'

export interface Difference {
  /** Number of the call, from 0. */
  readonly call: number
  /** What differs: `result`, `data`, or the name of a field. */
  readonly what: string
  readonly model: Answer
  readonly kernel: Answer
}

/** Numbers of devices and inodes are compared as identities. */
const identity_fields = new Set(['st_dev', 'st_ino'])
const S_IFMT = 0o170000
const S_IFDIR = 0o040000

/** Whether a field need not agree. */
function may_differ(name: string, { st_mode = 0 }: Readonly<Record<string, number>>): boolean {
  // What a directory's size is, each file system decides for itself.
  if (name === 'st_size') return (st_mode & S_IFMT) === S_IFDIR
  return identity_fields.has(name)
}

/** Which files are the same: the first number that a file got at either side, by pair of numbers. */
class Identities {
  private readonly kernel_of = new Map<string, string>()
  private readonly model_of = new Map<string, string>()

  /** Whether these two may be one file, after all that was seen before. */
  agree(model: string, kernel: string): boolean {
    const known_kernel = this.kernel_of.get(model)
    const known_model = this.model_of.get(kernel)
    if (known_kernel === undefined && known_model === undefined) {
      this.kernel_of.set(model, kernel)
      this.model_of.set(kernel, model)
      return true
    }
    return known_kernel === kernel && known_model === model
  }
}

/** How a call ended: its result, or what came instead. */
function outcome(answer: Answer): string {
  const { ret, errno, signal, exec, dead, blocked } = answer
  if (errno !== undefined) return errno
  if (signal !== undefined) return signal
  return exec ? 'exec' : dead ? 'dead' : blocked ? 'blocked' : String(ret)
}

const MAP_FIXED = 0x10

/** Whether a call's result is an address that each machine chooses for itself. */
function chooses_address(call: Play['calls'][number]): boolean {
  const syscall = syscall_named(call.call)
  if (syscall?.returns !== 'address') return false
  const flags = call.args?.[syscall.params.findIndex(({ constants = {} }) => 'MAP_FIXED' in constants)]
  return typeof flags === 'string' ? !flags.includes('MAP_FIXED') : (Number(flags) & MAP_FIXED) === 0
}

function compare_fields(model: Answer, kernel: Answer, same: Identities): string | undefined {
  const a = model.fields!
  const b = kernel.fields!
  for (const name of Object.keys(b)) {
    if (a[name] !== b[name] && !may_differ(name, b)) return name
  }
  if (!same.agree(`device ${a.st_dev}`, `device ${b.st_dev}`)) return 'st_dev'
  const agree = same.agree(`${a.st_dev}:${a.st_ino}`, `${b.st_dev}:${b.st_ino}`)
  return agree ? undefined : 'st_ino'
}

/** The first difference of each call that has one. Both lists have an answer for each call. */
export function compare(play: Play, model: readonly Answer[], kernel: readonly Answer[]): Difference[] {
  const differences: Difference[] = []
  const same = new Identities()
  for (const [i, call] of play.calls.entries()) {
    const [m, k] = [model[i]!, kernel[i]!]
    let what: string | undefined
    const both_succeed = m.ret !== undefined && k.ret !== undefined
    if (outcome(m) !== outcome(k) && !(both_succeed && chooses_address(call))) what = 'result'
    else if ((m.data ?? '') !== (k.data ?? '')) what = 'data'
    else if (k.fields !== undefined && m.fields !== undefined) what = compare_fields(m, k, same)
    if (what !== undefined) differences.push({ call: i, what, model: m, kernel: k })
  }
  return differences
}

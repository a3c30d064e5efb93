/**
 * What a run means, worked out a second time: `check-use`, `policy` and `never`, from the scenario's own form and
 * from what can be seen of a run. It shares no code with the monitors (src/scenario/monitor.ts, properties.ts) and
 * looks at none of their tables. It knows the program as it is written, the results of calls, and the kernel's
 * tables as they stand when a check is decided.
 */
import { type Listener, replay } from '../../src/explore/replay.js'
import type { Schedule } from '../../src/explore/system.js'
import { errno_value } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { PlainRow, Snapshot } from '../../src/kernel/footprint.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import type { CaseSystem } from '../../src/scenario/case_system.js'
import type {
  CallForm,
  CaseForm,
  ConditionForm,
  OpForm,
  OutcomeForm,
  PieceForm,
  UseForm,
} from '../../src/scenario/form.js'

const PAGE = 4096

interface Result {
  readonly ret: number
  readonly data: string
  /** (inode, length) of each run of bytes. */
  readonly from: readonly number[]
  readonly at: number
}

/** One task on its way through its program. */
interface Walker {
  /** Index of its program in the case. */
  readonly program: number
  readonly ops: Iterator<CallForm>
  readonly results: Map<string, Result>
  /** What the last call of each name judged, where that call said yes. */
  readonly approved: Map<string, string>
  /** Inodes of which it was given bytes when the policy did not approve of them. */
  readonly unfit: Set<number>
  readonly call: { now: CallForm | undefined; judged: string | undefined }
}

const is_call = (op: OpForm): op is CallForm => 'call' in op

/** Every operation of a program, those of branches, loops and children too. */
function* every(ops: readonly OpForm[]): Generator<OpForm> {
  for (const op of ops) {
    yield op
    if ('if' in op) yield* every([...op.then, ...(op.else ?? [])])
    if ('repeat' in op) yield* every(op.body)
    if (is_call(op) && op.child !== undefined) yield* every(op.child)
  }
}

const pieces_of = (use: UseForm) => (typeof use.use === 'string' ? [use.use] : use.use)
const piece_name = (piece: string | { readonly of: string }) => (typeof piece === 'string' ? piece : piece.of)

/** What a piece of a use gave, where it stands; nothing where the program did not come to it. */
function taken_of(piece: PieceForm | string, results: ReadonlyMap<string, Result>) {
  const result = results.get(piece_name(piece))
  const at = typeof piece === 'string' ? undefined : piece.at
  return result === undefined ? [] : [{ ...result, at: at ?? (result.at < 0 ? undefined : result.at) }]
}

/** The moves of one run, and which properties are broken when it ends. */
export class RunOracle {
  readonly broken = new Set<string>()
  private readonly walkers = new Map<number, Walker>()
  /** The inode of the file that a task last asked the kernel to run. */
  private readonly asked = new Map<number, number>()
  /** Of tasks that run another program: what it was when the kernel said yes. */
  private readonly programs = new Map<number, readonly string[]>()
  /** `task.result` and what it was, for all calls of the run. */
  private readonly history = new Set<string>()
  private readonly rules: readonly Rule[] | null

  constructor(
    private readonly form: CaseForm,
    private readonly system: CaseSystem,
  ) {
    const text = form.setup?.lsm?.ipe?.policy
    this.rules = text === undefined || !this.watches('policy') ? null : rules_of(text)
  }

  /** @returns names of the properties that the run breaks, sorted */
  judge(schedule: Schedule): readonly string[] {
    this.form.tasks.forEach((task, i) => {
      this.start(
        i + 1,
        { program: i, results: new Map(), approved: new Map(), unfit: new Set() },
        task.program,
      )
    })
    replay(this.system, new FastStore(), schedule, this.listener())
    for (const property of this.form.properties ?? [])
      if (typeof property === 'object' && 'never' in property && this.happened(property.never))
        this.broken.add(property.name ?? name_of(property.never))
    return [...this.broken].sort()
  }

  private listener(): Listener {
    return {
      before: (k, { task }) => {
        k.events = []
        const walker = this.walkers.get(task)
        const frame = k.store.top(task)
        const step = frame.fn.steps[frame.stage]
        const decides = step?.kind === 'stage' && step.name === 'security_bprm_creds_for_exec'
        if (walker !== undefined && decides && frame.fn.name === 'bprm_execve') {
          const opened = Number((frame as unknown as PlainRow).file)
          walker.call.judged = data_of(k.store.snapshot(), opened)
          this.asked.set(task, Number(row_of(k.store.snapshot(), 'file', opened).f_inode))
        }
        if (step?.name === 'exit_mm') this.runs(k, task)
      },
      after: (k, { task }, _index, events) => {
        this.note_unfit(k, task)
        if (k.store.depth(task) > 0) this.look_for_program(k, task)
        for (const { kind } of events) if (kind === 'return') this.returned(k, task)
      },
    }
  }

  private start(
    task: number,
    memory: Pick<Walker, 'program' | 'results' | 'approved' | 'unfit'>,
    ops: readonly OpForm[],
  ): void {
    const walker: Walker = {
      ...memory,
      ops: this.walk(task, ops),
      call: { now: undefined, judged: undefined },
    }
    this.walkers.set(task, walker)
    this.go_on(walker)
  }

  private go_on(walker: Walker): void {
    const next = walker.ops.next()
    walker.call.now = next.done === true ? undefined : next.value
    walker.call.judged = undefined
  }

  /** The calls that a task makes, one after the other; what stands between them happens on the way. */
  private *walk(task: number, ops: readonly OpForm[]): Generator<CallForm, boolean> {
    for (const op of ops) {
      if (is_call(op)) yield op
      else if ('use' in op) this.use(task, op)
      else if ('repeat' in op) {
        for (let i = 0; i < op.repeat; i++) if (yield* this.walk(task, op.body)) return true
      } else if ('if' in op) {
        const result = this.walkers.get(task)!.results.get(op.if.result)
        const taken = result !== undefined && holds(op.if, result.ret)
        if (yield* this.walk(task, taken ? op.then : (op.else ?? []))) return true
      } else return true
    }
    return false
  }

  private returned(k: Kernel, task: number): void {
    const walker = this.walkers.get(task)
    const call = walker?.call.now
    if (walker === undefined || call === undefined) return
    const name = call.as!
    const result = this.result(k, task, walker, name)
    walker.results.set(name, result)
    this.judge_objects(k, walker, result.from)
    this.history.add(`${this.form.tasks[walker.program]!.name}.${name}=${result.ret}`)
    const { judged } = walker.call
    if (result.ret >= 0 && judged !== undefined) walker.approved.set(name, judged)
    else walker.approved.delete(name)
    if (is_signal(result.ret)) this.killed(walker, name)
    if (result.ret > 0 && call.call === 'fork') this.forked(walker, result.ret, call)
    if (is_signal(result.ret) || (result.ret < 0 && call.on_error !== 'continue')) this.walkers.delete(task)
    else if (this.programs.has(task)) this.walkers.delete(task)
    else this.go_on(walker)
  }

  // --- real execs ------------------------------------------------------------------------------------

  /** A program was mapped: what it holds now, and what it held when the kernel said yes, must be the same. */
  private look_for_program(k: Kernel, task: number): void {
    const walker = this.walkers.get(task)
    if (walker?.call.judged === undefined || this.programs.has(task)) return
    const ino = program_of(k.store.snapshot(), task)
    if (ino === undefined) return
    this.programs.set(task, [walker.call.judged])
    this.runs(k, task)
    if (this.is_asked_for(k.store.snapshot(), task)) this.judge_own_looks(walker, k.store.snapshot(), ino)
  }

  private runs(k: Kernel, task: number): void {
    const judged = this.programs.get(task)
    const snapshot = k.store.snapshot()
    const ino = judged === undefined ? undefined : program_of(snapshot, task)
    if (judged === undefined || ino === undefined) return
    if (this.is_asked_for(snapshot, task) && judged.some((each) => each !== bytes_of(snapshot, ino)))
      this.break_rule('check-use')
    if (this.rules !== null && !approves(this.rules, snapshot, ino)) this.break_rule('policy')
  }

  /** The program is of the very file that was named, and not of a script's interpreter. */
  private is_asked_for(snapshot: Snapshot, task: number): boolean {
    return row_of(snapshot, 'mm_struct', mm_of(snapshot, task)).exe_file === this.asked.get(task)
  }

  /** What the program has read of the same thing that it runs, and takes for good on nobody's word. */
  private judge_own_looks(walker: Walker, snapshot: Snapshot, ino: number): void {
    const ops = [...every(this.form.tasks[walker.program]!.program)]
    const of_program = this.names_of_program(ops.filter(is_call), walker.call.now!)
    for (const op of ops) {
      if (!('use' in op) || op.relies !== undefined) continue
      const seen = pieces_of(op)
        .filter((piece) => of_program.has(piece_name(piece)))
        .flatMap((piece) => taken_of(piece, walker.results))
        .filter(({ ret }) => ret >= 0)
      if (seen.length > 0 && !same(seen, bytes_of(snapshot, ino), op.part ?? false))
        this.break_rule('check-use')
    }
  }

  /** Names of the calls that read what this exec runs: by its descriptor or a copy of it, or by its path. */
  private names_of_program(calls: readonly CallForm[], exec: CallForm): ReadonlySet<string> {
    const name = (arg: unknown) => (arg as { $?: string } | null | undefined)?.$
    const first_is_fd = /^(dup|fcntl)/
    const root = (fd: string | undefined): string | undefined => {
      const made = calls.find(({ as, call }) => as === fd && first_is_fd.test(call))
      return made === undefined || name(made.args![0]) === undefined ? fd : root(name(made.args![0]))
    }
    const [dirfd, path] = exec.call === 'execve' ? [undefined, exec.args![0]] : exec.args!
    const mapped = (address: string | undefined) =>
      calls.find(({ as, call }) => as === address && call === 'mmap')?.args?.[4]
    const opened_here = (fd: string) =>
      calls.some(({ as, call, args }) => as === fd && args![call === 'openat' ? 1 : 0] === path)
    const reads = calls.filter(({ call, args }) => {
      const fd = root(name(call === 'peek' ? mapped(name(args?.[0])) : args?.[0]))
      return fd !== undefined && (path === '' ? root(name(dirfd)) === fd : opened_here(fd))
    })
    return new Set(reads.map(({ as }) => as!))
  }

  private result(k: Kernel, task: number, { program }: Walker, name: string): Result {
    const slot = this.system.code.programs[program]!.slots.indexOf(name)
    const row = k.store.snapshot().tables.result![`${task}:${slot}`]!
    return {
      ret: Number(row.ret),
      data: String(row.data),
      from: row.from as readonly number[],
      at: Number(row.at),
    }
  }

  /** The child has its parent's memory, and of the fork it sees 0. */
  private forked(parent: Walker, child: number, call: CallForm): void {
    const results = new Map(parent.results).set(call.as!, { ret: 0, data: '', from: [], at: -1 })
    this.history.add(`${this.form.tasks[parent.program]!.name}.${call.as}=0`)
    const { program, approved, unfit } = parent
    const memory = { program, results, approved: new Map(approved), unfit: new Set(unfit) }
    this.start(child, memory, call.child ?? [])
  }

  // --- check-use and policy --------------------------------------------------------------------------

  private use(task: number, use: UseForm): void {
    const { results, approved } = this.walkers.get(task)!
    const taken = pieces_of(use).flatMap((piece) => taken_of(piece, results))
    if (use.relies !== undefined && !same(taken, approved.get(use.relies), use.part ?? false))
      this.break_rule('check-use')
    const { unfit } = this.walkers.get(task)!
    const objects = taken.flatMap(({ from }) => from.filter((_, i) => i % 2 === 0 && from[i + 1]! > 0))
    if (objects.some((ino) => unfit.has(ino))) this.break_rule('policy')
  }

  /** Whose bytes the task has been given by the end of this step, and whether the policy approves of that file now. */
  private note_unfit(k: Kernel, task: number): void {
    if (this.rules === null || !this.walkers.has(task)) return
    const from = k.store.snapshot().tables.user_buffer?.[task]?.from ?? []
    this.judge_objects(k, this.walkers.get(task)!, from as readonly number[])
  }

  private judge_objects(k: Kernel, { unfit }: Walker, from: readonly number[]): void {
    if (this.rules === null) return
    const snapshot = k.store.snapshot()
    for (let i = 0; i < from.length; i += 2)
      if (from[i] !== 0 && !approves(this.rules, snapshot, from[i]!)) unfit.add(from[i]!)
  }

  /** It died of a fault in a call whose bytes it would have used on the strength of an approval. */
  private killed({ program, approved }: Walker, name: string): void {
    for (const op of every(this.form.tasks[program]!.program)) {
      if (!('use' in op) || op.relies === undefined || !approved.has(op.relies)) continue
      if (pieces_of(op).some((piece) => piece_name(piece) === name)) this.break_rule('check-use')
    }
  }

  private watches(property: 'check-use' | 'policy'): boolean {
    return property === 'check-use' || (this.form.properties ?? []).includes(property)
  }

  private break_rule(property: 'check-use' | 'policy'): void {
    if (this.watches(property)) this.broken.add(property)
  }

  private happened(outcome: OutcomeForm): boolean {
    return Object.entries(outcome).every(([name, value]) =>
      [...this.history].some((each) => {
        const cut = each.lastIndexOf('=')
        return each.slice(0, cut) === name && meets(value, Number(each.slice(cut + 1)))
      }),
    )
  }
}

// --- results -----------------------------------------------------------------------------------------------

/** A signal that ended the task in the middle of a call: no errno is that large. */
const is_signal = (ret: number): boolean => ret < -4095

function holds({ ok, failed, errno, equals }: ConditionForm, ret: number): boolean {
  if (ok !== undefined) return ret >= 0
  if (failed !== undefined) return ret < 0
  if (errno !== undefined) return ret === errno_value(errno)
  return ret === equals
}

function meets(wanted: string | number, ret: number): boolean {
  if (wanted === 'ok') return ret >= 0
  if (wanted === 'failed') return ret < 0
  return ret === (typeof wanted === 'number' ? wanted : errno_value(wanted))
}

const name_of = (never: OutcomeForm): string =>
  `never ${Object.entries(never)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`

/** Whether pieces, laid where they stand in the file, are what was judged: all of it, or a part where that is known. */
function same(
  pieces: readonly { readonly data: string; readonly at: number | undefined }[],
  judged: string | undefined,
  part: boolean,
): boolean {
  if (judged === undefined) return false
  let begin: number | undefined
  let bytes = ''
  for (const { data, at } of pieces) {
    const place = at ?? (begin === undefined ? 0 : begin + bytes.length)
    begin ??= place
    if (place !== begin + bytes.length) return false
    bytes += data
  }
  begin ??= 0
  return part ? judged.slice(begin, begin + bytes.length) === bytes : begin === 0 && judged === bytes
}

// --- the kernel's tables -----------------------------------------------------------------------------------

const row_of = (snapshot: Snapshot, table: string, id: number): PlainRow => snapshot.tables[table]![id]!

/** The bytes behind an open file: those of the upper copy where an overlay has one, else of the topmost lower. */
function data_of(snapshot: Snapshot, file: number): string {
  let ino = Number(row_of(snapshot, 'dentry', Number(row_of(snapshot, 'file', file).f_dentry)).d_inode)
  for (;;) {
    const stacked = snapshot.tables.ovl_inode?.[ino]
    if (stacked === undefined) break
    ino = Number(stacked.upper) === 0 ? Number(stacked.lower) : Number(stacked.upper)
  }
  return bytes_of(snapshot, ino)
}

const mm_of = (snapshot: Snapshot, task: number): number => Number(row_of(snapshot, 'task_struct', task).mm)

/** The inode whose bytes a task runs; undefined where it runs the program that it began with. */
function program_of(snapshot: Snapshot, task: number): number | undefined {
  const mm = mm_of(snapshot, task)
  if (mm === 0 || Number(row_of(snapshot, 'mm_struct', mm).exe_file) === 0) return undefined
  const areas = Object.values(snapshot.tables.vm_area ?? {})
  const program = areas.find((area) => area.vm_mm === mm && Number(area.vm_file) !== 0)
  return program === undefined ? undefined : Number(row_of(snapshot, 'file', Number(program.vm_file)).f_inode)
}

function bytes_of(snapshot: Snapshot, ino: number): string {
  const size = Number(row_of(snapshot, 'inode', ino).i_size)
  const bytes = new Array<string>(size).fill('\0')
  for (const row of Object.values(snapshot.tables.page ?? {})) {
    if (Number(row.mapping) !== ino) continue
    const data = String(row.data)
    for (let i = 0; i < data.length; i++) bytes[Number(row.index) * PAGE + i] = data[i]!
  }
  return bytes.slice(0, size).join('')
}

// --- a policy, as far as the random ones go ----------------------------------------------------------------

interface Rule {
  readonly fallback: boolean
  readonly conditions: readonly (readonly [string, string])[]
  readonly allow: boolean
}

/** Rules that speak about EXECUTE, the ones for when no other fits behind them. */
function rules_of(policy: string): readonly Rule[] {
  const rules: Rule[] = []
  const everything: Rule[] = []
  for (const line of policy.split('\n').slice(1)) {
    const words = line.split(' ').filter((word) => word !== '' && word !== 'DEFAULT')
    if (words.length === 0) continue
    const pairs = words.map((word) => word.split('=') as [string, string])
    const of = pairs.find(([key]) => key === 'op')?.[1]
    const rule: Rule = {
      fallback: line.startsWith('DEFAULT'),
      conditions: pairs.filter(([key]) => key !== 'op' && key !== 'action'),
      allow: pairs.some(([key, value]) => key === 'action' && value === 'ALLOW'),
    }
    if (of === 'EXECUTE') rules.push(rule)
    else if (of === undefined && rule.fallback) everything.push(rule)
  }
  return [
    ...rules.filter(({ fallback }) => !fallback),
    ...rules.filter(({ fallback }) => fallback),
    ...everything,
  ]
}

function approves(rules: readonly Rule[], snapshot: Snapshot, ino: number): boolean {
  const node = row_of(snapshot, 'inode', ino)
  const sb = row_of(snapshot, 'super_block', Number(node.i_sb))
  const device = Number(sb.s_bdev) === 0 ? undefined : row_of(snapshot, 'block_device', Number(sb.s_bdev))
  const facts: Record<string, string> = {
    boot_verified: Number(sb.s_initramfs) === 1 ? 'TRUE' : 'FALSE',
    dmverity_signature: Number(device?.roothash_signed ?? 0) === 1 ? 'TRUE' : 'FALSE',
    dmverity_roothash: String(device?.roothash ?? ''),
    fsverity_signature: Number(node.verity_signed) === 1 ? 'TRUE' : 'FALSE',
    fsverity_digest: String(node.verity_digest),
  }
  const fits = ({ conditions }: Rule) => conditions.every(([key, value]) => facts[key] === value)
  return rules.find(fits)?.allow ?? false
}

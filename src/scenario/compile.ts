/** Turns the programs of a case from the JSON form into instructions, and says what is wrong with them. */
import { ArgumentError, at_places, decode_each, kind_of_result } from '../kernel/decode.js'
import { errno_names, errno_value } from '../kernel/errno.js'
import {
  type Argument,
  type ArgumentKind,
  all_syscalls,
  holds,
  type Parameter,
  place_of,
  type Syscall,
  syscall_named,
} from '../kernel/syscall.js'
import { AT_FDCWD } from '../vfs/namei/namei.js'
import { pause } from '../vfs/tasks/fork_exit.js'
import {
  type Block,
  type CallInstruction,
  type Code,
  type Instruction,
  is_ref,
  MAX_INSTRUCTIONS,
  type OwnLook,
  type Program,
  type Test,
  type UseInstruction,
} from './code.js'
import { ScenarioError, suggestion } from './error.js'
import type { ArgumentForm, CallForm, ConditionForm, OpForm, PieceForm, TaskForm, UseForm } from './form.js'
import { octal_was_meant } from './mode.js'

/** Adds one program, and those of the children that it forks, to the code of a case. */
class Compiler {
  private readonly slots = new Map<string, number>()
  /** Numbers tried for results that the program has no name for, by call. */
  private readonly tried = new Map<string, number>()
  private readonly slot_calls = new Map<number, CallInstruction[]>()
  private readonly call_slots = new Map<CallForm, number>()
  private uses = 0
  /** Bytes that the program takes without relying on a check. */
  private readonly own_looks: OwnLook[] = []
  private block: Block
  private readonly children: {
    ops: readonly OpForm[]
    path: string
    call: { child: number }
    parent: Block
    forked_at: number
  }[] = []

  constructor(
    private readonly instructions: Instruction[],
    private readonly program_of: number[],
    private readonly programs: Program[],
  ) {
    this.block = { begins: this.here(), forked_at: -1, parent: null }
  }

  program(form: TaskForm, path: string): void {
    const entry = this.here()
    this.ops(form.program, `${path}.program`)
    const end = this.end(`${path}.end`)
    for (let next = this.children.shift(); next !== undefined; next = this.children.shift()) {
      next.call.child = this.here()
      this.block = { begins: this.here(), forked_at: next.forked_at, parent: next.parent }
      this.ops(next.ops, next.path)
      this.emit({ op: 'end' })
    }
    const calls = [...this.slot_calls.values()].flat()
    note_own_looks(calls, this.own_looks)
    this.programs.push({
      name: form.name,
      role: form.role ?? 'other',
      entry,
      end,
      slots: [...this.slots.keys()],
      calls,
    })
  }

  /** The end of the program, and the call that it makes there. @returns the place of that call */
  private end(path: string): number {
    this.emit({ op: 'end' })
    const syscall = syscall_named('exit_group')!
    const call = { op: 'call', syscall, slot: -1, args: [0], decoded: [0], symbolic: [] } as const
    const rest = { fixed: syscall.locals(0), exit_on_error: true, child: -1, own_looks: [] }
    this.emit({ ...call, ...rest, gives: 'never', relied: false, path })
    return this.here() - 1
  }

  private here(): number {
    return this.instructions.length
  }

  private emit<I extends Instruction>(instruction: I): I {
    if (this.instructions.length >= MAX_INSTRUCTIONS) {
      throw new ScenarioError(
        '',
        `the programs are longer than ${MAX_INSTRUCTIONS} operations (loops count as often as they run)`,
      )
    }
    this.instructions.push(instruction)
    this.program_of.push(this.programs.length)
    return instruction
  }

  private ops(ops: readonly OpForm[], path: string): void {
    for (const [i, op] of ops.entries()) this.op(op, `${path}[${i}]`)
  }

  private op(op: OpForm, path: string): void {
    if ('call' in op) this.call(op, path)
    else if ('use' in op) this.use(op, path)
    else if ('if' in op) this.branch(op, path)
    else if ('repeat' in op) this.repeat(op, path)
    else if ('exit' in op) this.emit({ op: 'end' })
    else throw new ScenarioError(path, 'expected an operation: call, use, if, repeat or exit')
  }

  private slot(name: string): number {
    const slot = this.slots.get(name) ?? this.slots.size
    this.slots.set(name, slot)
    return slot
  }

  private known_slot(name: string, path: string): number {
    const slot = this.slots.get(name)
    if (slot !== undefined) return slot
    throw new ScenarioError(
      path,
      `no earlier call of this task is named ${JSON.stringify(name)}${suggestion(name, [...this.slots.keys()])}`,
    )
  }

  private call(form: CallForm, path: string): void {
    const syscall = syscall_named(form.call)
    if (syscall === undefined) {
      const names = all_syscalls().map((each) => each.name)
      throw new ScenarioError(
        `${path}.call`,
        `there is no system call ${JSON.stringify(form.call)}${suggestion(form.call, names)}`,
      )
    }
    if (syscall.fn === pause) {
      this.emit({ op: 'pause' })
      return
    }
    const given = form.args ?? []
    for (const [i, arg] of given.entries()) this.check_ref(arg, `${path}.args[${i}]`)
    const decoded = check_arguments(syscall, given, path)
    check_modes(syscall, given, path)
    const args = at_places(syscall, given)
    const locals = syscall.locals(...decoded)
    const slot = this.slot_of(form)
    const call: CallInstruction = {
      op: 'call',
      syscall,
      slot,
      args: args.map((arg) => (arg === undefined ? arg : this.resolve(arg))),
      decoded,
      symbolic: args.flatMap((arg, i) => (is_ref(arg) ? [i] : [])),
      fixed: args.some(is_ref) ? undefined : locals,
      exit_on_error: form.on_error !== 'continue',
      gives: kind_of_result(syscall, args),
      child: -1,
      own_looks: [],
      relied: false,
      path,
    }
    const place = this.here()
    this.emit(call)
    const before = this.slot_calls.get(slot)
    if (before === undefined) this.slot_calls.set(slot, [call])
    else before.push(call)
    if (syscall.returns !== 'task') return
    const { block: parent } = this
    this.children.push({ ops: form.child ?? [], path: `${path}.child`, call, parent, forked_at: place })
  }

  /** A call in a loop has one result, that of the last time. */
  private slot_of(form: CallForm): number {
    const known = this.call_slots.get(form)
    if (known !== undefined) return known
    const slot = this.slot(form.as ?? this.free_name(form.call))
    this.call_slots.set(form, slot)
    return slot
  }

  private free_name(call: string): string {
    for (let n = (this.tried.get(call) ?? 0) + 1; ; n++) {
      const name = n === 1 ? call : `${call}${n}`
      this.tried.set(call, n)
      if (!this.slots.has(name)) return name
    }
  }

  private check_ref(arg: ArgumentForm, path: string): void {
    if (!is_ref(arg)) return
    const [name, field, ...more] = arg.$.split('.')
    const slot = this.known_slot(name!, path)
    if (field === undefined) return
    const fields = this.fields_of(slot)
    if (more.length > 0 || !fields.includes(field)) {
      throw new ScenarioError(
        path,
        `${name} has no field ${JSON.stringify([field, ...more].join('.'))}${suggestion(field, fields)}`,
      )
    }
  }

  private fields_of(slot: number): readonly string[] {
    return this.slot_calls.get(slot)![0]!.syscall.fields
  }

  /** Names become slots: `st.st_size` is `[slot, index of the field]`. */
  private resolve(arg: ArgumentForm): ArgumentForm {
    if (!is_ref(arg)) return arg
    const [name, field] = arg.$.split('.')
    const slot = this.slots.get(name!)!
    return {
      $: arg.$,
      slot,
      field: field === undefined ? -1 : this.fields_of(slot).indexOf(field),
    } as ArgumentForm
  }

  private use(form: UseForm, path: string): void {
    const named = typeof form.use === 'string' ? [form.use] : form.use
    const relies = form.relies === undefined ? -1 : this.known_slot(form.relies, `${path}.relies`)
    const pieces = named.map((piece, i) => {
      const { of, at }: PieceForm = typeof piece === 'string' ? { of: piece } : piece
      const slot = this.known_slot(of, typeof form.use === 'string' ? `${path}.use` : `${path}.use[${i}]`)
      for (const call of this.slot_calls.get(slot)!) {
        if (call.syscall.returns !== 'bytes')
          throw new ScenarioError(`${path}.use`, `${of} is a ${call.syscall.name}, which gives no bytes`)
      }
      return { slot, at: at ?? -1 }
    })
    const use: UseInstruction = {
      op: 'use',
      index: this.uses++,
      pieces,
      relies,
      part: form.part ?? false,
      block: this.block,
      path,
    }
    this.emit(use)
    if (relies < 0) {
      this.own_looks.push(use)
      return
    }
    for (const call of this.slot_calls.get(relies)!) {
      if (call.gives !== 'approval') throw no_check(form.relies!, call, `${path}.relies`)
      call.relied = true
    }
  }

  private branch(form: Extract<OpForm, { if: unknown }>, path: string): void {
    const slot = this.known_slot(form.if.result, `${path}.if.result`)
    const branch = this.emit({
      op: 'branch' as const,
      slot,
      test: test_of(form.if, `${path}.if`),
      target: -1,
    })
    this.ops(form.then, `${path}.then`)
    const over = form.else === undefined ? undefined : this.emit({ op: 'goto' as const, target: -1 })
    branch.target = this.here()
    if (over === undefined) return
    this.ops(form.else!, `${path}.else`)
    over.target = this.here()
  }

  private repeat(form: Extract<OpForm, { repeat: unknown }>, path: string): void {
    if (!Number.isInteger(form.repeat) || form.repeat < 0)
      throw new ScenarioError(`${path}.repeat`, 'expected how often, a whole number')
    for (let i = 0; i < form.repeat; i++) this.ops(form.body, `${path}.body`)
  }
}

/**
 * A program that reads a file, judges the bytes itself and then runs the file relies on that look: on those pieces
 * of what it takes that are of the same thing. It is the same thing where both name one descriptor (a result, or a
 * copy of it), or the exec the path that was opened.
 */
function note_own_looks(calls: readonly CallInstruction[], looks: readonly OwnLook[]): void {
  for (const exec of calls) {
    if (exec.gives !== 'exec') continue
    const same = new Set(calls.filter((read) => is_of_file(exec, read, calls)).map(({ slot }) => slot))
    for (const { pieces, part } of looks) {
      const own = pieces.filter(({ slot }) => same.has(slot))
      if (own.length > 0) exec.own_looks.push({ pieces: own, part })
    }
  }
}

/** Whether a call gives bytes of what an exec runs: read from a descriptor, or from memory that it is mapped to. */
function is_of_file(
  exec: CallInstruction,
  read: CallInstruction,
  calls: readonly CallInstruction[],
): boolean {
  const mapping = slot_named(argument(read, 'address'))
  const mapped = calls.filter(({ slot }) => slot === mapping).map((map) => slot_named(argument(map, 'fd')))
  const read_from = originals([slot_named(argument(read, 'fd')), ...mapped], calls)
  const path = argument(exec, 'path')
  if (path === '')
    return originals([slot_named(argument(exec, 'dirfd'))], calls).some((fd) => read_from.includes(fd))
  const opens = calls.filter(({ slot }) => read_from.includes(slot))
  return opens.some((open) => argument(open, 'path') === path && directory(open) === directory(exec))
}

/** What a relative path of a call begins at. */
function directory({ syscall, args, decoded }: CallInstruction): number | undefined {
  const at = place_of(syscall, 'dirfd')
  const path = args[place_of(syscall, 'path')]
  if (typeof path !== 'string' || path.startsWith('/')) return undefined
  if (at < 0) return AT_FDCWD
  return is_ref(args[at]) ? slot_named(args[at]) : (decoded[at] as number)
}

/** Descriptors, and those of which they are copies, by slot. */
function originals(descriptors: readonly number[], calls: readonly CallInstruction[]): readonly number[] {
  const found = descriptors.filter((slot) => slot >= 0)
  for (let i = 0; i < found.length; i++)
    for (const copy of calls.filter(({ slot, gives }) => slot === found[i] && gives === 'fd')) {
      const of = slot_named(argument(copy, 'fd'))
      if (of >= 0 && !found.includes(of)) found.push(of)
    }
  return found
}

const argument = ({ syscall, args }: CallInstruction, kind: ArgumentKind): ArgumentForm | undefined =>
  args[place_of(syscall, kind)]

/** The slot of the result that an argument is; -1 where it is none. */
const slot_named = (arg: ArgumentForm | undefined): number =>
  is_ref(arg) ? (arg as unknown as { slot: number }).slot : -1

function check_modes(syscall: Syscall, args: readonly ArgumentForm[], path: string): void {
  for (const [i, param] of syscall.params.entries()) {
    const arg = args[i]
    const wrong = param.kind === 'mode' && typeof arg === 'number' ? octal_was_meant(arg) : undefined
    if (wrong !== undefined) throw new ScenarioError(`${path}.args[${i}]`, wrong)
  }
}

function no_check(name: string, { syscall, gives }: CallInstruction, path: string): ScenarioError {
  const what = gives === 'exec' ? 'real exec' : `call of ${syscall.name}`
  return new ScenarioError(path, `expected a check (${checks().join(' or ')}); ${name} is a ${what}`)
}

/** The calls that give an approval, in words. */
function checks(): string[] {
  return all_syscalls().flatMap(({ name, returns, returns_with }) => {
    if (returns === 'approval') return [name]
    return returns_with?.returns === 'approval' ? [`${name} with ${returns_with.flag}`] : []
  })
}

/** Turns the programs of all tasks of a case into instructions. @throws ScenarioError */
export function compile(tasks: readonly TaskForm[], path: string): Code {
  const instructions: Instruction[] = []
  const program_of: number[] = []
  const programs: Program[] = []
  for (const [i, task] of tasks.entries())
    new Compiler(instructions, program_of, programs).program(task, `${path}[${i}]`)
  return { instructions, programs, program_of }
}

/** Decodes the arguments with something in the place of each symbolic value, so that mistakes show now. */
function check_arguments(syscall: Syscall, args: readonly ArgumentForm[], path: string): Argument[] {
  try {
    return decode_each(
      syscall,
      at_places(syscall, args).map((arg, i) => (is_ref(arg) ? placeholder(syscall.params[i]) : arg)),
    )
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    const at = syscall.params.findIndex((param) => error.message.startsWith(`${param.name}`))
    throw new ScenarioError(
      at >= 0 && at < args.length ? `${path}.args[${at}]` : `${path}.args`,
      `${syscall.name}: ${error.message}`,
    )
  }
}

/** Something in the place of a value. Of an argument too much nothing is known. */
function placeholder(param: Parameter | undefined): number | string | string[] {
  const kind = param === undefined ? 'number' : holds(param)
  return kind === 'string' || kind === 'bytes' ? '' : kind === 'strings' ? [] : 0
}

function test_of(condition: ConditionForm, path: string): Test {
  const { ok, failed, errno, equals } = condition
  if ([ok, failed, errno, equals].filter((each) => each !== undefined).length !== 1) {
    throw new ScenarioError(path, 'expected exactly one of ok, failed, errno, equals')
  }
  if (ok !== undefined) return (ret) => ret >= 0
  if (failed !== undefined) return (ret) => ret < 0
  if (equals !== undefined) return (ret) => ret === equals
  const value = errno_value(errno!)
  if (value === undefined)
    throw new ScenarioError(
      `${path}.errno`,
      `there is no errno ${JSON.stringify(errno)}${suggestion(errno!, errno_names)}`,
    )
  return (ret) => ret === value
}

/**
 * How a scenario is written in TypeScript. The builder makes data: the JSON form, one case for each combination
 * of the parameters.
 *
 *     export default scenario(import.meta, {
 *       name: 'plain-read',
 *       summary: 'A script changes between the check and the read',
 *       params: { profile: ['6.18', '7.2'] },
 *       build(s) {
 *         s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { script: { file: 'good', mode: 0o755 } } }))
 *         const victim = s.victim('interpreter')
 *         const fd = victim.open('/script', 'O_RDONLY')
 *         const check = victim.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
 *         victim.use(victim.read(fd, 4096), { relies: check })
 *         const attacker = s.attacker('attacker')
 *         attacker.write(attacker.open('/script', 'O_WRONLY'), 'evil')
 *       },
 *       expect: () => 'race',
 *     })
 */
import type { Kernel } from '../kernel/machine.js'
import type { Release } from '../kernel/profile.js'
import type { SecurityModule } from '../kernel/security.js'
import { all_syscalls } from '../kernel/syscall.js'
import type { Rule } from '../lsm/rules.js'
import {
  type Bytes,
  type Calls,
  type Condition,
  type Errno,
  type Field,
  type Kind,
  type Result,
  STAT_FIELDS,
} from './calls.js'
import type { CapabilityName } from './capabilities.js'
import { module_source, source_hash } from './code_module.js'
import { ScenarioError } from './error.js'
import type {
  ArgumentForm,
  CallForm,
  CaseForm,
  CodeForm,
  ExpectationForm,
  FileSystemForm,
  IpeForm,
  Json,
  MountForm,
  MountOption,
  OpForm,
  OutcomeForm,
  OverlayForm,
  PropertyForm,
  ScenarioForm,
  TaskForm,
  Verdict,
} from './form.js'

/** A release, with features added by `+name` or left out by `+-name`. */
export type ProfileName = Release | `${Release}+${string}`
type ParamValue = string | number | boolean
export type Params = { readonly [name: string]: readonly ParamValue[] } & {
  readonly profile?: readonly ProfileName[]
}
/** One combination of the parameters. */
export type Combination<P extends Params> = { readonly [N in keyof P]: P[N][number] }

export interface ScenarioSource<P extends Params> {
  /** How it is called on the command line. */
  readonly name: string
  /** One line: what it shows. */
  readonly summary: string
  /** What somebody who has read its trace has learned. */
  readonly teaches?: string
  /** The axes; every combination is a case. A parameter `profile` is the kernel that is modelled. */
  readonly params?: P
  /** Builds one case. */
  build(s: CaseBuilder, params: Combination<P>): void
  /** What the complete search must find. */
  expect?(params: Combination<P>): Verdict | ExpectationForm | undefined
}

/**
 * A property that is code. `violated` looks at the state after every stage; it is enough that it holds for a
 * moment. A case with one is searched stage by stage, which takes longer. It must answer by the state alone.
 */
export interface CodeProperty {
  readonly name: string
  violated(k: Kernel): boolean
}

/** Code that a case's form only names. */
export interface Code {
  readonly modules: ReadonlyMap<string, SecurityModule>
  readonly properties: ReadonlyMap<string, CodeProperty>
}

export interface Case {
  readonly form: CaseForm
  readonly code: Code
}

// --- results and operations, before they are data --------------------------------------------------------

interface DraftCall {
  call: string
  args: unknown[]
  as: string
  on_error: 'exit' | 'continue'
  child?: Draft[]
}
type Draft =
  | DraftCall
  | { use: DraftResult[] | { of: DraftResult; at?: number }[]; relies?: DraftResult; part?: boolean }
  | { if: Condition; then: Draft[]; else: Draft[] }
  | { repeat: number; body: Draft[] }
  | { exit: true }

class DraftField implements Field {
  constructor(
    readonly of: DraftResult,
    readonly field: string,
  ) {}
}

class DraftResult<K extends Kind = Kind> implements Result<K> {
  constructor(
    readonly kind: K,
    readonly call: DraftCall,
    readonly task: TaskRecorder,
  ) {
    if (kind === 'stat')
      for (const field of STAT_FIELDS) Object.assign(this, { [field]: new DraftField(this, field) })
  }
  as(name: string): this {
    this.task.name_result(this.call, name)
    return this
  }
  may_fail(): this {
    this.call.on_error = 'continue'
    return this
  }
  ok = (): Condition => ({ result: this, test: { ok: true } })
  failed = (): Condition => ({ result: this, test: { failed: true } })
  failed_with = (errno: Errno): Condition => ({ result: this, test: { errno } })
  equals = (value: number): Condition => ({ result: this, test: { equals: value } })
}

/** Names of results where the author gives none, by kind. */
const default_names: Partial<Record<Kind, string>> = {
  fd: 'fd',
  bytes: 'bytes',
  address: 'map',
  task: 'child',
  approval: 'check',
  stat: 'st',
}

export interface TaskOptions extends Omit<TaskForm, 'name' | 'program' | 'capabilities'> {
  /** Unless told, all for uid 0 and none else. */
  readonly capabilities?: 'all' | readonly CapabilityName[]
}

export interface UseOptions {
  /** The check on whose strength the bytes are used. */
  readonly relies?: Result<'approval'>
  /** The program knows that this is not the whole file. */
  readonly part?: boolean
}

/** A task's program being written: a method per system call, and what a program does between calls. */
export interface Task extends Calls {
  readonly name: string
  /**
   * The task takes these bytes for the file's content and acts on them.
   *
   * @param bytes what a call read, or several in the order of the file; `{ of, at }` says where one stands
   */
  use(bytes: Bytes | readonly (Bytes | { of: Bytes; at: number })[], options?: UseOptions): void
  /** Runs `yes` if the condition holds when the program gets here, else `no`. */
  if(condition: Condition, yes: () => void, no?: () => void): void
  /** The same calls `times` times. */
  repeat(times: number, body: () => void): void
  /** Ends the program; descriptors and mappings stay. (`exit` is the system call, which lets go of them.) */
  stop(): void
  /** A child with a copy of this task's memory and its descriptors; it runs `child`. */
  fork(child?: (task: Task) => void): Result<'task'>
  /** A system call by name, where the types say too little. */
  call(name: string, ...args: readonly unknown[]): Result
  /** exit(2): closes everything and ends the program. */
  exit(status?: number): void
}

class TaskRecorder {
  readonly program: Draft[] = []
  private into: Draft[] = this.program
  private readonly names: Set<string>

  constructor(
    readonly name: string,
    readonly options: TaskOptions,
    parent?: TaskRecorder,
  ) {
    this.names = parent?.names ?? new Set()
  }

  name_result(call: DraftCall, name: string): void {
    if (call.as === name) return
    if (this.names.has(name))
      throw new ScenarioError(`task ${this.name}`, `two results are named ${JSON.stringify(name)}`)
    this.names.delete(call.as)
    this.names.add(name)
    call.as = name
  }

  private free_name(base: string): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base}${n}`
      if (!this.names.has(name)) {
        this.names.add(name)
        return name
      }
    }
  }

  call(name: string, ...args: unknown[]): DraftResult {
    const kind = kind_of(name, args)
    const call: DraftCall = {
      call: name,
      args,
      as: this.free_name(default_names[kind] ?? name),
      on_error: 'exit',
    }
    while (call.args.length > 0 && call.args[call.args.length - 1] === undefined) call.args.pop()
    this.into.push(call)
    return new DraftResult(kind, call, this)
  }

  private inside(into: Draft[], write: () => void): void {
    const outer = this.into
    this.into = into
    write()
    this.into = outer
  }

  use(bytes: unknown, options: UseOptions = {}): void {
    const use = (Array.isArray(bytes) ? bytes : [bytes]) as DraftResult[]
    this.into.push({ use, relies: options.relies as DraftResult | undefined, part: options.part })
  }

  if(condition: Condition, yes: () => void, no?: () => void): void {
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    const branch = { if: condition, then: [] as Draft[], else: [] as Draft[] }
    this.into.push(branch)
    this.inside(branch.then, yes)
    if (no !== undefined) this.inside(branch.else, no)
  }

  repeat(times: number, body: () => void): void {
    const loop = { repeat: times, body: [] as Draft[] }
    this.into.push(loop)
    this.inside(loop.body, body)
  }

  stop(): void {
    this.into.push({ exit: true })
  }

  fork(child?: (task: Task) => void): DraftResult {
    const forked = this.call('fork')
    if (child === undefined) return forked
    const recorder = new TaskRecorder(this.name, {}, this)
    child(recorder as unknown as Task)
    forked.call.child = recorder.program
    return forked
  }

  exit(status = 0): void {
    this.call('exit', status)
  }

  form(): TaskForm {
    return { name: this.name, ...this.options, program: this.program.map(op_form) }
  }
}

/** A method for each system call of the model that the recorder does not have itself. */
function add_call_methods(): void {
  for (const { name } of all_syscalls()) {
    if (name in TaskRecorder.prototype) continue
    Object.defineProperty(TaskRecorder.prototype, name, {
      value(this: TaskRecorder, ...args: unknown[]) {
        return this.call(name, ...args)
      },
    })
  }
}

function kind_of(name: string, args: readonly unknown[]): Kind {
  if (name === 'execve') return 'exec'
  if (name === 'execveat')
    return /AT_EXECVE_CHECK/.test(String(args[4])) || (Number(args[4]) & 0x10000) !== 0 ? 'approval' : 'exec'
  const returns = all_syscalls().find((each) => each.name === name)?.returns ?? 'int'
  return typeof returns === 'object' ? 'stat' : returns
}

function op_form(op: Draft): OpForm {
  if ('call' in op) return call_form(op)
  if ('if' in op) {
    const { result, test } = op.if
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    const made = { if: { result: name_of(result), ...test }, then: op.then.map(op_form) }
    return op.else.length === 0 ? made : { ...made, else: op.else.map(op_form) }
  }
  if ('repeat' in op) return { repeat: op.repeat, body: op.body.map(op_form) }
  if ('exit' in op) return op
  const pieces = op.use.map((piece) =>
    'of' in piece ? { of: name_of(piece.of), at: piece.at } : name_of(piece),
  )
  return {
    use: pieces.length === 1 && typeof pieces[0] === 'string' ? pieces[0] : pieces,
    ...(op.relies === undefined ? {} : { relies: name_of(op.relies) }),
    ...(op.part === undefined ? {} : { part: op.part }),
  }
}

function name_of(result: Result): string {
  if (!(result instanceof DraftResult))
    throw new ScenarioError('', `expected the result of a call, not ${show(result)}`)
  return result.call.as
}

function call_form(op: DraftCall): CallForm {
  return {
    call: op.call,
    args: op.args.map(argument_form),
    as: op.as,
    ...(op.on_error === 'continue' ? { on_error: op.on_error } : {}),
    ...(op.child === undefined ? {} : { child: op.child.map(op_form) }),
  }
}

function argument_form(arg: unknown): ArgumentForm {
  if (arg instanceof DraftResult) return { $: arg.call.as }
  if (arg instanceof DraftField) return { $: `${arg.of.call.as}.${arg.field}` }
  return arg as Json
}

const show = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value))

// --- a case ------------------------------------------------------------------------------------------------

/** A file system of the set-up, and places in it (`rw.at('/upper')`) for the layers of an overlay. */
export interface FileSystem {
  readonly name: string
  at(path: string): string
}

type Layer = FileSystem | string
export interface OverlayLayers {
  readonly lower: readonly Layer[]
  readonly upper?: Layer
  readonly work?: Layer
}

/** Writes one case: its set-up, its tasks, what must hold. */
export class CaseBuilder {
  private readonly filesystems: Record<string, FileSystemForm> = {}
  private readonly mounts: MountForm[] = []
  private readonly tasks: TaskRecorder[] = []
  private readonly properties_: PropertyForm[] = []
  private lsm: {
    ipe?: IpeForm
    rules?: { name: string; rules: readonly Json[] }[]
    modules?: CodeForm[]
    order?: readonly string[]
  } = {}
  private readonly modules = new Map<string, SecurityModule>()
  private readonly code_properties = new Map<string, CodeProperty>()
  private profile_: string | undefined

  /** A file system with its files. */
  filesystem(name: string, form: FileSystemForm): FileSystem {
    if (name in this.filesystems)
      throw new ScenarioError('', `two file systems are named ${JSON.stringify(name)}`)
    this.filesystems[name] = form
    return { name, at: (path) => `${name}:${path}` }
  }

  /** Mounts a file system, or one of its directories; the first mount of a case is at `/`. */
  mount(at: string, filesystem: Layer, options?: readonly MountOption[]): void {
    const [name, root] = layer_name(filesystem).split(':')
    this.mounts.push({
      at,
      filesystem: name!,
      ...(root === undefined ? {} : { root }),
      ...given({ options }),
    })
  }

  /** Mounts what is at `path` once more at `at`. */
  bind(path: string, at: string, options?: readonly MountOption[]): void {
    this.mounts.push({ at, bind: path, ...given({ options }) })
  }

  /** Mounts an overlay; without `upper` it cannot be written. */
  overlay(at: string, layers: OverlayLayers, options?: readonly MountOption[]): void {
    const overlay: OverlayForm = {
      lower: layers.lower.map(layer_name),
      ...given({
        upper: layers.upper && layer_name(layers.upper),
        work: layers.work && layer_name(layers.work),
      }),
    }
    this.mounts.push({ at, overlay, ...given({ options }) })
  }

  /** The IPE policy in force: its text, or with `enforce` and `success_audit`. */
  ipe(policy: string | IpeForm): void {
    this.lsm.ipe = typeof policy === 'string' ? { policy } : policy
  }

  /** A security module as a table of rules. */
  rules(name: string, rules: readonly Rule[]): void {
    const form = { name, rules: rules as readonly object[] as readonly Json[] }
    this.lsm.rules = [...(this.lsm.rules ?? []), form]
  }

  /** A security module as code, from `define_module`. A case with one cannot be saved as data alone. */
  module(module: SecurityModule): void {
    this.modules.set(module.name, module)
    const named = { code: module.name, source: module_source(module) }
    this.lsm.modules = [...(this.lsm.modules ?? []), named]
  }

  /** The order in which modules are asked. */
  order(...names: readonly string[]): void {
    this.lsm.order = names
  }

  /** The kernel that is modelled, where no parameter `profile` says it. */
  profile(profile: ProfileName): void {
    this.profile_ = profile
  }

  /** A task; ids are 0 and all capabilities are there unless told otherwise. */
  task(name: string, options: TaskOptions = {}): Task {
    const recorder = new TaskRecorder(name, options)
    this.tasks.push(recorder)
    return recorder as unknown as Task
  }

  /** A task that relies on checks. */
  victim(name: string, options: Omit<TaskOptions, 'role'> = {}): Task {
    return this.task(name, { role: 'victim', ...options })
  }

  /** A task that works against them. */
  attacker(name: string, options: Omit<TaskOptions, 'role'> = {}): Task {
    return this.task(name, { role: 'attacker', ...options })
  }

  /** What must hold besides `check-use`, which always must: `policy`, or code of your own. */
  property(...properties: readonly (PropertyForm | CodeProperty)[]): void {
    for (const property of properties) {
      if (typeof property === 'object' && 'violated' in property) {
        this.code_properties.set(property.name, property)
        this.properties_.push({ code: property.name, source: source_hash([String(property.violated)]) })
      } else this.properties_.push(property)
    }
  }

  /**
   * No run shows all these results: `{ 'attacker.open': 'ok' }`. Each may be shown at any moment of the run, by any
   * call of that name, of the task or of a child that it forked; what is called later does not undo it.
   */
  never(outcome: OutcomeForm, name?: string): void {
    this.property({ never: outcome, ...given({ name }) })
  }

  /** Some run shows all these results, each at any moment, as in `never`. */
  reaches(outcome: OutcomeForm, name?: string): void {
    this.property({ reaches: outcome, ...given({ name }) })
  }

  /** The case as data, and the code that it names. */
  finish(params: Readonly<Record<string, ParamValue>>, expect: ExpectationForm | undefined): Case {
    const { filesystems, mounts, lsm } = this
    const profile = this.profile_ ?? (typeof params.profile === 'string' ? params.profile : undefined)
    const form: CaseForm = {
      ...(Object.keys(params).length === 0 ? {} : { params }),
      ...given({ profile }),
      setup: {
        filesystems,
        mounts,
        ...(Object.keys(lsm).length === 0 ? {} : { lsm }),
      },
      tasks: this.tasks.map((task) => task.form()),
      ...(this.properties_.length === 0 ? {} : { properties: this.properties_ }),
      ...given({ expect }),
    }
    return { form, code: { modules: this.modules, properties: this.code_properties } }
  }
}

const layer_name = (layer: Layer): string => (typeof layer === 'string' ? layer : layer.name)

/** The entries that have a value: the form leaves out what is not said. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}

// --- a scenario --------------------------------------------------------------------------------------------

/** A scenario with all its cases. `form` is data; `cases` also carry the code that the data names. */
export class Scenario {
  readonly name: string
  readonly summary: string
  readonly teaches: string | undefined
  private made: readonly Case[] | undefined

  constructor(
    source: { name: string; summary: string; teaches?: string },
    private readonly make: () => readonly Case[],
  ) {
    this.name = source.name
    this.summary = source.summary
    this.teaches = source.teaches
  }

  get cases(): readonly Case[] {
    this.made ??= this.make()
    return this.made
  }

  /** The JSON form. */
  get form(): ScenarioForm {
    const { name, summary, teaches } = this
    return { toctoscope: 1, name, summary, ...given({ teaches }), cases: this.cases.map((each) => each.form) }
  }

  toJSON(): ScenarioForm {
    return this.form
  }
}

/** Every combination of the parameters, the first slowest. */
export function combinations(params: Params): Record<string, ParamValue>[] {
  let all: Record<string, ParamValue>[] = [{}]
  for (const [name, values] of Object.entries(params)) {
    all = all.flatMap((each) => values.map((value) => ({ ...each, [name]: value })))
  }
  return all
}

/** Makes the scenario; `build` runs when its cases are first asked for. */
export function make_scenario<const P extends Params>(source: ScenarioSource<P>): Scenario {
  for (const field of ['name', 'summary'] as const) {
    if (typeof source?.[field] !== 'string')
      throw new ScenarioError(field, `expected a string, not ${show(source?.[field])}`)
  }
  if (typeof source.build !== 'function')
    throw new ScenarioError('build', 'expected a function that builds a case')
  check_params(source.params ?? {})
  return new Scenario(source, () =>
    combinations(source.params ?? {}).map((params) => build_case(source, params)),
  )
}

/** A parameter without values would leave no case at all, and nothing would be explored. */
function check_params(params: Params): void {
  for (const [name, values] of Object.entries(params)) {
    if (!Array.isArray(values) || values.length === 0)
      throw new ScenarioError(`params.${name}`, `expected a list of at least one value, not ${show(values)}`)
  }
}

function build_case<P extends Params>(source: ScenarioSource<P>, params: Record<string, ParamValue>): Case {
  add_call_methods()
  const builder = new CaseBuilder()
  source.build(builder, params as Combination<P>)
  const expected = source.expect?.(params as Combination<P>)
  return builder.finish(params, typeof expected === 'string' ? { verdict: expected } : expected)
}

/** A scenario that is data already. Code that it names is not there. */
export function scenario_from_form(form: ScenarioForm): Scenario {
  if (form.cases.length === 0) throw new ScenarioError('cases', 'expected at least one case')
  const code = { modules: new Map(), properties: new Map() }
  return new Scenario(form, () => form.cases.map((each) => ({ form: each, code })))
}

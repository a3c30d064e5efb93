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

import { kind_of_result } from '../kernel/decode.js'
import type { Kernel, SecurityModule } from '../kernel/kernel.js'
import type { Release } from '../kernel/profile.js'
import { all_syscalls, syscall_named } from '../kernel/syscall.js'
import type { LsmName, LsmOptions, OptionsOf } from '../lsm/define_lsm.js'
import type { Rule } from '../lsm/rules.js'
// Twice: this one stays in the declarations, where each module adds its method.
import '../model.js'
import { mutable_lsms } from '../model.js'
import type { OverlayOptions } from '../overlay/params.js'
import type { Calls } from './calls.js'
import type { CapabilityName } from './capabilities.js'
import { is_defined, module_source, source_hash } from './code_module.js'
import { ScenarioError } from './error.js'
import type {
  ArgumentForm,
  CallForm,
  CaseForm,
  CodeForm,
  ExpectationForm,
  FileSystemForm,
  Json,
  MountForm,
  MountOption,
  OpForm,
  OutcomeForm,
  OverlayForm,
  PieceForm,
  PropertyForm,
  ScenarioForm,
  TaskForm,
  UseForm,
  Verdict,
} from './form.js'
import { case_name } from './form.js'
import { validate_scenario } from './form_schema.js'
import { inside, plain } from './plain.js'
import type { Bytes, Condition, Errno, Field, Kind, Result } from './results.js'
import { at_once, check_keys, count_arguments, strict } from './strict.js'

/** A release, with features added by `+name` or left out by `+-name`. */
export type ProfileName = Release | `${Release}+${string}`
type ParamValue = string | number | boolean
/** The axes of a scenario: values by the name of a parameter. */
export type Params = { readonly [name: string]: readonly ParamValue[] } & {
  /** The kernels that are modelled, as releases with changes: `6.19+ovl_read_pinned`. */
  readonly profile?: readonly ProfileName[]
}
/** One combination of the parameters. */
export type Combination<P extends Params> = { readonly [N in keyof P]: P[N][number] }

/** What `scenario` makes a scenario of. */
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
  /** How reports call it. */
  readonly name: string
  /** True where the state is wrong. Tables of the state are read by `inode.rows(k)` and the like. */
  violated(k: Kernel): boolean
}

/** Code that a case's form only names. */
export interface Code {
  /** Security modules by their name. */
  readonly modules: ReadonlyMap<string, SecurityModule>
  /** Properties by their name. */
  readonly properties: ReadonlyMap<string, CodeProperty>
}

/** One combination of the parameters, ready to be explored. */
export interface Case {
  /** The case as data. */
  readonly form: CaseForm
  /** The code that the data names. */
  readonly code: Code
  /** Builds the same once more, where it has code of its own. */
  readonly again?: () => Case
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
  | { use: unknown; options: UseOptions }
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
    for (const field of syscall_named(call.call)?.fields ?? [])
      Object.assign(this, { [field]: new DraftField(this, field) })
  }
  as(name: string): this {
    if (typeof name !== 'string') throw new ScenarioError('as', `expected a name, not ${show(name)}`)
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
  struct: 'st',
}

/** Who a task is: its user and groups, capabilities, limits, where it stands. */
export interface TaskOptions extends Omit<TaskForm, 'name' | 'program' | 'capabilities'> {
  /** Unless told, all for uid 0 and none else. */
  readonly capabilities?: 'all' | readonly CapabilityName[]
}

/** On what a `use` relies. */
export interface UseOptions {
  /** The check on whose strength the bytes are used. */
  readonly relies?: Result<'approval'>
  /** The program knows that this is not the whole file. */
  readonly part?: boolean
}

/** A task's program being written: a method per system call, and what a program does between calls. */
export interface Task extends Calls {
  /** As outcomes call it. */
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
  /** Ends the program here, and with it the process, as falling off its end does: everything is closed. */
  stop(): void
  /** pause(2), and nobody wakes it: the program goes no further, and keeps all that it has open and mapped. */
  pause(): void
  /** A child with a copy of this task's memory and its descriptors; it runs `child`. */
  fork(child?: (task: Task) => void): Result<'task'>
  /** A system call by name, where the types say too little. */
  call(name: string, ...args: readonly unknown[]): Result
  /** exit(2), with a status. */
  exit(status?: number): void
}

class TaskRecorder {
  readonly program: Draft[] = []
  private into: Draft[] = this.program
  private depth = 0
  private readonly names: Set<string>

  constructor(
    readonly name: string,
    readonly options: TaskOptions,
    parent?: TaskRecorder,
  ) {
    this.names = parent?.names ?? new Set()
    if (typeof options !== 'object' || options === null)
      throw new ScenarioError(`task ${show(name)}`, `expected its options, not ${show(options)}`)
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
    return strict(new DraftResult(kind, call, this), `the result of ${name}`)
  }

  /** Operations are written into a branch, a loop, or a child's program. */
  private inside(into: Draft[], write: () => void, what: string): void {
    if (this.depth >= DEEPEST)
      throw new ScenarioError(`task ${this.name}`, `branches and loops are nested deeper than ${DEEPEST}`)
    const outer = this.into
    this.into = into
    this.depth++
    at_once(write(), what)
    this.depth--
    this.into = outer
  }

  use(bytes: unknown, options: UseOptions = {}): void {
    check_keys(options, ['relies', 'part'], 'use')
    this.into.push({ use: bytes, options })
  }

  if(condition: Condition, yes: () => void, no?: () => void): void {
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    const branch = { if: condition, then: [] as Draft[], else: [] as Draft[] }
    this.into.push(branch)
    this.inside(branch.then, yes, 'if')
    if (no !== undefined) this.inside(branch.else, no, 'if')
  }

  repeat(times: number, body: () => void): void {
    const loop = { repeat: times, body: [] as Draft[] }
    this.into.push(loop)
    this.inside(loop.body, body, 'repeat')
  }

  stop(): void {
    this.into.push({ exit: true })
  }

  pause(): void {
    this.call('pause')
  }

  fork(child?: (task: Task) => void): DraftResult {
    const forked = this.call('fork')
    if (child === undefined) return forked
    const recorder = new TaskRecorder(this.name, this.options, this)
    at_once(child(strict(recorder, `task ${this.name}`) as unknown as Task), 'fork')
    forked.call.child = recorder.program
    return forked
  }

  exit(status = 0): void {
    this.call('exit', status)
  }

  form(): TaskForm {
    const { name, options } = this
    const no_option = ['name', 'program'].find((key) => key in options)
    if (no_option !== undefined)
      throw new ScenarioError(`task ${name}`, `${no_option} is no option of a task`)
    return { name, ...options, program: this.program.map(op_form) }
  }
}

count_arguments(DraftResult.prototype, { as: 1, may_fail: 0 })
count_arguments(TaskRecorder.prototype, { use: 2, if: 3, repeat: 2, stop: 0, pause: 0, fork: 1, exit: 1 })

/** Branches in branches: more than a program has, and less than what a stack can take. */
const DEEPEST = 50

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
  const syscall = syscall_named(name)
  return syscall === undefined ? 'int' : kind_of_result(syscall, args)
}

function op_form(op: Draft): OpForm {
  if ('call' in op) return call_form(op)
  if ('if' in op) {
    const { result, test } = condition_of(op.if)
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    const made = { if: { result: name_of(result), ...test }, then: op.then.map(op_form) }
    return op.else.length === 0 ? made : { ...made, else: op.else.map(op_form) }
  }
  if ('repeat' in op) return { repeat: op.repeat, body: op.body.map(op_form) }
  if ('exit' in op) return op
  const { relies, ...more } = op.options
  return {
    use: use_form(op.use),
    ...(relies === undefined ? {} : { relies: name_of(relies) }),
    ...(more as object),
  }
}

function condition_of(given: unknown): Condition {
  const condition = given as Condition
  if (
    typeof given !== 'object' ||
    given === null ||
    !('result' in given) ||
    typeof condition.test !== 'object'
  )
    throw new ScenarioError('if', `expected a condition, such as result.ok(), not ${show(given)}`)
  check_keys(condition, ['result', 'test'], 'if')
  return condition
}

function use_form(bytes: unknown): UseForm['use'] {
  const pieces = (Array.isArray(bytes) ? bytes : [bytes]).map(piece_form)
  return pieces.length === 1 && typeof pieces[0] === 'string' ? pieces[0] : pieces
}

function piece_form(piece: unknown): string | PieceForm {
  if (typeof piece !== 'object' || piece === null || !('of' in piece)) return name_of(piece)
  return { ...piece, of: name_of(piece.of) }
}

function name_of(result: unknown): string {
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

const show = (value: unknown) =>
  value instanceof DraftResult
    ? 'the result of a call'
    : typeof value === 'object'
      ? (JSON.stringify(value) ?? 'an object')
      : typeof value === 'function'
        ? 'a function'
        : String(value)

// --- a case ------------------------------------------------------------------------------------------------

/** A file system of the set-up, and places in it (`rw.at('/upper')`) for the layers of an overlay. */
export interface FileSystem {
  /** The name that the set-up gives it. */
  readonly name: string
  /** One of its directories, as a layer or for a mount: `rw.at('/upper')`. */
  at(path: string): string
}

type Layer = FileSystem | string
/**
 * Layers of an overlay, as file systems, directories of them (`rw.at('/upper')`), or paths of directories that earlier
 * mounts show (`'/m/dir'`): so one overlay is a lower layer of another.
 */
export interface OverlayLayers {
  /** The topmost first; at least one. */
  readonly lower: readonly Layer[]
  /** Where changes go. Without it the overlay cannot be written. */
  readonly upper?: Layer
  /** An empty directory of the file system of `upper`, where copies are made before they are published. */
  readonly work?: Layer
  /** Mount options, as `{ redirect_dir: 'nofollow', volatile: true }`. */
  readonly options?: OverlayOptions
}

/**
 * A method for each security module of the kernel (docs/modules.md), with its options. A module with a policy takes
 * the policy's text alone, too.
 */
export type LsmMethods = {
  readonly [N in keyof LsmOptions]-?: (
    options: OptionsOf<N> | (OptionsOf<N> extends { readonly policy?: string } ? string : never),
  ) => void
}

/** The methods that the class adds for modules. */
export interface CaseBuilder extends LsmMethods {}

/** Writes one case: its set-up, its tasks, what must hold. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: its static block adds what the interface declares
export class CaseBuilder {
  private readonly filesystems = new Map<string, FileSystemForm>()
  private readonly mounts: MountForm[] = []
  private readonly tasks: TaskRecorder[] = []
  private readonly properties_: PropertyForm[] = []
  private lsm: LsmOptions & {
    rules?: { name: string; rules: readonly Json[] }[]
    modules?: CodeForm[]
    order?: readonly string[]
  } = {}
  private readonly modules = new Map<string, SecurityModule>()
  private readonly code_properties = new Map<string, CodeProperty>()
  private profile_: string | undefined

  /** A file system with its files. */
  filesystem(name: string, form: FileSystemForm): FileSystem {
    if (this.filesystems.has(name))
      throw new ScenarioError('', `two file systems are named ${JSON.stringify(name)}`)
    this.filesystems.set(name, form)
    return { name, at: (path) => `${name}:${path}` }
  }

  /** Mounts a file system, or one of its directories; the first mount of a case is at `/`. */
  mount(at: string, filesystem: Layer, options?: readonly MountOption[]): void {
    const layer = layer_name(filesystem)
    const colon = layer.indexOf(':')
    const of =
      colon < 0 ? { filesystem: layer } : { filesystem: layer.slice(0, colon), root: layer.slice(colon + 1) }
    this.mounts.push({ at, ...of, ...given({ options }) })
  }

  /** Mounts what is at `path` once more at `at`. */
  bind(path: string, at: string, options?: readonly MountOption[]): void {
    this.mounts.push({ at, bind: path, ...given({ options }) })
  }

  /** Mounts an overlay; without `upper` it cannot be written. */
  overlay(at: string, layers: OverlayLayers, options?: readonly MountOption[]): void {
    if (typeof layers !== 'object' || layers === null)
      throw new ScenarioError('overlay', `expected its layers ({ lower: [ … ] }), not ${show(layers)}`)
    const { lower, upper, work } = layers
    const overlay = {
      ...layers,
      lower: Array.isArray(lower) ? lower.map(layer_name) : lower,
      upper: upper && layer_name(upper),
      work: work && layer_name(work),
    } as OverlayForm
    this.mounts.push({ at, overlay, ...given({ options }) })
  }

  /** Has a module of the kernel with these options. */
  private has_module(name: LsmName, options: unknown): void {
    if (this.lsm[name] !== undefined) throw new ScenarioError(name, `the case has ${name} already`)
    Object.assign(this.lsm, { [name]: typeof options === 'string' ? { policy: options } : options })
  }

  static {
    for (const { name } of mutable_lsms()) {
      const value = function (this: CaseBuilder, options: unknown) {
        this.has_module(name, options)
      }
      Object.defineProperty(CaseBuilder.prototype, name, { value, configurable: true, writable: true })
    }
  }

  /** A security module as a table of rules. */
  rules(name: string, rules: readonly Rule[]): void {
    const form = { name, rules: rules as readonly object[] as readonly Json[] }
    this.lsm.rules = [...(this.lsm.rules ?? []), form]
  }

  /** A security module as code, from `define_module`. A case with one cannot be saved as data alone. */
  module(module: SecurityModule): void {
    if (!is_defined(module))
      throw new ScenarioError('module', `expected what define_module makes, not ${show(module)}`)
    if (this.modules.has(module.name))
      throw new ScenarioError('module', `two modules are named ${JSON.stringify(module.name)}`)
    this.modules.set(module.name, module)
    const named = { code: module.name, source: module_source(module) }
    this.lsm.modules = [...(this.lsm.modules ?? []), named]
  }

  /** The order in which modules are asked. */
  order(...names: readonly string[]): void {
    if (this.lsm.order !== undefined) throw new ScenarioError('order', 'there is an order already')
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
    return strict(recorder, `task ${name}`) as unknown as Task
  }

  /** A task that relies on checks. */
  victim(name: string, options: Omit<TaskOptions, 'role'> = {}): Task {
    return this.task(name, with_role('victim', options))
  }

  /** A task that works against them. */
  attacker(name: string, options: Omit<TaskOptions, 'role'> = {}): Task {
    return this.task(name, with_role('attacker', options))
  }

  /** What must hold besides `check-use`, which always must: `policy`, or code of your own. */
  property(...properties: readonly (PropertyForm | CodeProperty)[]): void {
    for (const property of properties) {
      if (typeof property === 'object' && property !== null && 'violated' in property) {
        check_code_property(property)
        if (this.code_properties.has(property.name))
          throw new ScenarioError('property', `two properties are named ${JSON.stringify(property.name)}`)
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
        filesystems: Object.fromEntries(filesystems),
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

const layer_name = (layer: Layer): string =>
  typeof layer === 'object' && layer !== null && 'name' in layer ? layer.name : (layer as string)

count_arguments(CaseBuilder.prototype, {
  ...Object.fromEntries(mutable_lsms().map(({ name }) => [name, 1])),
  filesystem: 2,
  mount: 3,
  bind: 3,
  overlay: 3,
  rules: 2,
  module: 1,
  profile: 1,
  task: 2,
  victim: 2,
  attacker: 2,
  never: 2,
  reaches: 2,
})

function with_role(role: NonNullable<TaskForm['role']>, options: TaskOptions): TaskOptions {
  const { role: other, ...more } = options
  if (other !== undefined && other !== role)
    throw new ScenarioError('role', `${role}() makes a task with the role ${role}, not ${show(other)}`)
  return { role, ...more }
}

/** A property that is code may have what it likes besides, unless it is a plain object: then it is misspelt. */
function check_code_property(property: CodeProperty): void {
  if (Object.getPrototypeOf(property) === Object.prototype)
    check_keys(property, ['name', 'violated'], 'property')
  if (typeof property.name !== 'string' || property.name === '')
    throw new ScenarioError('property.name', `expected a name, not ${show(property.name)}`)
  if (typeof property.violated !== 'function')
    throw new ScenarioError('property.violated', `expected a function, not ${show(property.violated)}`)
}

/** The entries that have a value: the form leaves out what is not said. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}

// --- a scenario --------------------------------------------------------------------------------------------

/** A scenario with all its cases. `form` is data; `cases` also carry the code that the data names. */
export class Scenario {
  /** How it is called on the command line. */
  readonly name: string
  /** One line: what it shows. */
  readonly summary: string
  /** What somebody who has read its trace has learned. */
  readonly teaches: string | undefined
  private made: Made | undefined

  /** @param make its form, which has been checked, and its cases */
  constructor(
    source: { name: string; summary: string; teaches?: string },
    private readonly make: () => Made,
  ) {
    this.name = source.name
    this.summary = source.summary
    this.teaches = source.teaches
  }

  /** One for each combination of the parameters, the first slowest. @throws ScenarioError */
  get cases(): readonly Case[] {
    this.made ??= this.make()
    return this.made.cases
  }

  /** The JSON form. */
  get form(): ScenarioForm {
    this.made ??= this.make()
    return this.made.form
  }

  /** For `JSON.stringify`: the JSON form. */
  toJSON(): ScenarioForm {
    return this.form
  }
}

interface Made {
  readonly form: ScenarioForm
  readonly cases: readonly Case[]
}

/** Every combination of the parameters, the first slowest. */
export function combinations(params: Params): Record<string, ParamValue>[] {
  let all: Record<string, ParamValue>[] = [{}]
  for (const [name, values] of Object.entries(params)) {
    all = all.flatMap((each) => values.map((value) => ({ ...each, [name]: value })))
  }
  return all
}

const fields_of_source = ['name', 'summary', 'teaches', 'params', 'build', 'expect']

/** Makes the scenario; `build` runs when its cases are first asked for. */
export function make_scenario<const P extends Params>(source: ScenarioSource<P>): Scenario {
  for (const field of ['name', 'summary'] as const) {
    if (typeof source?.[field] !== 'string')
      throw new ScenarioError(field, `expected a string, not ${show(source?.[field])}`)
  }
  check_keys(source, fields_of_source, 'scenario')
  if (typeof source.build !== 'function')
    throw new ScenarioError('build', 'expected a function that builds a case')
  if (source.expect !== undefined && typeof source.expect !== 'function')
    throw new ScenarioError('expect', `expected a function of the parameters, not ${show(source.expect)}`)
  check_params(source.params ?? {})
  return new Scenario(source, () => build_all(source))
}

/** A parameter without values would leave no case at all, and nothing would be explored. */
function check_params(params: Params): void {
  for (const [name, values] of Object.entries(params)) {
    if (!Array.isArray(values) || values.length === 0)
      throw new ScenarioError(`params.${name}`, `expected a list of at least one value, not ${show(values)}`)
  }
}

/**
 * Builds every case, and has the whole checked as a document from outside is.
 *
 * @throws ScenarioError with what is wrong in each case
 */
function build_all<P extends Params>(source: ScenarioSource<P>): Made {
  add_call_methods()
  const { name, summary, teaches } = source
  const checked = (cases: readonly CaseForm[]) =>
    validate_scenario({ toctoscope: 1, name, summary, teaches, cases })
  const all = combinations(source.params ?? {})
  const built = all.map((params, i) => attempt(() => build_case(source, params, inside('cases', i))))
  const cases = built.flatMap((each) => (each instanceof ScenarioError ? [] : [each]))
  const whole = cases.length < all.length ? undefined : attempt(() => checked(cases.map(({ form }) => form)))
  if (whole !== undefined && !(whole instanceof ScenarioError))
    return { form: whole, cases: cases.map((each, i) => ({ ...each, form: whole.cases[i]! })) }
  const problems = built.flatMap((each, i) => {
    const made = each instanceof ScenarioError ? each : attempt(() => checked([each.form]))
    if (!(made instanceof ScenarioError)) return []
    const said = made.message.replaceAll('cases[0]', `cases[${i}]`)
    return [{ of: case_name({ params: all[i]!, tasks: [] }), said, problem: made.problem }]
  })
  throw problems.length === 0 ? whole : new ScenarioError('', listed(problems))
}

/** What a function makes, or the mistake that it names. */
function attempt<T>(make: () => T): T | ScenarioError {
  try {
    return make()
  } catch (error) {
    if (error instanceof ScenarioError) return error
    throw error
  }
}

/** Problems shown of a scenario, each with the first case that has it. */
const SHOWN_PROBLEMS = 8

function listed(problems: readonly { of: string; said: string; problem: string }[]): string {
  const distinct = problems.filter(
    (each, i) => problems.findIndex((one) => one.problem === each.problem) === i,
  )
  const lines = distinct
    .slice(0, SHOWN_PROBLEMS)
    .map(({ of, said }) => (of === '' || distinct.length === 1 ? said : `${said}\n  (${of})`))
  const more = distinct.length - lines.length
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
}

function build_case<P extends Params>(
  source: ScenarioSource<P>,
  params: Record<string, ParamValue>,
  path: string,
): Case {
  const builder = new CaseBuilder()
  const given = strict(params, 'the parameters') as Combination<P>
  at_once(source.build(strict(builder, 's'), given), 'build')
  const expected = at_once(source.expect?.(given), 'expect')
  const { form, code } = builder.finish(
    params,
    typeof expected === 'string' ? { verdict: expected } : expected,
  )
  // At once, before another case is built from the same objects.
  const built = { form: plain(form, path) as CaseForm, code }
  if (code.modules.size === 0 && code.properties.size === 0) return built
  return { ...built, again: () => build_case(source, params, path) }
}

/**
 * A scenario that is data already. Code that it names is not there.
 *
 * @param document of any kind: it is checked
 * @throws ScenarioError naming the first field that is wrong, and what was expected there
 */
export function scenario_from_form(document: unknown): Scenario {
  const form = validate_scenario(document)
  const code = { modules: new Map(), properties: new Map() }
  return new Scenario(form, () => ({ form, cases: form.cases.map((each) => ({ form: each, code })) }))
}

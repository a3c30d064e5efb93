/** A case, ready to be searched: what `explore` wants of a system. */

import { FastStore } from '../kernel/fast_store.js'
import { file_system } from '../kernel/fs.js'
import type { Frame, Store } from '../kernel/kernel.js'
import { Kernel } from '../kernel/kernel.js'
import { type Exchangeable, row_in_place } from '../kernel/renumbering.js'
import type { Case } from './builder.js'
import { type CaseConfig, type Code, result } from './code.js'
import { compile } from './compile.js'
import { ScenarioError, suggestion } from './error.js'
import { exchangeable_tasks } from './exchangeable.js'
import { on_exec_approval, on_loaded, on_look, on_unmapped } from './exec_monitor.js'
import { type CaseForm, case_profile } from './form.js'
import { on_approval, on_copy } from './monitor.js'
import { compile_properties, type Properties, violated } from './properties.js'
import { witness_of } from './run_labels.js'
import { boot_setup, type Environment, make_modules, make_task, parse_profile } from './setup.js'
import { begin } from './user.js'

/** A case that has been checked. It is a `System` of the search, by its shape. */
export interface CaseSystem {
  readonly form: CaseForm
  readonly code: Code
  readonly properties: Properties
  readonly config: CaseConfig
  boot(store: Store): Kernel
  /** The two halves of `boot`: the set-up, and the tasks in a set-up that stands in the store. */
  set_up(store: Store): Environment
  start(store: Store, env: Environment): Kernel
  violations(k: Kernel): readonly string[]
  readonly momentary: boolean
  phase(k: Kernel, task: number): number
  readonly exchangeable: Exchangeable | null
  outcome(k: Kernel, to?: (task: number) => number): string
  witness(k: Kernel): readonly string[]
  /** Outcomes that had to be reached, and that no run reached. */
  unreached(seen: ReadonlySet<string>): readonly string[]
}

/**
 * Checks a case and makes a system of it.
 *
 * @param path where the case stands in its document, for messages
 * @throws ScenarioError naming the field: unknown calls, arguments, results, tasks, policies …
 */
export function case_system(of: Case, path = ''): CaseSystem {
  const { form } = of
  const at = (field: string) => (path === '' ? field : `${path}.${field}`)
  const code = compile(form.tasks, at('tasks'))
  check_names(form, at('tasks'))
  const properties = compile_properties(of, code, at('properties'))
  check_expectation(form, properties, at('expect.property'))
  const setup = form.setup ?? {}
  const config: CaseConfig = {
    profile: parse_profile(
      case_profile(form),
      at(form.setup?.profile === undefined ? 'profile' : 'setup.profile'),
    ),
    modules: make_modules(setup.lsm ?? {}, of.code.modules, at('setup.lsm')),
    monitor: {
      approval: (k, data_inode, opened, is_check) =>
        is_check ? on_approval(k, data_inode) : on_exec_approval(k, data_inode, opened),
      looked: on_look,
      loaded: on_loaded,
      unmapped: on_unmapped,
      ...(properties.watched.has('policy') ? { copied: on_copy } : {}),
    },
    code,
    watched: properties.watched,
    parts: properties.parts,
    ends_are_seen: properties.code.length > 0 || tasks_are_seen(form),
    asked: new Set(),
  }
  const set_up = (store: Store) => boot_setup(new Kernel(store, config), form.setup ?? {}, at('setup'))
  const start = (store: Store, env: Environment) =>
    start_tasks(new Kernel(store, config), env, form, code, at)
  const system: CaseSystem = {
    form,
    code,
    properties,
    config,
    boot: (store) => start(store, set_up(store)),
    set_up,
    start,
    violations: (k) => violated(k, properties),
    momentary: properties.code.length > 0 || tasks_are_seen(form),
    phase: phase_in(code),
    exchangeable: exchangeable_tasks(form, code, of.code.modules.size + properties.code.length > 0),
    outcome: (k, to) => outcome(k, code, to),
    witness: (k) => witness_of(k, code, properties),
    unreached: (seen) =>
      properties.reaches.map(({ name }) => name).filter((name) => !seen.has(`reached ${name}`)),
  }
  return system
}

/**
 * Whether tasks may look at what others have, by their numbers: then no stage is local by itself.
 */
function tasks_are_seen({ setup }: CaseForm): boolean {
  return Object.values(setup?.filesystems ?? {}).some(({ type }) => file_system(type).computed !== undefined)
}

/** The place of the call that a task is in, counted from where its program begins: loops are written out, so nothing leads back. */
function phase_in({ programs }: Code): (k: Kernel, task: number) => number {
  return (k, task) => {
    const program = programs[task - 1]
    if (program === undefined) return 0
    const { pc } = k.store.frame(task, 0) as Frame<{ pc: number }>
    return pc - program.entry
  }
}

function check_expectation({ expect }: CaseForm, { names }: Properties, path: string): void {
  const expected = expect?.property
  if (expected === undefined || names.includes(expected)) return
  throw new ScenarioError(
    path,
    `the case has no property ${JSON.stringify(expected)}${suggestion(expected, names)}`,
  )
}

function check_names(form: CaseForm, path: string): void {
  const names = form.tasks.map((task) => task.name)
  const twice = names.findIndex((name, i) => names.indexOf(name) !== i)
  if (twice >= 0)
    throw new ScenarioError(`${path}[${twice}].name`, `two tasks are named ${JSON.stringify(names[twice])}`)
}

function start_tasks(
  k: Kernel,
  env: Environment,
  form: CaseForm,
  code: Code,
  at: (field: string) => string,
): Kernel {
  form.tasks.forEach((task, i) => {
    make_task(k, i + 1, task, env, at(`tasks[${i}]`))
    begin(k, i + 1, code.programs[i]!.entry)
  })
  k.task = 0
  k.store.commit()
  return k
}

/** A set-up that is booted once for systems that have it in common and differ in their programs. */
export class StandingSetup {
  private readonly store = new FastStore()
  private readonly env: Environment
  private start: number

  constructor(system: CaseSystem) {
    this.env = system.set_up(this.store)
    this.start = this.store.mark()
  }

  /** Starts the tasks of a system in it; what was done in it before is taken back. */
  boot(system: CaseSystem): Kernel {
    this.store.undo(this.start)
    this.start = this.store.mark()
    this.store.footprint()
    return system.start(this.store, this.env)
  }
}

/** The results of all calls of all tasks, one a line: two runs with the same are the same to their programs. */
function outcome(k: Kernel, code: Code, to?: (task: number) => number): string {
  return result
    .rows(k)
    .map(({ task, slot, ret, data, fields }) => {
      if (to === undefined) return JSON.stringify([task, slot, ret, data, fields])
      return JSON.stringify([to(task), slot, ret, data, renumbered_fields(code, task, slot, fields, to)])
    })
    .sort()
    .join('\n')
}

/** The fields of a structure that a task was given, where the numbers of inodes follow from who has made them. */
function renumbered_fields(
  { programs }: Code,
  task: number,
  slot: number,
  fields: readonly number[],
  to: (task: number) => number,
): readonly number[] {
  const call = programs[task - 1]?.calls.find((each) => each.slot === slot)
  const at = call?.syscall.fields.indexOf('st_ino') ?? -1
  return fields.map((each, i) => (i === at ? row_in_place(each, to) : each))
}

/**
 * What must hold in a case. `check-use` and `policy` are watched by the monitors while tasks use bytes
 * (monitor.ts); outcomes over results of calls are read from the state.
 */
import { errno_value } from '../kernel/errno.js'
import type { Kernel } from '../kernel/machine.js'
import type { Case, CodeProperty } from './builder.js'
import { type Code, result, tasks_of } from './code.js'
import { ScenarioError, suggestion } from './error.js'
import type { CaseForm, OutcomeForm, PropertyForm } from './form.js'
import { violation } from './monitor.js'

/** One result of an outcome: whose, which, and what it must be. */
interface Wanted {
  readonly task: number
  readonly slot: number
  readonly test: (ret: number) => boolean
}

interface Outcome {
  readonly name: string
  readonly wanted: readonly Wanted[]
}

/** The properties of a case, ready to be asked. */
export interface Properties {
  /** Those that monitors watch. */
  readonly watched: ReadonlySet<string>
  readonly never: readonly Outcome[]
  readonly reaches: readonly Outcome[]
  readonly code: readonly CodeProperty[]
  /** Names of all, in the order of the case. */
  readonly names: readonly string[]
}

/** `never attacker.open=ok`: how a property is called in reports unless it has a name. */
export function outcome_name(kind: 'never' | 'reaches', outcome: OutcomeForm): string {
  const parts = Object.entries(outcome).map(([name, value]) => `${name}=${value}`)
  return `${kind} ${parts.join(' ')}`
}

function property_name(form: PropertyForm): string {
  if (typeof form === 'string') return form
  if ('never' in form) return form.name ?? outcome_name('never', form.never)
  if ('reaches' in form) return form.name ?? outcome_name('reaches', form.reaches)
  return form.code
}

function compile_outcome(outcome: OutcomeForm, code: Code, path: string): Wanted[] {
  return Object.entries(outcome).map(([name, value]) => {
    const dot = name.indexOf('.')
    const task = code.programs.findIndex((program) => program.name === name.slice(0, dot))
    const field = `${path}.${JSON.stringify(name)}`
    if (task < 0) {
      const names = code.programs.map((program) => program.name)
      throw new ScenarioError(
        field,
        `expected task.result; no task is named ${JSON.stringify(name.slice(0, Math.max(dot, 0)))}${suggestion(name.slice(0, Math.max(dot, 0)), names)}`,
      )
    }
    const { slots } = code.programs[task]!
    const slot = slots.indexOf(name.slice(dot + 1))
    if (slot < 0)
      throw new ScenarioError(
        field,
        `${name.slice(0, dot)} has no result ${JSON.stringify(name.slice(dot + 1))}${suggestion(name.slice(dot + 1), slots)}`,
      )
    return { task: task + 1, slot, test: test_of(value, field) }
  })
}

function test_of(value: string | number, path: string): (ret: number) => boolean {
  if (typeof value === 'number') return (ret) => ret === value
  if (value === 'ok') return (ret) => ret >= 0
  if (value === 'failed') return (ret) => ret < 0
  const errno = errno_value(value)
  if (errno === undefined)
    throw new ScenarioError(
      path,
      `expected ok, failed, the name of an errno or signal, or a number, not ${JSON.stringify(value)}`,
    )
  return (ret) => ret === errno
}

/** @throws ScenarioError naming the field */
export function compile_properties(of: Case, code: Code, path: string): Properties {
  const forms = of.form.properties ?? default_properties(of.form)
  const watched = new Set<string>()
  const never: Outcome[] = []
  const reaches: Outcome[] = []
  const by_code: CodeProperty[] = []
  forms.forEach((form, i) => {
    const at = `${path}[${i}]`
    if (typeof form === 'string') watched.add(form)
    else if ('never' in form) never.push(outcome_of(form.never, property_name(form), code, `${at}.never`))
    else if ('reaches' in form)
      reaches.push(outcome_of(form.reaches, property_name(form), code, `${at}.reaches`))
    else by_code.push(code_property(of, form, at))
  })
  if (watched.has('parity')) throw new ScenarioError(path, 'parity is not modelled yet')
  const names = [...new Set(forms.map(property_name))]
  return { watched, never, reaches, code: by_code, names }
}

const outcome_of = (form: OutcomeForm, name: string, code: Code, path: string): Outcome => ({
  name,
  wanted: compile_outcome(form, code, path),
})

/** Unless told: bytes that are used on the strength of a check must be those that it judged. */
const default_properties = (_: CaseForm): readonly PropertyForm[] => ['check-use']

function code_property(of: Case, form: { code: string }, path: string): CodeProperty {
  const found = of.code.properties.get(form.code)
  if (found !== undefined) return found
  throw new ScenarioError(
    path,
    `the property ${JSON.stringify(form.code)} is code, which a scenario that is data does not carry`,
  )
}

/** A result is that of whichever task made the call: a forked child runs a part of its parent's program. */
function holds(k: Kernel, { wanted }: Outcome): boolean {
  return wanted.every(({ task, slot, test }) =>
    tasks_of(k, task).some((each) => {
      const row = result.find(k, each, slot)
      return row !== undefined && test(row.ret)
    }),
  )
}

const NONE: readonly string[] = []

/** Names of the properties that are violated in this state, in their order. A violation stays in every later state. */
export function violated(k: Kernel, properties: Properties): readonly string[] {
  const rows = violation.rows(k)
  if (rows.length === 0 && properties.never.length === 0 && properties.code.length === 0) return NONE
  const names = rows.map((row) => row.property)
  for (const outcome of properties.never) if (holds(k, outcome)) names.push(outcome.name)
  for (const property of properties.code) if (property.violated(k)) names.push(property.name)
  return names.length < 2 ? names : properties.names.filter((name) => names.includes(name))
}

/** Names of the outcomes to be reached that this state shows. */
export function reached(k: Kernel, properties: Properties): readonly string[] {
  return properties.reaches.filter((outcome) => holds(k, outcome)).map((outcome) => outcome.name)
}

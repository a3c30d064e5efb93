/**
 * What must hold in a case. `check-use` and `policy` are watched by the monitors while tasks use bytes
 * (monitor.ts). Outcomes over results of calls speak of the history of a run: each part of one is latched in
 * the state when a call shows it, so once an outcome has come it stays, whatever is called later. Properties
 * that are code look at the state after every stage; such a one may hold for a moment only.
 */
import { errno_names, errno_value } from '../kernel/errno.js'
import type { Kernel } from '../kernel/kernel.js'
import type { Case, CodeProperty } from './builder.js'
import type { Code, Part, Test } from './code.js'
import { ScenarioError, suggestion } from './error.js'
import type { OutcomeForm, PropertyForm } from './form.js'
import { occurred, violation } from './monitor.js'

export interface Outcome {
  readonly name: string
  /** Numbers of its parts. */
  readonly parts: readonly number[]
}

/** The properties of a case, ready to be asked. */
export interface Properties {
  /** Those that monitors watch. */
  readonly watched: ReadonlySet<string>
  readonly never: readonly Outcome[]
  readonly reaches: readonly Outcome[]
  readonly code: readonly CodeProperty[]
  /** Parts of all outcomes, by program and slot. */
  readonly parts: readonly ReadonlyMap<number, readonly Part[]>[]
  /** Names of all, in the order of the case. */
  readonly names: readonly string[]
}

/** `never attacker.open=ok`: how a property is called in reports unless it has a name. */
export function outcome_name(kind: 'never' | 'reaches', outcome: OutcomeForm): string {
  const parts = Object.entries(outcome).map(([name, value]) => `${name}=${value}`)
  return `${kind} ${parts.join(' ')}`
}

/** How reports call a property. */
export function property_name(form: PropertyForm): string {
  if (typeof form === 'string') return form
  if ('never' in form) return form.name ?? outcome_name('never', form.never)
  if ('reaches' in form) return form.name ?? outcome_name('reaches', form.reaches)
  return form.code
}

/** `task.result` as a pair. */
export function split_result(name: string): readonly [string, string] {
  const dot = name.lastIndexOf('.')
  return [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)]
}

/** Collects the parts of all outcomes of a case: equal ones are one. */
class Parts {
  readonly by_program: Map<number, Part[]>[]
  private readonly known = new Map<string, number>()

  constructor(private readonly code: Code) {
    this.by_program = code.programs.map(() => new Map())
  }

  /** @returns numbers of the parts */
  of(outcome: OutcomeForm, path: string): number[] {
    return Object.entries(outcome).map(([name, value]) =>
      this.part(name, value, `${path}.${JSON.stringify(name)}`),
    )
  }

  private part(name: string, value: string | number, path: string): number {
    const test = test_of(value, path)
    const { program, slot } = this.place(name, path)
    const key = JSON.stringify([program, slot, value])
    const known = this.known.get(key)
    if (known !== undefined) return known
    const index = this.known.size
    this.known.set(key, index)
    const of_slot = this.by_program[program]!
    of_slot.set(slot, [...(of_slot.get(slot) ?? []), { index, test }])
    return index
  }

  private place(name: string, path: string): { program: number; slot: number } {
    const { programs } = this.code
    const [task, wanted] = split_result(name)
    const program = programs.findIndex((each) => each.name === task)
    if (program < 0) {
      const names = programs.map((each) => each.name)
      throw new ScenarioError(
        path,
        `expected task.result; no task is named ${JSON.stringify(task)}${suggestion(task, names)}`,
      )
    }
    const { slots } = programs[program]!
    const slot = slots.indexOf(wanted)
    if (slot < 0)
      throw new ScenarioError(
        path,
        `${task} has no result ${JSON.stringify(wanted)}${suggestion(wanted, slots)}`,
      )
    return { program, slot }
  }
}

function test_of(value: string | number, path: string): Test {
  if (typeof value === 'number') return (ret) => ret === value
  if (value === 'ok') return (ret) => ret >= 0
  if (value === 'failed') return (ret) => ret < 0
  const errno = errno_value(value)
  if (errno === undefined)
    throw new ScenarioError(
      path,
      `expected ok, failed, the name of an errno or signal, or a number, not ${JSON.stringify(value)}${suggestion(value, ['ok', 'failed', ...errno_names])}`,
    )
  return (ret) => ret === errno
}

/** @throws ScenarioError naming the field */
export function compile_properties(of: Case, code: Code, path: string): Properties {
  const forms = of.form.properties ?? []
  const parts = new Parts(code)
  const watched = new Set(['check-use'])
  const never: Outcome[] = []
  const reaches: Outcome[] = []
  const by_code: CodeProperty[] = []
  forms.forEach((form, i) => {
    const at = `${path}[${i}]`
    const name = property_name(form)
    if (typeof form === 'string') watched.add(form)
    else if ('never' in form) never.push({ name, parts: parts.of(form.never, `${at}.never`) })
    else if ('reaches' in form) reaches.push({ name, parts: parts.of(form.reaches, `${at}.reaches`) })
    else by_code.push(code_property(of, form, at))
  })
  if (watched.has('parity')) throw new ScenarioError(path, 'parity is not modelled yet')
  const names = [...new Set(['check-use', ...forms.map(property_name)])]
  return { watched, never, reaches, code: by_code, parts: parts.by_program, names }
}

function code_property(of: Case, form: { code: string }, path: string): CodeProperty {
  const found = of.code.properties.get(form.code)
  if (found !== undefined) return found
  throw new ScenarioError(
    path,
    `the property ${JSON.stringify(form.code)} is code, which a scenario that is data does not carry`,
  )
}

const NONE: readonly string[] = []

/** Numbers of the parts that some call has shown so far; in a forked child a part of its parent's program runs. */
const parts_seen = (k: Kernel): ReadonlySet<number> => new Set(occurred.rows(k).map(({ part }) => part))

const has_come = (seen: ReadonlySet<number>, { parts }: Outcome): boolean =>
  parts.every((part) => seen.has(part))

/**
 * Names of the properties that are violated so far, in their order. A violation stays in every later state,
 * but for that of a property that is code: it is violated where it holds of the state.
 */
export function violated(k: Kernel, properties: Properties): readonly string[] {
  const rows = violation.rows(k)
  if (rows.length === 0 && properties.never.length === 0 && properties.code.length === 0) return NONE
  const names = rows.map((row) => row.property)
  if (properties.never.length > 0) {
    const seen = parts_seen(k)
    for (const outcome of properties.never) if (has_come(seen, outcome)) names.push(outcome.name)
  }
  for (const property of properties.code) if (property.violated(k)) names.push(property.name)
  return names.length < 2 ? names : properties.names.filter((name) => names.includes(name))
}

/** Names of the outcomes to be reached that this run has shown so far. */
export function reached(k: Kernel, properties: Properties): readonly string[] {
  const seen = parts_seen(k)
  return properties.reaches.filter((outcome) => has_come(seen, outcome)).map((outcome) => outcome.name)
}

/**
 * Taking calls out of programs: a counterexample is easier to read without those that do not matter. What
 * later calls want of a call that is gone, they get as the value that it returned in the run.
 */
import type { Kernel } from '../kernel/kernel.js'
import type { Case } from '../scenario/builder.js'
import type { CaseSystem } from '../scenario/case_system.js'
import { type CallInstruction, is_ref, result } from '../scenario/code.js'
import { ScenarioError } from '../scenario/error.js'
import type { ArgumentForm, CallForm, OpForm, TaskForm } from '../scenario/form.js'

/** A call that was taken out, and what it gave: all that is needed to do the same again. */
export interface Removal {
  /** Number of the task, from 1. */
  readonly task: number
  /** Place of the call among the operations of the task's program. */
  readonly op: number
  readonly ret: number
  readonly data?: string
  readonly fields?: readonly number[]
}

const is_call = (op: OpForm | undefined): op is CallForm => op !== undefined && 'call' in op

/** Names of results that something other than a plain argument looks at: their calls must stay. */
function looked_at(ops: readonly OpForm[]): Set<string> {
  const names = new Set<string>()
  for (const op of ops) {
    if ('use' in op) {
      for (const piece of typeof op.use === 'string' ? [op.use] : op.use)
        names.add(typeof piece === 'string' ? piece : piece.of)
      if (op.relies !== undefined) names.add(op.relies)
    } else if ('if' in op) {
      names.add(op.if.result)
      for (const name of looked_at([...op.then, ...(op.else ?? [])])) names.add(name)
    } else if ('repeat' in op) for (const name of looked_at(op.body)) names.add(name)
  }
  return names
}

/** Calls that might be taken out, the last first: by task number and place. */
export function candidates(of: Case): { task: number; op: number }[] {
  const wanted = new Set(
    (of.form.properties ?? []).flatMap((property) =>
      typeof property === 'object' && 'never' in property ? Object.keys(property.never) : [],
    ),
  )
  return of.form.tasks.flatMap((task, t) => {
    const kept = looked_at(task.program)
    return task.program
      .flatMap((op, i) => {
        if (!is_call(op) || op.child !== undefined) return []
        const named = op.as !== undefined && (kept.has(op.as) || wanted.has(`${task.name}.${op.as}`))
        return named ? [] : [{ task: t + 1, op: i }]
      })
      .reverse()
  })
}

const instructions = new WeakMap<CaseSystem, Map<string, CallInstruction>>()

/** The calls of a system by their place, as the end of their path has it: `tasks[0].program[3]`. */
function instructions_of(system: CaseSystem): Map<string, CallInstruction> {
  let known = instructions.get(system)
  if (known === undefined) {
    known = new Map()
    for (const call of system.code.programs.flatMap(({ calls }) => calls)) {
      const [place] = /tasks\[\d+\]\.program\[\d+\]$/.exec(call.path) ?? []
      if (place !== undefined && !known.has(place)) known.set(place, call)
    }
    instructions.set(system, known)
  }
  return known
}

/** The instruction that an operation at the top of a program became. */
export function instruction_at(system: CaseSystem, task: number, op: number): CallInstruction | undefined {
  return instructions_of(system).get(`tasks[${task - 1}].program[${op}]`)
}

/** What a call gave, as a run left it; 0 if the run did not come to it. */
export function removal_of(system: CaseSystem, k: Kernel, task: number, op: number): Removal {
  const call = instruction_at(system, task, op)
  const row = call && result.find(k, task, call.slot)
  if (row === undefined) return { task, op, ret: 0 }
  const { ret, data, fields } = row
  return {
    task,
    op,
    ret,
    ...(data === '' ? {} : { data }),
    ...(fields.length === 0 ? {} : { fields: [...fields] }),
  }
}

/**
 * The same case without these calls.
 *
 * @throws ScenarioError where one of them is no call that stands at the top of a program: removals come from tokens too
 */
export function without_calls(of: Case, removals: readonly Removal[], system: CaseSystem): Case {
  must_be_calls(of, removals)
  const tasks = of.form.tasks.map((task, t) =>
    without(
      task,
      removals.filter((each) => each.task === t + 1),
      system,
    ),
  )
  return { code: of.code, form: { ...of.form, tasks } }
}

function must_be_calls(of: Case, removals: readonly Removal[]): void {
  const seen = new Set<string>()
  for (const { task, op } of removals) {
    const form = of.form.tasks[task - 1]?.program[op]
    const place = `${task}:${op}`
    if (!is_call(form) || form.child !== undefined || seen.has(place)) {
      const path = `tasks[${task - 1}].program[${op}]`
      throw new ScenarioError(path, 'the token leaves this out, and it is no call that can be left out')
    }
    seen.add(place)
  }
}

function without(task: TaskForm, removals: readonly Removal[], system: CaseSystem): TaskForm {
  if (removals.length === 0) return task
  const values = new Map<string, { call: CallInstruction; removal: Removal }>()
  for (const removal of removals) {
    const op = task.program[removal.op]
    const call = instruction_at(system, removal.task, removal.op)
    if (is_call(op) && op.as !== undefined && call !== undefined) values.set(op.as, { call, removal })
  }
  const gone = new Set(removals.map((each) => each.op))
  const keep = task.program.filter((_, i) => !gone.has(i))
  return { ...task, program: keep.map((op) => substitute(op, values)) }
}

type Values = ReadonlyMap<string, { call: CallInstruction; removal: Removal }>

function substitute(op: OpForm, values: Values): OpForm {
  if ('call' in op) {
    const child = op.child === undefined ? {} : { child: op.child.map((each) => substitute(each, values)) }
    return {
      ...op,
      ...(op.args === undefined ? {} : { args: op.args.map((arg) => value_of(arg, values)) }),
      ...child,
    }
  }
  if ('repeat' in op) return { ...op, body: op.body.map((each) => substitute(each, values)) }
  if (!('if' in op)) return op
  // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
  const branch = { ...op, then: op.then.map((each) => substitute(each, values)) }
  return op.else === undefined ? branch : { ...branch, else: op.else.map((each) => substitute(each, values)) }
}

function value_of(arg: ArgumentForm, values: Values): ArgumentForm {
  if (!is_ref(arg)) return arg
  const [name, field] = arg.$.split('.')
  const known = values.get(name!)
  if (known === undefined) return arg
  const { removal, call } = known
  if (field !== undefined) return removal.fields?.[call.syscall.fields.indexOf(field)] ?? 0
  return removal.data === undefined ? removal.ret : { base64: btoa(removal.data) }
}

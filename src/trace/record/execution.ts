/**
 * From an explained execution to its token and its trace. What was found out about it stands in `Explained`, and
 * nothing of it is looked for again here.
 */
import { FastStore } from '../../kernel/fast_store.js'
import type { Store } from '../../kernel/kernel.js'
import type { Case } from '../../scenario/builder.js'
import type { CaseSystem } from '../../scenario/case_system.js'
import type { CallForm, CaseForm } from '../../scenario/form.js'
import { type Explained, explain_run } from '../../verdict/explained.js'
import { instruction_at, type Removal } from '../../verdict/removal.js'
import type { Trace } from '../trace.js'
import { record } from './record.js'
import { case_hash, encode_token, type Token } from './token.js'

/** A scenario as far as executions of it are concerned. */
export interface Executable {
  readonly name: string
  readonly summary: string
  readonly cases: readonly Case[]
}

/** An execution of a scenario's case. */
export interface Execution {
  readonly scenario: Executable
  /** Place of the case in the scenario. */
  readonly index: number
  readonly explained: Explained
}

/**
 * What a token means in a scenario.
 *
 * @param index of the case (find_case)
 * @throws ScenarioError, ReplayError where it does not fit the case
 */
export function execution_of(
  { removed, schedule }: Pick<Token, 'removed' | 'schedule'>,
  scenario: Executable,
  index: number,
): Execution {
  const explained = explain_run(case_of(scenario, index), removed, schedule, `cases[${index}]`)
  return { scenario, index, explained }
}

function case_of({ name, cases }: Executable, index: number): Case {
  const of = cases[index]
  if (of === undefined) throw new Error(`${name} has no case ${index}`)
  return of
}

/** The token that repeats an execution. */
export function token_of(execution: Execution): string {
  const { scenario, index, explained } = execution
  const { form } = case_of(scenario, index)
  const { removed, schedule, whole } = explained
  const wanted = only_wanted(form, whole, removed)
  return encode_token({ scenario: scenario.name, hash: case_hash(form), index, removed: wanted, schedule })
}

/** What nobody asks for need not be known. */
function only_wanted(form: CaseForm, whole: CaseSystem, removed: readonly Removal[]): Removal[] {
  const programs = form.tasks.map((task) => JSON.stringify(task.program))
  return removed.map(({ task, op, ret, data, fields }) => {
    const { as } = form.tasks[task - 1]!.program[op] as CallForm
    const asks = (name: string) => as !== undefined && programs[task - 1]!.includes(`{"$":"${name}"}`)
    const names = instruction_at(whole, task, op)?.syscall.fields ?? []
    const asked = fields?.map((value, i) => (asks(`${as}.${names[i]}`) ? value : 0)) ?? []
    return {
      task,
      op,
      ret: asks(as ?? '') ? ret : 0,
      ...(data !== undefined && asks(as ?? '') ? { data } : {}),
      ...(asked.some((value) => value !== 0) ? { fields: asked } : {}),
    }
  })
}

/**
 * Runs an execution and records it.
 *
 * @throws ReplayError where the schedule does not fit
 */
export function trace_execution(execution: Execution, store: Store = new FastStore()): Trace {
  const { system, schedule, verdict, property, cause, removed } = execution.explained
  const { form } = case_of(execution.scenario, execution.index)
  return record(
    {
      system,
      scenario: execution.scenario,
      case: { ...system.form, params: form.params },
      schedule,
      verdict,
      property,
      cause,
      removed: said(form, removed),
      token: token_of(execution),
    },
    store,
  )
}

/** `fstat of interpreter`, `400 × stat of attacker`: calls that were left out. */
function said(form: CaseForm, removed: readonly Removal[]): string[] {
  const times = new Map<string, number>()
  for (const { task, op } of removed) {
    const { name, program } = form.tasks[task - 1]!
    const call = `${(program[op] as CallForm).call} of ${name}`
    times.set(call, (times.get(call) ?? 0) + 1)
  }
  return [...times].map(([call, n]) => (n === 1 ? call : `${n} × ${call}`))
}

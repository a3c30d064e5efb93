/**
 * From a case and a schedule to a trace: everything that is said about an execution follows from these, so a
 * replay says the same as the search that found it, byte for byte.
 */

import { can_go_on, Player, PreemptionCount } from '../../explore/replay.js'
import { type Look, no_hurry, type Schedule, unless_cut_short } from '../../explore/system.js'
import { FastStore } from '../../kernel/fast_store.js'
import type { Store } from '../../kernel/kernel.js'
import type { Case } from '../../scenario/builder.js'
import { type CaseSystem, case_system } from '../../scenario/case_system.js'
import type { CallForm, CaseForm, Verdict } from '../../scenario/form.js'
import { cause_of, not_looked_for } from '../../verdict/cause.js'
import { instruction_at, type Removal, without_calls } from '../../verdict/removal.js'
import type { Trace } from '../trace.js'
import { record } from './record.js'
import { case_hash, encode_token, type Token } from './token.js'

/** A scenario as far as executions of it are concerned. */
export interface Executable {
  readonly name: string
  readonly summary: string
  readonly cases: readonly Case[]
}

export interface Execution {
  readonly scenario: Executable
  /** Place of the case in the scenario. */
  readonly index: number
  readonly removed: readonly Removal[]
  readonly schedule: Schedule
}

/** The case as it runs: without the calls that were left out. */
export function system_of({ scenario, index, removed }: Omit<Execution, 'schedule'>): CaseSystem {
  const of = scenario.cases[index]!
  const whole = case_system(of, `cases[${index}]`)
  return removed.length === 0 ? whole : case_system(without_calls(of, removed, whole), `cases[${index}]`)
}

/** The token that repeats an execution. */
export function token_of({ scenario, index, removed, schedule }: Execution): string {
  const of = scenario.cases[index]!
  const { form } = of
  const wanted = removed.length === 0 ? [] : only_wanted(of, removed)
  return encode_token({ scenario: scenario.name, hash: case_hash(form), index, removed: wanted, schedule })
}

/** What nobody asks for need not be known. */
function only_wanted(of: Case, removed: readonly Removal[]): Removal[] {
  const programs = of.form.tasks.map((task) => JSON.stringify(task.program))
  const whole = case_system(of)
  return removed.map(({ task, op, ret, data, fields }) => {
    const { as } = of.form.tasks[task - 1]!.program[op] as CallForm
    const asks = (name: string) => as !== undefined && programs[task - 1]!.includes(`{"$":"${name}"}`)
    const returns = instruction_at(whole, task, op)?.syscall.returns
    const names = typeof returns === 'object' ? returns.struct : []
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

/** What a token means in a scenario. @throws TokenError (find_case) */
export function execution_of(token: Token, scenario: Executable, index: number): Execution {
  return { scenario, index, removed: token.removed, schedule: token.schedule }
}

/**
 * Runs an execution and records it.
 *
 * @param look called at every stage that is made to find the cause: where the time is over the trace has none
 * @throws ReplayError where the schedule does not fit
 */
export function trace_execution(
  execution: Execution,
  store: Store = new FastStore(),
  look: Look = no_hurry,
): Trace {
  const { scenario, schedule, removed, index } = execution
  const system = system_of(execution)
  const player = new Player(system)
  const { verdict, property } = judge(system, schedule, player)
  const cause = () => cause_of(system, schedule, new Player(system, look, () => player.rewind()))
  const { form } = scenario.cases[index]!
  return record(
    {
      system,
      scenario,
      case: { ...system.form, params: form.params },
      schedule,
      verdict,
      property,
      cause: property === null ? null : unless_cut_short(cause, () => not_looked_for),
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

/** What this one execution shows; null for the verdict where it shows nothing wrong. */
function judge(
  system: CaseSystem,
  schedule: Schedule,
  player: Player,
): { verdict: Verdict | null; property: string | null } {
  const count = new PreemptionCount()
  const end = player.play(schedule, count)
  const [property = null] = system.violations(end)
  const tasks = end.store.tasks()
  if (property === null) {
    const stuck = tasks.length > 0 && !tasks.some((task) => can_go_on(end, task))
    return { verdict: stuck ? 'deadlock' : null, property }
  }
  return { verdict: count.preemptions === 0 ? 'hole' : 'race', property }
}

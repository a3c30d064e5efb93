/**
 * What is odd about a case although it can be explored: mostly something that was forgotten, so that the case does
 * not ask what its author meant. One function for each; none changes a verdict, and `explore --strict` takes each
 * for a failure. (A descriptor that is left open is none: the end of a program closes it.)
 */
import type { CaseSystem } from '../scenario/case_system.js'
import type { Code, UseInstruction } from '../scenario/code.js'
import type { CaseForm, OutcomeForm, PropertyForm } from '../scenario/form.js'
import { outcome_name } from '../scenario/properties.js'

/** Names of results, as `task.result`, that outcomes of the case speak of. */
function spoken_of({ properties = [] }: CaseForm): ReadonlySet<string> {
  return new Set(properties.flatMap((form) => Object.keys(outcome_of(form) ?? {})))
}

function outcome_of(form: PropertyForm): OutcomeForm | undefined {
  if (typeof form === 'string') return undefined
  if ('never' in form) return form.never
  return 'reaches' in form ? form.reaches : undefined
}

const once = (lints: readonly string[]): string[] => [...new Set(lints)]

/** A check on which no use relies, and of which no outcome speaks: its answer is for nothing. */
function check_without_use({ code, form }: CaseSystem): string[] {
  const spoken = spoken_of(form)
  return once(
    code.programs.flatMap(({ name, slots, calls }) =>
      calls
        .filter(
          (call) => call.gives === 'approval' && !call.relied && !spoken.has(`${name}.${slots[call.slot]}`),
        )
        .map(
          ({ slot }) =>
            `${name} makes the check ${slots[slot]}, and no use relies on it: use(bytes, { relies: ${slots[slot]} })`,
        ),
    ),
  )
}

/** A use that relies on no check, where no policy judges it either. */
function use_without_approval({ code, properties }: CaseSystem): string[] {
  if (properties.watched.has('policy')) return []
  return once(
    uses_of(code)
      .filter(({ use }) => use.relies < 0)
      .map(
        ({ name, bytes }) => `${name} uses ${bytes}, relying on no check: nothing says what they should be`,
      ),
  )
}

function uses_of({ instructions, program_of, programs }: Code) {
  return instructions.flatMap((use, at) => {
    if (use.op !== 'use') return []
    const { name, slots } = programs[program_of[at]!]!
    return [{ use: use as UseInstruction, name, bytes: use.pieces.map(({ slot }) => slots[slot]).join(', ') }]
  })
}

/** `policy` where no module has an opinion on objects, or where nothing is used. */
function policy_without_judge({ code, properties, config }: CaseSystem): string[] {
  if (!properties.watched.has('policy')) return []
  if (!config.modules.some((module) => module.approves !== undefined))
    return ['nothing could violate policy: no security module of the case has one']
  return uses_of(code).length === 0 ? ['nothing could violate policy: nobody uses any bytes'] : []
}

/** Nobody attacks, and no outcome has to be reached that would show what the case is about. */
function no_attacker({ code, properties }: CaseSystem): string[] {
  const attacked = code.programs.some(({ role }) => role === 'attacker')
  return attacked || properties.reaches.length > 0 ? [] : ['no task has the role attacker']
}

/** What runs of the case have shown. */
export interface Seen {
  /** Calls that were made, as `program:slot`, by the numbers of both. */
  readonly called: ReadonlySet<string>
  /** Numbers of the programs that touch a file or a name which tasks of no attacker touch too. */
  readonly meeting: ReadonlySet<number>
}

/** `never` of a call that no run makes. */
function never_of_no_call({ code, form }: CaseSystem, { called }: Seen): string[] {
  return (form.properties ?? []).flatMap((property) => {
    if (typeof property !== 'object' || !('never' in property)) return []
    const uncalled = Object.keys(property.never).filter((name) => {
      const program = code.programs.findIndex((each) => name.startsWith(`${each.name}.`))
      const { slots, name: task } = code.programs[program]!
      return !called.has(`${program}:${slots.indexOf(name.slice(task.length + 1))}`)
    })
    const said = property.name ?? outcome_name('never', property.never)
    return uncalled.map((name) => `nothing could violate ${said}: no run that was watched calls ${name}`)
  })
}

/** An attacker that never touches what the others do. */
function attacker_meets_nobody({ code }: CaseSystem, { meeting }: Seen): string[] {
  return code.programs.flatMap(({ name, role }, program) =>
    role !== 'attacker' || meeting.has(program)
      ? []
      : [`${name} never meets a file or a name that the others touch`],
  )
}

/** What can be seen of a case before it is run. */
export function lints_of(system: CaseSystem): string[] {
  return [check_without_use, use_without_approval, policy_without_judge, no_attacker].flatMap((lint) =>
    lint(system),
  )
}

/** What is odd about the runs of a case in which nothing was found. */
export function lints_of_runs(system: CaseSystem, seen: Seen): string[] {
  return [...never_of_no_call(system, seen), ...attacker_meets_nobody(system, seen)]
}

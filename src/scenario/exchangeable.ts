/**
 * Which tasks of a case nobody can tell apart: those with the same program, user, rights and role. Not so
 *
 * - a task that an outcome names (`never`, `reaches`): what it gets counts, and what another gets does not;
 * - a task that forks: its children have numbers that follow from its own, and it is told them.
 *
 * And none in a case
 *
 * - with a module or a property that is code, which may look at numbers and names of tasks, or with a rule that names one;
 * - with a file system of a type other than those below: names in /proc are numbers of tasks;
 * - in which a program goes by the number of an inode (`st.st_ino`): it follows from who has made the inode.
 */
import type { Exchangeable } from '../kernel/renumbering.js'
import type { Code } from './code.js'
import type { CaseForm } from './form.js'
import { split_result } from './properties.js'

/** Types of file systems in which no name and no content follows from the number of a task. */
const types: readonly string[] = ['tmpfs', 'ext4', 'erofs']

/** @param code the compiled programs of the case. @returns null where all tasks can be told apart */
export function exchangeable_tasks(form: CaseForm, code: Code, is_code: boolean): Exchangeable | null {
  if (is_code || !are_blind(form)) return null
  const named = named_tasks(form)
  const kinds = new Map<string, number[]>()
  form.tasks.forEach(({ name, ...rest }, i) => {
    if (named.has(name) || code.programs[i]!.calls.some(({ child }) => child >= 0)) return
    const kind = JSON.stringify(rest)
    kinds.set(kind, [...(kinds.get(kind) ?? []), i + 1])
  })
  const classes = [...kinds.values()].filter((tasks) => tasks.length > 1 && are_laid_out_alike(tasks, code))
  if (classes.length === 0) return null
  return {
    classes,
    label: (task) => form.tasks[task - 1]!.name,
    begins: (task) => code.programs[task - 1]!.entry,
  }
}

/** Whether nothing in the case looks at what tasks are called, or at numbers. */
function are_blind({ setup = {}, tasks }: CaseForm): boolean {
  const are_known = Object.values(setup.filesystems ?? {}).every(({ type }) => types.includes(type))
  const by_name = JSON.stringify(setup.lsm ?? {}).includes('"comm"')
  return are_known && !by_name && !JSON.stringify(tasks).includes('.st_ino"')
}

function named_tasks({ properties = [] }: CaseForm): ReadonlySet<string> {
  const outcomes = properties.flatMap((property) =>
    typeof property === 'string'
      ? []
      : 'never' in property
        ? [property.never]
        : 'reaches' in property
          ? [property.reaches]
          : [],
  )
  return new Set(outcomes.flatMap((outcome) => Object.keys(outcome).map((name) => split_result(name)[0])))
}

/** Their programs have the same steps one behind another, so that a place in one is a place in each. */
function are_laid_out_alike(tasks: readonly number[], { instructions, programs, program_of }: Code): boolean {
  const steps = tasks.map((task) => {
    const { entry, end } = programs[task - 1]!
    const ops = instructions.slice(entry, end + 1)
    const all_its_own = ops.every((_, i) => program_of[entry + i] === task - 1)
    return all_its_own ? ops.map(({ op }) => op).join() : `${task}`
  })
  return steps.every((each) => each === steps[0])
}

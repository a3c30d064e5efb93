/** Random cases: a set-up, two or more tasks, and what must hold. */
import fc from 'fast-check'
import type { Case } from '../scenario/builder.js'
import type { CaseForm, OpForm, TaskForm } from '../scenario/form.js'
import { type ProgramOptions, programs } from './programs.js'
import { type SetupOptions, setups } from './setups.js'

export interface CaseOptions {
  readonly setup?: SetupOptions
  /** Of every task, or of each; the last is that of all further ones. */
  readonly program?: ProgramOptions | readonly ProgramOptions[]
  /** Tasks at least and at most; two unless told. */
  readonly min_tasks?: number
  readonly max_tasks?: number
}

interface Person {
  readonly uid: number
  readonly umask: number
  readonly program: readonly OpForm[]
}

const task_of = ({ uid, umask, program }: Person, i: number): TaskForm => ({
  name: `task${i + 1}`,
  role: i === 0 ? 'victim' : 'attacker',
  ...(uid === 0 ? {} : { uid, gid: uid }),
  ...(umask === 0o022 ? {} : { umask }),
  program,
})

/** A case as data. */
export function cases(options: CaseOptions = {}): fc.Arbitrary<CaseForm> {
  const { min_tasks = 2, max_tasks = Math.max(2, min_tasks) } = options
  const each = [options.program ?? {}].flat() as ProgramOptions[]
  const person = (i: number) =>
    fc.record<Person>({
      uid: fc.constantFrom(0, 0, 0, 1000),
      umask: fc.constantFrom(0o022, 0o022, 0, 0o777),
      program: programs(each[Math.min(i, each.length - 1)]),
    })
  // All are made and some are left out, so that a case can shrink in every part.
  const count = fc.integer({ min: min_tasks, max: max_tasks })
  const all = fc.tuple(...Array.from({ length: max_tasks }, (_, i) => person(i)))
  const people = fc.tuple(count, all).map(([some, persons]) => persons.slice(0, some))
  return fc
    .record({
      setup: setups(options.setup),
      people,
    })
    .map(({ setup, people }) => ({
      setup,
      tasks: people.map(task_of),
      properties: ['check-use', 'policy'] as const,
    }))
}

/** The case that a form without code stands for: what `explore_case` and `case_system` take. */
export function case_of(form: CaseForm): Case {
  return { form, code: { modules: new Map(), properties: new Map() } }
}

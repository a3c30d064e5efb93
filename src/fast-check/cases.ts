/** Random cases: a set-up, two or more tasks, and what must hold. */
import fc from 'fast-check'
import type { Case } from '../scenario/builder.js'
import type { CaseForm, OpForm, SetupForm, TaskForm } from '../scenario/form.js'
import { AIM_LENGTH, type Aim, aims, with_target } from './attacks.js'
import { type ProgramOptions, programs } from './programs.js'
import { type SetupOptions, setups } from './setups.js'

/** What random cases are made of. */
export interface CaseOptions {
  /** What the set-ups are made of. */
  readonly setup?: SetupOptions
  /** Of every task, or of each; the last is that of all further ones. */
  readonly program?: ProgramOptions | readonly ProgramOptions[]
  /** Tasks at least and at most; two unless told. */
  readonly min_tasks?: number
  /** Tasks at most. */
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

/** A case as data. About one in four is no `safe` one, unless told what programs and trees are made of. */
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
      ...(may_aim(options, each) && min_tasks >= 2 ? { aim: aims } : {}),
    })
    .map(({ setup, people, aim }) => ({
      ...aimed(setup, people.map(task_of), aim),
      properties: ['check-use', 'policy'] as const,
    }))
}

/** Whoever says what programs or trees are made of gets nothing else. */
const may_aim = ({ setup }: CaseOptions, programs: readonly ProgramOptions[]): boolean =>
  setup?.trees === undefined &&
  programs.every(
    ({ operations, paths, max = AIM_LENGTH }) =>
      operations === undefined && paths === undefined && max >= AIM_LENGTH,
  )

/** The first two tasks use and attack a file, in about every second case. */
function aimed(setup: SetupForm, tasks: TaskForm[], aim: Aim | undefined): Pick<CaseForm, 'setup' | 'tasks'> {
  if (aim === undefined) return { setup, tasks }
  const { setup: with_file, path } = with_target(setup, aim.policy)
  const programs = [aim.victim(path), aim.attacker(path)]
  return {
    setup: with_file,
    tasks: tasks.map((task, i) => ({ ...task, program: programs[i] ?? task.program })),
  }
}

/** The case that a form without code stands for: what `explore_case` and `case_system` take. */
export function case_of(form: CaseForm): Case {
  return { form, code: { modules: new Map(), properties: new Map() } }
}

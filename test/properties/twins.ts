/** Random cases in which some tasks do the same with the same rights. */
import fc from 'fast-check'
import { cases } from '../../src/fast-check.js'
import type { CaseForm, TaskForm } from '../../src/scenario/form.js'
import { attacked, racy } from './support.js'

const operations = racy.program as { readonly operations: readonly string[] }
/** Without fork: whoever forks has no twin. */
const alone = { ...operations, operations: operations.operations.filter((each) => each !== 'fork') } as never

const twin = (task: TaskForm, i: number): TaskForm => ({ ...task, name: `${task.name}-${i}` })

/** The last task once or twice more; sometimes the first too. */
function with_twins(form: CaseForm, more: number, first_too: boolean): CaseForm {
  const [first] = form.tasks
  const last = form.tasks.at(-1)!
  const twins = Array.from({ length: more }, (_, i) => twin(last, i + 2))
  return { ...form, tasks: [...form.tasks, ...twins, ...(first_too ? [twin(first!, 2)] : [])] }
}

/** Up to four tasks, of which two or three are alike, on file systems of any kind. */
export const twins: fc.Arbitrary<CaseForm> = fc
  .tuple(
    fc.oneof(
      cases({ ...racy, program: { ...(alone as object), max: 2 } as never }),
      cases({ ...racy, program: { ...(alone as object), max: 1 } as never }),
      attacked,
    ),
    fc.constantFrom(1, 1, 2),
    fc.constantFrom(false, false, false, true),
  )
  .map(([form, more, first_too]) => with_twins(form, more, first_too))

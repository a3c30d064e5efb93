/** Whether a trace agrees with itself: what it says of steps and tasks must be about those that it has. */
import type { Trace } from './trace.js'

/** @returns the first thing that does not fit, in words; null where all does */
export function inconsistency(trace: Trace): string | null {
  return wrong_steps(trace) ?? wrong_references(trace) ?? wrong_results(trace) ?? wrong_count(trace)
}

function wrong_steps({ steps, tasks }: Trace): string | null {
  const known = new Set(tasks.map(({ task }) => task))
  for (const [i, { n, task }] of steps.entries()) {
    if (n !== i + 1) return `step ${n} stands where step ${i + 1} is due`
    if (!known.has(task)) return `step ${n} is of task ${task}, which there is not`
  }
  return null
}

function wrong_references({ steps, tasks, cause, outcome, approvals, uses, results }: Trace): string | null {
  if (cause !== null && cause.step > steps.length)
    return `the cause is step ${cause.step}, and there are ${steps.length}`
  const unknown = outcome.find(({ step }) => !results.some((each) => each.step === step))
  if (unknown !== undefined) return `the outcome speaks of step ${unknown.step}, with which no call returns`
  for (const [what, list] of Object.entries({ approvals, uses, results })) {
    for (const { step, task } of list) {
      if (step < 1 || step > steps.length)
        return `${what} speak of step ${step}, and there are ${steps.length}`
      if (!tasks.some((each) => each.task === task))
        return `${what} speak of task ${task}, which there is not`
      if (steps[step - 1]!.task !== task)
        return `${what} speak of step ${step} as one of task ${task}, whose it is not`
    }
  }
  return null
}

/** Results stand at their steps, and once more in a list. */
function wrong_results({ steps, results }: Trace): string | null {
  const at_steps = steps.flatMap(({ result }) => (result === null ? [] : [result]))
  if (JSON.stringify(at_steps) === JSON.stringify(results)) return null
  return 'the results are not those of the steps'
}

function wrong_count({ steps, preemptions }: Trace): string | null {
  const counted = steps.filter(({ preempts }) => preempts).length
  return counted === preemptions ? null : `it has ${counted} preemptions, and says ${preemptions}`
}

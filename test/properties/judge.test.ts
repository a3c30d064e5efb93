/** Law 3 on the whole model: the search says what the judge says, of a thousand random small cases. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shortest, violates } from '../../src/explore/counterexample.js'
import { decide } from '../../src/explore/decide.js'
import { depth_first, depth_first_reduced } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import { Player } from '../../src/explore/replay.js'
import type { Report } from '../../src/explore/system.js'
import { case_of, cases } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.js'
import type { CaseForm, OpForm, OutcomeForm, TaskForm } from '../../src/scenario/form.js'
import { cause_of } from '../../src/verdict/cause.js'
import { cost, exact_shortest } from './exact.js'
import { attacked, racy, shipped } from './support.js'

/** Milliseconds: these take a while on a busy machine. */
const LONG = 300_000

/** What both must say alike. */
function findings(report: Report) {
  return {
    complete: report.complete,
    violations: report.violations.map(({ property }) => property).sort(),
    deadlock: report.deadlock !== null,
    outcomes: report.outcomes,
    witnesses: report.witnesses,
  }
}

/** Verdict and cause as the judge gives them: from the unreduced search, and an exact shortest counterexample. */
function judged(system: CaseSystem, report: Report) {
  if (report.violations.length === 0) {
    return { verdict: report.deadlock === null ? 'safe' : 'deadlock', preemptions: null, cause: null }
  }
  const schedule = exact_shortest(system, (k) => system.violations(k).length > 0)!
  const [preemptions] = cost(system, schedule)
  const verdict = preemptions === 0 ? 'hole' : 'race'
  return { verdict, preemptions, cause: cause_of(new Player(system), schedule)?.text ?? null }
}

function searched(system: CaseSystem) {
  const { verdict, counterexample, property } = decide(system)
  const cause =
    property === null ? null : (cause_of(new Player(system), counterexample!.schedule)?.text ?? null)
  const preemptions = property === null ? null : counterexample!.preemptions
  return { verdict, preemptions, cause }
}

interface Agreed {
  readonly verdicts: ReadonlyMap<string, number>
  readonly causes: ReadonlySet<string>
}

/** Compares on `count` cases that have at most `small` states. */
function agree(forms: fc.Arbitrary<CaseForm>, count: number, small: number, seed: number): Agreed {
  const verdicts = new Map<string, number>()
  const causes = new Set<string>()
  const of_few_states = forms
    .map((form) => ({ form, system: case_system(case_of(form)) }))
    .filter(({ system }) => depth_first(system, { fusion: false, max_states: small }).complete)
  const compare = fc.property(of_few_states, ({ system }) => {
    const expected = judge(system, new FastStore())
    const fused = depth_first(system)
    expect(findings(fused)).toEqual(findings(expected))
    expect(fused.states).toBeLessThanOrEqual(expected.states)
    const inferred = depth_first_reduced(system)
    expect(findings(inferred)).toEqual(findings(expected))
    expect(inferred.states).toBeLessThanOrEqual(fused.states)
    const { verdict, preemptions, cause } = judged(system, expected)
    if (preemptions !== null) {
      const { locality } = inferred
      expect(shortest(system, violates(system), { locality }).counterexample!.preemptions).toBe(preemptions)
    }
    expect(searched(system)).toEqual({ verdict, preemptions, cause })
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    if (cause !== null) causes.add(cause.split(/ by |:/)[0]!)
  })
  fc.assert(compare, { numRuns: count, seed })
  return { verdicts, causes }
}

/** Two calls of one kind get one name, and one call runs twice: results are overwritten. */
function overwritten(task: TaskForm, wish: number): TaskForm {
  const { program } = task
  const at = wish % program.length
  const op = program[at]!
  if (!('call' in op) || op.child !== undefined || wish % 3 === 2) return task
  // A check and a real exec are two kinds, told apart by their flags.
  const same = program.find(
    (each) => each !== op && 'call' in each && each.call === op.call && each.args?.[4] === op.args?.[4],
  )
  if (wish % 3 === 0 && same !== undefined && 'call' in same) {
    const renamed = JSON.stringify(task).replaceAll(JSON.stringify(op.as), JSON.stringify(same.as))
    return JSON.parse(renamed) as TaskForm
  }
  return { ...task, program: program.with(at, { repeat: 2, body: [op] }) }
}

const names_of = (op: OpForm): string[] =>
  'call' in op ? [op.as!] : 'repeat' in op ? op.body.flatMap(names_of) : []

/** A property on top: two calls, one of each task if they have any, do not both end so. */
const outcomes = fc.constantFrom<OutcomeForm[string]>('ok', 'failed', 'ENOENT', 'EACCES', 3, 4)
const with_outcome = fc
  .tuple(cases(racy), fc.nat(5), fc.nat(5), outcomes, outcomes, fc.nat(11), fc.nat(11))
  .map(([given, a, b, one, other, first, second]) => {
    const wishes = [first, second]
    const form = { ...given, tasks: given.tasks.map((task, i) => overwritten(task, wishes[i] ?? 2)) }
    const named = form.tasks.map((task) => task.program.flatMap(names_of))
    const never = {
      [`task1.${named[0]![a % named[0]!.length]}`]: one,
      [`task2.${named[1]![b % named[1]!.length]}`]: other,
    }
    return { ...form, properties: [...form.properties!, { never }] }
  })

test(
  'of 900 cases of any kind',
  () => {
    const { verdicts } = agree(with_outcome, 900, 200, 17)
    expect(verdicts.get('safe')).toBeGreaterThan(300)
    expect(verdicts.get('hole')).toBeGreaterThan(20)
  },
  LONG,
)

test(
  'of 100 cases in which a checked file is attacked',
  () => {
    const { verdicts, causes } = agree(attacked, 100, 2000, 19)
    // The agreement says little unless there is something to agree on.
    expect(verdicts.get('race')).toBeGreaterThan(15)
    expect(causes.size).toBeGreaterThan(2)
  },
  LONG,
)

test(
  'on shipped cases that are small enough',
  () => {
    const small = shipped
      .flatMap((scenario) => scenario.cases.filter((_, i) => i % 3 === 0))
      .map((each) => case_system(each))
      .filter((system) => depth_first(system, { fusion: false, max_states: 1500 }).complete)
    for (const system of small) {
      const expected = judge(system, new FastStore())
      expect(findings(depth_first(system))).toEqual(findings(expected))
    }
    expect(small.length).toBeGreaterThan(5)
  },
  LONG,
)

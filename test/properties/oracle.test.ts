/** The monitors against an oracle that shares nothing with them, run by run. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Random, random_run } from '../../src/explore/random_run.js'
import { case_of, cases } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { case_system } from '../../src/scenario/case_system.js'
import type { CaseForm, OpForm, OutcomeForm } from '../../src/scenario/form.js'
import { RunOracle } from './oracle.js'
import { attacked, racy } from './support.js'

const LONG = 300_000

const outcomes = fc.constantFrom<OutcomeForm[string]>('ok', 'failed', 'ENOENT', 'EACCES', 0, 3, 4, 5)

/** Where to lay a loop around, what to name twice, which results an outcome speaks of. */
const twists = fc.record({
  loop: fc.nat(3),
  from: fc.nat(5),
  task: fc.nat(1),
  again: fc.boolean(),
  names: fc.tuple(fc.nat(9), fc.nat(9)),
  values: fc.tuple(outcomes, outcomes),
})

const names_of = (ops: readonly OpForm[]): string[] =>
  ops.flatMap((op) =>
    'call' in op
      ? [op.as!, ...names_of(op.child ?? [])]
      : 'if' in op
        ? names_of([...op.then, ...(op.else ?? [])])
        : 'repeat' in op
          ? names_of(op.body)
          : [],
  )

/** A case with a loop, a second use of the same bytes, and an outcome that must never be. */
const twisted = (forms: fc.Arbitrary<CaseForm>): fc.Arbitrary<CaseForm> =>
  fc.tuple(forms, twists).map(([form, twist]) => {
    const tasks = form.tasks.map((task, i) => {
      if (i !== twist.task) return task
      const at = twist.from % task.program.length
      const body = task.program.slice(at)
      const looped = twist.loop < 2 ? body : [{ repeat: 2, body }]
      return {
        ...task,
        program: [...task.program.slice(0, at), ...looped, ...second_use(task.program, twist)],
      }
    })
    const parts = tasks.slice(0, 2).flatMap(({ name, program }, i) => {
      const names = names_of(program)
      if (names.length === 0) return []
      return [[`${name}.${names[twist.names[i]! % names.length]}`, twist.values[i]!] as const]
    })
    const never = parts.length === 0 ? [] : [{ never: Object.fromEntries(parts) }]
    return { ...form, tasks, properties: [...form.properties!, ...never] }
  })

function second_use(program: readonly OpForm[], { again }: { again: boolean }): OpForm[] {
  const branch = program.find((op) => 'if' in op && op.then.some((each) => 'use' in each))
  return again && branch !== undefined ? [branch] : []
}

/** Pieces of a file, of any length and from anywhere, taken together in any order for the whole or for a part, once or twice. */
const pieces = fc.array(fc.record({ at: fc.nat(4), length: fc.integer({ min: 1, max: 5 }) }), {
  minLength: 1,
  maxLength: 3,
})
const in_pieces: fc.Arbitrary<CaseForm> = fc
  .record({ form: attacked, pieces, part: fc.boolean(), early: fc.boolean(), again: fc.boolean() })
  .map(({ form, pieces, part, early, again }) => {
    const open: OpForm = { call: 'open', args: ['/f', 'O_RDONLY'], as: 'fd' }
    const args = [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK']
    const check: OpForm = { call: 'execveat', args, as: 'check', on_error: 'continue' }
    const reads = pieces.map<OpForm>(({ at, length }, i) => ({
      call: 'pread',
      args: [{ $: 'fd' }, length, at],
      as: `piece${i}`,
    }))
    const use: OpForm = { use: pieces.map((_, i) => `piece${i}`), relies: 'check', part }
    const body = [...(early ? [check, ...reads] : [...reads, check]), use]
    const program = [open, ...(again ? [{ repeat: 2, body }] : body)]
    return { ...form, tasks: form.tasks.map((task, i) => (i === 0 ? { ...task, program } : task)) }
  })

const run_elf = '\x7fELFgood'
const growth: OpForm[] = [
  { call: 'open', args: ['/f', 'O_WRONLY|O_APPEND'], as: 'grown', on_error: 'continue' },
  { call: 'write', args: [{ $: 'grown' }, 'more'], as: 'growth', on_error: 'continue' },
]

/** A loader that looks at pieces of a program itself, through its descriptor, a copy of it or memory, and then runs it. */
const loaders: fc.Arbitrary<CaseForm> = fc
  .record({
    form: attacked,
    pieces: fc.array(
      fc.record({ at: fc.constantFrom(0, 0, 4, 8), length: fc.constantFrom(4, 8, 9), by: fc.nat(2) }),
      { minLength: 1, maxLength: 2 },
    ),
    part: fc.boolean(),
    path: fc.boolean(),
    grows: fc.boolean(),
  })
  .map(({ form, pieces, part, path, grows }) => {
    const named = (name: string) => ({ $: name })
    const begin: OpForm[] = [
      { call: 'open', args: ['/f', 'O_RDONLY'], as: 'fd' },
      { call: 'dup', args: [named('fd')], as: 'copy' },
      { call: 'mmap', args: [0, 4096, 'PROT_READ', 'MAP_PRIVATE', named('copy'), 0], as: 'map' },
    ]
    const reads = pieces.map<OpForm>(({ at, length, by }, i) => {
      const as = `piece${i}`
      if (by === 0) return { call: 'peek', args: [named('map'), length], as }
      return { call: 'pread', args: [named(by === 1 ? 'fd' : 'copy'), length, at], as }
    })
    const run: OpForm = path
      ? { call: 'execve', args: ['/f', ['f'], null], as: 'run' }
      : { call: 'execveat', args: [named('fd'), '', ['f'], null, 'AT_EMPTY_PATH'], as: 'run' }
    const program = [...begin, ...reads, run, { use: pieces.map((_, i) => `piece${i}`), part }]
    const tree = { f: { file: run_elf, mode: 0o777 }, g: { file: run_elf, mode: 0o755 } }
    const filesystems = { root: { type: 'tmpfs' as const, tree } }
    const tasks = form.tasks.map((task, i) => ({
      ...task,
      program: i === 0 ? program : grows ? growth : task.program,
    }))
    return { ...form, setup: { ...form.setup, filesystems }, tasks }
  })

/** Plays `runs` random runs of each case and compares. @returns how often each property was broken */
function compare(
  forms: fc.Arbitrary<CaseForm>,
  count: number,
  runs: number,
  seed: number,
): Map<string, number> {
  const seen = new Map<string, number>()
  const property = fc.property(forms, fc.integer(), (form, start) => {
    const system = case_system(case_of(form))
    const random = new Random(start)
    for (let run = 0; run < runs; run++) {
      const k = system.boot(new FastStore())
      const schedule = random_run(k, random, 5000, () => false)
      const found = [...new Set(system.violations(k))].sort()
      expect(found).toEqual(new RunOracle(form, system).judge(schedule))
      for (const name of found) seen.set(name.split(' ')[0]!, (seen.get(name.split(' ')[0]!) ?? 0) + 1)
    }
  })
  fc.assert(property, { numRuns: count, seed })
  return seen
}

/** A seed that nobody has run; fast-check prints it where it fails. */
const fresh = () => Date.now() & 0x7fffffff

for (const { name, seed, least } of [
  { name: 'that are always the same', seed: 23, least: { use: 100, policy: 3, never: 100 } },
  // How many they have of each is a matter of chance: so few is none.
  { name: 'that nobody has run before', seed: fresh(), least: { use: 25, policy: 0, never: 25 } },
]) {
  test(
    `what the monitors say of a run, on cases ${name}`,
    () => {
      const seen = compare(twisted(cases(racy)), 600, 3, seed)
      for (const forms of [twisted(attacked), in_pieces, loaders, twisted(cases())])
        for (const [name, count] of compare(forms, 300, 2, seed))
          seen.set(name, (seen.get(name) ?? 0) + count)
      // Agreement says little unless there is something to agree on.
      const found = (property: string) => seen.get(property) ?? 0
      expect(found('check-use')).toBeGreaterThanOrEqual(least.use)
      expect(found('policy')).toBeGreaterThanOrEqual(least.policy)
      expect(found('never')).toBeGreaterThanOrEqual(least.never)
    },
    LONG,
  )
}

/**
 * The footprints of the whole model are true, which all reductions rest on: local stages are local, owned rows
 * are left alone by others, independent steps commute, and who sleeps has written nothing.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Move, System } from '../../src/explore/system.js'
import { audit } from '../../src/explore/system_audit.js'
import { case_of, cases, follow, schedules } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { all_functions } from '../../src/kernel/fn.js'
import type { Footprint } from '../../src/kernel/footprint.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { ASLEEP, step } from '../../src/kernel/machine.js'
import { conflict } from '../../src/kernel/notes.js'
import { all_syscalls } from '../../src/kernel/syscall.js'
import { case_system } from '../../src/scenario/case_system.js'
import type { CaseForm, OpForm, SetupForm } from '../../src/scenario/form.js'
import { attacked, racy, shipped } from './support.js'

const any_case = cases({ program: { min: 3, max: 10 }, max_tasks: 3 })

/** Three tasks after the same locks. */
const crowded = cases({
  ...racy,
  program: {
    ...racy.program,
    operations: ['write', 'truncate', 'rename', 'link', 'unlink', 'chmod'],
    max: 5,
  },
  min_tasks: 3,
})

/** What chance comes to too seldom: programs that go there straight. */
const overlaid: SetupForm = {
  filesystems: {
    root: { type: 'tmpfs', tree: { f: 'file', d: { dir: {} }, e: { file: '\x7fELF', mode: 0o755 } } },
    low: { type: 'tmpfs', tree: { f: 'low', g: '', d: { dir: { f: 'deep', g: '' } }, e: { dir: {} } } },
    up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
  ],
}
const opened: SetupForm['lsm'] = {
  rules: [{ name: 'late', rules: [{ hook: 'file_post_open', when: { uid: 1000 }, answer: 'EACCES' }] }],
}
const calls = (...list: [string, ...(string | number)[]][]): OpForm[] =>
  list.map(([call, ...args]) => ({ call, args, on_error: 'continue' }))
const shown: SetupForm = {
  filesystems: { root: { type: 'tmpfs', tree: { p: { dir: {} } } }, proc: { type: 'proc' } },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/p', filesystem: 'proc' },
  ],
}
const directed: Record<string, CaseForm> = {
  'a mode for what proc computes': {
    setup: shown,
    tasks: [{ name: 'a', program: calls(['chmod', '/p/self/fd', 0o700], ['lstat', '/p/self/fd/0']) }],
  },
  'names on an overlay': {
    setup: overlaid,
    tasks: [
      {
        name: 'a',
        program: calls(['link', '/m/f', '/m/d/new'], ['unlink', '/m/new'], ['rename', '/m/g', '/m/h']),
      },
      { name: 'b', program: calls(['unlink', '/m/d/f'], ['rmdir', '/m/e'], ['mkdir', '/m/d/k', 0o755]) },
    ],
  },
  'a reader before and after a copy-up': {
    setup: overlaid,
    tasks: [
      {
        name: 'a',
        program: calls(['open', '/m/f', 'O_RDONLY'], ['read', 3, 1], ['read', 3, 1], ['close', 3]),
      },
      { name: 'b', program: calls(['open', '/m/f', 'O_WRONLY'], ['write', 3, 'x']) },
    ],
  },
  'calls that need nothing but a descriptor, on a file and on a pipe': {
    setup: overlaid,
    tasks: [
      {
        name: 'a',
        program: [
          ...calls(['mknod', '/p', 'S_IFIFO|0644', 0], ['open', '/f', 'O_RDWR'], ['open', '/p', 'O_RDWR']),
          ...all_syscalls()
            .filter(
              ({ params, returns }) => params.length === 1 && params[0]?.kind === 'fd' && returns === 'int',
            )
            .flatMap(({ name }) => calls([name, 3], [name, 4])),
        ],
      },
      { name: 'b', program: calls(['open', '/f', 'O_WRONLY'], ['write', 3, 'x']) },
    ],
  },
  'two ends of a FIFO': {
    setup: {
      filesystems: { root: { type: 'tmpfs', tree: { p: { device: 'fifo', mode: 0o666 } } } },
      mounts: [{ at: '/', filesystem: 'root' }],
    },
    tasks: [
      { name: 'a', program: calls(['open', '/p', 'O_RDONLY'], ['read', 3, 9], ['read', 3, 9]) },
      { name: 'b', program: calls(['open', '/p', 'O_WRONLY'], ['write', 3, 'x'], ['write', 3, 'y']) },
    ],
  },
  'a module that refuses after the open': {
    setup: { ...overlaid, lsm: opened },
    tasks: [
      { name: 'a', uid: 1000, program: calls(['open', '/f', 'O_RDONLY'], ['open', '/m/f', 'O_RDONLY']) },
      { name: 'b', program: calls(['open', '/f', 'O_WRONLY|O_TRUNC']) },
    ],
  },
}

/** Functions and stages that no audit comes to, and why not. */
const unreached: readonly (readonly [RegExp, string])[] = [
  [/^pause\./, 'a program that pauses makes no stage any more: only the shell enters it'],
  [/\.i_op$/, 'every file system type that can be written has the operation'],
  [
    /^ovl_release\.fput|^ovl_read_iter\.fput/,
    'a real file with a release of its own: an overlay on an overlay',
  ],
]

test('local stages are local, and nobody touches what another task owns; every function is looked at', () => {
  const problems = new Set<string>()
  const stages = new Set<string>()
  const look = (system: System, runs: number, seed: number) => {
    const report = audit(system, runs, seed)
    for (const problem of report.problems) problems.add(problem)
    for (const stage of report.stages) stages.add(stage)
  }
  for (const { cases: all } of shipped) for (const each of all) look(case_system(each), 2, 1)
  for (const form of Object.values(directed)) look(case_system(case_of(form)), 20, 1)
  const compare = fc.property(any_case, fc.integer(), (form, seed) => {
    look(case_system(case_of(form)), 1, seed)
    expect([...problems]).toEqual([])
  })
  fc.assert(compare, { numRuns: 1500, seed: 29 })
  expect([...problems]).toEqual([])

  // Those of the model: where test files share a process, others are there too.
  const others = ['test', 'toy']
  const model = all_functions().filter(({ source }) => !others.includes(source))
  const all = model.flatMap((fn) => fn.steps.map((each) => `${fn.name}.${each.name}`))
  const missed = all.filter((stage) => !stages.has(stage))
  expect(missed.filter((stage) => !unreached.some(([pattern]) => pattern.test(stage)))).toEqual([])
  const functions = new Set([...stages].map((stage) => stage.split('.')[0]))
  expect(model.filter(({ name }) => name !== 'pause' && !functions.has(name))).toEqual([])
}, 300_000)

const view = (k: Kernel) =>
  JSON.stringify([k.store.snapshot(), k.store.hash_lo, k.store.hash_hi, k.store.tasks()])

/** The next step of a task with its first answer: what it touches. Takes it back. */
function look_ahead(k: Kernel, task: number): { footprint: Footprint } {
  const mark = k.store.mark()
  k.store.note()
  step(k, task)
  const footprint = k.store.footprint()
  k.store.undo(mark)
  return { footprint }
}

/** The state after two steps; `sleeps` where one of them would. */
function after(k: Kernel, ...tasks: readonly number[]): string {
  const mark = k.store.mark()
  const slept = tasks.some((task) => k.store.depth(task) === 0 || step(k, task) === ASLEEP)
  const state = slept ? 'sleeps' : view(k)
  k.store.undo(mark)
  return state
}

test('steps whose footprints do not conflict commute', () => {
  let commuted = 0
  let conflicts = 0
  fc.assert(
    fc.property(fc.oneof(any_case, crowded, attacked), schedules(200, 100), (form, wishes) => {
      const meet = (k: Kernel, { task: last }: Move) => {
        const tasks = k.store.tasks()
        if (tasks.length < 2) return
        const [a, b] = [tasks[0]!, tasks[1 + (last % (tasks.length - 1))]!]
        const [x, y] = [look_ahead(k, a), look_ahead(k, b)]
        if (conflict(x.footprint, y.footprint)) {
          conflicts++
          return
        }
        const one = after(k, a, b)
        if (one !== after(k, b, a)) throw new Error(`task ${a} and ${b} do not commute`)
        if (one !== 'sleeps' && [x, y].every(({ footprint }) => footprint.length > 0)) commuted++
      }
      follow(case_system(case_of(form)), new FastStore(), wishes, meet)
    }),
    { numRuns: 200, seed: 31 },
  )
  expect(commuted).toBeGreaterThan(2000)
  expect(conflicts).toBeGreaterThan(20)
})

test('a stage that sleeps has written nothing', () => {
  let sleepers = 0
  const look = (k: Kernel) => {
    for (const task of k.store.tasks()) {
      const mark = k.store.mark()
      const before = [k.store.hash_lo, k.store.hash_hi]
      const state = task === k.task ? undefined : view(k)
      if (step(k, task) === ASLEEP) {
        sleepers++
        expect([k.store.hash_lo, k.store.hash_hi]).toEqual(before)
        if (state !== undefined) expect(view(k)).toBe(state)
        const { footprint } = look_ahead(k, task)
        expect(footprint.filter((touch) => touch.write)).toEqual([])
      }
      k.store.undo(mark)
    }
  }
  fc.assert(
    fc.property(crowded, schedules(200, 100), (form, wishes) => {
      follow(case_system(case_of(form)), new FastStore(), wishes, look)
    }),
    { numRuns: 60, seed: 37 },
  )
  expect(sleepers).toBeGreaterThan(100)
})

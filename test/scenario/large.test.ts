/** Large set-ups are made in proportion to their size, or refused in words. */
import { expect, it } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { number_of, RANGE_SIZE } from '../../src/kernel/schema.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import type { TreeForm } from '../../src/scenario/form.js'
import { trace_execution } from '../../src/trace/record/execution.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { inode } from '../../src/vfs/inode.js'

const system_of = (tree: TreeForm) =>
  case_system({
    form: {
      setup: {
        filesystems: { root: { type: 'tmpfs', tree } },
        mounts: [{ at: '/', filesystem: 'root' }],
      },
      tasks: [{ name: 'a', program: [{ call: 'stat', args: ['/f'] }] }],
    },
    code: { modules: new Map(), properties: new Map() },
  })

it('a hundred thousand files in one directory take seconds, not half a minute', () => {
  const tree = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`f${i}`, 'x']))
  const before = process.cpuUsage().user
  system_of(tree).boot(new FastStore())
  expect(process.cpuUsage().user - before).toBeLessThan(12_000_000)
}, 120_000)

it('two thousand directories in each other work, and more have no path', () => {
  const deep = (n: number) => system_of({ [`${'d/'.repeat(n)}f`]: 'x' }).boot(new FastStore())
  deep(2000)
  expect(() => deep(3000)).toThrow('no path leads to a file below more than 2048 directories')
})

it('a name that the kernel cannot have is refused', () => {
  system_of({ ['x'.repeat(255)]: '' }).boot(new FastStore())
  expect(() => system_of({ ['x'.repeat(256)]: '' }).boot(new FastStore())).toThrow(
    'a name has at most 255 bytes, and this one 256',
  )
})

it('where there are no more numbers for rows that is said', () => {
  expect(number_of(inode.info, 0, RANGE_SIZE - 1)).toBe(RANGE_SIZE - 1)
  expect(() => number_of(inode.info, 0, RANGE_SIZE)).toThrow('more than 262143 of inode at once')
})

it('a long program is compiled in proportion to its length', () => {
  const program = Array.from({ length: 5000 }, () => ({ call: 'stat' as const, args: ['/f'] }))
  const before = process.cpuUsage().user
  case_system({
    form: { tasks: [{ name: 'a', program }] },
    code: { modules: new Map(), properties: new Map() },
  })
  expect(process.cpuUsage().user - before).toBeLessThan(10_000_000)
}, 120_000)

it('a race in a large set-up is shortened and recorded in proportion to its steps', () => {
  const tree = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, 'x']))
  const look = Array.from({ length: 40 }, () => ({ call: 'stat' as const, args: ['/s'] }))
  const [of] = scenario_from_form({
    toctoscope: 1,
    name: 'large',
    summary: 'A race among many files',
    cases: [
      {
        setup: {
          filesystems: { root: { type: 'tmpfs', tree: { ...tree, s: { file: 'good', mode: '0755' } } } },
          mounts: [{ at: '/', filesystem: 'root' }],
        },
        tasks: [
          {
            name: 'victim',
            role: 'victim',
            program: [
              ...look,
              { call: 'open', args: ['/s', 'O_RDONLY'], as: 'fd' },
              {
                call: 'execveat',
                args: [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'],
                as: 'check',
              },
              ...look,
              { call: 'read', args: [{ $: 'fd' }, 100], as: 'bytes' },
              { use: 'bytes', relies: 'check' },
            ],
          },
          { name: 'attacker', role: 'attacker', program: [{ call: 'truncate', args: ['/s', 1] }] },
        ],
      },
    ],
  }).cases
  const before = process.cpuUsage().user
  const report = explore_case(of!)
  const scenario = { name: 'large', summary: '', cases: [of!] }
  const trace = trace_execution({ scenario, index: 0, explained: report.explained! })
  expect(report.removed).toHaveLength(80)
  expect(trace.uses[0]!.bytes).not.toBe(trace.approvals[0]!.bytes)
  expect(process.cpuUsage().user - before).toBeLessThan(8_000_000)
}, 120_000)

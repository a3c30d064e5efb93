/** What the property tests share: shipped cases by name, and what both a test and its reader call things. */
import fc from 'fast-check'
import { expect } from 'vitest'
import mapping_size from '../../scenarios/mapping-size.js'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import path_or_descriptor from '../../scenarios/path-or-descriptor.js'
import plain_write from '../../scenarios/plain-write-after-check.js'
import writer_at_check from '../../scenarios/writer-at-check.js'
import { replay } from '../../src/explore/replay.js'
import type { Schedule } from '../../src/explore/system.js'
import { type CaseOptions, cases } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Case, Scenario } from '../../src/scenario/builder.js'
import type { CaseSystem } from '../../src/scenario/case_system.js'
import { type CaseForm, case_name, type SetupForm, type TreeForm } from '../../src/scenario/form.js'

export const shipped: readonly Scenario[] = [
  overlay_copy_up,
  mapping_size,
  plain_write,
  writer_at_check,
  path_or_descriptor,
]

/** Small cases in which two tasks are after the same few files, one often on the strength of a check. */
export const racy: CaseOptions = {
  setup: { trees: { names: ['f', 's'], depth: 0 }, profiles: ['6.11', '6.18', '6.19', '7.2'] },
  program: {
    max: 2,
    paths: ['/m/f', '/m/f', '/m/f', '/f', '/m/s'],
    operations: [
      ...['use', 'use', 'use', 'check', 'check_path', 'read', 'peek', 'stat', 'open_read', 'exec'],
      ...['write', 'write', 'pwrite', 'poke', 'truncate', 'ftruncate', 'open_truncate', 'open_create'],
      ...['rename', 'unlink', 'link', 'symlink', 'chmod', 'fchmod', 'close', 'dup', 'map', 'munmap', 'fork'],
    ],
  },
}

const attacks = [
  'truncate',
  'open_truncate',
  'write',
  'write',
  'pwrite',
  'ftruncate',
  'rename',
  'unlink',
  'chmod',
]
const files: TreeForm = { f: { file: 'good', mode: 0o777 }, g: { file: 'evil!', mode: 0o755 } }
const plain = fc.record<SetupForm>({
  profile: fc.constantFrom('6.18', '7.2'),
  filesystems: fc
    .constantFrom<'tmpfs' | 'ext4'>('tmpfs', 'ext4')
    .map((type) => ({ root: { type, tree: files } })),
  mounts: fc.constant([{ at: '/', filesystem: 'root' }]),
})

/** One uses a file on the strength of a check; the other makes one or two calls that might change it. */
export const attacked: fc.Arbitrary<CaseForm> = fc
  .tuple(
    plain,
    cases({
      program: [
        { max: 1, paths: ['/f'], operations: ['use', 'use', 'use_path'] },
        { max: 1, paths: ['/f', '/f', '/f', '/g'], operations: attacks },
      ],
    }),
  )
  .map(([setup, form]) => ({ ...form, setup }))

/** The case of a scenario with these parameters, as `--case` writes them. */
export function case_named(scenario: Scenario, name: string): Case {
  const found = scenario.cases.find((each) => case_name(each.form) === name)
  expect(found, `${scenario.name} ${name}`).toBeDefined()
  return found!
}

/** The system calls of a schedule in the order in which they are entered: `task.call`. */
export function calls_in_order(system: CaseSystem, schedule: Schedule): string[] {
  const calls: string[] = []
  replay(system, new FastStore(), schedule, {
    before: (k) => {
      k.events = []
    },
    after: (_, { task }, _index, events) => {
      for (const { kind, text } of events) {
        if (kind === 'call') calls.push(`${system.code.programs[task - 1]!.name}: ${text}`)
      }
    },
  })
  return calls
}

/** Which tasks nobody can tell apart. */
import { expect, test } from 'vitest'
import { case_of } from '../../src/fast-check.js'
import { case_system } from '../../src/scenario/case_system.js'
import type { CaseForm, OpForm, TaskForm } from '../../src/scenario/form.js'

const write: readonly OpForm[] = [
  { call: 'open', args: ['/f', 'O_WRONLY'], as: 'fd' },
  { call: 'write', args: [{ $: 'fd' }, 'evil'], as: 'wrote' },
]
const writer = (name: string, more: Partial<TaskForm> = {}): TaskForm => ({
  name,
  role: 'attacker',
  program: write,
  ...more,
})

const setup = {
  filesystems: { root: { type: 'tmpfs', tree: { f: { file: 'good', mode: 0o666 } } } },
  mounts: [{ at: '/', filesystem: 'root' }],
} as const

/** The classes of three tasks, of which the first two are alike. */
function classes(more: Partial<CaseForm>, ...tasks: TaskForm[]): readonly (readonly number[])[] {
  const form = { setup, tasks: tasks.length > 0 ? tasks : [writer('a'), writer('b'), reader], ...more }
  return case_system(case_of(form as CaseForm)).exchangeable?.classes ?? []
}

const reader: TaskForm = {
  name: 'r',
  program: [
    { call: 'open', args: ['/f', 'O_RDONLY'], as: 'fd' },
    { call: 'fstat', args: [{ $: 'fd' }], as: 'st' },
    { call: 'read', args: [{ $: 'fd' }, { $: 'st.st_size' }], as: 'bytes' },
  ],
}

test('those of the same program, user and role', () => {
  expect(classes({})).toEqual([[1, 2]])
  expect(classes({}, writer('a'), reader, writer('b'), { ...reader, name: 's' }, writer('c'))).toEqual([
    [1, 3, 5],
    [2, 4],
  ])
  expect(classes({}, writer('a'), writer('b', { uid: 1000 }))).toEqual([])
  expect(classes({}, writer('a'), writer('b', { role: 'other' }))).toEqual([])
  expect(classes({}, writer('a'), reader)).toEqual([])
})

test('where there are none it is not asked of every state', () => {
  const form = { setup, tasks: [writer('a'), reader] }
  expect(case_system(case_of(form)).exchangeable).toBeNull()
})

test('not one that an outcome names', () => {
  expect(classes({ properties: [{ never: { 'a.wrote': 4 } }] })).toEqual([])
  expect(classes({ properties: [{ reaches: { 'b.wrote': 4 } }] })).toEqual([])
  expect(classes({ properties: ['check-use', { never: { 'r.bytes': 'failed' } }] })).toEqual([[1, 2]])
  const three = [writer('a'), writer('b'), writer('c')]
  expect(classes({ properties: [{ never: { 'b.wrote': 4 } }] }, ...three)).toEqual([[1, 3]])
})

test('not one that forks, though another may', () => {
  const forks: OpForm[] = [{ call: 'fork', child: [], as: 'pid' }]
  expect(classes({}, writer('a', { program: forks }), writer('b', { program: forks }))).toEqual([])
  const also: OpForm[] = [...write, ...forks]
  expect(classes({}, writer('a', { program: also }), writer('b', { program: also }))).toEqual([])
  expect(classes({}, writer('a'), writer('b'), { name: 'f', program: forks })).toEqual([[1, 2]])
})

test('nobody where a rule asks for a name', () => {
  const asks = { name: 'm', rules: [{ hook: 'file_open', when: { comm: 'a' }, answer: 'EACCES' }] }
  const blind = { name: 'm', rules: [{ hook: 'file_open', when: { uid: 5 }, answer: 'EACCES' }] }
  expect(classes({ setup: { ...setup, lsm: { rules: [asks] } } as never })).toEqual([])
  expect(classes({ setup: { ...setup, lsm: { rules: [blind] } } as never })).toEqual([[1, 2]])
})

test('nobody where a program goes by the number of an inode', () => {
  const by_number: TaskForm = JSON.parse(JSON.stringify(reader).replaceAll('st.st_size', 'st.st_ino'))
  expect(classes({}, writer('a'), writer('b'), by_number)).toEqual([])
})

test('nobody on a file system whose names follow from tasks', () => {
  const filesystems = { ...setup.filesystems, other: { type: 'proc' } }
  const form = { setup: { ...setup, filesystems } } as never
  try {
    expect(classes(form)).toEqual([])
  } catch (error) {
    // Where there is no such file system there is nothing to exchange either.
    expect(String(error)).toContain('proc')
  }
})

import { expect, test } from 'vitest'
import type { Touch } from '../../src/kernel/footprint.js'
import { audit_local, audit_owned, owner_of } from '../../src/kernel/footprint_audit.js'
import { in_range } from '../../src/kernel/schema.js'

const owned = new Set(['fd', 'task'])
const touch = (table: string, row: string, write = true, group = 'g'): Touch => ({ write, table, row, group })
const row = (task: number, place: number) => String(in_range(task, place))

test('a row belongs to the task of its range, or to the task that its number names', () => {
  expect(owner_of(row(3, 7))).toBe(3)
  expect(owner_of('3')).toBe(3)
  expect(owner_of('3:17')).toBe(3)
  expect(owner_of('=3:17')).toBe(3)
  expect(owner_of('=3:*')).toBe(3)
  expect(owner_of('@3')).toBe(3)
  expect(owner_of('*')).toBe(0)
  expect(owner_of('=name')).toBe(0)
})

test('a local stage may touch what its task owns', () => {
  const fine = [touch('fd', row(2, 3)), touch('task', '2', false), touch('fd', '@2', false, 'exists')]
  expect(audit_local([...fine, touch('fd', '*', true, 'members')], 2, owned)).toEqual([])
})

test.each([
  ['a table that nobody owns', touch('inode', '2', false)],
  ["another task's row", touch('fd', row(1, 3), false)],
  ['the list of all rows', touch('fd', '*', false, 'members')],
])('a local stage must not touch %s', (_, bad) => {
  expect(audit_local([touch('task', '2'), bad], 2, owned)).toEqual([bad])
})

test('no stage touches what a running task owns, but its own', () => {
  const theirs = touch('fd', row(1, 3), false)
  const all = touch('fd', '*', false, 'members')
  expect(audit_owned([theirs], 2, owned, [1, 2])).toEqual([theirs])
  expect(audit_owned([all], 2, owned, [1, 2])).toEqual([all])
  expect(audit_owned([all], 2, owned, [2])).toEqual([])
  expect(audit_owned([touch('inode', '1'), touch('fd', '*', true, 'members')], 2, owned, [1, 2])).toEqual([])
})

test('a fork may fill in what belongs to a task that has not started', () => {
  expect(audit_owned([touch('task', '3'), touch('fd', row(3, 0))], 2, owned, [1, 2])).toEqual([])
})

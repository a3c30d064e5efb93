/** The typed methods are the model's system calls: they are made from the declarations, and every one writes its call. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import '../../src/model.js'
import { all_syscalls, define_syscall } from '../../src/kernel/syscall.js'
import { calls_file, calls_path } from '../../tools/calls.js'
import { case_of } from './support.js'

test('the methods are those that the declarations make (npm run docs)', () => {
  expect(readFileSync(calls_path, 'utf8')).toBe(calls_file())
})

test('every method writes its call', () => {
  const methods = all_syscalls().filter(({ returns }) => returns !== 'task' && returns !== 'never')
  expect(methods.length).toBeGreaterThan(50)
  const { form } = case_of((s) => {
    const task = s.task('t') as unknown as Record<string, (...args: unknown[]) => unknown>
    for (const { name, params } of methods) task[name]!(...params.map(() => 0))
  })
  expect(form.tasks[0]!.program.map((op) => 'call' in op && op.call)).toEqual(methods.map(({ name }) => name))
})

test('a call is declared once', () => {
  expect(() => define_syscall(all_syscalls()[0]!)).toThrow(/is defined twice/)
})

import { expect, test } from 'vitest'
import { EACCES, errno_name, errno_value, raise, SIGBUS, signal_of } from '../../src/kernel/errno.js'

test('errors and signals have names, and names have the numbers that stages return', () => {
  expect([errno_name(-EACCES), errno_value('EACCES')]).toEqual(['EACCES', -EACCES])
  expect([errno_name(raise(SIGBUS)), errno_value('SIGBUS')]).toEqual(['SIGBUS', raise(SIGBUS)])
  expect([signal_of(raise(SIGBUS)), signal_of(-EACCES)]).toEqual([SIGBUS, 0])
})

test('what has no name is told by its number, and what is no name has none', () => {
  expect(errno_name(-3999)).toBe('errno 3999')
  expect(errno_name(raise(99))).toBe('signal 99')
  for (const word of ['EWHAT', 'toString', '__proto__', '']) expect(errno_value(word)).toBeUndefined()
})

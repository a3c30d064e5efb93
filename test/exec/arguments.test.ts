/** What counting and copying the strings of an exec comes to, at its limits (fs/exec.c). */
import { describe, expect, test } from 'vitest'
import { copy_strings } from '../../src/exec/arguments.js'
import { E2BIG, EFAULT } from '../../src/kernel/errno.js'
import { NULL_POINTER } from '../../src/kernel/syscall.js'

/** The longest string, 131072 bytes with its NUL; and all together 2 MiB. */
const LONGEST = 'a'.repeat(131071)
const ALL = 2 * 1024 * 1024
/** Strings that take so many bytes, with a NUL and a pointer each. */
function strings(bytes: number): string[] {
  const whole = Math.floor(bytes / (131072 + 8))
  const rest = bytes - whole * (131072 + 8)
  return [...Array<string>(whole).fill(LONGEST), 'b'.repeat(rest - 9)]
}

test('one string may have 131072 bytes with its NUL, in UTF-8, and of what follows a NUL nothing counts', () => {
  expect(copy_strings('/p', [LONGEST], [])).toBe(0)
  expect(copy_strings('/p', [`${LONGEST}a`], [])).toBe(-E2BIG)
  expect(copy_strings('/p', [], [`${LONGEST}a`])).toBe(-E2BIG)
  expect(copy_strings('/p', [`${LONGEST.slice(1)}ä`], [])).toBe(-E2BIG)
  expect(copy_strings('/p', [`${LONGEST}\0a`], [])).toBe(0)
})

describe('all together may have 2 MiB', () => {
  const room = ALL - '/p'.length - 1

  test('of strings of either kind, with a pointer each and the name', () => {
    expect(copy_strings('/p', strings(room), [])).toBe(0)
    expect(copy_strings('/p', strings(room + 1), [])).toBe(-E2BIG)
    expect(copy_strings('/p/', strings(room), [])).toBe(-E2BIG)
    const [first, ...others] = strings(room)
    expect(copy_strings('/p', [first!], others)).toBe(0)
    expect(copy_strings('/p', [first!], [...others, ''])).toBe(-E2BIG)
  })

  test('of pointers alone: a call without arguments gets one empty one', () => {
    const name = 'n'.repeat(7)
    expect(copy_strings(name, [], [])).toBe(0)
    // 9 bytes for each empty string; the rest is the name.
    const count = Math.floor((ALL - 9) / 9)
    const left = ALL - 9 - 9 * count
    const filename = 'n'.repeat(left + 8 - 1)
    expect(copy_strings(filename, Array<string>(count).fill(''), [])).toBe(0)
    const without = 'n'.repeat(ALL - 8 - 1 - 1)
    expect(copy_strings(without, [], [])).toBe(0)
    expect(copy_strings(`${without}n`, [], [])).toBe(-E2BIG)
    expect(copy_strings(`${without}nn`, [], [])).toBe(-E2BIG)
  })
})

test('the last string of the environment is copied first, the first argument last', () => {
  const long = `${LONGEST}a`
  expect(copy_strings('/p', [NULL_POINTER], [long])).toBe(-E2BIG)
  expect(copy_strings('/p', [long], [NULL_POINTER])).toBe(-EFAULT)
  expect(copy_strings('/p', [NULL_POINTER, long], [])).toBe(-E2BIG)
  expect(copy_strings('/p', [long, NULL_POINTER], [])).toBe(-EFAULT)
})

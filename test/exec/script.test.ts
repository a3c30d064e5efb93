/** Which interpreter the first line of a script names (fs/binfmt_script.c). */
import { describe, expect, test } from 'vitest'
import { BINPRM_BUF_SIZE, script_interpreter } from '../../src/exec/script.js'

/** A line of so many bytes that begins like this. */
const filled = (start: string, length: number, end = '') => start.padEnd(length - end.length, 'x') + end

describe('the interpreter', () => {
  test.each([
    ['#!/bin/sh\n', '/bin/sh'],
    ['#!\t /bin/sh \t\n', '/bin/sh'],
    ['#!/bin/sh -x -y\n', '/bin/sh'],
    ['#!/bin/sh\t-x\n', '/bin/sh'],
    ['#!/bin/sh', '/bin/sh'],
    ['#!/bin/sh\0more\n', '/bin/sh'],
    ['#!/a\n/b\0', '/a'],
    ['#!\0\n', ''],
    ['#!', ''],
  ])('of %j is %j', (buf, interpreter) => {
    expect(script_interpreter(buf)).toBe(interpreter)
  })

  test.each(['', '#', '# !/bin/sh\n', '#!\n', '#! \t\n', '\n#!/bin/sh\n'])('of %j is none', (buf) => {
    expect(script_interpreter(buf)).toBeNull()
  })
})

describe('a line that does not end within what is read', () => {
  test('counts where the name ends', () => {
    expect(script_interpreter(filled('#!/bin/sh ', 300))).toBe('/bin/sh')
    expect(script_interpreter(filled('#! \t/bin/sh\t', 300))).toBe('/bin/sh')
  })

  test('is no script where the name may have been cut off, also by its newline', () => {
    expect(script_interpreter(filled('#!/bin/sh', 300))).toBeNull()
    expect(script_interpreter(filled('#!/bin/sh', 300, '\n'))).toBeNull()
    expect(script_interpreter(filled('#! /bin/sh', BINPRM_BUF_SIZE))).toBeNull()
    expect(script_interpreter(' '.repeat(300).replace('  ', '#!'))).toBeNull()
  })

  test('ends before the last byte that is read, where the terminator would stand', () => {
    const longest = filled('#!/', BINPRM_BUF_SIZE - 1)
    expect(script_interpreter(`${longest}\n`)).toBe(longest.slice(2))
    expect(script_interpreter(`${longest} more`)).toBe(longest.slice(2))
    expect(script_interpreter(longest)).toBe(longest.slice(2))
  })
})

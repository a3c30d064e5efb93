/** Arguments as people write them, and what a call gives by them. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, decode_each, kind_of_result } from '../../src/kernel/decode.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import '../../src/model.js'

const call = (name: string) => syscall_named(name)!

describe('arguments', () => {
  test('one for each parameter, and not more', () => {
    expect(decode_each(call('open'), ['/f', 'O_WRONLY|O_TRUNC', 0o644])).toEqual(['/f', 0o1001, 0o644])
    expect(() => decode_each(call('close'), [3, 4])).toThrow('close takes 1 arguments, not 2')
    expect(() => decode_each(call('open'), ['/f'])).toThrow(ArgumentError)
  })

  test('numbers as C writes them', () => {
    const flags = (text: string) => decode_each(call('open'), ['/f', text])[1]
    expect([flags('0x241'), flags('01101'), flags('577'), flags('-1')]).toEqual([577, 577, 577, -1])
    expect(() => flags('08')).toThrow(/not a constant/)
  })

  test('a constant that is not known is told with the nearest, where one is near', () => {
    expect(() => decode_each(call('open'), ['/f', 'O_WRONLI'])).toThrow(/did you mean O_WRONLY\?$/)
    expect(() => decode_each(call('open'), ['/f', 'zzzzzzzzzz'])).toThrow(
      /is not a constant that flags knows$/,
    )
    expect(() => decode_each(call('close'), ['O_RDONLY'])).toThrow(/is not a constant that fd knows$/)
  })
})

describe('what a call gives', () => {
  const check = (flags: unknown) => kind_of_result(call('execveat'), ['AT_FDCWD', '/f', null, null, flags])

  test('by its flags, as names or as a number', () => {
    expect([check('AT_EXECVE_CHECK'), check('AT_EMPTY_PATH|AT_EXECVE_CHECK'), check(0x10000)]).toEqual(
      Array(3).fill('approval'),
    )
    expect([check(0), check('AT_EMPTY_PATH'), check(0x1000)]).toEqual(Array(3).fill('exec'))
    expect(kind_of_result(call('open'), ['/f', 'O_RDONLY'])).toBe('fd')
  })

  test('flags that are written wrongly, or known later only, are none', () => {
    expect([check('AT_EXECVE_CHEK'), check({ $: 'earlier' }), check(undefined)]).toEqual(
      Array(3).fill('exec'),
    )
  })
})

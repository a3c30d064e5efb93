/** Arguments that are no numbers: strings, bytes and vectors, as people write them and as a call gets them. */
import { describe, expect, test } from 'vitest'
import {
  ArgumentError,
  at_places,
  decode_argument,
  decode_arguments,
  hex_address,
  utf8_bytes,
  utf8_text,
} from '../../src/kernel/decode.js'
import { NULL_POINTER, type Parameter, syscall_named } from '../../src/kernel/syscall.js'
import '../../src/model.js'

const of_kind = (kind: Parameter['kind']): Parameter => ({ name: 'it', kind })
/** UTF-8 by RFC 3629: U+00E9 is C3 A9, U+20AC is E2 82 AC. */
const texts = [
  ['', ''],
  ['plain', 'plain'],
  ['\x7f', '\x7f'],
  ['é', '\xc3\xa9'],
  ['a€', 'a\xe2\x82\xac'],
  ['€a', '\xe2\x82\xaca'],
] as const

test.each(texts)('%j has the bytes of UTF-8, and back', (text, bytes) => {
  expect(utf8_bytes(text)).toBe(bytes)
  expect(utf8_text(bytes)).toBe(text)
})

test('what is not UTF-8 is shown as U+FFFD', () => expect(utf8_text('a\xff')).toBe('a\ufffd'))

describe.each(['path', 'text'] as const)('a %s', (kind) => {
  test('ends at its first NUL, as in C, and null is a bad pointer', () => {
    expect(decode_argument(of_kind(kind), '/é\0more')).toBe('/\xc3\xa9')
    expect(decode_argument(of_kind(kind), null)).toBe(NULL_POINTER)
  })
  test.each([3, ['a'], {}])('is not %j', (given) =>
    expect(() => decode_argument(of_kind(kind), given)).toThrow('it: expected a string or null'),
  )
})

describe('bytes', () => {
  test('are a text, base64, or a bad pointer', () => {
    expect(decode_argument(of_kind('bytes'), 'é\0')).toBe('\xc3\xa9\0')
    expect(decode_argument(of_kind('bytes'), { base64: 'AP8=' })).toBe('\0\xff')
    expect(decode_argument(of_kind('bytes'), null)).toBeNull()
  })
  test.each([3, {}, { base64: 7 }, undefined, true])('are not %j', (given) =>
    expect(() => decode_argument(of_kind('bytes'), given)).toThrow(ArgumentError),
  )
  test('of base64 that is none are refused', () =>
    expect(() => decode_argument(of_kind('bytes'), { base64: '*' })).toThrow('it: not base64'))
})

describe('a vector', () => {
  test('is a list of strings, and null an empty one', () => {
    expect(decode_argument(of_kind('strings'), ['a', 'b'])).toEqual(['a', 'b'])
    expect(decode_argument(of_kind('strings'), [])).toEqual([])
    expect(decode_argument(of_kind('strings'), null)).toEqual([])
  })
  test.each(['a', [1], ['a', 1], {}])('is not %j', (given) =>
    expect(() => decode_argument(of_kind('strings'), given)).toThrow(
      'it: expected a list of strings or null',
    ),
  )
})

test.each([{}, [], [3]])('%j is no number', (given) =>
  expect(() => decode_argument(of_kind('int'), given)).toThrow('expected a number or constants joined by |'),
)

test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d is no number of C', (given) =>
  expect(() => decode_argument(of_kind('int'), given)).toThrow(`${given} is not a number that C has`),
)

test('spaces around | are nothing', () => {
  const flags: Parameter = { name: 'flags', kind: 'flags', constants: { A: 1, B: 2 } }
  expect(decode_argument(flags, ' A | B ')).toBe(3)
})

test('a number of more than 64 bits is refused, also where 32 would be kept', () =>
  expect(() => decode_argument(of_kind('fd'), '18446744073709551616')).toThrow(/is beyond/))

test('a count of bytes can be left out where it does not stand last', () => {
  const pwrite = syscall_named('pwrite')!
  expect(pwrite.params.map(({ name }) => name)).toHaveLength(4)
  expect(at_places(pwrite, [3, 'ab', 7])).toEqual([3, 'ab', undefined, 7])
  expect(at_places(pwrite, [3, 'ab', 2, 7])).toEqual([3, 'ab', 2, 7])
  expect(at_places(syscall_named('write')!, [3, 'ab'])).toEqual([3, 'ab'])
  expect(at_places(syscall_named('open')!, ['/f', 0])).toEqual(['/f', 0])
})

test('the locals of a call are made of its arguments', () => {
  const locals = Object.values(decode_arguments(syscall_named('close')!, [5]))
  expect(locals).toContain(5)
})

test('0 is an address like another', () => expect(hex_address(0)).toBe('0x0'))

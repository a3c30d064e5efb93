/** Numbers as people write them: exact, of the width that C has, or refused by name. */
import { describe, expect, test } from 'vitest'
import {
  ArgumentError,
  decode_argument,
  decode_each,
  hex_address,
  hex_flags,
} from '../../src/kernel/decode.js'
import type { Parameter } from '../../src/kernel/syscall.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { parse_call } from '../../src/shell/syntax.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of } from '../scenario/support.js'

const offset: Parameter = { name: 'offset', kind: 'offset' }
const fd: Parameter = { name: 'fd', kind: 'fd' }
const flags: Parameter = { name: 'flags', kind: 'flags', constants: { AT_FDCWD: -100, A: 1, B: 2 } }
const LARGEST = Number.MAX_SAFE_INTEGER

describe('a number of 64 bits', () => {
  test.each([
    [0, 0],
    [-1, -1],
    [1.9, 1],
    [true, 1],
    [null, 0],
    [5_000_000_000, 5_000_000_000],
    ['5000000000', 5_000_000_000],
    ['0xffffffff', 2 ** 32 - 1],
    ['4294967295', 2 ** 32 - 1],
    [LARGEST, LARGEST],
    [-LARGEST, -LARGEST],
    [String(LARGEST), LARGEST],
    ['0x1fffffffffffff', LARGEST],
    ['0xffffffffffffffff', -1],
    ['18446744073709551615', -1],
    ['0xfffffffffffff000', -4096],
    ['0644', 0o644],
    ['-0644', -0o644],
    ['0o17', 15],
    ['0', 0],
    ['0x100000000|1', 2 ** 32 + 1],
  ])('%j is %d', (given, value) => expect(decode_argument(offset, given)).toBe(value))

  test.each([
    '9007199254740992',
    '9223372036854775807',
    '-9223372036854775808',
    '0x20000000000000',
    '99999999999999999999999999',
    '0x20000000000000|1',
  ])('%j is refused, as it was written', (given) =>
    expect(() => decode_argument(offset, given)).toThrow(
      `offset: ${given} is beyond 2^53 - 1, the largest that the model carries`,
    ),
  )

  test.each([LARGEST + 1, -LARGEST - 1, 2 ** 63, 2 ** 64, 1e300])(
    '%d, which JSON has rounded, is refused',
    (given) => expect(() => decode_argument(offset, given)).toThrow(ArgumentError),
  )

  test.each(['08', '019', '0x', '1e3', '1.5', '', '--1'])('%j is no number of C', (given) =>
    expect(() => decode_argument(offset, given)).toThrow(/is not a constant/),
  )
})

describe('a number of 32 bits', () => {
  test.each([
    [2 ** 32 + 3, 3],
    [2 ** 32 - 100, -100],
    ['0xffffffff', -1],
    ['4294967299', 3],
    ['9223372036854775807', -1],
    [LARGEST, -1],
  ])('wraps as in C: %j is %d', (given, value) => expect(decode_argument(fd, given)).toBe(value))

  test('constants and numbers are joined', () => {
    expect(decode_argument(flags, 'A|B')).toBe(3)
    expect(decode_argument(flags, 'A|0x80000000')).toBe(-(2 ** 31) + 1)
    expect(decode_argument(flags, 'AT_FDCWD')).toBe(-100)
    expect(decode_argument(flags, 'A|4')).toBe(5)
  })
})

test('a typed line and a scenario have the same limit', () => {
  const { syscall, args } = parse_call('lseek(3, 9223372036854775807, SEEK_SET)')
  expect(() => decode_each(syscall, args)).toThrow(/^offset: 9223372036854775807 is beyond/)
  const far = () =>
    explore_case(case_of((s) => s.victim('v').call('lseek', 0, '9223372036854775807', 'SEEK_SET')))
  expect(far).toThrow(/args\[1\]: lseek: offset: 9223372036854775807 is beyond/)
})

test('no result is beyond either: what is compared with one must be one', () => {
  const form = (value: number) => ({
    toctoscope: 1,
    summary: 'x',
    name: 'x',
    cases: [{ tasks: [{ name: 'v', program: [] }], properties: [{ never: { 'v.x': value } }] }],
  })
  expect(() => validate_scenario(form(2 ** 53))).toThrow(/beyond 2\^53 - 1/)
})

test('negative addresses and flags are written as C would', () => {
  expect([hex_address(-0x2000), hex_address(0x7ffff7ffe000)]).toEqual([
    '0xffffffffffffe000',
    '0x7ffff7ffe000',
  ])
  expect([hex_flags(-0x2000), hex_flags(0x80000000), hex_flags(0x10)]).toEqual([
    '0xffffe000',
    '0x80000000',
    '0x10',
  ])
})

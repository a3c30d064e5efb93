/** Arguments as nobody should give them: for tests that nothing a user can type ends in a stack trace. */
import fc from 'fast-check'
import { holds, type Parameter, type Syscall } from '../kernel/syscall.js'

const numbers = fc.oneof(
  fc.integer(),
  fc.integer({ min: -3, max: 40 }),
  fc.constantFrom(
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0.5,
    -1.5,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 40,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
    2 ** 64,
    1e300,
    -100,
    0o7777,
    4095,
    4096,
    4097,
    0x1000,
    0x1100,
    0x11000,
  ),
)

const strings = fc.oneof(
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.constantFrom(
    '',
    '/',
    '.',
    '..',
    '//',
    '/..',
    'a/../b',
    '\0',
    'a\0b',
    '/f',
    '/f/',
    '/d/f',
    '/m/f',
    '/s',
    'O_RDONLY|O_BOGUS',
    'O_CREAT|O_RDWR',
    '0x',
    '-',
    '|',
    '__proto__',
    'constructor',
    '/__proto__',
    '\ud800',
    'x'.repeat(255),
    'x'.repeat(256),
    'y'.repeat(5000),
    'z'.repeat(100_000),
    'a/'.repeat(3000),
  ),
)

const others = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, true, false, [], {}, [1], ['a', null], { base64: '!' }),
  fc.constantFrom<unknown>({ base64: 'aGk=' }, { base64: 7 }, { $: 'fd' }, { st_size: 'x' }, Symbol.iterator),
  fc.bigInt().map((n): unknown => n),
  fc.func(fc.nat()).map((f): unknown => f),
)

/** One argument of whatever kind. */
export function garbage(): fc.Arbitrary<unknown> {
  return fc.oneof(numbers, strings, others)
}

/** Of the right kind more often than not, so that calls get past the first look at their arguments. */
function for_parameter(param: Parameter): fc.Arbitrary<unknown> {
  const words = Object.keys(param.constants ?? {})
  const constants =
    words.length === 0
      ? []
      : [
          fc
            .subarray(words, { minLength: 1, maxLength: Math.min(words.length, 4) })
            .map((set) => set.join('|')),
        ]
  const likely = {
    number: [numbers, fc.constantFrom(0, 1, 3, 4, -1, -100), ...constants],
    string: [strings, fc.constantFrom('/f', '/d', '/s', '/m/f', '/m/d', '/new', 'f')],
    bytes: [strings, fc.constant({ base64: 'aGk=' })],
    strings: [fc.array(fc.string(), { maxLength: 3 }), fc.constant(null)],
  }[holds(param)]
  return fc.oneof({ weight: 8, arbitrary: fc.oneof(...(likely as fc.Arbitrary<unknown>[])) }, garbage())
}

/** Arguments for a system call; mostly as many as it takes. */
export function garbage_arguments(call: Syscall): fc.Arbitrary<unknown[]> {
  const fitting = fc.tuple(...call.params.map(for_parameter)) as fc.Arbitrary<unknown[]>
  return fc.oneof({ weight: 9, arbitrary: fitting }, fc.array(garbage(), { maxLength: 8 }))
}

/** Requests that nobody would mean: any call, with arguments of any type, length and value. */
import { all_syscalls, holds, type Parameter } from '../../src/kernel/syscall.js'
import '../../src/model.js'

/** Numbers from a seed (Mulberry32). */
export class Dice {
  constructor(private state: number) {}

  /** 0 to n - 1. */
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

/** But for the one that never returns: its task could make no other call. In an order that no import changes. */
const calls = all_syscalls()
  .filter(({ name }) => name !== 'pause')
  .sort((a, b) => (a.name < b.name ? -1 : 1))
const names = [
  'a',
  'b',
  'd',
  'd/a',
  'd/e',
  'd/e/f',
  'm/a',
  'm/low',
  'm/d/low',
  'm/new',
  'link',
  'm',
  'dev/x',
  'proc/x',
  '..',
  '.',
  '',
]
const numbers = [
  ...[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 100, 0o644, 0o755, 0o4755, 4095, 4096, 4097, 8192, 65536, 1000, 1023, 1024,
  ],
  ...[
    -1,
    -2,
    -100,
    -4096,
    2 ** 24,
    2 ** 24 + 1,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 46,
    2 ** 47 - 4096,
    2 ** 53,
    2 ** 62,
  ],
  ...[2 ** 63, 2 ** 64, -(2 ** 31), -(2 ** 63), 1e300, -1e300, 0.5, -0.5, 1e-300, 0x10000000, 0x7ffff000],
]
const strange = [
  null,
  true,
  false,
  {},
  [],
  [[]],
  { base64: '!' },
  { base64: 'AAEC' },
  'x'.repeat(300),
  'x/'.repeat(2100),
  '\u0000',
  'ä€😀',
  '\ud800',
  'a\u0000b',
  [null],
  ['a', 1],
  { $: 'x' },
]
const vectors = [[], ['a'], null, ['a', 'b'.repeat(5000)], Array(40).fill('x')]

function path(dice: Dice): string {
  return `${dice.below(4) === 0 ? '' : '/'}${dice.of(names)}${dice.below(8) === 0 ? '/' : ''}`
}

function int(dice: Dice, constants: readonly string[]): unknown {
  if (constants.length === 0 || dice.below(3) === 0) return dice.of(numbers)
  const chosen = Array.from({ length: 1 + dice.below(3) }, () => dice.of(constants))
  return chosen.join('|')
}

function argument(dice: Dice, param: Parameter): unknown {
  if (dice.below(12) === 0) return dice.of<unknown>([...strange, ...numbers])
  switch (holds(param)) {
    case 'number':
      return int(dice, Object.keys(param.constants ?? {}))
    case 'string':
      return path(dice)
    case 'bytes':
      return dice.of<unknown>(['', 'hello', '#!/a\n', 'x'.repeat(5000), { base64: 'AP8=' }])
    default:
      return dice.of<unknown>(vectors)
  }
}

/** Addresses that mappings get. */
const high = 0x7fff_f7ff_f000

/** What ends a task is drawn more seldom, else most calls would find none. */
const ending = new Set(['exit', 'exit_group', 'execve', 'execveat', 'fork', 'umask'])

function call(dice: Dice): object {
  let drawn = dice.of(calls)
  while (ending.has(drawn.name) && dice.below(12) !== 0) drawn = dice.of(calls)
  const { name, params } = drawn
  const args = params.map((param) =>
    param.name === 'addr' && dice.below(2) === 0 ? high - 4096 * dice.below(8) : argument(dice, param),
  )
  if (dice.below(20) === 0) args.pop()
  if (dice.below(40) === 0) args.push(0)
  return {
    id: dice.below(1000),
    task: dice.below(30) === 0 ? dice.of(numbers) : 1 + dice.below(3),
    call: name,
    args,
  }
}

const others: readonly ((dice: Dice) => unknown)[] = [
  (dice) => ({ id: 1, spawn: { task: 1 + dice.below(4), uid: dice.of([0, 1000]), cwd: path(dice) } }),
  (dice) => ({ id: 1, spawn: { task: 1 + dice.below(3) } }),
  (dice) => ({ id: 1, spawn: { task: 1 + dice.below(3) } }),
  (dice) => ({ id: 1, spawn: { task: 1 + dice.below(3), umask: 0 } }),
  (dice) => ({ id: 1, spawn: { task: dice.of(numbers), groups: dice.of<unknown>([[1], [-1], 3, null]) } }),
  (dice) => ({ id: 1, exit: dice.below(4) }),
  (dice) => ({ id: dice.of<unknown>(strange), exit: 99 }),
  () => ({ id: 2, setup: {} }),
  (dice) => ({
    id: 3,
    call: dice.of<unknown>([...strange, 'opne', 'x'.repeat(1000)]),
    args: dice.of<unknown>(strange),
  }),
  (dice) => dice.of<unknown>(strange),
]

/** One request, most of them calls that could be meant. */
export function garbage(dice: Dice): string {
  if (dice.below(200) === 0) return dice.of(['{', '', '[1', '{"id":1', 'nul', '{"id":1e999,"task":1}', '"'])
  return JSON.stringify(dice.below(12) === 0 ? dice.of(others)(dice) : call(dice)) ?? ''
}

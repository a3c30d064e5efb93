/** What somebody has written becomes data of its own: what is data, what is not, and where that stands. */
import { describe, expect, test } from 'vitest'
import { inside, plain } from '../../src/scenario/plain.js'
import { at_once, check_keys, count_arguments, strict } from '../../src/scenario/strict.js'
import { message_of } from './support.js'

test.each<[string, PropertyKey, string]>([
  ['', 'tasks', 'tasks'],
  ['tasks', 0, 'tasks[0]'],
  ['tasks[0]', 'program', 'tasks[0].program'],
  ['', '$schema', '$schema'],
  ['tree', 'a-b_1', 'tree.a-b_1'],
  ['tree', 'a b', 'tree["a b"]'],
  ['tree', '/a', 'tree["/a"]'],
  ['tree', '', 'tree[""]'],
  ['', 'a.b', '["a.b"]'],
  ['tree', 'a"', 'tree["a\\""]'],
])('%j, then %j is %s', (path, part, shown) => {
  expect(inside(path, part)).toBe(shown)
})

describe('data', () => {
  test('is copied, without what is undefined', () => {
    const inner = [1, 'a', null, true]
    const given = { inner, none: undefined, of: Object.assign(Object.create(null), { x: 1 }) }
    const copied = plain(given) as typeof given
    expect(copied).toEqual({ inner: [1, 'a', null, true], of: { x: 1 } })
    expect(Object.keys(copied)).toEqual(['inner', 'of'])
    inner.push(2)
    given.of.x = 2
    expect(copied).toEqual({ inner: [1, 'a', null, true], of: { x: 1 } })
    copied.of.x = 3
    expect(copied.of.x).toBe(3)
  })

  test('has names that have no power', () => {
    const copied = plain(JSON.parse('{"__proto__":{"a":1},"constructor":2}')) as object
    expect(Object.keys(copied)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(copied)).toBe(Object.prototype)
  })

  class Own {}
  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'at: is missing; undefined stands there'],
    ['a hole in a list', { a: [0, undefined] }, 'at.a[1]: is missing; undefined stands there'],
    ['a function', { a: { 'b c': () => 0 } }, 'at.a["b c"]: expected data, not a function'],
    ['a symbol', [Symbol('x')], 'at[0]: expected data, not a symbol'],
    ['a bigint', [1n], 'at[0]: expected data, not a bigint'],
    ['a promise', [Promise.resolve()], 'at[0]: expected data, not a promise'],
    ['what a class makes', [new Own()], 'at[0]: expected data, not a Own'],
    ['a map', [new Map()], 'at[0]: expected data, not a Map'],
    ['what a nameless class makes', [new (class {})()], 'at[0]: expected data, not a value of a class'],
  ])('is not %s', (_, value, message) => {
    expect(message_of(() => plain(value, 'at'))).toBe(message)
  })

  test('may be two hundred levels deep, and a million values', () => {
    const deep = (levels: number) => {
      let value: unknown = 0
      for (let i = 0; i < levels; i++) value = [value]
      return value
    }
    expect(plain(deep(200))).toEqual(deep(200))
    expect(message_of(() => plain(deep(201)))).toMatch(
      /^nested too deeply: more than 200 levels at (\[0\]){20}…$/,
    )
    const circle: unknown[] = []
    circle.push(circle)
    expect(message_of(() => plain(circle))).toMatch(/^nested too deeply/)
    const many = (count: number) => Array.from({ length: count }, () => 0)
    expect(plain(many(999_999))).toHaveLength(999_999)
    expect(message_of(() => plain(many(1_000_000), 'at'))).toBe(
      'at[999999]: more than 1000000 values; a scenario is smaller',
    )
  })
})

describe('strictness', () => {
  class Below {
    low() {}
  }
  class Above extends Below {
    own = 1
    high() {}
  }

  test('a property that an object does not have is told, with the nearest of it and of its classes', () => {
    const object = strict(new Above(), 'it') as Above & Record<string, unknown>
    expect([
      object.own,
      typeof object.high,
      typeof object.low,
      object.toString === Object.prototype.toString,
    ]).toEqual([1, 'function', 'function', true])
    expect(message_of(() => object.hihg)).toBe('it has no "hihg"; did you mean high?')
    expect(message_of(() => object.lwo)).toBe('it has no "lwo"; did you mean low?')
    expect(message_of(() => object.zzzzzz)).toBe('it has no "zzzzzz"; expected one of own, high, low')
    for (const asked of ['then', 'toJSON', 'nodeType']) expect(object[asked]).toBeUndefined()
    expect(Reflect.get(object, Symbol.iterator)).toBeUndefined()
  })

  test('a method takes as many arguments as it takes', () => {
    const counted = { none: () => 0, one: (a: number) => a, two: (a: number, b = 1) => a + b }
    count_arguments(counted, { none: 0, one: 1, two: 2 })
    const loose = counted as unknown as Record<string, (...args: number[]) => number>
    expect([loose.none!(), loose.one!(7), loose.two!(1), loose.two!(1, 5)]).toEqual([0, 7, 2, 6])
    expect(message_of(() => loose.none!(1))).toBe('none takes 0 arguments, not 1')
    expect(message_of(() => loose.one!(1, 2))).toBe('one takes 1 argument, not 2')
    expect(message_of(() => loose.two!(1, 2, 3))).toBe('two takes 2 arguments, not 3')
  })

  test('keys are known ones', () => {
    expect(message_of(() => check_keys({ a: 1 }, ['a', 'b'], 'at'))).toBe('nothing was thrown')
    expect(message_of(() => check_keys({ a: 1, lenth: 1 }, ['a', 'length'], 'at'))).toBe(
      'at: has no field "lenth"; did you mean length?',
    )
  })

  test('what is asynchronous is not waited for, and what becomes of it is of no concern', async () => {
    for (const value of [undefined, null, 0, 'then', {}, Object.fromEntries([['then', 1]])])
      expect(at_once(value, 'build')).toBe(value)
    const later = /^build: is asynchronous; expected a function that is done when it returns/
    expect(message_of(() => at_once(Promise.reject(new Error('later')), 'build'))).toMatch(later)
    expect(message_of(() => at_once(Object.fromEntries([['then', () => 0]]), 'build'))).toMatch(later)
    await new Promise((resolve) => setTimeout(resolve, 0))
  })
})

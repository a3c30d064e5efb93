/** The hash by itself: what kernel/hash.ts promises of it, under keys that stand here. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { PairSet } from '../../src/explore/pair_set.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { fn, local } from '../../src/kernel/fn.js'
import {
  hash_list,
  hash_number,
  hash_pair,
  hash_string,
  KEY_WORDS,
  out,
  string_hash,
} from '../../src/kernel/hash.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Store } from '../../src/kernel/kernel.js'
import { int, list, str, table, use_key, type Value, value } from '../../src/kernel/schema.js'

const key = (n: number): Int32Array =>
  Int32Array.from({ length: KEY_WORDS }, (_, i) => Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(n, 0x85ebca6b))

beforeEach(() => use_key(key(1)))
afterAll(() => use_key(crypto.getRandomValues(new Int32Array(KEY_WORDS))))

const SALT = [0x1234567, -0x7654321] as const

function word(of: Value): string {
  if (typeof of === 'number') hash_number(...SALT, of)
  else if (typeof of === 'string') hash_string(...SALT, of)
  else hash_list(...SALT, of)
  return `${out.lo} ${out.hi}`
}

const bits_set = (word: number): number => word.toString(2).replace(/[^1]/g, '').length
const distance = (a: typeof out, b: typeof out): number =>
  bits_set((a.lo ^ b.lo) >>> 0) + bits_set((a.hi ^ b.hi) >>> 0)

describe('values', () => {
  it('of all kinds have words of their own', () => {
    const powers = Array.from({ length: 53 }, (_, i) => 2 ** i)
    const whole = powers.flatMap((n) => [n, n - 1, n + 1, -n, 1 - n, -1 - n])
    const numbers = [
      ...whole,
      0.5,
      -0.5,
      2 ** 53 + 2,
      2 ** 60,
      1e21,
      1e300,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]
    const strings = ['', ' ', '0', '1', '-1', 'NaN', '1e+21', '\0', '\0\0', '\u0100', 'a', 'ab', 'ba', '[1]']
    const lists = [[], [0], [0, 0], [1], [1, 0], [0, 1], [2 ** 40], [256], [1, 2, 3], [3, 2, 1]]
    const values = [...new Set(numbers), ...strings, ...lists]
    expect(new Set(values.map(word)).size).toBe(values.length)
  })

  it('but 0 and -0 are one', () => {
    expect(word(-0)).toBe(word(0))
  })

  it('have the same word the second time, also when another took its place among those that are kept', () => {
    const numbers = Array.from({ length: 30_000 }, (_, i) => i * 7 - 100_000)
    const first = numbers.map(word)
    expect(numbers.map(word)).toEqual(first)
    use_key(key(1))
    expect([...numbers].reverse().map(word)).toEqual(first.reverse())
  })

  it('have other words under another key', () => {
    const values = [0, 1, 2 ** 40, 0.5, '', 'text', [], [1, 2]]
    const words = values.map(word)
    use_key(key(2))
    values.forEach((each, i) => {
      expect(word(each)).not.toBe(words[i])
    })
  })

  it('a bit more or less changes half of the word', () => {
    const changes: number[] = []
    const ask = (lo: number, hi: number, n: number) => {
      hash_number(lo, hi, n)
      return { ...out }
    }
    for (let n = 0; n < 200; n++) {
      const before = ask(n, -n, n * 1000)
      for (let bit = 0; bit < 32; bit++) {
        changes.push(distance(before, ask(n, -n, (n * 1000) ^ (1 << bit))))
        changes.push(distance(before, ask(n ^ (1 << bit), -n, n * 1000)))
        changes.push(distance(before, ask(n, -n ^ (1 << bit), n * 1000)))
      }
    }
    const mean = changes.reduce((sum, each) => sum + each, 0) / changes.length
    expect(mean).toBeGreaterThan(31.7)
    expect(mean).toBeLessThan(32.3)
    expect(Math.min(...changes)).toBeGreaterThan(8)
  })
})

describe('a million strings that are alike', () => {
  const strings = function* (): Generator<string> {
    for (let i = 0; i < 500_000; i++) yield `/m/usr/bin/tool-${i}`
    for (let i = 0; i < 250_000; i++) yield `${String.fromCharCode(i & 0xff, i >> 8, i >> 16)}#!/bin/sh\n`
    const page = `#!/bin/sh\n${'x'.repeat(86)}`
    for (let i = 0; i < 250_000; i++)
      yield page.slice(0, 20 + (i % 70)) +
        String.fromCharCode(i % 251) +
        page.slice(21 + (i % 70)) +
        String(i)
  }

  it('have a million hashes, and each half of them repeats as seldom as chance has it', () => {
    const words = new PairSet()
    const halves = [new PairSet(), new PairSet(), new PairSet()]
    let n = 0
    for (const text of strings()) {
      const { lo, hi } = string_hash(text)
      n++
      words.add(lo, hi)
      halves[0]!.add(lo, 1)
      halves[1]!.add(hi, 1)
      halves[2]!.add(lo ^ hi, 1)
    }
    expect(words.size).toBe(n)
    // n^2 / 2^33 are expected: 116.
    for (const half of halves) {
      expect(n - half.size).toBeGreaterThan(60)
      expect(n - half.size).toBeLessThan(180)
    }
  }, 120_000)
})

it('two contents that an unkeyed hash took for one', () => {
  const a = 'qceNCcU9YdKbmXUGlZlp 1N0KjOknF7gdh89rGnMc9T6BG9Fn 8miHjkYPklP_Pjj PqwzCfbcuX416fkeYyel8CYu'
  const b = 'qceNCcU9YdKbmXUGlZlp 1N0KjOknF7gdh8lkWxyDd88XG9Fn 8miHjkYPklP_PjjsGEEvt52EAe_Hc0keYyel8CYu'
  expect(word(`#!/bin/sh\n${a}`)).not.toBe(word(`#!/bin/sh\n${b}`))
})

const thing = table('hash_thing', {
  all: { first: int(), second: int(), name: str(), list: list(), any: value() },
})
const twin = table('hash_twin', {
  all: { first: int(), second: int(), name: str(), list: list(), any: value() },
})
const sleeper = fn('hash_thing', { source: 'test', locals: { first: int(), second: int() } }, [
  local('wait', () => {}),
])

type Build = (store: Store) => void

describe.each([
  ['fast', () => new FastStore()],
  ['immer', () => new ImmerStore()],
] as const)('states of the %s store', (_, make) => {
  const hash_of = (build: Build): string => {
    const store = make()
    build(store)
    store.commit()
    return `${store.hash_lo} ${store.hash_hi}`
  }
  const expect_all_different = (builds: readonly Build[]): void => {
    expect(new Set(builds.map(hash_of)).size).toBe(builds.length)
  }

  it('differ where rows or columns have swapped what they hold', () => {
    const builds: Build[] = []
    for (let code = 0; code < 3 ** 6; code++) {
      const digit = (i: number) => Math.floor(code / 3 ** i) % 3
      builds.push((store) => {
        store.create(thing.info, 1, { first: digit(0), second: digit(1), name: ['', 'a', 'b'][digit(2)]! })
        store.create(thing.info, 2, { first: digit(3), second: digit(4), name: ['', 'a', 'b'][digit(5)]! })
      })
    }
    expect_all_different(builds)
  })

  it('differ where a row is missing, in another table, or another frame', () => {
    expect_all_different([
      () => {},
      (store) => store.create(thing.info, 1, {}),
      (store) => store.create(thing.info, 2, {}),
      (store) => store.create(twin.info, 1, {}),
      (store) => store.create(thing.info, 1, { list: [0] }),
      (store) => store.create(thing.info, 1, { any: [] }),
      (store) => store.create(thing.info, 1, { any: '' }),
      (store) => store.create(thing.info, 1, { any: [0] }),
      (store) => store.create(thing.info, 1, { any: 1 }),
      (store) => store.create(thing.info, 1, { any: '1' }),
      (store) => store.create(thing.info, 1, { any: [1] }),
      (store) => store.create(thing.info, 1, { first: 1 }),
      (store) => store.create(twin.info, 1, { first: 1 }),
      (store) => store.push(1, sleeper, {}),
      (store) => store.push(2, sleeper, {}),
      (store) => store.push(1, sleeper, { first: 1 }),
      (store) => {
        for (let i = 0; i < 2; i++) store.push(1, sleeper, {})
      },
    ])
  })

  it('differ in the depth of a frame, however deep', () => {
    const deep =
      (last: number): Build =>
      (store) => {
        for (let depth = 0; depth < 1024 + last; depth++) store.push(1, sleeper, {})
      }
    const words = [0, 1].map((last) => {
      const [lo, hi] = hash_of(deep(last)).split(' ').map(Number)
      return [lo!, hi!]
    })
    const one_more = [words[0]![0]! ^ words[1]![0]!, words[0]![1]! ^ words[1]![1]!].join(' ')
    expect(one_more).not.toBe(hash_of((store) => store.push(2, sleeper, {})))
  })

  it('are the same again under the same key, and others under another', () => {
    const build: Build = (store) => store.create(thing.info, 1, { first: 1, name: 'a', list: [1] })
    const before = hash_of(build)
    use_key(key(2))
    expect(hash_of(build)).not.toBe(before)
    use_key(key(1))
    expect(hash_of(build)).toBe(before)
  })
})

it('no four words of two rows and two columns cancel', () => {
  const words = (row: number, column: number) => {
    const info = thing.info.columns[column]!
    hash_number(thing.info.salt_lo, thing.info.salt_hi, row)
    hash_number(out.lo ^ info.salt_lo, out.hi ^ info.salt_hi, 1)
    return { ...out }
  }
  for (let row = 1; row < 200; row++) {
    const four = [words(row, 0), words(row, 1), words(row + 1, 0), words(row + 1, 1)]
    expect(four.reduce((sum, { lo }) => sum ^ lo, 0)).not.toBe(0)
  }
})

it('two numbers beside a hash count, and their order', () => {
  const pairs = [0, 1, 2, 1 << 16].flatMap((a) => [0, 1, 2, 1 << 16].map((b) => [a, b] as const))
  const words = pairs.map(([a, b]) => {
    hash_pair(...SALT, a, b)
    return `${out.lo} ${out.hi}`
  })
  expect(new Set(words).size).toBe(pairs.length)
})

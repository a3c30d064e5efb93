import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PairSet } from '../../src/explore/pair_set.js'

test('a set of pairs of words, as a Set of strings is one', () => {
  const word = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 200 }), (pairs) => {
      const set = new PairSet()
      const model = new Set<string>()
      for (const [lo, hi] of pairs) {
        // The empty slot is (0, 0), so that pair counts as (0, 1).
        const key = lo === 0 && hi === 0 ? '0,1' : `${lo},${hi}`
        expect(set.has(lo, hi)).toBe(model.has(key))
        expect(set.add(lo, hi)).toBe(!model.has(key))
        model.add(key)
        expect(set.size).toBe(model.size)
      }
    }),
  )
})

test('it grows, and keeps what it has, also where all fall on one slot', () => {
  const set = new PairSet()
  for (let i = 1; i <= 5_000; i++) expect(set.add(i % 2 === 0 ? i : 0, i)).toBe(true)
  for (let i = 1; i <= 5_000; i++) expect(set.has(i % 2 === 0 ? i : 0, i)).toBe(true)
  expect(set.has(7, 7)).toBe(false)
})

test('it does not grow beyond its bound, and says that it is full', () => {
  const set = new PairSet(100_000)
  let added = 0
  while (!set.full) set.add(added, ++added)
  expect(set.bytes).toBeLessThanOrEqual(100_000)
  expect(set.size).toBe(added)
  for (let i = 0; i < added; i++) expect(set.has(i, i + 1)).toBe(true)
})

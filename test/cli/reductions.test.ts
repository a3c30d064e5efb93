/** Which reductions a search is told to use, and which cannot be had. */
import { expect, test } from 'vitest'
import { UsageError } from '../../src/cli/errors.js'
import { parse_reductions, reductions_of } from '../../src/cli/reductions.js'

test('names, or none', () => {
  expect(parse_reductions('fusion, symmetry')).toEqual(['fusion', 'symmetry'])
  expect(parse_reductions('none')).toEqual([])
  expect(() => parse_reductions('fusion,sleep')).toThrow(
    'there is no reduction "sleep"; expected some of fusion,locality',
  )
  expect(() => parse_reductions('')).toThrow(UsageError)
})

test('what cannot be had without another is refused with the reason', () => {
  expect(() => parse_reductions('locality')).toThrow('locality is not to be had without fusion')
  expect(() => parse_reductions('fusion,order')).toThrow('order is not to be had without locality')
  expect(parse_reductions('symmetry')).toEqual(['symmetry'])
})

test('all are on where nothing is said', () => {
  expect(reductions_of({})).toEqual({})
  expect(reductions_of({ reduce: [] })).toEqual({
    fusion: false,
    inferred: false,
    symmetry: false,
    order: false,
  })
  const all = reductions_of({ reduce: ['fusion', 'locality', 'symmetry', 'order'] })
  expect(all).toEqual({ fusion: true, inferred: true, symmetry: true, order: true })
})

test('with a bound on preemptions only fusion is to be had', () => {
  expect(reductions_of({ reduce: ['fusion'], preemptions: 2 })).toMatchObject({ fusion: true, order: false })
  expect(() => reductions_of({ reduce: ['fusion', 'locality'], preemptions: 2 })).toThrow('--preemptions')
  expect(reductions_of({ preemptions: 2 })).toEqual({})
})

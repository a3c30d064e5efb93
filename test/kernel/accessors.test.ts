/** What tables give and take, the same on both stores. */
import { describe, expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { all_functions, fn } from '../../src/kernel/fn.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Notes } from '../../src/kernel/notes.js'
import {
  type Column,
  computed_number,
  computed_of,
  in_range,
  int,
  is_computed,
  list,
  RANGE_SIZE,
  show_id,
  str,
  TooMany,
  table,
} from '../../src/kernel/schema.js'
import { UnhashedStore } from '../../src/kernel/unhashed_store.js'

const thing = table(
  'test_accessors_thing',
  { kind: { kind: str() }, place: { shelf: int(), number: int() }, weight: { weight: int() } },
  { unique: ['shelf', 'number'], constant: ['kind'] },
)
const page = table(
  'test_accessors_page',
  { key: { of: int(), index: int() }, data: { bytes: list() } },
  { unique: ['of', 'index'], keyed: true },
)
const flag = table('test_accessors_flag', { key: { name: str() }, n: { n: int() } }, { unique: ['name'] })
const label = table(
  'test_accessors_label',
  { key: { name: str() }, n: { n: int() } },
  { unique: ['name'], keyed: true },
)

describe.each([
  ['fast store', () => new FastStore()],
  ['unhashed store', () => new UnhashedStore()],
  ['immer store', () => new ImmerStore()],
])('%s', (_, make) => {
  const world = (task = 0) => ({ store: make(), task })

  test('a row is there from its creation until its removal', () => {
    const k = world()
    expect(thing.has(k, 1)).toBe(false)
    expect(thing.create(k, { weight: 3 }).id).toBe(1)
    expect(thing.has(k, 1)).toBe(true)
    expect(thing.has(k, 2)).toBe(false)
    expect(thing.has(k, in_range(1, 1))).toBe(false)
    thing.remove(k, 1)
    expect(thing.has(k, 1)).toBe(false)
    expect(() => thing(k, 1).weight).toThrow(/does not exist/)
    expect(() => thing.remove(k, 1)).toThrow(/does not exist/)
  })

  test('numbers come from the range of the running task, the lowest that is free first', () => {
    const k = world(2)
    const made = [1, 2, 3].map((number) => thing.create(k, { shelf: 1, number }).id)
    expect(made).toEqual([1, 2, 3].map((place) => in_range(2, place)))
    thing.remove(k, in_range(2, 2))
    expect(thing.lowest_free(k, 2, 1)).toBe(in_range(2, 2))
    expect(thing.lowest_free(k, 2, 3)).toBe(in_range(2, 4))
    expect(thing.create(k, { shelf: 1, number: 9 }).id).toBe(in_range(2, 2))
  })

  test('rows of a range are those that it has, by number', () => {
    const k = world(1)
    for (const number of [5, 3, 4]) thing.create(k, { shelf: 1, number })
    thing.create_at({ ...k, task: 3 }, in_range(3, 7), { shelf: 3, number: 1 })
    thing.remove(k, in_range(1, 2))
    expect(thing.rows_in(k, 1).map(({ number }) => number)).toEqual([5, 4])
    expect(thing.rows_in(k, 3).map(({ id }) => id)).toEqual([in_range(3, 7)])
    expect([2, 9].map((range) => thing.rows_in(k, range))).toEqual([[], []])
    expect(thing.rows(k).map(({ number }) => number)).toEqual([5, 4, 1])
  })

  test('a row is found by its key, also by one that it was given later', () => {
    const k = world()
    const row = thing.create(k, { shelf: 1, number: 1 })
    thing.create(k, { shelf: 1, number: 2 })
    expect(thing.find(k, 1, 1)?.id).toBe(row.id)
    row.number = 7
    expect(thing.find(k, 1, 1)).toBeUndefined()
    expect(thing.find(k, 1, 7)?.id).toBe(row.id)
    expect(thing.find(k, 2, 7)).toBeUndefined()
    expect(thing.where(k, 1).map(({ number }) => number)).toEqual([7, 2])
    expect(thing.where(k, 2)).toEqual([])
  })

  test('what never changes is in no footprint, and cannot be changed', () => {
    const k = world()
    const row = thing.create(k, { kind: 'pot' })
    k.store.note()
    expect(row.kind).toBe('pot')
    expect(k.store.footprint()).toEqual([])
    k.store.note()
    expect(row.weight).toBe(0)
    expect(k.store.footprint()).toEqual([
      { write: false, table: 'test_accessors_thing', row: '1', group: 'weight' },
    ])
    expect(() => Object.assign(row, { kind: 'pan' })).toThrow(/constant/)
  })

  test('after a mark everything can be taken back', () => {
    const k = world()
    const row = thing.create(k, { weight: 1 })
    const before = JSON.stringify(k.store.snapshot())
    const mark = k.store.mark()
    row.weight = 2
    row.shelf = 4
    thing.create(k, { shelf: 4, number: 4 })
    k.store.undo(mark)
    expect(JSON.stringify(k.store.snapshot())).toBe(before)
    expect(thing.find(k, 4, 4)).toBeUndefined()
    expect(thing.find(k, 0, 0)?.id).toBe(row.id)
  })

  test('the last number of a range is given, and none after it', () => {
    const k = world()
    expect(thing.lowest_free(k, 1, RANGE_SIZE - 1)).toBe(in_range(1, RANGE_SIZE - 1))
    expect(() => thing.lowest_free(k, 1, RANGE_SIZE)).toThrow(TooMany)
  })

  test('rows that have a key instead of a number are listed by it, whichever was made first', () => {
    const keys = [
      [1, 2],
      [1, 10],
      [2, 0],
      [2, 1],
    ]
    for (const turned of [keys, keys.toReversed(), [2, 0, 3, 1].map((i) => keys[i]!)]) {
      const k = world()
      for (const [of, index] of turned) page.create(k, { of, index })
      expect(page.rows(k).map(({ of, index }) => [of, index])).toEqual(keys)
      expect(page.where(k, 1).map(({ index }) => index)).toEqual([2, 10])
      expect(page.where(k, 2).map(({ index }) => index)).toEqual([0, 1])
      expect(Object.keys(k.store.snapshot().tables.test_accessors_page!)).toEqual([
        '1:10',
        '1:2',
        '2:0',
        '2:1',
      ])
    }
  })

  test('such a key stays what it is', () => {
    const k = world()
    const row = page.create(k, { of: 1, index: 2 })
    expect(() => Object.assign(row, { index: 3 })).toThrow(
      'test_accessors_page: the key of a row is what it is',
    )
    expect([row.index, page.find(k, 1, 2)?.index, page.find(k, 1, 3)]).toEqual([2, 2, undefined])
  })

  test('a list is written when one of its numbers, or their count, is another', () => {
    const k = world()
    const row = page.create(k, { bytes: [1, 2] })
    for (const bytes of [[1, 2, 3], [1, 3], [1], [], [4]]) {
      row.bytes = bytes
      expect(row.bytes).toEqual(bytes)
    }
  })

  test('two rows that exchange their keys are each found by the new one, and by the old one when it is taken back', () => {
    const k = world()
    const [a, b] = [thing.create(k, { number: 1 }), thing.create(k, { number: 2 })]
    const [c, d] = [flag.create(k, { name: 'c' }), flag.create(k, { name: 'd' })]
    const found = () =>
      [1, 2].map((n) => thing.find(k, 0, n)?.id).concat(['c', 'd'].map((n) => flag.find(k, n)?.id))
    expect(found()).toEqual([a.id, b.id, c.id, d.id])
    const mark = k.store.mark()
    a.number = 2
    b.number = 1
    c.name = 'd'
    d.name = 'c'
    expect(found()).toEqual([b.id, a.id, d.id, c.id])
    k.store.undo(mark)
    expect(found()).toEqual([a.id, b.id, c.id, d.id])
  })

  test('a counter is added to, and to its side while nobody is on the other (atomic_inc_unless_negative)', () => {
    const k = world()
    const row = thing.create(k, { weight: 1 })
    thing.add(k, row.id, 'weight', 4)
    expect(row.weight).toBe(5)
    expect([thing.add_on_side(k, row.id, 'weight', -1, -1), row.weight]).toEqual([false, 5])
    expect([thing.add_on_side(k, row.id, 'weight', -5, 1), row.weight]).toEqual([true, 0])
    expect([thing.add_on_side(k, row.id, 'weight', -2, -1), row.weight]).toEqual([true, -2])
    expect([thing.add_on_side(k, row.id, 'weight', 1, 1), row.weight]).toEqual([false, -2])
    thing.add(k, row.id, 'weight', -1)
    expect(row.weight).toBe(-3)
  })

  test('additions are noted as such, and as nothing else', () => {
    const k = world()
    const row = thing.create(k, {})
    const told: unknown[] = []
    const notes = new Proxy({} as Notes, {
      get: (_, what) => (of: { id: number }, column: Column, side?: number) =>
        told.push([what, of.id, column.name, side]),
    })
    k.store.watch(notes)
    thing.add(k, row.id, 'weight', 1)
    thing.add_on_side(k, row.id, 'weight', 1, 1)
    thing.add_on_side(k, row.id, 'weight', -1, -1)
    expect(told).toEqual([
      ['added', row.id, 'weight', undefined],
      ['sided', row.id, 'weight', 1],
      ['sided', row.id, 'weight', -1],
    ])
    k.store.watch(null)
    thing.add(k, row.id, 'weight', 1)
    thing.add_on_side(k, row.id, 'weight', 1, 1)
    expect(told).toHaveLength(3)
  })

  test('a write touches the key only where it changes it, and without notes there are none', () => {
    const k = world()
    const row = thing.create(k, {})
    k.store.note()
    row.weight = 1
    expect(k.store.footprint()).toEqual([
      { write: true, table: 'test_accessors_thing', row: '1', group: 'weight' },
    ])
    row.weight = 2
    expect(k.store.footprint()).toEqual([])
  })

  test('a table without rows is like one that never had any', () => {
    const k = world()
    const empty = k.store.snapshot()
    thing.create(k, {})
    expect(k.store.snapshot()).not.toEqual(empty)
    thing.remove(k, 1)
    expect(k.store.snapshot()).toEqual(empty)
  })

  test('what is given as undefined has its default, and a task that there is not has no frames', () => {
    const k = world()
    expect(thing.create(k, { kind: 'pot', weight: undefined as never }).weight).toBe(0)
    expect([k.store.tasks(), k.store.depth(0), k.store.depth(99)]).toEqual([[], 0, 0])
  })

  test('a function that was defined after the store has its locals too', () => {
    const store = make()
    const local = `late_${all_functions().length}`
    const late = fn(`accessors_${local}`, { source: 'test', locals: { [local]: int() } }, [])
    const frame = store.push(1, late, { [local]: 7 }) as unknown as Record<string, number>
    frame[local]! += 1
    expect([store.frame(1, 0), store.top(1)].map((each) => (each as never)[local])).toEqual([8, 8])
  })

  test('a field that a table does not have is refused', () => {
    const k = world()
    expect(() => thing.create(k, { wieght: 1 } as never)).toThrow(/wieght/)
  })
})

test.each([
  ['fast store', () => new FastStore()],
  ['unhashed store', () => new UnhashedStore()],
])('the journal of the %s grows with what is changed, not with what is written again', (_, make) => {
  const k = { store: make(), task: 0 }
  const row = page.create(k, { bytes: [1, 2] })
  const grown = (write: () => void) => {
    const before = k.store.bytes
    write()
    return k.store.bytes - before
  }
  expect(grown(() => (row.bytes = [1, 2]))).toBe(0)
  // Of three words at least: what was done, to what, and the old value.
  const one = grown(() => (row.bytes = [1, 3]))
  expect(one).toBeGreaterThanOrEqual(3 * 8)
  expect(grown(() => Object.assign(row, { bytes: [1] }))).toBe(one)
})

test.each([
  ['fast store', () => new FastStore()],
  ['immer store', () => new ImmerStore()],
])('on the %s rows with a text as key are not taken for each other', (_, make) => {
  const hash = (...rows: [string, number][]) => {
    const k = { store: make(), task: 0 }
    for (const [name, n] of rows) label.create(k, { name, n })
    return [k.store.hash_lo, k.store.hash_hi]
  }
  expect(hash(['a', 1], ['b', 2])).toEqual(hash(['b', 2], ['a', 1]))
  expect(hash(['a', 1], ['b', 2])).not.toEqual(hash(['a', 2], ['b', 1]))
})

test('a row that nobody makes has a number of its own, above all that tasks give', () => {
  const last = in_range((1 << 13) - 1, RANGE_SIZE - 1)
  const first = computed_number(0, 0)
  expect([is_computed(last), is_computed(first)]).toEqual([false, true])
  expect(first).toBe(last + 1)
  const numbers = [0, 1, 1, 8191].map((task, place) => computed_number(task, place))
  expect(new Set(numbers).size).toBe(4)
  expect(numbers.map(computed_of)).toEqual([0, 1, 1, 8191])
  expect(Math.min(...numbers)).toBeGreaterThan(0)
})

test('a number names its range, and how many rows a range has room for', () => {
  expect([show_id(7), show_id(in_range(2, 1))]).toEqual(['7', '2:1'])
  expect(new TooMany('inode').message).toBe(
    `more than ${RANGE_SIZE - 1} of inode at once: the model has no numbers for more`,
  )
})

test("a table is nobody's and its rows have numbers, unless it says so", () => {
  expect([thing.info.owned, thing.info.keyed]).toEqual([false, false])
})

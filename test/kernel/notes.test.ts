/** What a step is said to touch, and which steps are said to commute: all reductions of the search rest on it. */
import { describe, expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Footprint } from '../../src/kernel/footprint.js'
import { Kernel } from '../../src/kernel/kernel.js'
import { conflict, TouchIndex } from '../../src/kernel/notes.js'
import { profile } from '../../src/kernel/profile.js'
import { in_range, int, str, table } from '../../src/kernel/schema.js'

const plain = table('notes_plain', { size: { size: int() }, mode: { mode: int() } })
const named = table('notes_named', { key: { name: str() } }, { unique: ['name'] })
const child = table('notes_child', { key: { parent: int(), name: str() } }, { unique: ['parent', 'name'] })
const page = table(
  'notes_page',
  { key: { of: int(), index: int() }, data: { data: int() } },
  { unique: ['of', 'index'], keyed: true },
)

type Step = (k: Kernel) => unknown

/** A world with a row or two of each table. */
function world(): Kernel {
  const k = new Kernel(new FastStore(), { profile: profile('7.2'), modules: [] })
  k.task = 1
  plain.create_at(k, 1, {})
  plain.create_at(k, 2, {})
  named.create_at(k, 1, { name: 'a' })
  child.create_at(k, 1, { parent: 7, name: 'a' })
  page.create_at(k, 1, { of: 7, index: 0 })
  return k
}

/** What a step of a task touches in such a world. */
function touches(step: Step, task = 1): Footprint {
  const k = world()
  k.task = task
  k.store.note()
  step(k)
  return k.store.footprint()
}

const shown = (step: Step) =>
  touches(step).map(
    ({ write, table, row, group }) => `${write ? 'writes' : 'reads'} ${table}/${row}/${group}`,
  )

describe('a step touches', () => {
  test('the group of fields that it reads or writes, and a write is not forgotten for a read', () => {
    expect(shown((k) => plain(k, 1).size)).toEqual(['reads notes_plain/1/size'])
    expect(shown((k) => (plain(k, 1).size += 1))).toEqual(['writes notes_plain/1/size'])
    expect(
      shown((k) => {
        plain(k, 1).size = 1
        return plain(k, 1).size
      }),
    ).toEqual(['writes notes_plain/1/size'])
  })

  test('a row by its key where the table is keyed', () => {
    expect(shown((k) => page.find(k, 7, 0)!.data)).toEqual([
      'reads notes_page/=7:0/exists',
      'reads notes_page/7:0/data',
    ])
  })

  test('what a row that comes or goes could be found by', () => {
    const found_by = (table: string, row: number | string, key: string) =>
      [`${row}/exists`, ...(key === '' ? [] : [`=${key}/exists`])].map((each) => `writes ${table}/${each}`)
    for (const gone of [false, true]) {
      const row = gone ? 1 : 9
      const at_range = (table: string) => `writes ${table}/@0/exists`
      const all = (table: string) => `writes ${table}/*/members`
      expect(shown((k) => (gone ? plain.remove(k, row) : plain.create_at(k, row, {})))).toEqual([
        ...found_by('notes_plain', row, ''),
        all('notes_plain'),
        at_range('notes_plain'),
      ])
      const name = gone ? 'a' : 'b'
      expect(shown((k) => (gone ? named.remove(k, row) : named.create_at(k, row, { name })))).toEqual([
        ...found_by('notes_named', row, name),
        all('notes_named'),
        at_range('notes_named'),
      ])
      expect(
        shown((k) => (gone ? child.remove(k, row) : child.create_at(k, row, { parent: 7, name }))),
      ).toEqual([
        ...found_by('notes_child', row, `7:${name}`),
        all('notes_child'),
        'writes notes_child/=7:*/members',
        at_range('notes_child'),
      ])
      // The number of a row with a key is nobody's business.
      const index = gone ? 0 : 5
      expect(shown((k) => (gone ? page.remove(k, row) : page.create_at(k, row, { of: 7, index })))).toEqual([
        ...found_by('notes_page', `7:${index}`, `7:${index}`),
        all('notes_page'),
        'writes notes_page/=7:*/members',
      ])
    }
  })

  test('what it asked for: a number, a free number, a key, or all rows', () => {
    const asked: [Step, string][] = [
      [(k) => plain.has(k, 5), 'notes_plain/5/exists'],
      [(k) => plain.lowest_free(k, 2, 1), 'notes_plain/@2/exists'],
      [(k) => plain.rows_in(k, 2), 'notes_plain/@2/exists'],
      [(k) => named.find(k, 'z'), 'notes_named/=z/exists'],
      [(k) => child.find(k, 7, 'z'), 'notes_child/=7:z/exists'],
      [(k) => child.where(k, 7), 'notes_child/=7:*/members'],
      [(k) => plain.rows(k), 'notes_plain/*/members'],
    ]
    for (const [step, what] of asked) expect(shown(step)).toEqual([`reads ${what}`])
  })

  test('both keys of a row that is renamed', () => {
    expect(
      shown((k) => {
        child(k, 1).parent = 8
      }),
    ).toEqual([
      'writes notes_child/1/key',
      'writes notes_child/=7:a/exists',
      'writes notes_child/=7:*/members',
      'writes notes_child/=8:a/exists',
      'writes notes_child/=8:*/members',
    ])
    expect(
      shown((k) => {
        named(k, 1).name = 'b'
      }),
    ).toEqual(['writes notes_named/1/key', 'writes notes_named/=a/exists', 'writes notes_named/=b/exists'])
  })
})

const make =
  (name: string, id = in_range(2, 1)): Step =>
  (k) =>
    child.create_at(k, id, { parent: 7, name })

describe('two steps', () => {
  const all = (k: Kernel) => plain.rows(k)
  const rows: [string, Step, Step, boolean][] = [
    ['two reads of one group', (k) => plain(k, 1).size, (k) => plain(k, 1).size, false],
    ['a read and a write of one group', (k) => plain(k, 1).size, (k) => (plain(k, 1).size = 1), true],
    ['two writes of one group', (k) => (plain(k, 1).size = 2), (k) => (plain(k, 1).size = 1), true],
    ['writes of two groups', (k) => (plain(k, 1).mode = 2), (k) => (plain(k, 1).size = 1), false],
    ['writes of two rows', (k) => (plain(k, 2).size = 2), (k) => (plain(k, 1).size = 1), false],
    ['writes of two tables', (k) => (named(k, 1).name = 'x'), (k) => (plain(k, 1).size = 1), false],
    ['two new rows with other keys and numbers', make('x'), make('y', in_range(3, 1)), false],
    ['two new rows of one number', make('x'), make('y'), true],
    ['a new row and a list of those under its key', make('x'), (k) => child.where(k, 7), true],
    ['a new row and a list of those under another key', make('x'), (k) => child.where(k, 8), false],
    ['a new row and a list of all', (k) => plain.create_at(k, 9, {}), all, true],
    ['two lists of all', all, all, false],
    ['a new row and a search for its key', make('x'), (k) => child.find(k, 7, 'x'), true],
    ['a new row and a search for another', make('x'), (k) => child.find(k, 7, 'y'), false],
    [
      'a row that goes and a question for its number',
      (k) => plain.remove(k, 1),
      (k) => plain.has(k, 1),
      true,
    ],
    ['a new row and the lowest free number', make('x'), (k) => child.lowest_free(k, 2, 1), true],
    ['a new row and the lowest free of others', make('x'), (k) => child.lowest_free(k, 3, 1), false],
  ]
  test.each(rows)(
    '%s: the same each way, and a run with the one is changed by the other as they conflict',
    (_, a, b, expected) => {
      const [x, y] = [touches(a), touches(b)]
      expect(conflict(x, y)).toBe(expected)
      expect(conflict(y, x)).toBe(expected)
    },
  )

  test('of which neither touches anything do not conflict', () => {
    expect(conflict([], touches(all))).toBe(false)
    expect(conflict(touches(all), [])).toBe(false)
  })
})

describe('a run that was touched like this is made another one', () => {
  const changed = (run: Step, step: Step) => new TouchIndex(touches(run)).is_changed_by(touches(step))

  test('by a write of what it read, and not by a read of what it wrote', () => {
    expect(
      changed(
        (k) => plain(k, 1).size,
        (k) => (plain(k, 1).size = 1),
      ),
    ).toBe(true)
    expect(
      changed(
        (k) => (plain(k, 1).size = 1),
        (k) => plain(k, 1).size,
      ),
    ).toBe(false)
    expect(
      changed(
        (k) => plain(k, 1).size,
        (k) => (plain(k, 1).mode = 1),
      ),
    ).toBe(false)
    expect(
      changed(
        (k) => plain(k, 1).size,
        (k) => (plain(k, 2).size = 1),
      ),
    ).toBe(false)
  })

  test('by a row that comes or goes, where it listed, searched or used it', () => {
    expect(
      changed(
        (k) => plain(k, 1).size,
        (k) => plain.remove(k, 1),
      ),
    ).toBe(true)
    expect(changed((k) => child.find(k, 7, 'x'), make('x'))).toBe(true)
    expect(changed((k) => child.where(k, 7), make('x'))).toBe(true)
    expect(changed((k) => child.where(k, 8), make('x'))).toBe(false)
    expect(changed((k) => child.find(k, 7, 'y'), make('x'))).toBe(false)
  })

  test('not by another that joins where it only joined', () => {
    expect(changed(make('x'), make('y', in_range(3, 1)))).toBe(false)
  })
})

test('rows of one number in two tables have nothing to do with each other', () => {
  const on = (table: string): Footprint => [{ write: true, table, row: '1', group: 'key' }]
  expect(conflict(on('notes_named'), on('notes_child'))).toBe(false)
  expect(conflict(on('notes_named'), on('notes_named'))).toBe(true)
})

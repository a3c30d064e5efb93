/** Steps that meet in no cell commute: all that the search infers of stages rests on it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Cells, JOIN, READ } from '../../src/explore/selection/cells.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { Kernel } from '../../src/kernel/kernel.js'
import { ended, step } from '../../src/kernel/machine.js'
import { conflict } from '../../src/kernel/notes.js'
import { profile } from '../../src/kernel/profile.js'
import { ABOVE, BELOW, in_range, int, list, type Side, sided, str, table } from '../../src/kernel/schema.js'
import { boot, programs } from '../kernel/worlds.js'

const plain = table('cells_plain', { size: { size: int() }, mode: { mode: int() } })
const counted = table('cells_counted', { count: { count: sided() } })
const named = table('cells_named', { key: { name: str() } }, { unique: ['name'] })
const child = table('cells_child', { key: { parent: int(), name: str() } }, { unique: ['parent', 'name'] })
const page = table(
  'cells_page',
  { key: { of: int(), index: int() }, data: { data: int() } },
  { unique: ['of', 'index'], keyed: true },
)
const own = table('cells_own', { own: { seen: list() } }, { owned: true })
const own_keyed = table(
  'cells_own_keyed',
  { key: { task: int(), index: int() }, data: { data: int() } },
  { unique: ['task', 'index'], keyed: true, owned: true },
)

/** Writes down what it is told. */
class Noted extends Cells {
  readonly touched: { how: number; cell: number }[] = []
  readonly owners: number[] = []
  protected touch(how: number, cell: number): void {
    this.touched.push({ how, cell })
  }
  protected touch_owned(owner: number): void {
    this.owners.push(owner)
  }
  /** What a step touches, told to this one: strings have one number for all who are told. */
  of(k: Kernel, run: (k: Kernel) => unknown): Noted['touched'] {
    this.touched.length = this.owners.length = 0
    k.store.watch(this)
    run(k)
    k.store.watch(null)
    return [...this.touched]
  }
}

const meet = (a: Noted['touched'], b: Noted['touched']): boolean =>
  a.some((x) => b.some((y) => x.cell === y.cell && !(x.how === y.how && (x.how === READ || x.how === JOIN))))

type Step = (k: Kernel) => unknown

function world(): Kernel {
  const k = new Kernel(new FastStore(), { profile: profile('7.2'), modules: [] })
  plain.create_at(k, 1, {})
  plain.create_at(k, 2, {})
  named.create_at(k, 1, { name: 'a' })
  named.create_at(k, 2, { name: 'b' })
  counted.create_at(k, 1, {})
  child.create_at(k, 1, { parent: 7, name: 'a' })
  page.create_at(k, 1, { of: 7, index: 0 })
  page.create_at(k, 2, { of: 7, index: 1 })
  return k
}

const make =
  (name: string, id = in_range(2, 1), parent = 7): Step =>
  (k) =>
    child.create_at(k, id, { parent, name })

describe('two steps', () => {
  const read: Step = (k) => plain(k, 1).size
  const write: Step = (k) => (plain(k, 1).size = 1)
  const add: Step = (k) => plain.add(k, 1, 'size', 2)
  const join =
    (side: Side, n: number = side): Step =>
    (k) =>
      counted.add_on_side(k, 1, 'count', n, side)
  const rows: [string, Step, Step, boolean][] = [
    ['two additions to one field', add, add, false],
    ['an addition and a read', add, read, true],
    ['an addition and a write', add, write, true],
    ['an addition, and the row goes', add, (k) => plain.remove(k, 1), true],
    ['two that join one side', join(ABOVE), join(ABOVE), false],
    ['one that joins a side and one that leaves it', join(BELOW), join(BELOW, 1), false],
    ['two that join two sides', join(ABOVE), join(BELOW), true],
    ['one that joins a side, and a read', join(BELOW), (k) => counted(k, 1).count, true],
    ['one that joins a side, and a write', join(ABOVE), (k) => (counted(k, 1).count = 3), true],
    ['one that joins a side, and the row goes', join(BELOW), (k) => counted.remove(k, 1), true],
    ['two reads of a counter with sides', (k) => counted(k, 1).count, (k) => counted(k, 1).count, false],
    ['two reads of one field', read, read, false],
    ['a read and a write of one field', read, write, true],
    ['two writes of one field', write, (k) => (plain(k, 1).size = 2), true],
    ['writes of two groups of fields', write, (k) => (plain(k, 1).mode = 2), false],
    ['writes of two rows', write, (k) => (plain(k, 2).size = 2), false],
    ['writes of two tables', write, (k) => (named(k, 1).name = 'x'), false],
    ['a row that goes, and a read of a field of it', (k) => plain.remove(k, 1), read, true],
    ['a row that goes, and a read of another', (k) => plain.remove(k, 2), read, false],
    [
      'a row that goes, and a question for its number',
      (k) => plain.remove(k, 1),
      (k) => plain.has(k, 1),
      true,
    ],
    ['a row that goes, and a question for another', (k) => plain.remove(k, 1), (k) => plain.has(k, 2), false],
    [
      'a new row, and a question for its number',
      (k) => plain.create_at(k, 9, {}),
      (k) => plain.has(k, 9),
      true,
    ],
    ['two new rows with other keys and numbers', make('x'), make('y', in_range(3, 1)), false],
    ['two new rows of one key', make('x'), make('x', in_range(3, 1)), true],
    ['two new rows that take numbers of one range', make('x'), make('y', in_range(2, 2)), true],
    ['a new row, and a list of those under its key', make('x'), (k) => child.where(k, 7), true],
    ['a new row, and a list of those under another key', make('x'), (k) => child.where(k, 8), false],
    ['a new row, and a list of all', make('x'), (k) => child.rows(k), true],
    ['a new row, and a list of another table', make('x'), (k) => plain.rows(k), false],
    ['two lists of all', (k) => child.rows(k), (k) => child.rows(k), false],
    ['two lists of those under a key', (k) => child.where(k, 7), (k) => child.where(k, 7), false],
    ['a new row, and a search for its key', make('x'), (k) => child.find(k, 7, 'x'), true],
    ['a new row, and a search for another second key', make('x'), (k) => child.find(k, 7, 'y'), false],
    ['a new row, and a search for another first key', make('x'), (k) => child.find(k, 8, 'x'), false],
    ['a new row, and the lowest free number there', make('x'), (k) => child.lowest_free(k, 2, 1), true],
    ['a new row, and the lowest free number elsewhere', make('x'), (k) => child.lowest_free(k, 3, 1), false],
    ['a new row, and the rows of its range', make('x'), (k) => child.rows_in(k, 2), true],
    [
      'a name that is given up, and a search for it',
      (k) => (named(k, 1).name = 'x'),
      (k) => named.find(k, 'a'),
      true,
    ],
    [
      'a name that is taken, and a search for it',
      (k) => (named(k, 1).name = 'x'),
      (k) => named.find(k, 'x'),
      true,
    ],
    [
      'a name that is taken, and a search for another',
      (k) => (named(k, 1).name = 'x'),
      (k) => named.find(k, 'b'),
      false,
    ],
    ['one name that two rows take', (k) => (named(k, 1).name = 'x'), (k) => (named(k, 2).name = 'x'), true],
    [
      'a row that leaves a key, and a list of those under it',
      (k) => (child(k, 1).parent = 8),
      (k) => child.where(k, 7),
      true,
    ],
    [
      'a row that comes under a key, and a list of those under it',
      (k) => (child(k, 1).parent = 8),
      (k) => child.where(k, 8),
      true,
    ],
    [
      'a row that moves, and a list under a third key',
      (k) => (child(k, 1).parent = 8),
      (k) => child.where(k, 9),
      false,
    ],
    [
      'writes of two rows that are known by their keys',
      (k) => (page.find(k, 7, 0)!.data = 1),
      (k) => (page.find(k, 7, 1)!.data = 1),
      false,
    ],
    [
      'writes of one row that is known by its key',
      (k) => (page.find(k, 7, 0)!.data = 1),
      (k) => (page.find(k, 7, 0)!.data = 2),
      true,
    ],
    [
      'a row with a key that goes, and a search for it',
      (k) => page.remove(k, 1),
      (k) => page.find(k, 7, 0),
      true,
    ],
    [
      'two rows with keys that come: their numbers are nobody’s business',
      (k) => page.create_at(k, 5, { of: 7, index: 5 }),
      (k) => page.create_at(k, 6, { of: 7, index: 6 }),
      false,
    ],
  ]
  test.each(rows)('%s', (_, a, b, expected) => {
    const noted = new Noted()
    const [x, y] = [noted.of(world(), a), noted.of(world(), b)]
    expect(meet(x, y)).toBe(expected)
    expect(meet(y, x)).toBe(expected)
  })
})

test('a row that is known by its key is the same under another number', () => {
  const noted = new Noted()
  const [one, other] = [1, 5].map((id) => {
    const k = world()
    page.remove(k, 1)
    page.create_at(k, id, { of: 7, index: 0 })
    return noted.of(k, (k) => (page.find(k, 7, 0)!.data = 1))
  })
  expect(one).toEqual(other)
})

test('of rows that belong to tasks it is told whose they are, by number or by the first of their key', () => {
  const k = world()
  const noted = new Noted()
  const owners = (run: Step) => {
    noted.of(k, run)
    return [...new Set(noted.owners)]
  }
  expect(owners((k) => own.create_at(k, 3, {}))).toEqual([3])
  expect(owners((k) => own(k, 3).seen)).toEqual([3])
  expect(owners((k) => (own(k, 3).seen = [1]))).toEqual([3])
  expect(owners((k) => own_keyed.create_at(k, 9, { task: 4, index: 1 }))).toEqual([4])
  expect(owners((k) => (own_keyed.find(k, 4, 1)!.data = 1))).toEqual([4])
  expect(owners((k) => own.remove(k, 3))).toEqual([3])
  expect(owners((k) => plain(k, 1).size)).toEqual([])
})

test('steps of different tasks that meet nowhere commute, and those that conflict by the notes do meet', () => {
  const long = fc.array(fc.tuple(fc.nat(2), fc.nat(1)), { minLength: 60, maxLength: 60 })
  let commuted = 0
  let met = 0
  fc.assert(
    fc.property(programs, long, (tasks, wanted) => {
      const k = boot(new FastStore(), tasks)
      const noted = new Noted()
      const back = <T>(act: () => T): T => {
        const mark = k.store.mark()
        const result = act()
        k.store.undo(mark)
        return result
      }
      const cells = (task: number, choice: number) => back(() => noted.of(k, () => step(k, task, choice)))
      const footprint = (task: number, choice: number) =>
        back(() => {
          k.store.note()
          step(k, task, choice)
          return k.store.footprint()
        })
      /** The state after both in this order; null if one of them sleeps. */
      const after = (first: number, second: number, choice: number) =>
        back(() =>
          step(k, first, choice) !== 0 || ended(k, second) || step(k, second, choice) !== 0
            ? null
            : JSON.stringify(k.store.snapshot()),
        )
      for (const [number, choice] of wanted) {
        const running = k.store.tasks()
        if (running.length === 0) break
        const task = running[number % running.length]!
        for (const other of running) {
          if (other === task) continue
          const touched = meet(cells(task, choice), cells(other, choice))
          if (conflict(footprint(task, choice), footprint(other, choice))) {
            expect(touched).toBe(true)
            met++
          }
          if (touched) continue
          expect(after(task, other, choice)).toBe(after(other, task, choice))
          commuted++
        }
        step(k, task, choice)
      }
    }),
    { numRuns: 150, seed: 1 },
  )
  expect(commuted).toBeGreaterThan(500)
  expect(met).toBeGreaterThan(20)
})

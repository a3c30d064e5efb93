/**
 * What stages touch, as numbers: cheap enough to be noted in every search. A cell is a group of fields of one row, a
 * number or a key that a row may have, the free numbers of a range, or the set of rows under a key or of a table. Two
 * cells may have one number; then stages seem to meet that do not, and nothing is lost but a reduction.
 */
import type { NotedRow, Notes } from '../../kernel/notes.js'
import { type Renumbering, renumbered } from '../../kernel/renumbering.js'
import { type Column, has_key, range_of, type Side, type TableInfo, type Value } from '../../kernel/schema.js'

/**
 * How a cell is touched. Two reads commute, and so do two joins: rows that come to one set or go from it, and additions
 * to one counter, of which nobody sees what it is in between. Nothing else does.
 */
export const READ = 0
export const WRITE = 1
export const JOIN = 2
export const WAYS = 3

/** Whose a cell is: the running task's own, of exchangeable ones, or another's of them. */
export const OWN = 1
export const ANOTHERS = 2

// Kinds of cells beside groups of fields, which are counted from 0.
const BY_NUMBER = -1
const BY_KEY = -2
const FREE_NUMBERS = -3
const ROWS_OF_TABLE = -4
const ROWS_UNDER_KEY = -5

export abstract class Cells implements Notes {
  private readonly strings = new Map<string, number>()
  /** Of the cell that is touched: whether it is the running task's own among exchangeable ones, or another's of them. */
  protected whose: 0 | typeof OWN | typeof ANOTHERS = 0

  /** Whether there are exchangeable tasks, whose cells are to be one. */
  protected readonly collapses: boolean = false

  /** The number of a row, or of a task, by which the cells of exchangeable tasks are one: `whose` says what it was. */
  protected collapsed(number: number, _of_task: boolean): number {
    return number
  }

  /** The running stage touches a cell. */
  protected abstract touch(how: number, cell: number): void
  /** The running stage touches a row of a table whose rows belong to tasks. */
  protected abstract touch_owned(owner: number): void

  row(write: boolean, row: NotedRow, column: Column): void {
    this.owned(row)
    this.whose = 0
    this.touch_group(write ? WRITE : READ, this.identity(row), column)
  }

  /** Of additions to one counter it does not matter which comes first. */
  added(row: NotedRow, column: Column): void {
    this.owned(row)
    this.whose = 0
    this.touch(JOIN, mix(this.identity(row), column.group_number))
  }

  /** Those of one side only see that nobody is on the other, which is so as long as they are there. */
  sided(row: NotedRow, column: Column, side: Side): void {
    this.owned(row)
    this.whose = 0
    const identity = this.identity(row)
    this.touch(JOIN, mix(identity, side * column.group_number))
    this.touch(READ, mix(identity, -side * column.group_number))
  }

  /** Of a sided counter each side is a cell: who sees the number sees both. */
  private touch_group(way: number, identity: number, { group_number, type }: Column): void {
    this.touch(way, mix(identity, group_number))
    if (type.sided === true) this.touch(way, mix(identity, -group_number))
  }

  moved(row: NotedRow): void {
    if (has_key(row.table, row.v)) this.key_of_row(row)
  }

  /** All of the row is written: whoever has read a field of it did so before. */
  row_made_or_gone(row: NotedRow): void {
    const { table } = row
    this.owned(row)
    this.number_touched(WRITE, table, row.id)
    this.whose = 0
    const identity = this.identity(row)
    for (const column of table.columns) this.touch_group(WRITE, identity, column)
    this.whose = 0
    this.touch(JOIN, mix(table.salt_lo, ROWS_OF_TABLE))
    if (has_key(table, row.v)) this.key_of_row(row)
    if (!table.keyed) this.range_touched(WRITE, table, range_of(row.id))
  }

  range(table: TableInfo, range: number): void {
    this.range_touched(READ, table, range)
  }

  number(table: TableInfo, id: number): void {
    this.number_touched(READ, table, id)
  }

  key(table: TableInfo, first: Value, second?: Value): void {
    this.whose = 0
    this.touch(READ, this.key_cell(table, first, second))
  }

  listing(table: TableInfo, first?: Value): void {
    this.whose = 0
    this.touch(
      READ,
      first === undefined ? mix(table.salt_lo, ROWS_OF_TABLE) : this.rows_under_key(table, first),
    )
  }

  private number_touched(way: number, table: TableInfo, id: number): void {
    this.whose = 0
    this.touch(way, mix(mix(table.salt_lo, this.collapsed(id, table.of_tasks)), BY_NUMBER))
  }

  private range_touched(way: number, table: TableInfo, range: number): void {
    this.whose = 0
    this.touch(way, mix(mix(table.salt_lo, this.collapsed(range, true)), FREE_NUMBERS))
  }

  private key_of_row({ table, v }: NotedRow): void {
    const [first, second] = table.unique
    this.whose = 0
    this.touch(WRITE, this.key_cell(table, v[first!.index]!, second && v[second.index]!))
    if (second === undefined) return
    this.whose = 0
    this.touch(JOIN, this.rows_under_key(table, v[first!.index]!))
  }

  private rows_under_key(table: TableInfo, first: Value): number {
    return mix(mix(table.salt_lo, this.key_number(table, 0, first)), ROWS_UNDER_KEY)
  }

  private key_cell(table: TableInfo, first: Value, second: Value | undefined): number {
    const of_first = mix(mix(table.salt_lo, this.key_number(table, 0, first)), BY_KEY)
    return second === undefined ? of_first : mix(of_first, this.key_number(table, 1, second))
  }

  private identity({ table, id, v }: NotedRow): number {
    // Mixed by whoever takes it.
    if (!table.keyed) return table.salt_lo ^ Math.imul(this.collapsed(id, table.of_tasks), 0x85ebca6b)
    let identity = table.salt_lo
    for (const [at, { index }] of table.unique.entries())
      identity = mix(identity, this.key_number(table, at, v[index]!))
    return identity
  }

  private owned({ table, id, v }: NotedRow): void {
    if (table.owned) this.touch_owned(table.keyed ? this.number_of(v[table.unique[0]!.index]!) : id)
  }

  /** A value of one of the columns by which rows are found. */
  private key_number({ unique }: TableInfo, at: number, value: Value): number {
    return this.number_of(this.collapses ? renumbered(unique[at]!, value, this.by) : value)
  }

  private readonly by: Renumbering = {
    task: (task) => this.collapsed(task, true),
    row: (id) => this.collapsed(id, false),
    place: (pc) => pc,
    label: (text) => text,
  }

  /** Strings, and lists as JSON has them, are counted as they come. */
  private number_of(value: Value): number {
    if (typeof value === 'number') return value
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    let number = this.strings.get(text)
    if (number === undefined) {
      number = this.strings.size
      this.strings.set(text, number)
    }
    return number
  }
}

/** Two numbers of 32 bits as one (the finaliser of MurmurHash3 over both). */
function mix(first: number, second: number): number {
  let h = first ^ Math.imul(second, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

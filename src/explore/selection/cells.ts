/**
 * What stages touch, as numbers: cheap enough to be noted in every search. A cell is a group of fields of one row, a
 * number or a key that a row may have, the free numbers of a range, or the set of rows under a key or of a table. Two
 * cells may have one number; then stages seem to meet that do not, and nothing is lost but a reduction.
 */
import type { NotedRow, Notes } from '../../kernel/notes.js'
import { type Column, range_of, type TableInfo, type Value } from '../../kernel/schema.js'

/** How a cell is touched. Two reads commute, and so do two joins of one set; nothing else does. */
export const READ = 0
const WRITE = 1
export const JOIN = 2
export const WAYS = 3

// Kinds of cells beside groups of fields, which are counted from 0.
const BY_NUMBER = -1
const BY_KEY = -2
const FREE_NUMBERS = -3
const ROWS_OF_TABLE = -4
const ROWS_UNDER_KEY = -5

export abstract class Cells implements Notes {
  private readonly strings = new Map<string, number>()

  /** The running stage touches a cell. */
  protected abstract touch(how: number, cell: number): void
  /** The running stage touches a row of a table whose rows belong to tasks. */
  protected abstract touch_owned(owner: number): void

  row(write: boolean, row: NotedRow, column: Column): void {
    this.owned(row)
    this.touch(write ? WRITE : READ, mix(this.identity(row), column.group_number))
  }

  moved(row: NotedRow): void {
    this.key_of_row(row)
  }

  /** All of the row is written: whoever has read a field of it did so before. */
  row_made_or_gone(row: NotedRow): void {
    const { table } = row
    this.owned(row)
    const identity = this.identity(row)
    this.touch(WRITE, mix(mix(table.salt_lo, row.id), BY_NUMBER))
    for (const { group_number } of table.columns) this.touch(WRITE, mix(identity, group_number))
    this.touch(JOIN, mix(table.salt_lo, ROWS_OF_TABLE))
    if (table.unique.length > 0) this.key_of_row(row)
    if (!table.keyed) this.touch(WRITE, mix(mix(table.salt_lo, range_of(row.id)), FREE_NUMBERS))
  }

  range(table: TableInfo, range: number): void {
    this.touch(READ, mix(mix(table.salt_lo, range), FREE_NUMBERS))
  }

  number(table: TableInfo, id: number): void {
    this.touch(READ, mix(mix(table.salt_lo, id), BY_NUMBER))
  }

  key(table: TableInfo, first: Value, second?: Value): void {
    this.touch(READ, this.key_cell(table, first, second))
  }

  listing(table: TableInfo, first?: Value): void {
    this.touch(
      READ,
      first === undefined ? mix(table.salt_lo, ROWS_OF_TABLE) : this.rows_under_key(table, first),
    )
  }

  private key_of_row({ table, v }: NotedRow): void {
    const [first, second] = table.unique
    this.touch(WRITE, this.key_cell(table, v[first!.index]!, second && v[second.index]!))
    if (second !== undefined) this.touch(JOIN, this.rows_under_key(table, v[first!.index]!))
  }

  private rows_under_key(table: TableInfo, first: Value): number {
    return mix(mix(table.salt_lo, this.number_of(first)), ROWS_UNDER_KEY)
  }

  private key_cell(table: TableInfo, first: Value, second: Value | undefined): number {
    const of_first = mix(mix(table.salt_lo, this.number_of(first)), BY_KEY)
    return second === undefined ? of_first : mix(of_first, this.number_of(second))
  }

  private identity({ table, id, v }: NotedRow): number {
    // Mixed by whoever takes it.
    if (!table.keyed) return table.salt_lo ^ Math.imul(id, 0x85ebca6b)
    let identity = table.salt_lo
    for (const { index } of table.unique) identity = mix(identity, this.number_of(v[index]!))
    return identity
  }

  private owned({ table, id, v }: NotedRow): void {
    if (table.owned) this.touch_owned(table.keyed ? this.number_of(v[table.unique[0]!.index]!) : id)
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

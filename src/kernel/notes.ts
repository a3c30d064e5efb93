/** What a step touches, noted by the accessors of either store while somebody asks for it. */

import type { Footprint, Touch } from './footprint.js'
import { type Column, has_key, range_of, type Side, type TableInfo, type Value } from './schema.js'

export interface NotedRow {
  readonly table: TableInfo
  readonly id: number
  readonly v: readonly Value[]
}

/** Told by the accessors of a store of all that a step touches. */
export interface Notes {
  /** A field of a row was read or written. */
  row(write: boolean, row: NotedRow, column: Column): void
  /** Something was added to a field of a row, of which nobody saw what it is. */
  added(row: NotedRow, column: Column): void
  /** One side of a sided counter was joined or left, or was not for somebody is on the other. */
  sided(row: NotedRow, column: Column, side: Side): void
  /** A row gets another key, or none, or one: told before and after, for those who look for the old key or the new one. */
  moved(row: NotedRow): void
  /** A row came or went: for those who hold its number, and for those who look for its key. */
  row_made_or_gone(row: NotedRow): void
  /** Somebody took the lowest free number of a range, or listed what is in it. */
  range(table: TableInfo, range: number): void
  /** Somebody asked whether there is a row of this number. */
  number(table: TableInfo, id: number): void
  /** Somebody looked for a key. */
  key(table: TableInfo, first: Value, second?: Value): void
  /** Somebody listed rows: those under a first key, or all. */
  listing(table: TableInfo, first?: Value): void
}

/** The group that stands for which rows there are: in a range of numbers, under a first key, in a table. */
const MEMBERS = 'members'

/** Joining a set and listing it are noted apart: two joins commute, a join and a listing do not. */
const key_of = (write: boolean, table: string, row: string, group: string): string =>
  `${table}/${row}/${group}${group === MEMBERS && write ? '+' : ''}`

export class TouchNotes implements Notes {
  private readonly noted = new Map<string, Touch>()

  private add(write: boolean, table: string, row: string, group: string): void {
    const key = key_of(write, table, row, group)
    const before = this.noted.get(key)
    if (before === undefined || (write && !before.write)) this.noted.set(key, { write, table, row, group })
  }

  row(write: boolean, row: NotedRow, { group }: Column): void {
    const table = row.table
    this.add(write, table.name, identity(table, row), group)
  }

  /** In footprints this is a write like others: who compares steps by them sees what a step changes. */
  added(row: NotedRow, column: Column): void {
    this.row(true, row, column)
  }

  sided(row: NotedRow, column: Column): void {
    this.row(true, row, column)
  }

  moved(row: NotedRow): void {
    const table = row.table
    if (!has_key(table, row.v)) return
    this.key_of_row(true, table, row)
    if (table.unique.length === 2) this.add(true, table.name, `=${row.v[table.unique[0]!.index]}:*`, MEMBERS)
  }

  row_made_or_gone(row: NotedRow): void {
    const table = row.table
    this.add(true, table.name, identity(table, row), 'exists')
    const found = has_key(table, row.v)
    if (found) this.key_of_row(true, table, row)
    this.add(true, table.name, '*', MEMBERS)
    if (found && table.unique.length === 2)
      this.add(true, table.name, `=${row.v[table.unique[0]!.index]}:*`, MEMBERS)
    if (!table.keyed) this.add(true, table.name, `@${range_of(row.id)}`, 'exists')
  }

  range(table: TableInfo, range: number): void {
    this.add(false, table.name, `@${range}`, 'exists')
  }

  number(table: TableInfo, id: number): void {
    this.add(false, table.name, String(id), 'exists')
  }

  key(table: TableInfo, first: Value, second?: Value): void {
    this.add(false, table.name, second === undefined ? `=${first}` : `=${first}:${second}`, 'exists')
  }

  listing(table: TableInfo, first?: Value): void {
    this.add(false, table.name, first === undefined ? '*' : `=${first}:*`, MEMBERS)
  }

  private key_of_row(write: boolean, table: TableInfo, row: NotedRow): void {
    this.add(write, table.name, `=${table.unique.map((column) => row.v[column.index]).join(':')}`, 'exists')
  }

  touches(): Footprint {
    return [...this.noted.values()]
  }
}

function identity(table: TableInfo, row: NotedRow): string {
  return table.keyed ? table.unique.map((column) => row.v[column.index]).join(':') : String(row.id)
}

/** Whether two steps may not commute: one writes what the other touches. */
export function conflict(a: Footprint, b: Footprint): boolean {
  return a.some((x) =>
    b.some((y) => {
      if (x.table !== y.table || x.row !== y.row || x.group !== y.group) return false
      return x.group === MEMBERS ? x.write !== y.write : x.write || y.write
    }),
  )
}

/** All that was touched in a run, to be held against many steps. */
export class TouchIndex {
  private readonly keys = new Set<string>()

  constructor(footprint: Footprint) {
    for (const { write, table, row, group } of footprint) {
      this.keys.add(key_of(write, table, row, group))
      this.keys.add(`${table}/${row}`)
    }
  }

  /** Whether a step may make the same run another one: it writes what was touched, or a row comes or goes that was. */
  is_changed_by(step: Footprint): boolean {
    return step.some(
      ({ write, table, row, group }) =>
        write && this.keys.has(group === 'exists' ? `${table}/${row}` : key_of(false, table, row, group)),
    )
  }
}

/** What a step touches, noted by the accessors of either store while somebody asks for it. */

import type { Footprint, Touch } from './footprint.js'
import { range_of, type TableInfo, type Value } from './schema.js'

interface NotedRow {
  readonly table: TableInfo
  readonly id: number
  readonly v: readonly Value[]
}

/** The group that stands for which rows there are: in a range of numbers, under a first key, in a table. */
const MEMBERS = 'members'

/** Joining a set and listing it are noted apart: two joins commute, a join and a listing do not. */
const key_of = (write: boolean, table: string, row: string, group: string): string =>
  `${table}/${row}/${group}${group === MEMBERS && write ? '+' : ''}`

export class TouchNotes {
  private readonly noted = new Map<string, Touch>()

  private add(write: boolean, table: string, row: string, group: string): void {
    const key = key_of(write, table, row, group)
    const before = this.noted.get(key)
    if (before === undefined || (write && !before.write)) this.noted.set(key, { write, table, row, group })
  }

  /** A group of fields of a row was read or written. */
  row(write: boolean, row: NotedRow, group: string): void {
    const table = row.table
    this.add(write, table.name, identity(table, row), group)
  }

  /** A unique column is written: told before and after, for those who look for the old key or the new one. */
  moved(row: NotedRow): void {
    const table = row.table
    this.key(true, table, row)
    if (table.unique.length === 2) this.add(true, table.name, `=${row.v[table.unique[0]!.index]}:*`, MEMBERS)
  }

  /** A row came or went: for those who hold its number, and for those who look for its key. */
  row_made_or_gone(row: NotedRow): void {
    const table = row.table
    this.add(true, table.name, identity(table, row), 'exists')
    if (table.unique.length > 0) this.key(true, table, row)
    this.add(true, table.name, '*', MEMBERS)
    if (table.unique.length === 2) this.add(true, table.name, `=${row.v[table.unique[0]!.index]}:*`, MEMBERS)
    if (!table.keyed) this.add(true, table.name, `@${range_of(row.id)}`, 'exists')
  }

  /** Somebody took the lowest free number of a range. */
  range(table: TableInfo, range: number): void {
    this.add(false, table.name, `@${range}`, 'exists')
  }

  /** Somebody asked whether a row is there: by number, or by key (`=first:second`). */
  lookup(table: TableInfo, row: string): void {
    this.add(false, table.name, row, 'exists')
  }

  /** Somebody listed rows: those under a first key (`=first:*`), or all (`*`). */
  listing(table: TableInfo, rows: string): void {
    this.add(false, table.name, rows, MEMBERS)
  }

  private key(write: boolean, table: TableInfo, row: NotedRow): void {
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

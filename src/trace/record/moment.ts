/**
 * The state at one moment of a run, and at the moment before its last step. A set-up may be large and a step is
 * small: so the rows are copied once, and after every step only those that it wrote, which its footprint tells.
 */
import type { Footprint, PlainRow } from '../../kernel/footprint.js'
import type { Store } from '../../kernel/kernel.js'
import { type AnyRow, all_tables, type TableInfo, type Value } from '../../kernel/schema.js'

/** The rows of a state, as those who name and compare them see it. */
export interface Rows {
  row(table: string, id: number | string): PlainRow | undefined
  rows(table: string): ReadonlyMap<string, PlainRow>
  /** The lowest number of a dentry that leads to an inode. */
  dentry_of(ino: number): number | undefined
}

/** A row that a step wrote, as it was and as it is. */
export interface Written {
  readonly table: TableInfo
  readonly row: string
  readonly old: PlainRow | undefined
  readonly now: PlainRow | undefined
}

const no_rows: ReadonlyMap<string, PlainRow> = new Map()

export class Moment implements Rows {
  private readonly tables = new Map<string, Map<string, PlainRow>>()
  private readonly dentries = new Map<number, Set<number>>()

  constructor(private readonly store: Store) {
    for (const [table, rows] of Object.entries(store.snapshot().tables))
      for (const [row, values] of Object.entries(rows)) this.put(table, row, values)
  }

  row(table: string, id: number | string): PlainRow | undefined {
    return this.tables.get(table)?.get(String(id))
  }

  rows(table: string): ReadonlyMap<string, PlainRow> {
    return this.tables.get(table) ?? no_rows
  }

  dentry_of(ino: number): number | undefined {
    return lowest(this.dentries.get(ino) ?? [])
  }

  /** Dentries that lead to an inode. */
  dentries_of(ino: number): ReadonlySet<number> {
    return this.dentries.get(ino) ?? new Set()
  }

  /** Makes it the moment after a step. @returns the moment before, until the next step */
  after(footprint: Footprint): Before {
    const filled = new Set([...this.tables].filter(([, rows]) => rows.size > 0).map(([name]) => name))
    const written: Written[] = []
    for (const table of all_tables()) {
      for (const row of rows_written(footprint, table)) {
        const old = this.row(table.name, row)
        const now = read(this.store, table, row)
        written.push({ table, row, old, now })
        this.put(table.name, row, now)
      }
    }
    return new Before(this, in_order_of_snapshots(written, filled))
  }

  private put(table: string, row: string, values: PlainRow | undefined): void {
    let rows = this.tables.get(table)
    if (rows === undefined) this.tables.set(table, (rows = new Map()))
    if (table === 'dentry') this.dentries.get(Number(rows.get(row)?.d_inode))?.delete(Number(row))
    if (values === undefined) {
      rows.delete(row)
      return
    }
    rows.set(row, values)
    if (table !== 'dentry') return
    const ino = Number(values.d_inode)
    if (!this.dentries.has(ino)) this.dentries.set(ino, new Set())
    this.dentries.get(ino)!.add(Number(row))
  }
}

/** The moment before the last step: what the step wrote is as it was, all else as it is. */
export class Before implements Rows {
  private readonly old = new Map<string, Map<string, PlainRow | undefined>>()

  constructor(
    private readonly now: Moment,
    readonly written: readonly Written[],
  ) {
    for (const { table, row, old } of written) {
      if (!this.old.has(table.name)) this.old.set(table.name, new Map())
      this.old.get(table.name)!.set(row, old)
    }
  }

  row(table: string, id: number | string): PlainRow | undefined {
    const old = this.old.get(table)
    return old?.has(String(id)) === true ? old.get(String(id)) : this.now.row(table, id)
  }

  rows(table: string): ReadonlyMap<string, PlainRow> {
    const old = this.old.get(table)
    if (old === undefined) return this.now.rows(table)
    const rows = new Map(this.now.rows(table))
    for (const [row, values] of old) {
      if (values === undefined) rows.delete(row)
      else rows.set(row, values)
    }
    return rows
  }

  dentry_of(ino: number): number | undefined {
    const found = new Set(this.now.dentries_of(ino))
    for (const [row, values] of this.old.get('dentry') ?? []) {
      if (Number(values?.d_inode) === ino) found.add(Number(row))
      else found.delete(Number(row))
    }
    return lowest(found)
  }
}

function lowest(numbers: Iterable<number>): number | undefined {
  let least: number | undefined
  for (const each of numbers) if (least === undefined || each < least) least = each
  return least
}

/** Rows of a table that were written, made or removed: names of keys and of sets of rows are none. */
function rows_written(footprint: Footprint, table: TableInfo): Set<string> {
  const names = footprint
    .filter((touch) => touch.write && touch.table === table.name && /^\d/.test(touch.row))
    .map((touch) => touch.row)
  return new Set(names)
}

/** The values of a key, which a footprint joins with colons: numbers, and at the end perhaps a word. */
function key_of({ unique }: TableInfo, row: string): [number | string, (number | string)?] {
  const colon = row.indexOf(':')
  const parts = unique.length === 1 ? [row] : [row.slice(0, colon), row.slice(colon + 1)]
  const [first, second] = parts.map((part, i) =>
    typeof unique[i]!.initial === 'number' ? Number(part) : part,
  )
  return [first!, second]
}

const by_number = (store: Store, table: TableInfo, id: number): AnyRow | undefined =>
  store.has(table, id) ? store.row(table, id) : undefined

/** A row as plain data, by its number or key. */
function read(store: Store, table: TableInfo, row: string): PlainRow | undefined {
  const found = table.keyed ? store.find(table, ...key_of(table, row)) : by_number(store, table, Number(row))
  if (found === undefined) return undefined
  const values = found as AnyRow & PlainRow
  return Object.fromEntries(table.columns.map(({ name }) => [name, copy(values[name]!)]))
}

/** A list of the reference store lives no longer than its step. */
const copy = (value: Value): Value => (typeof value === 'object' ? [...value] : value)

/** Tables that had rows first; of each the rows that are gone first, by number or key. */
function in_order_of_snapshots(written: readonly Written[], filled: ReadonlySet<string>): Written[] {
  const rank = ({ table, now }: Written) =>
    2 * (table.index + (filled.has(table.name) ? 0 : all_tables().length)) + (now === undefined ? 0 : 1)
  return [...written].sort((a, b) => rank(a) - rank(b) || by_key(a.row, b.row))
}

function by_key(a: string, b: string): number {
  if (/^\d+$/.test(a) && /^\d+$/.test(b)) return Number(a) - Number(b)
  return a < b ? -1 : a > b ? 1 : 0
}

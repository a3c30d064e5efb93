/**
 * The store of the search: one mutable world and a journal of what to take back.
 *
 * A row keeps its values in an array. Its accessors are made once per table (or kernel function) from the
 * schema: a getter reads the array, a setter journals the old value, updates the hash, and writes. Taking
 * back restores values from the journal and the hash from the mark.
 */
import type { Fn, Frame } from './fn.js'
import { hash_list, hash_number, hash_string, out } from './hash.js'
import {
  all_tables,
  type Column,
  in_range,
  place_in_range,
  RANGE_BITS,
  range_of,
  type Shape,
  type TableInfo,
  type Value,
} from './schema.js'
import { TouchNotes } from './notes.js'
import type { Footprint, PlainFrame, PlainRow, Snapshot, Store } from './store.js'

const FIELD_SET = 0
const ROW_MADE = 1
const ROW_GONE = 2
const FRAME_PUSHED = 3
const FRAME_POPPED = 4

class FastRow {
  /** The two words that this row's identity adds to the salt of each of its fields. */
  salt_lo = 0
  salt_hi = 0
  constructor(
    readonly store: FastStore,
    readonly table: TableInfo | null,
    readonly id: number,
    readonly v: Value[],
  ) {}
}

class FastFrame extends FastRow {
  constructor(
    store: FastStore,
    readonly fn: Fn,
    readonly task: number,
    depth: number,
    v: Value[],
  ) {
    super(store, null, depth, v)
  }
}

type Constructor<T extends unknown[]> = new (...args: T) => FastRow
const row_classes = new Map<Shape, Constructor<[FastStore, TableInfo, number, Value[]]>>()
const frame_classes = new Map<Shape, Constructor<[FastStore, Fn, number, number, Value[]]>>()

function define_accessors(prototype: object, shape: Shape, noted: boolean): void {
  for (const column of shape.columns) {
    const { index } = column
    Object.defineProperty(prototype, column.name, {
      get: noted && !column.constant
        ? function (this: FastRow) {
            if (this.store.notes !== null) this.store.notes.row(false, this, column.group)
            return this.v[index]
          }
        : function (this: FastRow) {
            return this.v[index]
          },
      set(this: FastRow, value: Value) {
        this.store.write(this, column, value)
      },
    })
  }
}

function row_class(table: TableInfo) {
  let made = row_classes.get(table)
  if (made === undefined) {
    made = class extends FastRow {}
    define_accessors(made.prototype, table, true)
    row_classes.set(table, made)
  }
  return made
}

function frame_class(fn: Fn) {
  let made = frame_classes.get(fn.shape)
  if (made === undefined) {
    made = class extends FastFrame {}
    define_accessors(made.prototype, fn.shape, false)
    frame_classes.set(fn.shape, made)
  }
  return made
}

function initial_values(shape: Shape, values: Record<string, Value | undefined>): Value[] {
  const v: Value[] = []
  for (const column of shape.columns) {
    const given = values[column.name]
    v.push(given === undefined ? column.type.initial : given)
  }
  return v
}

/** The rows of one table, by range and place, and by the values of its unique columns. */
class Rows {
  readonly ranges: (FastRow | undefined)[][] = []
  readonly index = new Map<Value, Map<Value, FastRow> | FastRow>()
  constructor(readonly table: TableInfo) {}

  get(id: number): FastRow | undefined {
    return this.ranges[id >>> RANGE_BITS]?.[place_in_range(id)]
  }

  put(row: FastRow): void {
    const range = range_of(row.id)
    while (this.ranges.length <= range) this.ranges.push([])
    const places = this.ranges[range]!
    const place = place_in_range(row.id)
    while (places.length < place) places.push(undefined)
    places[place] = row
    this.enter(row)
  }

  take(row: FastRow): void {
    const places = this.ranges[range_of(row.id)]!
    const place = place_in_range(row.id)
    places[place] = undefined
    if (place === places.length - 1) while (places.length > 0 && places[places.length - 1] === undefined) places.pop()
    this.leave(row)
  }

  enter(row: FastRow): void {
    const { unique } = this.table
    if (unique.length === 0) return
    const first = row.v[unique[0]!.index]!
    if (unique.length === 1) {
      this.index.set(first, row)
      return
    }
    let second = this.index.get(first) as Map<Value, FastRow> | undefined
    if (second === undefined) this.index.set(first, (second = new Map()))
    second.set(row.v[unique[1]!.index]!, row)
  }

  leave(row: FastRow): void {
    const { unique } = this.table
    if (unique.length === 0) return
    const first = row.v[unique[0]!.index]!
    if (unique.length === 1) {
      if (this.index.get(first) === row) this.index.delete(first)
      return
    }
    const second = this.index.get(first) as Map<Value, FastRow> | undefined
    if (second?.get(row.v[unique[1]!.index]!) === row) second.delete(row.v[unique[1]!.index]!)
  }
}

export class FastStore implements Store {
  hash_lo = 0
  hash_hi = 0
  /** Where touches are noted; null in a search, where nobody asks. */
  notes: TouchNotes | null = null

  private readonly tables: Rows[] = []
  private readonly stacks: FastFrame[][] = []

  // The journal: what was done, to which row, and for a field which column and old value.
  private readonly done_kind: number[] = []
  private readonly done_row: FastRow[] = []
  private readonly done_column: number[] = []
  private readonly done_value: Value[] = []
  /** Journal length and hash at each mark. */
  private readonly marks: number[] = []

  private rows_of(table: TableInfo): Rows {
    let rows = this.tables[table.index]
    if (rows === undefined) {
      for (let i = this.tables.length; i <= table.index; i++) this.tables.push(new Rows(all_tables()[i]!))
      rows = this.tables[table.index]!
    }
    return rows
  }

  // --- hashing -------------------------------------------------------------------------------------

  private toggle_field(row: FastRow, column: Column, value: Value): void {
    if (value === column.type.initial) return
    const lo = row.salt_lo ^ column.salt_lo
    const hi = row.salt_hi ^ column.salt_hi
    if (typeof value === 'number') hash_number(lo, hi, value)
    else if (typeof value === 'string') hash_string(lo, hi, value)
    else hash_list(lo, hi, value)
    this.hash_lo ^= out.lo
    this.hash_hi ^= out.hi
  }

  private toggle_row(row: FastRow, shape: Shape): void {
    this.hash_lo ^= row.salt_lo
    this.hash_hi ^= row.salt_hi
    for (const column of shape.columns) this.toggle_field(row, column, row.v[column.index]!)
  }

  private salt_row(row: FastRow, table: TableInfo): void {
    out.lo = table.salt_lo
    out.hi = table.salt_hi
    if (!table.keyed) hash_number(out.lo, out.hi, row.id)
    else {
      for (const column of table.unique) {
        const value = row.v[column.index]!
        if (typeof value === 'number') hash_number(out.lo, out.hi, value)
        else hash_string(out.lo, out.hi, value as string)
      }
    }
    row.salt_lo = out.lo
    row.salt_hi = out.hi
  }

  // --- writing -------------------------------------------------------------------------------------

  private journal(kind: number, row: FastRow, column: number, value: Value): void {
    this.done_kind.push(kind)
    this.done_row.push(row)
    this.done_column.push(column)
    this.done_value.push(value)
  }

  /** Called by the setters. */
  write(row: FastRow, column: Column, value: Value): void {
    const old = row.v[column.index]!
    if (column.constant) throw new Error(`${row.table!.name}.${column.name} is constant`)
    if (this.notes !== null && row.table !== null) this.notes.row(true, row, column.group)
    if (old === value || (typeof old === 'object' && same_list(old, value as readonly number[]))) return
    this.journal(FIELD_SET, row, column.index, old)
    this.toggle_field(row, column, old)
    this.toggle_field(row, column, value)
    this.put_value(row, column.index, value)
  }

  private put_value(row: FastRow, index: number, value: Value): void {
    const { table } = row
    if (table !== null && table.unique.length !== 0 && table.unique.some((column) => column.index === index)) {
      const rows = this.rows_of(table)
      rows.leave(row)
      row.v[index] = value
      rows.enter(row)
    } else {
      row.v[index] = value
    }
  }

  create(table: TableInfo, id: number, values: object): FastRow {
    const v = initial_values(table, values as Record<string, Value>)
    const row = new (row_class(table))(this, table, id, v)
    this.salt_row(row, table)
    this.rows_of(table).put(row)
    this.toggle_row(row, table)
    this.journal(ROW_MADE, row, 0, 0)
    if (this.notes !== null) this.notes.row_made_or_gone(row)
    return row
  }

  remove(table: TableInfo, id: number): void {
    const row = this.rows_of(table).get(id)
    if (row === undefined) throw new Error(`${table.name} ${id} does not exist`)
    if (this.notes !== null) this.notes.row_made_or_gone(row)
    this.toggle_row(row, table)
    this.rows_of(table).take(row)
    this.journal(ROW_GONE, row, 0, 0)
  }

  lowest_free(table: TableInfo, range: number, from = 1): number {
    if (this.notes !== null) this.notes.range(table, range)
    const places = this.rows_of(table).ranges[range]
    let place = from
    if (places !== undefined) while (place < places.length && places[place] !== undefined) place++
    return in_range(range, place)
  }

  // --- reading -------------------------------------------------------------------------------------

  row(table: TableInfo, id: number): FastRow {
    const row = this.rows_of(table).get(id)
    if (row === undefined) throw new Error(`${table.name} ${id} does not exist`)
    return row
  }

  has(table: TableInfo, id: number): boolean {
    if (this.notes !== null) this.notes.lookup(table, String(id))
    return this.rows_of(table).get(id) !== undefined
  }

  find(table: TableInfo, first: number | string, second?: number | string): FastRow | undefined {
    if (this.notes !== null) this.notes.lookup(table, second === undefined ? `=${first}` : `=${first}:${second}`)
    const found = this.rows_of(table).index.get(first)
    if (table.unique.length === 1 || found === undefined) return found as FastRow | undefined
    return (found as Map<Value, FastRow>).get(second!)
  }

  where(table: TableInfo, first: number | string): FastRow[] {
    if (this.notes !== null) this.notes.listing(table, `=${first}:*`)
    const found = this.rows_of(table).index.get(first) as Map<Value, FastRow> | undefined
    return found === undefined ? [] : [...found.values()].sort((a, b) => a.id - b.id)
  }

  rows(table: TableInfo): FastRow[] {
    if (this.notes !== null) this.notes.listing(table, '*')
    const rows: FastRow[] = []
    for (const places of this.rows_of(table).ranges) {
      for (const row of places) if (row !== undefined) rows.push(row)
    }
    return rows
  }

  // --- frames --------------------------------------------------------------------------------------

  private stack(task: number): FastFrame[] {
    while (this.stacks.length <= task) this.stacks.push([])
    return this.stacks[task]!
  }

  tasks(): number[] {
    const tasks: number[] = []
    for (let task = 0; task < this.stacks.length; task++) if (this.stacks[task]!.length > 0) tasks.push(task)
    return tasks
  }

  depth(task: number): number {
    return task < this.stacks.length ? this.stacks[task]!.length : 0
  }

  top(task: number): Frame {
    const stack = this.stacks[task]!
    return stack[stack.length - 1] as unknown as Frame
  }

  frame(task: number, depth: number): Frame {
    return this.stacks[task]![depth] as unknown as Frame
  }

  push(task: number, fn: Fn, values: object): Frame {
    const stack = this.stack(task)
    const v = initial_values(fn.shape, values as Record<string, Value>)
    const frame = new (frame_class(fn))(this, fn, task, stack.length, v) as FastFrame
    hash_number(fn.shape.salt_lo, fn.shape.salt_hi, (task << 10) | stack.length)
    frame.salt_lo = out.lo
    frame.salt_hi = out.hi
    stack.push(frame)
    this.toggle_row(frame, fn.shape)
    this.journal(FRAME_PUSHED, frame, 0, 0)
    return frame as unknown as Frame
  }

  pop(task: number): void {
    const frame = this.stacks[task]!.pop()!
    this.toggle_row(frame, frame.fn.shape)
    this.journal(FRAME_POPPED, frame, 0, 0)
  }

  // --- forward and back ----------------------------------------------------------------------------

  mark(): number {
    this.marks.push(this.done_kind.length, this.hash_lo, this.hash_hi)
    return this.marks.length / 3 - 1
  }

  commit(): void {}

  undo(mark: number): void {
    const length = this.marks[mark * 3]!
    while (this.done_kind.length > length) this.take_back()
    this.hash_lo = this.marks[mark * 3 + 1]!
    this.hash_hi = this.marks[mark * 3 + 2]!
    this.marks.length = mark * 3
  }

  private take_back(): void {
    const row = this.done_row.pop()!
    const column = this.done_column.pop()!
    const value = this.done_value.pop()!
    switch (this.done_kind.pop()) {
      case FIELD_SET:
        this.put_value(row, column, value)
        break
      case ROW_MADE:
        this.rows_of(row.table!).take(row)
        break
      case ROW_GONE:
        this.rows_of(row.table!).put(row)
        break
      case FRAME_PUSHED:
        this.stacks[(row as FastFrame).task]!.pop()
        break
      case FRAME_POPPED:
        this.stacks[(row as FastFrame).task]!.push(row as FastFrame)
        break
    }
  }

  // --- looking from outside ------------------------------------------------------------------------

  note(): void {
    this.notes = new TouchNotes()
  }

  footprint(): Footprint {
    const touches = this.notes?.touches() ?? []
    this.notes = null
    return touches
  }

  snapshot(): Snapshot {
    const tables: Record<string, Record<string, PlainRow>> = {}
    for (const rows of this.tables) {
      const plain: [string, PlainRow][] = []
      for (const places of rows.ranges) {
        for (const row of places) if (row !== undefined) plain.push([row_identity(rows.table, row.id, row.v), plain_row(rows.table, row.v)])
      }
      if (plain.length === 0) continue
      if (rows.table.keyed) plain.sort(([a], [b]) => (a < b ? -1 : 1))
      tables[rows.table.name] = Object.fromEntries(plain)
    }
    const stacks: Record<string, PlainFrame[]> = {}
    this.stacks.forEach((stack, task) => {
      if (stack.length === 0) return
      stacks[task] = stack.map((frame) => ({
        fn: frame.fn.name,
        stage: frame.v[0] as number,
        values: plain_row(frame.fn.shape, frame.v),
      }))
    })
    return { tables, stacks }
  }
}

/** How a row is known in snapshots and footprints: its number, or in a keyed table the values of its key. */
export function row_identity(table: TableInfo, id: number, v: readonly Value[]): string {
  return table.keyed ? table.unique.map((column) => String(v[column.index])).join(':') : String(id)
}

function plain_row(shape: Shape, v: readonly Value[]): PlainRow {
  const plain: Record<string, Value> = {}
  for (const column of shape.columns) plain[column.name] = v[column.index]!
  return plain
}

function same_list(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

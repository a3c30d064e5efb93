/**
 * The store of the search: one mutable world and a journal of what to take back.
 *
 * A row keeps its values in an array, in the order of its columns. All rows are objects of one class, and all
 * frames of another, so that a JavaScript engine sees one form of object wherever a field is read: the accessor
 * of a name finds the column by `slots`, of which each table and function has its own. A getter reads the array; a
 * setter journals the old value, updates the hash, and writes. Taking back restores values from the journal
 * and the hash from the mark.
 */
import { all_functions } from './fn.js'
import type { Footprint, PlainFrame, PlainRow, Snapshot } from './footprint.js'
import { hash_list, hash_number, hash_pair, hash_string, out } from './hash.js'
import type { Fn, Frame, Store } from './kernel.js'
import { type Notes, TouchNotes } from './notes.js'
import {
  all_tables,
  type Column,
  has_key,
  is_default,
  moves_row,
  name_number,
  number_of,
  place_in_range,
  RANGE_BITS,
  range_of,
  type Shape,
  type Side,
  type TableInfo,
  UnknownField,
  type Value,
} from './schema.js'

// Kinds of journal entries; from zero up it is a field of a row, by its column, and further up of a frame.
const FRAME_FIELD = 0x10000
const ROW_MADE = -1
const ROW_GONE = -2
const FRAME_PUSHED = -3
const FRAME_POPPED = -4

const BYTES_OF_ENTRY = 96

export class FastRow {
  readonly id: number
  readonly home: FastStore
  readonly table: TableInfo
  readonly slots: Int16Array
  readonly v: Value[]
  /** The two words that this row's identity adds to the salt of each of its fields. */
  salt_lo = 0
  salt_hi = 0
  /** For a store that has tasks with a share of their own in the hash: whose it is. */
  share = -1
  constructor(home: FastStore, table: TableInfo, id: number, v: Value[]) {
    this.id = id
    this.home = home
    this.table = table
    this.slots = table.slots
    this.v = v
  }
}

export class FastFrame {
  /** Its depth in the stack. */
  readonly id: number
  readonly home: FastStore
  readonly fn: Fn
  readonly task: number
  readonly slots: Int16Array
  readonly v: Value[]
  salt_lo = 0
  salt_hi = 0
  share = -1
  constructor(home: FastStore, fn: Fn, task: number, depth: number, v: Value[]) {
    this.id = depth
    this.home = home
    this.fn = fn
    this.task = task
    this.slots = fn.shape.slots
    this.v = v
  }
}

export type Entry = FastRow | FastFrame

/** Gives all rows accessors for the columns of a table. A name that several tables have is one accessor. */
function define_row_accessors(table: TableInfo): void {
  for (const { name } of table.columns) {
    if (Object.hasOwn(FastRow.prototype, name)) continue
    const number = name_number(name)
    Object.defineProperty(FastRow.prototype, name, {
      get(this: FastRow) {
        const index = this.slots[number]!
        if (this.home.notes !== null) this.home.note_read(this, index)
        return this.v[index]
      },
      set(this: FastRow, value: Value) {
        this.home.write_row(this, this.table.columns[this.slots[number]!]!, value)
      },
    })
  }
}

function define_frame_accessors(fn: Fn): void {
  for (const { name } of fn.shape.columns) {
    if (Object.hasOwn(FastFrame.prototype, name)) continue
    const number = name_number(name)
    Object.defineProperty(FastFrame.prototype, name, {
      get(this: FastFrame) {
        return this.v[this.slots[number]!]
      },
      set(this: FastFrame, value: Value) {
        this.home.write_frame(this, this.fn.shape.columns[this.slots[number]!]!, value)
      },
    })
  }
}

let tables_known = 0
let functions_known = 0

/** Defines what is missing: a model may define tables and functions after the first store was made. */
function define_accessors(): void {
  const tables = all_tables()
  while (tables_known < tables.length) define_row_accessors(tables[tables_known++]!)
  const functions = all_functions()
  while (functions_known < functions.length) define_frame_accessors(functions[functions_known++]!)
}

const initial = new Map<Shape, Value[]>()

/** The values of a new row: defaults, but for those given. */
function initial_values(shape: Shape, given: Record<string, Value | undefined>): Value[] {
  let defaults = initial.get(shape)
  if (defaults === undefined) {
    // Pushed one by one, and with a string at the end that nobody reads: so V8 keeps the arrays of all shapes in
    // one form (packed), and code that was compiled for one of them is not thrown away at the next.
    defaults = []
    for (const column of shape.columns) defaults.push(column.initial)
    defaults.push('')
    initial.set(shape, defaults)
  }
  const v = defaults.slice()
  for (const name in given) {
    const value = given[name]
    const column = shape.by_name.get(name)
    if (column === undefined) throw new UnknownField(shape, name)
    if (value !== undefined) v[column.index] = value
  }
  return v
}

/** The rows of one table, by range and place, and by the values of its unique columns. */
class Rows {
  readonly ranges: (FastRow | undefined)[][] = []
  /** By range: all places from 1 up to this one are taken, so that nobody looks through them again. */
  readonly taken: number[] = []
  readonly index = new Map<Value, Map<Value, FastRow> | FastRow>()
  constructor(readonly table: TableInfo) {}

  get(id: number): FastRow | undefined {
    return this.ranges[id >>> RANGE_BITS]?.[place_in_range(id)]
  }

  put(row: FastRow): void {
    const range = range_of(row.id)
    while (this.ranges.length <= range) {
      this.ranges.push([])
      this.taken.push(0)
    }
    const places = this.ranges[range]!
    const place = place_in_range(row.id)
    while (places.length < place) places.push(undefined)
    places[place] = row
    this.enter(row)
  }

  take(row: FastRow): void {
    const range = range_of(row.id)
    const places = this.ranges[range]!
    const place = place_in_range(row.id)
    places[place] = undefined
    if (place <= this.taken[range]!) this.taken[range] = Math.max(0, place - 1)
    if (place === places.length - 1)
      while (places.length > 0 && places[places.length - 1] === undefined) places.pop()
    this.leave(row)
  }

  /** The first free place at or after this one. */
  free_place(range: number, from: number): number {
    const places = this.ranges[range]
    if (places === undefined || (from === 0 && places[0] === undefined)) return from
    const known = this.taken[range]!
    let place = Math.max(from, known + 1)
    while (place < places.length && places[place] !== undefined) place++
    if (from <= known + 1) this.taken[range] = place - 1
    return place
  }

  enter(row: FastRow): void {
    const { unique } = this.table
    if (!has_key(this.table, row.v)) return
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
    if (!has_key(this.table, row.v)) return
    const first = row.v[unique[0]!.index]!
    if (unique.length === 1) {
      if (this.index.get(first) === row) this.index.delete(first)
      return
    }
    const second = this.index.get(first) as Map<Value, FastRow>
    if (second.get(row.v[unique[1]!.index]!) === row) second.delete(row.v[unique[1]!.index]!)
  }
}

export class FastStore implements Store {
  hash_lo = 0
  hash_hi = 0
  /** Where touches are noted; null in a search, where nobody asks. */
  notes: Notes | null = null

  protected readonly tables: Rows[] = []
  protected readonly stacks: FastFrame[][] = []

  // The journal: what was done to which row, and for a field its old value. Entries from `journalled` on are
  // left over.
  protected readonly done_kind: number[] = []
  protected readonly done_to: Entry[] = []
  protected readonly done_value: Value[] = []
  protected journalled = 0
  /** Journal length and hash at each mark: three numbers each. */
  private readonly marks: number[] = []
  protected marked = 0

  constructor() {
    define_accessors()
  }

  private rows_of(table: TableInfo): Rows {
    if (table.index >= this.tables.length) this.add_tables(table.index)
    return this.tables[table.index]!
  }

  /** Makes room for all tables up to this. */
  private add_tables(last: number): void {
    define_accessors()
    for (let i = this.tables.length; i <= last; i++) this.tables.push(new Rows(all_tables()[i]!))
  }

  // --- hashing -------------------------------------------------------------------------------------

  protected toggle_field(row: Entry, column: Column, value: Value): void {
    if (is_default(column, value)) return
    const lo = row.salt_lo ^ column.salt_lo
    const hi = row.salt_hi ^ column.salt_hi
    if (typeof value === 'number') hash_number(lo, hi, value)
    else if (typeof value === 'string') hash_string(lo, hi, value)
    else hash_list(lo, hi, value)
    this.hash_lo ^= out.lo
    this.hash_hi ^= out.hi
  }

  protected toggle_row(row: Entry, shape: Shape): void {
    this.hash_lo ^= row.salt_lo
    this.hash_hi ^= row.salt_hi
    const { columns } = shape
    const { v } = row
    for (let i = 0; i < columns.length; i++) {
      if (v[i] !== columns[i]!.initial) this.toggle_field(row, columns[i]!, v[i]!)
    }
  }

  /** The same for what is there no more. */
  protected untoggle_field(row: Entry, column: Column, value: Value): void {
    this.toggle_field(row, column, value)
  }

  protected untoggle_row(row: Entry, shape: Shape): void {
    this.toggle_row(row, shape)
  }

  protected salt_frame(frame: FastFrame, shape: Shape): void {
    hash_pair(shape.salt_lo, shape.salt_hi, frame.task, frame.id)
    frame.salt_lo = out.lo
    frame.salt_hi = out.hi
  }

  /** What the present state is known by, into `out`. */
  known_by(): void {
    out.lo = this.hash_lo
    out.hi = this.hash_hi
  }

  /** All that the present state holds, as it is compared with others. */
  compared_by(): Snapshot {
    return this.snapshot()
  }

  protected salt_row(row: FastRow, table: TableInfo): void {
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

  protected journal(kind: number, row: Entry, value: Value): void {
    const at = this.journalled++
    this.done_kind[at] = kind
    this.done_to[at] = row
    this.done_value[at] = value
  }

  /** Called by the getters of rows, while touches are noted. */
  note_read(row: FastRow, index: number): void {
    const column = row.table.columns[index]!
    if (!column.constant) this.notes!.row(false, row, column)
  }

  /** Called by the setters of rows. */
  write_row(row: FastRow, column: Column, value: Value): void {
    if (column.constant) throw new Error(`${row.table.name}.${column.name} is constant`)
    const moves = moves_row(row.table, column)
    if (this.notes !== null) {
      this.notes.row(true, row, column)
      if (moves) this.notes.moved(row)
    }
    if (!this.changes(row, column, value, column.index)) return
    if (moves) this.put_unique(row, column.index, value)
    else row.v[column.index] = value
    if (moves && this.notes !== null) this.notes.moved(row)
  }

  /** Called by the setters of frames. */
  write_frame(frame: FastFrame, column: Column, value: Value): void {
    if (this.changes(frame, column, value, FRAME_FIELD + column.index)) frame.v[column.index] = value
  }

  /** Journals a change and brings it into the hash; says whether it is one. */
  private changes(row: Entry, column: Column, value: Value, kind: number): boolean {
    const old = row.v[column.index]!
    if (old === value || (typeof old === 'object' && same_list(old, value as readonly number[]))) return false
    this.journal(kind, row, old)
    this.untoggle_field(row, column, old)
    this.toggle_field(row, column, value)
    return true
  }

  private put_unique(row: FastRow, index: number, value: Value): void {
    if (row.table.keyed) throw new Error(`${row.table.name}: the key of a row is what it is`)
    const rows = this.rows_of(row.table)
    rows.leave(row)
    row.v[index] = value
    rows.enter(row)
  }

  create(table: TableInfo, id: number, values: object): FastRow {
    const v = initial_values(table, values as Record<string, Value>)
    const row = new FastRow(this, table, id, v)
    this.salt_row(row, table)
    this.rows_of(table).put(row)
    this.toggle_row(row, table)
    this.journal(ROW_MADE, row, 0)
    if (this.notes !== null) this.notes.row_made_or_gone(row)
    return row
  }

  remove(table: TableInfo, id: number): void {
    const row = this.rows_of(table).get(id)
    if (row === undefined) throw new Error(`${table.name} ${id} does not exist`)
    if (this.notes !== null) this.notes.row_made_or_gone(row)
    this.untoggle_row(row, table)
    this.rows_of(table).take(row)
    this.journal(ROW_GONE, row, 0)
  }

  add(table: TableInfo, id: number, field: string, n: number): void {
    const row = this.row(table, id)
    const column = table.by_name.get(field)!
    if (this.notes !== null) this.notes.added(row, column)
    const sum = (row.v[column.index] as number) + n
    if (this.changes(row, column, sum, column.index)) row.v[column.index] = sum
  }

  add_on_side(table: TableInfo, id: number, field: string, n: number, side: Side): boolean {
    const row = this.row(table, id)
    const column = table.by_name.get(field)!
    if (this.notes !== null) this.notes.sided(row, column, side)
    const count = row.v[column.index] as number
    if (count * side < 0) return false
    if (this.changes(row, column, count + n, column.index)) row.v[column.index] = count + n
    return true
  }

  lowest_free(table: TableInfo, range: number, from = 1): number {
    if (this.notes !== null) this.notes.range(table, range)
    return number_of(table, range, this.rows_of(table).free_place(range, from))
  }

  rows_in(table: TableInfo, range: number): FastRow[] {
    if (this.notes !== null) this.notes.range(table, range)
    return this.rows_of(table).ranges[range]?.filter((row) => row !== undefined) ?? []
  }

  // --- reading -------------------------------------------------------------------------------------

  row(table: TableInfo, id: number): FastRow {
    const row = this.rows_of(table).get(id)
    if (row === undefined) throw new Error(`${table.name} ${id} does not exist`)
    return row
  }

  has(table: TableInfo, id: number): boolean {
    if (this.notes !== null) this.notes.number(table, id)
    return this.rows_of(table).get(id) !== undefined
  }

  find(table: TableInfo, first: number | string, second?: number | string): FastRow | undefined {
    if (this.notes !== null) this.notes.key(table, first, second)
    const found = this.rows_of(table).index.get(first)
    if (table.unique.length === 1 || found === undefined) return found as FastRow | undefined
    return (found as Map<Value, FastRow>).get(second!)
  }

  where(table: TableInfo, first: number | string): FastRow[] {
    if (this.notes !== null) this.notes.listing(table, first)
    const found = this.rows_of(table).index.get(first) as Map<Value, FastRow> | undefined
    return found === undefined ? [] : [...found.values()].sort(order_of(table))
  }

  rows(table: TableInfo): FastRow[] {
    if (this.notes !== null) this.notes.listing(table)
    const rows: FastRow[] = []
    for (const places of this.rows_of(table).ranges) {
      for (const row of places) if (row !== undefined) rows.push(row)
    }
    return table.keyed ? rows.sort(order_of(table)) : rows
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
    if (fn.index >= functions_known) define_accessors()
    const frame = new FastFrame(this, fn, task, stack.length, v)
    this.salt_frame(frame, fn.shape)
    stack.push(frame)
    this.toggle_row(frame, fn.shape)
    this.journal(FRAME_PUSHED, frame, 0)
    return frame as unknown as Frame
  }

  pop(task: number): void {
    const frame = this.stacks[task]!.pop()!
    this.untoggle_row(frame, frame.fn.shape)
    this.journal(FRAME_POPPED, frame, 0)
  }

  // --- forward and back ----------------------------------------------------------------------------

  mark(): number {
    const mark = this.marked
    this.marks[mark] = this.journalled
    this.marks[mark + 1] = this.hash_lo
    this.marks[mark + 2] = this.hash_hi
    this.marked = mark + 3
    return mark
  }

  commit(): void {}

  undo(mark: number): void {
    const length = this.marks[mark]!
    while (this.journalled > length) this.take_back(--this.journalled)
    this.hash_lo = this.marks[mark + 1]!
    this.hash_hi = this.marks[mark + 2]!
    this.marked = mark
  }

  private take_back(at: number): void {
    const kind = this.done_kind[at]!
    const row = this.done_to[at]!
    if (kind >= FRAME_FIELD) row.v[kind - FRAME_FIELD] = this.done_value[at]!
    else if (kind >= 0) this.put_back(row as FastRow, kind, this.done_value[at]!)
    else if (kind === ROW_MADE) this.rows_of((row as FastRow).table).take(row as FastRow)
    else if (kind === ROW_GONE) this.rows_of((row as FastRow).table).put(row as FastRow)
    else if (kind === FRAME_PUSHED) this.stacks[(row as FastFrame).task]!.pop()
    else this.stacks[(row as FastFrame).task]!.push(row as FastFrame)
  }

  private put_back(row: FastRow, index: number, value: Value): void {
    if (moves_row(row.table, row.table.columns[index]!)) this.put_unique(row, index, value)
    else row.v[index] = value
  }

  /** About what the journal takes, with the rows and frames that only it still knows. */
  get bytes(): number {
    return this.done_kind.length * BYTES_OF_ENTRY
  }

  // --- looking from outside ------------------------------------------------------------------------

  watch(notes: Notes | null): void {
    this.notes = notes
  }

  note(): void {
    this.watch(new TouchNotes())
  }

  footprint(): Footprint {
    const touches = this.notes instanceof TouchNotes ? this.notes.touches() : []
    this.notes = null
    return touches
  }

  snapshot(): Snapshot {
    const tables: Record<string, Record<string, PlainRow>> = {}
    for (const rows of this.tables) {
      const plain: [string, PlainRow][] = []
      for (const places of rows.ranges) {
        for (const row of places)
          if (row !== undefined)
            plain.push([row_identity(rows.table, row.id, row.v), plain_row(rows.table, row.v)])
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

/**
 * The order in which rows are listed. By number; but the numbers of keyed rows are not part of the state, so
 * they are listed by key: else two runs could come to the same state and go on differently.
 */
export function order_of(table: TableInfo): (a: ListedRow, b: ListedRow) => number {
  if (!table.keyed) return (a, b) => a.id - b.id
  return (a, b) => {
    for (const { index } of table.unique) {
      if (a.v[index] !== b.v[index]) return a.v[index]! < b.v[index]! ? -1 : 1
    }
    return 0
  }
}

interface ListedRow {
  readonly id: number
  readonly v: readonly Value[]
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

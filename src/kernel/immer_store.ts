/**
 * The reference store: one immutable snapshot per step, made with immer. It hashes the whole state from
 * scratch, so it judges the fast store's incremental hash; it yields the snapshots and patches from which
 * traces are drawn and time travels.
 */
import { createDraft, type Draft, enablePatches, finishDraft, type Patch } from 'immer'
import { order_of, row_identity } from './fast_store.js'
import { function_named } from './fn.js'
import type { Footprint, PlainFrame, PlainRow, Snapshot } from './footprint.js'
import { hash_list, hash_number, hash_pair, hash_string, out } from './hash.js'
import type { Fn, Frame, Store } from './kernel.js'
import { type Notes, TouchNotes } from './notes.js'
import {
  all_tables,
  in_range,
  is_default,
  moves_row,
  number_of,
  range_of,
  type Shape,
  type Side,
  type TableInfo,
  UnknownField,
  type Value,
} from './schema.js'

enablePatches()

interface PlainState {
  readonly tables: { readonly [table: string]: { readonly [id: string]: PlainRow } }
  readonly stacks: { readonly [task: string]: readonly PlainFrame[] }
}

class ImmerRow {
  constructor(
    readonly store: ImmerStore,
    readonly table: TableInfo,
    readonly id: number,
  ) {}
  get values(): Record<string, Value> {
    return this.store.values(this.table, this.id)
  }
  /** The values in the order of columns, as the notes want them. */
  get v(): Value[] {
    const values = this.values
    return this.table.columns.map((column) => values[column.name]!)
  }
}

class ImmerFrame {
  constructor(
    readonly store: ImmerStore,
    readonly fn: Fn,
    readonly task: number,
    readonly id: number,
  ) {}
  get values(): Record<string, Value> {
    return this.store.frame_values(this.task, this.id)
  }
}

const row_classes = new Map<Shape, typeof ImmerRow>()
const frame_classes = new Map<Shape, typeof ImmerFrame>()

function row_class(table: TableInfo): typeof ImmerRow {
  let made = row_classes.get(table)
  if (made !== undefined) return made
  made = class extends ImmerRow {}
  for (const column of table.columns) {
    const { name, constant } = column
    const moves = moves_row(table, column)
    Object.defineProperty(made.prototype, name, {
      get(this: ImmerRow) {
        if (!constant) this.store.notes?.row(false, this, column)
        return this.values[name]
      },
      set(this: ImmerRow, value: Value) {
        if (constant) throw new Error(`${table.name}.${name} is constant`)
        if (moves && table.keyed) throw new Error(`${table.name}: the key of a row is what it is`)
        this.store.notes?.row(true, this, column)
        if (moves) this.store.notes?.moved(this)
        this.store.assign(this.values, name, value)
        if (moves) this.store.notes?.moved(this)
      },
    })
  }
  row_classes.set(table, made)
  return made
}

function frame_class(fn: Fn): typeof ImmerFrame {
  let made = frame_classes.get(fn.shape)
  if (made !== undefined) return made
  made = class extends ImmerFrame {}
  for (const { name } of fn.shape.columns) {
    if (name === 'stage') continue
    Object.defineProperty(made.prototype, name, {
      get(this: ImmerFrame) {
        return this.values[name]
      },
      set(this: ImmerFrame, value: Value) {
        this.store.assign(this.values, name, value)
      },
    })
  }
  Object.defineProperty(made.prototype, 'stage', {
    get(this: ImmerFrame) {
      return this.store.frame_stage(this.task, this.id)
    },
    set(this: ImmerFrame, value: number) {
      this.store.set_frame_stage(this.task, this.id, value)
    },
  })
  frame_classes.set(fn.shape, made)
  return made
}

export class ImmerStore implements Store {
  notes: Notes | null = null
  private base: PlainState = { tables: {}, stacks: {} }
  private draft: Draft<PlainState> | null = null
  private readonly marks: PlainState[] = []
  /** What the last committed step changed, in immer's form. */
  patches: Patch[] = []

  // --- the state that accessors see ------------------------------------------------------------------

  private get now(): Draft<PlainState> {
    if (this.draft === null) this.draft = createDraft(this.base)
    return this.draft
  }

  values(table: TableInfo, id: number): Record<string, Value> {
    const values = this.now.tables[table.name]?.[id]
    if (values === undefined) throw new Error(`${table.name} ${id} does not exist`)
    return values as Record<string, Value>
  }

  frame_values(task: number, depth: number): Record<string, Value> {
    return this.now.stacks[task]![depth]!.values as Record<string, Value>
  }

  frame_stage(task: number, depth: number): number {
    return this.now.stacks[task]![depth]!.stage
  }

  set_frame_stage(task: number, depth: number, stage: number): void {
    ;(this.now.stacks[task]![depth] as { stage: number }).stage = stage
  }

  assign(values: Record<string, Value>, name: string, value: Value): void {
    values[name] = value
  }

  // --- rows ------------------------------------------------------------------------------------------

  private view(table: TableInfo, id: number): ImmerRow {
    return new (row_class(table))(this, table, id)
  }

  /** In ascending order, as JavaScript lists keys that are such numbers. */
  private ids(table: TableInfo): number[] {
    return Object.keys(this.now.tables[table.name] ?? {}).map(Number)
  }

  row(table: TableInfo, id: number): ImmerRow {
    this.values(table, id)
    return this.view(table, id)
  }

  has(table: TableInfo, id: number): boolean {
    this.notes?.number(table, id)
    return this.now.tables[table.name]?.[id] !== undefined
  }

  private matching(table: TableInfo, first: number | string, second?: number | string): ImmerRow[] {
    const [a, b] = table.unique
    return this.ids(table)
      .filter((id) => {
        const values = this.now.tables[table.name]![id]!
        if (table.unkeyed !== null && values[table.unkeyed.name] !== 0) return false
        return values[a!.name] === first && (second === undefined || values[b!.name] === second)
      })
      .map((id) => this.view(table, id))
      .sort(order_of(table))
  }

  find(table: TableInfo, first: number | string, second?: number | string): ImmerRow | undefined {
    this.notes?.key(table, first, second)
    return this.matching(table, first, second)[0]
  }

  where(table: TableInfo, first: number | string): ImmerRow[] {
    this.notes?.listing(table, first)
    return this.matching(table, first)
  }

  rows(table: TableInfo): ImmerRow[] {
    this.notes?.listing(table)
    return this.ids(table)
      .map((id) => this.view(table, id))
      .sort(order_of(table))
  }

  create(table: TableInfo, id: number, given: object): ImmerRow {
    const tables = this.now.tables as Record<string, Record<string, object>>
    tables[table.name] ??= {}
    tables[table.name]![id] = initial_values(table, given as Record<string, Value>)
    const row = this.view(table, id)
    this.notes?.row_made_or_gone(row)
    return row
  }

  remove(table: TableInfo, id: number): void {
    const row = this.row(table, id)
    this.notes?.row_made_or_gone(row)
    const rows = this.now.tables[table.name] as Record<string, object>
    delete rows[id]
    if (Object.keys(rows).length === 0) delete (this.now.tables as Record<string, object>)[table.name]
  }

  add(table: TableInfo, id: number, field: string, n: number): void {
    const row = this.row(table, id)
    const { notes } = this
    notes?.added(row, table.by_name.get(field)!)
    this.notes = null
    ;(row as unknown as Record<string, number>)[field]! += n
    this.notes = notes
  }

  add_on_side(table: TableInfo, id: number, field: string, n: number, side: Side): boolean {
    const row = this.row(table, id)
    const { notes } = this
    notes?.sided(row, table.by_name.get(field)!, side)
    this.notes = null
    const fields = row as unknown as Record<string, number>
    const joins = fields[field]! * side >= 0
    if (joins) fields[field]! += n
    this.notes = notes
    return joins
  }

  lowest_free(table: TableInfo, range: number, from = 1): number {
    this.notes?.range(table, range)
    const taken = new Set(this.ids(table))
    let place = from
    while (taken.has(in_range(range, place))) place++
    return number_of(table, range, place)
  }

  rows_in(table: TableInfo, range: number): ImmerRow[] {
    this.notes?.range(table, range)
    return this.ids(table)
      .filter((id) => range_of(id) === range)
      .map((id) => this.view(table, id))
  }

  // --- frames ----------------------------------------------------------------------------------------

  tasks(): number[] {
    return Object.keys(this.now.stacks).map(Number)
  }

  depth(task: number): number {
    return this.now.stacks[task]?.length ?? 0
  }

  frame(task: number, depth: number): Frame {
    const fn = function_named(this.now.stacks[task]![depth]!.fn)!
    return new (frame_class(fn))(this, fn, task, depth) as unknown as Frame
  }

  top(task: number): Frame {
    return this.frame(task, this.depth(task) - 1)
  }

  push(task: number, fn: Fn, given: object): Frame {
    const stacks = this.now.stacks as Record<string, object[]>
    stacks[task] ??= []
    const { stage, ...values } = initial_values(fn.shape, given as Record<string, Value>)
    stacks[task]!.push({ fn: fn.name, stage, values })
    return this.top(task)
  }

  pop(task: number): void {
    const stacks = this.now.stacks as Record<string, object[]>
    stacks[task]!.pop()
    if (stacks[task]!.length === 0) delete stacks[task]
  }

  // --- forward and back ------------------------------------------------------------------------------

  mark(): number {
    this.commit()
    this.marks.push(this.base)
    return this.marks.length - 1
  }

  commit(): void {
    if (this.draft === null) return
    this.base = finishDraft(this.draft, (patches) => {
      this.patches = patches
    }) as PlainState
    this.draft = null
  }

  undo(mark: number): void {
    this.draft = null
    this.base = this.marks[mark]!
    this.marks.length = mark
  }

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

  // --- the whole state -------------------------------------------------------------------------------

  snapshot(): Snapshot {
    this.commit()
    const tables: Record<string, Record<string, PlainRow>> = {}
    for (const table of all_tables()) {
      const rows = this.base.tables[table.name]
      if (rows === undefined) continue
      const entries = Object.entries(rows).map(([id, values]): [string, PlainRow] => {
        const v = table.columns.map((column) => values[column.name]!)
        return [row_identity(table, Number(id), v), values]
      })
      if (table.keyed) entries.sort(([a], [b]) => (a < b ? -1 : 1))
      tables[table.name] = Object.fromEntries(entries)
    }
    const stacks = Object.entries(this.base.stacks).map(([task, stack]) => [
      task,
      stack.map((frame) => ({ ...frame, values: { stage: frame.stage, ...frame.values } })),
    ])
    return { tables, stacks: Object.fromEntries(stacks) }
  }

  get hash_lo(): number {
    return this.hash().lo
  }

  get hash_hi(): number {
    return this.hash().hi
  }

  private hash(): { lo: number; hi: number } {
    const total = { lo: 0, hi: 0 }
    const state = this.now
    for (const table of all_tables()) {
      for (const [id, values] of Object.entries(state.tables[table.name] ?? {})) {
        add_row(total, table, values as PlainRow, table_salt(table, Number(id), values as PlainRow))
      }
    }
    for (const [task, stack] of Object.entries(state.stacks)) {
      stack.forEach((frame, depth) => {
        const { shape } = function_named(frame.fn)!
        hash_pair(shape.salt_lo, shape.salt_hi, Number(task), depth)
        add_row(total, shape, { stage: frame.stage, ...(frame.values as PlainRow) }, { ...out })
      })
    }
    return total
  }
}

function table_salt(table: TableInfo, id: number, values: PlainRow): { lo: number; hi: number } {
  out.lo = table.salt_lo
  out.hi = table.salt_hi
  const identity = table.keyed ? table.unique.map((column) => values[column.name]!) : [id]
  for (const part of identity) hash_value(out.lo, out.hi, part)
  return { ...out }
}

function add_row(
  total: { lo: number; hi: number },
  shape: Shape,
  values: PlainRow,
  salt: { lo: number; hi: number },
) {
  total.lo ^= salt.lo
  total.hi ^= salt.hi
  for (const column of shape.columns) {
    const value = values[column.name]!
    if (is_default(column, value)) continue
    hash_value(salt.lo ^ column.salt_lo, salt.hi ^ column.salt_hi, value)
    total.lo ^= out.lo
    total.hi ^= out.hi
  }
}

function hash_value(lo: number, hi: number, value: Value): void {
  if (typeof value === 'number') hash_number(lo, hi, value)
  else if (typeof value === 'string') hash_string(lo, hi, value)
  else hash_list(lo, hi, value)
}

function initial_values(shape: Shape, given: Record<string, Value | undefined>): Record<string, Value> {
  const values: Record<string, Value> = {}
  for (const name in given) if (!shape.by_name.has(name)) throw new UnknownField(shape, name)
  for (const column of shape.columns) values[column.name] = given[column.name] ?? column.type.initial
  return values
}

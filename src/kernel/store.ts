/**
 * Where the state lives. Two stores stand behind the same accessors:
 *
 * - `FastStore`, for the search: mutable rows and an undo journal. Depth-first search steps forward and
 *   takes back, without copying.
 * - `ImmerStore`, the reference: immutable snapshots and patches, for traces, time travel and the browser.
 *
 * A property test runs random programs on both and wants the same states, events, footprints and hashes.
 */
import type { Fn, Frame } from './fn.js'
import type { TableInfo, Value } from './schema.js'

/** One thing that a step read or wrote: a group of fields of one row, or whether a row exists. */
export interface Touch {
  readonly write: boolean
  /** Table name. */
  readonly table: string
  /** Number of the row, or its key (`3:0`) in a keyed table or a lookup. */
  readonly row: string
  /** Group of fields; `exists` for creation, removal and lookup; `*` for a whole table. */
  readonly group: string
}

/** What a step touched, in the order of first touch. Frames of the stepping task are not in it: nobody else sees them. */
export type Footprint = readonly Touch[]

/** A state as plain data: by table name and row identity, and per task its stack from the outermost call in. */
export interface Snapshot {
  readonly tables: { readonly [table: string]: { readonly [row: string]: PlainRow } }
  readonly stacks: { readonly [task: string]: readonly PlainFrame[] }
}
export type PlainRow = { readonly [field: string]: Value }
export interface PlainFrame {
  readonly fn: string
  readonly stage: number
  readonly values: PlainRow
}

/** What the accessors of a row need; a stage sees it as `Row<V>` with the fields of its table. */
export interface AnyRow {
  readonly id: number
}

export interface Store {
  /** The two 32-bit words of the state's hash. */
  readonly hash_lo: number
  readonly hash_hi: number

  row(table: TableInfo, id: number): AnyRow
  has(table: TableInfo, id: number): boolean
  find(table: TableInfo, first: number | string, second?: number | string): AnyRow | undefined
  where(table: TableInfo, first: number | string): AnyRow[]
  rows(table: TableInfo): AnyRow[]
  create(table: TableInfo, id: number, values: object): AnyRow
  remove(table: TableInfo, id: number): void
  /** The lowest number in `range` that no row has, at or after place `from` (1 unless told). */
  lowest_free(table: TableInfo, range: number, from?: number): number
  /** The rows of one range, ordered by number. */
  rows_in(table: TableInfo, range: number): AnyRow[]

  /** Tasks that have a frame: those that have not ended, by number. */
  tasks(): number[]
  /** Frames of a task, the outermost first. */
  depth(task: number): number
  top(task: number): Frame
  frame(task: number, depth: number): Frame
  push(task: number, fn: Fn, values: object): Frame
  pop(task: number): void

  /** Begins a step; after `commit` its changes stand, after `undo(mark)` they never were. */
  mark(): number
  commit(): void
  undo(mark: number): void

  /** From now on every touch is noted in a list of its own, until `footprint()` is asked for it. */
  note(): void
  footprint(): Footprint

  /** The whole state as plain data, rows ordered by identity: the exact key of a state is its JSON. */
  snapshot(): Snapshot
}

/** What a step touched, and a state as plain data: what stores note and give away. */
import type { Value } from './schema.js'

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

/**
 * A state with other numbers: what it would be if tasks had each other's places. Rows have numbers of the range of the
 * task that made them, so they move with it; and every field says whether its numbers are such (`FieldType.table`,
 * `FieldType.names`). A test holds that against runs in which tasks really have each other's places.
 */

import { all_functions } from './fn.js'
import type { PlainFrame, PlainRow, Snapshot } from './footprint.js'
import {
  all_tables,
  type Column,
  in_range,
  NOT_AT_ALL,
  NOT_SAID,
  place_in_range,
  ROW,
  range_of,
  type Shape,
  TASK,
  type TableInfo,
  type Value,
} from './schema.js'

/** Tasks that do the same with the same rights, so that it does not matter which of them is where. */
export interface Exchangeable {
  /** Each of two tasks or more, by number. */
  readonly classes: readonly (readonly number[])[]
  /** What people call a task. */
  label(task: number): string
  /** Where the program of a task begins. Programs of one class have the same steps, one behind another. */
  begins(task: number): number
}

/** By what numbers are replaced. */
export interface Renumbering {
  task(task: number): number
  /** The number of a row that is not numbered by tasks. */
  row(id: number): number
  /** Of the task whose frame or row it stands in. */
  place(pc: number): number
  label(text: string): string
}

const CRED = 2 ** 32

/** The value of a column, by other numbers. */
export function renumbered({ stands, type }: Column, value: Value, by: Renumbering): Value {
  if (stands === NOT_AT_ALL || stands === NOT_SAID) return value
  if (stands === ROW) return value === 0 ? 0 : by.row(value as number)
  if (stands === TASK) return value === 0 ? 0 : by.task(value as number)
  const { names } = type
  switch (names) {
    case 'cred': {
      const task = Math.floor((value as number) / CRED)
      return task === 0 ? value : by.task(task) * CRED + ((value as number) % CRED)
    }
    case 'place':
      return by.place(value as number)
    case 'label':
      return by.label(value as string)
  }
  if (typeof names === 'function') return names(value as string, (id) => by.row(id))
  const rows = names as readonly boolean[]
  return (value as readonly number[]).map((each, i) =>
    rows[i % rows.length] && each !== 0 ? by.row(each) : each,
  )
}

/** The number that a row has whose task is in another's place. */
export const row_in_place = (id: number, to: (task: number) => number): number =>
  range_of(id) === 0 ? id : in_range(to(range_of(id)), place_in_range(id))

/** The state in which each task has the place of another of its class: `to` of it. */
export function renumber(
  { tables, stacks }: Snapshot,
  exchangeable: Exchangeable,
  to: (task: number) => number,
): Snapshot {
  const row = (id: number) => row_in_place(id, to)
  const by = (owner: number): Renumbering => ({
    task: to,
    row,
    place: (pc) => pc - exchangeable.begins(owner) + exchangeable.begins(to(owner)),
    label: (text) => (text === exchangeable.label(owner) ? exchangeable.label(to(owner)) : text),
  })
  const moved: [string, Snapshot['tables'][string]][] = []
  for (const table of all_tables()) {
    const rows = tables[table.name]
    if (rows === undefined) continue
    const renamed = Object.entries(rows).map(([identity, plain]): [string, PlainRow] => {
      const id = table.keyed ? 0 : Number(identity)
      const values = plain_renumbered(table, plain, by(id))
      if (table.keyed) return [table.unique.map(({ name }) => String(values[name])).join(':'), values]
      return [String(table.of_tasks ? to(id) : row(id)), values]
    })
    moved.push([table.name, Object.fromEntries(renamed.sort(in_order_of(table)))])
  }
  const frames = Object.entries(stacks).map(([task, stack]): [string, PlainFrame[]] => [
    String(to(Number(task))),
    stack.map((frame) => ({
      ...frame,
      values: plain_renumbered(shape_of(frame.fn), frame.values, by(Number(task))),
    })),
  ])
  return { tables: Object.fromEntries(moved), stacks: Object.fromEntries(frames) }
}

const shape_of = (fn: string): Shape => all_functions().find(({ name }) => name === fn)!.shape

function plain_renumbered(shape: Shape, plain: PlainRow, by: Renumbering): PlainRow {
  return Object.fromEntries(
    shape.columns.map((column) => [column.name, renumbered(column, plain[column.name]!, by)]),
  )
}

/** As snapshots list their rows. */
function in_order_of({ keyed }: TableInfo): (a: [string, unknown], b: [string, unknown]) => number {
  return ([a], [b]) => (keyed ? (a < b ? -1 : 1) : Number(a) - Number(b))
}

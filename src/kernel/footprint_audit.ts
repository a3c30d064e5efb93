/**
 * Audits that a step's footprint keeps to what its stage promises. Searches rely on two promises:
 *
 * - a local stage touches only rows that the running task owns (so it commutes with every other task);
 * - a row of an owned table is touched by its owner alone, in any stage. A task that has no frames yet, or none
 *   any more, has no stages that could mind: so a fork may fill in its child's rows before it starts.
 *
 * A row's owner is the range of its number, or for tables that are numbered by task its number; in a keyed
 * table the same of its first key.
 */

import type { Footprint, Touch } from './footprint.js'
import { range_of, type TableInfo } from './schema.js'

/** The task that owns row or range `row` of an owned table; 0 if it is of the set-up, or of nobody in particular. */
export function owner_of(row: string): number {
  const digits = /^[@=]?(\d+)/.exec(row)
  if (digits === null) return 0
  const number = Number(digits[1])
  return row.startsWith('@') ? number : range_of(number) || number
}

function is_owned_by(touch: Touch, task: number, owned: ReadonlySet<string>): boolean {
  return owned.has(touch.table) && owner_of(touch.row) === task
}

/** Names of the tables whose rows belong to tasks. */
export function owned_tables(tables: readonly TableInfo[]): ReadonlySet<string> {
  return new Set(tables.filter((table) => table.owned).map((table) => table.name))
}

/**
 * The touches by which a local stage of `task` breaks its promise; empty if it keeps it. Joining or leaving the
 * set of all rows of an owned table is no such touch: nobody else may list it (`audit_owned`).
 */
export function audit_local(footprint: Footprint, task: number, owned: ReadonlySet<string>): Touch[] {
  return footprint.filter((touch) => !is_owned_by(touch, task, owned) && !joins_owned(touch, owned))
}

function joins_owned(touch: Touch, owned: ReadonlySet<string>): boolean {
  return owned.has(touch.table) && touch.row === '*' && touch.group === 'members' && touch.write
}

/**
 * The touches by which a stage of `task` meddles with what other tasks own.
 *
 * @param running the tasks that had frames before the step: only they can mind
 */
export function audit_owned(
  footprint: Footprint,
  task: number,
  owned: ReadonlySet<string>,
  running: readonly number[],
): Touch[] {
  return footprint.filter((touch) => {
    if (!owned.has(touch.table) || joins_owned(touch, owned)) return false
    if (touch.row === '*') return running.some((other) => other !== task)
    const owner = owner_of(touch.row)
    return owner !== task && running.includes(owner)
  })
}

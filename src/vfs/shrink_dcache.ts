/** Names that were taken away, and that nothing refers to any more (fs/dcache.c: shrink_dcache_sb). */
import type { Kernel } from '../kernel/kernel.js'
import { all_tables, type Column, type TableInfo, type Value } from '../kernel/schema.js'
import { dentry, iput } from './dentry.js'

/** References per unlinked name. */
type Counts = Map<number, number>

/**
 * Columns that may refer to dentries. A list may hold their numbers among others (an overlay's layers): then it
 * keeps them. A task's own lists are of other things.
 */
function referring_columns({ columns, owned }: TableInfo): Column[] {
  return columns.filter(({ type }) => (type.kind === 'list' ? !owned : type.table === 'dentry'))
}

/** Adds what the rows of all tables refer to. */
function count_references(k: Kernel, counts: Counts): void {
  for (const info of all_tables()) {
    const columns = referring_columns(info)
    if (columns.length === 0) continue
    for (const row of k.store.rows(info)) {
      for (const column of columns) count_field(row as unknown as Record<string, Value>, column, counts)
    }
  }
}

function count_field(row: Record<string, Value>, { name }: Column, counts: Counts): void {
  const value = row[name]!
  if (typeof value === 'object') for (const each of value) count(counts, each)
  // A name that is its own parent does not keep itself.
  else if (name !== 'd_parent' || value !== row.id) count(counts, value as number)
}

function count(counts: Counts, id: number, by = 1): void {
  const before = counts.get(id)
  if (before !== undefined) counts.set(id, before + by)
}

/**
 * Removes the dentries that have been unlinked and that neither a file, a task, a mount, a stacked file system
 * nor another name stands on, and drops their references to inodes.
 *
 * Only for quiet moments: no task may be inside a call, where it could stand on such a name without a count
 * (see `d_drop`).
 *
 * @returns how many went
 */
export function shrink_dcache(k: Kernel): number {
  const counts: Counts = new Map()
  for (const { id, d_unhashed, d_count } of dentry.rows(k)) {
    if (d_count === 0 && d_unhashed === 1) counts.set(id, 0)
  }
  if (counts.size === 0) return 0
  count_references(k, counts)
  const free = [...counts].filter(([, references]) => references === 0).map(([id]) => id)
  for (const id of free) {
    const { d_parent, d_inode } = dentry(k, id)
    dentry.remove(k, id)
    iput(k, d_inode)
    if (d_parent === id) continue
    count(counts, d_parent, -1)
    if (counts.get(d_parent) === 0) free.push(d_parent)
  }
  return free.length
}

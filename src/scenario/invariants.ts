/**
 * What must hold in every state, whatever the programs do: the machine's own books. A search that is given
 * this looks after every stage. A breach is a mistake in the model, never a finding about the kernel.
 */

import { hold_kind } from '../kernel/fn.js'
import type { Frame, Kernel } from '../kernel/kernel.js'
import { all_tables, is_computed, range_of, type TableInfo, type Value } from '../kernel/schema.js'
import { ovl_fs } from '../overlay/ovl_entry.js'
import { dentry } from '../vfs/dentry.js'
import { FMODE_WRITER, file } from '../vfs/file.js'
import { inode, is_dir } from '../vfs/inode.js'
import { mm_struct, vm_area } from '../vfs/memory/mm.js'
import { super_block } from '../vfs/super_block.js'
import { fd_slot, task_struct } from '../vfs/tasks/task.js'
import { broken_lock_order, locks } from './lock_order.js'

/** A number per object; of object 0, which there is not, nobody asks. */
class Tally {
  private readonly counts = new Map<number, number>()
  add(object: number, by = 1): void {
    this.counts.set(object, this.of(object) + by)
  }
  of(object: number): number {
    return this.counts.get(object) ?? 0
  }
}

interface Held {
  readonly task: number
  readonly kind: string
  readonly object: number
}

/** What all frames hold, and whether some task is inside the kernel. */
function held_by_frames(k: Kernel): { held: readonly Held[]; inside: boolean } {
  const held: Held[] = []
  let inside = false
  for (const task of k.store.tasks()) {
    for (let depth = 0; depth < k.store.depth(task); depth++) {
      const { holds, fn } = k.store.frame(task, depth) as Frame
      if (!fn.is_program) inside = true
      for (let i = 0; i < holds.length; i += 2) {
        held.push({ task, kind: hold_kind(holds[i]!).name, object: holds[i + 1]! })
      }
    }
  }
  return { held, inside }
}

/** What refers to a row that is not there. While an overlay file is being let go, its real ones go first. */
function dangling(k: Kernel, inside: boolean): string | null {
  for (const table of all_tables()) {
    const refs = table.columns.filter(
      ({ type }) => type.kind === 'ref' && !(inside && table.name === 'file' && type.table === 'file'),
    )
    if (refs.length === 0) continue
    for (const row of k.store.rows(table)) {
      for (const { name, type } of refs) {
        const to = (row as unknown as Record<string, Value>)[name] as number
        if (to !== 0 && !is_computed(to) && !k.store.has(table_named(type.table!), to)) {
          return `${table.name} ${row.id}: ${name} is ${type.table} ${to}, which does not exist`
        }
      }
    }
  }
  return null
}

const table_named = (name: string): TableInfo => all_tables().find((table) => table.name === name)!

/** i_writecount is writers minus deniers: open files and frames, running programs and frames. */
function write_counts(k: Kernel, held: readonly Held[]): string | null {
  const expected = new Tally()
  const unopened = new Set(held.filter(({ kind }) => kind === 'file_free').map(({ object }) => object))
  for (const { id, f_mode, f_inode } of file.rows(k)) {
    if ((f_mode & FMODE_WRITER) !== 0 && !unopened.has(id)) expected.add(f_inode)
  }
  for (const { kind, object } of held) {
    if (kind === 'put_write_access') expected.add(object)
    if (kind === 'allow_write_access') expected.add(object, -1)
  }
  if (k.has('exec_denies_writes')) for (const { exe_file } of mm_struct.rows(k)) expected.add(exe_file, -1)
  for (const { id, i_writecount } of inode.rows(k)) {
    if (i_writecount !== expected.of(id)) {
      return `inode ${id}: i_writecount is ${i_writecount}, but writers minus deniers are ${expected.of(id)}`
    }
  }
  return null
}

/** A lock that is held has a frame that will give it back, and the other way round; and it was taken in its turn. */
function lock_books(k: Kernel, held: readonly Held[]): string | null {
  for (const { hold, name, of, owners } of locks) {
    const frames = new Map(
      held.filter(({ kind }) => kind === hold.name).map(({ object, task }) => [object, task]),
    )
    for (const { id, owner } of owners(k)) {
      if (owner !== (frames.get(id) ?? 0)) {
        return `${of} ${id}: ${name} is held by task ${owner}, but by frames of task ${frames.get(id) ?? 0}`
      }
    }
  }
  for (const task of new Set(held.map((each) => each.task))) {
    const broken = broken_lock_order(
      k,
      held.filter((each) => each.task === task),
    )
    if (broken !== null) return `task ${task}: ${broken}`
  }
  return null
}

/** Link counts of file systems that keep names themselves: names of a file; two and its subdirectories of a directory. */
function link_counts(k: Kernel): string | null {
  const names = new Tally()
  const subdirectories = new Tally()
  for (const { id, d_parent, d_unhashed, d_inode, d_sb } of dentry.rows(k)) {
    if (id === d_parent || d_unhashed === 1 || super_block(k, d_sb).s_type === 'overlay') continue
    names.add(d_inode)
    if (is_dir(inode(k, d_inode).i_mode)) subdirectories.add(dentry(k, d_parent).d_inode)
  }
  // The whiteout that an overlay keeps for links has a name in its workdir that nobody sees.
  for (const { whiteout } of ovl_fs.rows(k)) names.add(whiteout)
  for (const { id, i_mode, i_nlink, i_sb } of inode.rows(k)) {
    if (i_sb === 0 || super_block(k, i_sb).s_type === 'overlay' || i_nlink === 0) continue
    const expected = is_dir(i_mode) ? 2 + subdirectories.of(id) : names.of(id)
    if (i_nlink !== expected) return `inode ${id}: i_nlink is ${i_nlink}, but it has ${expected}`
  }
  return null
}

/** While no task is inside the kernel: open files are counted by descriptors, mappings and the files stacked on them. */
function file_counts(k: Kernel): string | null {
  const expected = new Tally()
  for (const slot of fd_slot.rows(k)) expected.add(slot.file)
  for (const vma of vm_area.rows(k)) expected.add(vma.vm_file)
  for (const { realfile, upperfile } of file.rows(k)) {
    expected.add(realfile)
    expected.add(upperfile)
  }
  for (const { id, f_count } of file.rows(k)) {
    if (f_count !== expected.of(id))
      return `file ${id}: f_count is ${f_count}, but ${expected.of(id)} refer to it`
  }
  return null
}

/** While no task is inside the kernel: names are counted by open files and working directories. */
function dentry_counts(k: Kernel): string | null {
  const expected = new Tally()
  for (const { f_dentry } of file.rows(k)) expected.add(f_dentry)
  for (const { pwd, exit_code } of task_struct.rows(k)) if (exit_code === 0) expected.add(pwd)
  for (const { id, d_count } of dentry.rows(k)) {
    if (d_count !== expected.of(id))
      return `dentry ${id}: d_count is ${d_count}, but ${expected.of(id)} stand on it`
  }
  return null
}

/** A descriptor's row lies in the range of a task that is there. */
function descriptors(k: Kernel): string | null {
  const lost = fd_slot.rows(k).find((slot) => !task_struct.has(k, range_of(slot.id)))
  return lost === undefined ? null : `descriptor ${lost.id} belongs to no task`
}

/**
 * What is broken in this state, or null: references, write counts, locks and their order, link counts and descriptors always;
 * reference counts of files and names while no task is inside the kernel.
 */
export function broken_invariant(k: Kernel): string | null {
  const { held, inside } = held_by_frames(k)
  return (
    dangling(k, inside) ??
    write_counts(k, held) ??
    lock_books(k, held) ??
    link_counts(k) ??
    descriptors(k) ??
    (inside ? null : (file_counts(k) ?? dentry_counts(k)))
  )
}

/** The state of a session in words: descriptors, mounts, inodes, tasks and what they are doing in the kernel. */

import { hold_kind } from '../kernel/fn.js'
import type { Kernel } from '../kernel/kernel.js'
import { type Frame, RETURNING } from '../kernel/kernel.js'
import { show_id, type Value } from '../kernel/schema.js'
import { readable } from '../scenario/characters.js'
import { quote } from '../scenario/strace.js'
import { pad, width_of } from '../trace/render/layout.js'
import { printable } from '../trace/render/printable.js'
import { dentry, name_of } from '../vfs/dentry.js'
import { FMODE_PATH, FMODE_READ, FMODE_WRITE, file } from '../vfs/file.js'
import { mount_flags, type Place } from '../vfs/filesystems/populate.js'
import {
  inode,
  is_dir,
  is_lnk,
  is_reg,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../vfs/inode.js'
import { content_of } from '../vfs/memory/page_cache.js'
import { mount } from '../vfs/mount.js'
import { d_path } from '../vfs/namei/d_path.js'
import { super_block } from '../vfs/super_block.js'
import { fd_row, fd_slot, RLIMIT_NOFILE, task_struct } from '../vfs/tasks/task.js'

/** Runs `look` as if `task` were running: paths are seen from its root. */
function as_task<T>(k: Kernel, task: number, look: () => T): T {
  const runner = k.task
  k.task = task
  try {
    return look()
  } finally {
    k.task = runner
  }
}

/** Pads the columns of a table; the last is as long as it is. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width_of(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : pad(cell, widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

/** A name of the model as it can be seen. */
const seen = (name: string): string => printable(readable(name))

const octal = (mode: number): string => `0${(mode & 0o7777).toString(8).padStart(3, '0')}`

// --- descriptors ---------------------------------------------------------------------------------------------

export function show_fds(k: Kernel, task: number): string[] {
  return as_task(k, task, () => {
    const rows = [['fd', 'access', 'count', 'position', 'path']]
    for (let fd = 0; fd < RLIMIT_NOFILE; fd++) {
      if (!fd_slot.has(k, fd_row(task, fd))) continue
      const slot = fd_slot(k, fd_row(task, fd))
      rows.push([
        String(fd),
        ...show_file(k, slot.file),
        path_of_file(k, slot.file, slot.close_on_exec === 1),
      ])
    }
    return aligned(rows)
  })
}

function show_file(k: Kernel, id: number): string[] {
  const { f_mode, f_count, f_pos } = file(k, id)
  return [access_of(f_mode), String(f_count), String(f_pos)]
}

function access_of(f_mode: number): string {
  if ((f_mode & FMODE_PATH) !== 0) return 'path'
  const reads = (f_mode & FMODE_READ) !== 0
  const writes = (f_mode & FMODE_WRITE) !== 0
  return reads && writes ? 'read-write' : writes ? 'write' : 'read'
}

function path_of_file(k: Kernel, id: number, closes: boolean): string {
  const { f_mnt, f_dentry, realfile, upperfile } = file(k, id)
  const real = upperfile || realfile
  const notes = [
    ...(closes ? ['close-on-exec'] : []),
    ...(real === 0
      ? []
      : [`real file on ${seen(super_block(k, dentry(k, file(k, real).f_dentry).d_sb).s_id)}`]),
  ]
  const path = f_mnt === 0 ? '?' : seen(d_path(k, f_mnt, f_dentry))
  return `${path}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}`
}

// --- mounts ------------------------------------------------------------------------------------------------------

export function show_mounts(k: Kernel, task: number): string[] {
  return as_task(k, task, () => {
    const rows = [['mount', 'type', 'source', 'options']]
    for (const { id, mnt_parent, mnt_mountpoint, mnt_root, mnt_sb, mnt_flags } of mount.rows(k)) {
      // Private mounts of layers, and those that no path leads to.
      if (mnt_parent === 0 && mnt_mountpoint !== 0) continue
      const { s_id, s_type, s_flags } = super_block(k, mnt_sb)
      const options = Object.entries(mount_flags).filter(([, flag]) => (mnt_flags & flag) !== 0)
      const names = options.map(([name]) => name)
      if ((s_flags & 1) !== 0) names.push('superblock ro')
      const below = dentry(k, mnt_root).d_parent === mnt_root ? '' : `:${path_in(k, mnt_root)}`
      rows.push([seen(d_path(k, id, mnt_root)), s_type, seen(s_id + below), names.join(',') || 'rw'])
    }
    return aligned(rows)
  })
}

/** The path of a dentry within its file system. */
function path_in(k: Kernel, id: number): string {
  const { d_parent } = dentry(k, id)
  return d_parent === id ? '' : `${path_in(k, d_parent)}/${name_of(k, id)}`
}

// --- inodes ------------------------------------------------------------------------------------------------------

const type_names: Readonly<Record<number, string>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symbolic link',
  [S_IFIFO]: 'FIFO',
  [S_IFSOCK]: 'socket',
  [S_IFCHR]: 'character device',
  [S_IFBLK]: 'block device',
}

/** What stands at a place, and what a stacked file system has below it. */
export function show_inode(k: Kernel, place: Place, path: string): string[] {
  const at = dentry(k, place.dentry)
  return [
    `${printable(path)}  dentry ${show_id(place.dentry)} on ${seen(super_block(k, at.d_sb).s_id)}${at.d_unhashed === 1 ? ' (deleted)' : ''}`,
    ...show_one(k, at.d_inode, '  '),
  ]
}

function show_one(k: Kernel, ino: number, indent: string): string[] {
  const node = inode(k, ino)
  const { s_id, s_type } = super_block(k, node.i_sb)
  const lines = [
    `${indent}inode ${show_id(ino)} of ${seen(s_id)} (${s_type}): ${type_names[node.i_mode & S_IFMT] ?? 'unknown'}`,
    `${indent}  i_mode ${octal(node.i_mode)}  i_uid ${node.i_uid}  i_gid ${node.i_gid}  i_size ${node.i_size}`,
    `${indent}  i_nlink ${node.i_nlink}  i_count ${node.i_count}  i_writecount ${node.i_writecount}${denial(node.i_writecount)}`,
  ]
  if (node.i_rwsem !== 0) lines.push(`${indent}  i_rwsem held by task ${node.i_rwsem}`)
  if (node.verity_digest !== '') lines.push(`${indent}  fs-verity ${seen(node.verity_digest)}`)
  if (is_lnk(node.i_mode)) lines.push(`${indent}  -> ${seen(node.i_link)}`)
  const below = layers_of(k, ino)
  if (is_reg(node.i_mode) && below.length === 0) lines.push(`${indent}  ${quote(content_of(k, ino, 64), 48)}`)
  if (is_dir(node.i_mode) && below.length === 0) lines.push(`${indent}  ${entries(k, ino)}`)
  for (const [name, real] of below) lines.push(`${indent}  ${name}:`, ...show_one(k, real, `${indent}    `))
  return lines
}

const denial = (count: number): string =>
  count < 0 ? ' (writing is denied)' : count > 0 ? ' (open for writing)' : ''

/** Rows of other tables that belong to the inode and name others: how an overlay inode's layers are found. */
function layers_of(k: Kernel, ino: number): [string, number][] {
  const own = k.store.snapshot().tables.ovl_inode?.[String(ino)]
  if (own === undefined) return []
  const layers: [string, Value | undefined][] = [
    ['upper', own.upper],
    ['lower', own.lower],
  ]
  return layers.filter(([, real]) => real !== 0 && real !== undefined) as [string, number][]
}

function entries(k: Kernel, ino: number): string {
  const home = dentry.rows(k).find(({ d_inode }) => d_inode === ino)
  if (home === undefined) return ''
  const names = dentry
    .where(k, home.id)
    .filter(({ id }) => id !== home.id)
    .map(({ d_name }) => seen(d_name))
  return names.length === 0
    ? 'empty'
    : `${names.length} entries: ${names.slice(0, 12).join(' ')}${names.length > 12 ? ' …' : ''}`
}

// --- tasks -------------------------------------------------------------------------------------------------------

export interface TaskLine {
  readonly task: number
  readonly note: string
}

export function show_tasks(k: Kernel, tasks: readonly TaskLine[], current: number): string[] {
  const rows = [['task', 'uid', 'gid', 'directory', '']]
  for (const { task, note } of tasks) {
    const { euid, egid, pwd_mnt, pwd } = task_struct(k, task)
    const at = as_task(k, task, () => seen(d_path(k, pwd_mnt, pwd)))
    rows.push([`${task === current ? '*' : ' '} ${task}`, String(euid), String(egid), at, note])
  }
  return aligned(rows)
}

/** What a task is doing inside the kernel, the outermost function first. */
export function show_stack(k: Kernel, task: number): string[] {
  const lines: string[] = []
  for (let depth = 0; depth < k.store.depth(task); depth++) {
    const frame = k.store.frame(task, depth) as Frame
    const stage = frame.stage === RETURNING ? 'returns' : (frame.fn.steps[frame.stage]?.name ?? '?')
    const at = depth === k.store.depth(task) - 1 ? `next: ${stage}` : `in ${stage}`
    lines.push(
      `${'  '.repeat(depth)}${frame.fn.name}  ${at}  ${show_locals(frame)}${show_holds(frame)}`.trimEnd(),
    )
  }
  return lines
}

function show_locals(frame: Frame): string {
  const values = frame.fn.shape.columns
    .filter(({ group }) => group === 'locals')
    .map(({ name, initial }) => ({
      name,
      initial,
      value: (frame as unknown as Record<string, Value>)[name]!,
    }))
    .filter(({ value, initial }) => value !== initial && !(typeof value === 'object' && value.length === 0))
    .map(({ name, value }) => `${name}=${typeof value === 'string' ? quote(value, 24) : String(value)}`)
  return values.length === 0 ? '' : `{ ${values.join(' ')} }`
}

function show_holds({ holds }: Frame): string {
  const held: string[] = []
  for (let i = 0; i < holds.length; i += 2)
    held.push(`${hold_kind(holds[i]!).name} ${show_id(holds[i + 1]!)}`)
  return held.length === 0 ? '' : ` must still ${held.join(', ')}`
}

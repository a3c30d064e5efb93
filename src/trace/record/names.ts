/**
 * What people call the rows of a state: `upper:/s` for an inode of a layer, `/m/s` for one that a mount shows,
 * `fd 3`, `mount /m`. Read from the rows of a moment; the machine knows numbers only.
 */

import type { PlainRow } from '../../kernel/footprint.js'
import { computing_type } from '../../kernel/fs.js'
import { is_computed, place_in_range, range_of, show_id, type Value } from '../../kernel/schema.js'
import { readable } from '../../scenario/characters.js'
import type { Bind } from '../trace.js'
import type { Rows } from './moment.js'

/** include/linux/mount.h */
const MNT_READONLY = 64

const number_of = (row: PlainRow | undefined, field: string): number => Number(row?.[field] ?? 0)
const text_of = (row: PlainRow | undefined, field: string): string => readable(String(row?.[field] ?? ''))

export class Names {
  private readonly shown_at = new Map<number, { root: number; mnt: number }>()

  /**
   * @param state      the state whose rows are named
   * @param task_names names of tasks by number
   */
  constructor(
    private readonly state: Rows,
    private readonly task_names: ReadonlyMap<number, string>,
  ) {
    for (const [id, row] of this.mounts()) {
      const visible = number_of(row, 'mnt_parent') !== 0 || number_of(row, 'mnt_mountpoint') === 0
      const sb = number_of(row, 'mnt_sb')
      if (visible && !this.shown_at.has(sb))
        this.shown_at.set(sb, { root: number_of(row, 'mnt_root'), mnt: Number(id) })
    }
  }

  /** By number. */
  private mounts(): [string, PlainRow][] {
    return [...this.state.rows('mount')].sort(([a], [b]) => Number(a) - Number(b))
  }

  private row(table: string, id: number | string): PlainRow | undefined {
    return this.state.row(table, id)
  }

  /** Whether the state has this row. */
  has(table: string, row: string): boolean {
    return this.row(table, row) !== undefined
  }

  task(task: number): string {
    return this.task_names.get(task) ?? `task ${task}`
  }

  /** A row of any table, by its identity in snapshots and footprints. */
  of(table: string, row: string): string {
    if (row === '*') return 'all of them'
    if (row.startsWith('@'))
      return `free numbers of ${row === '@0' ? 'the set-up' : this.task(Number(row.slice(1)))}`
    if (row.startsWith('=')) return this.key(table, row.slice(1))
    const [first = 0, second = 0] = row.split(':').map(Number)
    switch (table) {
      case 'inode':
      case 'ovl_inode':
        return this.inode(first)
      case 'dentry':
        return this.dentry(first)
      case 'page':
        return second === 0 ? this.inode(first) : `${this.inode(first)} page ${second}`
      case 'file':
        return this.file(first)
      case 'mount':
        return `mount ${this.mount_path(first)}`
      case 'super_block':
      case 'ovl_fs':
        return text_of(this.row('super_block', first), 's_id') || `superblock ${first}`
      case 'block_device':
        return text_of(this.row('block_device', first), 'bd_name') || `device ${first}`
      case 'task_struct':
      case 'user_buffer':
        return this.task(first)
      case 'fd_slot':
        return `fd ${place_in_range(first)} of ${this.task(range_of(first))}`
      case 'mm_struct':
        return `memory of ${this.task(range_of(first))}`
      default:
        return `${table} ${row
          .split(':')
          .map((part) => (/^\d+$/.test(part) ? show_id(Number(part)) : part))
          .join(':')}`
    }
  }

  /** What a lookup asked for: a name in a directory, a page of a file, a mount on a place. */
  private key(table: string, key: string): string {
    const colon = key.indexOf(':')
    const first = Number(colon < 0 ? key : key.slice(0, colon))
    const second = colon < 0 ? '' : key.slice(colon + 1)
    switch (table) {
      case 'dentry':
        return second === '*'
          ? `names in ${this.dentry(first)}`
          : `name ${readable(second)} in ${this.dentry(first)}`
      case 'page':
        return second === '*' ? `pages of ${this.inode(first)}` : `page ${second} of ${this.inode(first)}`
      case 'mount':
        return `mount on ${this.dentry(Number(second))}`
      default:
        return key
    }
  }

  /** `lower:/s`, or the path at which a mount shows it. */
  inode(id: number): string {
    if (id === 0) return 'none'
    if (is_computed(id)) return this.computed(id)
    const dent = this.state.dentry_of(id)
    if (dent !== undefined) return this.dentry(dent)
    const row = this.row('inode', id)
    const sb = text_of(this.row('super_block', number_of(row, 'i_sb')), 's_id')
    return sb === '' ? `inode ${show_id(id)}` : `${sb}:(no name)`
  }

  dentry(id: number): string {
    if (id === 0) return 'none'
    if (is_computed(id)) return this.computed(id)
    const row = this.row('dentry', id)
    if (row === undefined) return `dentry ${show_id(id)}`
    const sb = number_of(row, 'd_sb')
    const deleted = number_of(row, 'd_unhashed') === 1 ? ' (deleted)' : ''
    const shown = this.shown_at.get(sb)
    const path = this.path_below(id, shown?.root ?? 0)
    if (shown !== undefined && path !== null) return join(this.mount_path(shown.mnt), path) + deleted
    return `${text_of(this.row('super_block', sb), 's_id')}:${this.path_below(id, 0) ?? '/'}${deleted}`
  }

  /** A name that nobody has made. */
  private computed(id: number): string {
    const { name, computed } = computing_type()
    const [sb] = [...this.state.rows('super_block')].find(([, row]) => row.s_type === name) ?? []
    const shown = this.shown_at.get(Number(sb))
    return shown === undefined
      ? `${name}:${computed.path(id)}`
      : join(this.mount_path(shown.mnt), computed.path(id))
  }

  /** The path from `root` (0: from the root of the file system) down to a dentry; null if it is not below. */
  private path_below(id: number, root: number): string | null {
    const parts: string[] = []
    for (let at = id; at !== root; ) {
      const row = this.row('dentry', at)
      const parent = number_of(row, 'd_parent')
      if (row === undefined || parent === at) return root === 0 ? `/${parts.join('/')}` : null
      // A file without a name goes by its inode (vfs/dentry.ts: name_of).
      parts.unshift(text_of(row, 'd_name') || `#${number_of(row, 'd_inode')}`)
      at = parent
    }
    return `/${parts.join('/')}`
  }

  private mount_path(id: number): string {
    const row = this.row('mount', id)
    if (row === undefined) return `mount ${show_id(id)}`
    const parent = number_of(row, 'mnt_parent')
    const on = number_of(row, 'mnt_mountpoint')
    if (parent === 0) return on === 0 ? '/' : `${this.dentry(on)} (layer)`
    const below = this.path_below(on, number_of(this.row('mount', parent), 'mnt_root'))
    return join(this.mount_path(parent), below ?? '/')
  }

  /** Where a task stands, as its own mount shows it. */
  pwd(task: number): string {
    const row = this.row('task_struct', task)
    const [mnt, at] = [number_of(row, 'pwd_mnt'), number_of(row, 'pwd')]
    if (mnt === 0 || at === 0) return '/'
    if (is_computed(at)) return this.computed(at)
    return join(
      this.mount_path(mnt),
      this.path_below(at, number_of(this.row('mount', mnt), 'mnt_root')) ?? '/',
    )
  }

  /** Mounts of what another mount shows already, whose path the files have. */
  binds(): Bind[] {
    const binds: Bind[] = []
    for (const [id, row] of this.mounts()) {
      const visible = number_of(row, 'mnt_parent') !== 0
      const shown = this.shown_at.get(number_of(row, 'mnt_sb'))
      if (!visible || shown === undefined || shown.mnt === Number(id)) continue
      const read_only = (number_of(row, 'mnt_flags') & MNT_READONLY) !== 0
      binds.push({ at: this.mount_path(Number(id)), of: this.dentry(number_of(row, 'mnt_root')), read_only })
    }
    return binds
  }

  /** An open file by its path. Real files below an overlay's are called by their layer. */
  private file(id: number): string {
    const row = this.row('file', id)
    return row === undefined ? `file ${show_id(id)}` : `open file ${this.dentry(number_of(row, 'f_dentry'))}`
  }

  /** A reference to a row of `table`, as a value. */
  reference(table: string, id: number): string {
    return id === 0 ? 'none' : this.of(table, String(id))
  }

  /** A value of a field that does not refer to anything. */
  static value(field: string, value: Value): string {
    if (typeof value === 'object') return `[${value.map(String).join(', ')}]`
    // Contents stay bytes: whoever shows them quotes them.
    if (typeof value === 'string') return field === 'data' ? value : readable(value)
    if (/mode$/.test(field) && value > 7) return `0${value.toString(8)}`
    return String(value)
  }
}

function join(at: string, path: string): string {
  if (path === '/') return at
  return at === '/' ? path : at + path
}

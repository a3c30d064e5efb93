/**
 * read, write and lseek (fs/read_write.c, mm/filemap.c).
 *
 *     read
 *       vfs_read                   descriptor, f_pos_lock where shared, security_file_permission
 *       generic_file_read_iter
 *         filemap_read             one page, without any lock: a write may come between two pages
 *
 *     write
 *       vfs_write
 *       generic_file_write_iter
 *         inode_lock               i_rwsem for the whole call; O_APPEND looks at the size here
 *         notify_change            set-user-id and set-group-id go
 *         generic_perform_write    one page, and the size
 *         inode_unlock
 *
 * Taking f_pos_lock and the hook are one stage, and so are the last page and giving f_pos_lock back: only
 * who waits for the lock could tell, and waiting has no result of its own.
 *
 * Not files of pages: a directory (EISDIR), a device (`char_dev.ts`) and a FIFO (`pipe.ts`).
 */
import { EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENXIO, ESPIPE } from '../../kernel/errno.js'
import { call, done, fn, hold, release, stage, take } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, BLOCKED, type Frame, type Outcome } from '../../kernel/kernel.js'
import { NotModelled } from '../../kernel/not_modelled.js'
import { int, ref, str, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import {
  exact_size,
  file_remove_privs,
  not_open,
  s_maxbytes,
  setattr_should_drop_suidgid,
} from '../attributes/attr.js'
import { FMODE_READ, FMODE_STREAM, FMODE_WRITE, file } from '../file.js'
import { inode, inode_ops, is_dir, is_reg, PAGE_SIZE, S_IFCHR, S_IFMT } from '../inode.js'
import { inode_lock } from '../lock.js'
import {
  MAX_RW_COUNT,
  page_index,
  page_offset,
  read_page,
  seek_hole_data,
  write_page,
} from '../memory/page_cache.js'
import { MAY_READ, MAY_WRITE } from '../namei/permission.js'
import { O_APPEND } from '../open/open_flags.js'
import { fd } from '../parameters.js'
import { copy_to_user } from '../tasks/task.js'
import { device_read, device_write } from './char_dev.js'
import { fdget } from './file_table.js'
import { is_fifo, pipe_read, pipe_write } from './pipe.js'

// --- files of pages ----------------------------------------------------------------------------------------

/**
 * Reads from the page cache (mm/filemap.c: filemap_read). No lock is held: each page shows what it holds,
 * and the file the size it has, when its turn comes. It ends at the end of file that the last page saw
 * (tmpfs would look once more).
 *
 * Locals: `file`, `pos` and `count` in bytes. @returns the number of bytes put into the user buffer
 */
export const generic_file_read_iter = fn(
  'generic_file_read_iter',
  { source: 'mm/filemap.c', locals: { file: ref('file'), pos: int(), count: int(), copied: int() } },
  [
    stage('filemap_read', (k, f) => {
      const ino = file(k, f.file).f_inode
      const size = inode(k, ino).i_size
      const pos = f.pos + f.copied
      const count = Math.min(f.count - f.copied, PAGE_SIZE - page_offset(pos), size - pos)
      if (count <= 0) return done(f, f.copied)
      const from = page_offset(pos)
      copy_to_user(k, read_page(k, ino, page_index(pos)).slice(from, from + count), ino)
      f.copied += count
      return f.copied < f.count && pos + count < size ? AGAIN : done(f, f.copied)
    }),
  ],
)

/**
 * Writes to the page cache under i_rwsem (mm/filemap.c: generic_file_write_iter).
 *
 * Locals: `file`; `pos` in bytes, or -1 for the file's own position, which moves; `data`; `unmapped`: 1 where the
 * caller's pointer leads to no byte.
 * Errors, in order: EFBIG, what security_inode_setattr answers where set-user-id must go, EFAULT (then it has gone all
 * the same). @returns the number of bytes
 */
export const generic_file_write_iter = fn(
  'generic_file_write_iter',
  {
    source: 'mm/filemap.c',
    locals: {
      file: ref('file'),
      pos: int(-1),
      data: str(),
      unmapped: int(),
      /** 1 where the file's own position moves along. */
      moves: int(),
      written: int(),
      kill: int(),
    },
  },
  [
    stage('inode_lock', (k, f) => {
      const { f_inode, f_flags } = file(k, f.file)
      const asleep = inode_lock(k, f, f_inode)
      if (asleep) return asleep
      if (f.data === '' && f.unmapped === 0) return done(f)
      f.moves = f.pos === -1 ? 1 : 0
      if (f.moves === 1) f.pos = file(k, f.file).f_pos
      if ((f_flags & O_APPEND) !== 0) f.pos = inode(k, f_inode).i_size
      const room = s_maxbytes(k, f_inode) - f.pos
      if (room <= 0) return k.refuse(-EFBIG, 'past the largest position of the file system')
      if (f.data.length > room) f.data = f.data.slice(0, room)
      exact_size(f.pos + f.data.length)
      f.kill = setattr_should_drop_suidgid(k, f_inode)
    }),
    file_remove_privs(),
    stage('generic_perform_write', (k, f) => {
      const ino = file(k, f.file).f_inode
      if (f.unmapped === 1) {
        const extends_it = inode_ops(k, ino).extends_by_failed_write && f.pos > inode(k, ino).i_size
        if (extends_it) inode(k, ino).i_size = f.pos
        return k.refuse(-EFAULT, 'there are no bytes to be written')
      }
      const pos = f.pos + f.written
      const bytes = f.data.slice(f.written, f.written + PAGE_SIZE - page_offset(pos))
      write_page(k, ino, page_index(pos), page_offset(pos), bytes)
      const end = pos + bytes.length
      if (end > inode(k, ino).i_size) inode(k, ino).i_size = end
      f.written += bytes.length
      if (f.moves === 1) file(k, f.file).f_pos = end
      return f.written < f.data.length ? AGAIN : done(f, f.written)
    }),
  ],
)

// --- the position ------------------------------------------------------------------------------------------

/** The lock on the position of a shared description (fs/file.c: __f_unlock_pos). */
/** The lock of an open file's position, where others share it. */
export const f_pos_lock = hold('f_unlock_pos', (k, id) => {
  file(k, id).f_pos_lock = 0
})

/** Whether somebody else is moving the position of this file. */
const pos_is_locked = (k: Kernel, id: number): boolean => file(k, id).f_pos_lock !== 0

/** Takes f_pos_lock where others share the description (fs/file.c: fdget_pos). */
function fdget_pos(k: Kernel, f: Frame<any>, id: number): void {
  if (file(k, id).f_count <= 1) return
  file(k, id).f_pos_lock = k.task
  take(f, f_pos_lock, id)
}

function f_unlock_pos(k: Kernel, f: Frame<any>): void {
  if (f.holds.length > 0) release(k, f, f_pos_lock)
}

// --- the calls ---------------------------------------------------------------------------------------------

/** A buffer of this length does not fit into any address space (access_ok). */
const UNADDRESSABLE = 2 ** 46

const rw_locals = {
  fd: int(),
  /** Where to read or write; of a call with its own position (pread, pwrite) as given. */
  pos: int(),
  positioned: int(),
  count: int(),
  file: ref('file'),
}
type ReadWrite = Frame<ValuesOf<typeof rw_locals>>

const is_chr = (mode: number): boolean => (mode & S_IFMT) === S_IFCHR

/** What read and write check alike, before the file system (fs/read_write.c: vfs_read, rw_verify_area). */
function rw_verify_area(k: Kernel, f: ReadWrite, mode: number, mask: number): Outcome {
  if (f.positioned === 1 && f.pos < 0) return -EINVAL
  const id = fdget(k, f.fd)
  if (id === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
  const { f_mode } = file(k, id)
  if (f.positioned === 1 && (f_mode & FMODE_STREAM) !== 0) return -ESPIPE
  if (f.positioned === 0 && pos_is_locked(k, id)) return BLOCKED
  f.file = id
  if ((f_mode & mode) === 0) {
    return k.refuse(-EBADF, `the descriptor is not open for ${mode === FMODE_READ ? 'reading' : 'writing'}`)
  }
  if (f.count < 0 || f.count >= UNADDRESSABLE) return -EFAULT
  const denied = security(k, 'file_permission', { file: id, mask })
  if (denied !== 0) return denied
  f.count = Math.min(f.count, MAX_RW_COUNT)
  // What cannot be sought in has no position that a lock would keep (fs/file_table.c: FMODE_ATOMIC_POS).
  if (f.positioned === 0 && (f_mode & FMODE_STREAM) === 0) {
    fdget_pos(k, f, id)
    f.pos = file(k, id).f_pos
  }
}

/**
 * read(2), pread(2). Errors, in order: EINVAL (negative position), EBADF, ESPIPE (pread on a FIFO), EBADF (not
 * open for reading), EFAULT, what security_file_permission answers, EISDIR.
 * @returns the number of bytes, at most MAX_RW_COUNT; they stand in the user buffer
 */
export const vfs_read = fn('vfs_read', { source: 'fs/read_write.c', locals: rw_locals }, [
  stage('vfs_read', (k, f) => rw_verify_area(k, f, FMODE_READ, MAY_READ) || read_special(k, f)),
  call(
    (k, f) => read_iter(k, f.file),
    (_, f) => ({ file: f.file, pos: f.pos, count: f.count }),
    (k, f, copied: number) => {
      if (f.positioned === 0 && copied > 0) file(k, f.file).f_pos = f.pos + copied
      f_unlock_pos(k, f)
      return done(f, copied)
    },
    'read_iter',
  ),
])

/** Reading what has no pages; also reading nothing. */
function read_special(k: Kernel, f: ReadWrite): Outcome {
  const { i_mode, i_rdev } = inode(k, file(k, f.file).f_inode)
  if (is_dir(i_mode)) return k.refuse(-EISDIR, 'a directory')
  if (is_chr(i_mode)) return done(f, device_read(k, i_rdev, f.count))
  if (f.count === 0) return done(f, 0)
}

/** How the open file is read: a FIFO like any other, whatever file system its name is on. */
function read_iter(k: Kernel, id: number) {
  const { f_inode, f_mode } = file(k, id)
  if ((f_mode & FMODE_STREAM) !== 0) return pipe_read
  return inode_ops(k, f_inode).read_iter ?? generic_file_read_iter
}

/**
 * write(2), pwrite(2). Errors, in order: EINVAL (negative position), EBADF, ESPIPE (pwrite on a FIFO), EBADF (not
 * open for writing), EFAULT (no such length), what security_file_permission answers, EFBIG, EFAULT (no such bytes).
 * @returns the number of bytes, at most MAX_RW_COUNT
 */
export const vfs_write = fn(
  'vfs_write',
  { source: 'fs/read_write.c', locals: { ...rw_locals, data: str(), unmapped: int() } },
  [
    stage('vfs_write', (k, f) => rw_verify_area(k, f, FMODE_WRITE, MAY_WRITE) || write_special(k, f)),
    call(
      (k, f) => write_iter(k, f.file),
      (_, f) => ({
        file: f.file,
        pos: f.positioned === 1 ? f.pos : -1,
        data: f.data,
        unmapped: f.unmapped,
      }),
      (k, f, written: number) => {
        f_unlock_pos(k, f)
        return done(f, written)
      },
      'write_iter',
    ),
  ],
)

/** Writing to what has no pages; and the bytes that there are of the buffer. */
function write_special(k: Kernel, f: ReadWrite & { data: string; unmapped: number }): Outcome {
  const { i_mode, i_rdev } = inode(k, file(k, f.file).f_inode)
  if (is_chr(i_mode)) {
    const written = device_write(k, i_rdev, f.count)
    return written < 0 ? written : done(f, written)
  }
  if (!is_reg(i_mode) && !is_fifo(i_mode)) return -EINVAL
  // As in C the buffer may be shorter than the length says: what can be copied is. That nothing can is found out when it is.
  f.data = f.data.slice(0, f.count)
  f.unmapped = f.data === '' && f.count > 0 ? 1 : 0
}

function write_iter(k: Kernel, id: number) {
  const { f_inode, f_mode } = file(k, id)
  if ((f_mode & FMODE_STREAM) !== 0) return pipe_write
  return inode_ops(k, f_inode).write_iter ?? generic_file_write_iter
}

// --- lseek -------------------------------------------------------------------------------------------------

export const SEEK_SET = 0
export const SEEK_CUR = 1
export const SEEK_END = 2
export const SEEK_DATA = 3
export const SEEK_HOLE = 4

/**
 * lseek(2). Errors, in order: EBADF, EINVAL (whence), ESPIPE (FIFO), ENXIO (no data or hole there), EINVAL
 * (negative, past the largest file). @returns the new position
 */
const vfs_llseek = fn(
  'vfs_llseek',
  { source: 'fs/read_write.c', locals: { fd: int(), offset: int(), whence: int() } },
  [
    stage('vfs_llseek', (k, f) => {
      const id = fdget(k, f.fd)
      if (id === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
      if (pos_is_locked(k, id)) return BLOCKED
      if (f.whence < SEEK_SET || f.whence > SEEK_HOLE) return -EINVAL
      const { i_mode } = inode(k, file(k, id).f_inode)
      if (is_fifo(i_mode)) return -ESPIPE
      if (seeks_under_lock(k, f, id) && inode(k, file(k, id).f_inode).i_rwsem !== 0) return BLOCKED
      const pos = is_chr(i_mode) ? 0 : sought(k, f, id)
      if (pos < 0) return pos
      file(k, id).f_pos = pos
      return done(f, pos)
    }),
  ],
)

type Seek = { offset: number; whence: number }

/** Data and holes are looked for under i_rwsem; a stacked file system takes it for all but telling the position. */
function seeks_under_lock(k: Kernel, f: Seek, id: number): boolean {
  if (f.whence >= SEEK_DATA) return true
  const stacked = inode_ops(k, file(k, id).f_inode).file_data_inode !== undefined
  return stacked && (f.offset !== 0 || f.whence === SEEK_END)
}

/** The position asked for, or a negative errno. */
function sought(k: Kernel, f: Seek, id: number): number {
  const { f_inode } = file(k, id)
  if (is_dir(inode(k, f_inode).i_mode) && f.whence > SEEK_CUR) return -EINVAL
  const ino = inode_ops(k, f_inode).file_data_inode?.(k, id) ?? f_inode
  const size = inode(k, ino).i_size
  let pos = f.offset
  if (f.whence === SEEK_CUR) pos += file(k, id).f_pos
  else if (f.whence === SEEK_END) pos += size
  else if (f.whence >= SEEK_DATA) {
    if (pos < 0 || pos >= size) return k.refuse(-ENXIO, 'past the end of the file')
    pos = seek_hole_data(k, ino, pos, f.whence === SEEK_DATA)
    if (pos < 0) return k.refuse(-ENXIO, 'no data from there on')
  }
  if (pos < 0 || pos > s_maxbytes(k, ino)) return -EINVAL
  if (!Number.isSafeInteger(pos)) throw new NotModelled('a position beyond 2^53 - 1')
  return pos
}

// --- the system calls --------------------------------------------------------------------------------------

const count: Parameter = {
  name: 'count',
  kind: 'size',
  says: 'bytes at most, up to 1 MiB; the buffer of C is left out',
}
const offset: Parameter = {
  name: 'offset',
  kind: 'offset',
  says: 'in bytes from the beginning of the file',
}
const filled_buf = { name: 'buf', kind: 'filled', size: 'count' } as const
const bytes_read =
  'the bytes that were read, for `use`, `write`, and where a number is taken their count; none at the end'
const buf: Parameter = {
  name: 'buf',
  kind: 'bytes',
  says: 'text (its UTF-8), `{ base64 }`, or what an earlier call has read',
}
const bytes_written = 'how many bytes were written'

/** What is to be written: the bytes that there are, and how many the caller speaks of. */
const written = (buf: string | null, count: number | null) => ({
  data: buf ?? '',
  count: count ?? buf?.length ?? 0,
})

define_syscall({
  name: 'read',
  says: 'Reads from where the open file stands, and moves it on.',
  prototype: [fd, filled_buf, count],
  fn: vfs_read,
  locals: (fd, count) => ({ fd, count }),
  returns: 'bytes',
  gives: bytes_read,
  changes: 'nothing',
})
define_syscall({
  name: 'pread',
  says: 'Reads from an offset; the open file stays where it stands.',
  prototype: [fd, filled_buf, count, offset],
  as: ['pread64', 'fd', 'buf', 'count', 'offset'],
  fn: vfs_read,
  locals: (fd, count, pos) => ({ fd, count, pos, positioned: 1 }),
  returns: 'bytes',
  gives: bytes_read,
  changes: 'nothing',
})
define_syscall({
  name: 'write',
  says: 'Writes where the open file stands (at its end with O_APPEND), and moves it on.',
  prototype: [
    fd,
    buf,
    { name: 'count', kind: 'size', says: 'bytes; unless told all of `buf`', missing: null },
  ],
  fn: vfs_write,
  locals: (fd, buf, count) => ({ fd, ...written(buf, count) }),
  returns: 'int',
  gives: bytes_written,
  changes: 'contents',
})
define_syscall({
  name: 'pwrite',
  says: 'Writes at an offset; the open file stays where it stands.',
  prototype: [fd, buf, { name: 'count', kind: 'size', says: 'bytes', missing: null }, offset],
  as: ['pwrite64', 'fd', 'buf', 'count', 'offset'],
  fn: vfs_write,
  locals: (fd, buf, count, pos) => ({ fd, ...written(buf, count), pos, positioned: 1 }),
  returns: 'int',
  gives: bytes_written,
  changes: 'contents',
})
define_syscall({
  name: 'lseek',
  says: 'Moves an open file.',
  prototype: [
    fd,
    { name: 'offset', kind: 'offset', says: 'in bytes, from where `whence` says; may be negative' },
    {
      name: 'whence',
      kind: 'choice',
      says: "`'SEEK_SET'` (the beginning), `'SEEK_CUR'`, `'SEEK_END'`, `'SEEK_DATA'` or `'SEEK_HOLE'`",
      constants: { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE },
      constant: 'Whence',
    },
  ],
  fn: vfs_llseek,
  locals: (fd, offset, whence) => ({ fd, offset, whence }),
  returns: 'int',
  gives: 'where it stands now, in bytes from the beginning',
  changes: 'nothing',
})

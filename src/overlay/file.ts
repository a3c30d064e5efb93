/**
 * Open overlay files (fs/overlayfs/file.c).
 *
 * An open overlay file has a real file, opened when it was. After a copy-up `read` notices that this is no
 * longer the file's data, and opens the upper one, once; `mmap` does not look, and maps the first real file
 * for ever. So one descriptor can show two contents.
 */
import { EIO } from '../kernel/errno.js'
import { call, done, fn, jump, release, stage } from '../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { file_remove_privs, setattr_should_drop_suidgid } from '../vfs/attributes/attr.js'
import { file } from '../vfs/file.js'
import { destroy_file, fput } from '../vfs/files/file_table.js'
import { generic_file_read_iter, generic_file_write_iter } from '../vfs/files/read_write.js'
import { inode, inode_ops, is_reg } from '../vfs/inode.js'
import { inode_lock, inode_rwsem } from '../vfs/lock.js'
import { MAY_APPEND, MAY_OPEN, MAY_READ, MAY_WRITE } from '../vfs/namei/permission.js'
import { backing_file_open } from '../vfs/open/dentry_open.js'
import { ACC_MODE, O_ACCMODE, O_APPEND } from '../vfs/open/open_flags.js'
import { ovl_copy_up_flags, ovl_open_need_copy_up } from './copy_up.js'
import { mounter_permission } from './inode.js'
import { bottom_realdata, ovl_copyattr, ovl_inode_realdata, ovl_path_realdata } from './ovl_entry.js'

// --- open and release --------------------------------------------------------------------------------------

const opening = {
  file: ref('file'),
  flags: int(),
  mnt: ref('mount'),
  dentry: ref('dentry'),
  real: ref('file'),
}
type Opening = Frame<ValuesOf<typeof opening>>

/**
 * Opens a regular file: copies it up if the flags ask for writing, then opens what is the real file by now,
 * for the mounter, and records it.
 *
 * Errors, in order: those of the copy-up; EROFS, EPERM and what a module answers for the real inode; ETXTBSY
 * (somebody runs the real file itself); those of opening it.
 */
export const ovl_open = fn('ovl_open', { source: 'fs/overlayfs/file.c', locals: opening }, [
  stage('ovl_maybe_copy_up', (k, f) => {
    const { f_inode } = file(k, f.file)
    // Directories and special files have no real file here.
    if (!is_reg(inode(k, f_inode).i_mode)) return done(f)
    if (ovl_open_need_copy_up(k, f_inode, f.flags)) return
    return ovl_open_realfile(k, f) || jump(f, 'backing_file_open')
  }),
  call(ovl_copy_up_flags, (k, f) => ({ dentry: file(k, f.file).f_dentry, flags: f.flags })),
  stage('ovl_open_realfile', ovl_open_realfile),
  call(
    backing_file_open,
    (k, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: file(k, f.file).f_flags }),
    (_, f, opened: number) => {
      f.real = opened
    },
  ),
  stage('private_data', (k, f) => {
    file(k, f.file).realfile = f.real
  }),
])

/**
 * Chooses the real file as of now, and asks whether the mounter may open it so. Access mode 3 asks for both
 * rights, also of a lower file, though it is not copied up for it. @returns 0 or a negative errno
 */
function ovl_open_realfile(k: Kernel, f: Opening): number {
  const { f_inode, f_flags } = file(k, f.file)
  const real = ovl_path_realdata(k, f_inode)
  f.mnt = real.mnt
  f.dentry = real.dentry
  const appends = (f_flags & O_APPEND) !== 0 ? MAY_APPEND : 0
  const mask = MAY_OPEN | ACC_MODE[f_flags & O_ACCMODE]! | appends
  return mounter_permission(k, ovl_inode_realdata(k, f_inode), mask)
}

/** The last reference has gone: so do the real files. */
export const ovl_release = fn(
  'ovl_release',
  {
    source: 'fs/overlayfs/file.c',
    locals: { file: ref('file'), realfile: ref('file'), upperfile: ref('file') },
  },
  [
    stage('ovl_release', (k, f) => {
      const { realfile, upperfile } = file(k, f.file)
      f.realfile = put_real_file(k, realfile)
      f.upperfile = put_real_file(k, upperfile)
      if (f.realfile === 0 && f.upperfile === 0) return done(f)
    }),
    call(
      (_, f) => (f.realfile === 0 ? null : fput),
      (_, f) => ({ file: f.realfile }),
      undefined,
      'fput(realfile)',
    ),
    call(
      (_, f) => (f.upperfile === 0 ? null : fput),
      (_, f) => ({ file: f.upperfile }),
      undefined,
      'fput(upperfile)',
    ),
  ],
)

/** Drops a reference to a real file. @returns 0, or the file where its own file system has something to do first */
function put_real_file(k: Kernel, id: number): number {
  if (id === 0) return 0
  const real = file(k, id)
  if (real.f_count > 1) real.f_count -= 1
  else if (inode_ops(k, real.f_inode).release !== undefined) return id
  else destroy_file(k, id)
  return 0
}

// --- reading -----------------------------------------------------------------------------------------------

const reading = {
  file: ref('file'),
  pos: int(),
  count: int(),
  real: ref('file'),
  mnt: ref('mount'),
  dentry: ref('dentry'),
}
type Reading = Frame<ValuesOf<typeof reading>>

/**
 * Reads from what is the real file by now: the upper one once it is published, also through a descriptor
 * that was opened before.
 *
 * @returns the number of bytes. Errors, in order: EIO (the upper file was replaced behind the overlay); those
 *   of opening the upper file; what a module answers to file_permission on the real file
 */
export const ovl_read_iter = fn('ovl_read_iter', { source: 'fs/overlayfs/file.c', locals: reading }, [
  stage('ovl_real_file', ovl_real_file),
  call(
    backing_file_open,
    (k, f) => ({ mnt: f.mnt, dentry: f.dentry, flags: file(k, f.file).f_flags }),
    (_, f, opened: number) => {
      f.real = opened
    },
  ),
  stage('cmpxchg_upperfile', keep_upper_file),
  // Somebody else was first: this one is closed again.
  call(
    fput,
    (_, f) => ({ file: f.real }),
    (_, f) => jump(f, 'ovl_real_file'),
  ),
  call(
    (k, f) => inode_ops(k, file(k, f.real).f_inode).read_iter ?? generic_file_read_iter,
    (_, f) => ({ file: f.real, pos: f.pos, count: f.count }),
    (_, f, copied: number) => done(f, copied),
    'read_iter',
  ),
])

/** Has it been copied up since it was opened? (fs/overlayfs/file.c: ovl_real_file_path, since 6.13 with its own file) */
function ovl_real_file(k: Kernel, f: Reading): Outcome {
  const { f_inode, realfile, upperfile } = file(k, f.file)
  const now = ovl_inode_realdata(k, f_inode)
  if (k.has('ovl_read_pinned') || file(k, realfile).f_inode === now) f.real = realfile
  else if (upperfile === 0) {
    const path = ovl_path_realdata(k, f_inode)
    f.mnt = path.mnt
    f.dentry = path.dentry
    return mounter_permission(k, now, MAY_OPEN | MAY_READ)
  } else if (file(k, upperfile).f_inode !== now) return k.refuse(-EIO, 'the upper file was replaced')
  else f.real = upperfile
  return security(k, 'file_permission', { file: f.real, mask: MAY_READ }) || jump(f, 'read_iter')
}

/** Whoever opens it first keeps it. */
function keep_upper_file(k: Kernel, f: Reading): Outcome {
  const overlay = file(k, f.file)
  if (overlay.upperfile !== 0) return
  overlay.upperfile = f.real
  return security(k, 'file_permission', { file: f.real, mask: MAY_READ }) || jump(f, 'read_iter')
}

// --- writing -----------------------------------------------------------------------------------------------

/**
 * Writes to the real file, which is an upper one since the open copied it up. The lock of the overlay inode
 * is held around that of the real one.
 *
 * @returns the number of bytes. Errors, in order: what a module answers to file_permission on the real file;
 *   those of taking set-user-id away; those of writing
 */
export const ovl_write_iter = fn(
  'ovl_write_iter',
  {
    source: 'fs/overlayfs/file.c',
    locals: { file: ref('file'), pos: int(-1), data: str(), unmapped: int(), real: ref('file'), kill: int() },
  },
  [
    stage('inode_lock', (k, f) => {
      if (f.data === '' && f.unmapped === 0) return done(f, 0)
      const { f_inode, f_pos, realfile } = file(k, f.file)
      const asleep = inode_lock(k, f, f_inode)
      if (asleep) return asleep
      ovl_copyattr(k, f_inode)
      f.real = realfile
      f.kill = setattr_should_drop_suidgid(k, f_inode)
      if (f.pos === -1) file(k, realfile).f_pos = f_pos
      return security(k, 'file_permission', { file: realfile, mask: MAY_WRITE })
    }),
    file_remove_privs(),
    call(
      (k, f) => inode_ops(k, file(k, f.real).f_inode).write_iter ?? generic_file_write_iter,
      (_, f) => ({ file: f.real, pos: f.pos, data: f.data, unmapped: f.unmapped }),
      (k, f, written: number) => {
        ovl_file_modified(k, f.file, f.real, f.pos === -1)
        release(k, f, inode_rwsem)
        return done(f, written)
      },
      'write_iter',
    ),
  ],
)

/** The overlay file's position is the one that counts; size and mode are taken over from the real inode. */
function ovl_file_modified(k: Kernel, id: number, real: number, moves: boolean): void {
  if (moves) {
    file(k, id).f_pos = file(k, real).f_pos
    file(k, real).f_pos = 0
  }
  ovl_copyattr(k, file(k, id).f_inode)
}

// --- what others ask ---------------------------------------------------------------------------------------

/** The inode that reading and seeking reach now, down to a file system that is no overlay. */
export const ovl_file_data_inode = (k: Kernel, id: number): number => bottom_realdata(k, file(k, id).f_inode)

/** The file that a new mapping pins: the real one recorded at open, whatever was copied up since (ovl_mmap). */
export function ovl_mmap_file(k: Kernel, id: number): number {
  const { realfile } = file(k, id)
  return inode_ops(k, file(k, realfile).f_inode).mmap_file?.(k, realfile) ?? realfile
}

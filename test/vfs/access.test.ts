/** access, and where a task stands. Seen on 6.18.44 (tmpfs). */
import { describe, expect, it } from 'vitest'
import { MNT_READONLY } from '../../src/vfs/mount.js'
import { CAP_DAC_OVERRIDE, current, task_struct } from '../../src/vfs/tasks/task.js'
import { Machine } from './machine.js'
import { AT_FDCWD, dir, fifo, file, symlink } from './tree.js'

const F_OK = 0
const X_OK = 1
const W_OK = 2
const R_OK = 4
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EACCESS = 0x200
const AT_EMPTY_PATH = 0x1000

function machine(): Machine {
  const m = new Machine(
    dir({
      f: file(),
      p: fifo(),
      rw: file({ mode: 0o666 }),
      sd: symlink('d'),
      d: dir(),
      dang: symlink('no'),
      private: dir({ x: file() }, { mode: 0o700 }),
      secret: file({ mode: 0o600 }),
      ro: dir(),
      nx: dir(),
    }),
  )
  m.mount('/nx', m.file_system(dir({ s: file({ mode: 0o755 }), d: dir() })), 'noexec')
  m.bind('/', '/ro', 'ro')
  m.spawn(2, { uid: 1000 })
  return m
}

describe('access', () => {
  const rows: [task: number, path: string, mode: number, flags: number, expected: unknown][] = [
    [1, '/f', 8, 0, 'EINVAL'],
    [1, '/nope', F_OK, 0x8000, 'EINVAL'],
    [1, '', F_OK, 0, 'ENOENT'],
    [1, '', F_OK, AT_EMPTY_PATH, 0],
    [1, '/dang', F_OK, 0, 'ENOENT'],
    [1, '/dang', F_OK, AT_SYMLINK_NOFOLLOW, 0],
    [1, '/f', X_OK, 0, 'EACCES'],
    [1, '/f', R_OK | W_OK, 0, 0],
    // Permission comes before the read-only mount, which devices and fifos do not mind.
    [1, '/ro/f', W_OK, 0, 'EROFS'],
    [1, '/ro/f', R_OK, 0, 0],
    [1, '/ro/f', R_OK | W_OK | X_OK, 0, 'EACCES'],
    [2, '/ro/f', W_OK, 0, 'EACCES'],
    [2, '/ro/rw', W_OK, 0, 'EROFS'],
    [1, '/ro/p', W_OK, 0, 0],
    // noexec: regular files only.
    [1, '/nx/s', X_OK, 0, 'EACCES'],
    [1, '/nx/s', R_OK, 0, 0],
    [1, '/nx', X_OK, 0, 0],
    [1, '/nx/d', X_OK, 0, 0],
    [2, '/private/x', F_OK, 0, 'EACCES'],
    [2, '/f', W_OK, 0, 'EACCES'],
  ]
  it.each(rows)('task %i: %s mode %i flags %i = %s', (task, path, mode, flags, expected) => {
    expect(machine().as(task, 'faccessat', AT_FDCWD, path, mode, flags)).toBe(expected)
  })

  it('a descriptor', () => {
    const m = machine()
    const fd = m.call('open', '/f', 0)
    expect(m.call('faccessat2', fd, '', W_OK, AT_EMPTY_PATH)).toBe(0)
  })

  it('asks of the real ids, of the effective ones with AT_EACCESS, and leaves the task as it was', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, euid: 0, egid: 0, caps: 2 ** CAP_DAC_OVERRIDE })
    expect(m.as(3, 'access', '/secret', R_OK)).toBe('EACCES')
    expect(m.as(3, 'faccessat', AT_FDCWD, '/secret', R_OK, AT_EACCESS)).toBe(0)
    const { euid, egid, cap_effective } = task_struct(m.k, 3)
    expect([euid, egid, cap_effective]).toEqual([0, 0, 2 ** CAP_DAC_OVERRIDE])
  })

  it('the walk too is made with the real ids', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, euid: 0, egid: 0, caps: 2 ** CAP_DAC_OVERRIDE })
    expect(m.as(3, 'access', '/private/x', F_OK)).toBe('EACCES')
  })

  it('a user other than root has no capabilities for it, unless SECBIT_NO_SETUID_FIXUP', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, caps: 2 ** CAP_DAC_OVERRIDE })
    expect(m.as(3, 'access', '/secret', R_OK)).toBe('EACCES')
    m.k.task = 3
    current(m.k).securebits = 4
    expect(m.as(3, 'access', '/secret', R_OK)).toBe(0)
  })

  it('root keeps his', () => {
    expect(machine().call('access', '/secret', R_OK)).toBe(0)
  })

  it('is about the moment: a mount that becomes read-only', () => {
    const m = machine()
    expect(m.call('access', '/f', W_OK)).toBe(0)
    m.set_flags(m.root_mnt, MNT_READONLY)
    expect(m.call('access', '/f', W_OK)).toBe('EROFS')
  })
})

describe('chdir, fchdir, umask', () => {
  it('errors, in order', () => {
    const m = machine()
    expect(m.call('chdir', '/f')).toBe('ENOTDIR')
    expect(m.call('chdir', '')).toBe('ENOENT')
    expect(m.call('chdir', '/nope')).toBe('ENOENT')
    expect(m.as(2, 'chdir', '/private')).toBe('EACCES')
    expect(m.call('fchdir', 99)).toBe('EBADF')
    expect(m.call('fchdir', m.call('open', '/f', 0o10000000))).toBe('ENOTDIR')
    expect(m.as(2, 'fchdir', m.as(2, 'open', '/private', 0o10000000))).toBe('EACCES')
  })

  it('paths start there, also through a link and an O_PATH descriptor', () => {
    const m = machine()
    expect(m.call('chdir', '/sd')).toBe(0)
    m.call('mkdir', 'x', 0o755)
    expect(m.has('/d/x')).toBe(true)
    expect(m.call('fchdir', m.call('open', '/private', 0o10000000))).toBe(0)
    expect(m.call('access', 'x', F_OK)).toBe(0)
    expect(m.call('mkdir', '../up', 0o755)).toBe(0)
    expect(m.has('/up')).toBe(true)
  })

  it('in a directory that was removed nothing can be made, and `..` still leads out', () => {
    const m = machine()
    m.call('chdir', '/d')
    expect(m.call('rmdir', '/d')).toBe(0)
    expect(m.call('mkdir', 'x', 0o755)).toBe('ENOENT')
    expect(m.call('access', '..', F_OK)).toBe(0)
    expect(m.call('access', '.', F_OK)).toBe(0)
  })

  it('umask answers the one before, and takes nine bits', () => {
    const m = machine()
    expect(m.call('umask', 0o777777)).toBe(0o022)
    expect(m.call('umask', 0o022)).toBe(0o777)
  })
})

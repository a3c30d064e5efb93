/** link, readlink. The orders of errors were seen on 6.18.44 (tmpfs, fs.protected_hardlinks=1). */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import type { HookName } from '../../src/kernel/lsm_hook_defs.js'
import { file as open_file } from '../../src/vfs/file.js'
import { fd_install } from '../../src/vfs/files/file_table.js'
import { S_APPEND, S_IMMUTABLE } from '../../src/vfs/inode.js'
import { AT_SYMLINK_FOLLOW } from '../../src/vfs/namei/link.js'
import { CAP_DAC_READ_SEARCH, CAP_FOWNER, fd_row, fd_slot } from '../../src/vfs/tasks/task.js'
import { Machine } from './machine.js'
import { AT_FDCWD, dir, fifo, file, LONG, symlink } from './tree.js'

const AT_EMPTY_PATH = 0x1000
const O_PATH = 0o10000000
const O_NOFOLLOW = 0o400000
const O_TMPFILE = 0o20200000

const tree = () =>
  dir({
    d: dir(),
    f: file(),
    g: file(),
    sf: symlink('f'),
    sd: symlink('d'),
    dang: symlink('no'),
    b: dir(),
    ro: dir(),
    nx: dir(),
    pub: dir({}, { mode: 0o777 }),
    st: dir({
      rootf: file(),
      rw: file({ mode: 0o666 }),
      suid: file({ mode: 0o4666 }),
      sgx: file({ mode: 0o2676 }),
      sgn: file({ mode: 0o2666 }),
      fifo: fifo({ mode: 0o666 }),
      mine: file({ uid: 1000, mode: 0o4000 }),
    }),
    append: file({ flags: S_APPEND }),
    immutable: file({ flags: S_IMMUTABLE }),
  })

function machine(modules: SecurityModule[] = []): Machine {
  const m = new Machine(tree(), { modules })
  m.bind('/d', '/b')
  m.mount('/nx', m.file_system(dir({ s: file() })))
  m.bind('/', '/ro', 'ro')
  m.spawn(2, { uid: 1000 })
  return m
}

const refusing = (...names: HookName[]): SecurityModule => ({
  name: 'no',
  hooks: Object.fromEntries(names.map((name) => [name, () => -EACCES])),
})

describe('the order of errors of link', () => {
  const rows: [number, string | null, string | null, number, unknown][] = [
    [1, null, '/x', 0x8000, 'EINVAL'],
    [1, null, '/x', 0, 'EFAULT'],
    [1, '/nope', null, 0, 'ENOENT'],
    [1, '/f', null, 0, 'EFAULT'],
    [1, '/f', '/new/', 0, 'ENOENT'],
    [1, '/f', '/g/', 0, 'EEXIST'],
    [1, '/f', '/d/.', 0, 'EEXIST'],
    [1, '/f/', '/new', 0, 'ENOTDIR'],
    [1, '/f', `/${LONG}`, 0, 'ENAMETOOLONG'],
    [1, '', '/back', 0, 'ENOENT'],
    [1, '', '/back', AT_EMPTY_PATH, 'EPERM'],
    [1, '/d', '/ld', 0, 'EPERM'],
    [1, '/append', '/x', 0, 'EPERM'],
    [1, '/immutable', '/x', 0, 'EPERM'],
    // Mounts: EEXIST and EROFS of the new name before EXDEV.
    [1, '/f', '/b/f', 0, 'EXDEV'],
    [1, '/ro/f', '/x', 0, 'EXDEV'],
    [1, '/f', '/nx/s', 0, 'EEXIST'],
    [1, '/f', '/ro/x', 0, 'EROFS'],
    [1, '/ro/f', '/ro/g', 0, 'EEXIST'],
    [1, '/ro/f', '/ro/x', 0, 'EROFS'],
    // protected_hardlinks, before permission on the directory.
    [2, '/st/rootf', '/pub/l', 0, 'EPERM'],
    [2, '/st/rw', '/pub/l', 0, 0],
    [2, '/st/suid', '/pub/l', 0, 'EPERM'],
    [2, '/st/sgx', '/pub/l', 0, 'EPERM'],
    [2, '/st/sgn', '/pub/l', 0, 0],
    [2, '/st/fifo', '/pub/l', 0, 'EPERM'],
    [2, '/st/mine', '/pub/l', 0, 0],
    [2, '/sd', '/pub/l', 0, 'EPERM'],
    [2, '/d', '/pub/l', 0, 'EPERM'],
    [2, '/st/rootf', '/f', 0, 'EEXIST'],
    [2, '/st/rootf', '/new', 0, 'EPERM'],
    [2, '/st/rw', '/new', 0, 'EACCES'],
    [2, '/st/rootf', '/b/x', 0, 'EXDEV'],
    [2, '/st/rootf', '/ro/x', 0, 'EROFS'],
  ]
  it.each(rows)('task %i: %s -> %s (flags %i) = %s', (task, old, name, flags, expected) => {
    expect(machine().as(task, 'linkat', AT_FDCWD, old, AT_FDCWD, name, flags)).toBe(expected)
  })

  it('CAP_FOWNER may link what it may not read', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, caps: 2 ** CAP_FOWNER })
    expect(m.as(3, 'link', '/st/suid', '/pub/l')).toBe(0)
  })

  it('into a directory that was removed: ENOENT', () => {
    const m = machine()
    m.call('mkdir', '/dead', 0o755)
    const fd = m.call('open', '/dead', 0)
    m.call('rmdir', '/dead')
    expect(m.call('linkat', AT_FDCWD, '/f', fd, 'y', 0)).toBe('ENOENT')
  })
})

describe('what link makes', () => {
  it('another name of the same inode', () => {
    const m = machine()
    expect(m.call('link', '/f', '/x')).toBe(0)
    expect([m.inode('/x').id === m.inode('/f').id, m.inode('/f').i_nlink]).toEqual([true, 2])
    expect([m.inode('/f').i_rwsem, m.inode('/').i_rwsem]).toEqual([0, 0])
  })

  it('of a symbolic link itself, or with AT_SYMLINK_FOLLOW of what it points to', () => {
    const m = machine()
    m.call('link', '/sf', '/l')
    expect(m.inode('/l').id).toBe(m.inode('/sf').id)
    m.call('linkat', AT_FDCWD, '/sf', AT_FDCWD, '/x', AT_SYMLINK_FOLLOW)
    expect(m.inode('/x').id).toBe(m.inode('/f').id)
  })

  it('the source is locked while its count changes', () => {
    const m = machine()
    m.inode('/f').i_rwsem = 9
    expect(m.call('link', '/f', '/x')).toBe('asleep')
    m.inode('/f').i_rwsem = 0
    expect(m.finish(1)).toBe(0)
  })
})

describe('links of descriptors', () => {
  it('AT_EMPTY_PATH; without it an empty path is no path; with a path behind a file ENOTDIR', () => {
    const m = machine()
    const fd = m.call('open', '/f', O_PATH)
    expect(m.call('linkat', fd, '', AT_FDCWD, '/x', 0)).toBe('ENOENT')
    expect(m.call('linkat', fd, 'x', AT_FDCWD, '/x', AT_EMPTY_PATH)).toBe('ENOTDIR')
    expect(m.call('linkat', fd, '', AT_FDCWD, '/x', AT_EMPTY_PATH)).toBe(0)
  })

  it('a file that has lost its last name: ENOENT', () => {
    const m = machine()
    const fd = m.call('open', '/g', 0)
    m.call('unlink', '/g')
    expect(m.call('linkat', fd, '', AT_FDCWD, '/x', AT_EMPTY_PATH)).toBe('ENOENT')
    expect(m.inode('/').i_rwsem).toBe(0)
  })

  it('an O_TMPFILE file gets its first name so, and after it has lost that no other', () => {
    const m = machine()
    const fd = m.call('open', '/pub', O_TMPFILE | 2, 0o644)
    expect(m.call('linkat', fd, '', AT_FDCWD, '/x', AT_EMPTY_PATH)).toBe(0)
    expect(m.inode('/x').i_nlink).toBe(1)
    m.call('unlink', '/x')
    expect(m.call('linkat', fd, '', AT_FDCWD, '/x', AT_EMPTY_PATH)).toBe('ENOENT')
  })

  it('only its opener may, or CAP_DAC_READ_SEARCH: else ENOENT, before ENOTDIR', () => {
    const m = machine()
    const fd = m.as(2, 'open', '/st/rw', 0) as number
    const opened = fd_slot(m.k, fd_row(2, fd)).file
    m.spawn(3, { uid: 1000 })
    m.spawn(4, { uid: 1000, caps: 2 ** CAP_DAC_READ_SEARCH })
    for (const child of [3, 4]) {
      m.k.task = child
      fd_install(m.k, fd, opened, false)
      open_file(m.k, opened).f_count += 1
    }
    expect(m.as(3, 'linkat', fd, '', AT_FDCWD, '/pub/x', AT_EMPTY_PATH)).toBe('ENOENT')
    expect(m.as(3, 'linkat', fd, 'x', AT_FDCWD, '/pub/x', AT_EMPTY_PATH)).toBe('ENOENT')
    expect(m.as(3, 'linkat', fd, '/st/rw', AT_FDCWD, '/pub/y', AT_EMPTY_PATH)).toBe(0)
    expect(m.as(4, 'linkat', fd, '', AT_FDCWD, '/pub/x', AT_EMPTY_PATH)).toBe(0)
    expect(m.as(2, 'linkat', fd, '', AT_FDCWD, '/pub/z', AT_EMPTY_PATH)).toBe(0)
  })
})

describe('modules are asked', () => {
  it('path_link after protected_hardlinks, before permission and the type', () => {
    const m = machine([refusing('path_link')])
    expect(m.as(2, 'link', '/st/rootf', '/pub/l')).toBe('EPERM')
    expect(m.call('link', '/d', '/l')).toBe('EACCES')
    expect(m.call('link', '/f', '/g')).toBe('EEXIST')
  })

  it('inode_link after them', () => {
    const m = machine([refusing('inode_link')])
    expect(m.call('link', '/d', '/l')).toBe('EPERM')
    expect(m.call('link', '/f', '/l')).toBe('EACCES')
  })

  it('inode_readlink after it is known to be a link', () => {
    const m = machine([refusing('inode_readlink')])
    expect(m.call('readlink', '/f', 64)).toBe('EINVAL')
    expect(m.call('readlink', '/sf', 64)).toBe('EACCES')
  })
})

describe('readlink', () => {
  const rows: [string, number, unknown, string][] = [
    ['/sd', 0, 'EINVAL', ''],
    ['/sd', -1, 'EINVAL', ''],
    ['/nope', 0, 'EINVAL', ''],
    ['/nope', 9, 'ENOENT', ''],
    ['/sd', 64, 1, 'd'],
    ['/dang', 1, 1, 'n'],
    ['/f', 64, 'EINVAL', ''],
    ['', 64, 'ENOENT', ''],
    ['/sd/', 64, 'EINVAL', ''],
    ['/dang/', 4, 'ENOENT', ''],
  ]
  it.each(rows)('%s, %i = %s %s', (path, size, expected, data) => {
    const m = machine()
    expect([m.call('readlink', path, size), m.data()]).toEqual([expected, data])
  })

  it('of a descriptor that is a link; of another ENOENT', () => {
    const m = machine()
    const link = m.call('open', '/sd', O_PATH | O_NOFOLLOW)
    const fd = m.call('open', '/f', O_PATH)
    expect(m.call('readlinkat', link, '', 64)).toBe(1)
    expect(m.call('readlinkat', fd, '', 64)).toBe('ENOENT')
    expect(m.call('readlinkat', AT_FDCWD, '', 64)).toBe('ENOENT')
  })
})

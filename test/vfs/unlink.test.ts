/** unlink, rmdir. The orders of errors were seen on 6.18.44 (tmpfs). */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import type { HookName } from '../../src/kernel/lsm_hook_defs.js'
import { S_APPEND, S_IMMUTABLE } from '../../src/vfs/inode.js'
import { AT_REMOVEDIR } from '../../src/vfs/namei/unlink.js'
import { Machine } from './machine.js'
import { AT_FDCWD, dir, file, hardlink, LONG, symlink } from './tree.js'

const tree = () =>
  dir({
    d: dir({ e: dir() }),
    f: file({ data: 'data' }),
    f2: hardlink('f'),
    sd: symlink('d'),
    sf: symlink('f'),
    b: dir(),
    bf: file(),
    ro: dir(),
    pub: dir({ rootf: file() }, { mode: 0o777 }),
    st: dir({ rootf: file(), rootd: dir({}, { mode: 0o777 }), mine: file({ uid: 1000 }) }, { mode: 0o1777 }),
    own: dir({ rootf: file() }, { mode: 0o1777, uid: 1000 }),
    frozen: dir({ append: file({ flags: S_APPEND }), immutable: file({ flags: S_IMMUTABLE }) }),
    only_append: dir({ f: file(), d: dir() }, { flags: S_APPEND }),
    immutable: dir({ f: file() }, { flags: S_IMMUTABLE }),
  })

function machine(modules: SecurityModule[] = []): Machine {
  const m = new Machine(tree(), { modules })
  m.bind('/d', '/b')
  m.bind('/f', '/bf')
  m.bind('/', '/ro', 'ro')
  m.spawn(2, { uid: 1000 })
  return m
}

const refusing = (...names: HookName[]): SecurityModule => ({
  name: 'no',
  hooks: Object.fromEntries(names.map((name) => [name, () => -EACCES])),
})

describe('the order of errors', () => {
  const rows: [number, string, unknown[], unknown][] = [
    [1, 'unlink', ['.'], 'EISDIR'],
    [1, 'unlink', ['/'], 'EISDIR'],
    [1, 'unlink', ['/d/.'], 'EISDIR'],
    [1, 'unlink', ['/d'], 'EISDIR'],
    [1, 'unlink', ['/d/'], 'EISDIR'],
    [1, 'unlink', ['/sd/'], 'ENOTDIR'],
    [1, 'unlink', ['/sf/'], 'ENOTDIR'],
    [1, 'unlink', ['/f/'], 'ENOTDIR'],
    [1, 'unlink', ['/new/'], 'ENOENT'],
    [1, 'unlink', [`/${LONG}`], 'ENAMETOOLONG'],
    [1, 'unlink', [null], 'EFAULT'],
    [1, 'rmdir', ['/sd/'], 'ENOTDIR'],
    [1, 'rmdir', ['/sd'], 'ENOTDIR'],
    [1, 'rmdir', ['/f'], 'ENOTDIR'],
    [1, 'rmdir', ['/f/'], 'ENOTDIR'],
    [1, 'rmdir', ['.'], 'EINVAL'],
    [1, 'rmdir', ['..'], 'ENOTEMPTY'],
    [1, 'rmdir', ['/'], 'EBUSY'],
    [1, 'rmdir', ['/d'], 'ENOTEMPTY'],
    [1, 'rmdir', ['/new/'], 'ENOENT'],
    [1, 'rmdir', ['/d/e/'], 0],
    [1, 'rmdir', [`/${LONG}`], 'ENAMETOOLONG'],
    [1, 'unlinkat', [AT_FDCWD, '/nope', 1], 'EINVAL'],
    // A read-only mount comes before existence, but after the kind of the last component.
    [1, 'unlink', ['/ro/nope'], 'EROFS'],
    [1, 'unlink', ['/ro/.'], 'EISDIR'],
    [1, 'rmdir', ['/ro/f'], 'EROFS'],
    [1, 'rmdir', ['/ro/.'], 'EINVAL'],
    // Something is mounted on it: after the type.
    [1, 'rmdir', ['/b'], 'EBUSY'],
    [1, 'unlink', ['/bf'], 'EBUSY'],
    [1, 'unlink', ['/b'], 'EISDIR'],
    [1, 'rmdir', ['/bf'], 'ENOTDIR'],
    // Permission on the directory comes before the type, and after existence.
    [2, 'unlink', ['/f'], 'EACCES'],
    [2, 'unlink', ['/nope'], 'ENOENT'],
    [2, 'unlink', ['/d'], 'EACCES'],
    [2, 'rmdir', ['/f'], 'EACCES'],
    // Sticky: the owner of the entry, the owner of the directory, or CAP_FOWNER; before the type.
    [2, 'unlink', ['/st/rootf'], 'EPERM'],
    [2, 'rmdir', ['/st/rootf'], 'EPERM'],
    [2, 'unlink', ['/st/rootd'], 'EPERM'],
    [2, 'rmdir', ['/st/rootd'], 'EPERM'],
    [2, 'unlink', ['/st/mine'], 0],
    [2, 'unlink', ['/own/rootf'], 0],
    [2, 'unlink', ['/pub/rootf'], 0],
    [1, 'unlink', ['/st/rootf'], 0],
    // Inode flags.
    [1, 'unlink', ['/frozen/append'], 'EPERM'],
    [1, 'unlink', ['/frozen/immutable'], 'EPERM'],
    [1, 'unlink', ['/only_append/f'], 'EPERM'],
    [1, 'unlink', ['/only_append/d'], 'EPERM'],
    [1, 'unlink', ['/immutable/f'], 'EPERM'],
  ]
  it.each(rows)('task %i: %s(%j) = %s', (task, call, args, expected) => {
    expect(machine().as(task, call, ...args)).toBe(expected)
  })

  it('CAP_FOWNER passes a sticky directory', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, caps: 2 ** 3 })
    expect(m.as(3, 'unlink', '/st/rootf')).toBe(0)
  })

  it('in a directory that was removed: ENOENT', () => {
    const m = machine()
    m.call('mkdir', '/dead', 0o755)
    const fd = m.call('open', '/dead', 0)
    m.call('rmdir', '/dead')
    expect(m.call('unlinkat', fd, 'x', 0)).toBe('ENOENT')
    expect(m.call('unlinkat', fd, 'x', AT_REMOVEDIR)).toBe('ENOENT')
    expect(m.call('unlinkat', fd, '.', AT_REMOVEDIR)).toBe('EINVAL')
  })
})

describe('what goes and what stays', () => {
  it('one name of two', () => {
    const m = machine()
    expect(m.inode('/f').i_nlink).toBe(2)
    expect(m.call('unlink', '/f2')).toBe(0)
    expect([m.has('/f2'), m.has('/f'), m.inode('/f').i_nlink]).toEqual([false, true, 1])
  })

  it('an open file keeps its inode, and the name can be made again', () => {
    const m = machine()
    const fd = m.call('open', '/pub/rootf', 0)
    expect(m.call('unlink', '/pub/rootf')).toBe(0)
    expect(m.call('fstat', fd)).not.toBe('EBADF')
    expect(m.call('mknod', '/pub/rootf', 0o644)).toBe(0)
    expect(m.inode('/pub/rootf').i_nlink).toBe(1)
  })

  it('a directory gives back the parent its `..`', () => {
    const m = machine()
    expect(m.inode('/d').i_nlink).toBe(3)
    expect(m.call('unlinkat', AT_FDCWD, '/d/e', AT_REMOVEDIR)).toBe(0)
    expect(m.inode('/d').i_nlink).toBe(2)
    expect(m.call('rmdir', '/b')).toBe('EBUSY')
  })

  it('what is unlinked in a directory does not keep it from being removed', () => {
    const m = machine()
    m.call('mknod', '/d/e/x', 0o644)
    expect(m.call('rmdir', '/d/e')).toBe('ENOTEMPTY')
    m.call('open', '/d/e/x', 0)
    m.call('unlink', '/d/e/x')
    expect(m.call('rmdir', '/d/e')).toBe(0)
  })
})

describe('modules are asked', () => {
  it('path hooks after existence and the slash, before permission and type', () => {
    const m = machine([refusing('path_unlink', 'path_rmdir')])
    expect(m.call('unlink', '/nope')).toBe('ENOENT')
    expect(m.call('unlink', '/f/')).toBe('ENOTDIR')
    expect(m.call('unlink', '/d')).toBe('EACCES')
    expect(m.as(2, 'rmdir', '/st/rootf')).toBe('EACCES')
    expect(m.call('rmdir', '/b')).toBe('EACCES')
  })

  it('inode hooks after the mount point, before the file system finds entries', () => {
    const m = machine([refusing('inode_unlink', 'inode_rmdir')])
    expect(m.call('unlink', '/d')).toBe('EISDIR')
    expect(m.call('rmdir', '/b')).toBe('EBUSY')
    expect(m.call('rmdir', '/d')).toBe('EACCES')
    expect(m.call('unlink', '/f')).toBe('EACCES')
    expect(m.has('/f')).toBe(true)
  })
})

describe('locks', () => {
  it('the victim is locked under its directory: a holder of its lock makes unlink wait, with the directory held', () => {
    const m = machine()
    m.inode('/f').i_rwsem = 9
    expect(m.call('unlink', '/f')).toBe('asleep')
    expect([m.inode('/').i_rwsem, m.has('/f')]).toEqual([1, true])
    m.inode('/f').i_rwsem = 0
    expect(m.finish(1)).toBe(0)
    expect([m.inode('/').i_rwsem, m.has('/f')]).toEqual([0, false])
  })

  it('ENOTEMPTY gives both back', () => {
    const m = machine()
    m.call('rmdir', '/d')
    expect([m.inode('/').i_rwsem, m.inode('/d').i_rwsem]).toEqual([0, 0])
  })
})

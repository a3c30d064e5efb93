/** rename. The orders of errors were seen on 6.18.44 (tmpfs). */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import type { HookName } from '../../src/kernel/lsm_hook_defs.js'
import { lookup_path } from '../../src/vfs/filesystems/populate.js'
import { S_IFCHR, S_IMMUTABLE } from '../../src/vfs/inode.js'
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../src/vfs/namei/rename_flags.js'
import { super_block } from '../../src/vfs/super_block.js'
import { Machine } from './machine.js'
import { AT_FDCWD, dir, file, hardlink, LONG, symlink } from './tree.js'

const tree = () =>
  dir({
    d: dir({ e: dir() }),
    f: file(),
    g: file(),
    f2: hardlink('f'),
    sd: symlink('d'),
    ne: dir({ a: file() }),
    em: dir(),
    b: dir(),
    bf: file(),
    ro: dir(),
    nx: dir(),
    pub: dir(
      { rd: dir(), rf: file(), mine: file({ uid: 1000 }), minedir: dir({}, { uid: 1000 }) },
      { mode: 0o777 },
    ),
    dw: dir({ q: file({ uid: 1000 }) }, { mode: 0o777 }),
    st: dir({ rootf: file(), rootd: dir({}, { mode: 0o777 }) }, { mode: 0o1777 }),
    fixed: file({ flags: S_IMMUTABLE }),
  })

function machine(modules: SecurityModule[] = []): Machine {
  const m = new Machine(tree(), { modules })
  m.bind('/d', '/b')
  m.bind('/f', '/bf')
  m.mount('/nx', m.file_system(dir({ s: file() })))
  m.bind('/', '/ro', 'ro')
  m.spawn(2, { uid: 1000 })
  return m
}

const refusing = (...names: HookName[]): SecurityModule => ({
  name: 'no',
  hooks: Object.fromEntries(names.map((name) => [name, () => -EACCES])),
})

describe('the order of errors', () => {
  const X = RENAME_EXCHANGE
  const N = RENAME_NOREPLACE
  const rows: [task: number, from: string | null, to: string | null, flags: number, expected: unknown][] = [
    [1, null, '/x', 8, 'EINVAL'],
    [1, '/f', '/g', N | X, 'EINVAL'],
    [1, '/f', '/g', X | RENAME_WHITEOUT, 'EINVAL'],
    [1, null, '/x', 0, 'EFAULT'],
    [1, '/nope', '/x', 0, 'ENOENT'],
    [1, '/f', '/nope/x', 0, 'ENOENT'],
    // Slashes.
    [1, '/f/', '/x', 0, 'ENOTDIR'],
    [1, '/f', '/x/', 0, 'ENOTDIR'],
    [1, '/d/', '/x/', 0, 0],
    [1, '/d', '/f/', 0, 'ENOTDIR'],
    [1, '/f', '/em/', 0, 'ENOTDIR'],
    [1, '/sd/', '/x', 0, 'ENOTDIR'],
    [1, '/f', '/sd/', 0, 'ENOTDIR'],
    [1, '/f', '/f/', 0, 'ENOTDIR'],
    [1, '/f', '/em/', X, 0],
    [1, '/em', '/f/', X, 'ENOTDIR'],
    // Types.
    [1, '/d', '/f', 0, 'ENOTDIR'],
    [1, '/f', '/d', 0, 'EISDIR'],
    [1, '/f', '/f/x', 0, 'ENOTDIR'],
    [1, '/d', '/ne', 0, 'ENOTEMPTY'],
    [1, '/d/e', '/ne', 0, 'ENOTEMPTY'],
    [1, '/d', '/em', 0, 0],
    // The tree stays a tree.
    [1, '/d', '/d/e/x', 0, 'EINVAL'],
    [1, '/d', '/d/e', 0, 'EINVAL'],
    [1, '/d', '/d/x', 0, 'EINVAL'],
    [1, '/d/e', '/d', 0, 'ENOTEMPTY'],
    [1, '/d', '/d/e', X, 'EINVAL'],
    [1, '/d/e', '/d', X, 'EINVAL'],
    [1, '/d', '/d', 0, 0],
    // Last components that are no names: before anything is looked up.
    [1, '/nope', '/d/.', 0, 'EBUSY'],
    [1, '/d/.', '/x', 0, 'EBUSY'],
    [1, '/f', '.', 0, 'EBUSY'],
    [1, '/f', '.', N, 'EEXIST'],
    // Existence.
    [1, '/f', '/g', N, 'EEXIST'],
    [1, '/nope', '/g', N, 'ENOENT'],
    [1, '/f', '/nope', X, 'ENOENT'],
    [1, '/f', `/${LONG}`, 0, 'ENAMETOOLONG'],
    [1, `/${LONG}`, '/f', 0, 'ENAMETOOLONG'],
    // Two names of one file.
    [1, '/f', '/f2', 0, 0],
    [1, '/f', '/f2', N, 'EEXIST'],
    // Mounts.
    [1, '/b', '/b2', 0, 'EBUSY'],
    [1, '/g', '/bf', 0, 'EBUSY'],
    [1, '/bf', '/b3', 0, 'EBUSY'],
    [1, '/f', '/b/f', 0, 'EXDEV'],
    [1, '/ro/f', '/x', 0, 'EXDEV'],
    [1, '/nx/s', '/x', 0, 'EXDEV'],
    [1, '/nope', '/nx/s', 0, 'EXDEV'],
    [1, '/ro/nope', '/ro/.', 0, 'EBUSY'],
    [1, '/ro/nope', '/ro/x', 0, 'EROFS'],
    [1, '/ro/f', '/ro/g', N, 'EROFS'],
    // Permission, sticky directories, and a directory that gets another parent.
    [2, '/st/rootf', '/pub/x', 0, 'EPERM'],
    [2, '/pub/mine', '/st/rootf', 0, 'EPERM'],
    [2, '/pub/mine', '/st/rootd', 0, 'EPERM'],
    [2, '/pub/mine', '/st/mine', 0, 0],
    [2, '/f', '/pub/f', 0, 'EACCES'],
    [2, '/pub/mine', '/x', 0, 'EACCES'],
    [2, '/pub/mine', '/f', 0, 'EACCES'],
    [2, '/pub/rd', '/dw/rd', 0, 'EACCES'],
    [2, '/pub/minedir', '/dw/rd', 0, 0],
    [2, '/pub/rd', '/pub/rd2', 0, 0],
    [2, '/pub/rf', '/dw/rf', 0, 0],
    [2, '/pub/rd', '/dw/q', X, 'EACCES'],
    [2, '/dw/q', '/pub/rd', X, 'EACCES'],
    [1, '/fixed', '/x', 0, 'EPERM'],
    [1, '/f', '/fixed', 0, 'EPERM'],
  ]
  it.each(rows)('task %i: %s -> %s (flags %i) = %s', (task, from, to, flags, expected) => {
    expect(machine().as(task, 'renameat2', AT_FDCWD, from, AT_FDCWD, to, flags)).toBe(expected)
  })

  it('in a directory that was removed: ENOENT', () => {
    const m = machine()
    m.call('mkdir', '/dead', 0o755)
    const fd = m.call('open', '/dead', 0)
    m.call('rmdir', '/dead')
    expect(m.call('renameat', fd, 'x', AT_FDCWD, '/y')).toBe('ENOENT')
    expect(m.call('renameat', AT_FDCWD, '/f', fd, 'y')).toBe('ENOENT')
    expect(m.has('/f')).toBe(true)
  })
})

describe('what is where afterwards', () => {
  const ids = (m: Machine, ...paths: string[]) => paths.map((path) => (m.has(path) ? m.inode(path).id : 0))

  it('over a file: one name, and the replaced file has none', () => {
    const m = machine()
    const [f, g] = ids(m, '/f', '/g')
    expect(m.call('rename', '/f', '/g')).toBe(0)
    expect(ids(m, '/f', '/g')).toEqual([0, f])
    expect(g).not.toBe(f)
  })

  it('two names of one file both stay', () => {
    const m = machine()
    const before = ids(m, '/f', '/f2')
    m.call('rename', '/f', '/f2')
    expect(ids(m, '/f', '/f2')).toEqual(before)
  })

  it('an exchange, also of a file with a directory', () => {
    const m = machine()
    const [f, e] = ids(m, '/f', '/d/e')
    expect(m.call('renameat2', AT_FDCWD, '/f', AT_FDCWD, '/d/e', RENAME_EXCHANGE)).toBe(0)
    expect(ids(m, '/f', '/d/e')).toEqual([e, f])
  })

  it('RENAME_WHITEOUT leaves character device 0/0', () => {
    const m = machine()
    expect(m.call('renameat2', AT_FDCWD, '/g', AT_FDCWD, '/g2', RENAME_WHITEOUT)).toBe(0)
    expect([m.inode('/g').i_mode, m.inode('/g').i_rdev]).toEqual([S_IFCHR, 0])
  })

  it('names that are half-way the same are not mixed up', () => {
    const m = new Machine(dir({ a: dir({ x: file({ data: 'ax' }) }), b: dir({ x: file({ data: 'bx!' }) }) }))
    expect(m.call('rename', '/a/x', '/b/y')).toBe(0)
    expect([m.inode('/b/x').i_size, m.inode('/b/y').i_size, m.has('/a/x')]).toEqual([3, 2, false])
  })

  it('links of directories follow their `..`', () => {
    const m = machine()
    const links = (...paths: string[]) => paths.map((path) => m.inode(path).i_nlink)
    const [root] = links('/')
    m.call('rename', '/d', '/ne/d')
    expect(links('/', '/ne', '/ne/d')).toEqual([root! - 1, 3, 3])
    m.call('renameat2', AT_FDCWD, '/ne/d', AT_FDCWD, '/f', RENAME_EXCHANGE)
    expect(links('/', '/ne', '/f')).toEqual([root, 2, 3])
    m.call('rename', '/f', '/em')
    expect(links('/', '/em')).toEqual([root! - 1, 3])
  })

  it('a directory that is replaced is removed for those who still stand in it', () => {
    const m = machine()
    const fd = m.call('open', '/em', 0)
    expect(m.call('rename', '/d', '/em')).toBe(0)
    expect(m.call('mkdirat', fd, 'x', 0o755)).toBe('ENOENT')
    expect(m.has('/em/e')).toBe(true)
  })

  it('takes descriptors', () => {
    const m = machine()
    const from = m.call('open', '/ne', 0)
    const to = m.call('open', '/em', 0)
    expect(m.call('renameat', from, 'a', to, 'b')).toBe(0)
    expect(m.has('/em/b')).toBe(true)
  })
})

describe('modules are asked', () => {
  it('path_rename after names and tree, before the same file and permission', () => {
    const m = machine([refusing('path_rename')])
    expect(m.call('rename', '/nope', '/x')).toBe('ENOENT')
    expect(m.call('rename', '/d', '/d/e/x')).toBe('EINVAL')
    expect(m.call('rename', '/f', '/f2')).toBe('EACCES')
    expect(m.as(2, 'rename', '/st/rootf', '/pub/x')).toBe('EACCES')
  })

  it('inode_rename after permission, before the mount point', () => {
    const m = machine([refusing('inode_rename')])
    expect(m.as(2, 'rename', '/st/rootf', '/pub/x')).toBe('EPERM')
    expect(m.call('rename', '/f', '/f2')).toBe(0)
    expect(m.call('rename', '/b', '/b2')).toBe('EACCES')
    expect(m.inode('/').i_rwsem).toBe(0)
  })

  it('for an exchange twice, the way back first', () => {
    const asked: string[] = []
    const note: SecurityModule = {
      name: 'note',
      hooks: {
        inode_rename: (_, args) => {
          asked.push(args.name)
          return 0
        },
      },
    }
    const m = machine([note])
    m.call('renameat2', AT_FDCWD, '/f', AT_FDCWD, '/g', RENAME_EXCHANGE)
    expect(asked).toEqual(['f', 'g'])
  })
})

describe('locks', () => {
  const mutex = (m: Machine) => super_block(m.k, m.inode('/').i_sb).s_vfs_rename_mutex

  it('one directory: its lock alone', () => {
    const m = machine()
    m.begin(1, 'rename', '/g', '/h')
    while (m.inode('/').i_rwsem === 0) m.step(1)
    expect(mutex(m)).toBe(0)
    expect(m.finish(1)).toBe(0)
  })

  it('two directories: the mutex, then the ancestor, then the other; at the end all are free', () => {
    const m = machine()
    const order: string[] = []
    const watch: [string, () => number][] = [
      ['mutex', () => mutex(m)],
      ['/', () => m.inode('/').i_rwsem],
      ['/ne', () => m.inode('/ne').i_rwsem],
    ]
    m.begin(1, 'rename', '/ne/a', '/a')
    while (m.result(1) === undefined) {
      m.step(1)
      for (const [name, held] of watch) if (held() !== 0 && !order.includes(name)) order.push(name)
    }
    expect(order).toEqual(['mutex', '/', '/ne'])
    expect(watch.map(([, held]) => held())).toEqual([0, 0, 0])
  })

  it('whoever holds the mutex makes renames between directories wait, and no others', () => {
    const m = machine()
    super_block(m.k, m.inode('/').i_sb).s_vfs_rename_mutex = 9
    expect(m.call('rename', '/ne/a', '/a')).toBe('asleep')
    m.spawn(3)
    expect(m.as(3, 'rename', '/g', '/h')).toBe(0)
  })

  it('files are locked before they are moved or replaced, by their numbers', () => {
    const m = machine()
    m.inode('/g').i_rwsem = 9
    expect(m.call('rename', '/g', '/f')).toBe('asleep')
    expect(m.inode('/f').i_rwsem).toBe(1)
    m.inode('/g').i_rwsem = 0
    expect(m.finish(1)).toBe(0)
    expect([m.inode('/f').i_rwsem, m.inode('/').i_rwsem]).toEqual([0, 0])
  })

  it('a directory that stays in its directory is not locked, one that leaves it is', () => {
    const m = machine()
    m.inode('/em').i_rwsem = 9
    expect(m.call('rename', '/em', '/em2')).toBe(0)
    expect(m.call('rename', '/em2', '/ne/em')).toBe('asleep')
  })

  it('ENOTEMPTY gives everything back', () => {
    const m = machine()
    expect(m.call('rename', '/d/e', '/ne')).toBe('ENOTEMPTY')
    expect(['/', '/d', '/d/e', '/ne'].map((path) => m.inode(path).i_rwsem)).toEqual([0, 0, 0, 0])
    expect(mutex(m)).toBe(0)
  })
})

it('lookup_path finds what was moved', () => {
  const m = machine()
  m.call('rename', '/d', '/dd')
  const { s_root } = super_block(m.k, m.inode('/').i_sb)
  expect([lookup_path(m.k, s_root, 'dd/e') !== 0, lookup_path(m.k, s_root, 'd/e')]).toEqual([true, 0])
})

/** mkdir, mknod, symlink. The orders of errors were seen on 6.18.44 (tmpfs). */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import type { HookName } from '../../src/kernel/lsm_hook_defs.js'
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, S_IMMUTABLE } from '../../src/vfs/inode.js'
import { CAP_DAC_OVERRIDE } from '../../src/vfs/tasks/task.js'
import { Machine } from './machine.js'
import { AT_FDCWD, dir, file, LONG, symlink } from './tree.js'

const tree = () =>
  dir({
    d: dir({ e: dir() }),
    f: file(),
    sd: symlink('d'),
    dang: symlink('no'),
    pub: dir({}, { mode: 0o777 }),
    private: dir({ x: file() }, { mode: 0o700 }),
    ro: dir(),
  })

/** Root is task 1, uid 1000 is task 2; the whole tree is seen once more through a read-only bind at /ro. */
function machine(modules: SecurityModule[] = []): Machine {
  const m = new Machine(tree(), { modules })
  m.bind('/', '/ro', 'ro')
  m.spawn(2, { uid: 1000 })
  return m
}

/** A module that refuses at one hook and writes down what it was asked. */
function refusing(...names: HookName[]): SecurityModule {
  return { name: 'no', hooks: Object.fromEntries(names.map((name) => [name, () => -EACCES])) }
}

type Row = [task: number, call: string, args: unknown[], expected: unknown]

describe('the order of errors', () => {
  const rows: Row[] = [
    // The last component names what exists already.
    [1, 'mkdir', ['.', 0o755], 'EEXIST'],
    [1, 'mkdir', ['..', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/d', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/f/', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/sd/', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/dang', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/dang/', 0o755], 'EEXIST'],
    [1, 'symlink', ['x', '/d/'], 'EEXIST'],
    [1, 'mknod', ['/f/', S_IFIFO | 0o644], 'EEXIST'],
    // Only a directory can be made with a slash behind it.
    [1, 'mkdir', ['/new/', 0o755], 0],
    [1, 'symlink', ['x', '/new/'], 'ENOENT'],
    [1, 'mknod', ['/new/', S_IFIFO | 0o644], 'ENOENT'],
    // Texts.
    [1, 'mkdir', [null, 0o755], 'EFAULT'],
    [1, 'mkdir', ['', 0o755], 'ENOENT'],
    [1, 'mkdir', [`/${LONG}`, 0o755], 'ENAMETOOLONG'],
    [1, 'mkdir', ['/nope/x', 0o755], 'ENOENT'],
    [1, 'mkdir', ['/f/x', 0o755], 'ENOTDIR'],
    [1, 'symlink', ['', '/f'], 'ENOENT'],
    [1, 'symlink', [null, null], 'EFAULT'],
    [1, 'symlink', ['x'.repeat(4096), '/new'], 'ENAMETOOLONG'],
    [1, 'symlink', ['x', `/${LONG}`], 'ENAMETOOLONG'],
    // Types come first.
    [1, 'mknod', [null, S_IFDIR], 'EPERM'],
    [1, 'mknod', [null, S_IFLNK], 'EINVAL'],
    [1, 'mknod', [null, S_IFREG], 'EFAULT'],
    [1, 'mknod', ['/f', S_IFDIR | 0o666], 'EPERM'],
    // Read-only mounts: after EEXIST, after the slash, after the walk.
    [1, 'mkdir', ['/ro/d', 0o755], 'EEXIST'],
    [1, 'mkdir', ['/ro/new', 0o755], 'EROFS'],
    [1, 'mkdir', ['/ro/new/', 0o755], 'EROFS'],
    [1, 'mknod', ['/ro/new/', S_IFIFO], 'ENOENT'],
    [1, 'mkdir', ['/ro/nope/x', 0o755], 'ENOENT'],
    [1, 'symlink', ['', '/ro/new'], 'ENOENT'],
    [2, 'mkdir', ['/ro/new', 0o755], 'EROFS'],
    // Permission: after EEXIST.
    [2, 'mkdir', ['/f', 0o755], 'EEXIST'],
    [2, 'mkdir', ['/private', 0o755], 'EEXIST'],
    [2, 'mkdir', ['/new', 0o755], 'EACCES'],
    [2, 'mkdir', ['/private/x', 0o755], 'EACCES'],
    [2, 'symlink', ['x', '/new'], 'EACCES'],
    // Devices: permission on the directory comes before CAP_MKNOD, and a whiteout needs none.
    [2, 'mknod', ['/new', S_IFCHR | 0o666, 0x105], 'EACCES'],
    [2, 'mknod', ['/pub/c', S_IFCHR | 0o666, 0x105], 'EPERM'],
    [2, 'mknod', ['/pub/b', 0o060666, 0], 'EPERM'],
    [2, 'mknod', ['/pub/c', S_IFCHR | 0o666, 0], 0],
    [2, 'mknod', ['/pub/fifo', S_IFIFO | 0o666], 0],
    [2, 'mknod', ['/pub/sock', S_IFSOCK | 0o666], 0],
    [1, 'mknod', ['/c', S_IFCHR | 0o666, 0x105], 0],
  ]
  it.each(rows)('task %i: %s(%j) = %s', (task, call, args, expected) => {
    expect(machine().as(task, call, ...args)).toBe(expected)
  })

  it('mkdirat, mknodat, symlinkat take a descriptor', () => {
    const m = machine()
    const fd = m.call('open', '/d', 0)
    expect(m.call('mkdirat', fd, 'x', 0o755)).toBe(0)
    expect(m.call('mknodat', fd, 'y', 0o644)).toBe(0)
    expect(m.call('symlinkat', 't', fd, 'z')).toBe(0)
    expect(['/d/x', '/d/y', '/d/z'].map((path) => m.has(path))).toEqual([true, true, true])
    expect(m.call('mkdirat', 99, 'x', 0o755)).toBe('EBADF')
    expect(m.call('mkdirat', AT_FDCWD, 'here', 0o755)).toBe(0)
  })

  it('an immutable directory: EPERM', () => {
    const m = new Machine(dir({ d: dir({}, { flags: S_IMMUTABLE }) }))
    expect(m.call('mkdir', '/d/x', 0o755)).toBe('EPERM')
  })

  it('a read-only superblock: EROFS', () => {
    const m = new Machine(tree(), { sb: { type: 'erofs' } })
    expect(m.call('mkdir', '/x', 0o755)).toBe('EROFS')
  })
})

describe('a directory that was removed while open', () => {
  const rows: Row[] = [
    [1, 'mkdirat', ['x', 0o755], 'ENOENT'],
    [1, 'mkdirat', [LONG, 0o755], 'ENOENT'],
    [1, 'mkdirat', ['..', 0o755], 'EEXIST'],
    [1, 'mknodat', ['x', S_IFIFO], 'ENOENT'],
  ]
  it.each(rows)('%i %s(fd, %j) = %s', (_, call, args, expected) => {
    const m = machine()
    m.call('mkdir', '/dead', 0o755)
    const fd = m.call('open', '/dead', 0)
    expect(m.call('rmdir', '/dead')).toBe(0)
    expect(m.call(call, fd, ...args)).toBe(expected)
    expect(m.call('symlinkat', 't', fd, 'x')).toBe('ENOENT')
  })
})

describe('what the new inode is', () => {
  const mode = (m: Machine, path: string) => m.inode(path).i_mode.toString(8)

  it('mkdir: permission bits and the sticky bit, less the umask', () => {
    const m = machine()
    m.call('mkdir', '/x', 0o7777)
    expect(mode(m, '/x')).toBe('41755')
  })

  it('mknod: all bits, less the umask; no type is a regular file', () => {
    const m = machine()
    m.call('mknod', '/x', S_IFREG | 0o7777)
    m.call('mknod', '/y', 0o644)
    expect([mode(m, '/x'), mode(m, '/y')]).toEqual(['107755', '100644'])
  })

  it('a device keeps its number, and nothing else has one', () => {
    const m = machine()
    m.call('mknod', '/c', S_IFCHR | 0o666, 0x105)
    m.call('mknod', '/p', S_IFIFO | 0o666, 0x105)
    expect([m.inode('/c').i_rdev, m.inode('/p').i_rdev]).toEqual([0x105, 0])
  })

  it('a symbolic link: 0777 whatever the umask, its target, and the length of it', () => {
    const m = machine()
    m.call('symlink', 'abc', '/l')
    const { i_link, i_size } = m.inode('/l')
    expect([mode(m, '/l'), i_link, i_size]).toEqual(['120777', 'abc', 3])
  })

  it('belongs to the effective ids', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, euid: 7, egid: 8 })
    m.as(3, 'mkdir', '/pub/x', 0o755)
    const { i_uid, i_gid } = m.inode('/pub/x')
    expect([i_uid, i_gid]).toEqual([7, 8])
  })

  it('a set-group-id directory passes on its group, and to directories the bit', () => {
    const m = new Machine(dir({ sg: dir({}, { mode: 0o2777, gid: 777 }) }))
    m.call('mkdir', '/sg/d', 0o7777)
    m.call('mknod', '/sg/f', 0o6777)
    m.call('symlink', 'abc', '/sg/l')
    expect([mode(m, '/sg/d'), mode(m, '/sg/f'), mode(m, '/sg/l')]).toEqual(['43755', '106755', '120777'])
    expect(['/sg/d', '/sg/f', '/sg/l'].map((path) => m.inode(path).i_gid)).toEqual([777, 777, 777])
    expect(m.inode('/sg').i_nlink).toBe(3)
  })

  it('there, set-group-id with group execute is only for members and CAP_FSETID', () => {
    const m = new Machine(dir({ sg: dir({}, { mode: 0o2777, gid: 777 }) }))
    m.spawn(2, { uid: 1000, umask: 0 })
    m.spawn(3, { uid: 1000, umask: 0, groups: [777] })
    m.as(2, 'mknod', '/sg/a', 0o2770)
    m.as(2, 'mknod', '/sg/b', 0o2760)
    m.as(3, 'mknod', '/sg/c', 0o2770)
    expect(['/sg/a', '/sg/b', '/sg/c'].map((path) => mode(m, path))).toEqual(['100770', '102760', '102770'])
  })

  it('links: a directory has two, and one more for each in it', () => {
    const m = machine()
    m.call('mkdir', '/x', 0o755)
    m.call('mkdir', '/x/y', 0o755)
    m.call('mknod', '/x/f', 0o644)
    expect([m.inode('/x').i_nlink, m.inode('/x/y').i_nlink, m.inode('/x/f').i_nlink]).toEqual([3, 2, 1])
  })
})

describe('modules are asked', () => {
  it('path hooks after EEXIST and EROFS, before the mode bits; inode hooks after them', () => {
    const by_path = machine([refusing('path_mkdir', 'path_mknod', 'path_symlink')])
    expect(by_path.call('mkdir', '/d', 0o755)).toBe('EEXIST')
    expect(by_path.call('mkdir', '/ro/new', 0o755)).toBe('EROFS')
    expect(by_path.call('mkdir', '/new', 0o755)).toBe('EACCES')
    expect(by_path.call('symlink', 'x', '/new')).toBe('EACCES')
    // Permission (EACCES) and CAP_MKNOD (EPERM) are asked later: this is the module's word.
    expect(by_path.as(2, 'mknod', '/pub/c', S_IFCHR, 5)).toBe('EACCES')

    const by_inode = machine([refusing('inode_mkdir', 'inode_mknod', 'inode_create', 'inode_symlink')])
    expect(by_inode.call('mkdir', '/new', 0o755)).toBe('EACCES')
    expect(by_inode.call('mknod', '/new', 0o644)).toBe('EACCES')
    expect(by_inode.call('symlink', 'x', '/new')).toBe('EACCES')
    expect(by_inode.as(2, 'mknod', '/pub/c', S_IFCHR, 5)).toBe('EPERM')
    expect(by_inode.has('/new')).toBe(false)
  })

  it('with the directory, the name and the mode that counts', () => {
    const asked: unknown[] = []
    const hear = (...what: unknown[]) => {
      asked.push(what)
      return 0
    }
    const note: SecurityModule = {
      name: 'note',
      hooks: {
        inode_mkdir: (_, { name, mode }) => hear('inode_mkdir', name, mode.toString(8)),
        inode_create: (_, { name, mode }) => hear('inode_create', name, mode.toString(8)),
        path_mknod: (_, { name, mode }) => hear('path_mknod', name, mode.toString(8)),
        path_symlink: (_, { name, target }) => hear('path_symlink', name, target),
      },
    }
    const m = machine([note])
    m.call('mkdir', '/x', 0o777)
    m.call('mknod', '/y', 0o666)
    m.call('symlink', 't', '/z')
    expect(asked).toEqual([
      ['inode_mkdir', 'x', '40755'],
      ['path_mknod', 'y', '100644'],
      ['inode_create', 'y', '100644'],
      ['path_symlink', 'z', 't'],
    ])
  })
})

describe('the directory is locked from the lookup to the end', () => {
  it('a second maker of the same name waits, then sees it', () => {
    const m = machine()
    m.spawn(3)
    m.begin(1, 'mkdir', '/x', 0o755)
    while (m.inode('/').i_rwsem === 0) m.step(1)
    expect(m.as(3, 'mkdir', '/x', 0o755)).toBe('asleep')
    expect(m.finish(1)).toBe(0)
    expect(m.finish(3)).toBe('EEXIST')
    expect(m.inode('/').i_rwsem).toBe(0)
  })

  it('a refusal gives the lock back', () => {
    const m = machine()
    expect(m.call('mkdir', '/d', 0o755)).toBe('EEXIST')
    expect(m.inode('/').i_rwsem).toBe(0)
  })

  it('CAP_DAC_OVERRIDE writes to any directory', () => {
    const m = machine()
    m.spawn(3, { uid: 1000, caps: 2 ** CAP_DAC_OVERRIDE })
    expect(m.as(3, 'mkdir', '/x', 0o755)).toBe(0)
  })
})

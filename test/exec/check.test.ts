import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inode, S_IFREG } from '../../src/vfs/inode.js'
import { MNT_NOEXEC, mount } from '../../src/vfs/mount.js'
import { World } from './world.js'

const FD = 'AT_EMPTY_PATH'

describe('what the check answers', () => {
  test('a regular file with an execute bit, whatever it holds', () => {
    const w = new World()
    for (const content of ['', 'garbage', '#!/missing\n', '\x7fELF']) {
      w.file('f', content)
      expect(w.check('f')).toBe(0)
      expect(w.call(1, 'unlink', 'f')).toBe(0)
    }
  })

  test.each([
    [0o644, 0, 'EACCES'],
    [0o601, 0, 0],
    [0o711, 1000, 0],
    [0o744, 1000, 'EACCES'],
    [0o4, 1000, 'EACCES'],
  ])('mode %o, uid %d', (mode, uid, answer) => {
    const w = new World()
    w.task(2, uid)
    w.file('f', '', mode)
    expect(w.check('f', 0, 'AT_FDCWD', 2)).toBe(answer)
  })

  test('what is no regular file', () => {
    const w = new World()
    w.dir('d')
    w.fifo('fifo')
    w.char_device('null')
    for (const name of ['d', 'd/', '/', 'fifo', 'null']) expect(w.check(name)).toBe('EACCES')
    expect(w.check('', FD)).toBe('EACCES')
    expect(w.check('', FD, w.open('d', 'O_RDONLY'))).toBe('EACCES')
    expect(w.check('', FD, w.open('null', 'O_RDONLY'))).toBe('EACCES')
  })

  test('symbolic links', () => {
    const w = new World()
    w.file('f', '')
    w.link('link', 'f')
    w.link('loop', 'loop')
    w.link('dangling', 'missing')
    expect(w.check('link')).toBe(0)
    expect(w.check('link', 'AT_SYMLINK_NOFOLLOW')).toBe('ELOOP')
    expect(w.check('loop')).toBe('ELOOP')
    expect(w.check('dangling')).toBe('ENOENT')
    expect(w.check('dangling', 'AT_SYMLINK_NOFOLLOW')).toBe('ELOOP')
    expect(w.check('f/')).toBe('ENOTDIR')
    expect(w.check('link/', 'AT_SYMLINK_NOFOLLOW')).toBe('ENOTDIR')
    expect(w.check('f/y')).toBe('ENOTDIR')
    expect(w.check('', FD, w.open('link', 'O_PATH|O_NOFOLLOW'))).toBe('ELOOP')
  })

  test('descriptors', () => {
    const w = new World()
    w.file('f', '')
    const fd = w.open('f', 'O_RDONLY')
    expect(w.check('', FD, fd)).toBe(0)
    expect(w.check('', FD, w.open('f', 'O_PATH'))).toBe(0)
    expect(w.check('', FD, w.open('f', 'O_RDONLY|O_CLOEXEC'))).toBe(0)
    expect(w.check('', 0, fd)).toBe('ENOENT')
    expect(w.check('f', FD)).toBe(0)
    expect(w.check('x', 0, fd)).toBe('ENOTDIR')
    expect(w.check('x', 0, 99)).toBe('EBADF')
    expect(w.check('/f', 0, 99)).toBe(0)
    expect(w.check('', FD, w.open('f', 'O_ACCMODE'))).toBe(0)
  })

  test('an unlinked file, and one below a directory that may not be searched, by their descriptors', () => {
    const w = new World()
    const d = w.dir('d', 0o700)
    w.file('f', '', 0o755, d)
    w.task(2, 1000)
    expect(w.check('d/f', 0, 'AT_FDCWD', 2)).toBe('EACCES')
    const fd = w.open('d/f', 'O_PATH')
    w.call(1, 'unlink', 'd/f')
    expect(w.check('', FD, fd)).toBe(0)
  })

  test('a noexec mount, also one that became so after the open', () => {
    const w = new World()
    const other = w.file_system('other', 'tmpfs')
    w.file('f', '', 0o755, other)
    const noexec = w.mount('m', other)
    const also = w.mount('bind', other)
    const fd = w.open('m/f', 'O_PATH')
    mount(w.k, noexec).mnt_flags = MNT_NOEXEC
    expect(w.check('m/f')).toBe('EACCES')
    expect(w.check('m')).toBe('EACCES')
    expect(w.check('m/missing')).toBe('ENOENT')
    expect(w.check('', FD, fd)).toBe('EACCES')
    expect(also).not.toBe(noexec)
    expect(w.check('bind/f')).toBe(0)
  })

  test('the mount becomes noexec between the open and the denial', () => {
    const w = new World()
    const f = w.file('f', '')
    w.begin(1, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'exe_file_deny_write_access')
    mount(w.k, w.root_mnt).mnt_flags = MNT_NOEXEC
    expect(w.finish(1)).toBe('EACCES')
    expect(w.writecount(f)).toBe(0)
    expect(inode(w.k, f).i_count).toBe(1)
  })

  test.each(['O_WRONLY', 'O_RDWR', 'O_RDWR|O_APPEND'])('somebody has it open with %s', (flags) => {
    const w = new World()
    w.task(2)
    w.file('f', '')
    const fd = w.open('f', flags, 2)
    expect(w.check('f')).toBe('ETXTBSY')
    w.call(2, 'close', fd)
    expect(w.check('f')).toBe(0)
    const own = w.open('f', flags)
    expect(w.check('', FD, own)).toBe('ETXTBSY')
  })

  test('permission and noexec come before ETXTBSY', () => {
    const w = new World()
    w.file('nox', '', 0o644)
    w.file('f', '')
    w.open('nox', 'O_WRONLY')
    w.open('f', 'O_WRONLY')
    expect(w.check('nox')).toBe('EACCES')
    mount(w.k, w.root_mnt).mnt_flags = MNT_NOEXEC
    expect(w.check('f')).toBe('EACCES')
  })
})

describe('the order of what can be wrong', () => {
  const LONG = 'x'.repeat(140000)
  const w = new World()
  w.file('f', '')
  w.file('nox', '', 0o644)
  w.file('busy', '')
  w.open('busy', 'O_WRONLY')

  test.each([
    ['a bad pointer', null, 0x80000, [], 'EFAULT'],
    ['an empty path', '', 0x80000, [], 'ENOENT'],
    ['too long a path', 'x'.repeat(4096), 0x80000, [], 'ENAMETOOLONG'],
    ['an unknown flag, then a missing file', 'missing', 0x80000, [], 'EINVAL'],
    ['permission, then the arguments', 'nox', 0x10000, [LONG], 'EACCES'],
    ['ETXTBSY, then the arguments', 'busy', 0x10000, [LONG], 'ETXTBSY'],
    ['a string of 131072 bytes and its NUL', 'f', 0x10000, ['x'.repeat(131072)], 'E2BIG'],
    ['a string of 131072 bytes with its NUL', 'f', 0x10000, ['x'.repeat(131071)], 0],
    ['too many strings', 'f', 0x10000, Array(69999).fill('x'.repeat(1000)), 'E2BIG'],
    ['a bad string pointer', 'f', 0x10000, ['\0'], 'EFAULT'],
    ['strings are copied from the last to the first', 'f', 0x10000, [LONG, '\0'], 'EFAULT'],
    ['so the last mistake counts', 'f', 0x10000, ['\0', LONG], 'E2BIG'],
    ['too many pointers come before any string', 'f', 0x10000, Array(300000).fill('\0'), 'E2BIG'],
  ])('%s', (_, path, flags, argv, answer) => {
    expect(w.call(1, 'execveat', 'AT_FDCWD', path, argv, null, flags)).toBe(answer)
  })

  test('the environment is copied before the arguments', () => {
    expect(w.call(1, 'execveat', 'AT_FDCWD', 'f', [LONG], ['\0'], 0x10000)).toBe('EFAULT')
  })

  test('a failure after the open gives everything back', () => {
    const f = w.file('g', '')
    expect(w.call(1, 'execveat', 'AT_FDCWD', 'g', [LONG], null, 0x10000)).toBe('E2BIG')
    expect([w.writecount(f), inode(w.k, f).i_count]).toEqual([0, 1])
  })

  test.each(['6.11', '6.12'] as const)('the flag is unknown on %s', (release) => {
    const old = new World({ release })
    old.file('f', '\x7fELF')
    expect(old.check('f')).toBe('EINVAL')
    expect(old.exec('f')).toBe(0)
  })
})

describe('writers are kept out while the check runs', () => {
  test('from the denial to the end, and not longer', () => {
    const w = new World()
    w.task(2)
    const f = w.file('f', '')
    w.begin(1, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'exe_file_deny_write_access')
    expect(w.writecount(f)).toBe(0)
    w.step(1)
    expect(w.writecount(f)).toBe(-1)
    for (const flags of ['O_WRONLY', 'O_RDWR', 'O_RDONLY|O_TRUNC'])
      expect(w.open('f', flags, 2)).toBe('ETXTBSY')
    expect(w.call(2, 'truncate', 'f', 0)).toBe('ETXTBSY')
    expect(w.open('f', 'O_RDONLY', 2)).toBe(0)
    w.until(1, 'exe_file_allow_write_access')
    expect(w.writecount(f)).toBe(-1)
    w.step(1)
    expect(w.writecount(f)).toBe(0)
    expect(w.finish(1)).toBe(0)
    expect(w.open('f', 'O_WRONLY', 2)).toBe(1)
  })

  test('a writer between the open and the denial makes it fail, one at the modules is refused', () => {
    const w = new World()
    w.task(2)
    w.file('f', '')
    w.begin(1, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'exe_file_deny_write_access')
    expect(w.open('f', 'O_WRONLY', 2)).toBe(0)
    expect(w.finish(1)).toBe('ETXTBSY')
    w.call(2, 'close', 0)
    w.begin(1, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'security_bprm_creds_for_exec')
    expect(w.open('f', 'O_WRONLY', 2)).toBe('ETXTBSY')
    expect(w.finish(1)).toBe(0)
  })

  test('two checks at once count', () => {
    const w = new World()
    w.task(2)
    const f = w.file('f', '')
    for (const task of [1, 2]) {
      w.begin(task, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
      w.until(task, 'security_bprm_creds_for_exec')
    }
    expect(w.writecount(f)).toBe(-2)
    expect([w.finish(1), w.writecount(f), w.finish(2), w.writecount(f)]).toEqual([0, -1, 0, 0])
  })

  test('6.11 does not deny at all', () => {
    const w = new World({ release: '6.11', features: ['at_execve_check'] })
    w.file('f', '')
    w.open('f', 'O_WRONLY')
    expect(w.check('f')).toBe(0)
  })
})

describe('the approval', () => {
  test('is told in the stage of the modules, with the inode that holds the data', () => {
    const told: unknown[] = []
    const w = new World({
      monitor: { approval: (_, data, file, is_check) => told.push([data, file, is_check]) },
    })
    const f = w.file('f', '')
    w.begin(1, 'execveat', 'AT_FDCWD', 'f', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'security_bprm_creds_for_exec')
    expect(told).toEqual([])
    w.step(1)
    expect(told).toEqual([[f, expect.any(Number), true]])
    expect(w.finish(1)).toBe(0)
    expect(told.length).toBe(1)
  })

  test('is not told when a module refuses, and the modules are asked in order until then', () => {
    const told: unknown[] = []
    const asked: string[] = []
    const module = (name: string, answer: number) => ({
      name,
      hooks: {
        bprm_creds_for_exec: () => {
          asked.push(name)
          return answer
        },
      },
    })
    const w = new World({
      modules: [module('a', 0), module('b', -1), module('c', -13)],
      monitor: { approval: () => told.push(1) },
    })
    const f = w.file('f', '')
    expect(w.check('f')).toBe('EPERM')
    expect([asked, told, w.writecount(f)]).toEqual([['a', 'b'], [], 0])
  })

  test('the hooks of a check, in order', () => {
    const asked: string[] = []
    const names = [
      'inode_permission',
      'file_open',
      'file_post_open',
      'file_permission',
      'bprm_creds_for_exec',
    ]
    const more = ['bprm_check_security', 'bprm_creds_from_file', 'mmap_file']
    const hooks = Object.fromEntries(
      [...names, ...more].map((name) => [name, () => asked.push(name) * 0] as const),
    )
    const w = new World({ modules: [{ name: 'log', hooks }] })
    w.file('f', '\x7fELF')
    w.check('/f')
    expect(asked).toEqual([
      'inode_permission',
      'inode_permission',
      'file_open',
      'file_post_open',
      'bprm_creds_for_exec',
    ])
    asked.length = 0
    w.exec('/f')
    expect(asked.slice(4)).toEqual([
      'bprm_creds_for_exec',
      'file_permission',
      'bprm_check_security',
      'bprm_creds_from_file',
      'mmap_file',
    ])
  })

  test('what a module sees of a check', () => {
    let seen: unknown
    const see = (_: unknown, bprm: unknown) => {
      seen = bprm
      return 0
    }
    const w = new World({
      modules: [{ name: 'log', hooks: { bprm_creds_for_exec: see } }],
    })
    w.dir('d')
    w.file('f', '', 0o755)
    w.check('', FD, w.open('f', 'O_PATH'))
    expect(seen).toMatchObject({ filename: '/dev/fd/0', is_check: true })
    w.check('../f', 0, w.open('d', 'O_PATH'))
    expect(seen).toMatchObject({ filename: '/dev/fd/1/../f', is_check: true })
    w.exec('f')
    expect(seen).toMatchObject({ filename: 'f', is_check: false })
  })
})

test('a check opens the file anew: nothing of it is left', () => {
  const w = new World()
  const f = w.file('f', '')
  const fd = w.open('f', 'O_RDONLY')
  const before = JSON.stringify(w.k.store.snapshot())
  expect(w.check('', FD, fd)).toBe(0)
  expect(JSON.stringify(w.k.store.snapshot())).toBe(before)
  expect(inode(w.k, f).i_mode).toBe(S_IFREG | 0o755)
})

test('whatever the arguments, the answer is 0 or an errno, and nothing is left behind', () => {
  const path = fc.constantFrom('', 'f', 's', 'd/f', '/d', 'link', '//', '.', '..', 'x'.repeat(5000), null)
  const strings = fc.option(fc.array(fc.constantFrom('', 'a', '\0', 'b'.repeat(200000)), { maxLength: 3 }))
  const number = fc.oneof(
    fc.constantFrom(-100, -1, 0, 1, 2 ** 31, 1e15, 0x10000, 0x11000, 0x1000, 0x100),
    fc.integer(),
  )
  fc.assert(
    fc.property(number, path, strings, strings, number, (dfd, name, argv, envp, flags) => {
      const w = new World()
      w.file('f', '')
      w.file('s', '#!/f\n', 0o755)
      w.file('f', '', 0o755, w.dir('d'))
      w.link('link', 'd/f')
      w.open('d', 'O_RDONLY')
      w.open('s', 'O_RDONLY|O_CLOEXEC')
      const before = JSON.stringify(w.k.store.snapshot())
      const answer = w.call(1, 'execveat', dfd, name, argv, envp, flags)
      expect(answer === 0 || /^E[A-Z0-9]+$/.test(answer)).toBe(true)
      expect(JSON.stringify(w.k.store.snapshot())).toBe(before)
    }),
    { numRuns: 300 },
  )
})

test('why a flag is refused', () => {
  const w = new World({ release: '6.12' })
  expect(w.heard('refused', () => w.check('f'))).toEqual(['unknown flags 0x10000'])
})

import { describe, expect, it } from 'vitest'
import { dentry } from '../../src/vfs/dentry.js'
import { inode } from '../../src/vfs/inode.js'
import { JsonShell } from './support.js'

const AT_FDCWD = -100

describe('calls', () => {
  it('answers as the design says: a descriptor, an errno', () => {
    const shell = new JsonShell()
    shell.call(1, 'mkdir', '/m', 0o755)
    expect(shell.line('{"id":1,"task":1,"call":"openat","args":[-100,"/m/s","O_RDWR|O_CREAT",420]}')).toBe(
      '{"id":1,"ret":3}\n',
    )
    expect(shell.line('{"id":2,"task":1,"call":"openat","args":[-100,"/m/t","O_RDWR",0]}')).toBe(
      '{"id":2,"errno":"ENOENT"}\n',
    )
  })

  it('gives bytes as base64, and takes them as a string or base64, with or without their length', () => {
    const shell = new JsonShell()
    shell.call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o644)
    expect(shell.call(1, 'write', 3, 'hé')).toEqual({ ret: 3 })
    expect(shell.call(1, 'write', 3, { base64: 'AP8=' }, 1)).toEqual({ ret: 1 })
    expect(shell.call(1, 'pread', 3, 100, 0)).toEqual({ ret: 4, data: btoa('h\u00c3\u00a9\0') })
    expect(shell.call(1, 'pread', 3, 100, 4)).toEqual({ ret: 0, data: '' })
    expect(shell.call(1, 'write', 3, null, 1)).toEqual({ errno: 'EFAULT' })
  })

  it('gives structures with the field names of C; inodes have numbers in the order in which they are seen', () => {
    const shell = new JsonShell()
    shell.call(1, 'creat', '/a', 0o600)
    shell.call(1, 'creat', '/b', 0o600)
    expect(shell.call(1, 'stat', '/b')).toEqual({
      ret: 0,
      stat: {
        st_dev: 1,
        st_ino: 1,
        st_mode: 0o100600,
        st_nlink: 1,
        st_uid: 0,
        st_gid: 0,
        st_rdev: 0,
        st_size: 0,
        st_blksize: 4096,
      },
    })
    expect(shell.call(1, 'stat', '/a').stat!.st_ino).toBe(2)
    expect(shell.call(1, 'fstat', 4).stat!.st_ino).toBe(1)
    expect(shell.call(1, 'stat', '/dev').stat!.st_dev).toBe(2)
  })

  it('never gives the number of an inode that has gone to another', async () => {
    const shell = new JsonShell()
    shell.call(1, 'close', shell.call(1, 'creat', '/a', 0o600).ret)
    const first = shell.call(1, 'stat', '/a').stat!.st_ino!
    shell.call(1, 'unlink', '/a')
    for (let i = 0; i < 10_000; i++) shell.call(1, 'umask', 0o22)
    shell.call(1, 'creat', '/b', 0o600)
    expect(shell.call(1, 'stat', '/b').stat!.st_ino).toBe(first + 1)
  })

  it('reaches memory by peek and poke; a signal does not end the task', () => {
    const shell = new JsonShell()
    shell.call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o644)
    shell.call(1, 'write', 3, 'abc')
    const { ret: at } = shell.call(1, 'mmap', null, 8192, 'PROT_READ|PROT_WRITE', 'MAP_SHARED', 3, 0)
    expect(shell.call(1, 'poke', at, 'X')).toEqual({ ret: 0 })
    expect(shell.data(1, 'peek', at, 3)).toBe('Xbc')
    expect(shell.data(1, 'pread', 3, 3, 0)).toBe('Xbc')
    expect(shell.call(1, 'peek', at! + 4096, 1)).toEqual({ signal: 'SIGBUS' })
    expect(shell.call(1, 'poke', 0, 'x')).toEqual({ signal: 'SIGSEGV' })
    expect(shell.data(1, 'peek', at, 1)).toBe('X')
  })
})

describe('tasks', () => {
  it('start with descriptors 0, 1 and 2, in a world with /dev and /proc', async () => {
    const shell = new JsonShell()
    for (const fd of [0, 1, 2]) expect(shell.call(1, 'fstat', fd).ret).toBe(0)
    expect(shell.call(1, 'open', '/', 'O_RDONLY')).toEqual({ ret: 3 })
    expect(shell.call(1, 'creat', '/dev/x', 0o600)).toEqual({ ret: 4 })
    expect(shell.call(1, 'creat', '/proc/x', 0o600).error).toBe('"/x" of proc is not modelled')
    expect(
      await shell.ask({
        id: 2,
        spawn: { task: 2, uid: 1000, gid: 1000, groups: [], umask: 18, cwd: '/dev' },
      }),
    ).toEqual({
      id: 2,
      ret: 2,
    })
    expect(shell.call(2, 'open', 'x', 'O_RDONLY')).toEqual({ errno: 'EACCES' })
    expect(shell.call(2, 'open', '/', 'O_RDONLY')).toEqual({ ret: 3 })
    expect(shell.call(2, 'umask', 0)).toEqual({ ret: 18 })
  })

  it('end, and give back what they held', async () => {
    const shell = new JsonShell()
    await shell.ask({ id: 1, spawn: { task: 7 } })
    shell.call(7, 'close', shell.call(7, 'open', '/x', 'O_WRONLY|O_CREAT', 0o755).ret)
    shell.call(7, 'open', '/x', 'O_WRONLY')
    expect(shell.call(1, 'execveat', AT_FDCWD, '/x', null, null, 'AT_EXECVE_CHECK')).toEqual({
      errno: 'ETXTBSY',
    })
    expect(await shell.ask({ id: 'end', exit: 7 })).toEqual({ id: 'end', ret: 0 })
    expect(shell.call(1, 'execveat', AT_FDCWD, '/x', null, null, 'AT_EXECVE_CHECK')).toEqual({ ret: 0 })
    expect(shell.call(7, 'getuid').error).toContain('getuid')
    expect(shell.call(7, 'umask', 0)).toEqual({ error: 'task 7 has ended' })
    expect(await shell.ask({ id: 1, exit: 7 })).toEqual({ id: 1, error: 'task 7 has ended' })
    expect(shell.call(8, 'umask', 0)).toEqual({ error: 'there is no task 8' })
    expect(await shell.ask({ id: 1, spawn: { task: 7 } })).toEqual({ id: 1, ret: 7 })
    expect(shell.call(7, 'exit', 3)).toEqual({ ret: 0 })
    expect(shell.call(7, 'umask', 0)).toEqual({ error: 'task 7 has ended' })
  })

  it('fork: the answer is the number of the new task, which shares the open files', () => {
    const shell = new JsonShell()
    shell.call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o644)
    const { ret: child } = shell.call(1, 'fork')
    shell.call(child!, 'write', 3, 'abc')
    expect(shell.call(1, 'lseek', 3, 0, 'SEEK_CUR')).toEqual({ ret: 3 })
  })

  it('fork for ever: the numbers of tasks that have ended are given again', () => {
    const shell = new JsonShell()
    for (let i = 0; i < 50; i++) {
      const { ret: child } = shell.call(1, 'fork')
      expect(child).toBeGreaterThan(1)
      expect(shell.call(child!, 'exit')).toEqual({ ret: 0 })
    }
    for (let i = 0; i < 7; i++) shell.call(1, 'fork')
    expect(shell.call(1, 'fork')).toEqual({ errno: 'EAGAIN' })
  })

  it('exec answers once; after it the task takes no calls, but ends', async () => {
    const shell = new JsonShell()
    await shell.ask({ id: 1, spawn: { task: 2 } })
    shell.call(1, 'open', '/prog', 'O_WRONLY|O_CREAT', 0o755)
    shell.call(1, 'write', 3, '\x7fELF')
    expect(shell.call(2, 'execve', '/prog', ['prog'], null)).toEqual({ errno: 'ETXTBSY' })
    shell.call(1, 'close', 3)
    expect(shell.call(2, 'execve', '/prog', ['prog'], null)).toEqual({ exec: '/prog' })
    expect(shell.call(2, 'umask', 0).error).toBe(
      'task 2 runs another program since its exec, and takes no more calls',
    )
    expect(shell.call(1, 'open', '/prog', 'O_WRONLY')).toEqual({ errno: 'ETXTBSY' })
    expect(await shell.ask({ id: 1, exit: 2 })).toEqual({ id: 1, ret: 0 })
    expect(shell.call(1, 'open', '/prog', 'O_WRONLY')).toEqual({ ret: 3 })
  })

  it('an exec that dies past the point of no return ends the task', async () => {
    const shell = new JsonShell()
    const rules = [{ hook: 'mmap_file', when: {}, answer: 'EACCES' }]
    expect(await shell.ask({ id: 1, setup: { lsm: { rules: [{ name: 'no_maps', rules }] } } })).toEqual({
      id: 1,
      ret: 0,
    })
    await shell.ask({ id: 1, spawn: { task: 2 } })
    shell.call(1, 'open', '/prog', 'O_WRONLY|O_CREAT', 0o755)
    shell.call(1, 'write', 3, '\x7fELF')
    shell.call(1, 'close', 3)
    expect(shell.call(2, 'execve', '/prog', null, null)).toEqual({ signal: 'SIGSEGV' })
    expect(shell.call(2, 'umask', 0)).toEqual({ error: 'task 2 has ended' })
    expect(shell.call(1, 'open', '/prog', 'O_WRONLY')).toEqual({ ret: 3 })
  })
})

describe('setup', () => {
  const overlay = {
    filesystems: {
      root: { type: 'tmpfs' },
      low: { type: 'ext4', tree: { s: { file: 'low', mode: '0755' } } },
      up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
    },
    mounts: [
      { at: '/', filesystem: 'root' },
      { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
    ],
  }

  it('takes the set-up of a scenario, and keeps the tasks', async () => {
    const shell = new JsonShell()
    await shell.ask({ id: 1, spawn: { task: 2, uid: 5 } })
    expect(await shell.ask({ id: 2, setup: overlay })).toEqual({ id: 2, ret: 0 })
    const before = shell.call(1, 'open', '/m/s', 'O_RDONLY').ret
    const writer = shell.call(1, 'open', '/m/s', 'O_WRONLY').ret
    shell.call(1, 'write', writer, 'new')
    expect(shell.data(1, 'read', before, 10)).toBe('new')
    expect(shell.call(2, 'open', '/m/s', 'O_WRONLY')).toEqual({ errno: 'EACCES' })
  })

  it('comes before the first call', async () => {
    const shell = new JsonShell()
    shell.call(1, 'umask', 0)
    expect(await shell.ask({ id: 2, setup: overlay })).toEqual({
      id: 2,
      error: 'setup: comes before the first call of any task',
    })
  })

  it.each([
    [{ mounts: [{ at: 'x', filesystem: 'y' }] }, /^setup\.mounts\[0\]\.at: /],
    [{ filesystems: { a: { type: 'ntfs' } } }, /^setup\.filesystems\.a\.type: /],
    [{ profile: '5.0' }, /^setup\.profile: there is no kernel profile "5\.0"/],
    [{ mounts: [{ at: '/', filesystem: 'nix' }] }, /^setup\.mounts\[0\]\.filesystem: /],
    [7, /^setup: expected object/],
  ])('that is wrong is answered with the field: %j', async (setup, message) => {
    const shell = new JsonShell()
    expect((await shell.ask({ id: 1, setup })).error).toMatch(message)
    expect(shell.call(1, 'mkdir', '/dev/x', 0o755)).toEqual({ ret: 0 })
  })
})

describe('bad requests', () => {
  it.each([
    ['{', null, /^not JSON: /],
    ['[]', null, /^expected an object, not \[\]$/],
    ['{"id":{},"exit":1}', null, /^id: /],
    ['{"id":1}', 1, /^a request has one of the fields call, spawn, exit, setup$/],
    ['{"id":1,"task":1,"call":"umask","argv":[]}', 1, /has no field "argv"; did you mean args\?/],
    ['{"id":"x","task":1,"call":"opnat","args":[]}', 'x', /did you mean open/],
    ['{"id":1,"task":1.5,"call":"umask","args":[0]}', 1, /^task: expected a whole number/],
    ['{"id":1,"call":"umask","args":[0]}', 1, /^task is missing$/],
    ['{"id":1,"task":1,"call":"umask","args":[]}', 1, /^mask is missing$/],
    ['{"id":1,"task":1,"call":"umask","args":[1,2]}', 1, /^umask takes 1 arguments, not 2$/],
    ['{"id":1,"task":1,"call":"umask","args":{}}', 1, /^args: expected a list/],
    ['{"id":1,"task":1,"call":"openat","args":[-100,"/x","O_RDWR|O_BOGUS"]}', 1, /^flags: "O_BOGUS"/],
    ['{"id":1,"task":1,"call":"openat","args":[-100,5,0]}', 1, /^pathname: expected a string/],
    ['{"id":1,"task":1,"call":"write","args":[1,{"base64":"*"}]}', 1, /^buf: not base64/],
    ['{"id":1,"spawn":{"task":1}}', 1, /^spawn\.task: there is a task 1 already$/],
    ['{"id":1,"spawn":{"task":9000}}', 1, /^spawn\.task: expected a whole number from 1 to 8191/],
    ['{"id":1,"spawn":{"task":2,"cwd":"/nix"}}', 1, /^spawn\.cwd: there is no \/nix/],
    ['{"id":1,"spawn":{"task":2,"uid":-1}}', 1, /^spawn\.uid: /],
    ['{"id":1,"spawn":{"task":2,"groups":[1,"a"]}}', 1, /^spawn\.groups\[1\]: /],
    ['{"id":1,"spawn":{"task":2,"capabilities":["CAP_X"]}}', 1, /capability/],
    ['{"id":1,"exit":0}', 1, /^exit: expected a whole number/],
    ['{"id":9007199254740993,"task":1,"call":"umask","args":[0]}', null, /^id: .* write a string$/],
    [
      '{"id":1,"task":1,"call":"lseek","args":[0,9223372036854775807,0]}',
      1,
      /^offset: .* is beyond 2\^53 - 1/,
    ],
    [
      '{"id":1,"task":1,"call":"lseek","args":[0,"9223372036854775807",0]}',
      1,
      /^offset: 9223372036854775807 is/,
    ],
  ])('%s', (line, id, message) => {
    const shell = new JsonShell()
    const answer = JSON.parse(shell.line(line))
    expect(answer.id).toBe(id)
    expect(answer.error).toMatch(message)
    expect(shell.call(1, 'umask', 0)).toEqual({ ret: 0o22 })
  })

  it('a blank line is no request', () => {
    expect(new JsonShell().line('  ')).toBe('')
  })

  it('a buffer of any length has an answer: more than a mebibyte is read in parts', () => {
    const shell = new JsonShell()
    shell.call(1, 'open', '/big', 'O_RDWR|O_CREAT', 0o644)
    shell.call(1, 'ftruncate', 3, 2 ** 40)
    expect(shell.call(1, 'read', 3, 2 ** 40).ret).toBe(2 ** 20)
    expect(shell.call(1, 'lseek', 3, 0, 'SEEK_CUR')).toEqual({ ret: 2 ** 20 })
    expect(shell.call(1, 'read', 3, -1)).toEqual({ errno: 'EFAULT' })
    expect(shell.call(1, 'read', 3, 2 ** 46)).toEqual({ errno: 'EFAULT' })
  })
})

describe('calls that block', () => {
  it('answer first that they do, and later on a line of their own', async () => {
    const shell = new JsonShell()
    const { session } = shell
    await shell.ask({ id: 1, spawn: { task: 2 } })
    await shell.ask({ id: 1, spawn: { task: 3 } })
    shell.call(1, 'creat', '/f', 0o644)
    // Task 1 stops inside a write, with the inode's lock.
    const { syscall_named } = await import('../../src/kernel/syscall.js')
    session.hold(1, syscall_named('write')!, [3, 'abc'], 'held')
    while (inode.rows(session.k).every(({ i_rwsem }) => i_rwsem === 0)) session.step(1)
    expect(shell.line('{"id":5,"task":2,"call":"truncate","args":["/f",1]}')).toBe(
      '{"id":5,"blocked":true}\n',
    )
    expect(shell.call(2, 'umask', 0)).toEqual({ error: 'task 2 is inside a call' })
    expect(await shell.ask({ id: 6, exit: 2 })).toEqual({ id: 6, error: 'exit: task 2 is inside a call' })
    // Others run on.
    expect(shell.call(3, 'stat', '/f').stat!.st_size).toBe(0)
    expect(session.finish(1)).toEqual({ ret: 3 })
    expect(shell.line('{"id":7,"task":3,"call":"umask","args":[0]}')).toBe(
      '{"id":7,"ret":18}\n{"id":5,"ret":0}\n',
    )
    expect(shell.call(3, 'stat', '/f').stat!.st_size).toBe(1)
  })
})

describe('memory', () => {
  it('does not grow with the number of calls: unlinked names go', () => {
    const shell = new JsonShell()
    const round = () => {
      for (let i = 0; i < 2000; i++) {
        shell.call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o644)
        shell.call(1, 'write', 3, 'x')
        shell.call(1, 'close', 3)
        shell.call(1, 'unlink', '/f')
      }
    }
    round()
    round()
    const { k } = shell.session
    expect(dentry.rows(k).length).toBeLessThan(2100)
    expect(inode.rows(k).length).toBeLessThan(2100)
  })
})

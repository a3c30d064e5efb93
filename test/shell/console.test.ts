import { describe, expect, it } from 'vitest'
import { Console } from '../../src/shell/console.js'
import { Session } from '../../src/shell/session.js'
import { looks_like_call, parse_call } from '../../src/shell/syntax.js'

function people(): (...lines: string[]) => string {
  const console = new Console(new Session({ undo: true }))
  return (...lines) => lines.map((line) => (console.line(line) ?? ['bye']).join('\n')).join('\n')
}

describe('the notation of C', () => {
  it.each([
    ['openat(AT_FDCWD, "/x", O_RDWR | O_CREAT, 0644)', ['AT_FDCWD', '/x', 'O_RDWR|O_CREAT', '0644']],
    ['write(3, "a\\n\\x00\\1\\"", 5);', ['3', { base64: btoa('a\n\0\x01"') }, '5']],
    ['write(3, "é")', ['3', { base64: btoa('\u00c3\u00a9') }]],
    ['read(3, buf, 100) = 5', ['3', '100']],
    ['stat("/x (y)", &st) = -1 ENOENT (No such file or directory)', ['/x (y)']],
    ['execve("/x", ["x", "-c", NULL], NULL)', ['/x', ['x', '-c'], null]],
    ['execve("/x", {"x"}, {})', ['/x', ['x'], []]],
    ['open("/é", 0)', ['/é', '0']],
    ['fork()', []],
  ])('%s', (line, args) => {
    expect(looks_like_call(line)).toBe(true)
    expect(parse_call(line)).toMatchObject({ task: null, args })
  })

  it('a number before it names the task', () => {
    expect(parse_call('12: close(3)')).toMatchObject({ task: 12, args: ['3'] })
  })

  it.each([
    ['close(3', 'column 8: expected ,'],
    ['close 3)', 'column 7: expected (, not 3'],
    ['open("/x', 'column 6: a string that does not end'],
    ['close(3) close(4)', 'column 10: expected the end of the line, not close'],
    ['clsoe(3)', 'no system call clsoe is modelled; did you mean close?'],
    ['close(1, 2)', 'close takes 1 arguments, not 2'],
    ['close("3")', 'fd: expected a number or constants, not a string'],
    ['open(x, 0)', 'pathname: expected a string in double quotes, or NULL'],
    ['open("\\xff", 0)', 'pathname: names are UTF-8, and these bytes are not'],
    ['close([3])', 'fd: a list is not expected here'],
    ['close(@)', 'column 7: "@" is not expected'],
  ])('%s: %s', (line, message) => {
    expect(() => parse_call(line)).toThrow(message)
  })
})

describe('answers', () => {
  it('look like those of strace, with the reason of a refusal', () => {
    const say = people()
    expect(say('openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644)')).toBe(
      'openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644) = 3',
    )
    expect(say('write(3, "hello\\n")')).toBe('write(3, "hello\\n", 6) = 6')
    expect(say('pread(3, 100, 0)')).toBe('pread(3, "hello\\n", 100, 0) = 6')
    expect(say('spawn 2 uid=1000')).toBe('task 2 is there')
    expect(say('2: open("/x", O_WRONLY)')).toBe(
      '2: open("/x", O_WRONLY) = -1 EACCES (uid 1000 may not write mode 0644 of 0:0)',
    )
    expect(say('stat("/x")')).toContain('stat("/x", {st_dev=1, st_ino=1, st_mode=S_IFREG|0644, ')
    expect(say('fstatat(AT_FDCWD, "/x", 0)')).toMatch(/^fstatat\(AT_FDCWD, "\/x", \{.*\}, 0\) = 0$/)
    expect(say('peek(0, 1)')).toBe('peek(NULL, 1) +++ SIGSEGV +++ (nothing is mapped at 0x0)')
    expect(say('close(99)')).toBe('close(99) = -1 EBADF')
  })

  it('show the kernel stages on request', () => {
    const say = people()
    say('creat("/x", 0644)', 'stages on')
    const shown = say('write(3, "a")')
    expect(shown).toContain('generic_perform_write  [mm/filemap.c]')
    expect(shown).toContain('inode_lock')
    expect(shown).toContain('inode 1:1 size')
    expect(shown.split('\n').at(-1)).toBe('write(3, "a", 1) = 1')
    expect(say('stages off', 'write(3, "a")')).toBe('stages are not shown\nwrite(3, "a", 1) = 1')
  })
})

describe('commands', () => {
  it('show the state', () => {
    const say = people()
    say('open("/x", O_RDWR|O_CREAT|O_CLOEXEC, 0640)', 'write(3, "abc")')
    expect(say('fds')).toMatch(/^3 +read-write +1 +3 +\/x {2}\(close-on-exec\)$/m)
    expect(say('mounts')).toMatch(/^\/proc +proc +proc +rw$/m)
    expect(say('inode /x')).toMatch(/i_mode 0640 .* i_size 3\n.*i_writecount 1 \(open for writing\)/)
    expect(say('tasks')).toMatch(/^\* 1 +0 +0 +\/$/m)
    expect(say('help openat')).toContain('openat(dirfd, pathname, flags, [mode])')
    expect(say('help openat')).toContain('  Opens a file, from a directory.')
    expect(say('help')).toContain('undo')
  })

  it('undo and redo', () => {
    const say = people()
    say('creat("/x", 0644)', 'spawn 2', 'task 2', 'mkdir("/d", 0755)')
    expect(say('undo')).toBe('undone: mkdir("/d", 0755)')
    expect(say('stat("/d")')).toContain('ENOENT')
    expect(say('undo', 'undo')).toBe('undone: stat("/d")\nundone: task 2')
    expect(say('redo')).toBe('task 2 makes the calls now')
    expect(say('undo', 'undo', 'undo')).toContain('undone: creat("/x", 0644)')
    expect(say('undo')).toBe('error: there is nothing to undo')
    expect(say('stat("/x")')).toContain('ENOENT')
    expect(say('redo')).toBe('error: there is nothing to do again')
  })

  it('stop inside a call, where others can come between', () => {
    const say = people()
    say('creat("/f", 0644)', 'spawn 2')
    expect(say('begin write(3, "abc")')).toContain('next: vfs_write')
    let stack = ''
    while (!stack.includes('inode_unlock')) stack = say('step')
    expect(say('stack')).toContain('must still inode_unlock 1:1')
    expect(say('2: truncate("/f", 1)')).toBe('2: truncate("/f", 1) <unfinished ...>')
    expect(say('tasks')).toContain('inside truncate, asleep')
    expect(say('write(3, "x")')).toBe('error: task 1 is inside a call')
    expect(say('finish')).toBe('write(3, "abc", 3) = 3\n2: truncate("/f", 1) = 0')
    expect(say('undo', '2: umask(0)')).toContain('error: task 2 is inside a call')
  })

  it.each([
    ['fd', 'error: fd is no command; did you mean fds?'],
    ['task 9', 'error: there is no task 9'],
    ['task', 'error: task: expected the number of a task'],
    ['stages maybe', 'error: stages: expected on or off'],
    ['inode /nix', 'error: inode: nothing is at /nix'],
    ['spawn 2 uid=x', 'error: spawn.uid: expected a whole number'],
    ['spawn x', 'error: spawn.task: expected a whole number'],
    ['step', 'error: task 1 is inside no call'],
    ['constructor', 'error: constructor is no command'],
    ['help nix', 'error: there is no call or command nix'],
    ['begin nix', 'error: no system call nix is modelled'],
  ])('%s: %s', (line, message) => {
    expect(people()(line)).toContain(message)
  })

  it('quit', () => {
    expect(people()('quit')).toBe('bye')
  })
})

describe('completion', () => {
  const console = new Console(new Session({ undo: true }))
  console.line('mkdir("/dir", 0755)')
  console.line('creat("/dir/file", 0644)')

  it.each([
    ['mkd', ['mkdir(', 'mkdirat('], 'mkd'],
    ['und', ['undo'], 'und'],
    ['openat(AT_FDCWD, "/d', ['/dev/', '/dir/'], '/d'],
    ['stat("/dir/', ['/dir/file'], '/dir/'],
    ['openat(AT_FDCWD, "/dir/file", O_RDW', ['O_RDWR'], 'O_RDW'],
    ['openat(AT_FDCWD, "/x", O_RDWR|O_CR', ['O_CREAT'], 'O_CR'],
    ['inode /dir/f', ['/dir/file'], '/dir/f'],
    ['help renamea', ['renameat', 'renameat2'], 'renamea'],
  ])('%s', (line, choices, word) => {
    expect(console.complete(line)).toEqual([choices, word])
  })
})

import { describe, expect, it } from 'vitest'
import { Console } from '../../src/shell/console.js'
import { Session } from '../../src/shell/session.js'
import { is_log_line, StraceLog } from '../../src/shell/strace_log.js'

function people(): (...lines: string[]) => string[] {
  const console = new Console(new Session({ undo: true }))
  return (...lines) => lines.flatMap((line) => console.line(line) ?? ['bye'])
}

const read = (line: string) => new StraceLog().read(line)

describe('a line of a log', () => {
  it.each([
    'openat(AT_FDCWD, "/x", O_RDONLY) = 3',
    '1234 close(3) = 0',
    '[pid  1234] close(3) = 0',
    '12:00:01 close(3) = 0',
    '1234  12:00:01.123456 close(3) = 0 <0.000012>',
    '1700000000.123456 close(3) = 0',
    '     0.000123 close(3) = 0',
    '1234 <... read resumed>"x", 1) = 1',
    'read(3,  <unfinished ...>',
    '1234 +++ exited with 0 +++',
    '--- SIGCHLD {si_signo=SIGCHLD} ---',
    'exit_group(0)     = ?',
  ])('%s', (line) => expect(is_log_line(line)).toBe(true))

  it.each(['close(3)', '2: close(3)', 'stages on', 'spawn 2 uid=1000', 'write(3, ") = 3")'])(
    'and no typed one: %s',
    (line) => expect(is_log_line(line)).toBe(false),
  )

  it.each([
    [
      'openat(AT_FDCWD</tmp/a, b>, "/x \\"<y>, z", O_RDWR|O_CREAT, 0644) = 4</x>',
      'openat(AT_FDCWD, "/x \\"<y>, z", O_RDWR|O_CREAT, 0644)',
      4,
    ],
    ['read(4</x>(deleted), "a, b)\\n"..., 100) = 17', 'read(4, 100)', 17],
    ['pread64(3, "x", 1, 0) = 1', 'pread(3, 1, 0)', 1],
    ['readlink("/l", "f", 4095) = 1', 'readlink("/l", 4095)', 1],
    ['stat("/x", {st_mode=S_IFREG|0644, st_size=5, ...}) = 0', 'stat("/x")', 0],
    ['newfstatat(3, "", {st_mode=S_IFREG, ...}, AT_EMPTY_PATH) = 0', 'fstatat(3, "", AT_EMPTY_PATH)', 0],
    [
      'newfstatat(AT_FDCWD, "/n", 0x7ffe9678e420, 0) = -1 ENOENT (No such file or directory) <0.000012>',
      'fstatat(AT_FDCWD, "/n", 0)',
      'ENOENT',
    ],
    [
      'mmap(NULL, 10, PROT_READ, MAP_PRIVATE|MAP_DENYWRITE, 3, 0) = 0x7f0',
      'mmap(NULL, 10, PROT_READ, MAP_PRIVATE|0, 3, 0)',
      0x7f0,
    ],
    [
      'execve("/x", ["x"], 0x7ffd1 /* 20 vars */) = -1 EACCES (Permission denied)',
      'execve("/x", ["x"], NULL)',
      'EACCES',
    ],
    ['clone(child_stack=NULL, flags=SIGCHLD, child_tidptr=0x7f) = 99', 'fork()', 99],
    ['exit_group(0)     = ?', 'exit_group(0)', null],
  ])('%s', (line, text, returned) => {
    expect(read(line)).toMatchObject({ call: { pid: null, text, returned } })
  })

  it.each([
    ['socket(AF_UNIX, SOCK_STREAM, 0) = 3', 'socket is not modelled'],
    ['write(1, "hello"..., 500) = 500', 'write: strace has cut "hello"... (its option -s shows more)'],
    ['execve("/x", ["x"], NULL) = 0', 'execve: what the program does follows; the task goes on as it is'],
    ['12 <... read resumed>"x", 1) = 1', 'read had begun before the log'],
    ['garbage(\u001b[31m) = 0', 'garbage is not modelled'],
  ])('%s: %s', (line, skipped) => expect(read(line)).toMatchObject({ skipped }))

  it('in two parts is put together', () => {
    const log = new StraceLog()
    expect(log.read('7 read(3,  <unfinished ...>')).toMatchObject({ skipped: '' })
    expect(log.read('8 close(3) = 0')).toMatchObject({ call: { pid: 8 } })
    expect(log.read('7 <... read resumed>"x", 1) = 1')).toMatchObject({
      call: { text: 'read(3, 1)', pid: 7 },
    })
  })
})

describe('a log at the model', () => {
  it('is played with the numbers of the model', () => {
    const say = people()
    expect(
      say(
        '100 mkdir("/d", 0755) = 0',
        '100 socket(AF_UNIX, SOCK_STREAM, 0) = 3<socket:[1]>',
        '100 openat(AT_FDCWD</>, "/d/x", O_RDWR|O_CREAT, 0644) = 9</d/x>',
        '100 write(9</d/x>, "hello", 5) = 5',
        '100 close(3<socket:[1]>) = 0',
        '100 mmap(NULL, 4096, PROT_READ, MAP_SHARED, 9, 0) = 0x7f0000001000',
        '100 munmap(0x7f0000001000, 4096) = 0',
      ),
    ).toEqual([
      'mkdir("/d", 0755) = 0',
      'skipped: socket is not modelled',
      'openat(AT_FDCWD, "/d/x", O_RDWR|O_CREAT, 0644) = 3',
      'write(3, "hello", 5) = 5',
      'skipped: close: descriptor 3 comes from a call that was not played',
      expect.stringMatching(/^mmap\(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0\) = 0x/),
      expect.stringMatching(/^munmap\(0x7fff\w+, 4096\) = 0/),
    ])
  })

  it('says where the log has another answer', () => {
    expect(people()('open("/etc/passwd", O_RDONLY) = 3')).toEqual([
      'open("/etc/passwd", O_RDONLY) = -1 ENOENT (no etc there)',
      '  the log says 3',
    ])
    expect(people()('mkdir("/d", 0755) = -1 EEXIST (File exists)').at(-1)).toBe('  the log says -1 EEXIST')
  })

  it('of several processes: children are met by their fork, also before it has returned', () => {
    const say = people()
    expect(say('1 open("/x", O_CREAT|O_RDWR, 0600) = 3', '1 clone(flags=SIGCHLD) = 2').at(-1)).toBe(
      'fork() = 73',
    )
    expect(say('2 write(3, "c", 1) = 1')).toEqual(['73: write(3, "c", 1) = 1'])
    expect(say('1 vfork( <unfinished ...>')).toEqual([])
    expect(say('3 write(3, "d", 1) = 1')).toEqual(['fork() = 74', '74: write(3, "d", 1) = 1'])
    expect(say('1 <... vfork resumed>) = 3')).toEqual([])
    expect(say('3 +++ exited with 0 +++')).toEqual(['task 74 has ended'])
    expect(say('3 --- SIGCHLD {} ---', '3 +++ exited with 0 +++')).toEqual([])
    expect(say('50 umask(022) = 022')).toEqual([
      'task 75 is there',
      'it stands for process 50, which was there before the log began',
      '75: umask(022) = 18',
    ])
  })

  it('can be taken back, line by line', () => {
    const say = people()
    say('1 open("/x", O_CREAT|O_RDWR, 0600) = 7')
    expect(say('undo', '1 write(7, "x", 1) = 1').at(-2)).toMatch(/EBADF/)
    expect(say('redo')).toHaveLength(1)
  })
})

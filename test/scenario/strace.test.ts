import { describe, expect, it } from 'vitest'
import { run_in_order } from '../../src/explore/replay.ts'
import { type CaseBuilder, scenario } from '../../src/index.ts'
import { FastStore } from '../../src/kernel/fast_store.ts'
import { case_system } from '../../src/scenario/case_system.ts'
import { quote, show_address } from '../../src/scenario/strace.ts'
import { execution_of, trace_execution } from '../../src/trace/record/execution.ts'

describe('strings of bytes', () => {
  it('are written as C would', () => {
    expect(quote('a"b\\c\n\t\r')).toBe('"a\\"b\\\\c\\n\\t\\r"')
    expect(quote('\x00x\x01\x7f\xff')).toBe('"\\0x\\1\\177\\377"')
  })
  it('have octal escapes that the next digit cannot join', () => {
    expect(quote('\x001')).toBe('"\\0001"')
  })
  it('are cut like strace cuts them', () => {
    expect(quote('x'.repeat(40))).toBe(`"${'x'.repeat(32)}"...`)
    expect(quote('abc', 2)).toBe('"ab"...')
  })
})

describe('system calls', () => {
  const calls = (build: (s: CaseBuilder) => void) => {
    const made = scenario({ name: 'calls', summary: '', build })
    const k = case_system(made.cases[0]!).boot(new FastStore())
    const schedule = run_in_order(k)
    const { results } = trace_execution(execution_of({ removed: [], schedule }, made, 0))
    return results.map(({ call, text }) => `${call} = ${text}`)
  }

  it('have the arguments of C, with constants by name', () => {
    const shown = calls((s) => {
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: { file: 'hello', mode: 0o644 } } }))
      const t = s.task('t')
      const fd = t.openat(-100, '/f', 0o2)
      t.pread(fd, 3, 1)
      t.call('pwrite', fd, 'xyz', 0)
      t.write(fd, 'ab')
      t.mkdir('/d', 0o750)
      t.open('/g', 'O_WRONLY|O_CREAT', 0o600)
      t.open(null, 0).may_fail()
      t.mmap(0, 4096, 'PROT_READ', 'MAP_PRIVATE', fd)
    })
    expect(shown.slice(0, 7)).toEqual([
      'openat(AT_FDCWD, "/f", O_RDWR) = 3',
      'pread(3, buf, 3, 1) = 3',
      'pwrite(3, "xyz", 3, 0) = 3',
      'write(3, "ab", 2) = 2',
      'mkdir("/d", 0750) = 0',
      'open("/g", O_WRONLY|O_CREAT, 0600) = 4',
      'open(NULL, O_RDONLY) = -1 EFAULT',
    ])
    expect(shown[7]).toMatch(/^mmap\(NULL, 4096, PROT_READ, MAP_PRIVATE, 3\) = 0x[0-9a-f]+$/)
  })

  it('have what has no name as a number, behind what has one', () => {
    const shown = calls((s) => {
      const t = s.task('t')
      t.call('open', '/', 0x40000000 + 0o200000).may_fail()
      t.call('open', '/', 0x40000000).may_fail()
      t.call('mprotect', 4096, 4096, 0).may_fail()
      t.call('mprotect', 4096, 4096, 3).may_fail()
      t.call('mkdir', '/d', 0).may_fail()
    })
    expect(shown.map((each) => each.split(' = ')[0])).toEqual([
      'open("/", O_DIRECTORY|0x40000000)',
      'open("/", 1073741824)',
      'mprotect(4096, 4096, PROT_NONE)',
      'mprotect(4096, 4096, PROT_READ|PROT_WRITE)',
      'mkdir("/d", 0)',
    ])
  })

  it('have a constant of several bits before those that it consists of, and any bit that has no name', () => {
    const shown = calls((s) => {
      const t = s.task('t')
      // asm-generic/fcntl.h: O_TMPFILE is __O_TMPFILE (020000000) with O_DIRECTORY (0200000).
      t.call('open', '/', 0o20200000 | 0o2, 0o600).may_fail()
      t.call('open', '/', 0o200000 | (1 << 31)).may_fail()
    })
    expect(shown.slice(0, 2).map((each) => each.split(' = ')[0])).toEqual([
      'open("/", O_RDWR|O_TMPFILE, 0600)',
      'open("/", O_DIRECTORY|0x80000000)',
    ])
  })

  it('show addresses in hexadecimal, and other numbers not', () => {
    expect(show_address(0x7ffff7ffe000)).toBe('0x7ffff7ffe000')
    expect(show_address(4096)).toBe('4096')
  })
})

/** What a declaration says of a call is what scenarios, shells and reports make of it. */
import { describe, expect, it, test } from 'vitest'
import '../../src/model.js'
import { at_places, kind_of_result } from '../../src/kernel/decode.js'
import { fn, local } from '../../src/kernel/fn.js'
import { change_of, define_syscall, syscall_named } from '../../src/kernel/syscall.js'
import { show_values } from '../../src/scenario/strace.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of } from './support.js'

const named = (name: string) => syscall_named(name)!

describe('a result', () => {
  test.each([
    ['AT_EMPTY_PATH|AT_EXECVE_CHECK', 'approval'],
    [0x11000, 'approval'],
    ['0x10000', 'approval'],
    ['AT_EMPTY_PATH', 'exec'],
    [0, 'exec'],
    [{ $: 'fd' }, 'exec'],
  ])('of execveat with the flags %j is %s', (flags, kind) =>
    expect(kind_of_result(named('execveat'), [3, '', null, null, flags])).toBe(kind),
  )

  it('can be relied on where it is an approval, whatever call gives it', () => {
    define_syscall({
      name: 'judges',
      says: 'Judges.',
      prototype: [],
      fn: fn('judges', { source: 'a test' }, [local('judges', () => 0)]),
      locals: () => ({}),
      returns: 'approval',
      gives: '0',
      changes: 'nothing',
    })
    const relying = (call: string) =>
      case_of((s) => {
        const tree = { f: 'good' }
        s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
        const t = s.task('t')
        const bytes = t.read(t.open('/f', 'O_RDONLY'), 10)
        t.use(bytes, { relies: t.call(call, '/f') as never })
      })
    define_syscall({ ...named('judges'), name: 'judges_path', prototype: named('chdir').prototype })
    const { verdict, cause } = explore_case(relying('judges_path'))
    // It has judged no bytes: the model does not take its word for any.
    expect([verdict, cause?.kind]).toEqual(['hole', 'nobody'])
    expect(() => explore_case(relying('chdir'))).toThrow(
      'expected a check (execveat with AT_EXECVE_CHECK or judges or judges_path); chdir is a call of chdir',
    )
  })
})

describe('a change', () => {
  test.each([
    ['open', ['/f', 'O_RDONLY'], 'nothing'],
    ['open', ['/f', 'O_WRONLY'], 'contents'],
    ['open', ['/f', 'O_RDONLY|O_CREAT'], 'names'],
    ['open', ['/f', 'O_RDONLY|O_TRUNC'], 'contents'],
    ['rename', ['/f', '/g'], 'names'],
    ['fchmod', [3, 0], 'attributes'],
    ['dup', [3], 'nothing'],
    ['poke', [0, 'x'], 'contents'],
  ])('%s %j changes %s', (name, args, change) => {
    const words: Record<string, number> = {
      O_RDONLY: 0,
      O_WRONLY: 1,
      'O_RDONLY|O_CREAT': 64,
      'O_RDONLY|O_TRUNC': 512,
    }
    const decoded = args.map((arg) => words[arg] ?? arg)
    expect(change_of(named(name), named(name).locals(...decoded))).toBe(change)
  })
})

describe('arguments', () => {
  it('stand at their places where the count was left out', () => {
    expect(at_places(named('pwrite'), [3, 'x', 0])).toEqual([3, 'x', undefined, 0])
    expect(at_places(named('pwrite'), [3, 'x', 1, 0])).toEqual([3, 'x', 1, 0])
    expect(at_places(named('write'), [3, 'x'])).toEqual([3, 'x'])
  })

  test.each([
    ['pwrite', [3, 'é', undefined, 0], 'pwrite(3, "é", 2, 0)'],
    ['write', [3, null], 'write(3, NULL, 0)'],
    ['read', [3, 10], 'read(3, buf, 10)'],
    ['readlink', ['/s'], 'readlink("/s", buf)'],
    ['fstatat', [-100, '/f', 'AT_SYMLINK_NOFOLLOW'], 'fstatat(AT_FDCWD, "/f", AT_SYMLINK_NOFOLLOW)'],
    ['umask', [0o22], 'umask(022)'],
    ['access', ['/f', 6], 'access("/f", R_OK|W_OK)'],
    ['mmap', [0, 4096, 1, 2, 3, 0], 'mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0)'],
  ])('%s is written as strace does', (name, args, text) => expect(show_values(named(name), args)).toBe(text))

  it('that are filled stand where C has them', () => {
    expect(show_values(named('fstatat'), [-100, '/f', 0], '{st_size=4}')).toBe(
      'fstatat(AT_FDCWD, "/f", {st_size=4}, 0)',
    )
    expect(show_values(named('pread'), [3, 4, 0], '"text"')).toBe('pread(3, "text", 4, 0)')
  })
})

test('a path that was read is a path: its bytes are not taken for text twice', () => {
  const system = case_of((s) => {
    const tree = { é: { file: 'x' }, s: { symlink: 'é' } }
    s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
    const t = s.task('t', { cwd: '/' })
    t.stat(t.readlink('/s') as never).as('there')
    s.reaches({ 't.there': 'ok' })
  })
  expect(explore_case(system).verdict).toBe('safe')
})

/** What is called safe must be witnessed: something was approved and used, and somebody attacked it. */
import { describe, expect, test } from 'vitest'
import type { CaseBuilder, Task } from '../../src/scenario/builder.js'
import { define_module } from '../../src/scenario/code_module.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of } from '../scenario/support.js'

const EMPTY_PATH = 'AT_EMPTY_PATH|AT_EXECVE_CHECK'
const NOTHING = 'nothing was approved and used'
const NO_YES = 'in no run did the check say yes'
const NO_USE = 'in no run was anything used on the strength of an approval'
const NO_ATTACK = 'in no run did an attacker change what others meet, or was refused that by a mitigation'
const NOBODY =
  'there is no task with the role attacker, no outcome that is reached, and no run in which another task meets what is used'

/** What is missing for `safe`, of a file `/d/f` of root and whatever is done with it; null where nothing is. */
function missing(write: (s: CaseBuilder) => void, mode = 0o755): string | null {
  const of = case_of((s) => {
    const tree = {
      'd/f': { file: 'good', mode },
      'd/g': { file: 'good', mode: 0o777 },
      tmp: { dir: {}, mode: 0o777 },
    }
    s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
    write(s)
  })
  const { verdict, unwitnessed, as_expected } = explore_case(of)
  expect(verdict).toBe(unwitnessed === null ? 'safe' : 'unwitnessed')
  expect(as_expected).toBe(unwitnessed === null)
  return unwitnessed
}

/** A victim that checks and uses what it has read before. */
function relies(s: CaseBuilder, name = 'v'): void {
  const v = s.victim(name)
  const fd = v.open('/d/f', 'O_RDONLY')
  const bytes = v.read(fd, 9)
  v.use(bytes, { relies: v.execveat(fd, '', null, null, EMPTY_PATH) })
}

/** What is missing where somebody does this to a victim that relies on a check. */
const attacked = (attack: (a: Task) => void, options: object = { uid: 1000, gid: 1000 }) =>
  missing((s) => {
    relies(s)
    attack(s.attacker('a', options))
  })

describe('approval and use', () => {
  const attack = (s: CaseBuilder) => s.attacker('a', { uid: 1000 }).chmod('/d/f', 0).may_fail()

  test('nothing that is relied on', () => {
    const reads = (more: (v: Task, fd: ReturnType<Task['open']>) => void) =>
      missing((s) => {
        const v = s.victim('v')
        more(v, v.open('/d/f', 'O_RDONLY'))
        attack(s)
      })
    expect(reads((v, fd) => v.use(v.read(fd, 9)))).toBe(NOTHING)
    expect(reads((v, fd) => v.read(fd, 9))).toBe(NOTHING)
    expect(reads((v, fd) => v.execveat(fd, '', null, null, EMPTY_PATH))).toBe(NOTHING)
    expect(
      reads((v, fd) => {
        v.use(v.read(fd, 9))
        v.execveat(fd, '', null, null, EMPTY_PATH)
      }),
    ).toBe(NOTHING)
  })

  test('another property is something to judge', () => {
    const with_property = (say: (s: CaseBuilder) => void) =>
      missing((s) => {
        s.victim('v').stat('/d/f').as('st')
        attack(s)
        say(s)
      })
    expect(with_property(() => {})).toBe(NOTHING)
    expect(with_property((s) => s.never({ 'v.st': 'EIO' }))).toBeNull()
    expect(with_property((s) => s.reaches({ 'v.st': 'ok' }))).toBeNull()
    expect(with_property((s) => s.property({ name: 'none', violated: () => false }))).toBeNull()
    expect(with_property((s) => s.property('policy'))).toBe(NOTHING)
  })

  test('policy judges whatever is used, if anything is', () => {
    const reads = (count: number) =>
      missing((s) => {
        s.property('policy')
        const v = s.victim('v')
        v.use(v.read(v.open('/d/f', 'O_RDONLY'), count))
        attack(s)
      })
    expect(reads(9)).toBeNull()
    expect(reads(0)).toBe('in no run were any bytes used')
  })

  test('bytes that no property speaks of need not be used', () => {
    const used = (policy: boolean) =>
      missing((s) => {
        if (policy) s.property('policy')
        s.never({ 'v.st': 'EIO' })
        const v = s.victim('v')
        v.stat('/d/f').as('st')
        v.use(v.read(v.open('/d/f', 'O_RDONLY'), 0))
        attack(s)
      })
    expect(used(false)).toBeNull()
    expect(used(true)).toBe('in no run were any bytes used')
  })

  test('a check that never says yes, or whose yes nothing relies on', () => {
    const not_executable = (s: CaseBuilder) => {
      relies(s)
      attack(s)
    }
    expect(missing(not_executable, 0o644)).toBe(NO_YES)
    expect(
      missing((s) => {
        const v = s.victim('v')
        const fd = v.open('/d/f', 'O_RDONLY')
        const check = v.execveat(fd, '', null, null, EMPTY_PATH)
        const none = v.open('/none', 'O_RDONLY').may_fail()
        v.if(none.ok(), () => v.use(v.read(fd, 9), { relies: check }))
        attack(s)
      }),
    ).toBe(NO_USE)
  })
})

describe('an attack', () => {
  test('that the mitigation refuses, of what the victim meets', () => {
    expect(attacked((a) => a.open('/d/f', 'O_WRONLY'))).toBeNull()
    expect(attacked((a) => a.truncate('/d/f', 0))).toBeNull()
    expect(attacked((a) => a.chmod('/d/f', 0o777))).toBeNull()
    expect(attacked((a) => a.unlink('/d/f'))).toBeNull()
    expect(attacked((a) => a.rename('/tmp', '/d/f'))).toBeNull()
  })

  test.each<[string, (a: Task) => void]>([
    ['a name that is not there', (a) => a.open('/d/none', 'O_WRONLY')],
    ['a file below a file', (a) => a.open('/d/f/x', 'O_WRONLY')],
    ['a descriptor that is not open', (a) => a.call('write', 9, 'evil')],
    ['a name that is taken', (a) => a.symlink('x', '/tmp')],
    ['a bad argument', (a) => a.call('renameat2', 'AT_FDCWD', '/d/g', 'AT_FDCWD', '/d/f', 7)],
    ['a bad pointer', (a) => a.call('poke', 4096, 'evil')],
    ['only a look', (a) => a.stat('/d/f')],
    ['only a read', (a) => a.read(a.open('/d/f', 'O_RDONLY'), 9)],
    ['nothing', () => {}],
  ])('%s is none', (_, attack) => {
    expect(attacked(attack)).toBe(NO_ATTACK)
  })

  test.each<[string, (a: Task) => void]>([
    ['a file of its own', (a) => a.write(a.open('/tmp/x', 'O_RDWR|O_CREAT', 0o600), 'evil')],
    ['another file', (a) => a.write(a.open('/d/g', 'O_WRONLY'), 'evil')],
    ['another file, which it may not write', (a) => a.truncate('/d/g', 0)],
    ['a directory beside', (a) => a.mkdir('/tmp/x', 0o700)],
    ['a name in the same directory', (a) => a.unlink('/d/g').may_fail()],
    ['a new name in the same directory', (a) => a.open('/d/new', 'O_CREAT|O_RDWR', 0o600)],
  ])('of %s is none of what the victim uses', (_, attack) => {
    expect(attacked(attack)).toBe(NO_ATTACK)
  })

  test('by root, that changes what the victim meets', () => {
    // The bytes were read before, so that none of these can do harm.
    const reads_first = (attack: (a: Task) => void) =>
      missing((s) => {
        const v = s.victim('v')
        const fd = v.open('/d/f', 'O_RDONLY')
        const check = v.execveat(fd, '', null, null, EMPTY_PATH)
        v.use(v.read(fd, 9), { relies: check })
        attack(s.attacker('a'))
      })
    expect(reads_first((a) => a.unlink('/d/f'))).toBeNull()
    expect(reads_first((a) => a.rename('/d/g', '/d/f'))).toBeNull()
    expect(reads_first((a) => a.chmod('/d', 0o700))).toBeNull()
    expect(reads_first((a) => a.chmod('/d/g', 0o700))).toBe(NO_ATTACK)
    expect(reads_first((a) => a.link('/d/f', '/d/h'))).toBe(NO_ATTACK)
  })

  test('refused by a read-only mount before the name is looked up', () => {
    const on_read_only = (attack: (a: Task) => void) =>
      missing((s) => {
        s.bind('/d', '/tmp', ['ro'])
        relies(s)
        attack(s.attacker('a', { cwd: '/tmp' }))
      })
    expect(on_read_only((a) => a.unlink('f'))).toBeNull()
    expect(on_read_only((a) => a.rename('g', 'f'))).toBeNull()
    expect(on_read_only((a) => a.unlink('g'))).toBe(NO_ATTACK)
    expect(on_read_only((a) => a.open('new', 'O_CREAT|O_RDWR', 0o600))).toBe(NO_ATTACK)
  })

  test('refused by a module counts with whichever errno it answers', () => {
    const answers = (errno: 'ENOENT' | 'EACCES') =>
      missing((s) => {
        relies(s)
        s.module(
          define_module({
            name: 'mine',
            hooks: { file_open: (ctx) => (ctx.task.uid === 1000 ? errno : 0) },
          }),
        )
        s.attacker('a', { uid: 1000 }).open('/d/g', 'O_RDONLY').may_fail()
        s.attacker('b', { uid: 1000 }).open('/d/f', 'O_RDONLY').may_fail()
      })
    expect(answers('EACCES')).toBeNull()
    expect(answers('ENOENT')).toBeNull()
  })

  test('a path that the set-up does not have is no refusal of the attacker', () => {
    const of = (s: CaseBuilder) => {
      const r = s.victim('runtime')
      r.execveat('AT_FDCWD', '/d/f', null, null, 'AT_EXECVE_CHECK').may_fail()
      const a = s.attacker('inside')
      a.open('/proc/self/exe', 'O_PATH').may_fail()
      const w = a.open('/proc/self/fd/3', 'O_WRONLY|O_TRUNC').as('w').may_fail()
      a.if(w.ok(), () => a.write(w, 'evil'))
      s.never({ 'inside.w': 'ok' }, 'the runtime is written')
    }
    expect(missing(of)).toBe(NO_ATTACK)
  })
})

describe('without an attacker', () => {
  test('nobody meets what is used', () => {
    expect(missing((s) => relies(s))).toBe(NOBODY)
    expect(
      missing((s) => {
        relies(s)
        s.task('other').stat('/tmp')
      }),
    ).toBe(NOBODY)
  })

  test('another task meets what is used', () => {
    expect(
      missing((s) => {
        relies(s)
        relies(s, 'w')
      }),
    ).toBeNull()
    expect(
      missing((s) => {
        relies(s)
        s.task('updater').chmod('/d/f', 0o700)
      }),
    ).toBeNull()
  })

  test('an outcome is reached', () => {
    const stat = (say: (s: CaseBuilder) => void) =>
      missing((s) => {
        s.task('t').stat('/').as('st')
        say(s)
      })
    expect(stat(() => {})).toBe(NOTHING)
    expect(stat((s) => s.never({ 't.st': 'failed' }))).toBe(NOBODY)
    expect(stat((s) => s.reaches({ 't.st': 'ok' }))).toBeNull()
  })
})

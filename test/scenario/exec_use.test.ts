/** A real exec uses the bytes that it runs, on the strength of those who said yes to it. */
import { describe, expect, test } from 'vitest'
import { depth_first } from '../../src/explore/depth_first.js'
import type { ModuleDefinition } from '../../src/lsm/module.js'
import type { HookContext } from '../../src/lsm/view.js'
import type { CaseBuilder, Scenario, Task } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { define_module } from '../../src/scenario/code_module.js'
import { exec_look } from '../../src/scenario/exec_monitor.js'
import { case_name } from '../../src/scenario/form.js'
import { approval, used, violation } from '../../src/scenario/monitor.js'
import type { Fd } from '../../src/scenario/results.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import hash_then_exec from '../cases/scenarios/hash-then-exec-safe.js'
import real_exec_gate from '../cases/scenarios/real-exec-gate-safe.js'
import { case_of, run } from './support.js'

const verdicts = (scenario: Scenario) =>
  Object.fromEntries(
    scenario.cases.map((each) => {
      const { verdict, property, unwitnessed, cause } = explore_case(each)
      return [case_name(each.form), { verdict, property, unwitnessed, cause: cause?.kind }]
    }),
  )

const race = (cause: string) => ({ verdict: 'race', property: 'check-use', unwitnessed: null, cause })
const safe = { verdict: 'safe', property: null, unwitnessed: null, cause: undefined }

test('a judge in file_open looks before writes are denied; the others only where an exec denies none', () => {
  const expected: Record<string, unknown> = {}
  for (const gate of ['file_open', 'bprm_creds_for_exec', 'bprm_check_security'])
    for (const profile of ['6.11', '6.18']) {
      const races = gate === 'file_open' || profile === '6.11'
      expected[`gate=${gate} attack=write profile=${profile}`] = races ? race('write in place') : safe
      expected[`gate=${gate} attack=rename profile=${profile}`] = safe
    }
  expect(verdicts(real_exec_gate)).toEqual(expected)
})

test('a loader that reads and then runs relies on what it read', () => {
  expect(verdicts(hash_then_exec)).toEqual({
    'by=fd attack=write profile=6.18': race('write in place'),
    'by=path attack=write profile=6.18': race('write in place'),
    'by=path attack=rename profile=6.18': race('rename over'),
    'by=fd attack=rename profile=6.18': safe,
  })
})

describe('a loader that reads a program before it runs it', () => {
  type Look = (v: Task, fd: Fd) => void
  const whole: Look = (v, fd) => v.use(v.read(fd, 100).as('seen'))
  const loader = (look: Look, attack: (a: Task) => void, run?: (v: Task, fd: Fd) => void) =>
    explore_case(
      case_of((s) => {
        const tree = {
          p: { file: '\x7fELFgood', mode: 0o777 },
          s: { file: '#!/p\n', mode: 0o777 },
          d: { dir: { p: 'another' } },
        }
        s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
        const v = s.victim('loader')
        const fd = v.open('/p', 'O_RDONLY')
        look(v, fd)
        if (run === undefined) v.execveat(fd, '', ['p'], null, 'AT_EMPTY_PATH')
        else run(v, fd)
        attack(s.attacker('writer'))
      }),
    )
  const grow = (a: Task) => {
    a.write(a.open('/p', 'O_WRONLY|O_APPEND'), 'more')
  }
  const change = (a: Task) => {
    a.pwrite(a.open('/p', 'O_WRONLY'), 'evil', 4, 4)
  }
  const none = (a: Task) => void a.open('/p', 'O_PATH')
  const fails = { property: 'check-use' }

  test('has seen the end of the file: bytes behind it are bytes that it did not look at', () => {
    expect(loader(whole, grow)).toMatchObject({
      ...fails,
      verdict: 'race',
      cause: { kind: 'write in place' },
    })
  })

  test('that filled its buffer has not seen the rest, without anybody else', () => {
    expect(loader((v, fd) => v.use(v.read(fd, 4)), none)).toMatchObject({ ...fails, verdict: 'hole' })
    expect(loader((v, fd) => v.use([v.read(fd, 4), v.read(fd, 4)]), none).property).toBe(null)
  })

  test('that judges a part says so, and what stands behind it is its own business', () => {
    const part: Look = (v, fd) => v.use(v.read(fd, 6), { part: true })
    expect(loader(part, grow).property).toBe(null)
    expect(loader(part, change)).toMatchObject({ ...fails, verdict: 'race' })
  })

  test('that has seen an empty file has seen its end', () => {
    const empty: Look = (v, fd) => v.use(v.pread(fd, 100, 8))
    expect(loader(empty, none)).toMatchObject({ ...fails, verdict: 'hole' })
  })

  test('may look through a copy of the descriptor, or through memory', () => {
    expect(loader((v, fd) => whole(v, v.dup(fd)), grow)).toMatchObject(fails)
    const mapped: Look = (v, fd) => v.use(v.peek(v.mmap(0, 4096, 'PROT_READ', 'MAP_PRIVATE', fd, 0), 8))
    expect(loader(mapped, change)).toMatchObject({ ...fails, verdict: 'race' })
    expect(loader(mapped, none).property).toBe(null)
  })

  test('relative paths are the same below the same directory', () => {
    const run = (path: string) => (v: Task) => void v.execveat('AT_FDCWD', path, ['p'], null, 0)
    const relative: Look = (v) => whole(v, v.openat('AT_FDCWD', 'p', 'O_RDONLY'))
    expect(loader(relative, change, run('p'))).toMatchObject({ ...fails, verdict: 'race' })
    const elsewhere: Look = (v) => whole(v, v.openat(v.open('/d', 'O_PATH'), 'p', 'O_RDONLY'))
    expect(loader(elsewhere, none, run('p')).property).toBe(null)
  })

  test.each<[string, Look, (v: Task, fd: Fd) => void]>([
    [
      'an absolute path, whatever it is given to begin at',
      (v) => whole(v, v.openat(v.open('/d', 'O_PATH'), '/p', 'O_RDONLY')),
      (v) => void v.execveat('AT_FDCWD', '/p', ['p'], null, 0),
    ],
    [
      'a relative path of a call that begins where the task is',
      (v) => whole(v, v.open('p', 'O_RDONLY')),
      (v) => void v.execveat('AT_FDCWD', 'p', ['p'], null, 0),
    ],
    [
      'a relative path by a call that begins where the task is',
      (v) => whole(v, v.openat('AT_FDCWD', 'p', 'O_RDONLY')),
      (v) => void v.execve('p', ['p'], null),
    ],
    ['a copy that is run', whole, (v, fd) => void v.execveat(v.dup(fd), '', ['p'], null, 'AT_EMPTY_PATH')],
    [
      'copies of copies',
      (v, fd) => whole(v, v.dup(v.dup(fd))),
      (v, fd) => void v.execveat(v.dup(v.dup(fd)), '', ['p'], null, 'AT_EMPTY_PATH'),
    ],
  ])('looks at what it runs by %s', (_, look, run) => {
    expect(loader(look, change, run)).toMatchObject({ ...fails, verdict: 'race' })
  })

  test.each<[string, Look, (v: Task, fd: Fd) => void]>([
    [
      'another descriptor than the one that it runs',
      (v) => whole(v, v.open('/s', 'O_RDONLY')),
      (v, fd) => void v.execveat(fd, '', ['p'], null, 'AT_EMPTY_PATH'),
    ],
    [
      'memory of another file',
      (v) => v.use(v.peek(v.mmap(0, 4096, 'PROT_READ', 'MAP_PRIVATE', v.open('/s', 'O_RDONLY'), 0), 5)),
      (v, fd) => void v.execveat(fd, '', ['p'], null, 'AT_EMPTY_PATH'),
    ],
  ])('that looked at %s relies on nothing', (_, look, run) => {
    expect(loader(look, none, run).property).toBe(null)
  })

  test('says nothing of the interpreter where it has looked at a script', () => {
    const script: Look = (v) => whole(v, v.open('/s', 'O_RDONLY'))
    expect(loader(script, none, (v) => void v.execve('/s', ['s'], null)).property).toBe(null)
  })
})

describe('while the program runs', () => {
  const run_and = (profile: '6.11' | '6.18', attack: (s: CaseBuilder) => void) =>
    explore_case(
      case_of((s) => {
        s.profile(profile)
        const tree = { p: { file: '\x7fELFgood', mode: 0o777 } }
        s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
        s.victim('runner').execve('/p', ['p'], null).as('run')
        attack(s)
      }),
    )

  test('its pages are those of the file: what is written then is run', () => {
    const after = (s: CaseBuilder) => {
      const a = s.attacker('writer')
      a.write(a.open('/p', 'O_WRONLY'), '\x7fELFevil')
    }
    expect(run_and('6.11', after)).toMatchObject({ verdict: 'race', property: 'check-use' })
    expect(run_and('6.18', after)).toMatchObject({ verdict: 'safe', unwitnessed: null })
  })

  test('a file that is cut short is less than what was approved', () => {
    const cut = (s: CaseBuilder) => void s.attacker('cutter').truncate('/p', 5)
    expect(run_and('6.11', cut)).toMatchObject({ verdict: 'race', property: 'check-use' })
    expect(run_and('6.18', cut)).toMatchObject({ verdict: 'safe', unwitnessed: null })
  })
})

describe('what an exec leaves noted', () => {
  const noted = (program: (v: Task, s: CaseBuilder) => void) => {
    const { k } = run(
      case_of((s) => {
        const tree = {
          p: { file: '\x7fELFgood', mode: 0o777 },
          q: { file: 'garbage', mode: 0o777 },
          s: { file: '#!/q\n', mode: 0o777 },
          empty: { file: '', mode: 0o777 },
        }
        s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
        program(s.victim('runner'), s)
      }),
    )
    return {
      used: used
        .rows(k)
        .map(({ bytes, at, relies, from }) => ({ bytes, at, relied: relies >= 0, runs: from.length / 2 })),
      approved: approval.rows(k).map(({ bytes }) => bytes),
      violated: violation.rows(k).map(({ property, kind }) => `${property}: ${kind}`),
    }
  }
  const DENY = 'policy_name=deny policy_version=0.0.0\nDEFAULT action=ALLOW\nDEFAULT op=EXECUTE action=DENY\n'

  test('the program is used whole, on the strength of what was approved of', () => {
    expect(noted((v) => void v.execve('/p', ['p'], null))).toEqual({
      used: [{ bytes: '\x7fELFgood', at: 0, relied: true, runs: 1 }],
      approved: ['\x7fELFgood'],
      violated: [],
    })
  })

  test('the policy is asked about what runs, where it is a property', () => {
    const violated = (watch: boolean, policy: string) =>
      noted((v, s) => {
        if (watch) s.property('policy')
        s.ipe({ policy, enforce: false })
        v.execve('/p', ['p'], null)
      }).violated
    expect(violated(true, DENY)).toEqual(['policy: unapproved'])
    expect(violated(false, DENY)).toEqual([])
    expect(violated(true, DENY.replace('EXECUTE action=DENY', 'EXECUTE action=ALLOW'))).toEqual([])
  })

  test('of an exec that failed nothing is left: neither an approval nor what was looked at', () => {
    expect(noted((v) => void v.execve('/q', ['q'], null).may_fail())).toEqual({
      used: [],
      approved: [],
      violated: [],
    })
    const later = noted((v) => {
      v.execve('/q', ['q'], null).may_fail()
      v.pwrite(v.open('/q', 'O_WRONLY|O_TRUNC|O_CLOEXEC'), '\x7fELF', 4, 0)
    })
    expect(later.violated).toEqual([])
  })

  test('of an interpreter nobody has said yes to what it holds', () => {
    const script = noted((v) => {
      const fd = v.open('/q', 'O_WRONLY|O_TRUNC')
      v.write(fd, '\x7fELF')
      v.close(fd)
      v.execve('/s', ['s'], null)
    })
    expect(script.used).toEqual([{ bytes: '\x7fELF', at: 0, relied: false, runs: 1 }])
  })

  test('an interpreter that was looked at in an exec which failed is not held to what it was then', () => {
    const script = noted((v) => {
      v.execve('/q', ['q'], null).may_fail()
      const fd = v.open('/q', 'O_WRONLY|O_TRUNC')
      v.write(fd, '\x7fELF')
      v.close(fd)
      v.execve('/s', ['s'], null)
    })
    expect(script.violated).toEqual([])
  })

  test('a look that failed has seen nothing', () => {
    const { violated } = noted((v) => {
      const fd = v.open('/p', 'O_WRONLY')
      v.use(v.read(fd, 100).may_fail())
      v.close(fd)
      v.execve('/p', ['p'], null)
    })
    expect(violated).toEqual([])
  })
})

describe('what a module looks at while a program is run', () => {
  /** What each who looked saw: of the file's own bytes, in a hook about the file that is run. */
  const looked = (hooks: ModuleDefinition['hooks'], program?: (v: Task) => void) => {
    const { k } = run(
      case_of((s) => {
        const tree = { p: { file: '\x7fELFgood', mode: 0o777 }, q: { file: 'other', mode: 0o777 } }
        s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
        s.module(define_module({ name: 'judge', hooks }))
        const v = s.victim('runner')
        if (program === undefined) v.execve('/p', ['p'], null)
        else program(v)
      }),
    )
    return exec_look.rows(k).map(({ by, bytes }) => `${by.replace(/ \d+$/, '')}: ${bytes}`)
  }
  const kernel = 'kernel: \x7fELFgood'

  test('is what runs, in a hook about that', () => {
    const look = (ctx: HookContext<'file_open'>) => (ctx.file.data.bytes() === '' ? 'EACCES' : 0)
    expect(looked({ file_open: look })).toEqual([kernel, 'module judge: \x7fELFgood'])
    const read_before = (v: Task) => {
      v.read(v.open('/q', 'O_RDONLY'), 9)
      v.execve('/p', ['p'], null)
    }
    expect(looked({ file_open: look }, read_before)).toEqual([kernel, 'module judge: \x7fELFgood'])
  })

  test('is nothing that it approves of where a hook is about no open file, or looks at no bytes', () => {
    expect(looked({ inode_permission: (ctx) => (ctx.inode.bytes() === 'none' ? 'EACCES' : 0) })).toEqual([
      kernel,
    ])
    expect(looked({ file_open: (ctx) => (ctx.file.uid === 7 ? 'EACCES' : 0) })).toEqual([kernel])
  })

  test('is nothing outside of an exec', () => {
    const reads = (v: Task) => void v.open('/p', 'O_RDONLY')
    expect(looked({ file_open: (ctx) => (ctx.file.data.bytes() === '' ? 'EACCES' : 0) }, reads)).toEqual([])
  })
})

test('what the program is at its end takes the place of what it was when it was mapped', () => {
  const of = case_of((s) => {
    s.profile('6.11')
    const tree = { p: { file: '\x7fELFgood', mode: 0o777 } }
    s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
    s.victim('runner').execve('/p', ['p'], null)
    const a = s.attacker('writer')
    a.pwrite(a.open('/p', 'O_WRONLY'), 'evil', 4, 4)
    s.property({
      name: 'runs what was written after it was approved',
      violated: (k) =>
        exec_look.rows(k).some(({ bytes }) => bytes === '\x7fELFgood') &&
        used.rows(k).some(({ bytes }) => bytes === '\x7fELFevil'),
    })
  })
  expect(depth_first(case_system(of)).violations.map(({ property }) => property)).toContain(
    'runs what was written after it was approved',
  )
})

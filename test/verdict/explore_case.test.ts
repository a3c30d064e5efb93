import { describe, expect, test } from 'vitest'
import overlay from '../../scenarios/overlay-copy-up.js'
import { type CaseBuilder, make_scenario } from '../../src/scenario/builder.js'
import { define_module } from '../../src/scenario/code_module.js'
import { case_name, type OutcomeForm } from '../../src/scenario/form.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { inode } from '../../src/vfs/inode.js'
import { case_of, message_of } from '../scenario/support.js'

function two(s: CaseBuilder) {
  s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: { file: 'x', mode: 0o777 } } }))
  const reader = s.victim('reader')
  const writer = s.attacker('writer')
  return { reader, writer }
}

describe('outcomes', () => {
  test('never: a run that has it is a violation', () => {
    const report = explore_case(
      case_of((s) => {
        const { reader, writer } = two(s)
        reader.execveat('AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK').as('check')
        writer.open('/f', 'O_WRONLY').as('open')
        writer.pause()
        s.never({ 'reader.check': 'ETXTBSY' })
      }),
    )
    expect(report).toMatchObject({
      verdict: 'hole',
      property: 'never reader.check=ETXTBSY',
      preemptions: 0,
      cause: { kind: 'write access', task: 'writer', stage: 'file_get_write_access' },
    })
  })

  test('never: a race where tasks must interleave', () => {
    const report = explore_case(
      case_of((s) => {
        const { reader, writer } = two(s)
        reader.execveat('AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK').as('check')
        writer.open('/f', 'O_WRONLY').as('open')
        s.never({ 'writer.open': 'ETXTBSY' }, 'denied')
      }),
    )
    expect(report).toMatchObject({ verdict: 'race', property: 'denied', preemptions: 1 })
  })

  test('reaches: what no run shows is a hole without a counterexample', () => {
    const report = explore_case(
      case_of((s) => {
        const { reader, writer } = two(s)
        reader.stat('/f').as('st')
        writer.open('/f', 'O_WRONLY|O_TRUNC').as('open')
        s.reaches({ 'reader.st': 'ENOENT' }, 'the file goes')
        s.reaches({ 'reader.st': 0, 'writer.open': 3 }, 'both')
      }),
    )
    expect(report).toMatchObject({
      verdict: 'hole',
      property: 'the file goes',
      unreached: ['the file goes'],
      cause: { kind: 'not reached', text: 'no run reaches it' },
      counterexample: null,
      steps: null,
    })
  })

  test('of a forked child are looked at too', () => {
    const of = (say: (s: CaseBuilder) => void) =>
      case_of((s) => {
        const { reader } = two(s)
        reader.fork((child) => child.fork((grandchild) => grandchild.open('/f', 'O_RDONLY').as('o')))
        say(s)
      })
    expect(explore_case(of((s) => s.never({ 'reader.o': 'ok' })))).toMatchObject({
      verdict: 'hole',
      property: 'never reader.o=ok',
    })
    expect(explore_case(of((s) => s.reaches({ 'reader.o': 'ok' })))).toMatchObject({
      property: null,
      unreached: [],
    })
  })

  test.each<[string, OutcomeForm, string]>([
    [
      'a task',
      { 'redaer.st': 'ok' },
      'properties[0].never."redaer.st": expected task.result; no task is named "redaer"; did you mean reader?',
    ],
    [
      'a result',
      { 'reader.sta': 'ok' },
      'properties[0].never."reader.sta": reader has no result "sta"; did you mean st?',
    ],
    [
      'a value',
      { 'reader.st': 'okay' as 'ok' },
      'properties[0].never."reader.st": expected ok, failed, the name of an errno or signal, or a number, not "okay"; did you mean ok?',
    ],
  ])('a mistake in %s', (_, outcome, expected) => {
    const of = case_of((s) => {
      two(s).reader.stat('/f').as('st')
      s.never(outcome)
    })
    expect(message_of(() => explore_case(of))).toBe(expected)
  })
})

describe('bounds', () => {
  test('bounds are never safe', () => {
    const of = case_of((s) => {
      const { reader, writer } = two(s)
      reader.stat('/f')
      writer.stat('/f')
    })
    expect(explore_case(of, { max_states: 3 })).toMatchObject({ verdict: 'incomplete', bounds: ['states'] })
  })
})

const NAME = 'access=read mitigation=none profile=7.2'
test('with little memory the same is said of what is found', () => {
  const of = overlay.cases.find(({ form }) => case_name(form) === NAME)!
  const { verdict, property, steps, minimal, cause } = explore_case(of)
  expect(property).toBe('check-use')
  expect(explore_case(of, { max_memory: 1 << 20 })).toMatchObject({
    verdict,
    property,
    steps,
    minimal,
    cause,
  })
})

test('of several properties that are violated at once the first is named', () => {
  const of = (first: string, second: string) =>
    case_of((s) => {
      two(s).reader.stat('/f').as('st')
      for (const name of [first, second]) s.never({ 'reader.st': 'ok' }, name)
    })
  expect(explore_case(of('a', 'b')).property).toBe('a')
  expect(explore_case(of('b', 'a')).property).toBe('b')
})

describe('a property that is code', () => {
  test('is looked at in every state', () => {
    const report = explore_case(
      case_of((s) => {
        const { writer } = two(s)
        writer.open('/f', 'O_WRONLY')
        s.property({ name: 'no writers', violated: (k) => inode.rows(k).some((row) => row.i_writecount > 0) })
      }),
    )
    expect(report).toMatchObject({ verdict: 'hole', property: 'no writers' })
  })
})

describe('code that is not deterministic', () => {
  const with_hook = (file_open: () => 0 | 'EACCES') =>
    case_of((s) => {
      const { reader, writer } = two(s)
      reader.open('/f', 'O_RDONLY').may_fail()
      reader.open('/f', 'O_RDONLY').may_fail()
      writer.open('/f', 'O_RDONLY').may_fail()
      s.module(define_module({ name: 'moody', hooks: { file_open } }))
    })

  test('a module that answers otherwise the next time', () => {
    let asked = 0
    const of = with_hook(() => (asked++ % 2 === 0 ? 0 : 'EACCES'))
    expect(message_of(() => explore_case(of, {}, 'cases[2]'))).toMatch(
      /^cases\[2\]: module moody is not deterministic/,
    )
  })

  test('a module that remembers something from one run to the next', () => {
    let asked = 0
    const of = with_hook(() => (++asked > 20 ? 'EACCES' : 0))
    expect(message_of(() => explore_case(of))).toMatch(/^module moody is not deterministic/)
  })

  test('a property', () => {
    let asked = 0
    const of = case_of((s) => {
      two(s).reader.stat('/f')
      s.property({ name: 'moody', violated: () => ++asked % 2 === 0 })
    })
    expect(message_of(() => explore_case(of))).toMatch(/^property moody is not deterministic/)
  })

  test('nothing is said of a module that is', () => {
    expect(explore_case(with_hook(() => 'EACCES')).property).toBeNull()
  })
})

describe('code that remembers', () => {
  const reading = (hook: (c: any) => 0 | 'EACCES') =>
    case_of((s) => {
      const { reader, writer } = two(s)
      s.module(define_module({ name: 'm', hooks: { file_open: hook } }))
      const fd = reader.open('/f', 'O_RDONLY').may_fail()
      reader.read(fd, 10).may_fail()
      reader.open('/f', 'O_RDONLY').may_fail()
      writer.write(writer.open('/f', 'O_WRONLY').may_fail(), 'y').may_fail()
    })

  test.each<[string, () => (c: any) => 0 | 'EACCES']>([
    [
      'what it has seen of an inode',
      () => {
        const seen = new Map<number, string>()
        return (c) => {
          const n = c.file.inode.number
          if (!seen.has(n)) seen.set(n, c.file.data.bytes())
          return seen.get(n) === 'x' ? 0 : 'EACCES'
        }
      },
    ],
    [
      'how often it was asked',
      () => {
        let asked = 0
        return () => (++asked > 100 ? 'EACCES' : 0)
      },
    ],
    [
      'what it answered last',
      () => {
        let last: 0 | 'EACCES' = 0
        return (c) => {
          if (c.file.data.bytes() === 'y') last = 'EACCES'
          return last
        }
      },
    ],
    [
      'the context of another call',
      () => {
        let first: any
        return (c) => {
          first ??= c
          return first.file.data.bytes() === 'x' ? 'EACCES' : 0
        }
      },
    ],
  ])('a module: %s', (_, make) => {
    expect(message_of(() => explore_case(reading(make()), {}, 'cases[1]'))).toMatch(
      /^cases\[1\]: module m is not deterministic: /,
    )
  })

  test('a module that remembers from one case to the next is found by building the case again', () => {
    let gate: unknown
    const both = make_scenario({
      name: 'gate',
      summary: 'a variable outside of build',
      params: { open: [true, false] },
      build(s, { open }) {
        gate = open
        two(s).reader.open('/f', 'O_RDONLY').may_fail()
        s.module(define_module({ name: 'm', hooks: { file_open: () => (gate ? 0 : 'EACCES') } }))
      },
    })
    expect(message_of(() => explore_case(both.cases[0]!))).toMatch(/module m is not deterministic/)
  })

  test('a case that is another when it is built again', () => {
    let n = 0
    const of = case_of((s) => {
      two(s).reader.open(`/f${n++}`, 'O_RDONLY').may_fail()
      s.property({ name: 'p', violated: () => false })
    })
    expect(message_of(() => explore_case(of))).toMatch(/is not the same when it is built again/)
  })

  test('a property that stays true once it was', () => {
    let seen = false
    const of = case_of((s) => {
      const { reader, writer } = two(s)
      reader.stat('/f')
      reader.stat('/f')
      writer.write(writer.open('/f', 'O_WRONLY'), 'x')
      s.property({
        name: 'was written',
        violated(k) {
          if (inode.rows(k).some((row) => row.i_writecount > 0)) seen = true
          return seen
        },
      })
    })
    expect(message_of(() => explore_case(of))).toMatch(/^property was written is not deterministic/)
  })

  test('a module that looks at much and keeps nothing is let be', () => {
    const of = reading((c) =>
      JSON.stringify({ ...c.task }).length > 0 && c.file.data.bytes().length > 3 && c.task.groups.length === 0
        ? 0
        : 0,
    )
    expect(explore_case(of).verdict).toBeDefined()
  })
})

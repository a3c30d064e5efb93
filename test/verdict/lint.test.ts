/** What is odd about a case is told, and nothing is told of one that is in order. */
import { describe, expect, test } from 'vitest'
import type { CaseBuilder, Task } from '../../src/scenario/builder.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of } from '../scenario/support.js'

const check = (t: Task, fd: ReturnType<Task['open']>) =>
  t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')

function lints(write: (s: CaseBuilder) => void): readonly string[] {
  return explore_case(
    case_of((s) => {
      const tree = { f: { file: 'good', mode: 0o755 }, g: { file: 'other', mode: 0o755 } }
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
      write(s)
    }),
  ).lints
}

const attacker = (s: CaseBuilder) => s.attacker('a', { uid: 1000 }).truncate('/f', 0)
function victim(s: CaseBuilder) {
  const v = s.victim('v')
  return { v, fd: v.open('/f', 'O_RDONLY') }
}

describe('lints', () => {
  test('nothing is odd', () => {
    expect(
      lints((s) => {
        const { v, fd } = victim(s)
        v.use(v.read(fd, 9), { relies: check(v, fd) })
        attacker(s)
      }),
    ).toEqual([])
  })

  test('a check without a use, unless an outcome speaks of it', () => {
    const asks = (say: (s: CaseBuilder) => void) =>
      lints((s) => {
        const { v, fd } = victim(s)
        v.repeat(2, () => check(v, fd))
        attacker(s)
        say(s)
      })
    expect(asks(() => {})).toEqual([
      'v makes the check check, and no use relies on it: use(bytes, { relies: check })',
    ])
    expect(asks((s) => s.never({ 'v.check': 'EIO' }))).toEqual([])
    expect(asks((s) => s.reaches({ 'v.check': 'ok' }))).toEqual([])
  })

  test('a use without an approval, unless a policy judges it', () => {
    const uses = (say: (s: CaseBuilder) => void) =>
      lints((s) => {
        const { v, fd } = victim(s)
        v.use(v.read(fd, 9))
        attacker(s)
        say(s)
      })
    expect(uses(() => {})).toEqual(['v uses bytes, relying on no check: nothing says what they should be'])
    const policy = 'policy_name=any policy_version=0.0.0\nDEFAULT action=ALLOW\n'
    expect(
      uses((s) => {
        s.property('policy')
        s.ipe(policy)
      }),
    ).toEqual([])
    expect(uses((s) => s.property('policy'))).toEqual([
      'nothing could violate policy: no security module of the case has one',
    ])
  })

  test('a policy without any use', () => {
    expect(
      lints((s) => {
        victim(s)
        attacker(s)
        s.property('policy')
        s.ipe('policy_name=any policy_version=0.0.0\nDEFAULT action=ALLOW\n')
      }),
    ).toEqual(['nothing could violate policy: nobody uses any bytes'])
  })

  test('an outcome that must not come, of a call that no run makes', () => {
    expect(
      lints((s) => {
        const { v } = victim(s)
        const none = v.open('/none', 'O_RDONLY').may_fail()
        v.if(none.ok(), () => v.unlink('/f').as('gone'))
        attacker(s)
        s.never({ 'v.gone': 'ok', 'v.fd': 'failed' }, 'bad')
      }),
    ).toEqual(['nothing could violate bad: no run that was watched calls v.gone'])
  })

  test('an attacker that meets nobody', () => {
    const attacks = (path: string) =>
      lints((s) => {
        const { v, fd } = victim(s)
        v.use(v.read(fd, 9), { relies: check(v, fd) })
        s.attacker('a').stat(path).may_fail()
      })
    expect(attacks('/f')).toEqual([])
    for (const path of ['/g', '/none', '/'])
      expect(attacks(path)).toEqual(['a never meets a file or a name that the others touch'])
  })

  test('no attacker, unless an outcome must be reached', () => {
    const alone = (say: (s: CaseBuilder) => void) =>
      lints((s) => {
        const { v, fd } = victim(s)
        v.use(v.read(fd, 9), { relies: check(v, fd) })
        say(s)
      })
    expect(alone(() => {})).toEqual(['no task has the role attacker'])
    expect(alone((s) => s.reaches({ 'v.check': 'ok' }))).toEqual([])
  })
})

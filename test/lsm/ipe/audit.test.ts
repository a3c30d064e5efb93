import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8_bytes } from '../../../src/kernel/decode.js'
import {
  audit_access_record,
  audit_default,
  audit_rule,
  audit_untrusted,
  type IpeAccess,
} from '../../../src/lsm/ipe/audit.js'

const ACCESS: IpeAccess = {
  op: 'EXECUTE',
  hook: 'MMAP',
  enforcing: true,
  pid: 77,
  comm: 'app',
  file: { path: '/srv/x.so', dev: 'overlay', ino: 913 },
  rule: 'DEFAULT op=EXECUTE action=DENY',
}

describe('the access record', () => {
  test('the order of its fields', () => {
    expect(audit_access_record(ACCESS)).toBe(
      'type=1420 ipe_op=EXECUTE ipe_hook=MMAP enforcing=1 pid=77 comm="app" path="/srv/x.so" dev="overlay" ino=913 ' +
        'rule="DEFAULT op=EXECUTE action=DENY"',
    )
  })

  test('without a file, permissive, by the check hook', () => {
    const access: IpeAccess = { ...ACCESS, hook: 'BPRM_CREDS_FOR_EXEC', enforcing: false, file: null }
    expect(audit_access_record(access)).toBe(
      'type=1420 ipe_op=EXECUTE ipe_hook=BPRM_CREDS_FOR_EXEC enforcing=0 pid=77 comm="app" path=? dev=? ino=? ' +
        'rule="DEFAULT op=EXECUTE action=DENY"',
    )
  })

  test('name, path and device are quoted one by one; a big inode number stays whole', () => {
    const file = { path: '/a b', dev: 'd"', ino: 18446744073709551615n }
    expect(audit_access_record({ ...ACCESS, comm: utf8_bytes('é'), file })).toContain(
      'comm=C3A9 path=2F612062 dev=6422 ino=18446744073709551615 rule="',
    )
  })

  test('a deleted file has a space in its path', () => {
    const file = { path: '/s (deleted)', dev: 'tmpfs', ino: 2 }
    expect(audit_access_record({ ...ACCESS, file })).toContain('path=2F73202864656C6574656429 dev="tmpfs"')
  })

  test('an unknown operation', () => {
    const rule = audit_default(null, 'DENY')
    const access: IpeAccess = { ...ACCESS, op: 'UNKNOWN', hook: 'KERNEL_LOAD', file: null, rule }
    expect(audit_access_record(access)).toContain('ipe_op=UNKNOWN ipe_hook=KERNEL_LOAD')
    expect(audit_access_record(access)).toContain('rule="DEFAULT action=DENY"')
  })
})

describe('strings that a user may have chosen', () => {
  test.each([
    ['sh', '"sh"'],
    ['', '""'],
    ['a\\b!~', '"a\\b!~"'],
    ['a b', '612062'],
    ['a"b', '612262'],
    ['a\tb', '610962'],
    ['a\x7f', '617F'],
    ['\x1f', '1F'],
    ['é', 'C3A9'],
    ['€', 'E282AC'],
    ['\u{1f600}', 'F09F9880'],
    ['\ud800', 'EFBFBD'],
    ['ab\0cd', '"ab"'],
    ['a b\0cd', '612062'],
  ])('%j', (text, quoted) => {
    expect(audit_untrusted(utf8_bytes(text))).toBe(quoted)
  })

  test('are the bytes of the string, never anything else', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((s) => !s.includes('\0')),
        (text) => {
          const quoted = audit_untrusted(utf8_bytes(text))
          if (quoted.startsWith('"')) expect(quoted).toBe(`"${text}"`)
          else expect(quoted).toBe(Buffer.from(text).toString('hex').toUpperCase())
        },
      ),
    )
  })

  test('of any length', () => {
    expect(audit_untrusted('a'.repeat(300_000))).toHaveLength(300_002)
    expect(audit_untrusted(' '.repeat(300_000))).toHaveLength(600_000)
  })
})

describe('the rule', () => {
  test('without properties', () => {
    expect(audit_rule({ op: 'POLICY', props: [], action: 'ALLOW' })).toBe('op=POLICY action=ALLOW')
  })

  test('with flags and digests, in their order; the algorithm quoted, the digest in upper case', () => {
    const rule = audit_rule({
      op: 'EXECUTE',
      props: [
        { name: 'fsverity_digest', value: { alg: 'sha256', hex: '0abf' } },
        { name: 'boot_verified', value: false },
        { name: 'dmverity_signature', value: true },
        { name: 'dmverity_roothash', value: { alg: 'bad"alg', hex: '' } },
      ],
      action: 'DENY',
    })
    expect(rule).toBe(
      'op=EXECUTE fsverity_digest="sha256":0ABF boot_verified=FALSE dmverity_signature=TRUE ' +
        'dmverity_roothash=62616422616C67: action=DENY',
    )
    expect(audit_access_record({ ...ACCESS, rule })).toContain(
      'rule="op=EXECUTE fsverity_digest="sha256":0ABF ',
    )
  })

  test('defaults', () => {
    expect(audit_default('EXECUTE', 'DENY')).toBe('DEFAULT op=EXECUTE action=DENY')
    expect(audit_default(null, 'ALLOW')).toBe('DEFAULT action=ALLOW')
  })
})

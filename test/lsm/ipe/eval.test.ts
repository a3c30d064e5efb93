import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluate, type IpeContext } from '../../../src/lsm/ipe/eval.js'
import { IPE_OPS, type IpePolicy } from '../../../src/lsm/ipe/policy.js'
import { parse_policy } from '../../../src/lsm/ipe/policy_parser.js'

function policy(...lines: string[]): IpePolicy {
  const result = parse_policy(['policy_name=p policy_version=0.0.0', ...lines].join('\n'))
  if ('error' in result) throw new Error(JSON.stringify(result.error))
  return result.policy
}

const PLAIN: IpeContext = { has_file: true, initramfs: false, dmverity: null, fsverity: null }
const NO_FILE: IpeContext = { ...PLAIN, has_file: false }
const BOOT: IpeContext = { ...PLAIN, initramfs: true }
const ROOTHASH = { alg: 'sha256', hex: 'ab01' }
const DM: IpeContext = { ...PLAIN, dmverity: { roothash: ROOTHASH, signed: false } }
const DM_SIGNED: IpeContext = { ...PLAIN, dmverity: { roothash: ROOTHASH, signed: true } }
const FS: IpeContext = { ...PLAIN, fsverity: { digest: ROOTHASH, signed: false } }
const FS_SIGNED: IpeContext = { ...PLAIN, fsverity: { digest: ROOTHASH, signed: true } }
const CONTEXTS = { PLAIN, NO_FILE, BOOT, DM, DM_SIGNED, FS, FS_SIGNED }

describe('a property holds in', () => {
  test.each([
    ['boot_verified=TRUE', 'BOOT'],
    ['boot_verified=FALSE', 'PLAIN NO_FILE DM DM_SIGNED FS FS_SIGNED'],
    ['dmverity_signature=TRUE', 'DM_SIGNED'],
    ['dmverity_signature=FALSE', 'PLAIN NO_FILE BOOT DM FS FS_SIGNED'],
    ['dmverity_roothash=sha256:ab01', 'DM DM_SIGNED'],
    ['dmverity_roothash=sha256:AB01', 'DM DM_SIGNED'],
    ['dmverity_roothash=SHA256:ab01', ''],
    ['dmverity_roothash=sha512:ab01', ''],
    ['dmverity_roothash=sha256:ab02', ''],
    ['dmverity_roothash=sha256:ab', ''],
    ['dmverity_roothash=sha256:ab0100', ''],
    ['dmverity_roothash=sha256:', ''],
    ['fsverity_signature=TRUE', 'FS_SIGNED'],
    ['fsverity_signature=FALSE', 'PLAIN NO_FILE BOOT DM DM_SIGNED FS'],
    ['fsverity_digest=sha256:ab01', 'FS FS_SIGNED'],
    ['fsverity_digest=sha512:ab01', ''],
    ['fsverity_digest=sha256:ab02', ''],
    ['dmverity_signature=FALSE boot_verified=FALSE', 'PLAIN NO_FILE DM FS FS_SIGNED'],
    ['boot_verified=TRUE boot_verified=FALSE', ''],
    ['', 'PLAIN NO_FILE BOOT DM DM_SIGNED FS FS_SIGNED'],
  ])('%s: %s', (props, names) => {
    const p = policy('DEFAULT action=DENY', `op=EXECUTE ${props} action=ALLOW`)
    const holds = Object.entries(CONTEXTS).filter(
      ([, ctx]) => evaluate(p, 'EXECUTE', ctx, true, false).action === 'ALLOW',
    )
    expect(holds.map(([name]) => name).join(' ')).toBe(names)
  })

  test('upper-case hex of the file is the same bytes', () => {
    const p = policy('DEFAULT action=DENY', 'op=EXECUTE dmverity_roothash=sha256:ab01 action=ALLOW')
    const ctx = { ...PLAIN, dmverity: { roothash: { alg: 'sha256', hex: 'AB01' }, signed: false } }
    expect(evaluate(p, 'EXECUTE', ctx, true, false).action).toBe('ALLOW')
  })

  test('upper-case hex of a policy made by hand is the same bytes too', () => {
    const p = policy('DEFAULT action=DENY')
    const props = [{ name: 'fsverity_digest' as const, value: { alg: 'sha256', hex: 'AB01' } }]
    const table = {
      default_action: null,
      rules: [{ op: 'EXECUTE' as const, props, action: 'ALLOW' as const }],
    }
    const by_hand: IpePolicy = { ...p, rules: { ...p.rules, EXECUTE: table } }
    expect(evaluate(by_hand, 'EXECUTE', FS, true, false).action).toBe('ALLOW')
  })

  test('without a file nothing that a context might still say is looked at', () => {
    const ctx = { ...BOOT, ...DM_SIGNED, initramfs: true, fsverity: FS_SIGNED.fsverity, has_file: false }
    for (const prop of ['boot_verified=TRUE', 'dmverity_signature=TRUE', 'fsverity_digest=sha256:ab01']) {
      const p = policy('DEFAULT action=DENY', `op=EXECUTE ${prop} action=ALLOW`)
      expect(evaluate(p, 'EXECUTE', ctx, true, false).action, prop).toBe('DENY')
    }
  })
})

describe('the order of evaluation', () => {
  const p = policy(
    'DEFAULT action=ALLOW',
    'DEFAULT op=EXECUTE action=DENY',
    'op=EXECUTE boot_verified=TRUE action=ALLOW',
    'op=EXECUTE boot_verified=TRUE action=DENY',
    'op=KMODULE dmverity_roothash=sha256:ab01 boot_verified=FALSE action=DENY',
  )

  test('no policy allows, and audits nothing even where successes are audited', () => {
    expect(evaluate(null, 'EXECUTE', PLAIN, true, true)).toEqual({
      action: 'ALLOW',
      match: 'none',
      rule: '',
      errno: 0,
      audited: false,
    })
  })

  test('the first matching rule', () => {
    expect(evaluate(p, 'EXECUTE', BOOT, true, false)).toEqual({
      action: 'ALLOW',
      match: 'rule',
      rule: 'op=EXECUTE boot_verified=TRUE action=ALLOW',
      errno: 0,
      audited: false,
    })
  })

  test('the default of the operation', () => {
    expect(evaluate(p, 'EXECUTE', PLAIN, true, false)).toEqual({
      action: 'DENY',
      match: 'op',
      rule: 'DEFAULT op=EXECUTE action=DENY',
      errno: 'EACCES',
      audited: true,
    })
  })

  test('the global default, where the operation has none', () => {
    const { match, rule } = evaluate(p, 'KMODULE', PLAIN, true, false)
    expect([match, rule]).toEqual(['global', 'DEFAULT action=ALLOW'])
  })

  test('rules of another operation do not count', () => {
    expect(evaluate(p, 'FIRMWARE', DM, true, false).match).toBe('global')
    expect(evaluate(p, 'KMODULE', DM, true, false)).toMatchObject({
      match: 'rule',
      rule: 'op=KMODULE dmverity_roothash="sha256":AB01 boot_verified=FALSE action=DENY',
    })
  })

  test('an unknown operation goes to the global default, and is allowed where there is none', () => {
    const deny = policy('DEFAULT action=DENY', 'op=EXECUTE action=ALLOW')
    expect(evaluate(deny, 'UNKNOWN', PLAIN, true, false)).toMatchObject({ match: 'global', errno: 'EACCES' })
    const none = policy(...IPE_OPS.map((op) => `DEFAULT op=${op} action=DENY`))
    expect(evaluate(none, 'UNKNOWN', PLAIN, true, true)).toEqual({
      action: 'ALLOW',
      match: 'global',
      rule: 'DEFAULT action=ALLOW',
      errno: 0,
      audited: true,
    })
  })

  test.each([
    [true, true, BOOT, 0, true],
    [true, false, BOOT, 0, false],
    [false, true, BOOT, 0, true],
    [false, false, BOOT, 0, false],
    [true, true, PLAIN, 'EACCES', true],
    [true, false, PLAIN, 'EACCES', true],
    [false, true, PLAIN, 0, true],
    [false, false, PLAIN, 0, true],
  ] as const)('enforce %s, success_audit %s', (enforce, success_audit, ctx, errno, audited) => {
    const decision = evaluate(p, 'EXECUTE', ctx, enforce, success_audit)
    expect([decision.errno, decision.audited]).toEqual([errno, audited])
    expect(decision.action).toBe(ctx === PLAIN ? 'DENY' : 'ALLOW')
  })
})

test('first match wins: what stands behind a matching rule changes nothing', () => {
  const rule = fc
    .tuple(
      fc.subarray([
        'boot_verified=TRUE',
        'boot_verified=FALSE',
        'dmverity_signature=TRUE',
        'fsverity_signature=FALSE',
      ]),
      fc.constantFrom('ALLOW', 'DENY'),
    )
    .map(([props, action]) => ['op=EXECUTE', ...props, `action=${action}`].join(' '))
  fc.assert(
    fc.property(
      fc.array(rule),
      fc.array(rule),
      fc.constantFrom(...Object.values(CONTEXTS)),
      (before, after, ctx) => {
        const ask = (rules: string[]) =>
          evaluate(policy('DEFAULT action=DENY', ...rules), 'EXECUTE', ctx, true, true)
        const matching = before.filter((line) => ask([line]).match === 'rule')
        const decision = ask([...before, ...after])
        expect(decision).toEqual(matching.length > 0 ? ask(matching.slice(0, 1)) : ask(after))
      },
    ),
    { numRuns: 500 },
  )
})

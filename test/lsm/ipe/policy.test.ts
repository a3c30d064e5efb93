import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  format_policy,
  format_rule,
  IPE_OPS,
  type IpeAction,
  type IpeOp,
  type IpeOpTable,
  type IpePolicy,
  type IpeProp,
} from '../../../src/lsm/ipe/policy.js'
import { parse_policy } from '../../../src/lsm/ipe/policy_parser.js'

const action = fc.constantFrom<IpeAction>('ALLOW', 'DENY')
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((s) => !/[ \t\n\r\0#]/.test(s))
const digest = fc.record({
  alg: fc.oneof(
    fc.constantFrom('sha256', 'sha512', ''),
    name.filter((s) => !s.includes(':')),
  ),
  hex: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
})
const prop: fc.Arbitrary<IpeProp> = fc.oneof(
  fc.record({
    name: fc.constantFrom(
      'boot_verified' as const,
      'dmverity_signature' as const,
      'fsverity_signature' as const,
    ),
    value: fc.boolean(),
  }),
  fc.record({
    name: fc.constantFrom('dmverity_roothash' as const, 'fsverity_digest' as const),
    value: digest,
  }),
)

function table(op: IpeOp, fallback: fc.Arbitrary<IpeAction | null>): fc.Arbitrary<IpeOpTable> {
  const rule = fc.record({ op: fc.constant(op), props: fc.array(prop, { maxLength: 4 }), action })
  return fc.record({ default_action: fallback, rules: fc.array(rule, { maxLength: 4 }) })
}

/** Either a global default or a default for every operation. */
const policy: fc.Arbitrary<IpePolicy> = fc.option(action).chain((global_default_action) => {
  const fallback = global_default_action === null ? action : fc.option(action)
  const u16 = fc.nat(0xffff)
  return fc.record({
    name,
    version: fc.tuple(u16, u16, u16),
    rules: fc.record({
      EXECUTE: table('EXECUTE', fallback),
      FIRMWARE: table('FIRMWARE', fallback),
      KMODULE: table('KMODULE', fallback),
      KEXEC_IMAGE: table('KEXEC_IMAGE', fallback),
      KEXEC_INITRAMFS: table('KEXEC_INITRAMFS', fallback),
      POLICY: table('POLICY', fallback),
      X509_CERT: table('X509_CERT', fallback),
    }),
    global_default_action: fc.constant(global_default_action),
  })
})

test('a random policy is printed and parsed back to the same', () => {
  fc.assert(
    fc.property(policy, (p) => {
      expect(parse_policy(format_policy(p))).toEqual({ policy: p })
    }),
    { numRuns: 500 },
  )
})

test('the canonical form', () => {
  const text =
    'op=X509_CERT action=DENY#c\n'.repeat(2) +
    'DEFAULT op=KMODULE action=DENY\nop=EXECUTE  dmverity_roothash=sha256:AB\tboot_verified=TRUE action=ALLOW\r' +
    'DEFAULT action=ALLOW'
  const result = parse_policy(`policy_name=p policy_version=01.+2.3\n${text}`)
  expect('policy' in result && format_policy(result.policy)).toBe(
    'policy_name=p policy_version=1.2.3\n' +
      'DEFAULT action=ALLOW\n' +
      'op=EXECUTE dmverity_roothash=sha256:ab boot_verified=TRUE action=ALLOW\n' +
      'DEFAULT op=KMODULE action=DENY\n' +
      'op=X509_CERT action=DENY\nop=X509_CERT action=DENY\n',
  )
})

test('a rule without properties, and one with a false property', () => {
  expect(format_rule({ op: 'POLICY', props: [], action: 'DENY' })).toBe('op=POLICY action=DENY')
  const props: IpeProp[] = [{ name: 'fsverity_signature', value: false }]
  expect(format_rule({ op: 'EXECUTE', props, action: 'ALLOW' })).toBe(
    'op=EXECUTE fsverity_signature=FALSE action=ALLOW',
  )
})

test('the operations are those of the kernel, in its order', () => {
  expect(IPE_OPS.join(' ')).toBe('EXECUTE FIRMWARE KMODULE KEXEC_IMAGE KEXEC_INITRAMFS POLICY X509_CERT')
})

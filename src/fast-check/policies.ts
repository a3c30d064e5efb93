/** Random IPE policies: texts that the kernel's parser accepts. */
import fc from 'fast-check'
import { IPE_OPS } from '../lsm/ipe/policy.js'

const action = fc.constantFrom('ALLOW', 'DENY').map((each) => `action=${each}`)
const op = fc.oneof({ weight: 3, arbitrary: fc.constant('EXECUTE') }, fc.constantFrom(...IPE_OPS))
const flag = fc.tuple(
  fc.constantFrom('boot_verified', 'dmverity_signature', 'fsverity_signature'),
  fc.constantFrom('TRUE', 'FALSE'),
)
const digest = fc.tuple(
  fc.constantFrom('dmverity_roothash', 'fsverity_digest'),
  fc.constantFrom('sha256:00', 'sha256:ab', 'sha512:ff'),
)
const property = fc.oneof(flag, digest).map(([name, value]) => `${name}=${value}`)
const rule = fc
  .tuple(op, fc.array(property, { maxLength: 2 }), action)
  .map(([name, properties, act]) => [`op=${name}`, ...properties, act].join(' '))

/** Every operation has an action: a DEFAULT for all, or one for each. */
const defaults = fc.oneof(
  action.map((act) => [`DEFAULT ${act}`]),
  fc.tuple(action, action).map(([all, exec]) => [`DEFAULT ${all}`, `DEFAULT op=EXECUTE ${exec}`]),
  fc
    .tuple(...IPE_OPS.map(() => action))
    .map((acts) => acts.map((act, i) => `DEFAULT op=${IPE_OPS[i]} ${act}`)),
)

/** The text of a policy. */
export function policies(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(65535), defaults, fc.array(rule, { maxLength: 4 }))
    .map(([version, default_lines, rules]) =>
      [`policy_name=random policy_version=0.0.${version}`, ...default_lines, ...rules, ''].join('\n'),
    )
}

/**
 * What an IPE policy is once it has been read, as plain data, and how it is written down again.
 *
 * The kernel keeps one table per operation (security/ipe/policy.h: ipe_parsed_policy): the rules in the order
 * of the text, and the action of that operation's DEFAULT line. Both are here under the same names; an action
 * that the policy does not give (IPE_ACTION_INVALID) is null.
 */

/** The operations a policy may speak of, in the kernel's order (security/ipe/policy.h: ipe_op_type). */
export const IPE_OPS = [
  'EXECUTE',
  'FIRMWARE',
  'KMODULE',
  'KEXEC_IMAGE',
  'KEXEC_INITRAMFS',
  'POLICY',
  'X509_CERT',
] as const

export type IpeOp = (typeof IPE_OPS)[number]

export type IpeAction = 'ALLOW' | 'DENY'

/**
 * An algorithm's name and a digest. The name is compared as it stands, the digest byte by byte; neither the
 * name nor the length is checked against any list, and both may be empty (security/ipe/digest.c:
 * ipe_digest_parse).
 */
export interface IpeDigest {
  readonly alg: string
  readonly hex: string
}

/** A property that is only true or false. */
export type IpeFlagName = 'boot_verified' | 'dmverity_signature' | 'fsverity_signature'

/** A property that names a digest. */
export type IpeDigestName = 'dmverity_roothash' | 'fsverity_digest'

export type IpeProp =
  | { readonly name: IpeFlagName; readonly value: boolean }
  | { readonly name: IpeDigestName; readonly value: IpeDigest }

/** One rule: it matches when every property holds, so a rule without properties always matches. */
export interface IpeRule {
  readonly op: IpeOp
  readonly props: readonly IpeProp[]
  readonly action: IpeAction
}

export interface IpeOpTable {
  readonly default_action: IpeAction | null
  readonly rules: readonly IpeRule[]
}

export interface IpePolicy {
  readonly name: string
  /** major, minor, revision; each 0 to 65535 */
  readonly version: readonly [number, number, number]
  readonly rules: Readonly<Record<IpeOp, IpeOpTable>>
  readonly global_default_action: IpeAction | null
}

function format_prop(prop: IpeProp): string {
  if (typeof prop.value === 'boolean') return `${prop.name}=${prop.value ? 'TRUE' : 'FALSE'}`
  return `${prop.name}=${prop.value.alg}:${prop.value.hex}`
}

/**
 * Writes a rule as a policy line, without the line's end.
 *
 * @param rule a rule of a policy
 * @returns the line; the grammar wants the operation first and the action last
 * Errors: none. Source: security/ipe/policy_parser.c: parse_rule.
 */
export function format_rule(rule: IpeRule): string {
  return [`op=${rule.op}`, ...rule.props.map(format_prop), `action=${rule.action}`].join(' ')
}

/**
 * Writes a policy in its canonical form: the header, the global DEFAULT, then for every operation its DEFAULT
 * and its rules in order. The order of lines of different operations has no meaning to the kernel, so nothing
 * is lost: `parse_policy(format_policy(p))` gives p again for every p that the parser can give.
 *
 * @param policy a policy; one made by hand must keep to the grammar (no space, tab, line end, NUL or `#` in
 *   the name and in a digest's algorithm, nor a `:` in the latter), else the text will not parse or means
 *   something else
 * @returns the text, each line ended by a newline
 * Errors: none. Source: security/ipe/policy_parser.c: ipe_parse_policy, parse_header, parse_rule.
 */
export function format_policy(policy: IpePolicy): string {
  const lines = [`policy_name=${policy.name} policy_version=${policy.version.join('.')}`]
  if (policy.global_default_action !== null) lines.push(`DEFAULT action=${policy.global_default_action}`)
  for (const op of IPE_OPS) {
    const { default_action, rules } = policy.rules[op]
    if (default_action !== null) lines.push(`DEFAULT op=${op} action=${default_action}`)
    lines.push(...rules.map(format_rule))
  }
  return `${lines.join('\n')}\n`
}

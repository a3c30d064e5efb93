/**
 * What a policy decides about one access.
 *
 * The kernel is taken to be built with all of IPE's properties (CONFIG_IPE_PROP_*); without one of them both
 * its TRUE and its FALSE form would be false.
 */

import { audit_default, audit_rule, type IpeAuditOp } from './audit.js'
import type { IpeAction, IpeDigest, IpePolicy, IpeProp, IpeRule } from './policy.js'

/** What IPE looks at when a hook asks (security/ipe/eval.c: ipe_build_eval_ctx). */
export interface IpeContext {
  /** false for anonymous memory and for data handed to the kernel: then nothing below is looked at */
  readonly has_file: boolean
  /** the file's mount belongs to the superblock that was unpacked at boot */
  readonly initramfs: boolean
  /**
   * of the block device below the file's data inode (d_real_inode); null without a device, or without
   * dm-verity
   */
  readonly dmverity: null | { readonly roothash: IpeDigest; readonly signed: boolean }
  /** of the file's data inode itself; null without fs-verity */
  readonly fsverity: null | { readonly digest: IpeDigest; readonly signed: boolean }
}

export interface IpeDecision {
  readonly action: IpeAction
  /**
   * what decided: a rule, the operation's DEFAULT, the global DEFAULT, or nothing, for no policy is active
   */
  readonly match: 'rule' | 'op' | 'global' | 'none'
  /** the deciding line as the audit record shows it; empty for `none` */
  readonly rule: string
  /** what the hook returns */
  readonly errno: 0 | 'EACCES'
  /** whether a record 1420 is written */
  readonly audited: boolean
}

const NO_FILE: IpeContext = { has_file: false, initramfs: false, dmverity: null, fsverity: null }

const NO_POLICY: IpeDecision = { action: 'ALLOW', match: 'none', rule: '', errno: 0, audited: false }

/**
 * security/ipe/digest.c: ipe_digest_eval. Only the algorithm's case counts: hex is a way of writing bytes.
 */
function same_digest(expected: IpeDigest, found: IpeDigest | undefined): boolean {
  return (
    found !== undefined &&
    expected.alg === found.alg &&
    expected.hex.toLowerCase() === found.hex.toLowerCase()
  )
}

/**
 * security/ipe/eval.c: evaluate_property. FALSE is the negation of TRUE, so where there is no file, no device
 * or no verity the FALSE forms hold.
 */
function evaluate_property(ctx: IpeContext, prop: IpeProp): boolean {
  switch (prop.name) {
    case 'boot_verified':
      return ctx.initramfs === prop.value
    case 'dmverity_roothash':
      return same_digest(prop.value, ctx.dmverity?.roothash)
    case 'dmverity_signature':
      return (ctx.dmverity?.signed ?? false) === prop.value
    case 'fsverity_digest':
      return same_digest(prop.value, ctx.fsverity?.digest)
    case 'fsverity_signature':
      return (ctx.fsverity?.signed ?? false) === prop.value
  }
}

interface Match {
  readonly action: IpeAction
  readonly match: IpeDecision['match']
  readonly rule: string
}

function from_rule(rule: IpeRule): Match {
  return { action: rule.action, match: 'rule', rule: audit_rule(rule) }
}

/**
 * A policy without a global default can only be asked for it by an unknown operation; the kernel warns and
 * allows.
 */
function from_global(policy: IpePolicy): Match {
  const action = policy.global_default_action ?? 'ALLOW'
  return { action, match: 'global', rule: audit_default(null, action) }
}

function find_match(policy: IpePolicy, op: IpeAuditOp, ctx: IpeContext): Match {
  if (op === 'UNKNOWN') return from_global(policy)
  const { rules, default_action } = policy.rules[op]
  const rule = rules.find(({ props }) => props.every((prop) => evaluate_property(ctx, prop)))
  if (rule !== undefined) return from_rule(rule)
  if (default_action === null) return from_global(policy)
  return { action: default_action, match: 'op', rule: audit_default(op, default_action) }
}

/**
 * Asks the active policy about one access: the first rule of the operation that matches decides, else the
 * operation's DEFAULT, else the global DEFAULT. Without a policy everything is allowed and nothing is
 * audited.
 *
 * @param policy the active policy, or null
 * @param op the operation; UNKNOWN goes straight to the global DEFAULT
 * @param ctx what is known of the file
 * @param enforce false for permissive mode: the action and the record stay, only the errno becomes 0
 * @param success_audit whether allowed accesses are audited too
 * @returns the decision
 * Errors: none is thrown; `errno` is EACCES when the action is DENY and enforce is on.
 * Source: security/ipe/eval.c: ipe_evaluate_event; security/ipe/audit.c: ipe_audit_match.
 */
export function evaluate(
  policy: IpePolicy | null,
  op: IpeAuditOp,
  ctx: IpeContext,
  enforce: boolean,
  success_audit: boolean,
): IpeDecision {
  if (policy === null) return NO_POLICY
  const found = find_match(policy, op, ctx.has_file ? ctx : NO_FILE)
  const denied = found.action === 'DENY'
  return { ...found, errno: denied && enforce ? 'EACCES' : 0, audited: denied || success_audit }
}

/**
 * The text of IPE's access record, AUDIT_IPE_ACCESS, in the kernel's order of fields and with its quoting.
 *
 * The stamp `audit(TIME:SERIAL):` that the audit system puts after the type is left out: the model has no
 * clock.
 */

import { utf8_bytes } from '../../kernel/decode.js'
import type { IpeAction, IpeOp, IpeProp, IpeRule } from './policy.js'

/**
 * An operation as it is audited; UNKNOWN is a read or load for which IPE has no operation (IPE_OP_INVALID).
 */
export type IpeAuditOp = IpeOp | 'UNKNOWN'

/**
 * The hooks that evaluate a policy, as they are audited (security/ipe/audit.c: audit_hook_names).
 * BPRM_CREDS_FOR_EXEC, the check of AT_EXECVE_CHECK, exists since 6.19.
 */
export type IpeHook =
  | 'BPRM_CHECK'
  | 'BPRM_CREDS_FOR_EXEC'
  | 'MMAP'
  | 'MPROTECT'
  | 'KERNEL_READ'
  | 'KERNEL_LOAD'

/** include/uapi/linux/audit.h */
const AUDIT_IPE_ACCESS = 1420

export interface IpeAccess {
  readonly op: IpeAuditOp
  readonly hook: IpeHook
  readonly enforcing: boolean
  /** the thread group's number, not the thread's */
  readonly pid: number
  /** of the task, as bytes */
  readonly comm: string
  /**
   * the file that the hook was given (of an overlay: the overlay's own path, device and inode), null without
   * one; strings are bytes
   */
  readonly file: null | { readonly path: string; readonly dev: string; readonly ino: number | bigint }
  /** from `audit_rule` or `audit_default` */
  readonly rule: string
}

/**
 * Quotes a string that a user may have chosen: in double quotes when every byte is printable and none is a
 * space or a double quote, else as upper-case hex without quotes.
 *
 * @param bytes the string, one character for each byte; like any string of C it ends at its first NUL
 * @returns what stands behind the field's `=`
 * Errors: none. Source: kernel/audit.c: audit_log_untrustedstring, audit_string_contains_control,
 * audit_log_n_hex.
 */
export function audit_untrusted(bytes: string): string {
  const end = bytes.indexOf('\0')
  const string = end < 0 ? bytes : bytes.slice(0, end)
  if (/^[\x21\x23-\x7e]*$/.test(string)) return `"${string}"`
  return [...string]
    .map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}

/**
 * The algorithm counts as untrusted, for the policy's author chose it (security/ipe/digest.c:
 * ipe_digest_audit).
 */
function audit_prop(prop: IpeProp): string {
  if (typeof prop.value === 'boolean') return `${prop.name}=${prop.value ? 'TRUE' : 'FALSE'}`
  return `${prop.name}=${audit_untrusted(utf8_bytes(prop.value.alg))}:${prop.value.hex.toUpperCase()}`
}

/**
 * A rule that matched, as the record shows it. It is not quite the policy's line: the algorithm of a digest
 * stands in quotes of its own and the digest in upper case.
 *
 * @param rule the rule that decided
 * @returns the text inside `rule="…"`
 * Errors: none. Source: security/ipe/audit.c: audit_rule.
 */
export function audit_rule(rule: IpeRule): string {
  return [`op=${rule.op}`, ...rule.props.map(audit_prop), `action=${rule.action}`].join(' ')
}

/**
 * A default that decided, as the record shows it.
 *
 * @param op the operation whose DEFAULT it was, or null for the global one
 * @param action what it says
 * @returns the text inside `rule="…"`
 * Errors: none. Source: security/ipe/audit.c: ipe_audit_match.
 */
export function audit_default(op: IpeOp | null, action: IpeAction): string {
  return op === null ? `DEFAULT action=${action}` : `DEFAULT op=${op} action=${action}`
}

/**
 * The record of one access decision. Whether there is one at all is `audited` in the result of `evaluate`.
 *
 * @param access what the hook knew and what the policy said
 * @returns the record in one line, beginning with `type=1420`
 * Errors: none. Source: security/ipe/audit.c: ipe_audit_match; kernel/audit.c: audit_log_d_path.
 */
export function audit_access_record(access: IpeAccess): string {
  const { op, hook, enforcing, pid, comm, file, rule } = access
  // the rule goes in as it is, so a digest's quotes stand inside the rule's own
  return [
    `type=${AUDIT_IPE_ACCESS}`,
    `ipe_op=${op} ipe_hook=${hook} enforcing=${enforcing ? 1 : 0} pid=${pid} comm=${audit_untrusted(comm)}`,
    file === null
      ? 'path=? dev=? ino=?'
      : `path=${audit_untrusted(file.path)} dev=${audit_untrusted(file.dev)} ino=${file.ino}`,
    `rule="${rule}"`,
  ].join(' ')
}

/**
 * What a run that has ended shows, as labels: that a check said yes, what attackers changed or were refused, and
 * which outcomes were reached. They tell which run is worth showing; by what a `safe` is witnessed is a stricter
 * question (witnesses.ts).
 */

import { EACCES, EBUSY, EKEYREJECTED, EPERM, EROFS, ETXTBSY, errno_name, signal_of } from '../kernel/errno.js'
import type { Kernel } from '../kernel/kernel.js'
import { change_of } from '../kernel/syscall.js'
import { type CallInstruction, type Code, result, tasks_of } from './code.js'
import { approval } from './monitor.js'
import { type Properties, reached } from './properties.js'

/**
 * What a mitigation answers with: permissions and policies (EACCES, EPERM), what is read-only (EROFS), write
 * denial (ETXTBSY), what something is mounted on or that is in use (EBUSY), signatures (EKEYREJECTED). All
 * others say that a call was wrong: a name that is not there (ENOENT, ENOTDIR, EBADF), a bad argument, a name
 * that is taken. EIO is none of them: an overlay answers with it where its layers changed under it.
 */
const refusals: readonly number[] = [EACCES, EPERM, EROFS, ETXTBSY, EBUSY, EKEYREJECTED].map(
  (errno) => -errno,
)

/**
 * The name of the errno with which a mitigation refused a call.
 *
 * @param denied a security module was what said no: then any errno is an answer of it
 * @returns null where none did
 */
export function is_refusal(ret: number, denied = false): string | null {
  if (ret >= 0 || signal_of(ret) !== 0) return null
  return denied || refusals.includes(ret) ? errno_name(ret) : null
}

/** Whether a call is one that changes what others meet, if it succeeds. */
export const attempts_change = ({ syscall, fixed }: CallInstruction): boolean =>
  change_of(syscall, fixed ?? {}) !== 'nothing'

/** Labels of a run that has ended: `approved`, `changed by write`, `refused EROFS in openat`, `reached NAME`. */
export function witness_of(k: Kernel, code: Code, properties: Properties): readonly string[] {
  const labels = reached(k, properties).map((name) => `reached ${name}`)
  if (approval.rows(k).length > 0) labels.push('approved')
  code.programs.forEach((program, i) => {
    if (program.role !== 'attacker') return
    for (const task of tasks_of(k, i + 1)) {
      for (const call of program.calls) {
        const row = result.find(k, task, call.slot)
        const label = row === undefined ? undefined : attack_label(call, row.ret)
        if (label !== undefined) labels.push(label)
      }
    }
  })
  return labels
}

function attack_label(call: CallInstruction, ret: number): string | undefined {
  const { name } = call.syscall
  if (ret >= 0) return attempts_change(call) ? `changed by ${name}` : undefined
  const refused = is_refusal(ret)
  return refused === null ? undefined : `refused ${refused} in ${name}`
}

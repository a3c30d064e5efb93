/**
 * The module that is always first: what capabilities allow (security/commoncap.c). Of its hooks the model
 * needs the one that judges `prctl`; capabilities that the vfs asks for itself are in `capable`.
 */
import { EPERM } from '../kernel/errno.js'
import type { Kernel, SecurityModule } from '../kernel/kernel.js'
import { CAP_SETPCAP, capable, current } from '../vfs/tasks/task.js'
import { define_lsm } from './define_lsm.js'

/** include/uapi/linux/prctl.h: PR_SET_SECUREBITS. */
const PR_SET_SECUREBITS = 28
/** Each bit has its lock next to it, one higher (include/uapi/linux/securebits.h). */
const OLD_BITS = 0x55
const EXEC_BITS = 0x500

/**
 * Whether the running task may change its securebits to `wanted` (cap_task_prctl). Every refusal is EPERM:
 * a locked bit would change; a lock would be opened; a bit is unknown (the exec bits before 6.14); without
 * CAP_SETPCAP, any other bits than the exec bits and their locks would change, or none at all.
 */
function may_set_securebits(k: Kernel, wanted: number): number {
  const old = current(k).securebits
  const bits = k.has('at_execve_check') ? OLD_BITS | EXEC_BITS : OLD_BITS
  const locks = bits << 1
  if (wanted < 0 || wanted > 0xfff || (wanted & ~(bits | locks)) !== 0) return no(k, 'unknown securebits')
  const changed = old ^ wanted
  if ((((old & locks) >> 1) & changed) !== 0) return no(k, 'a locked securebit would change')
  if ((old & locks & ~wanted) !== 0) return no(k, 'a lock would be opened')
  if (capable(k, CAP_SETPCAP)) return 0
  if (!k.has('at_execve_check')) return no(k, 'CAP_SETPCAP is missing')
  if (changed === 0) return no(k, 'nothing would change, and CAP_SETPCAP is missing')
  if ((changed & ~(EXEC_BITS | (EXEC_BITS << 1))) !== 0) return no(k, 'CAP_SETPCAP is missing')
  return 0
}

function no(k: Kernel, why: string): number {
  return k.refuse(-EPERM, `capability: ${why}`)
}

export const capability: SecurityModule = {
  name: 'capability',
  hooks: {
    task_prctl: (k, { option, arg }) => (option === PR_SET_SECUREBITS ? may_set_securebits(k, arg) : 0),
  },
}

define_lsm({
  name: 'capability',
  order: 'first',
  says: 'What capabilities allow: which securebits a task may set. It is always there, and asked first.',
  in_kernels: true,
  make: () => capability,
})

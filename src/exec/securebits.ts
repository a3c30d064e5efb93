/**
 * prctl(2) as far as it concerns exec (kernel/sys.c; include/uapi/linux/securebits.h).
 *
 * The kernel only keeps SECBIT_EXEC_RESTRICT_FILE and SECBIT_EXEC_DENY_INTERACTIVE: they are a contract
 * between programs. They are copied by fork and survive every exec.
 */
import { EINVAL } from '../kernel/errno.js'
import { done, fn, stage } from '../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../kernel/kernel.js'
import { NotModelled } from '../kernel/not_modelled.js'
import { int, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { type Constants, define_syscall, type Parameter } from '../kernel/syscall.js'
import { commit_creds, current } from '../vfs/tasks/task.js'

export const SECBIT_NOROOT = 0x1
export const SECBIT_NO_SETUID_FIXUP = 0x4
export const SECBIT_KEEP_CAPS = 0x10
export const SECBIT_NO_CAP_AMBIENT_RAISE = 0x40
/** An interpreter must not run a file that fails the check. Since 6.14. */
export const SECBIT_EXEC_RESTRICT_FILE = 0x100
/** An interpreter must not take commands from elsewhere. Since 6.14. */
export const SECBIT_EXEC_DENY_INTERACTIVE = 0x400

const bits = {
  SECBIT_NOROOT,
  SECBIT_NO_SETUID_FIXUP,
  SECBIT_KEEP_CAPS,
  SECBIT_NO_CAP_AMBIENT_RAISE,
  SECBIT_EXEC_RESTRICT_FILE,
  SECBIT_EXEC_DENY_INTERACTIVE,
}

/** Each bit, and the lock next to it that freezes it as it is. */
export const securebits: Constants = Object.fromEntries(
  Object.entries(bits).flatMap(([name, bit]) => [
    [name, bit],
    [`${name}_LOCKED`, bit << 1],
  ]),
)

export const PR_GET_SECUREBITS = 27
export const PR_SET_SECUREBITS = 28
export const PR_SET_NO_NEW_PRIVS = 38
export const PR_GET_NO_NEW_PRIVS = 39
const prctl_options: Constants = {
  PR_GET_SECUREBITS,
  PR_SET_SECUREBITS,
  PR_SET_NO_NEW_PRIVS,
  PR_GET_NO_NEW_PRIVS,
}

const prctl_locals = { option: int(), arg2: int(), arg3: int(), arg4: int(), arg5: int() }
type Prctl = Frame<ValuesOf<typeof prctl_locals>>

/**
 * The modules are asked about every option first. Of the securebits, that is where the rules are
 * (`lsm/capability.ts`, as in security/commoncap.c); the value is set here, once nobody refuses.
 */
const prctl = fn('prctl', { source: 'kernel/sys.c', locals: prctl_locals }, [
  stage('security_task_prctl', (k, f) => {
    const refused = security(k, 'task_prctl', { option: f.option, arg: f.arg2 })
    return refused !== 0 ? refused : do_prctl(k, f)
  }),
])

function do_prctl(k: Kernel, f: Prctl): Outcome {
  const task = current(k)
  const rest = [f.arg3, f.arg4, f.arg5].some((arg) => arg !== 0)
  switch (f.option) {
    case PR_GET_SECUREBITS:
      return done(f, task.securebits)
    case PR_SET_SECUREBITS:
      task.securebits = f.arg2
      commit_creds(k)
      return
    case PR_SET_NO_NEW_PRIVS:
      if (f.arg2 !== 1 || rest) return -EINVAL
      task.no_new_privs = 1
      return
    case PR_GET_NO_NEW_PRIVS:
      return f.arg2 !== 0 || rest ? -EINVAL : done(f, task.no_new_privs)
    default:
      if (may_be_an_option(f.option)) throw new NotModelled(`prctl option ${f.option}`)
      return k.refuse(-EINVAL, () => `there is no prctl option ${f.option}`)
  }
}

const PR_SET_PTRACER = 0x59616d61
const PR_SET_VMA = 0x53564d41
/** Options are numbered from 1, with two exceptions; the highest of 7.2 is well below this. */
const HIGHEST_OPTION = 255

/** Whether some kernel knows the option (include/uapi/linux/prctl.h). */
const may_be_an_option = (option: number): boolean =>
  (option > 0 && option <= HIGHEST_OPTION) || option === PR_SET_PTRACER || option === PR_SET_VMA

const arg = (name: string): Parameter => ({ name, kind: 'long', missing: 0 })

define_syscall({
  name: 'prctl',
  says: 'Reads or sets securebits, or no_new_privs.',
  prototype: [
    {
      name: 'option',
      kind: 'choice',
      says: "`'PR_SET_SECUREBITS'`, `'PR_GET_SECUREBITS'`, `'PR_SET_NO_NEW_PRIVS'` or `'PR_GET_NO_NEW_PRIVS'`",
      constants: prctl_options,
      constant: 'PrctlOption',
    },
    {
      ...arg('arg2'),
      says: "of PR_SET_SECUREBITS the bits: `'SECBIT_EXEC_RESTRICT_FILE|SECBIT_EXEC_RESTRICT_FILE_LOCKED'`",
      constants: securebits,
      constant: 'SecureBit',
    },
    arg('arg3'),
    arg('arg4'),
    arg('arg5'),
  ],
  library: false,
  fn: prctl,
  locals: (option, arg2, arg3, arg4, arg5) => ({ option, arg2, arg3, arg4, arg5 }),
  returns: 'int',
  gives: '0, or what was asked for',
  changes: 'nothing',
})

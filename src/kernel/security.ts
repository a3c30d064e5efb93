/**
 * The second of the two tables by which Linux keeps its parts apart: the chain of security modules.
 *
 * A hook runs inside the stage that calls it. Modules are asked in their order, and the first answer
 * other than 0 ends the chain and is returned (security/security.c: call_int_hook). No module sees the
 * answer of another.
 */
import type { Hook, Kernel } from './kernel.js'
import type { HookArguments, HookName } from './lsm_hook_defs.js'

/**
 * Asks the chain.
 *
 * @returns 0, or the first answer other than 0: a negative errno
 */
export function security<N extends HookName>(k: Kernel, name: N, args: HookArguments[N]): number {
  const hooks = k.chain[name]
  if (hooks === undefined) return 0
  for (const { module, hook } of hooks) {
    const answer = (hook as Hook<N>)(k, args)
    if (answer !== 0) {
      k.tell('denied', `${module}: ${name}`)
      return answer
    }
  }
  return 0
}

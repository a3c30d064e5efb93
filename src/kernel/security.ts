/**
 * The second of the two tables by which Linux keeps its parts apart: the chain of security modules.
 *
 * A hook runs inside the stage that calls it. Modules are asked in their order, and the first answer
 * other than 0 ends the chain and is returned (security/security.c: call_int_hook). No module sees the
 * answer of another.
 */
import type { Kernel } from './machine.js'

/** What a hook about an execution is told (include/linux/binfmts.h: struct linux_binprm). */
export interface Bprm {
  /** The open file that is asked about: at each level of recursion, the file of that level. */
  file: number
  filename: string
  /** AT_EXECVE_CHECK: only asked, not executed. */
  is_check: boolean
}

/** Hooks with the kernel's names and arguments (include/linux/lsm_hook_defs.h); objects by their numbers. */
export interface HookArguments {
  bprm_creds_for_exec: Bprm
  bprm_check_security: Bprm
  bprm_creds_from_file: Bprm
  file_open: { file: number }
  file_post_open: { file: number; mask: number }
  file_permission: { file: number; mask: number }
  file_truncate: { file: number }
  /** `file` is 0 for an anonymous mapping. */
  mmap_file: { file: number; reqprot: number; prot: number; flags: number }
  file_mprotect: { vma: number; reqprot: number; prot: number }
  inode_permission: { inode: number; mask: number }
  inode_follow_link: { dentry: number }
  inode_create: { parent: number; name: string; mode: number }
  inode_mknod: { parent: number; name: string; mode: number }
  inode_mkdir: { parent: number; name: string; mode: number }
  inode_symlink: { parent: number; name: string; target: string }
  inode_link: { old_dentry: number; parent: number; name: string }
  inode_unlink: { dentry: number }
  inode_rmdir: { dentry: number }
  inode_rename: { old_dentry: number; parent: number; name: string; new_dentry: number }
  inode_readlink: { dentry: number }
  inode_setattr: { dentry: number; valid: number }
  inode_getattr: { dentry: number }
  inode_copy_up: { dentry: number }
  path_mknod: { parent: number; name: string; mode: number }
  path_mkdir: { parent: number; name: string; mode: number }
  path_symlink: { parent: number; name: string; target: string }
  path_link: { old_dentry: number; parent: number; name: string }
  path_unlink: { dentry: number }
  path_rmdir: { dentry: number }
  path_rename: { old_dentry: number; parent: number; name: string; new_dentry: number; flags: number }
  path_truncate: { dentry: number }
  path_chmod: { dentry: number; mode: number }
  path_chown: { dentry: number; uid: number; gid: number }
  task_prctl: { option: number; arg: number }
}

export type HookName = keyof HookArguments
export type Hook<N extends HookName> = (k: Kernel, args: HookArguments[N]) => number
export type Hooks = { readonly [N in HookName]?: Hook<N> }

export interface SecurityModule {
  readonly name: string
  readonly hooks: Hooks
  /**
   * Whether this module's policy approves of executing what this inode holds, whoever asks: what the
   * property `policy` means by "approved". Undefined where the module has no opinion on objects.
   */
  approves?(k: Kernel, inode: number): boolean
}

type Chain = { readonly [N in HookName]?: readonly { readonly module: string; readonly hook: Hook<N> }[] }

/** The hooks of all modules, sorted by hook: made once when a kernel is made. */
export function make_chain(modules: readonly SecurityModule[]): Chain {
  const chain: Record<string, { module: string; hook: Hook<any> }[]> = {}
  for (const module of modules) {
    for (const [name, hook] of Object.entries(module.hooks)) {
      chain[name] ??= []
      chain[name]!.push({ module: module.name, hook: hook as Hook<any> })
    }
  }
  return chain as Chain
}

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

export type { Chain }

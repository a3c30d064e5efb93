/** The hooks that a module may have, with the names of what each is told: for people's mistakes and for views. */
import type { HookArguments, HookName } from '../kernel/lsm_hook_defs.js'

/** Complete by its type: a hook that is added to the chain must be added here. */
export const hook_arguments: { readonly [N in HookName]: readonly (keyof HookArguments[N])[] } = {
  bprm_creds_for_exec: ['file', 'filename', 'is_check'],
  bprm_check_security: ['file', 'filename', 'is_check'],
  bprm_creds_from_file: ['file', 'filename', 'is_check'],
  file_open: ['file'],
  file_post_open: ['file', 'mask'],
  file_permission: ['file', 'mask'],
  file_truncate: ['file'],
  mmap_file: ['file', 'reqprot', 'prot', 'flags'],
  file_mprotect: ['vma', 'reqprot', 'prot'],
  inode_permission: ['inode', 'mask'],
  inode_follow_link: ['dentry'],
  inode_create: ['parent', 'name', 'mode'],
  inode_mknod: ['parent', 'name', 'mode'],
  inode_mkdir: ['parent', 'name', 'mode'],
  inode_symlink: ['parent', 'name', 'target'],
  inode_link: ['old_dentry', 'parent', 'name'],
  inode_unlink: ['dentry'],
  inode_rmdir: ['dentry'],
  inode_rename: ['old_dentry', 'parent', 'name', 'new_dentry'],
  inode_readlink: ['dentry'],
  inode_setattr: ['dentry', 'valid'],
  inode_getattr: ['dentry'],
  inode_copy_up: ['dentry'],
  path_unlink: ['dir', 'dentry'],
  path_mkdir: ['dir', 'name', 'mode'],
  path_rmdir: ['dir', 'dentry'],
  path_mknod: ['dir', 'name', 'mode', 'dev'],
  path_truncate: ['path'],
  path_symlink: ['dir', 'name', 'target'],
  path_link: ['old_dentry', 'new_dir', 'name'],
  path_rename: ['old_dir', 'old_dentry', 'new_dir', 'name', 'new_dentry', 'flags'],
  path_chmod: ['path', 'mode'],
  path_chown: ['path', 'uid', 'gid'],
  task_prctl: ['option', 'arg'],
}

export const hook_names = Object.keys(hook_arguments) as HookName[]

export function is_hook_name(name: unknown): name is HookName {
  return typeof name === 'string' && Object.hasOwn(hook_arguments, name)
}

/** Something about a user's module that people must mend; the message says what and where. */
export class LsmModuleError extends Error {
  override readonly name = 'LsmModuleError'
}

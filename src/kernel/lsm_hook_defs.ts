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

/** What a hook about an execution is told (include/linux/binfmts.h: struct linux_binprm). */
export interface Bprm {
  /** The open file that is asked about: at each level of recursion, the file of that level. */
  file: number
  filename: string
  /** AT_EXECVE_CHECK: only asked, not executed. */
  is_check: boolean
}

/** A place as a task reaches it: a dentry, and the mount through which it is seen (struct path). */
export interface Path {
  readonly mnt: number
  readonly dentry: number
}

/**
 * Hooks with the kernel's names and arguments, in its order (include/linux/lsm_hook_defs.h of 6.18); objects by
 * their numbers. Where the kernel has the dentry of a name that is not there yet, here is the `name`.
 */
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
  path_unlink: { dir: Path; dentry: number }
  path_mkdir: { dir: Path; name: string; mode: number }
  path_rmdir: { dir: Path; dentry: number }
  path_mknod: { dir: Path; name: string; mode: number; dev: number }
  path_truncate: { path: Path }
  path_symlink: { dir: Path; name: string; target: string }
  path_link: { old_dentry: number; new_dir: Path; name: string }
  /** `new_dentry` is 0 where nothing has the new name. */
  path_rename: {
    old_dir: Path
    old_dentry: number
    new_dir: Path
    name: string
    new_dentry: number
    flags: number
  }
  path_chmod: { path: Path; mode: number }
  path_chown: { path: Path; uid: number; gid: number }
  task_prctl: { option: number; arg: number }
}

export type HookName = keyof HookArguments

/**
 * A module to learn from, which no kernel has: what may be executed by somebody cannot be written, as if a
 * descriptor of a writer had met `deny_write_access` for ever. It is what a check would need that has to hold
 * longer than the call does, and it shows what such a rule leaves open: somebody who may change modes takes the
 * execute bits away first, and who has a file open for writing already keeps it while it gets them.
 */
import { EACCES } from '../../kernel/errno.js'
import type { Kernel, SecurityModule } from '../../kernel/kernel.js'
import { dentry } from '../../vfs/dentry.js'
import { FMODE_WRITE, file } from '../../vfs/file.js'
import { inode, is_reg } from '../../vfs/inode.js'
import { current } from '../../vfs/tasks/task.js'
import { define_lsm } from '../define_lsm.js'

/** Whom the module does not ask. */
export interface DenyWriteExecOptions {
  /** True: tasks of root may write what they like. */
  readonly root_may?: boolean
}

declare module '../define_lsm.js' {
  interface LsmOptions {
    /** What may be executed by somebody cannot be written. */
    readonly deny_write_exec?: DenyWriteExecOptions
  }
}

/** Execute permission of owner, group and others. */
const ANY_EXECUTE = 0o111

/** Makes the module. */
export function deny_write_exec({ root_may = false }: DenyWriteExecOptions): SecurityModule {
  const may_write = (k: Kernel, ino: number): number => {
    const { i_mode } = inode(k, ino)
    if (!is_reg(i_mode) || (i_mode & ANY_EXECUTE) === 0) return 0
    if (root_may && current(k).euid === 0) return 0
    return k.refuse(-EACCES, 'deny_write_exec: the file has an execute bit')
  }
  return {
    name: 'deny_write_exec',
    hooks: {
      file_open: (k, { file: opened }) => {
        const { f_inode, f_mode } = file(k, opened)
        return (f_mode & FMODE_WRITE) === 0 ? 0 : may_write(k, f_inode)
      },
      // O_TRUNC needs no write mode, and truncate(2) no descriptor.
      file_truncate: (k, { file: opened }) => may_write(k, file(k, opened).f_inode),
      path_truncate: (k, { path }) => may_write(k, dentry(k, path.dentry).d_inode),
    },
  }
}

define_lsm<'deny_write_exec'>({
  name: 'deny_write_exec',
  order: 'mutable',
  says: 'A module to learn from: what may be executed by somebody cannot be opened for writing, nor truncated.',
  in_kernels: false,
  options: { root_may: { type: 'flag', says: 'True: tasks of root may write what they like.' } },
  make: deny_write_exec,
})

/**
 * The kernel put together: importing this registers every file system type, system call and kernel function
 * of the model.
 */
// Every file system type that there is.
import './vfs/filesystems/filesystems.js'
import './overlay/overlay.js'
// Calls, by the files that define them.
import './vfs/attributes/attr.js'
import './vfs/namei/create.js'
import './vfs/open/access.js'
import './vfs/tasks/fork_exit.js'
import './vfs/tasks/fs_struct.js'
import './vfs/namei/link.js'
import './vfs/memory/fault.js'
import './vfs/memory/mmap.js'
import './vfs/open/open.js'
import './vfs/files/read_write.js'
import './vfs/files/sync.js'
import './vfs/namei/rename.js'
import './vfs/attributes/stat.js'
import './vfs/open/truncate.js'
import './vfs/namei/unlink.js'
import './exec/execveat.js'
import './exec/securebits.js'
// The security modules, in the order in which they are asked (CONFIG_LSM).
import './lsm/capability.js'
import './lsm/ipe/ipe.js'
import './lsm/deny_write_exec/deny_write_exec.js'
import type { SecurityModule, Store } from './kernel/kernel.js'
import { type Config, Kernel } from './kernel/kernel.js'
import type { Profile } from './kernel/profile.js'

/**
 * A kernel with nothing mounted and no task, on an empty store.
 *
 * @param profile which release it behaves like
 * @param modules security modules in the order in which they are asked
 */
export function make_kernel(store: Store, profile: Profile, modules: readonly SecurityModule[]): Kernel {
  const config: Config = { profile, modules }
  return new Kernel(store, config)
}

export { all_lsms, first_lsms, mutable_lsms } from './lsm/define_lsm.js'
export { rules_module } from './lsm/rules.js'
export { mount_option, overlay_options } from './overlay/params.js'
export { is_inside, mount_overlay } from './overlay/super.js'

/**
 * The kernel put together: importing this registers every file system type, system call and kernel function
 * of the model.
 */
import './vfs/populate.js'
import './vfs/attr.js'
import './vfs/create.js'
import './vfs/access.js'
import './vfs/fork_exit.js'
import './vfs/fs_struct.js'
import './vfs/link.js'
import './vfs/memory.js'
import './vfs/mmap.js'
import './vfs/open.js'
import './vfs/read_write.js'
import './vfs/rename.js'
import './vfs/stat.js'
import './vfs/truncate.js'
import './vfs/unlink.js'
import './overlay/index.js'
import './exec/execveat.js'
import './exec/securebits.js'
import { type Config, Kernel } from './kernel/machine.js'
import type { Profile } from './kernel/profile.js'
import type { SecurityModule } from './kernel/security.js'
import type { Store } from './kernel/store.js'

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

export { capability } from './lsm/capability.js'
export { ipe } from './lsm/ipe/ipe.js'
export { rules_module } from './lsm/rules.js'
export { mount_overlay } from './overlay/mount.js'

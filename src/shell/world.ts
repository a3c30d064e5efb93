/** The world that a shell starts in, and those that set-ups make. */
import type { Kernel } from '../kernel/kernel.js'
import type { SetupForm } from '../scenario/form.js'
import { boot_setup, type Environment } from '../scenario/setup.js'
import { attach_mount, make_super_block, populate } from '../vfs/filesystems/populate.js'

/** Root is an empty tmpfs, but for the places of two mounts: an empty tmpfs on /dev, and proc on /proc. */
export const DEFAULT_SETUP: SetupForm = {
  filesystems: {
    root: { type: 'tmpfs', tree: { dev: { dir: {} }, proc: { dir: {}, mode: '0555' } } },
    dev: { type: 'tmpfs' },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/dev', filesystem: 'dev' },
  ],
}

/** @throws ScenarioError naming the field that is wrong */
export function boot_world(k: Kernel, setup: SetupForm | null): Environment {
  const env = boot_setup(k, setup ?? DEFAULT_SETUP, 'setup')
  if (setup === null) mount_proc(k, env)
  return env
}

/** An empty stand-in, see `vfs/filesystems/proc.ts`. */
function mount_proc(k: Kernel, env: Environment): void {
  const on = env.walk('/proc', 'setup')
  const sb = make_super_block(k, { id: 'proc', type: 'proc', read_only: true })
  const root = populate(k, sb, { type: 'dir', mode: 0o555 })
  attach_mount(k, { root, parent: on.mnt, mountpoint: on.dentry })
}

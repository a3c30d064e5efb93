/** The world that a shell starts in, and those that set-ups make. */
import type { Kernel } from '../kernel/kernel.js'
import type { SetupForm } from '../scenario/form.js'
import { boot_setup, type Environment } from '../scenario/setup.js'

/** Root is an empty tmpfs, but for the places of two mounts: an empty tmpfs on /dev, and proc on /proc. */
export const DEFAULT_SETUP: SetupForm = {
  filesystems: {
    root: { type: 'tmpfs', tree: { dev: { dir: {} }, proc: { dir: {}, mode: '0555' } } },
    dev: { type: 'tmpfs' },
    proc: { type: 'proc' },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/dev', filesystem: 'dev' },
    { at: '/proc', filesystem: 'proc' },
  ],
}

/** @throws ScenarioError naming the field that is wrong */
export function boot_world(k: Kernel, setup: SetupForm | null): Environment {
  return boot_setup(k, setup ?? DEFAULT_SETUP, 'setup')
}

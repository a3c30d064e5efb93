/** The world that a shell starts in, unless a set-up says another. */
import type { SetupForm } from '../scenario/form.js'

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

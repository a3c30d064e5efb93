/** An open file description (struct file). */
import { int, naming, ref, table, task_number } from '../kernel/schema.js'

export const FMODE_READ = 1
export const FMODE_WRITE = 2
export const FMODE_EXEC = 0x20
export const FMODE_PATH = 0x4000
/** It has no position and is read and written as it comes: a FIFO. */
export const FMODE_STREAM = 0x200000
/** It holds write access to its inode and gives it back when it goes. */
export const FMODE_WRITER = 0x10000

export const file = table(
  'file',
  {
    open: {
      f_mnt: ref('mount'),
      f_dentry: ref('dentry'),
      f_inode: ref('inode'),
      f_flags: int(),
      f_mode: int(),
      /** Whose it is: the struct cred that opened it; 0 of what no task has opened. */
      f_cred: naming('cred'),
    },
    count: { f_count: int() },
    pos: { f_pos: int() },
    /** The task that holds f_pos_lock, or 0. Taken only where the description is shared. */
    pos_lock: { f_pos_lock: task_number() },
    /** Overlay: the real file recorded at open, and the upper one opened after a copy-up. */
    real: { realfile: ref('file') },
    upper: { upperfile: ref('file') },
  },
  { constant: ['open'] },
)

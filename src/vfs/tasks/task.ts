/** A task as the file system sees it (struct task_struct, cred, fs_struct, files_struct). */
import type { Kernel } from '../../kernel/kernel.js'
import { in_range, int, list, naming, ref, str, table, task_number } from '../../kernel/schema.js'

export const CAP_CHOWN = 0
export const CAP_DAC_OVERRIDE = 1
export const CAP_DAC_READ_SEARCH = 2
export const CAP_FOWNER = 3
export const CAP_FSETID = 4
export const CAP_SETPCAP = 8
export const CAP_SYS_PTRACE = 19
export const CAP_SYS_ADMIN = 21
export const CAP_MKNOD = 27
/** RLIMIT_NOFILE, the soft limit that systems start with; a task may have less. */
export const RLIMIT_NOFILE = 1024

/** Every capability of 6.18 (CAP_CHECKPOINT_RESTORE is 40). */
export const CAP_FULL_SET = 2 ** 41 - 1

export const task_struct = table(
  'task_struct',
  {
    ids: { parent: task_number(), comm: str('', 'label') },
    /** Children that it has had: their numbers are not given again. */
    children: { children: int() },
    cred: {
      uid: int(),
      gid: int(),
      /** Effective ids; the file system ids are the same, since setfsuid is not modelled. */
      euid: int(),
      egid: int(),
      groups: list(),
      /** Effective capabilities as a bit set. */
      cap_effective: int(),
      securebits: int(),
      no_new_privs: int(),
      /** Which struct cred it is: two tasks never share one, and what changes it makes another. */
      cred: naming('cred'),
    },
    fs: {
      umask: int(0o022),
      pwd_mnt: ref('mount'),
      pwd: ref('dentry'),
      root_mnt: ref('mount'),
      root: ref('dentry'),
    },
    mm: { mm: ref('mm_struct') },
    /** Soft limit of descriptors; unless told, what systems start with. */
    rlimits: { rlimit_nofile: int(RLIMIT_NOFILE) },
    /** 0 while it lives; else 1 + exit status, or the negative number of the signal that ended it. */
    exit: { exit_code: int() },
  },
  { owned: true, of_tasks: true },
)

/** A slot of a descriptor table; its number is the task's range at the descriptor's place. */
export const fd_slot = table(
  'fd_slot',
  { slot: { file: ref('file'), close_on_exec: int() } },
  { owned: true },
)

/** Memory of a task that the last call filled, and for each run of bytes the inode it came from: (inode, length) pairs. */
export const user_buffer = table(
  'user_buffer',
  { bytes: { data: str(), from: list([true, false]) } },
  { owned: true, of_tasks: true },
)

/** The running task. */
export const current = (k: Kernel) => task_struct(k, k.task)

export function capable(k: Kernel, capability: number): boolean {
  return Math.floor(current(k).cap_effective / 2 ** capability) % 2 === 1
}

/** The number of the credentials that a task begins with: its own, also after a fork (kernel/cred.c: copy_creds). */
export const first_cred = (task: number): number => task * 2 ** 32

/** The running task gets another struct cred, be its values the same (kernel/cred.c: commit_creds). */
export function commit_creds(k: Kernel): void {
  current(k).cred += 1
}

/** The number of a descriptor's row: descriptor tables are per task. */
export const fd_row = (task: number, fd: number): number => in_range(task, fd)

/** Appends bytes to what the running call gives to user space, with the inode that they came from. */
export function copy_to_user(k: Kernel, data: string, from: number): void {
  if (from !== 0) k.config.monitor?.copied?.(k, from)
  const buffer = user_buffer(k, k.task)
  buffer.data += data
  const runs = buffer.from
  const last = runs.length - 2
  if (last >= 0 && runs[last] === from) buffer.from = [...runs.slice(0, -1), runs[last + 1]! + data.length]
  else buffer.from = [...runs, from, data.length]
}

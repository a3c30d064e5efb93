/** Models that are wrong on purpose: what finds no difference with them proves nothing about the right one. */
import { EACCES, EPERM, EROFS, ETXTBSY, raise, SIGBUS, SIGSEGV } from '../../src/kernel/errno.js'
import { done, function_named } from '../../src/kernel/fn.js'
import type { Frame, Kernel, Outcome, Stage } from '../../src/kernel/kernel.js'
import type { Area } from '../../src/kernel/syscall.js'
import { d_real_inode } from '../../src/vfs/d_real.js'
import { dentry } from '../../src/vfs/dentry.js'
import { file } from '../../src/vfs/file.js'
import { inode, is_reg, S_ISVTX } from '../../src/vfs/inode.js'
import { PROT_WRITE, vm_area } from '../../src/vfs/memory/mm.js'
import { MNT_NOEXEC, mount } from '../../src/vfs/mount.js'
import { MAY_EXEC } from '../../src/vfs/namei/permission.js'
import { task_struct } from '../../src/vfs/tasks/task.js'

type Run = (k: Kernel, f: Frame<any>) => Outcome

export interface Mutant {
  readonly name: string
  /** What is added to the kernel's profile, where the fault is a feature that some kernel has or lacks. */
  readonly features?: string
  /** What the programs are mostly about that show it; unless told, any do often enough. */
  readonly area?: Area
  /** Stages that run otherwise: given the right one. */
  readonly stages?: readonly {
    readonly fn: string
    readonly stage: string
    readonly instead: (right: Run) => Run
  }[]
}

/** Runs `body` while the stages of a mutant are in the model. */
export async function with_mutant<T>(mutant: Mutant, body: () => Promise<T>): Promise<T> {
  const undo = (mutant.stages ?? []).map(({ fn, stage, instead }) => {
    const { steps, stage_index } = function_named(fn)!
    const index = stage_index.get(stage)!
    const right = steps[index] as Stage<any>
    const list = steps as unknown as Stage<any>[]
    list[index] = { ...right, run: instead(right.run) }
    return () => {
      list[index] = right
    }
  })
  try {
    return await body()
  } finally {
    for (const each of undo) each()
  }
}

const is_root = (k: Kernel) => task_struct(k, k.task).euid === 0

export const mutants: readonly Mutant[] = [
  { name: 'read does not follow the copy-up', features: '+ovl_read_pinned', area: 'data' },
  { name: 'nobody denies writing to what runs', features: '+-exec_denies_writes' },
  { name: 'truncate asks the mount before the mode bits', features: '+-truncate_dac_first', area: 'data' },
  {
    name: 'writers are looked for on the real inode',
    area: 'exec',
    stages: [
      {
        fn: 'do_open_execat',
        stage: 'exe_file_deny_write_access',
        instead: (right) => (k, f) => {
          const node = inode(k, file(k, f.file).f_inode)
          const count = node.i_writecount
          node.i_writecount = inode(k, d_real_inode(k, file(k, f.file).f_dentry)).i_writecount
          const outcome = right(k, f)
          node.i_writecount = f.error === 0 ? count - 1 : count
          return outcome
        },
      },
    ],
  },
  {
    name: 'ETXTBSY comes before permission',
    area: 'exec',
    stages: [
      {
        fn: 'do_open',
        stage: 'may_open',
        instead: (right) => (k, f) => {
          const busy = inode(k, dentry(k, f.dentry).d_inode).i_writecount > 0
          return (f.acc_mode & MAY_EXEC) !== 0 && busy ? -ETXTBSY : right(k, f)
        },
      },
    ],
  },
  {
    name: 'root executes files without any x bit',
    stages: [
      {
        fn: 'do_open',
        stage: 'may_open',
        instead: (right) => (k, f) => {
          const outcome = right(k, f)
          const { i_mode } = inode(k, dentry(k, f.dentry).d_inode)
          const executes = (f.acc_mode & MAY_EXEC) !== 0 && is_reg(i_mode) && is_root(k)
          return executes && outcome === -EACCES ? 0 : outcome
        },
      },
    ],
  },
  {
    name: 'a read-only mount is not asked when a file is opened',
    stages: [
      {
        fn: 'do_dentry_open',
        stage: 'file_get_write_access',
        instead: (right) => (k, f) => {
          const outcome = right(k, f)
          return outcome === -EROFS ? undefined : outcome
        },
      },
    ],
  },
  {
    name: 'noexec is forgotten',
    area: 'exec',
    stages: ['may_open', 'exe_file_deny_write_access'].map((stage) => ({
      fn: stage === 'may_open' ? 'do_open' : 'do_open_execat',
      stage,
      instead: (right) => (k, f) => {
        const at = mount(k, stage === 'may_open' ? f.mnt : file(k, f.file).f_mnt)
        const flags = at.mnt_flags
        at.mnt_flags = flags & ~MNT_NOEXEC
        const outcome = right(k, f)
        at.mnt_flags = flags
        return outcome
      },
    })),
  },
  {
    name: 'a copy-up loses the set-id bits',
    area: 'attributes',
    stages: [
      {
        fn: 'ovl_copy_up_flags',
        stage: 'ovl_do_link',
        instead: (right) => (k, f) => {
          inode(k, f.temp).i_mode &= ~0o6000
          return right(k, f)
        },
      },
    ],
  },
  {
    name: 'a chmod by somebody else does nothing, and says so to nobody',
    stages: [
      {
        fn: 'notify_change',
        stage: 'notify_change',
        instead: (right) => (k, f) => {
          const outcome = right(k, f)
          return outcome === -EPERM ? done(f) : outcome
        },
      },
    ],
  },
  {
    name: 'a sticky directory is like any other',
    area: 'names',
    stages: [
      {
        fn: 'do_unlinkat',
        stage: 'do_unlinkat',
        instead: (right) => (k, f) => {
          const dir = inode(k, dentry(k, f.parent).d_inode)
          const mode = dir.i_mode
          dir.i_mode = mode & ~S_ISVTX
          const outcome = right(k, f)
          dir.i_mode = mode
          return outcome
        },
      },
    ],
  },
  {
    name: 'a load past the end of the file is a segmentation fault',
    stages: [
      {
        fn: 'peek',
        stage: 'handle_mm_fault',
        instead: (right) => (k, f) => {
          const outcome = right(k, f)
          return outcome === raise(SIGBUS) ? raise(SIGSEGV) : outcome
        },
      },
    ],
  },
  {
    name: 'a shared mapping of a read-only descriptor may become writable',
    area: 'memory',
    stages: [
      {
        fn: 'mmap',
        stage: 'do_mmap',
        instead: (right) => (k, f) => {
          const outcome = right(k, f)
          for (const vma of vm_area.where(k, task_struct(k, k.task).mm)) vma.vm_may |= PROT_WRITE
          return outcome
        },
      },
    ],
  },
]

/**
 * Integrity Policy Enforcement, for the operation EXECUTE (security/ipe/hooks.c).
 *
 * IPE keeps nothing about files or tasks: each hook looks up what is below the file at that moment and asks
 * the policy. It has no hook on open or read. On AT_EXECVE_CHECK it has one since 6.19 only.
 */

import { dm_verity } from '../../integrity/dm_verity.js'
import { fs_verity } from '../../integrity/fs_verity.js'
import { EACCES } from '../../kernel/errno.js'
import type { Kernel, SecurityModule } from '../../kernel/kernel.js'
import { d_real_inode } from '../../vfs/d_real.js'
import { file } from '../../vfs/file.js'
import { file_superblock } from '../../vfs/files/file_superblock.js'
import { inode } from '../../vfs/inode.js'
import { PROT_EXEC, vm_area } from '../../vfs/memory/mm.js'
import { d_path } from '../../vfs/namei/d_path.js'
import { block_device, super_block } from '../../vfs/super_block.js'
import { current } from '../../vfs/tasks/task.js'
import { define_lsm, LsmOptionError } from '../define_lsm.js'
import { audit_access_record, type IpeHook } from './audit.js'
import { evaluate, type IpeContext } from './eval.js'
import type { IpePolicy } from './policy.js'
import { type PolicyError, parse_policy } from './policy_parser.js'

/** An IPE policy, and what is done with what it decides. */
export interface IpeOptions {
  /** The policy's text; without it nothing is asked of IPE. */
  readonly policy?: string
  /** False: decisions are told but not enforced. */
  readonly enforce?: boolean
  /** True: what is allowed is told too, as audit records. */
  readonly success_audit?: boolean
}

declare module '../define_lsm.js' {
  interface LsmOptions {
    /** IPE, with its policy. */
    readonly ipe?: IpeOptions
  }
}

/** A policy that the kernel would refuse. `message` is for people; `error` has the errno and the place. */
export class IpePolicyError extends LsmOptionError {
  constructor(readonly error: PolicyError) {
    super('policy', `line ${error.line}, column ${error.column}: ${error.errno}: ${error.message}`)
    this.name = 'IpePolicyError'
  }
}

const NO_FILE: IpeContext = { has_file: false, initramfs: false, dmverity: null, fsverity: null }

/** What vouches for the bytes of an inode: the superblock that it is seen through, its block device, or itself. */
function context_of(k: Kernel, ino: number, sb: number): IpeContext {
  const initramfs = super_block(k, sb).s_initramfs === 1
  return { has_file: true, initramfs, dmverity: dm_verity(k, ino), fsverity: fs_verity(k, ino) }
}

/**
 * What a policy may ask about an open file (security/ipe/eval.c: ipe_build_eval_ctx). The mount's superblock
 * says whether it is of the initramfs; everything else is asked of the inode that holds the data now, which
 * for an overlay changes with a copy-up. A proposal would ask the metadata inode instead.
 */
function build_eval_ctx(k: Kernel, id: number): IpeContext {
  if (id === 0) return NO_FILE
  const real = d_real_inode(k, file(k, id).f_dentry, k.has('ipe_backing_metadata') ? 'metadata' : 'data')
  return context_of(k, real, file_superblock(k, id))
}

/** What the record says of the file: the one that the hook was given, of an overlay the overlay's own. */
function audited_file(k: Kernel, id: number) {
  if (id === 0) return null
  const { f_mnt, f_dentry, f_inode } = file(k, id)
  return { path: d_path(k, f_mnt, f_dentry), dev: kernel_s_id(k, inode(k, f_inode).i_sb), ino: f_inode }
}

/** File systems on a block device are called by it; here it has the name that the set-up gives. */
const on_a_device: ReadonlySet<string> = new Set(['ext4', 'erofs'])

/** What the kernel has as a superblock's s_id: its device's name, or without one its type's (fs/super.c: sget_fc). */
function kernel_s_id(k: Kernel, sb: number): string {
  const { s_id, s_type, s_bdev, s_initramfs } = super_block(k, sb)
  if (s_bdev !== 0) return block_device(k, s_bdev).bd_name
  if (s_initramfs === 1) return 'rootfs'
  return on_a_device.has(s_type) ? s_id : s_type
}

/** Bytes of a task's name; the kernel's have a NUL behind them (include/linux/sched.h: TASK_COMM_LEN). */
const COMM_BYTES = 15

/**
 * IPE as a security module.
 *
 * @throws IpePolicyError where the policy's text is not one that the kernel would load
 */
export function ipe({ policy: text, enforce = true, success_audit = false }: IpeOptions): SecurityModule {
  const policy = text === undefined ? null : read(text)

  /** security/ipe/eval.c: ipe_evaluate_event. @returns 0 or -EACCES */
  const execute = (k: Kernel, hook: IpeHook, id: number): number => {
    const decision = evaluate(policy, 'EXECUTE', build_eval_ctx(k, id), enforce, success_audit)
    if (decision.audited) {
      k.tell('audit', () => {
        const known = {
          op: 'EXECUTE',
          hook,
          enforcing: enforce,
          pid: k.task,
          comm: current(k).comm.slice(0, COMM_BYTES),
        } as const
        return audit_access_record({ ...known, file: audited_file(k, id), rule: decision.rule })
      })
    }
    return decision.errno === 0 ? 0 : k.refuse(-EACCES, () => `ipe: ${decision.rule}`)
  }

  return {
    name: 'ipe',
    hooks: {
      // At each level of a chain of interpreters, and never for a check.
      bprm_check_security: (k, bprm) => execute(k, 'BPRM_CHECK', bprm.file),
      // Since 6.19 (security/ipe/hooks.c: ipe_bprm_creds_for_exec).
      bprm_creds_for_exec: (k, bprm) =>
        bprm.is_check && k.has('ipe_execve_check') ? execute(k, 'BPRM_CREDS_FOR_EXEC', bprm.file) : 0,
      // The protection in effect counts, not the one asked for; anonymous memory is asked about too.
      mmap_file: (k, { file: id, prot }) => ((prot & PROT_EXEC) !== 0 ? execute(k, 'MMAP', id) : 0),
      // Only where the mapping was not executable before. Of an overlay file, vm_file is the real one.
      file_mprotect: (k, { vma, prot }) => {
        const { vm_prot, vm_file } = vm_area(k, vma)
        const added = (prot & PROT_EXEC) !== 0 && (vm_prot & PROT_EXEC) === 0
        return added ? execute(k, 'MPROTECT', vm_file) : 0
      },
    },
    // Whoever asks: through no mount but that of its own file system.
    approves: (k, ino) =>
      evaluate(policy, 'EXECUTE', context_of(k, ino, inode(k, ino).i_sb), true, false).action === 'ALLOW',
  }
}

function read(text: string): IpePolicy {
  const parsed = parse_policy(text)
  if ('error' in parsed) throw new IpePolicyError(parsed.error)
  return parsed.policy
}

define_lsm<'ipe'>({
  name: 'ipe',
  order: 'mutable',
  says: 'Integrity Policy Enforcement: a policy decides by dm-verity, fs-verity and the initramfs what may be executed.',
  in_kernels: true,
  features: {
    ipe_execve_check:
      'IPE has no hook for AT_EXECVE_CHECK (it has one since 6.19), so its policy was never asked',
  },
  options: {
    policy: { type: 'text', says: 'The text of the policy in force; without it nothing is asked.' },
    enforce: { type: 'flag', says: 'False: decisions are told but not enforced.' },
    success_audit: { type: 'flag', says: 'True: what is allowed is told too, as audit records.' },
  },
  idle_without: 'policy',
  make: ipe,
})

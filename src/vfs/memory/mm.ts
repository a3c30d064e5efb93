/** An address space and its mappings (struct mm_struct, vm_area_struct). */
import { int, ref, str, table } from '../../kernel/schema.js'

/** include/uapi/asm-generic/mman-common.h. */
export const PROT_READ = 1
export const PROT_WRITE = 2
export const PROT_EXEC = 4

export const mm_struct = table(
  'mm_struct',
  {
    /** The program that it runs: the inode that is denied to writers, and the place where it was opened. */
    exe: { exe_file: ref('inode'), exe_mnt: ref('mount'), exe_dentry: ref('dentry') },
    /** Others of the same user may look into it (include/linux/sched/coredump.h: SUID_DUMP_USER). */
    dump: { dumpable: int(1) },
  },
  { owned: true },
)

/** Addresses are byte addresses; both ends are multiples of the page size. */
export const vm_area = table(
  'vm_area',
  {
    place: { vm_mm: ref('mm_struct'), vm_start: int(), vm_end: int() },
    /** PROT_* bits it has, those it may get (VM_MAYREAD …), and 1 if it is shared (MAP_SHARED). */
    flags: { vm_prot: int(), vm_may: int(), vm_shared: int() },
    file: { vm_file: ref('file'), vm_pgoff: int() },
  },
  { unique: ['vm_mm', 'vm_start'], owned: true },
)

/**
 * A page of private memory: of an anonymous mapping, or of a private mapping that was written to. The
 * latter knows which page of which file it was copied from: when that page is truncated away, so is the
 * copy, whosever it is. Therefore these rows are not their task's alone.
 */
export const anon_page = table(
  'anon_page',
  {
    identity: { mm: ref('mm_struct'), address: int() },
    origin: { mapping: ref('inode'), index: int() },
    data: { data: str() },
  },
  { unique: ['mm', 'address'], keyed: true, constant: ['origin'] },
)

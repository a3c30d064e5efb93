/**
 * Mappings (mm/mmap.c, mm/vma.c, mm/mprotect.c).
 *
 *     mmap
 *       security_mmap_file    descriptor; the modules are asked before the address space is locked
 *       do_mmap               every other check, and the mapping is there
 *       fput                  of files that the mappings it replaced had pinned
 *
 * A mapping pins its file: the file's write access lasts until the last mapping of it is gone, also when
 * every descriptor is closed. Which file that is the file system type says: overlay names the real file that
 * it recorded at open, so that a mapping does not follow a copy-up.
 *
 * Addresses are chosen from the top down, as the kernel does without randomisation. Neighbours are not
 * merged into one mapping, which nothing but the list of mappings could show.
 */
import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../../kernel/errno.js'
import { call, done, fn, jump, local, stage } from '../../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../../kernel/kernel.js'
import { int, list, ref, type ValuesOf } from '../../kernel/schema.js'
import { security } from '../../kernel/security.js'
import { type Constants, define_syscall, type Parameter } from '../../kernel/syscall.js'
import { not_open } from '../attributes/attr.js'
import { dentry } from '../dentry.js'
import { FMODE_READ, FMODE_WRITE, file } from '../file.js'
import { is_zero_device } from '../files/char_dev.js'
import { fdget, fput } from '../files/file_table.js'
import { inode, inode_ops, is_reg, PAGE_SIZE, S_APPEND, S_IFREG } from '../inode.js'
import { path_noexec } from '../mount.js'
import { O_RDWR } from '../open/open_flags.js'
import { gives_zero } from '../parameters.js'
import { SB_KERNMOUNT, super_block } from '../super_block.js'
import { capable, current } from '../tasks/task.js'
import { anon_page, mm_struct, PROT_EXEC, PROT_READ, PROT_WRITE, vm_area } from './mm.js'
import { page_align } from './page_cache.js'

/** The first address that user space does not have (x86_64, four levels of page tables). */
export const TASK_SIZE = 2 ** 47 - PAGE_SIZE
/** Below it mappings are placed, the first the highest. */
export const MMAP_BASE = 0x7ffff7fff000
/** vm.mmap_min_addr */
const MMAP_MIN_ADDR = 65536
/** vm.max_map_count */
const MAX_MAP_COUNT = 65530
const CAP_SYS_RAWIO = 17

export const PROT_NONE = 0
const PROT_SEM = 8
const PROT_GROWSDOWN = 0x01000000
const PROT_GROWSUP = 0x02000000

export const MAP_SHARED = 0x01
export const MAP_PRIVATE = 0x02
export const MAP_SHARED_VALIDATE = 0x03
const MAP_TYPE = 0x0f
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
const MAP_GROWSDOWN = 0x0100
const MAP_SYNC = 0x80000
export const MAP_FIXED_NOREPLACE = 0x100000
/** The flags older than MAP_SHARED_VALIDATE; with it a file system without DAX refuses all others (linux/mman.h). */
const LEGACY_MAP_MASK = 0x7c07f9f3

// --- address spaces ----------------------------------------------------------------------------------------

/** The running task's address space; a task that never mapped anything gets an empty one. */
export function task_mm(k: Kernel): number {
  const task = current(k)
  if (task.mm === 0) task.mm = mm_struct.create(k, {}).id
  return task.mm
}

type Vma = ReturnType<typeof vm_area.create>

/** The mappings of an address space, by address. */
export function mappings(k: Kernel, mm: number): Vma[] {
  return mm === 0 ? [] : vm_area.where(k, mm).sort((a, b) => a.vm_start - b.vm_start)
}

/** The mappings that have a part in [start, end). */
const overlapping = (k: Kernel, mm: number, start: number, end: number): Vma[] =>
  mappings(k, mm).filter((vma) => vma.vm_start < end && start < vma.vm_end)

/** The mapping that an address lies in, or undefined (mm/mmap.c: vma_lookup). */
export function vma_lookup(k: Kernel, mm: number, address: number): Vma | undefined {
  return overlapping(k, mm, address, address + 1)[0]
}

/** Cuts a mapping in two at `address`; the upper part is a new one (mm/vma.c: split_vma). @returns it */
function split_vma(k: Kernel, vma: Vma, address: number): Vma {
  const { vm_mm, vm_start, vm_end, vm_prot, vm_may, vm_shared, vm_file } = vma
  if (vm_file !== 0) file(k, vm_file).f_count += 1
  const vm_pgoff = vma.vm_pgoff + (address - vm_start) / PAGE_SIZE
  vma.vm_end = address
  return vm_area.create(k, {
    vm_mm,
    vm_start: address,
    vm_end,
    vm_prot,
    vm_may,
    vm_shared,
    vm_file,
    vm_pgoff: vm_file === 0 ? 0 : vm_pgoff,
  })
}

/** The part of a mapping that lies in [start, end), cut out of it. */
function isolate(k: Kernel, vma: Vma, start: number, end: number): Vma {
  const part = vma.vm_start < start ? split_vma(k, vma, start) : vma
  if (part.vm_end > end) split_vma(k, part, end)
  return part
}

/**
 * Removes the mappings in [start, end), with their private pages.
 *
 * @returns the files that they pinned: the caller drops a reference of each
 */
function unmap_region(k: Kernel, mm: number, start: number, end: number): number[] {
  const files: number[] = []
  for (const vma of overlapping(k, mm, start, end)) {
    const part = isolate(k, vma, start, end)
    if (part.vm_file !== 0) files.push(part.vm_file)
    vm_area.remove(k, part.id)
  }
  for (const { id, address } of anon_page.where(k, mm)) {
    if (start <= address && address < end) anon_page.remove(k, id)
  }
  return files
}

/** Drops a reference of each of these files. */
export const fput_all = fn('fput_all', { source: 'mm/vma.c', locals: { files: list([true]) } }, [
  call(
    (_, f) => (f.files.length === 0 ? null : fput),
    (_, f) => ({ file: f.files[0]! }),
    (_, f) => {
      f.files = f.files.slice(1)
      return jump(f, 'remove_vma')
    },
    'remove_vma',
  ),
  local('done', (_, f) => done(f)),
])

// --- mmap --------------------------------------------------------------------------------------------------

const mmap_locals = {
  addr: int(),
  length: int(),
  prot: int(),
  flags: int(),
  fd: int(),
  offset: int(),
  file: ref('file'),
  replaced: list([true]),
}
type Mmap = Frame<ValuesOf<typeof mmap_locals>>

/**
 * mmap(2). Errors, in order: EINVAL (offset not of whole pages), EBADF, what security_mmap_file answers, EINVAL
 * (no length), ENOMEM, EEXIST (MAP_FIXED_NOREPLACE), EPERM (below mmap_min_addr), EOVERFLOW, EOPNOTSUPP, EACCES (access
 * mode of the descriptor), EPERM (noexec), ENODEV (neither a regular file nor /dev/zero), EINVAL (type of mapping).
 * @returns the address
 */
const mmap = fn('mmap', { source: 'mm/mmap.c', locals: mmap_locals }, [
  stage('security_mmap_file', (k, f) => {
    if (f.offset % PAGE_SIZE !== 0) return -EINVAL
    if ((f.flags & MAP_ANONYMOUS) === 0) {
      f.file = fdget(k, f.fd)
      if (f.file === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
    }
    return security(k, 'mmap_file', { file: f.file, reqprot: f.prot, prot: f.prot, flags: f.flags })
  }),
  stage('do_mmap', (k, f) => {
    if (f.length === 0) return -EINVAL
    const mm = task_mm(k)
    if (mappings(k, mm).length >= MAX_MAP_COUNT) return -ENOMEM
    const refused = get_unmapped_area(k, f, mm)
    if (refused !== 0) return refused
    const may = f.file === 0 ? may_map_anonymous(f) : may_map_file(k, f)
    if (may < 0) return may
    mmap_region(k, f, mm, may)
  }),
  call(fput_all, (_, f) => ({ files: f.replaced })),
  local('address', (_, f) => done(f, f.addr)),
])

/** Settles `addr` and `length` (mm/mmap.c: __get_unmapped_area). @returns 0 or a negative errno */
function get_unmapped_area(k: Kernel, f: Mmap, mm: number): number {
  const fixed = (f.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0
  const length = page_align(f.length)
  if (length <= 0 || length > TASK_SIZE) return k.refuse(-ENOMEM, 'longer than the address space')
  f.length = length
  if (!fixed) {
    const hint = f.addr - (f.addr % PAGE_SIZE)
    const wanted = hint > 0 && hint < MMAP_MIN_ADDR ? MMAP_MIN_ADDR : hint
    f.addr = is_free(k, mm, wanted, length) ? wanted : topmost_gap(k, mm, length)
    return f.addr < 0 ? f.addr : 0
  }
  if (f.addr < 0 || f.addr > TASK_SIZE - length) return k.refuse(-ENOMEM, 'past the address space')
  if (f.addr % PAGE_SIZE !== 0) return -EINVAL
  if (f.addr < MMAP_MIN_ADDR && !capable(k, CAP_SYS_RAWIO)) return k.refuse(-EPERM, 'below vm.mmap_min_addr')
  const taken = overlapping(k, mm, f.addr, f.addr + length).length > 0
  if ((f.flags & MAP_FIXED_NOREPLACE) !== 0 && taken) return k.refuse(-EEXIST, 'something is mapped there')
  return 0
}

function is_free(k: Kernel, mm: number, start: number, length: number): boolean {
  if (start <= 0 || start > TASK_SIZE - length) return false
  return overlapping(k, mm, start, start + length).length === 0
}

/** The highest place below MMAP_BASE with room (mm/mmap.c: vm_unmapped_area_topdown). @returns it, or -ENOMEM */
function topmost_gap(k: Kernel, mm: number, length: number): number {
  let end = MMAP_BASE
  for (const { vm_start, vm_end } of mappings(k, mm).reverse()) {
    if (end - vm_end >= length) return end - length
    end = Math.min(end, vm_start)
  }
  return end - MMAP_MIN_ADDR >= length ? end - length : k.refuse(-ENOMEM, 'no room in the address space')
}

/** What mprotect may later ask for (VM_MAYREAD …): PROT_* bits, or a negative errno. */
function may_map_file(k: Kernel, f: Mmap): number {
  const { f_mode, f_inode, f_mnt } = file(k, f.file)
  const type = f.flags & MAP_TYPE
  let may = PROT_READ | PROT_WRITE | PROT_EXEC
  const { i_mode, i_rdev } = inode(k, f_inode)
  // A negative offset is one beyond 2^63, where no regular file reaches; others are asked for 2^64 only (file_mmap_ok).
  if (f.offset < 0 && (is_reg(i_mode) || f.offset + f.length >= 0)) return -EOVERFLOW
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return -EINVAL
  if (type === MAP_SHARED_VALIDATE && (f.flags & ~LEGACY_MAP_MASK) !== 0) return -EOPNOTSUPP
  const writable = (f_mode & FMODE_WRITE) !== 0
  if (type !== MAP_PRIVATE) {
    if ((f.prot & PROT_WRITE) !== 0 && !writable) {
      return k.refuse(-EACCES, 'a shared writable mapping of a descriptor that is not open for writing')
    }
    if (writable && (inode(k, f_inode).i_flags & S_APPEND) !== 0) return k.refuse(-EACCES, 'append-only')
    if (!writable) may &= ~PROT_WRITE
  }
  if ((f_mode & FMODE_READ) === 0) return k.refuse(-EACCES, 'the descriptor is not open for reading')
  if (path_noexec(k, f_mnt)) {
    if ((f.prot & PROT_EXEC) !== 0) return k.refuse(-EPERM, 'the mount is noexec')
    may &= ~PROT_EXEC
  }
  if (!is_reg(i_mode) && !is_zero_device(i_mode, i_rdev))
    return k.refuse(-ENODEV, 'only regular files and /dev/zero can be mapped')
  return may
}

function may_map_anonymous(f: Mmap): number {
  const type = f.flags & MAP_TYPE
  return type === MAP_SHARED || type === MAP_PRIVATE ? PROT_READ | PROT_WRITE | PROT_EXEC : -EINVAL
}

/**
 * Shared anonymous memory is a file without a name in a tmpfs of the kernel's own, which only its mappings
 * pin: so a forked child shares it (mm/shmem.c: shmem_zero_setup). @returns the open file
 */
function shmem_zero_setup(k: Kernel, length: number): number {
  const shm_mnt = super_block.rows(k).find((sb) => (sb.s_flags & SB_KERNMOUNT) !== 0)
  const sb = shm_mnt ?? super_block.create(k, { s_id: 'shm', s_type: 'tmpfs', s_flags: SB_KERNMOUNT })
  const ino = inode.create(k, { i_sb: sb.id, i_mode: S_IFREG | 0o777, i_size: length, i_count: 1 })
  const name = dentry.create(k, {
    d_name: 'zero',
    d_unhashed: 1,
    d_inode: ino.id,
    d_sb: sb.id,
    d_count: 1,
  })
  name.d_parent = name.id
  const f_mode = FMODE_READ | FMODE_WRITE
  const f_mnt = current(k).root_mnt
  return file.create(k, { f_mnt, f_dentry: name.id, f_inode: ino.id, f_flags: O_RDWR, f_mode }).id
}

/** The mapping is there, in place of what it covers (mm/vma.c: mmap_region). */
function mmap_region(k: Kernel, f: Mmap, mm: number, may: number): void {
  f.replaced = unmap_region(k, mm, f.addr, f.addr + f.length)
  const shared = (f.flags & MAP_TYPE) !== MAP_PRIVATE
  // Of a descriptor of zero that is not open for writing: private memory (drivers/char/mem.c: mmap_zero).
  const anonymous = shared && (may & PROT_WRITE) !== 0 ? shmem_zero_setup : () => 0
  const pinned = has_pages(k, f.file) ? mapped_file(k, f.file) : anonymous(k, f.length)
  if (pinned !== 0) file(k, pinned).f_count += 1
  vm_area.create(k, {
    vm_mm: mm,
    vm_start: f.addr,
    vm_end: f.addr + f.length,
    vm_prot: f.prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
    vm_may: may,
    // Without the right to write a shared mapping is one that only reads: VM_SHARED is not set.
    vm_shared: shared && (may & PROT_WRITE) !== 0 ? 1 : 0,
    vm_file: pinned,
    // An offset is unsigned; that of shared anonymous memory counts for nothing.
    vm_pgoff: pinned === 0 || f.file === 0 ? 0 : (f.offset + (f.offset < 0 ? 2 ** 64 : 0)) / PAGE_SIZE,
  })
}

/** Memory of /dev/zero is anonymous: shared by whoever inherits it, not by whoever opens the device. */
const has_pages = (k: Kernel, id: number): boolean => id !== 0 && is_reg(inode(k, file(k, id).f_inode).i_mode)

const mapped_file = (k: Kernel, id: number): number =>
  inode_ops(k, file(k, id).f_inode).mmap_file?.(k, id) ?? id

// --- munmap, mprotect --------------------------------------------------------------------------------------

/** munmap(2): what is not mapped is no error. Errors: EINVAL (not whole pages, no length, past the address space). */
const munmap = fn(
  'munmap',
  { source: 'mm/mmap.c', locals: { addr: int(), length: int(), files: list([true]) } },
  [
    stage('do_munmap', (k, f) => {
      const length = page_align(f.length)
      if (f.addr < 0 || f.addr % PAGE_SIZE !== 0 || length <= 0) return -EINVAL
      if (f.addr > TASK_SIZE || length > TASK_SIZE - f.addr) return -EINVAL
      f.files = unmap_region(k, current(k).mm, f.addr, f.addr + length)
    }),
    call(fput_all, (_, f) => ({ files: f.files })),
  ],
)

/**
 * mprotect(2). Errors, in order: EINVAL (GROWSDOWN and GROWSUP, not whole pages), ENOMEM (past the end), EINVAL (unknown
 * bits), ENOMEM (not mapped); then, mapping by mapping: EACCES (never to be had: shared without a writable
 * descriptor, noexec), what security_file_mprotect answers, ENOMEM (a gap). Mappings before it stay changed.
 */
const mprotect = fn(
  'mprotect',
  { source: 'mm/mprotect.c', locals: { addr: int(), length: int(), prot: int() } },
  [stage('do_mprotect_pkey', (k, f) => check_mprotect(f) || do_mprotect(k, f))],
)

type Range = { addr: number; length: number; prot: number }

function check_mprotect(f: Frame<Range>): Outcome {
  const grows = f.prot & (PROT_GROWSDOWN | PROT_GROWSUP)
  const prot = f.prot & ~grows
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP) || f.addr % PAGE_SIZE !== 0) return -EINVAL
  if (f.length === 0) return done(f)
  if (f.addr < 0 || f.length < 0 || f.addr + f.length > 2 ** 64) return -ENOMEM
  if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) !== 0) return -EINVAL
}

function do_mprotect(k: Kernel, f: Frame<Range>): Outcome {
  const { mm } = current(k)
  const end = f.addr + page_align(f.length)
  const prot = f.prot & (PROT_READ | PROT_WRITE | PROT_EXEC)
  let reached = f.addr
  for (const vma of overlapping(k, mm, f.addr, end)) {
    if (vma.vm_start > reached) break
    // No mapping here grows by itself.
    if ((f.prot & (PROT_GROWSDOWN | PROT_GROWSUP)) !== 0) return -EINVAL
    if ((prot & ~vma.vm_may) !== 0) return k.refuse(-EACCES, () => why_never(vma, prot))
    const denied = security(k, 'file_mprotect', { vma: vma.id, reqprot: f.prot, prot: f.prot })
    if (denied !== 0) return denied
    reached = vma.vm_end
    if (vma.vm_prot !== prot) isolate(k, vma, f.addr, end).vm_prot = prot
  }
  return reached < end ? k.refuse(-ENOMEM, 'not mapped') : undefined
}

function why_never(vma: Vma, prot: number): string {
  return (prot & ~vma.vm_may & PROT_WRITE) !== 0
    ? 'shared, from a descriptor that is not open for writing'
    : 'mapped from a noexec mount'
}

// --- the system calls --------------------------------------------------------------------------------------

const prot_flags: Constants = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, PROT_SEM }
const map_flags: Constants = {
  MAP_SHARED,
  MAP_PRIVATE,
  MAP_SHARED_VALIDATE,
  MAP_FIXED,
  MAP_ANONYMOUS,
  MAP_ANON: MAP_ANONYMOUS,
  MAP_GROWSDOWN,
  MAP_SYNC,
  MAP_FIXED_NOREPLACE,
}
const aligned: Parameter = { name: 'addr', kind: 'address', says: 'a multiple of 4096' }
const length: Parameter = { name: 'length', kind: 'pages', says: 'in bytes' }

define_syscall({
  name: 'mmap',
  says: 'Maps a file or zeros into memory. `peek` and `poke` use it.',
  prototype: [
    {
      name: 'addr',
      kind: 'address',
      says: '0: the kernel chooses; else a hint, or with MAP_FIXED the address',
    },
    { name: 'length', kind: 'pages', says: 'in bytes; whole pages of 4096 are mapped' },
    {
      name: 'prot',
      kind: 'flags',
      says: "`'PROT_READ|PROT_WRITE'`",
      constants: prot_flags,
      constant: 'MapProtection',
    },
    {
      name: 'flags',
      kind: 'flags',
      says: "`'MAP_SHARED'` or `'MAP_PRIVATE'`, with others",
      constants: map_flags,
      constant: 'MapFlag',
    },
    { name: 'fd', kind: 'fd', says: '-1 with MAP_ANONYMOUS' },
    {
      name: 'offset',
      kind: 'pages',
      says: 'in bytes from the beginning of the file; a multiple of 4096',
      missing: 0,
    },
  ],
  fn: mmap,
  locals: (addr, length, prot, flags, fd, offset) => ({ addr, length, prot, flags, fd, offset }),
  returns: 'address',
  gives: 'the address of the mapping',
  changes: 'nothing',
})
define_syscall({
  name: 'munmap',
  says: 'Takes mappings away.',
  prototype: [aligned, length],
  fn: munmap,
  locals: (addr, length) => ({ addr, length }),
  ...gives_zero,
  changes: 'nothing',
})
define_syscall({
  name: 'mprotect',
  says: 'Changes what may be done to mapped memory.',
  prototype: [
    aligned,
    length,
    {
      name: 'prot',
      kind: 'flags',
      says: "`'PROT_READ|PROT_EXEC'`",
      constants: { ...prot_flags, PROT_GROWSDOWN, PROT_GROWSUP },
      constant: 'Protection',
    },
  ],
  fn: mprotect,
  locals: (addr, length, prot) => ({ addr, length, prot }),
  ...gives_zero,
  changes: 'nothing',
})

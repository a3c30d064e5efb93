/**
 * Loads and stores of a task in its own memory (mm/memory.c: handle_mm_fault and what follows). `peek` and
 * `poke` stand for the instructions of a program; they are no system calls.
 *
 * One page cache per file: a store through a shared mapping, a write() and every mapping of the page show
 * the same bytes. A page of a private mapping leaves it with its first store: from then on it is the
 * task's own, and only this page; the others go on to follow the file.
 *
 * Bytes past the end of the file in its last page: a load shows zeros, and a store there leaves no trace.
 * (On a kernel they may come to light when the file grows; no program may rely on it.)
 */

import { hex_address } from '../../kernel/decode.js'
import { EINVAL, raise, SIGBUS, SIGSEGV } from '../../kernel/errno.js'
import { done, fn, stage } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, type Frame, type Outcome } from '../../kernel/kernel.js'
import { int, str } from '../../kernel/schema.js'
import { define_syscall, type Parameter } from '../../kernel/syscall.js'
import { file } from '../file.js'
import { inode, PAGE_SIZE } from '../inode.js'
import { copy_to_user, current } from '../tasks/task.js'
import { anon_page, PROT_EXEC, PROT_READ, PROT_WRITE, type vm_area } from './mm.js'
import { vma_lookup } from './mmap.js'
import { MAX_RW_COUNT, overwrite, pad_zeros, page_offset, stored_page, write_page } from './page_cache.js'

type Vma = ReturnType<typeof vm_area.create>

/** Where a page of memory comes from. */
interface Place {
  readonly vma: Vma
  /** Address of the page. */
  readonly address: number
  /** The file's inode, 0 for anonymous memory, and which of its pages. */
  readonly ino: number
  readonly index: number
}

/** Finds the page of an address; a signal where there is none or it is protected. */
function locate(k: Kernel, at: number, prot: number): Place | number {
  const vma = vma_lookup(k, current(k).mm, at)
  if (vma === undefined) return k.refuse(raise(SIGSEGV), () => `nothing is mapped at ${hex_address(at)}`)
  if ((vma.vm_prot & prot) === 0) return k.refuse(raise(SIGSEGV), 'the mapping does not allow it')
  const address = at - page_offset(at)
  if (vma.vm_file === 0) return { vma, address, ino: 0, index: 0 }
  const ino = file(k, vma.vm_file).f_inode
  const index = vma.vm_pgoff + (address - vma.vm_start) / PAGE_SIZE
  if (index * PAGE_SIZE < inode(k, ino).i_size) return { vma, address, ino, index }
  return k.refuse(raise(SIGBUS), () => `page ${index} lies past the end of the file`)
}

/** Loads bytes of one page. @returns 0 or a signal */
function load(k: Kernel, at: number, length: number): number {
  // What can be written can be read; what can only be executed cannot where the processor has protection keys.
  const readable = PROT_READ | PROT_WRITE | (k.has('pkeys') ? 0 : PROT_EXEC)
  const place = locate(k, at, readable)
  if (typeof place === 'number') return place
  const own = anon_page.find(k, place.vma.vm_mm, place.address)
  const data = own?.data ?? (place.ino === 0 ? '' : stored_page(k, place.ino, place.index))
  const from = page_offset(at)
  copy_to_user(k, pad_zeros(data, PAGE_SIZE).slice(from, from + length), own === undefined ? place.ino : 0)
  return 0
}

/** Stores bytes in one page. @returns 0 or a signal */
function store(k: Kernel, at: number, bytes: string): number {
  const place = locate(k, at, PROT_WRITE)
  if (typeof place === 'number') return place
  if (place.vma.vm_shared === 1) store_shared(k, place, page_offset(at), bytes)
  else store_private(k, place, page_offset(at), bytes)
  return 0
}

function store_shared(k: Kernel, { ino, index }: Place, offset: number, bytes: string): void {
  const room = inode(k, ino).i_size - index * PAGE_SIZE - offset
  if (room > 0) write_page(k, ino, index, offset, bytes.slice(0, room))
}

/** Copy on write: the first store takes the page out of the page cache (mm/memory.c: do_cow_fault). */
function store_private(k: Kernel, { vma, address, ino, index }: Place, offset: number, bytes: string): void {
  const own = anon_page.find(k, vma.vm_mm, address)
  if (own !== undefined) {
    own.data = overwrite(own.data, offset, bytes)
    return
  }
  const before = ino === 0 ? '' : stored_page(k, ino, index)
  const data = overwrite(before, offset, bytes)
  anon_page.create(k, { mm: vma.vm_mm, address, mapping: ino, index, data })
}

type Access = { addr: number; length: number; reached: number }

/** The next page of an access that may span several. */
function next_part(f: Frame<Access>): { at: number; length: number } {
  const at = f.addr + f.reached
  return { at, length: Math.min(f.length - f.reached, PAGE_SIZE - page_offset(at)) }
}

function after_part(f: Frame<Access>, length: number): Outcome {
  f.reached += length
  return f.reached < f.length ? AGAIN : undefined
}

/** Loads `length` bytes, page by page. @returns their number; they stand in the user buffer. Raises SIGSEGV, SIGBUS */
export const peek = fn(
  'peek',
  { source: 'mm/memory.c', locals: { addr: int(), length: int(), reached: int() } },
  [
    stage('handle_mm_fault', (k, f) => {
      if (f.length < 0 || f.length > MAX_RW_COUNT) return -EINVAL
      if (f.length === 0) return done(f, 0)
      const { at, length } = next_part(f)
      return load(k, at, length) || after_part(f, length) || done(f, f.length)
    }),
  ],
)

/** Stores bytes, page by page; pages before a signal keep theirs. @returns 0. Raises SIGSEGV, SIGBUS */
export const poke = fn(
  'poke',
  { source: 'mm/memory.c', locals: { addr: int(), length: int(), data: str(), reached: int() } },
  [
    stage('handle_mm_fault', (k, f) => {
      if (f.length > MAX_RW_COUNT) return -EINVAL
      if (f.length === 0) return
      const { at, length } = next_part(f)
      return store(k, at, f.data.slice(f.reached, f.reached + length)) || after_part(f, length)
    }),
  ],
)

const addr: Parameter = { name: 'addr', kind: 'address' }

define_syscall({
  name: 'peek',
  says: 'Reads memory, as a program does without any system call. SIGBUS or SIGSEGV end the task where they would in C.',
  prototype: [addr, { name: 'length', kind: 'size', says: 'in bytes' }],
  as: null,
  man: 'mmap',
  fn: peek,
  locals: (addr, length) => ({ addr, length }),
  returns: 'bytes',
  gives: 'the bytes, for `use` and `write`',
  changes: 'nothing',
})
define_syscall({
  name: 'poke',
  says: 'Writes memory, as a program does without any system call. SIGBUS or SIGSEGV end the task where they would in C.',
  prototype: [
    addr,
    { name: 'data', kind: 'bytes', says: 'text (its UTF-8), `{ base64 }`, or what an earlier call has read' },
  ],
  as: null,
  man: 'mmap',
  fn: poke,
  locals: (addr, data) => ({ addr, data: data ?? '', length: data?.length ?? 0 }),
  returns: 'int',
  gives: '0',
  changes: 'contents',
})

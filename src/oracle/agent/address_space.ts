/**
 * Where a task's mappings lie, so that a kernel can be asked for the addresses that the model gives: the hint
 * where it is free, else the highest gap (`vfs/memory/mmap.ts`: get_unmapped_area).
 */
import type { Argument } from '../../kernel/syscall.js'
import type { ArgumentForm } from '../../scenario/form.js'
import { PAGE_SIZE } from '../../vfs/inode.js'
import { MMAP_BASE, TASK_SIZE } from '../../vfs/memory/mmap.js'
import { page_align } from '../../vfs/memory/page_cache.js'

const MAP_FIXED = 0x10
const MAP_FIXED_NOREPLACE = 0x100000
const MMAP_MIN_ADDR = 0x10000

type Locals = Readonly<Record<string, Argument>>

export class AddressSpace {
  /** First address and the one behind the last, in order of addresses. */
  constructor(private areas: readonly (readonly [number, number])[] = []) {}

  copy(): AddressSpace {
    return new AddressSpace(this.areas)
  }

  private is_free(start: number, end: number): boolean {
    return start > 0 && end <= TASK_SIZE && this.areas.every(([from, to]) => to <= start || from >= end)
  }

  private highest_gap(length: number): number {
    let end = MMAP_BASE
    for (const [from, to] of [...this.areas].reverse()) {
      if (end - to >= length) break
      end = Math.min(end, from)
    }
    return end - length
  }

  /** Changes the arguments of an mmap that leaves the address to the kernel. */
  place(args: ArgumentForm[], { addr, length, flags }: Locals): void {
    const size = page_align(length as number)
    if (((flags as number) & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0 || !(size > 0 && size <= TASK_SIZE))
      return
    const hint = (addr as number) - ((addr as number) % PAGE_SIZE)
    const wanted = hint > 0 && hint < MMAP_MIN_ADDR ? MMAP_MIN_ADDR : hint
    const start = this.is_free(wanted, wanted + size) ? wanted : this.highest_gap(size)
    if (start < MMAP_MIN_ADDR) return
    args[0] = start
    args[3] = (flags as number) | MAP_FIXED_NOREPLACE
  }

  /** A call has succeeded. */
  note(name: string, { addr, length }: Locals, ret: number): void {
    if (name !== 'mmap' && name !== 'munmap') return
    const start = name === 'mmap' ? ret : (addr as number)
    const end = start + page_align(length as number)
    const areas: (readonly [number, number])[] = []
    for (const [from, to] of this.areas) {
      if (from < start) areas.push([from, Math.min(to, start)])
      if (to > end) areas.push([Math.max(from, end), to])
    }
    if (name === 'mmap') areas.push([start, end])
    this.areas = areas.sort(([a], [b]) => a - b)
  }
}

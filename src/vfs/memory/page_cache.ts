/**
 * The pages of a file (mm/filemap.c, mm/truncate.c): pure helpers that stages build on.
 *
 * A content has one form only: a page of zeros has no row, trailing zeros of a page are cut off, and the
 * last page holds nothing past the end of the file. So a hole and written zeros are the same state.
 */
import type { Kernel } from '../../kernel/kernel.js'
import { inode, PAGE_SIZE, page } from '../inode.js'
import { anon_page } from './mm.js'

/** The largest file of a file system without a limit of its own: 2^63 - 1 (include/linux/fs.h), or what a double has. */
export const MAX_LFS_FILESIZE = 2 ** 63

/** The largest file of the model: up to its last page numbers are exact. */
export const LARGEST_EXACT = Number.MAX_SAFE_INTEGER - PAGE_SIZE

/** Bytes that one call copies at most; the kernel's MAX_RW_COUNT is 2 GiB. More is a short read or write. */
export const MAX_RW_COUNT = 1 << 20

export const page_index = (pos: number): number => Math.floor(pos / PAGE_SIZE)
export const page_offset = (pos: number): number => pos % PAGE_SIZE
export const page_align = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE

/** Bytes with their trailing zeros cut off. */
export function trim_zeros(data: string): string {
  let end = data.length
  while (end > 0 && data.charCodeAt(end - 1) === 0) end--
  return end === data.length ? data : data.slice(0, end)
}

/** `length` bytes: what `data` has of them, then zeros. */
export function pad_zeros(data: string, length: number): string {
  return data.length >= length ? data.slice(0, length) : data.padEnd(length, '\0')
}

/** `data` with `bytes` laid over it from `offset` on, without trailing zeros. */
export function overwrite(data: string, offset: number, bytes: string): string {
  return trim_zeros(pad_zeros(data, offset) + bytes + data.slice(offset + bytes.length))
}

/** What is stored of a page: its bytes without trailing zeros. */
export function stored_page(k: Kernel, ino: number, index: number): string {
  return page.find(k, ino, index)?.data ?? ''
}

/** The bytes of a page that lie before the end of the file: PAGE_SIZE of them, fewer in the last page, none past it. */
export function read_page(k: Kernel, ino: number, index: number): string {
  const length = Math.min(PAGE_SIZE, inode(k, ino).i_size - index * PAGE_SIZE)
  return length <= 0 ? '' : pad_zeros(stored_page(k, ino, index), length)
}

/** Sets what is stored of a page. */
function store_page(k: Kernel, ino: number, index: number, data: string): void {
  const row = page.find(k, ino, index)
  if (data === '') {
    if (row !== undefined) page.remove(k, row.id)
  } else if (row !== undefined) row.data = data
  else page.create(k, { mapping: ino, index, data })
}

/** Writes bytes into one page. They must lie inside it and before the end of the file; the size stays. */
export function write_page(k: Kernel, ino: number, index: number, offset: number, bytes: string): void {
  store_page(k, ino, index, overwrite(stored_page(k, ino, index), offset, bytes))
}

/**
 * Sets the size of a file (mm/truncate.c: truncate_setsize, truncate_pagecache). Pages past the new end go,
 * also the private copies that any address space had made of them: their content is lost, and an access is
 * SIGBUS until the file grows again. The tail of the last page becomes zeros.
 */
export function truncate_setsize(k: Kernel, ino: number, size: number): void {
  const node = inode(k, ino)
  const shrinks = size < node.i_size
  node.i_size = size
  if (!shrinks) return
  const last = page_index(size)
  const kept_of_last = page_offset(size)
  const first_gone = kept_of_last === 0 ? last : last + 1
  for (const row of page.where(k, ino)) if (row.index >= first_gone) page.remove(k, row.id)
  if (kept_of_last !== 0)
    store_page(k, ino, last, trim_zeros(stored_page(k, ino, last).slice(0, kept_of_last)))
  for (const row of anon_page.rows(k)) {
    if (row.mapping === ino && row.index >= first_gone) anon_page.remove(k, row.id)
  }
}

/** Replaces the whole content: what a set-up does, and a copy-up of data at once. */
export function set_content(k: Kernel, ino: number, data: string): void {
  for (const row of page.where(k, ino)) page.remove(k, row.id)
  inode(k, ino).i_size = data.length
  for (let pos = 0; pos < data.length; pos += PAGE_SIZE) {
    store_page(k, ino, page_index(pos), trim_zeros(data.slice(pos, pos + PAGE_SIZE)))
  }
}

/**
 * The content of a file: its first `limit` bytes where it is longer.
 *
 * @param limit bytes; MAX_RW_COUNT unless told
 */
export function content_of(k: Kernel, ino: number, limit = MAX_RW_COUNT): string {
  const length = Math.min(inode(k, ino).i_size, limit)
  let data = ''
  for (const row of page.where(k, ino).sort((a, b) => a.index - b.index)) {
    const pos = row.index * PAGE_SIZE
    if (pos < length) data = pad_zeros(data, pos) + row.data
  }
  return pad_zeros(data, length)
}

/**
 * Where data or a hole begins at or after `pos`, for lseek (mm/filemap.c: mapping_seek_hole_data).
 *
 * @returns the position; past the last data, -1 for data and the size for a hole
 */
export function seek_hole_data(k: Kernel, ino: number, pos: number, want_data: boolean): number {
  const size = inode(k, ino).i_size
  const stored = new Set(page.where(k, ino).map((row) => row.index))
  if (want_data) {
    if (stored.has(page_index(pos))) return pos
    const next = Math.min(...[...stored].filter((index) => index > page_index(pos)))
    return Number.isFinite(next) ? next * PAGE_SIZE : -1
  }
  let index = page_index(pos)
  if (!stored.has(index)) return pos
  while (stored.has(index)) index++
  return Math.min(index * PAGE_SIZE, size)
}

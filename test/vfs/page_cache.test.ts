import { describe, expect, it } from 'vitest'
import { page } from '../../src/vfs/inode.js'
import {
  content_of,
  MAX_RW_COUNT,
  overwrite,
  page_align,
  read_page,
  seek_hole_data,
  set_content,
  trim_zeros,
  truncate_setsize,
  write_page,
} from '../../src/vfs/memory/page_cache.js'
import { PAGE, pages, text, World } from './data_world.js'

const world = (data: string) => {
  const w = new World({ f: text(data) })
  return {
    k: w.k,
    ino: w.ino('f'),
    size: () => w.node('f').i_size,
    rows: () => page.where(w.k, w.ino('f')).length,
  }
}

describe('pages', () => {
  it('have one form only: trailing zeros are cut off, a page of zeros has no row', () => {
    const { k, ino, rows } = world('ab\0\0')
    expect(page.find(k, ino, 0)!.data).toBe('ab')
    write_page(k, ino, 0, 0, '\0\0')
    expect(rows()).toBe(0)
    write_page(k, ino, 0, 1, '\0\0')
    expect(rows()).toBe(0)
    write_page(k, ino, 0, 3, 'x')
    expect(page.find(k, ino, 0)!.data).toBe('\0\0\0x')
  })

  it('are read up to the end of the file, as zeros where nothing was written', () => {
    const { k, ino } = world(`${pages('a', '\0')}bc`)
    expect(read_page(k, ino, 0)).toBe(pages('a'))
    expect(read_page(k, ino, 1)).toBe(pages('\0'))
    expect(read_page(k, ino, 2)).toBe('bc')
    expect(read_page(k, ino, 3)).toBe('')
    expect(content_of(k, ino)).toBe(`${pages('a', '\0')}bc`)
  })

  it('are laid over, not replaced', () => {
    expect(overwrite('abcdef', 2, 'XY')).toBe('abXYef')
    expect(overwrite('ab', 4, 'X')).toBe('ab\0\0X')
    expect(overwrite('abc', 1, '\0\0')).toBe('a')
    expect(trim_zeros('\0\0')).toBe('')
    expect(page_align(PAGE + 1)).toBe(2 * PAGE)
  })
})

describe('truncate_setsize', () => {
  it('drops pages past the end and the tail of the last one', () => {
    const { k, ino, size, rows } = world(pages('a', 'b', 'c'))
    truncate_setsize(k, ino, PAGE + 2)
    expect([size(), rows()]).toEqual([PAGE + 2, 2])
    truncate_setsize(k, ino, 3 * PAGE)
    expect(content_of(k, ino)).toBe(`${pages('a')}bb${'\0'.repeat(2 * PAGE - 2)}`)
    expect(page.find(k, ino, 1)!.data).toBe('bb')
  })

  it('to a multiple of the page size drops the page at the end', () => {
    const { k, ino, rows } = world(pages('a', 'b'))
    truncate_setsize(k, ino, PAGE)
    expect(rows()).toBe(1)
    truncate_setsize(k, ino, 0)
    expect(rows()).toBe(0)
  })
})

describe('content_of', () => {
  it('is bounded where a file is larger than memory', () => {
    const { k, ino } = world('a')
    truncate_setsize(k, ino, 2 ** 40)
    expect(content_of(k, ino).length).toBe(MAX_RW_COUNT)
    expect(content_of(k, ino, 3)).toBe('a\0\0')
  })

  it('does not depend on the order in which pages were written', () => {
    const { k, ino } = world('')
    truncate_setsize(k, ino, 2 * PAGE)
    write_page(k, ino, 1, 0, 'second')
    write_page(k, ino, 0, 0, 'first')
    expect(content_of(k, ino).replace(/\0+/g, '|')).toBe('first|second|')
  })

  it('gives back what set_content set', () => {
    const { k, ino, size, rows } = world(pages('a', 'b', 'c'))
    set_content(k, ino, `${pages('\0')}end`)
    expect([content_of(k, ino), size(), rows()]).toEqual([`${pages('\0')}end`, PAGE + 3, 1])
  })
})

describe('seek_hole_data', () => {
  // Seen on tmpfs of 6.18: 3 bytes, then a hole, then 2 bytes at 8192.
  it('finds data and holes by page', () => {
    const { k, ino } = world(`abc${'\0'.repeat(2 * PAGE - 3)}de`)
    expect(seek_hole_data(k, ino, 0, true)).toBe(0)
    expect(seek_hole_data(k, ino, 3, true)).toBe(3)
    expect(seek_hole_data(k, ino, PAGE, true)).toBe(2 * PAGE)
    expect(seek_hole_data(k, ino, 0, false)).toBe(PAGE)
    expect(seek_hole_data(k, ino, PAGE + 7, false)).toBe(PAGE + 7)
    expect(seek_hole_data(k, ino, 2 * PAGE, false)).toBe(2 * PAGE + 2)
    truncate_setsize(k, ino, 5 * PAGE)
    expect(seek_hole_data(k, ino, 3 * PAGE, true)).toBe(-1)
  })
})

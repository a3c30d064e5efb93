import { describe, expect, it } from 'vitest'
import { file } from '../../src/vfs/file.js'
import { anon_page } from '../../src/vfs/memory/mm.js'
import { super_block } from '../../src/vfs/super_block.js'
import { PAGE, pages, text, World } from './data_world.js'

const R = 'PROT_READ'
const RW = 'PROT_READ|PROT_WRITE'

/** Task 1 has the file open (descriptor 0) and mapped; task 2 has it open (descriptor 0). */
function world(flags: string, data = pages('a', 'b'), length = data.length) {
  const w = new World({ f: text(data) }).task(2)
  for (const task of [1, 2]) w.call(task, 'open', 'f', 'O_RDWR')
  const at: number = w.call(1, 'mmap', 0, length, RW, flags, 0, 0)
  return { w, at, peek: (offset: number, count = 1) => w.bytes(1, 'peek', at + offset, count) }
}

// The rules of coherence were seen on tmpfs and ext4 of 6.18.
describe('a shared mapping', () => {
  it('is the page cache: stores are read by others, writes are loaded', () => {
    const { w, at, peek } = world('MAP_SHARED')
    expect(w.call(1, 'poke', at + 1, 'XY')).toBe(0)
    expect(w.bytes(2, 'read', 0, 4)).toBe('aXYa')
    w.call(2, 'pwrite', 0, 'new', 3, PAGE)
    expect(peek(PAGE - 1, 4)).toBe('anew')
    expect(w.from(1)).toEqual([w.ino('f'), 4])
  })

  it('raises SIGBUS past the last page, and shows zeros after the end of the file', () => {
    const { w, at, peek } = world('MAP_SHARED', 'abc', 2 * PAGE)
    expect(peek(0, 6)).toBe('abc\0\0\0')
    expect(w.call(1, 'peek', at + PAGE, 1)).toBe('SIGBUS')
    expect(w.call(1, 'poke', at + PAGE, 'x')).toBe('SIGBUS')
    w.call(1, 'truncate', 'f', PAGE + 1)
    expect(peek(PAGE)).toBe('\0')
  })

  it('does not grow the file by a store behind its end', () => {
    const { w, at } = world('MAP_SHARED', 'abc')
    expect(w.call(1, 'poke', at + 2, 'CDE')).toBe(0)
    expect([w.content('f'), w.node('f').i_size]).toEqual(['abC', 3])
    w.call(1, 'truncate', 'f', 6)
    expect(w.content('f')).toBe('abC\0\0\0')
  })

  it('is loaded page by page: a write may come between', () => {
    const { w, at } = world('MAP_SHARED')
    w.begin(1, 'peek', at, 2 * PAGE).step(1)
    w.step(1)
    w.call(2, 'write', 0, pages('X', 'Y'))
    w.finish(1)
    expect(w.data(1)).toBe(pages('a', 'Y'))
  })

  it('stores what it can before a signal', () => {
    const { w, at } = world('MAP_SHARED', pages('a'), 2 * PAGE)
    expect(w.call(1, 'poke', at + PAGE - 1, 'XY')).toBe('SIGBUS')
    expect(w.content('f').slice(-2)).toBe('aX')
  })
})

describe('a private mapping', () => {
  it('follows the file until its first store, page by page', () => {
    const { w, at, peek } = world('MAP_PRIVATE')
    w.call(2, 'pwrite', 0, 'new', 3, 0)
    expect(peek(0, 4)).toBe('newa')
    w.call(1, 'poke', at + 1, 'MINE')
    w.call(2, 'write', 0, pages('X', 'Y'))
    expect(peek(0, 6)).toBe('nMINEa')
    expect(w.from(1)).toEqual([0, 6])
    expect(peek(PAGE, 2)).toBe('YY')
    expect(w.from(1)).toEqual([w.ino('f'), 2])
    expect(w.content('f')).toBe(pages('X', 'Y'))
  })

  it('keeps a page of its own even if it is all zeros', () => {
    const { w, at, peek } = world('MAP_PRIVATE', 'a')
    w.call(1, 'poke', at, '\0')
    w.call(2, 'write', 0, 'X')
    expect(peek(0)).toBe('\0')
    w.call(1, 'poke', at, 'z')
    expect(peek(0)).toBe('z')
  })

  it('loses its own pages when the file is cut before them, in every task', () => {
    const { w, at, peek } = world('MAP_PRIVATE')
    w.call(1, 'poke', at, 'P')
    w.call(1, 'poke', at + PAGE, 'Q')
    w.call(2, 'ftruncate', 0, 100)
    expect([peek(0), peek(200), w.call(1, 'peek', at + PAGE, 1)]).toEqual(['P', 'a', 'SIGBUS'])
    w.call(2, 'ftruncate', 0, 2 * PAGE)
    expect([peek(0), peek(200), peek(PAGE)]).toEqual(['P', 'a', '\0'])
    w.call(2, 'ftruncate', 0, 0)
    expect(w.call(1, 'peek', at, 1)).toBe('SIGBUS')
    expect(w.call(1, 'poke', at, 'x')).toBe('SIGBUS')
    expect(anon_page.rows(w.k)).toEqual([])
  })

  it('of other files stay', () => {
    const w = new World({ f: text('f'), g: text('g') })
    w.call(1, 'open', 'f', 'O_RDWR')
    const at = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_PRIVATE', 0, 0)
    w.call(1, 'poke', at, 'P')
    w.call(1, 'truncate', 'g', 0)
    expect(w.bytes(1, 'peek', at, 1)).toBe('P')
  })
})

describe('anonymous memory', () => {
  it('is zero until written', () => {
    const w = new World({})
    const at = w.call(1, 'mmap', 0, 2 * PAGE, RW, 'MAP_PRIVATE|MAP_ANONYMOUS', -1)
    w.call(1, 'poke', at + PAGE - 1, 'ab')
    expect(w.bytes(1, 'peek', at + PAGE - 2, 4)).toBe('\0ab\0')
    expect(w.from(1)).toEqual([0, 4])
  })
})

describe('shared anonymous memory', () => {
  it('is shared with a child, and goes with its last mapping', () => {
    const w = new World({})
    const at = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_SHARED|MAP_ANONYMOUS', -1)
    const child = w.call(1, 'fork')
    w.call(child, 'poke', at, 'hello')
    expect(w.bytes(1, 'peek', at, 6)).toBe('hello\0')
    w.call(1, 'munmap', at, PAGE)
    expect(w.bytes(child, 'peek', at, 5)).toBe('hello')
    w.call(child, 'exit')
    expect(file.rows(w.k)).toEqual([])
    const again = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_SHARED|MAP_ANONYMOUS', -1)
    expect(w.bytes(1, 'peek', again, 5)).toBe('\0'.repeat(5))
    expect(super_block.rows(w.k).length).toBe(2)
  })
})

describe('protection', () => {
  // Seen on 6.18 with and without protection keys: with them memory that may only be executed cannot be read.
  it.each([
    ['without protection keys', [], 1],
    ['with them', ['pkeys'], 'SIGSEGV'],
  ] as const)('raises SIGSEGV, %s', (_, features, execute_only) => {
    const w = new World({ f: text('abc') }, { features })
    w.call(1, 'open', 'f', 'O_RDONLY')
    const mmap = (prot: string) => w.call(1, 'mmap', 0, PAGE, prot, 'MAP_PRIVATE', 0, 0)
    const [none, read, write, exec] = ['PROT_NONE', R, 'PROT_WRITE', 'PROT_EXEC'].map(mmap)
    expect([none, read, write, exec].map((at) => w.call(1, 'peek', at, 1))).toEqual([
      'SIGSEGV',
      1,
      1,
      execute_only,
    ])
    expect([none, read, write, exec].map((at) => w.call(1, 'poke', at, 'x'))).toEqual([
      'SIGSEGV',
      'SIGSEGV',
      0,
      'SIGSEGV',
    ])
    expect(w.call(1, 'peek', 0, 1)).toBe('SIGSEGV')
    expect(w.call(1, 'peek', -5, 1)).toBe('SIGSEGV')
    expect(new World({}).call(1, 'peek', 4096, 1)).toBe('SIGSEGV')
  })
})

describe('peek and poke', () => {
  it('of nothing do nothing, and have a bound', () => {
    const w = new World({})
    expect([w.call(1, 'peek', 0, 0), w.call(1, 'poke', 0, ''), w.call(1, 'poke', 0, null)]).toEqual([0, 0, 0])
    expect([w.call(1, 'peek', 0, -1), w.call(1, 'peek', 0, 2 ** 40)]).toEqual(['EINVAL', 'EINVAL'])
    expect(w.call(1, 'poke', 0, 'x'.repeat((1 << 20) + 1))).toBe('EINVAL')
  })
})

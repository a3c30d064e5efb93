/** What the data path asks of a file system that stands on another one. */
import { describe, expect, it } from 'vitest'
import { call, done, fn, stage } from '../../src/kernel/fn.js'
import { register_filesystem, setattr_locals } from '../../src/kernel/fs.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { int, ref, str } from '../../src/kernel/schema.js'
import { simple_setattr } from '../../src/vfs/attributes/attr.js'
import { file } from '../../src/vfs/file.js'
import { generic_file_read_iter, generic_file_write_iter } from '../../src/vfs/files/read_write.js'
import { simple_lookup } from '../../src/vfs/filesystems/simple.js'
import { content_of } from '../../src/vfs/memory/page_cache.js'
import { PAGE, text, World } from './data_world.js'

const real = (k: Kernel, id: number): number => file(k, id).realfile

/** Every file has the data of its `realfile`. */
register_filesystem({
  name: 'stacked',
  lookup: simple_lookup,
  file_data_inode: (k, id) => file(k, real(k, id)).f_inode,
  mmap_file: real,
  read_iter: fn(
    'stacked_read_iter',
    { source: 'test', locals: { file: ref('file'), pos: int(), count: int() } },
    [
      stage('real', (k, f) => void (f.file = real(k, f.file))),
      call(
        generic_file_read_iter,
        (_, f) => ({ file: f.file, pos: f.pos, count: f.count }),
        (_, f, copied: number) => done(f, copied),
      ),
    ],
  ),
  write_iter: fn(
    'stacked_write_iter',
    { source: 'test', locals: { file: ref('file'), pos: int(), data: str(), unmapped: int() } },
    [
      stage('real', (k, f) => void (f.file = real(k, f.file))),
      call(
        generic_file_write_iter,
        (_, f) => ({ file: f.file, pos: f.pos, data: f.data.toUpperCase() }),
        (_, f, written: number) => done(f, written),
      ),
    ],
  ),
  setattr: fn('stacked_setattr', { source: 'test', locals: setattr_locals }, [
    stage('stacked_setattr', (k, f) => simple_setattr(k, Object.assign(f, { size: f.size + 1 }))),
  ]),
})

/** Descriptor 0 is of a stacked file, 1 of the real one, which is its own real file. */
function world() {
  const w = new World({ upper: text(''), lower: text('lower') }, { type: 'stacked' })
  w.call(1, 'open', 'upper', 'O_RDWR')
  w.call(1, 'open', 'lower', 'O_RDWR')
  const [upper, lower] = file.rows(w.k)
  upper!.realfile = lower!.id
  lower!.realfile = lower!.id
  return { w, lower: () => content_of(w.k, w.ino('lower')) }
}

describe('a stacked file', () => {
  it('is read and written through its own operations', () => {
    const { w, lower } = world()
    expect(w.bytes(1, 'read', 0, 3)).toBe('low')
    expect(w.from(1)).toEqual([w.ino('lower'), 3])
    expect(w.call(1, 'pwrite', 0, 'xy', 2, 0)).toBe(2)
    expect(lower()).toBe('XYwer')
  })

  it('has the size of its data, and is sought under its lock', () => {
    const { w } = world()
    expect(w.call(1, 'lseek', 0, 0, 'SEEK_END')).toBe(5)
    w.node('upper').i_rwsem = 9
    expect(w.begin(1, 'lseek', 0, 1, 'SEEK_SET').step(1)).toBe(true)
    expect(w.step(1)).toBe(false)
    w.node('upper').i_rwsem = 0
    w.finish(1)
  })

  it('is mapped as the file that it names: only that is pinned', () => {
    const { w } = world()
    const at = w.call(1, 'mmap', 0, PAGE, 'PROT_READ', 'MAP_PRIVATE', 0, 0)
    expect(w.bytes(1, 'peek', at, 5)).toBe('lower')
    expect(file.rows(w.k).map((row) => row.f_count)).toEqual([1, 2])
  })

  it('changes attributes through its own operation', () => {
    const { w } = world()
    w.call(1, 'truncate', 'upper', 6)
    expect(w.node('upper').i_size).toBe(7)
  })
})

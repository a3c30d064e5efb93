/** Overlay calls against each other in every interleaving, and overlays on top of overlays. */

import { describe, expect, it } from 'vitest'
import { NotModelled } from '../../src/kernel/not_modelled.js'
import type { Feature } from '../../src/kernel/profile.js'
import { mount_overlay } from '../../src/overlay/overlay.js'
import { d_real_inode } from '../../src/vfs/d_real.js'
import { file as open_file } from '../../src/vfs/file.js'
import { PAGE_SIZE } from '../../src/vfs/inode.js'
import { super_block } from '../../src/vfs/super_block.js'
import { fd_row, fd_slot } from '../../src/vfs/tasks/task.js'
import { dir, file, O_CREAT, O_RDWR, O_TRUNC, O_WRONLY, Overlay } from './machine.js'

const lower = () => {
  const m = new Overlay({ l: { f: file('lower') } })
  m.spawn(2)
  return m
}

/** Gives task 2 the descriptor of task 1, as fork does. */
function share(m: Overlay, fd: number): void {
  const { file: opened } = fd_slot(m.k, fd_row(1, fd))
  fd_slot.create_at(m.k, fd_row(2, fd), { file: opened, close_on_exec: 0 })
  open_file(m.k, opened).f_count += 1
}

describe('in every interleaving', () => {
  it('an open for reading gets the lower or the upper file, and mmap maps what it got', () => {
    const m = lower()
    const outcomes = m.interleavings({ 1: ['open', '/m/f', 0], 2: ['open', '/m/f', O_WRONLY] }, () => {
      const { file: opened } = fd_slot(m.k, fd_row(1, 0))
      const real = open_file(m.k, open_file(m.k, opened).realfile).f_inode
      return real === m.inode('/l/f').id ? 'lower' : 'upper'
    })
    expect(outcomes).toEqual(['1:0 2:0 lower', '1:0 2:0 upper'])
  })

  it('a write is seen by a reader whole or not at all, whatever layer the descriptor began with', () => {
    const m = lower()
    const fd = m.open('/m/f')
    const w = m.open('/m/f', O_WRONLY, 0, 2)
    const outcomes = m.interleavings({ 1: ['pread', fd, 9, 0], 2: ['write', w, 'UPPER'] }, () => m.data())
    expect(outcomes).toEqual(['1:5 2:5 UPPER', '1:5 2:5 lower'])
  })

  it('two readers of one description open its upper file once', () => {
    const m = lower()
    const fd = m.open('/m/f')
    m.call('chmod', '/m/f', 0o600)
    share(m, fd)
    const outcomes = m.interleavings({ 1: ['pread', fd, 9, 0], 2: ['pread', fd, 9, 0] }, () => {
      const real = open_file.rows(m.k).filter((row) => row.f_inode === m.inode('/u/f').id)
      return `${real.length} ${m.data(1)} ${m.data(2)}`
    })
    expect(outcomes).toEqual(['1:5 2:5 1 lower lower'])
  })

  it('two writers never deadlock, and their writes do not mix', () => {
    const m = lower()
    const one = m.open('/m/f', O_RDWR)
    const two = m.open('/m/f', O_RDWR, 0, 2)
    const outcomes = m.interleavings({ 1: ['write', one, 'aaaaa'], 2: ['write', two, 'bbbbb'] }, () =>
      m.content('/u/f'),
    )
    expect(outcomes).toEqual(['1:5 2:5 aaaaa', '1:5 2:5 bbbbb'])
  })

  it('rename over a file against its copy-up', () => {
    const m = new Overlay({ l: { f: file('f'), g: file('g') } })
    m.spawn(2)
    const outcomes = m.interleavings({ 1: ['rename', '/m/g', '/m/f'], 2: ['chmod', '/m/f', 0o600] }, () =>
      m.content('/m/f'),
    )
    expect(outcomes.every((outcome) => !outcome.includes('deadlock'))).toBe(true)
    expect(outcomes.map((outcome) => outcome.split(' ')[0])).toContain('1:0')
  })

  it('truncate against a writer of the upper file: one after the other', () => {
    const m = lower()
    const w = m.open('/m/f', O_WRONLY)
    const outcomes = m.interleavings({ 1: ['write', w, 'UPPER'], 2: ['truncate', '/m/f', 0] }, () =>
      m.content('/u/f'),
    )
    expect(outcomes).toEqual(['1:5 2:0', '1:5 2:0 UPPER'])
  })
})

describe('an overlay as the lower layer of another', () => {
  const stacked = (data = 'lower', features: Feature[] = []) => {
    const m = new Overlay({ l: { f: file(data) }, features })
    m.mount('/ro', m.file_system(dir({ u: dir(), w: dir(), m: dir() })))
    const made = mount_overlay(m.k, {
      id: 'top',
      lower: [m.at('/m')],
      upper: m.at('/ro/u'),
      work: m.at('/ro/w'),
    })
    if ('errno' in made) throw new Error(made.why)
    m.mount('/ro/m', super_block(m.k, made.sb).s_root)
    return m
  }

  it('reads, maps and stands for the file at the bottom, and follows the copy-up in the middle', () => {
    const m = stacked()
    const { dentry } = m.place('/ro/m/f')
    const fd = m.open('/ro/m/f')
    expect([m.pread(fd), m.peek(m.map(fd), 5)]).toEqual(['lower', 'lower'])
    expect(d_real_inode(m.k, dentry)).toBe(m.inode('/l/f').id)
    m.call('write', m.open('/m/f', O_WRONLY), 'MIDDLE')
    expect([m.pread(fd), m.peek(m.map(fd), 5), m.stat('/ro/m/f').size]).toEqual(['MIDDLE', 'lower', 6])
    expect(d_real_inode(m.k, dentry)).toBe(m.inode('/u/f').id)
    expect(m.call('close', fd)).toBe(0)
  })

  it('has no answer to a second name, for which a kernel would have a second inode', () => {
    const m = stacked()
    expect(() => m.call('link', '/ro/m/f', '/ro/m/n')).toThrow(NotModelled)
    const below = new Overlay({ l: { f: file('lower') } })
    expect(below.call('link', '/m/f', '/m/n')).toBe(0)
    expect(below.stat('/m/n').ino).toBe(below.stat('/m/f').ino)
  })

  /** What the top copies while the middle is emptied by its own copy-up: runs of bytes with their pages. */
  const copied = (pages: number, features?: Feature[]) => copied_of('a'.repeat(pages * PAGE_SIZE), features)
  const copied_of = (data: string, features?: Feature[]) => {
    const m = stacked(data, features)
    m.spawn(2)
    const calls = { 1: ['open', '/ro/m/f', O_WRONLY, 0], 2: ['open', '/m/f', O_WRONLY | O_TRUNC, 0] }
    const outcomes = m.interleavings(calls as never, () =>
      m
        .content('/ro/u/f')
        .replace(/(.)\1*/gs, (run) => `${run[0] === 'a' ? 'a' : '0'}*${run.length / PAGE_SIZE},`),
    )
    return [...new Set(outcomes.map((each) => each.split(' ').at(-1)))].sort()
  }

  it('a copy-up reads one real file in each splice, that of then', () => {
    expect(copied(2)).toEqual(['0*2,', '2:0', 'a*2,'])
    expect(copied(17)).toEqual(['0*17,', '2:0', 'a*16,0*1,', 'a*17,'])
    expect(copied(17, ['ovl_read_pinned'])).toEqual(['2:0', 'a*17,'])
  })

  it('the first splice begins where the data begin; a hole inside is part of one', () => {
    const [data, hole] = [
      (pages: number) => 'a'.repeat(pages * PAGE_SIZE),
      (pages: number) => '\0'.repeat(pages * PAGE_SIZE),
    ]
    expect(copied_of(hole(1) + data(17))).toEqual(['0*1,a*16,0*1,', '0*1,a*17,', '0*18,', '2:0'])
    expect(copied_of(data(1) + hole(19) + data(17))).toEqual([
      '0*37,',
      '2:0',
      'a*1,0*19,a*12,0*5,',
      'a*1,0*19,a*17,',
      'a*1,0*36,',
    ])
  })

  it.each<[string, unknown[]]>([
    ['a new name', ['open', '/m/new', O_WRONLY | O_CREAT, 0o644]],
    ['a new name', ['mkdir', '/m/new', 0o755]],
    ['a new name', ['link', '/m/f', '/m/new']],
    ['the removal of a name', ['unlink', '/m/f']],
    ['a rename', ['rename', '/m/f', '/m/new']],
    ['a change of mode or owner', ['chmod', '/m/f', 0o600]],
    ['a change of mode or owner', ['chown', '/m/f', 1, 1]],
  ])('%s in the overlay below is refused by name: %j', (what, [name, ...args]) => {
    const m = stacked()
    expect(() => m.call(name as string, ...args)).toThrow(
      `${what} in m, an overlay that is a lower layer of top, is not modelled`,
    )
    const alone = new Overlay({ l: { f: file('lower') } })
    expect(alone.call(name as string, ...args)).toBeGreaterThanOrEqual(0)
  })

  it('copies up from the overlay below it', () => {
    const m = stacked()
    m.call('write', m.open('/ro/m/f', O_WRONLY), 'TOP')
    expect([m.cat('/ro/m/f'), m.content('/ro/u/f'), m.cat('/m/f')]).toEqual(['TOPer', 'TOPer', 'lower'])
  })
})

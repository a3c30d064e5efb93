/** When a copy-up happens, in which stages, and what it leaves behind (facts: §2, §10). */

import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import { NotModelled } from '../../src/kernel/not_modelled.js'
import { d_real_inode } from '../../src/vfs/d_real.js'
import type { TreeNode } from '../../src/vfs/filesystems/populate.js'
import {
  dir,
  file,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  Overlay,
} from './machine.js'

const lower = () =>
  new Overlay({ l: { f: file('lower'), s: { type: 'symlink', target: 'f' }, p: { type: 'fifo' } } })

/** What a call does to a fresh lower file: its result, and the names in the upper layer. */
function effect(run: (m: Overlay) => unknown): string {
  const m = lower()
  const result = run(m)
  return `${result} [${m.names('/u')}]`
}

describe('what copies up (§2.1)', () => {
  it.each([
    ['O_WRONLY', O_WRONLY],
    ['O_RDWR', O_RDWR],
    ['O_WRONLY|O_APPEND', O_WRONLY | O_APPEND],
    ['O_RDONLY|O_TRUNC', O_RDONLY | O_TRUNC],
    ['O_WRONLY|O_TRUNC', O_WRONLY | O_TRUNC],
    ['O_WRONLY|O_CREAT', O_WRONLY | O_CREAT],
  ])('open %s', (_, flags) => {
    expect(effect((m) => m.call('open', '/m/f', flags))).toBe('0 [f]')
  })

  it.each([
    ['truncate to the same size', (m: Overlay) => m.call('truncate', '/m/f', 5), '0 [f]'],
    ['truncate to another size', (m: Overlay) => m.call('truncate', '/m/f', 2), '0 [f]'],
    ['chmod', (m: Overlay) => m.call('chmod', '/m/f', 0o600), '0 [f]'],
    ['chmod to the same mode', (m: Overlay) => m.call('chmod', '/m/f', 0o644), '0 [f]'],
    ['fchmod of a read-only descriptor', (m: Overlay) => m.call('fchmod', m.open('/m/f'), 0o600), '0 [f]'],
    ['chown to the same ids', (m: Overlay) => m.call('chown', '/m/f', 0, 0), '0 [f]'],
    ['chown that changes nothing', (m: Overlay) => m.call('chown', '/m/f', -1, -1), '0 [f]'],
    ['lchown of a symbolic link', (m: Overlay) => m.call('lchown', '/m/s', 5, 5), '0 [s]'],
    ['link', (m: Overlay) => m.call('link', '/m/f', '/m/g'), '0 [f g]'],
    ['rename', (m: Overlay) => m.call('rename', '/m/f', '/m/g'), '0 [-f g]'],
    ['chmod of a fifo', (m: Overlay) => m.call('chmod', '/m/p', 0o600), '0 [p]'],
  ])('%s', (_, run, expected) => {
    expect(effect(run)).toBe(expected)
  })
})

describe('what does not (§2.1, I7)', () => {
  it.each([
    ['open O_RDONLY', (m: Overlay) => m.call('open', '/m/f', O_RDONLY), '0 []'],
    ['open O_RDONLY|O_APPEND', (m: Overlay) => m.call('open', '/m/f', O_RDONLY | O_APPEND), '0 []'],
    ['open O_RDONLY|O_CREAT', (m: Overlay) => m.call('open', '/m/f', O_RDONLY | O_CREAT, 0o644), '0 []'],
    ['open with access mode 3', (m: Overlay) => m.call('open', '/m/f', 3), '0 []'],
    ['open O_PATH', (m: Overlay) => m.call('open', '/m/f', O_PATH), '0 []'],
    [
      'open O_CREAT|O_EXCL',
      (m: Overlay) => m.call('open', '/m/f', O_WRONLY | O_CREAT | O_EXCL, 0),
      'EEXIST []',
    ],
    [
      'ftruncate of a read-only descriptor',
      (m: Overlay) => m.call('ftruncate', m.open('/m/f'), 0),
      'EINVAL []',
    ],
    ['stat', (m: Overlay) => m.stat('/m/f').size, '5 []'],
    ['access', (m: Overlay) => m.call('access', '/m/f', 2), '0 []'],
    ['pread', (m: Overlay) => m.pread(m.open('/m/f')), 'lower []'],
    ['mmap', (m: Overlay) => m.peek(m.map(m.open('/m/f')), 5), 'lower []'],
    ['unlink', (m: Overlay) => m.call('unlink', '/m/f'), '0 [-f]'],
    ['open of a fifo for both', (m: Overlay) => m.call('open', '/m/p', O_RDWR), '0 []'],
  ])('%s', (_, run, expected) => {
    expect(effect(run)).toBe(expected)
  })

  it('a chmod by somebody else than the owner', () => {
    const m = lower()
    m.spawn(2, { uid: 1000 })
    expect(m.as(2, 'chmod', '/m/f', 0o777)).toBe('EPERM')
    expect(m.as(2, 'open', '/m/f', O_WRONLY)).toBe('EACCES')
    expect(m.names('/u')).toBe('')
  })

  it('but anybody can make it with a chown that changes nothing', () => {
    const m = lower()
    m.spawn(2, { uid: 1000 })
    expect(m.as(2, 'chown', '/m/f', -1, -1)).toBe(0)
    expect(m.names('/u')).toBe('f')
  })

  it('and an owner without any right to the content can make it', () => {
    const m = new Overlay({ l: { f: file('secret', { mode: 0, uid: 1000 }) } })
    m.spawn(2, { uid: 1000 })
    expect(m.as(2, 'open', '/m/f', O_RDONLY)).toBe('EACCES')
    expect(m.as(2, 'chmod', '/m/f', 0)).toBe(0)
    expect(m.content('/u/f')).toBe('secret')
  })
})

describe('the copy', () => {
  it('has mode, owner and content of the lower file, and the overlay keeps its number (I8)', () => {
    const m = new Overlay({ l: { f: file('x'.repeat(5000), { mode: 0o4750, uid: 7, gid: 8 }) } })
    const before = m.stat('/m/f')
    m.call('close', m.open('/m/f', O_RDWR))
    expect(m.stat('/m/f')).toEqual(before)
    const { i_mode, i_uid, i_gid } = m.inode('/u/f')
    expect([i_mode & 0o7777, i_uid, i_gid]).toEqual([0o4750, 7, 8])
    expect(m.content('/u/f')).toBe('x'.repeat(5000))
  })

  it('O_TRUNC copies no data, truncate copies all of it first', () => {
    const pages = (run: (m: Overlay) => void) => {
      const m = new Overlay({ l: { f: file('x'.repeat(3 * 4096)) } })
      run(m)
      let copied = 0
      while (m.result(1) === undefined) {
        if (m.k.store.top(1).fn.name === 'ovl_copy_up_flags' && stage_name(m) === 'ovl_copy_up_file') copied++
        m.step(1)
      }
      return copied
    }
    expect(pages((m) => m.begin(1, 'open', '/m/f', O_WRONLY | O_TRUNC))).toBe(0)
    expect(pages((m) => m.begin(1, 'truncate', '/m/f', 0))).toBe(3)
  })

  it('skips holes, and keeps the size of a file that ends in one', () => {
    const m = new Overlay({ l: { f: file(`a${'\0'.repeat(3 * 4096)}b${'\0'.repeat(5000)}`) } })
    m.call('chmod', '/m/f', 0o600)
    expect(m.content('/u/f')).toBe(m.content('/l/f'))
  })

  it('of a symbolic link has its target', () => {
    const m = lower()
    m.call('lchown', '/m/s', 3, 3)
    expect(m.inode('/u/s').i_link).toBe('f')
    expect(m.call('readlink', '/u/s', 10)).toBe(1)
  })

  it('comes after its parents, each by itself, topmost first', () => {
    const m = new Overlay({
      l: { a: dir({ b: dir({ f: file('x') }, { mode: 0o700, uid: 5 }), other: file() }) },
    })
    m.call('chmod', '/m/a/b/f', 0o600)
    expect(m.upper_tree()).toEqual(['/u/a', '/u/a/b', '/u/a/b/f'])
    expect([m.inode('/u/a/b').i_mode & 0o7777, m.inode('/u/a/b').i_uid]).toEqual([0o700, 5])
    expect(m.has('/m/a/other')).toBe(true)
  })
})

const stage_name = (m: Overlay, task = 1) => {
  const f = m.k.store.top(task)
  return f.fn.steps[f.stage]?.name
}

/** Runs the call of a task until the named stage is the next one. */
function until(m: Overlay, task: number, stage: string): void {
  while (stage_name(m, task) !== stage) if (!m.step(task)) throw new Error(`asleep before ${stage}`)
}

describe('its instants', () => {
  it('nothing is seen before the name is linked; then the upper directory has it and the overlay not yet', () => {
    const m = lower()
    const fd = m.open('/m/f')
    m.spawn(2)
    m.begin(2, 'open', '/m/f', O_WRONLY)
    until(m, 2, 'ovl_do_link')
    expect([m.names('/u'), m.names('/w')]).toEqual(['', ''])
    until(m, 2, 'ovl_inode_update')
    m.call('write', m.open('/u/f', O_WRONLY), 'UPPER')
    expect([m.content('/u/f'), m.pread(fd), m.cat('/m/f')]).toEqual(['UPPER', 'lower', 'lower'])
    m.step(2)
    expect([m.pread(fd), m.cat('/m/f')]).toEqual(['UPPER', 'UPPER'])
  })

  it('d_real changes with the publication, in both its meanings', () => {
    const m = lower()
    const { dentry } = m.place('/m/f')
    const real = () => [d_real_inode(m.k, dentry, 'data'), d_real_inode(m.k, dentry, 'metadata')]
    m.begin(1, 'chmod', '/m/f', 0o600)
    until(m, 1, 'ovl_inode_update')
    expect(real()).toEqual([m.inode('/l/f').id, m.inode('/l/f').id])
    m.step(1)
    expect(real()).toEqual([m.inode('/u/f').id, m.inode('/u/f').id])
  })

  it('the lower file is not locked: what is written to it meanwhile is copied, page by page', () => {
    const m = new Overlay({ l: { f: file(`${'a'.repeat(4096)}${'b'.repeat(4096)}`) } })
    m.spawn(2)
    const w = m.open('/l/f', O_WRONLY, 0, 2)
    m.begin(1, 'open', '/m/f', O_WRONLY)
    until(m, 1, 'ovl_copy_up_file')
    m.step(1)
    m.as(2, 'pwrite', w, 'X'.repeat(8192), 8192, 0)
    m.finish(1)
    expect(m.content('/u/f')).toBe(`${'a'.repeat(4096)}${'X'.repeat(4096)}`)
  })

  it('the size is that of the start: what is cut off meanwhile becomes zeros, what is added is left out', () => {
    for (const [length, expected] of [
      [4096, `${'a'.repeat(4096)}${'\0'.repeat(4096)}`],
      [9000, 'a'.repeat(8192)],
    ] as const) {
      const m = new Overlay({ l: { f: file('a'.repeat(8192)) } })
      m.spawn(2)
      m.begin(1, 'chmod', '/m/f', 0o600)
      until(m, 1, 'ovl_copy_up_file')
      m.as(2, 'truncate', '/l/f', length)
      expect(m.finish(1)).toBe(0)
      expect(m.content('/u/f')).toBe(expected)
    }
  })

  it('what was added meanwhile to the last page is not in the copy, not even behind its end', () => {
    const m = lower()
    m.spawn(2)
    m.begin(1, 'open', '/m/f', O_WRONLY)
    until(m, 1, 'ovl_copy_up_file')
    m.as(2, 'pwrite', m.open('/l/f', O_WRONLY, 0, 2), 'more', 4, 5)
    expect(m.finish(1)).toBe(0)
    m.call('truncate', '/m/f', 9)
    expect(m.content('/u/f')).toBe('lower\0\0\0\0')
  })

  it('publishes whole content only: every reader at every moment sees the lower file or the written upper one (I4)', () => {
    const m = lower()
    m.spawn(2)
    const fd = m.open('/m/f')
    const outcomes = m.interleavings({ 1: ['pread', fd, 9, 0], 2: ['open', '/m/f', O_WRONLY] }, () =>
      m.data(),
    )
    expect(outcomes).toEqual(['1:5 2:0 lower'])
  })

  it('two copy-ups of one file: one waits, both succeed, the file is copied once', () => {
    const m = lower()
    m.spawn(2)
    const outcomes = m.interleavings({ 1: ['chmod', '/m/f', 0o600], 2: ['open', '/m/f', O_WRONLY] }, () =>
      m.names('/u'),
    )
    expect(outcomes).toEqual(['1:0 2:0 f'])
  })

  it('two files of one lower directory: their parent is copied once', () => {
    const m = new Overlay({ l: { d: dir({ f: file('f'), g: file('g') }) } })
    m.spawn(2)
    const outcomes = m.interleavings(
      { 1: ['open', '/m/d/f', O_WRONLY], 2: ['open', '/m/d/g', O_WRONLY] },
      () => m.upper_tree().sort().join(),
    )
    expect(outcomes).toEqual(['1:0 2:0 /u/d,/u/d/f,/u/d/g'])
  })

  it('unlink waits for the copy-up of its victim', () => {
    const m = lower()
    m.spawn(2)
    m.begin(2, 'open', '/m/f', O_WRONLY)
    until(m, 2, 'ovl_do_link')
    m.begin(1, 'unlink', '/m/f')
    expect(m.finish(1)).toBe('asleep')
    m.finish(2)
    expect(m.finish(1)).toBe(0)
    expect(m.names('/u')).toBe('-f')
  })
})

describe('failures leave the file absent and ancestors in place (I5)', () => {
  it('a module refuses the copy of the file', () => {
    let asked = 0
    const module = { name: 'test', hooks: { inode_copy_up: () => (++asked === 2 ? -EACCES : 0) } }
    const m = new Overlay({ l: { d: dir({ f: file('x') }) }, modules: [module] })
    expect(m.call('open', '/m/d/f', O_WRONLY)).toBe('EACCES')
    expect(m.upper_tree()).toEqual(['/u/d'])
    expect(m.cat('/m/d/f')).toBe('x')
    expect(m.call('open', '/m/d/f', O_WRONLY)).toBe(0)
  })

  it('somebody made the name in the upper layer', () => {
    const m = lower()
    m.call('open', '/u/f', O_WRONLY | O_CREAT, 0o644)
    expect(m.call('chmod', '/m/f', 0o600)).toBe('EEXIST')
    expect(m.stat('/m/f').size).toBe(5)
    expect(m.writecount('/m/f')).toBe(0)
  })

  it('the upper file system turned read-only', () => {
    const m = lower()
    m.inode('/u').i_flags = 0
    const sb = m.inode('/u').i_sb
    m.set_super_flags(sb, 1)
    expect(m.call('open', '/m/f', O_WRONLY)).toBe('EROFS')
    expect(m.call('chmod', '/m/f', 0o600)).toBe('EROFS')
    expect(m.call('open', '/m/n', O_WRONLY | O_CREAT, 0o644)).toBe('EROFS')
    expect(m.call('unlink', '/m/f')).toBe('EROFS')
    expect([m.names('/u'), m.writecount('/m/f')]).toEqual(['', 0])
  })

  it('immutable, below or above: EPERM, and nothing is copied', () => {
    const m = new Overlay({ l: { f: file('x', { flags: 8 }) }, u: { g: file('x') } })
    expect(m.call('open', '/m/f', O_WRONLY)).toBe('EPERM')
    expect(m.call('chmod', '/m/f', 0o600)).toBe('EPERM')
    m.inode('/u/g').i_flags = 8
    expect(m.call('open', '/m/g', O_WRONLY)).toBe('EPERM')
    expect(m.names('/u')).toBe('g')
  })

  it('an unlinked lower file cannot be copied: a whiteout has its name', () => {
    const m = lower()
    const fd = m.open('/m/f')
    m.call('unlink', '/m/f')
    expect(m.call('fchmod', fd, 0o600)).toBe('EEXIST')
    expect(m.pread(fd)).toBe('lower')
  })

  it('to what is no regular file, and whose name would come back, there is no answer', () => {
    const m = new Overlay({ l: { p: { type: 'fifo' } } })
    const fd = m.open('/m/p', O_RDWR)
    m.call('unlink', '/m/p')
    expect(() => m.call('fchmod', fd, 0o600)).toThrow(NotModelled)
  })
})

describe('what stands at the name in the upper layer already (seen on 6.18)', () => {
  const link = { type: 'symlink', target: 'f' } as const
  /** Changes the owner of a lower object after this was made behind the overlay. */
  function over(lower: TreeNode, ...calls: [string, ...unknown[]][]): string {
    const m = new Overlay({ l: { n: lower } })
    const { mode } = m.stat('/m/n')
    for (const [name, ...args] of calls) m.call(name, ...args)
    const result = m.call('lchown', '/m/n', 5, 5)
    const copied = m.inode('/u/n').i_mode === mode && m.inode('/u/n').i_uid === 5
    return `${result}${copied ? ', copied' : ''}, ${m.stat('/m/n').uid}`
  }
  const mkdir: [string, ...unknown[]] = ['mkdir', '/u/n', 0o700]
  const mkdir_in: [string, ...unknown[]] = ['mkdir', '/u/n/in', 0o700]
  const create: [string, ...unknown[]] = ['mknod', '/u/n', 0o100600, 0]

  it('a regular file takes the place of nothing', () => {
    expect(over(file('x'), create)).toBe('EEXIST, 0')
    expect(over(file('x'), mkdir)).toBe('EEXIST, 0')
  })

  it('what is no directory takes the place of what is none', () => {
    expect(over(link, create)).toBe('0, copied, 5')
    expect(over({ type: 'fifo' }, create)).toBe('0, copied, 5')
    expect(over(link, mkdir)).toBe('EISDIR, 0')
  })

  it('a directory takes the place of an empty one', () => {
    expect(over(dir(), create)).toBe('ENOTDIR, 0')
    expect(over(dir(), mkdir)).toBe('0, copied, 5')
    expect(over(dir(), mkdir, mkdir_in)).toBe('ENOTEMPTY, 0')
  })

  it('a copy-up that fails there gives its lock back', () => {
    const m = new Overlay({ l: { d: dir() } })
    m.call('mknod', '/u/d', 0o100600, 0)
    expect([m.call('chmod', '/m/d', 0o700), m.call('chmod', '/m/d', 0o700)]).toEqual(['ENOTDIR', 'ENOTDIR'])
    m.call('unlink', '/u/d')
    expect(m.call('chmod', '/m/d', 0o700)).toBe(0)
  })
})

describe('the name is made in the upper directory', () => {
  it('when nobody else holds its lock', () => {
    const m = new Overlay({ l: { f: file('lower') }, u: { g: file() } })
    m.spawn(2)
    m.begin(1, 'chmod', '/m/f', 0o600)
    until(m, 1, 'ovl_do_link')
    m.begin(2, 'unlink', '/u/g')
    while (m.inode('/u').i_rwsem !== 2) m.step(2)
    expect(m.finish(1)).toBe('asleep')
    expect(m.finish(2)).toBe(0)
    expect([m.finish(1), m.names('/u')]).toEqual([0, 'f'])
  })

  it('unless the upper file system was made read-only meanwhile: then there is no copy', () => {
    const m = lower()
    m.begin(1, 'chmod', '/m/f', 0o600)
    until(m, 1, 'ovl_do_link')
    m.set_super_flags(m.inode('/u').i_sb, 1)
    expect([m.finish(1), m.names('/u')]).toEqual(['EROFS', ''])
  })
})

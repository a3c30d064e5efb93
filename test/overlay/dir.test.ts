/** Names made, removed and moved through an overlay (facts: §1.3). */
import { describe, expect, it } from 'vitest'
import { mount_overlay } from '../../src/overlay/overlay.js'
import { super_block } from '../../src/vfs/super_block.js'
import { dir, file, O_CREAT, O_WRONLY, Overlay, whiteout } from './machine.js'

const layers = () =>
  new Overlay({
    l: { f: file('lower'), both: file('lower'), d: dir({ x: file('x') }), e: dir({}) },
    u: { both: file('upper'), up: file('up'), gone: whiteout, ud: dir({ y: file('y') }) },
  })

describe('creating', () => {
  it('makes the file in the upper layer, for the caller', () => {
    const m = layers()
    m.call('chmod', '/m', 0o777)
    m.spawn(2, { uid: 1000 })
    const fd = m.open('/m/new', O_WRONLY | O_CREAT, 0o666, 2)
    m.as(2, 'write', fd, 'hello')
    expect([m.content('/u/new'), m.inode('/u/new').i_uid, m.inode('/m/new').i_uid]).toEqual([
      'hello',
      1000,
      1000,
    ])
    expect(m.inode('/u/new').i_mode & 0o7777).toBe(0o644)
  })

  it('copies the directory up first', () => {
    const m = layers()
    expect(m.call('mkdir', '/m/d/n', 0o755)).toBe(0)
    expect(m.upper_tree('/u/d')).toEqual(['/u/d/n'])
    expect(m.names('/m/d')).toBe('n x')
  })

  it('takes the place of a whiteout', () => {
    const m = layers()
    expect(m.has('/m/gone')).toBe(false)
    expect(m.call('mkdir', '/m/gone', 0o755)).toBe(0)
    expect(m.names('/u')).toBe('both gone ud up')
    expect(m.stat('/m/gone').mode & 0o170000).toBe(0o040000)
  })

  it('a directory in the place of a removed one does not show the lower names', () => {
    const m = layers()
    m.call('unlink', '/m/d/x')
    m.call('rmdir', '/m/d')
    m.call('mkdir', '/m/d', 0o755)
    expect(m.names('/m/d')).toBe('')
    expect(m.has('/m/d/x')).toBe(false)
  })

  it('makes symbolic links, fifos and devices, but no whiteouts', () => {
    const m = layers()
    expect(m.call('symlink', 'f', '/m/s')).toBe(0)
    expect(m.cat('/m/s')).toBe('lower')
    expect(m.call('mknod', '/m/p', 0o010644, 0)).toBe(0)
    expect(m.call('mknod', '/m/c', 0o020644, 0x103)).toBe(0)
    expect(m.inode('/m/c').i_rdev).toBe(0x103)
    expect(m.call('mknod', '/m/w', 0o020644, 0)).toBe('EPERM')
  })

  it('two who create one name: one of them does', () => {
    const m = layers()
    m.spawn(2)
    expect(m.interleavings({ 1: ['mkdir', '/m/d/n', 0o755], 2: ['mkdir', '/m/d/n', 0o755] })).toEqual([
      '1:0 2:EEXIST',
      '1:EEXIST 2:0',
    ])
  })
})

describe('links', () => {
  it('copy the file up, and are one file', () => {
    const m = layers()
    expect(m.call('link', '/m/f', '/m/d/g')).toBe(0)
    expect(m.stat('/m/d/g')).toMatchObject({ ino: m.stat('/m/f').ino, nlink: 2 })
    m.call('write', m.open('/m/d/g', O_WRONLY), 'LINKS')
    expect([m.cat('/m/f'), m.content('/u/f'), m.content('/u/d/g')]).toEqual(['LINKS', 'LINKS', 'LINKS'])
  })

  it('the one that stays can be linked again, whether they were made here or in the upper layer', () => {
    const m = new Overlay({ u: { a: file(), b: { type: 'hardlink', target: 'u/a' }, c: file() } })
    expect([m.call('unlink', '/m/a'), m.call('link', '/m/b', '/m/n')]).toEqual([0, 0])
    expect([m.call('link', '/m/c', '/m/d'), m.call('unlink', '/m/c')]).toEqual([0, 0])
    expect([m.call('link', '/m/d', '/m/e'), m.names('/u')]).toEqual([0, 'b d e n'])
  })

  it('one removed, the other stays', () => {
    const m = layers()
    m.call('link', '/m/up', '/m/up2')
    expect(m.call('unlink', '/m/up')).toBe(0)
    expect([m.cat('/m/up2'), m.stat('/m/up2').nlink, m.names('/u')]).toEqual(['up', 1, '-gone both ud up2'])
  })
})

describe('removing', () => {
  it.each([
    ['a lower file leaves a whiteout, and is not copied', '/m/f', '-f -gone both ud up'],
    ['a file of both layers leaves a whiteout', '/m/both', '-both -gone ud up'],
    ['an upper file just goes', '/m/up', '-gone both ud'],
  ])('%s', (_, path, upper) => {
    const m = layers()
    expect(m.call('unlink', path)).toBe(0)
    expect(m.has(path)).toBe(false)
    expect(m.names('/u')).toBe(upper)
  })

  it('a file copied up leaves a whiteout too', () => {
    const m = layers()
    m.call('chmod', '/m/f', 0o600)
    m.call('unlink', '/m/f')
    expect(m.names('/u')).toBe('-f -gone both ud up')
  })

  it('whiteouts are links of one, which the overlay keeps', () => {
    const m = layers()
    m.call('unlink', '/m/f')
    m.call('rmdir', '/m/e')
    expect(m.inode('/u/f').id).toBe(m.inode('/u/e').id)
    expect(m.inode('/u/f').i_nlink).toBe(3)
  })

  it('in a lower directory copies that up', () => {
    const m = layers()
    expect(m.call('unlink', '/m/d/x')).toBe(0)
    expect(m.names('/u/d')).toBe('-x')
  })

  it('a directory must be empty when merged', () => {
    const m = layers()
    expect(m.call('rmdir', '/m/d')).toBe('ENOTEMPTY')
    expect(m.names('/u')).toBe('-gone both ud up')
    expect(m.call('rmdir', '/m/ud')).toBe('ENOTEMPTY')
    expect(m.call('rmdir', '/m/e')).toBe(0)
    m.call('unlink', '/m/d/x')
    expect(m.call('rmdir', '/m/d')).toBe(0)
    expect(m.names('/u')).toBe('-d -e -gone both ud up')
  })

  it('an open file stays as it was, its link count that of the real file', () => {
    const m = layers()
    const lower = m.open('/m/f')
    const upper = m.open('/m/up')
    m.call('unlink', '/m/f')
    m.call('unlink', '/m/up')
    expect([m.pread(lower), m.stat(lower).nlink]).toEqual(['lower', 1])
    expect([m.pread(upper), m.stat(upper).nlink]).toEqual(['up', 0])
  })

  it('is ESTALE where the upper name is gone', () => {
    const m = layers()
    m.call('unlink', '/u/up')
    expect(m.call('unlink', '/m/up')).toBe('ESTALE')
    expect(m.cat('/m/up')).toBe('up')
  })
})

describe('renaming', () => {
  it('a lower file: copied up, and a whiteout where it was', () => {
    const m = layers()
    expect(m.call('rename', '/m/f', '/m/d/g')).toBe(0)
    expect([m.cat('/m/d/g'), m.content('/u/d/g'), m.has('/m/f')]).toEqual(['lower', 'lower', false])
    expect(m.names('/u')).toBe('-f -gone both d ud up')
  })

  it('leaves a whiteout of the mounter, in the group of a set-group-ID directory (seen on 6.18)', () => {
    for (const [mode, gid] of [
      [0o2777, 7],
      [0o777, 0],
    ]) {
      const m = new Overlay({ l: { d: dir({ f: file() }, { mode, gid: 7 }) } })
      m.spawn(2, { uid: 1000 })
      expect(m.as(2, 'rename', '/m/d/f', '/m/d/g')).toBe(0)
      expect([m.names('/u/d'), m.inode('/u/d/f').i_uid, m.inode('/u/d/f').i_gid]).toEqual(['-f g', 0, gid])
    }
  })

  it('an upper file: no whiteout', () => {
    const m = layers()
    expect(m.call('rename', '/m/up', '/m/gone')).toBe(0)
    expect(m.names('/u')).toBe('both gone ud')
  })

  it('over a lower file: it is hidden', () => {
    const m = layers()
    expect(m.call('rename', '/m/up', '/m/f')).toBe(0)
    expect([m.cat('/m/f'), m.content('/u/f'), m.content('/l/f')]).toEqual(['up', 'up', 'lower'])
  })

  it('a directory with lower parts: EXDEV; an upper one moves with what is in it', () => {
    const m = layers()
    expect(m.call('rename', '/m/d', '/m/n')).toBe('EXDEV')
    expect(m.call('rename', '/m/ud', '/m/e/n')).toBe(0)
    expect([m.cat('/m/e/n/y'), m.content('/u/e/n/y'), m.has('/m/ud')]).toEqual(['y', 'y', false])
    m.call('mkdir', '/m/d/n', 0o755)
    expect(m.call('rename', '/m/d', '/m/n')).toBe('EXDEV')
  })

  it('a directory takes its .. along: each of two upper directories counts its own', () => {
    const m = new Overlay({ u: { a: dir({ d: dir() }), b: dir({ d: dir(), e: dir() }) } })
    const links = () => [m.inode('/u/a').i_nlink, m.inode('/u/b').i_nlink]
    m.call('rename', '/m/a/d', '/m/a/n')
    expect(links()).toEqual([3, 4])
    m.call('rename', '/m/b/e', '/m/a/e')
    expect(links()).toEqual([4, 3])
    m.call('renameat2', -100, '/m/a/e', -100, '/m/b/d', 2)
    expect(links()).toEqual([4, 3])
  })

  it('a directory over a merged one: only if that shows nothing', () => {
    const m = layers()
    expect(m.call('rename', '/m/ud', '/m/d')).toBe('ENOTEMPTY')
    m.call('unlink', '/m/d/x')
    expect(m.call('rename', '/m/ud', '/m/d')).toBe(0)
    expect(m.names('/m/d')).toBe('y')
    expect(m.names('/u/d')).toBe('y')
  })

  it('RENAME_EXCHANGE copies both up; RENAME_WHITEOUT is not for overlay', () => {
    const m = layers()
    expect(m.call('renameat2', -100, '/m/f', -100, '/m/up', 2)).toBe(0)
    expect([m.cat('/m/f'), m.cat('/m/up'), m.content('/u/f'), m.content('/u/up')]).toEqual([
      'up',
      'lower',
      'up',
      'lower',
    ])
    expect(m.call('renameat2', -100, '/m/f', -100, '/m/n', 4)).toBe('EINVAL')
  })

  it('is ESTALE where the upper names are no longer what they were', () => {
    const m = layers()
    m.call('unlink', '/u/up')
    expect(m.call('rename', '/m/up', '/m/n')).toBe('ESTALE')
  })
})

describe('a directory that shows nothing', () => {
  it('and that only the upper layer has is empty if no whiteout is in it either (seen on 6.18)', () => {
    const m = new Overlay({ u: { d: dir({ x: whiteout }), e: dir(), other: dir() } })
    expect([m.names('/m/d'), m.call('rmdir', '/m/d')]).toEqual(['', 'ENOTEMPTY'])
    expect(m.call('rename', '/m/other', '/m/d')).toBe('ENOTEMPTY')
    expect(m.call('rmdir', '/m/e')).toBe(0)
  })

  it('can be removed with its whiteouts where a whiteout takes its place (seen on 6.18)', () => {
    const m = new Overlay({
      l: { d: dir({ y: file() }) },
      u: { d: dir({ x: whiteout }), other: dir() },
      opaque: ['/u/d'],
    })
    expect(m.call('rmdir', '/m/d')).toBe(0)
    expect(m.names('/u')).toBe('-d other')
  })

  it('and is removed shows none of the lower names to who still holds it (seen on 6.18)', () => {
    const m = layers()
    const fd = m.open('/m/d')
    m.call('unlink', '/m/d/x')
    m.call('rmdir', '/m/d')
    expect(m.call('openat', fd, 'x', 0)).toBe('ENOENT')
  })

  /** An overlay on /ro/m, whose lower layer is the one on /m. */
  const stacked = (l: object, u: object, top: object = {}) => {
    const m = new Overlay({ l: l as never, u: u as never })
    m.mount('/ro', m.file_system(dir({ u: dir(top as never), w: dir(), m: dir() })))
    const layers = { lower: [m.at('/m')], upper: m.at('/ro/u'), work: m.at('/ro/w') }
    const made = mount_overlay(m.k, { id: 'top', ...layers })
    if ('errno' in made) throw new Error(made.why)
    m.mount('/ro/m', super_block(m.k, made.sb).s_root)
    return m
  }

  it('lists the whiteouts of an overlay below that has it in one layer, unless they are hidden', () => {
    const hides = { d: dir({ x: whiteout }) }
    expect(stacked({}, hides).call('rmdir', '/ro/m/d')).toBe('ENOTEMPTY')
    expect(stacked({ d: dir({ x: file() }) }, hides).call('rmdir', '/ro/m/d')).toBe(0)
    expect(stacked({}, hides, hides).call('rmdir', '/ro/m/d')).toBe(0)
    expect(stacked({}, hides, { d: dir({ y: whiteout }) }).call('rmdir', '/ro/m/d')).toBe('ENOTEMPTY')
  })
})

describe('links of a lower file', () => {
  it('are files of their own: one that is removed has no name left, and gets none again (seen on 6.18)', () => {
    const m = new Overlay({ l: { a: file('x'), b: { type: 'hardlink', target: 'l/a' } } })
    const fd = m.open('/m/a')
    m.call('unlink', '/m/a')
    expect(m.call('linkat', fd, '', -100, '/m/new', 0x1000)).toBe('ENOENT')
    expect([m.cat('/m/b'), m.names('/u')]).toEqual(['x', '-a'])
  })
})

describe('somebody makes the name in the upper layer first', () => {
  it.each<[string, unknown[], string]>([
    ['mkdir', ['/m/n', 0o755], 'ovl_create_upper'],
    ['symlink', ['f', '/m/n'], 'ovl_create_upper'],
    ['link', ['/m/up', '/m/n'], 'ovl_create_or_link'],
    ['rename', ['/m/up', '/m/n'], 'ovl_rename'],
  ])('%s: ESTALE, and his is there', (name, args, stage) => {
    const m = layers()
    m.begin(1, name, ...args)
    before(m, 1, stage)
    m.spawn(2)
    m.as(2, 'mkdir', '/u/n', 0o700)
    expect(m.finish(1)).toBe('ESTALE')
    expect(m.inode('/u/n').i_mode & 0o7777).toBe(0o700)
    expect(m.inode('/u/up').i_nlink).toBe(1)
  })
})

/** Runs the call of a task up to a stage. */
function before(m: Overlay, task: number, stage: string): void {
  const at = () => m.k.store.top(task).fn.steps[m.k.store.top(task).stage]?.name
  while (at() !== stage) if (!m.step(task)) throw new Error(`asleep before ${stage}`)
}

describe('a change of names waits for the locks of the upper directories', () => {
  const both = () =>
    new Overlay({
      u: { d: dir({ x: file() }), e: dir({ y: file() }), f: file(), g: file() },
      l: { low: file() },
    })

  /** What a call does while another holds the lock of an upper directory, and after. */
  function meets(held: '/u/d' | '/u/e', call: [string, ...unknown[]]): unknown[] {
    const m = both()
    m.spawn(2)
    m.begin(2, 'unlink', held === '/u/d' ? '/u/d/x' : '/u/e/y')
    while (m.inode(held).i_rwsem !== 2) m.step(2)
    m.begin(1, ...call)
    const during = m.finish(1)
    m.finish(2)
    return [during, m.finish(1)]
  }
  const waits = ['asleep', 0]

  it.each<[string, ...unknown[]]>([
    ['mkdir', '/m/d/n', 0o755],
    ['link', '/m/f', '/m/d/n'],
    ['rename', '/m/d/x', '/m/e/n'],
    ['rename', '/m/f', '/m/d/n'],
  ])('%s %s', (...call) => {
    const expected = call[1] === '/m/d/x' ? ['asleep', 'ESTALE'] : waits
    expect(meets('/u/d', call)).toEqual(expected)
  })

  it('and for no others', () => {
    expect(meets('/u/d', ['mkdir', '/m/e/n', 0o755])).toEqual([0, 0])
    expect(meets('/u/d', ['rename', '/m/f', '/m/e/n'])).toEqual([0, 0])
    expect(meets('/u/d', ['unlink', '/m/e/y'])).toEqual([0, 0])
  })

  it('unlink waits too', () => {
    expect(meets('/u/d', ['unlink', '/m/d/x'])).toEqual(['asleep', 'ESTALE'])
  })

  it('a rename between two directories waits for any other in the upper file system, one in a directory does not', () => {
    const renames = (from: string, to: string) => {
      const m = both()
      m.spawn(2)
      m.begin(2, 'rename', '/u/d/x', '/u/e/z')
      const sb = super_block(m.k, m.inode('/u').i_sb)
      while (sb.s_vfs_rename_mutex !== 2) m.step(2)
      m.begin(1, 'rename', from, to)
      const during = m.finish(1)
      m.finish(2)
      return [during, m.finish(1)]
    }
    expect(renames('/m/f', '/m/d/n')).toEqual(waits)
    expect(renames('/m/f', '/m/n')).toEqual([0, 0])
  })

  it('link waits for a writer of the upper file', () => {
    const m = both()
    m.spawn(2)
    const fd = m.open('/u/f', O_WRONLY, 0, 2)
    m.begin(2, 'write', fd, 'x')
    while (m.inode('/u/f').i_rwsem !== 2) m.step(2)
    m.begin(1, 'link', '/m/f', '/m/n')
    expect(m.finish(1)).toBe('asleep')
    m.finish(2)
    expect(m.finish(1)).toBe(0)
  })

  it('a rename waits for the copy-up of what it replaces', () => {
    const m = both()
    m.spawn(2)
    m.begin(2, 'chmod', '/m/low', 0o600)
    before(m, 2, 'ovl_do_link')
    m.begin(1, 'rename', '/m/f', '/m/low')
    expect(m.finish(1)).toBe('asleep')
    m.finish(2)
    expect([m.finish(1), m.names('/u')]).toEqual([0, 'd e g low'])
  })
})

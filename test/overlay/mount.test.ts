/** What an overlay can be made of (facts: §1.2), and the kinds that cannot be written. */

import { describe, expect, it } from 'vitest'
import { errno_name } from '../../src/kernel/errno.js'
import { mount_overlay, type OverlaySpec } from '../../src/overlay/overlay.js'
import type { OverlayOptions } from '../../src/overlay/params.js'
import type { TreeNode } from '../../src/vfs/filesystems/populate.js'
import { SB_RDONLY, super_block } from '../../src/vfs/super_block.js'
import { dir, file, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, Overlay, whiteout } from './machine.js'

type Names = { lower: string[]; upper?: string; work?: string; options?: OverlayOptions }

const machine = () => {
  const m = new Overlay({ l: { in: dir() }, l2: {}, u: { x: dir() } })
  m.mount('/ro', m.file_system(dir({ u: dir(), w: dir() }), { type: 'erofs' }))
  return m
}

/** The errno of the mount, or `ok` or `ro`. */
function outcome({ lower, upper, work, options }: Names, m = machine()): string {
  const spec: OverlaySpec = {
    id: 'o',
    lower: lower.map((path) => m.at(path)),
    ...(upper === undefined ? {} : { upper: m.at(upper) }),
    ...(work === undefined ? {} : { work: m.at(work) }),
    ...(options === undefined ? {} : { options }),
  }
  const made = mount_overlay(m.k, spec)
  if ('errno' in made) {
    expect(made.errno).toBeLessThan(0)
    return errno_name(made.errno)
  }
  return (super_block(m.k, made.sb).s_flags & SB_RDONLY) !== 0 ? 'ro' : 'ok'
}

describe('layers (§1.2)', () => {
  it.each<[string, Names, string]>([
    ['one lower, upper and workdir', { lower: ['/l'], upper: '/u', work: '/w' }, 'ok'],
    ['no layers', { lower: [] }, 'EINVAL'],
    ['one lower, no upper', { lower: ['/l'] }, 'EINVAL'],
    ['two lowers, no upper', { lower: ['/l', '/l2'] }, 'ro'],
    ['upper without workdir', { lower: ['/l'], upper: '/u' }, 'EINVAL'],
    ['workdir without upper is ignored', { lower: ['/l', '/l2'], work: '/w' }, 'ro'],
    ['lower is a file', { lower: ['/f'], upper: '/u', work: '/w' }, 'EINVAL'],
    ['workdir is the upper', { lower: ['/l'], upper: '/u', work: '/u' }, 'EINVAL'],
    ['workdir inside upper', { lower: ['/l'], upper: '/u', work: '/u/x' }, 'EINVAL'],
    ['upper inside workdir', { lower: ['/l'], upper: '/u/x', work: '/u' }, 'EINVAL'],
    ['workdir on another file system', { lower: ['/l'], upper: '/u', work: '/ro/w' }, 'EINVAL'],
    ['upper is a lower', { lower: ['/u'], upper: '/u', work: '/w' }, 'ELOOP'],
    ['lower inside upper', { lower: ['/u/x'], upper: '/u', work: '/w' }, 'ELOOP'],
    ['lower is the workdir', { lower: ['/w'], upper: '/u', work: '/w' }, 'ELOOP'],
    ['the same lower twice', { lower: ['/l', '/l'], upper: '/u', work: '/w' }, 'ELOOP'],
    ['a lower inside a lower', { lower: ['/l', '/l/in'] }, 'ELOOP'],
    ['a lower around a lower', { lower: ['/l/in', '/l'] }, 'ELOOP'],
    ['upper inside a lower', { lower: ['/l'], upper: '/l/in', work: '/w' }, 'ok'],
    ['upper on a read-only file system', { lower: ['/l'], upper: '/ro/u', work: '/ro/w' }, 'EINVAL'],
    ['upper on an overlay', { lower: ['/l2'], upper: '/m/in', work: '/m/x' }, 'EINVAL'],
    ['lower on an overlay', { lower: ['/m', '/l2'] }, 'ro'],
  ])('%s', (_, names, expected) => {
    const m = machine()
    m.call('open', '/f', 0o101, 0o644)
    expect(outcome(names, m)).toBe(expected)
  })

  it('upper and workdir through mounts: one and the same, which can be written', () => {
    const m = machine()
    m.bind('/', '/m')
    m.bind('/', '/l2', 'ro')
    const spec = { id: 'o', lower: [m.at('/l')], upper: m.at('/u'), work: m.at('/w') }
    const [here, there] = [m.place('/m').mnt, m.place('/l2').mnt]
    const mounted = (upper_mnt: number, work_mnt: number) => {
      const made = mount_overlay(m.k, { ...spec, upper_mnt, work_mnt })
      return 'errno' in made ? errno_name(made.errno) : 'ok'
    }
    expect(mounted(here, here)).toBe('ok')
    expect(mounted(0, 0)).toBe('ok')
    expect([mounted(here, 0), mounted(0, here), mounted(there, there)]).toEqual([
      'EINVAL',
      'EINVAL',
      'EINVAL',
    ])
  })

  it('a third overlay on top of two', () => {
    const m = machine()
    const second = mount_overlay(m.k, { id: 'second', lower: [m.at('/m'), m.at('/l2')] })
    if ('errno' in second) throw new Error(second.why)
    m.mount('/w', super_block(m.k, second.sb).s_root)
    expect(outcome({ lower: ['/w', '/l2'] }, m)).toBe('EINVAL')
  })

  /** What the kernel accepts and the model has not is EOPNOTSUPP; all EINVAL was seen on 6.18.44. */
  it.each<[OverlayOptions, string, string]>([
    [{ metacopy: 'off', index: 'off', redirect_dir: 'off', nfs_export: 'off', xino: 'off' }, 'ok', 'ok'],
    [{ redirect_dir: 'nofollow', verity: 'off', uuid: 'null', volatile: true }, 'ok', 'ok'],
    [{ redirect_dir: 'follow', default_permissions: true }, 'ok', 'ok'],
    [{ redirect_dir: 'on' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ metacopy: 'on' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ index: 'on' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ nfs_export: 'on' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ xino: 'auto' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ verity: 'require' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ userxattr: true }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ metacopy: 'on', redirect_dir: 'on' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ metacopy: 'on', redirect_dir: 'off' }, 'EINVAL', 'EOPNOTSUPP'],
    [{ metacopy: 'on', redirect_dir: 'follow' }, 'EINVAL', 'EOPNOTSUPP'],
    [{ metacopy: 'on', redirect_dir: 'nofollow' }, 'EINVAL', 'EINVAL'],
    [{ nfs_export: 'on', index: 'off' }, 'EINVAL', 'EOPNOTSUPP'],
    [{ nfs_export: 'on', index: 'off', redirect_dir: 'nofollow' }, 'EINVAL', 'EINVAL'],
    [{ nfs_export: 'on', metacopy: 'on' }, 'EINVAL', 'EOPNOTSUPP'],
    [{ nfs_export: 'on', metacopy: 'on', redirect_dir: 'nofollow' }, 'EINVAL', 'EINVAL'],
    [{ userxattr: true, redirect_dir: 'on' }, 'EINVAL', 'EINVAL'],
    [{ userxattr: true, redirect_dir: 'follow' }, 'EINVAL', 'EINVAL'],
    [{ userxattr: true, redirect_dir: 'off' }, 'EINVAL', 'EINVAL'],
    [{ userxattr: true, redirect_dir: 'nofollow' }, 'EOPNOTSUPP', 'EOPNOTSUPP'],
    [{ userxattr: true, metacopy: 'on' }, 'EINVAL', 'EINVAL'],
    [{ userxattr: true, nfs_export: 'on', index: 'off' }, 'EINVAL', 'EOPNOTSUPP'],
    [{ verity: 'bogus' as 'on' }, 'EINVAL', 'EINVAL'],
    [{ volatile: 'on' as never }, 'EINVAL', 'EINVAL'],
    [{ nosuch: '' } as object, 'EINVAL', 'EINVAL'],
    [{ constructor: '' } as object, 'EINVAL', 'EINVAL'],
  ])('options %o: %s, without an upper layer %s', (options, with_upper, without) => {
    expect(outcome({ lower: ['/l'], upper: '/u', work: '/w', options })).toBe(with_upper)
    expect(outcome({ lower: ['/l', '/l2'], options })).toBe(without === 'ok' ? 'ro' : without)
  })
})

const changes = (m: Overlay) => [
  m.call('open', '/m/f', O_WRONLY),
  m.call('open', '/m/f', O_RDONLY | O_TRUNC),
  m.call('truncate', '/m/f', 0),
  m.call('chmod', '/m/f', 0o600),
  m.call('unlink', '/m/f'),
  m.call('mkdir', '/m/d', 0o755),
  m.call('access', '/m/f', 2),
]

describe('kinds that cannot be written (§1.2)', () => {
  it('without an upper layer every change is EROFS, and reading works', () => {
    const m = new Overlay({ l: { f: file('top') }, l2: { f: file('bottom') }, no_upper: true })
    expect(new Set(changes(m))).toEqual(new Set(['EROFS']))
    expect(m.cat('/m/f')).toBe('top')
  })

  it('mounted read-only with an upper layer: EROFS, but a direct write to upper shows through', () => {
    const m = new Overlay({ u: { f: file('upper') }, read_only: true })
    expect(new Set(changes(m))).toEqual(new Set(['EROFS']))
    const fd = m.open('/m/f')
    m.call('write', m.open('/u/f', O_WRONLY), 'UPPER')
    expect(m.pread(fd)).toBe('UPPER')
  })

  it('a read-only bind: the writable side copies up, and a descriptor of the bind reads the new content', () => {
    const m = new Overlay({ l: { f: file('lower') } })
    m.bind('/m', '/ro', 'ro')
    expect(m.call('open', '/ro/f', O_WRONLY)).toBe('EROFS')
    expect(m.names('/u')).toBe('')
    const fd = m.open('/ro/f')
    m.call('write', m.open('/m/f', O_RDWR), 'UPPER')
    expect(m.pread(fd)).toBe('UPPER')
  })

  it("flags of the layers' own mounts do not reach the overlay", () => {
    const m = new Overlay({ l: { f: file('x', { mode: 0o755 }) } })
    m.bind('/l', '/ro', 'noexec', 'ro')
    expect(m.call('open', '/m/f', O_RDWR)).toBe(0)
  })
})

describe('lookup and merge (§1.3)', () => {
  const m = new Overlay({
    l: {
      both: file('l'),
      gone: file('l'),
      low: file('l'),
      d: dir({ a: file('l'), b: file('l') }),
      o: dir({ x: file() }),
      kind: dir({ x: file() }),
    },
    l2: { low: file('l2'), low2: file('l2'), d: dir({ c: file('l2') }), kind: file('l2') },
    u: {
      both: file('u'),
      gone: { type: 'char', mode: 0, rdev: 0 },
      up: file('u'),
      d: dir({ a: file('u') }),
      o: dir({ y: file() }),
      kind: file('u'),
    },
    opaque: ['/u/o'],
  })

  it('the upper layer wins, then the lowers in order; a whiteout hides', () => {
    const show = (name: string) => (m.has(`/m/${name}`) ? m.cat(`/m/${name}`) : '-')
    expect(['both', 'gone', 'low', 'low2', 'up', 'kind'].map(show)).toEqual(['u', '-', 'l', 'l2', 'u', 'u'])
  })

  it('directories merge; an opaque one does not', () => {
    expect(m.names('/m/d')).toBe('a b c')
    expect(m.cat('/m/d/a')).toBe('u')
    expect(m.names('/m/o')).toBe('y')
  })

  it('a file, a whiteout or an opaque directory ends the search: what lies below is not merged', () => {
    const below = dir({ deep: file() })
    const ended = new Overlay({
      u: { file: dir(), gone: dir(), opaque: dir() },
      l: { file: file(), gone: whiteout, opaque: dir({ x: file() }), alone: file() },
      l2: { file: below, gone: below, opaque: below, alone: below },
      opaque: ['/l/opaque'],
    })
    expect(['file', 'gone', 'opaque'].map((name) => ended.names(`/m/${name}`))).toEqual(['', '', 'x'])
    expect(ended.stat('/m/alone').mode & 0o170000).toBe(0o100000)
  })

  it('a whiteout is the character device 0:0, and nothing else is', () => {
    const names = (u: TreeNode) => new Overlay({ l: { n: file() }, u: { n: u } }).names('/m')
    expect(names(whiteout)).toBe('')
    expect(names({ type: 'char', rdev: 0x103 })).toBe('n')
    expect(names({ type: 'fifo' })).toBe('n')
  })

  it('the names come in the order of readdir: the lowest layer first, then upper, then the rest', () => {
    const merged = new Overlay({
      l: { mid: file(), both: file() },
      l2: { z: file(), both: file() },
      u: { a: file() },
    })
    const names = merged.upper_tree('/m')
    expect(names).toEqual(['/m/z', '/m/both', '/m/a', '/m/mid'])
  })

  it('a merged directory counts one link, another those of the real one', () => {
    expect([m.stat('/m/d').nlink, m.stat('/m').nlink]).toEqual([1, 1])
    const other = new Overlay({ l: { d: dir({ sub: dir() }) } })
    expect(other.stat('/m/d').nlink).toBe(3)
    other.call('chmod', '/m/d', 0o700)
    expect(other.stat('/m/d').nlink).toBe(1)
  })

  it('links of an upper inode are one overlay file, links of a lower inode are two', () => {
    const linked = new Overlay({
      l: { a: file(), b: { type: 'hardlink', target: 'l/a' } },
      u: { c: file(), d: { type: 'hardlink', target: 'u/c' } },
    })
    expect(linked.inode('/m/c').id).toBe(linked.inode('/m/d').id)
    expect(linked.inode('/m/a').id).not.toBe(linked.inode('/m/b').id)
  })

  it('a name made behind the overlay is found, one that is there already is not looked up again (§1.7)', () => {
    const behind = new Overlay({ l: { f: file('lower') } })
    behind.call('open', '/u/new', 0o101, 0o644)
    expect(behind.stat('/m/new').size).toBe(0)
    behind.call('write', behind.open('/u/f', 0o101), 'upper')
    expect(behind.cat('/m/f')).toBe('lower')
  })

  it('the same layers give the same numbers, whoever looks first', () => {
    const make = () => new Overlay({ l: { d: dir({ f: file() }), g: file() } })
    const [one, other] = [make(), make()]
    one.stat('/m/d/f')
    expect(one.inode('/m/g').id).toBe(other.inode('/m/g').id)
    expect(one.inode('/m/d/f').id).toBe(other.inode('/m/d/f').id)
  })
})

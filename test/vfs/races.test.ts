/** Namespace calls against each other, in every interleaving of their stages. */
import { describe, expect, it } from 'vitest'
import { children, dentry } from '../../src/vfs/dentry.js'
import { inode, is_dir } from '../../src/vfs/inode.js'
import { super_block } from '../../src/vfs/super_block.js'
import { Machine } from './machine.js'

const dir = (entries = {}, more = {}) => ({ type: 'dir', entries, ...more }) as const
const file = (data = '') => ({ type: 'file', data }) as const

function two(tree: Parameters<typeof dir>[0]) {
  const m = new Machine(dir(tree))
  m.spawn(2)
  return m
}

const names = (m: Machine, ...paths: string[]) => paths.filter((path) => m.has(path)).join(',')

describe('a name that goes while somebody uses it', () => {
  it('open against unlink: found before, or not there', () => {
    const m = two({ f: file('x') })
    expect(m.interleavings({ 1: ['open', '/f', 0], 2: ['unlink', '/f'] })).toEqual([
      '1:0 2:0',
      '1:ENOENT 2:0',
    ])
  })

  it('open against rename over it', () => {
    const m = two({ f: file('x'), g: file('y') })
    expect(m.interleavings({ 1: ['open', '/f', 0], 2: ['rename', '/g', '/f'] })).toEqual(['1:0 2:0'])
  })

  it('a walk through a directory that is removed', () => {
    const m = two({ d: dir() })
    expect(m.interleavings({ 1: ['open', '/d/f', 0o101, 0o644], 2: ['rmdir', '/d'] })).toEqual([
      '1:0 2:ENOTEMPTY',
      '1:ENOENT 2:0',
    ])
  })

  it('mkdir in a directory that is removed', () => {
    const m = two({ d: dir() })
    expect(m.interleavings({ 1: ['mkdir', '/d/e', 0o755], 2: ['rmdir', '/d'] })).toEqual([
      '1:0 2:ENOTEMPTY',
      '1:ENOENT 2:0',
    ])
  })

  it('rename in and out of a directory that is removed', () => {
    const m = two({ d: dir(), f: file() })
    expect(m.interleavings({ 1: ['rename', '/f', '/d/f'], 2: ['rmdir', '/d'] })).toEqual([
      '1:0 2:ENOTEMPTY',
      '1:ENOENT 2:0',
    ])
  })

  it('two who unlink one name: one of them does', () => {
    const m = two({ f: file() })
    expect(m.interleavings({ 1: ['unlink', '/f'], 2: ['unlink', '/f'] })).toEqual([
      '1:0 2:ENOENT',
      '1:ENOENT 2:0',
    ])
  })

  it('link against unlink: a file that lost its last name gets no other', () => {
    const m = two({ f: file() })
    expect(
      m.interleavings({ 1: ['link', '/f', '/g'], 2: ['unlink', '/f'] }, () => names(m, '/f', '/g')),
    ).toEqual(['1:0 2:0 /g', '1:ENOENT 2:0'])
  })
})

describe('renames against each other', () => {
  it('two that would make a cycle: s_vfs_rename_mutex lets one of them through', () => {
    const m = two({ a: dir(), b: dir() })
    const found = m.interleavings({ 1: ['rename', '/a', '/b/a'], 2: ['rename', '/b', '/a/b'] }, () =>
      names(m, '/a', '/b', '/a/b', '/b/a'),
    )
    expect(found).toEqual([
      '1:0 2:EINVAL /b,/b/a',
      '1:0 2:ENOENT /b,/b/a',
      '1:EINVAL 2:0 /a,/a/b',
      '1:ENOENT 2:0 /a,/a/b',
    ])
  })

  it('crossing renames between two directories never deadlock', () => {
    const m = two({ a: dir({ f: file() }), b: dir({ g: file() }) })
    const found = m.interleavings({ 1: ['rename', '/a/f', '/b/g'], 2: ['rename', '/b/g', '/a/f'] }, () =>
      names(m, '/a/f', '/b/g'),
    )
    expect(found).toEqual(['1:0 2:0 /a/f', '1:0 2:0 /b/g'])
  })

  it('an exchange is never seen half done', () => {
    const m = two({ a: dir({ f: file('1') }), b: dir({ g: file('2') }) })
    const found = m.interleavings({ 1: ['renameat2', -100, '/a/f', -100, '/b/g', 2], 2: ['open', '/b/g', 0] })
    expect(found).toEqual(['1:0 2:0'])
  })
})

describe('any two calls, in any interleaving', () => {
  const calls: readonly (readonly [string, ...unknown[]])[] = [
    ['mkdir', '/a/n', 0o755],
    ['rmdir', '/a/d'],
    ['rmdir', '/a/e'],
    ['unlink', '/a/f'],
    ['link', '/a/f', '/b/f2'],
    ['rename', '/a/f', '/a/g'],
    ['rename', '/a/f', '/b/f'],
    ['rename', '/b/f', '/a/f'],
    ['rename', '/a/d', '/b/d'],
    ['rename', '/a/e', '/a/d'],
    ['rename', '/b', '/a/d/b'],
    ['renameat2', -100, '/a/f', -100, '/b', 2],
    ['renameat2', -100, '/a/d', -100, '/b/f', 2],
    ['open', '/a/d/x', 0o102, 0o644],
    ['truncate', '/a/f', 0],
    ['chdir', '/a/d'],
  ]
  const tree = () => ({
    a: dir({ f: file('1'), g: file('2'), d: dir(), e: dir() }),
    b: dir({ f: file('3') }),
  })
  const still_locked = (m: Machine) => {
    const locked = inode.rows(m.k).filter((node) => node.i_rwsem !== 0)
    const mutexes = super_block.rows(m.k).filter((sb) => sb.s_vfs_rename_mutex !== 0)
    return locked.length + mutexes.length
  }

  /** Link counts as the tree has them: names of a file; for a directory its own two, and its subdirectories. */
  function wrong_links(m: Machine): number {
    const names = dentry.rows(m.k).filter((d) => d.d_unhashed === 0)
    return inode.rows(m.k).filter((node) => {
      const own = names.filter((d) => d.d_inode === node.id)
      if (!is_dir(node.i_mode)) return node.i_nlink !== own.length
      const subdirectories = own
        .flatMap((d) => children(m.k, d.id))
        .filter((d) => is_dir(inode(m.k, d.d_inode).i_mode))
      return node.i_nlink !== (own.length === 0 ? 0 : 2 + subdirectories.length)
    }).length
  }

  it.each(calls.map((call) => [call] as const))('%j', (first) => {
    for (const second of calls) {
      const m = two(tree())
      const outcomes = m.interleavings({ 1: first, 2: second }, () => `${still_locked(m)} ${wrong_links(m)}`)
      for (const outcome of outcomes) {
        expect(outcome, `${second.join(' ')}`).toMatch(/^1:\w+ 2:\w+ 0 0$/)
        expect(outcome).not.toContain('deadlock')
      }
    }
  })
})

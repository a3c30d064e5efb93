/** Namespace calls against each other, in every interleaving of their stages. */
import { describe, expect, it } from 'vitest'
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

/** What all forms of the path walk have in common: how links are followed, and what the last component is. */
import { describe, expect, it } from 'vitest'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import type { Feature } from '../../src/kernel/profile.js'
import { Machine } from './machine.js'
import { dir, file, symlink } from './tree.js'

const O_WRONLY = 1
const O_CREAT = 0o100
const O_EXCL = 0o200
const O_DIRECTORY = 0o200000
const O_NOFOLLOW = 0o400000
const O_PATH = 0o10000000

describe('links at the end of a path', () => {
  const links = Object.fromEntries(
    Array.from({ length: 41 }, (_, i) => [`l${i + 1}`, symlink(i === 0 ? 'f' : `l${i}`)]),
  )
  const machine = () => new Machine(dir({ f: file(), d: dir({ g: file() }), ...links }))

  it.each([
    ['a lookup', 0],
    ['an open that may create', O_CREAT | O_WRONLY],
    ['a descriptor of a place', O_PATH],
  ])('are counted together, 40 on one walk: %s', (_, flags) => {
    const m = machine()
    expect(m.call('open', '/l40', flags, 0o644)).toBe(0)
    expect(m.call('open', '/l41', flags, 0o644)).toBe('ELOOP')
    expect(m.call('open', '/l41', flags | O_NOFOLLOW, 0o644)).toBe(flags === O_PATH ? 1 : 'ELOOP')
  })

  it('are counted with those before: of the directories of a file that is made', () => {
    const m = new Machine(dir({ a: symlink('.'), f: symlink(`${'a/'.repeat(39)}new`) }))
    expect(m.call('open', '/a/f', O_CREAT | O_WRONLY, 0o644)).toBe('ELOOP')
    expect(m.call('open', '/f', O_CREAT | O_WRONLY, 0o644)).toBe(0)
    expect(m.has('/new')).toBe(true)
  })

  it('lead to what is missing, and O_CREAT makes it there', () => {
    const m = new Machine(
      dir({
        d: dir({ to: symlink('../e/new'), abs: symlink('/e/abs') }),
        e: dir({}),
      }),
    )
    expect(m.call('open', '/d/to', O_WRONLY)).toBe('ENOENT')
    expect(m.call('open', '/d/to', O_CREAT | O_EXCL, 0o644)).toBe('EEXIST')
    expect(m.call('open', '/d/to', O_CREAT, 0o644)).toBe(0)
    expect(m.call('open', '/d/abs', O_CREAT, 0o644)).toBe(1)
    expect([m.has('/e/new'), m.has('/e/abs'), m.has('/d/new')]).toEqual([true, true, false])
  })

  it('with a slash behind are followed whatever is asked, and must lead to a directory', () => {
    const m = new Machine(
      dir({
        d: dir({}),
        f: file(),
        to_d: symlink('d'),
        to_f: symlink('f/'),
        r: symlink('/'),
      }),
    )
    expect(m.call('open', '/to_d/', O_NOFOLLOW)).toBe(0)
    expect(m.call('open', '/to_d', O_NOFOLLOW)).toBe('ELOOP')
    expect(m.call('open', '/to_f', 0)).toBe('ENOTDIR')
    expect(m.call('open', '/f/', 0)).toBe('ENOTDIR')
    expect(m.call('open', '/f/', O_CREAT, 0o644)).toBe('EISDIR')
    expect(m.call('open', '/to_f', O_CREAT, 0o644)).toBe('EISDIR')
    expect(m.call('open', '/f', O_DIRECTORY)).toBe('ENOTDIR')
    expect(m.call('open', '/f', O_DIRECTORY | O_PATH)).toBe('ENOTDIR')
    expect(m.call('open', '/r', O_PATH)).toBe(1)
    expect(m.call('open', '/r/f', O_PATH)).toBe(2)
    expect(m.call('open', '/r', O_CREAT, 0o644)).toBe('EISDIR')
  })

  it.each(['.', '..', '/', '/d/..', '/d/.'])('%s is a directory that exists', (path) => {
    const m = machine()
    expect(m.call('open', path, O_CREAT, 0o644)).toBe('EISDIR')
    expect(m.call('open', path, O_CREAT | O_EXCL, 0o644)).toBe('EEXIST')
    expect(m.call('open', path, O_PATH)).toBe(0)
  })
})

describe('fs.protected_symlinks', () => {
  const machine = (...features: Feature[]) => {
    const tree = dir(
      {
        theirs: symlink('/f', { uid: 2 }),
        mine: symlink('/f', { uid: 1 }),
        owners: symlink('/f', { uid: 0 }),
        dirs: symlink('/d', { uid: 2 }),
      },
      { mode: 0o1777 },
    )
    const m = new Machine(
      dir({
        f: file(),
        d: dir({ g: file() }),
        tmp: tree,
        open: dir({ theirs: symlink('/f', { uid: 2 }) }, { mode: 0o777 }),
      }),
      { features },
    )
    m.spawn(2, { uid: 1 })
    return m
  }

  it('keeps a task from a link of somebody else in a sticky directory, whoever the task is', () => {
    const m = machine('protected_symlinks')
    expect(m.as(2, 'open', '/tmp/theirs', 0)).toBe('EACCES')
    expect(m.as(2, 'open', '/tmp/theirs', O_CREAT, 0o644)).toBe('EACCES')
    expect(m.as(2, 'stat', '/tmp/theirs')).toBe('EACCES')
    expect(m.call('open', '/tmp/theirs', 0)).toBe('EACCES')
    expect(m.as(2, 'open', '/tmp/mine', 0)).toBe(0)
    expect(m.as(2, 'open', '/tmp/owners', 0)).toBe(1)
    expect(m.as(2, 'open', '/open/theirs', 0)).toBe(2)
  })

  it('is asked of the last component only', () => {
    expect(machine('protected_symlinks').as(2, 'open', '/tmp/dirs/g', 0)).toBe(0)
  })

  it('is off unless a profile says so', () => {
    expect(machine().as(2, 'open', '/tmp/theirs', 0)).toBe(0)
  })
})

it('file_post_open is told what was asked for, be the file new or not', () => {
  const masks: number[] = []
  const module: SecurityModule = {
    name: 'masks',
    hooks: {
      file_post_open: (_, { mask }) => {
        masks.push(mask)
        return 0
      },
    },
  }
  const m = new Machine(dir({}), { modules: [module] })
  m.call('open', '/new', O_CREAT | O_WRONLY, 0)
  m.call('open', '/new', O_CREAT | O_WRONLY, 0)
  expect(masks).toEqual([2, 2])
})

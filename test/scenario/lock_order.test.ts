/** The order of locks: what is in it, what is not, and that the model's own tasks keep to it. */
import { describe, expect, it } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { type Hold, hold_kind } from '../../src/kernel/fn.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { profile } from '../../src/kernel/profile.js'
import { make_kernel } from '../../src/model.js'
import { case_system } from '../../src/scenario/case_system.js'
import { broken_lock_order, locks } from '../../src/scenario/lock_order.js'
import { boot_setup } from '../../src/scenario/setup.js'
import { dentry } from '../../src/vfs/dentry.js'
import { find_place } from '../../src/vfs/filesystems/populate.js'
import { inode, is_dir, is_reg } from '../../src/vfs/inode.js'
import { super_block } from '../../src/vfs/super_block.js'
import { case_named, shipped } from '../properties/support.js'
import { Machine } from '../vfs/machine.js'
import { dir, file } from '../vfs/tree.js'

describe('the order of locks', () => {
  const k = case_system(case_named(shipped[0]!, 'access=read mitigation=none profile=7.2')).boot(
    new FastStore(),
  )
  const by_type = (type: string) => super_block.rows(k).find(({ s_type }) => s_type === type)!.id
  const overlay = by_type('overlay')
  const below = super_block.rows(k).find(({ s_id }) => s_id === 'rw')!.id
  const name = (sb: number, wanted: (mode: number) => boolean, root = false) =>
    dentry
      .rows(k)
      .find((d) => d.d_sb === sb && (d.d_parent === d.id) === root && wanted(inode(k, d.d_inode).i_mode))!
  const rwsem = (ino: number) => ({ kind: 'inode_unlock', object: ino })
  const rename = (sb: number) => ({ kind: 'mutex_unlock(s_vfs_rename_mutex)', object: sb })
  const copy_up = (ino: number) => ({ kind: 'ovl_inode_unlock', object: ino })
  const position = { kind: 'f_unlock_pos', object: 1 }

  const root = name(overlay, is_dir, true).d_inode
  const script = name(overlay, is_reg).d_inode
  const real_root = name(below, is_dir, true).d_inode
  const [upper, work] = dentry
    .rows(k)
    .filter((d) => d.d_sb === below && d.d_parent !== d.id && is_dir(inode(k, d.d_inode).i_mode))
    .map((d) => d.d_inode)

  it.each([
    ['the position, then the file', [position, rwsem(script)]],
    ['a directory, then what is in it', [rwsem(root), rwsem(script)]],
    ['the overlay, its inode, then the layer', [rwsem(script), copy_up(script), rwsem(upper!)]],
    ['an ancestor first', [rwsem(real_root), rwsem(upper!)]],
    ['two directories while none moves', [rename(below), rwsem(upper!), rwsem(work!)]],
  ])('%s', (_, held) => {
    expect(broken_lock_order(k, held)).toBeNull()
    expect(broken_lock_order(k, [...held].reverse())).toMatch(/ was taken while .* was held$/)
  })

  it.each([
    ['two directories, neither above the other, where others may move', [rwsem(upper!), rwsem(work!)]],
    ['two copy-ups', [copy_up(script), copy_up(root)]],
    ['one lock twice', [rwsem(script), rwsem(script)]],
  ])('not %s', (_, held) => {
    expect(broken_lock_order(k, held)).toMatch(/ was taken while .* was held$/)
  })

  it('has a directory without a name below none, and none below it', () => {
    const tmpfile = inode.create(k, { i_mode: inode(k, upper!).i_mode, i_sb: below }).id
    for (const held of [
      [rwsem(upper!), rwsem(tmpfile)],
      [rwsem(tmpfile), rwsem(upper!)],
    ]) {
      expect(broken_lock_order(k, held)).toMatch(/ was taken while .* was held$/)
      expect(broken_lock_order(k, [rename(below), ...held])).toBeNull()
    }
  })

  it('knows every lock that there is', () => {
    const kinds: Hold[] = []
    for (let i = 0; hold_kind(i) !== undefined; i++) kinds.push(hold_kind(i))
    const named = kinds.map((kind) => kind.name).filter((each) => each.includes('unlock'))
    expect(locks.map(({ hold }) => hold.name).sort()).toEqual(named.sort())
  })
})

describe('overlays on top of each other', () => {
  const k = make_kernel(new FastStore(), profile('6.18'), [])
  const { root } = boot_setup(
    k,
    {
      filesystems: {
        root: { type: 'tmpfs' },
        disk: { type: 'ext4', tree: { a: { dir: {} }, b: { dir: {} } } },
        more: { type: 'tmpfs', tree: { c: { dir: {} }, u: { dir: {} }, w: { dir: {} } } },
      },
      mounts: [
        { at: '/', filesystem: 'root' },
        { at: '/disk', filesystem: 'disk' },
        { at: '/more', filesystem: 'more' },
        { at: '/read', overlay: { lower: ['disk:/a', 'disk:/b'] } },
        { at: '/written', overlay: { lower: ['/read'], upper: 'more:/u', work: 'more:/w' } },
        { at: '/both', overlay: { lower: ['more:/c', '/read'] } },
      ],
    },
    'setup',
  )
  const lock_of = (path: string) => ({
    kind: 'inode_unlock',
    object: dentry(k, find_place(k, root.mnt, path)!.dentry).d_inode,
  })

  it.each([
    ['/written', '/read', '/disk'],
    ['/written', '/more'],
    ['/both', '/read', '/more'],
    ['/read', '/disk'],
  ])('%s is locked before what it lies on', (...paths) => {
    const held = paths.map(lock_of)
    expect(broken_lock_order(k, held)).toBeNull()
    expect(broken_lock_order(k, held.reverse())).toBe(
      `i_rwsem of inode ${held[1]!.object} was taken while i_rwsem of inode ${held[0]!.object} was held`,
    )
  })
})

describe('calls that lock several inodes', () => {
  const tree = dir({
    a: dir({ f: file(), g: file(), d: dir({ e: dir({}), f: file() }) }),
    b: dir({ f: file(), d: dir({}) }),
  })
  const held = (k: Kernel) =>
    Array.from({ length: k.store.depth(1) }, (_, depth) => k.store.frame(1, depth).holds).flatMap((holds) =>
      holds.flatMap((kind, i) =>
        i % 2 === 0 ? [{ kind: hold_kind(kind).name, object: holds[i + 1]! }] : [],
      ),
    )

  it.each([
    [3, 'rename', '/a/f', '/a/g'],
    [5, 'rename', '/a/f', '/b/f'],
    [5, 'rename', '/b/f', '/a/f'],
    [4, 'rename', '/a/f', '/a/d/new'],
    [5, 'rename', '/a/d/f', '/a/g'],
    [5, 'rename', '/a/d/e', '/b/d'],
    [5, 'renameat2', -100, '/a/d/e', -100, '/b/f', 'RENAME_EXCHANGE'],
    [5, 'renameat2', -100, '/b/f', -100, '/a/d', 'RENAME_EXCHANGE'],
    [2, 'link', '/a/f', '/b/new'],
    [2, 'unlink', '/a/f'],
    [2, 'rmdir', '/b/d'],
  ])('at most %i locks in order: %s %s %s', (most, call, ...args) => {
    const m = new Machine(tree)
    let locked = 0
    m.begin(1, call, ...args)
    while (m.result(1) === undefined) {
      m.step(1)
      const now = held(m.k).filter(({ kind }) => kind.includes('unlock'))
      locked = Math.max(locked, now.length)
      expect(broken_lock_order(m.k, now)).toBeNull()
    }
    expect([m.result(1), locked]).toEqual([0, most])
  })
})

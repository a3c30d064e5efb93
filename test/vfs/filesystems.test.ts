/** The file system types apart from what they share, and the set-up that makes them. */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import { dentry } from '../../src/vfs/dentry.js'
import {
  add_node,
  find_place,
  lookup_path,
  make_super_block,
  populate,
} from '../../src/vfs/filesystems/populate.js'
import { inode, page, S_APPEND, S_IFBLK, S_IFDIR, S_IFREG, S_IFSOCK } from '../../src/vfs/inode.js'
import {
  MNT_NODEV,
  MNT_NOEXEC,
  MNT_NOSUID,
  MNT_NOSYMFOLLOW,
  MNT_READONLY,
  mount,
} from '../../src/vfs/mount.js'
import { block_device, SB_RDONLY, super_block } from '../../src/vfs/super_block.js'
import { Machine } from './machine.js'
import { dir, file, hardlink, symlink } from './tree.js'

const O_WRONLY = 1
const O_RDWR = 2
const O_TRUNC = 0o1000
const verity = { digest: 'sha256:00ff', signed: true }

describe('ext4: fs-verity', () => {
  const machine = (modules: SecurityModule[] = []) =>
    new Machine(dir({ v: file({ data: 'frozen', verity }), f: file({ data: 'free' }) }), {
      sb: { type: 'ext4' },
      modules,
    })

  it('cannot be opened for writing, and nothing of the attempt is left', () => {
    const m = machine()
    expect(m.call('open', '/v', O_WRONLY)).toBe('EPERM')
    expect(m.call('open', '/v', O_RDWR)).toBe('EPERM')
    expect(m.inode('/v').i_writecount).toBe(0)
    expect(m.call('open', '/v', 0)).toBe(0)
    expect(m.call('open', '/f', O_RDWR)).toBe(1)
  })

  it('the refusal comes after write access and file_open: a module is asked before', () => {
    let writers = 0
    const m = machine([
      {
        name: 'no',
        hooks: {
          file_open: () => {
            writers = m.inode('/v').i_writecount
            return -EACCES
          },
        },
      },
    ])
    expect(m.call('open', '/v', O_WRONLY)).toBe('EACCES')
    expect(writers).toBe(1)
  })

  it('cannot be truncated: by path, by O_TRUNC even of a reader', () => {
    const m = machine()
    expect(m.call('truncate', '/v', 0)).toBe('EPERM')
    expect(m.call('open', '/v', O_TRUNC)).toBe('EPERM')
    expect(m.inode('/v').i_size).toBe(6)
    expect(m.call('truncate', '/f', 0)).toBe(0)
  })

  it('name, mode and owner stay free', () => {
    const m = machine()
    expect(m.call('chmod', '/v', 0o600)).toBe(0)
    expect(m.call('chown', '/v', 1, 1)).toBe(0)
    expect(m.call('link', '/v', '/w')).toBe(0)
    expect(m.call('rename', '/f', '/v')).toBe(0)
    expect(m.call('unlink', '/w')).toBe(0)
  })
})

describe('erofs: the read-only image', () => {
  const machine = () =>
    new Machine(dir({ d: dir({ f: file({ data: 'x' }) }), l: symlink('d/f') }), { sb: { type: 'erofs' } })

  it('is read-only whatever the mount says', () => {
    const m = machine()
    expect(super_block(m.k, m.inode('/').i_sb).s_flags).toBe(SB_RDONLY)
    expect(mount(m.k, m.root_mnt).mnt_flags).toBe(0)
  })

  it('can be read', () => {
    const m = machine()
    expect(m.call('open', '/l', 0)).toBe(0)
    expect(m.call('readlink', '/l', 9)).toBe(3)
    expect(m.call('access', '/d/f', 4)).toBe(0)
  })

  it.each([
    ['mkdir', '/x', 0o755],
    ['mknod', '/x', 0o644],
    ['symlink', 'a', '/x'],
    ['link', '/d/f', '/x'],
    ['unlink', '/d/f'],
    ['rmdir', '/d'],
    ['rename', '/d/f', '/x'],
    ['chmod', '/d/f', 0o777],
    ['chown', '/d/f', 1, 1],
    ['truncate', '/d/f', 0],
    ['open', '/d/f', O_WRONLY],
    ['open', '/d/f', O_TRUNC],
    ['open', '/x', 0o101, 0o644],
    ['access', '/d/f', 2],
  ])('%s %s: EROFS', (call, ...args) => {
    expect(machine().call(call, ...args)).toBe('EROFS')
  })
})

describe('populate', () => {
  const machine = () => new Machine(dir())

  it('makes every type, with modes, owners, flags and contents', () => {
    const m = machine()
    const sb = make_super_block(m.k, { id: 'x', type: 'tmpfs' })
    const root = populate(
      m.k,
      sb,
      dir({
        f: file({ data: 'abc', mode: 0o600, uid: 1, gid: 2, flags: S_APPEND, verity }),
        d: dir({ deep: file() }),
        b: { type: 'block', rdev: 0x801 },
        s: { type: 'socket' },
        l: symlink('f'),
      }),
    )
    const at = (path: string) => inode(m.k, dentry(m.k, lookup_path(m.k, root, path)).d_inode)
    const { i_mode, i_uid, i_gid, i_flags, i_size, verity_digest, verity_signed } = at('f')
    expect([i_mode, i_uid, i_gid, i_flags, i_size]).toEqual([S_IFREG | 0o600, 1, 2, S_APPEND, 3])
    expect([verity_digest, verity_signed]).toEqual(['sha256:00ff', 1])
    expect([at('d').i_mode, at('b').i_mode, at('s').i_mode]).toEqual([
      S_IFDIR | 0o755,
      S_IFBLK | 0o644,
      S_IFSOCK | 0o644,
    ])
    expect([at('b').i_rdev, at('l').i_link, at('l').i_size]).toEqual([0x801, 'f', 1])
    expect([at('').i_nlink, at('d').i_nlink, at('d/deep').i_nlink]).toEqual([3, 2, 1])
    expect(lookup_path(m.k, root, 'd/nope')).toBe(0)
    expect(super_block(m.k, sb).s_root).toBe(root)
  })

  it('lays contents out in pages; zeros have none', () => {
    const m = machine()
    const root = m.file_system(dir({ f: file({ data: `${'\0'.repeat(4096)}x\0\0` }) }))
    const ino = dentry(m.k, lookup_path(m.k, root, 'f')).d_inode
    expect(page.where(m.k, ino).map(({ index, data }) => [index, data])).toEqual([[1, 'x']])
    expect(inode(m.k, ino).i_size).toBe(4099)
  })

  it('hard links: one inode, two names; one that leads nowhere is an error', () => {
    const m = new Machine(dir({ d: dir({ f: file() }), g: hardlink('/d/f') }))
    expect([m.inode('/g').id === m.inode('/d/f').id, m.inode('/g').i_nlink]).toEqual([true, 2])
    expect(() => m.file_system(dir({ g: hardlink('nope') }))).toThrow('there is no nope before it')
  })

  it('add_node adds to a tree that is there', () => {
    const m = machine()
    const root = m.place('/').dentry
    add_node(m.k, root, 'd', dir({ f: file() }))
    expect([m.has('/d/f'), m.inode('/').i_nlink]).toEqual([true, 3])
  })

  it('two file systems do not see each other', () => {
    const m = new Machine(dir({ a: file() }))
    const other = m.file_system(dir({ b: file() }))
    expect([lookup_path(m.k, other, 'b') !== 0, lookup_path(m.k, other, 'a'), m.has('/b')]).toEqual([
      true,
      0,
      false,
    ])
  })

  it('a superblock with a device that has dm-verity, and one of the initramfs', () => {
    const { k } = machine()
    const { s_bdev, s_flags, s_initramfs } = super_block(
      k,
      make_super_block(k, {
        id: 'x',
        type: 'ext4',
        read_only: true,
        initramfs: true,
        bdev: { roothash: 'sha256:aa', signed: true },
      }),
    )
    const { bd_name, roothash, roothash_signed } = block_device(k, s_bdev)
    expect([s_flags, s_initramfs, bd_name, roothash, roothash_signed]).toEqual([
      SB_RDONLY,
      1,
      'x',
      'sha256:aa',
      1,
    ])
    expect(super_block(k, make_super_block(k, { id: 'y', type: 'tmpfs' })).s_bdev).toBe(0)
  })
})

describe('mounts', () => {
  it('options become flags', () => {
    const m = new Machine(dir({ d: dir() }))
    const id = m.bind('/', '/d', 'ro', 'noexec', 'nosuid', 'nodev', 'nosymfollow')
    const all = MNT_READONLY | MNT_NOEXEC | MNT_NOSUID | MNT_NODEV | MNT_NOSYMFOLLOW
    expect(mount(m.k, id).mnt_flags).toBe(all)
  })

  it('a bind mount shows a directory of the same file system in another place, with its own flags', () => {
    const m = new Machine(dir({ a: dir({ f: file() }), b: dir() }))
    m.bind('/a', '/b', 'ro')
    expect(m.inode('/b/f').id).toBe(m.inode('/a/f').id)
    expect(m.call('unlink', '/b/f')).toBe('EROFS')
    expect(m.call('unlink', '/a/f')).toBe(0)
    expect(m.has('/b/f')).toBe(false)
  })

  it('a mount on a mount covers it; `..` leads back to the parent', () => {
    const m = new Machine(dir({ a: dir(), f: file() }))
    m.mount('/a', m.file_system(dir({ one: file() })))
    m.mount('/a', m.file_system(dir({ two: file() })))
    expect([m.has('/a/one'), m.has('/a/two')]).toEqual([false, true])
    expect(m.call('access', '/a/../f', 0)).toBe(0)
  })

  it('find_place answers undefined where there is nothing', () => {
    const m = new Machine(dir())
    expect(find_place(m.k, m.root_mnt, '/nope/x')).toBeUndefined()
  })

  it('on nosymfollow no link is followed, and readlink still works', () => {
    const m = new Machine(dir({ l: symlink('f'), f: file(), b: dir() }))
    m.bind('/', '/b', 'nosymfollow')
    expect(m.call('access', '/b/l', 0)).toBe('ELOOP')
    expect(m.call('readlink', '/b/l', 9)).toBe(1)
  })
})

import { describe, expect, it } from 'vitest'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { dentry } from '../../src/vfs/dentry.js'
import { inode } from '../../src/vfs/inode.js'
import { shrink_dcache } from '../../src/vfs/shrink_dcache.js'
import { JsonShell } from './support.js'

function counts(shell: JsonShell): [number, number] {
  const { k } = shell.session
  return [dentry.rows(k).length, inode.rows(k).length]
}

describe('shrink_dcache', () => {
  it('takes away unlinked names and their inodes', () => {
    const shell = new JsonShell()
    const before = counts(shell)
    shell.call(1, 'close', shell.call(1, 'creat', '/f', 0o644).ret)
    shell.call(1, 'unlink', '/f')
    expect(shrink_dcache(shell.session.k)).toBe(1)
    expect(counts(shell)).toEqual(before)
  })

  it('keeps what an open file, a mapping, a working directory or another name stands on', () => {
    const shell = new JsonShell()
    shell.call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o644)
    shell.call(1, 'write', 3, 'still here')
    shell.call(1, 'unlink', '/f')
    expect(shrink_dcache(shell.session.k)).toBe(0)
    expect(shell.data(1, 'pread', 3, 20, 0)).toBe('still here')

    const { ret: at } = shell.call(1, 'mmap', null, 4096, 'PROT_READ', 'MAP_SHARED', 3, 0)
    shell.call(1, 'close', 3)
    expect(shrink_dcache(shell.session.k)).toBe(0)
    expect(shell.data(1, 'peek', at, 5)).toBe('still')
    shell.call(1, 'munmap', at, 4096)
    expect(shrink_dcache(shell.session.k)).toBe(1)

    shell.call(1, 'mkdir', '/d', 0o755)
    shell.call(1, 'chdir', '/d')
    shell.call(1, 'rmdir', '/d')
    expect(shrink_dcache(shell.session.k)).toBe(0)
    shell.call(1, 'chdir', '..')
    expect(shrink_dcache(shell.session.k)).toBe(1)

    shell.call(1, 'creat', '/one', 0o644)
    shell.call(1, 'link', '/one', '/two')
    shell.call(1, 'close', 3)
    shell.call(1, 'unlink', '/one')
    expect(shrink_dcache(shell.session.k)).toBe(1)
    expect(shell.call(1, 'stat', '/two').stat!.st_nlink).toBe(1)
    expect(broken_invariant(shell.session.k)).toBeNull()
  })

  it('takes a directory away together with the names that were unlinked in it', () => {
    const shell = new JsonShell()
    shell.call(1, 'mkdir', '/d', 0o755)
    shell.call(1, 'close', shell.call(1, 'creat', '/d/f', 0o644).ret)
    shell.call(1, 'unlink', '/d/f')
    shell.call(1, 'rmdir', '/d')
    expect(shrink_dcache(shell.session.k)).toBe(2)
  })

  it('keeps the real names that an overlay stands on', async () => {
    const shell = new JsonShell()
    await shell.ask({
      id: 1,
      setup: {
        filesystems: {
          root: { type: 'tmpfs' },
          low: { type: 'tmpfs', tree: { s: 'low' } },
          up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
        },
        mounts: [
          { at: '/', filesystem: 'root' },
          { at: '/l', filesystem: 'low' },
          { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
        ],
      },
    })
    shell.call(1, 'stat', '/m/s')
    shell.call(1, 'unlink', '/l/s')
    shrink_dcache(shell.session.k)
    expect(broken_invariant(shell.session.k)).toBeNull()
    expect(shell.call(1, 'open', '/m/s', 'O_RDONLY').ret).toBe(3)
    expect(shell.data(1, 'read', 3, 10)).toBe('low')
    shell.call(1, 'close', 3)
    for (const name of ['/m/a', '/m/b']) shell.call(1, 'close', shell.call(1, 'creat', name, 0o644).ret)
    shell.call(1, 'unlink', '/m/a')
    shell.call(1, 'unlink', '/m/s')
    for (let i = 0; i < 3; i++) shrink_dcache(shell.session.k)
    expect(broken_invariant(shell.session.k)).toBeNull()
    expect(shell.call(1, 'creat', '/m/a', 0o644).ret).toBe(3)
    expect(shell.call(1, 'stat', '/m/b').ret).toBe(0)
  })
})

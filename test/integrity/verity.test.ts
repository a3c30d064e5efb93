import { describe, expect, it } from 'vitest'
import { dm_verity, parse_digest } from '../../src/integrity/dm_verity.js'
import { fs_verity } from '../../src/integrity/fs_verity.js'
import { dentry } from '../../src/vfs/dentry.js'
import { inode } from '../../src/vfs/inode.js'
import { Machine } from '../vfs/machine.js'
import { dir, file } from '../vfs/tree.js'

const root_of = (m: Machine, root: number) => dentry(m.k, root).d_inode

describe('dm-verity of the device below an inode', () => {
  it('root hash and signature', () => {
    const m = new Machine(dir())
    const bdev = { roothash: 'sha256:00ff', signed: true }
    const root = m.file_system(dir(), { type: 'erofs', bdev })
    expect(dm_verity(m.k, root_of(m, root))).toEqual({
      roothash: { alg: 'sha256', hex: '00ff' },
      signed: true,
    })
  })

  it('a root hash without signature; a signature of a root hash that nobody named', () => {
    const m = new Machine(dir())
    const unsigned = m.file_system(dir(), { type: 'ext4', bdev: { roothash: 'sha512:aa' } })
    const unnamed = m.file_system(dir(), { type: 'ext4', bdev: { signed: true } })
    expect(dm_verity(m.k, root_of(m, unsigned))?.signed).toBe(false)
    expect(dm_verity(m.k, root_of(m, unnamed))).toEqual({ roothash: { alg: '', hex: '' }, signed: true })
  })

  it('none without a device, and none on a plain device', () => {
    const m = new Machine(dir())
    const plain = m.file_system(dir(), { type: 'ext4', bdev: {} })
    expect(dm_verity(m.k, m.inode('/').id)).toBeNull()
    expect(dm_verity(m.k, root_of(m, plain))).toBeNull()
  })
})

describe('fs-verity of an inode', () => {
  const machine = () =>
    new Machine(
      dir({
        signed: file({ verity: { digest: 'sha256:01', signed: true } }),
        plain: file({ verity: { digest: 'sha256:02' } }),
        none: file(),
      }),
      { sb: { type: 'ext4' } },
    )

  it('digest and built-in signature', () => {
    const m = machine()
    expect(fs_verity(m.k, m.inode('/signed').id)).toEqual({
      digest: { alg: 'sha256', hex: '01' },
      signed: true,
    })
    expect(fs_verity(m.k, m.inode('/plain').id)?.signed).toBe(false)
    expect(fs_verity(m.k, m.inode('/none').id)).toBeNull()
  })

  it('belongs to the inode: it goes with a rename, and not with the name', () => {
    const m = machine()
    m.call('rename', '/signed', '/none')
    expect(fs_verity(m.k, m.inode('/none').id)?.digest.hex).toBe('01')
  })

  it('a new file of the same name has none', () => {
    const m = machine()
    m.call('unlink', '/signed')
    m.call('mknod', '/signed', 0o644)
    expect(inode(m.k, m.inode('/signed').id).verity_digest).toBe('')
  })
})

it('digests: algorithm and hex', () => {
  expect(parse_digest('sha256:00ff')).toEqual({ alg: 'sha256', hex: '00ff' })
  expect(parse_digest('00ff')).toEqual({ alg: '', hex: '00ff' })
})

import { describe, expect, it } from 'vitest'
import { S_APPEND, S_IMMUTABLE } from '../../src/vfs/inode.js'
import { CAP_CHOWN, CAP_FOWNER } from '../../src/vfs/tasks/task.js'
import { denying, text, World } from './data_world.js'

const tree = (mode = 0o644, uid = 1000, gid = 5) => ({
  f: text('x', { mode, uid, gid }),
  l: { type: 'symlink' as const, target: 'f' },
  d: { type: 'dir' as const },
})
/** Task 1 is root; 2 owns the file, 3 does not. */
const world = (mode?: number, options = {}) =>
  new World(tree(mode), options).task(2, 1000, { egid: 1000 }).task(3, 1001)

describe('chmod', () => {
  it('is for the owner and for CAP_FOWNER', () => {
    const w = world().task(4, 1002, { cap_effective: 2 ** CAP_FOWNER })
    expect(w.call(2, 'chmod', 'f', 0o600)).toBe(0)
    expect(w.call(3, 'chmod', 'f', 0o777)).toBe('EPERM')
    expect(w.mode('f')).toBe('600')
    expect(w.call(4, 'chmod', 'l', 0o640)).toBe(0)
    expect(w.mode('f')).toBe('640')
  })

  it('keeps the type and ignores bits that are no mode', () => {
    const w = world()
    expect(w.call(1, 'chmod', 'f', 0o107777)).toBe(0)
    expect(w.node('f').i_mode).toBe(0o107777)
    expect(w.call(1, 'chmod', 'd', 0o100700)).toBe(0)
    expect(w.node('d').i_mode).toBe(0o040700)
  })

  it('drops set-group-id for an owner who is not of the group', () => {
    const w = world()
    w.call(2, 'chmod', 'f', 0o6755)
    expect(w.mode('f')).toBe('4755')
    w.task(4, 1000, { egid: 5 })
    w.call(4, 'chmod', 'f', 0o6755)
    expect(w.mode('f')).toBe('6755')
  })

  it('refuses in the kernel order: EROFS, module, immutable, module, owner', () => {
    const ro = world(0o644, { options: ['ro'], modules: [denying('path_chmod')] })
    expect(ro.call(3, 'chmod', 'f', 0)).toBe('EROFS')
    const path = world(0o644, { modules: [denying('path_chmod')] })
    path.node('f').i_flags = S_IMMUTABLE
    expect(path.call(1, 'chmod', 'f', 0)).toBe('EACCES')
    const immutable = world(0o644, { modules: [denying('inode_setattr')] })
    for (const flag of [S_IMMUTABLE, S_APPEND]) {
      immutable.node('f').i_flags = flag
      expect(immutable.call(1, 'chmod', 'f', 0)).toBe('EPERM')
    }
    const module = world(0o644, { modules: [denying('inode_setattr')] })
    expect(module.call(3, 'chmod', 'f', 0)).toBe('EACCES')
    expect(module.node('f').i_rwsem).toBe(0)
  })

  it('by descriptor needs one that is not O_PATH', () => {
    const w = world()
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.call(1, 'open', 'f', 'O_PATH')
    expect(w.call(1, 'fchmod', 0, 0o600)).toBe(0)
    expect(w.mode('f')).toBe('600')
    expect([w.call(1, 'fchmod', 1, 0), w.call(1, 'fchmod', 9, 0), w.call(1, 'fchmod', -1, 0)]).toEqual(
      Array(3).fill('EBADF'),
    )
  })

  // The errnos of fchmodat seen on 6.18.
  it('by path follows links, unless told not to: a link has no mode', () => {
    const w = world()
    expect(w.call(1, 'fchmodat', 'AT_FDCWD', 'l', 0o600)).toBe(0)
    expect(w.mode('f')).toBe('600')
    expect(w.call(1, 'fchmodat', 'AT_FDCWD', 'l', 0, 'AT_SYMLINK_NOFOLLOW')).toBe('EOPNOTSUPP')
    expect(w.call(1, 'fchmodat', 'AT_FDCWD', 'f', 0, 0x800)).toBe('EINVAL')
    expect(w.call(1, 'chmod', null, 0)).toBe('EFAULT')
    w.call(1, 'open', 'f', 'O_PATH')
    expect(w.call(1, 'fchmodat', 0, '', 0o640, 'AT_EMPTY_PATH')).toBe(0)
    expect(w.mode('f')).toBe('640')
  })

  it('is one change under the lock of the inode', () => {
    expect(world().stages(1, 'chmod', 'f', 0)).toEqual([
      'walk_component',
      'inode_lock',
      'notify_change',
      'give back',
    ])
  })

  it('waits for a writer', () => {
    const w = world()
    w.call(1, 'open', 'f', 'O_WRONLY')
    w.begin(1, 'write', 0, 'y').until(1, 'generic_perform_write')
    w.begin(2, 'chmod', 'f', 0).until(2, 'inode_lock')
    expect(w.step(2)).toBe(false)
  })
})

describe('chown', () => {
  it('ids are unsigned: who is 3000000000 owns what was given to 3000000000; only the last number means none', () => {
    const w = world().task(4, 3_000_000_000)
    expect(w.call(1, 'chown', 'f', 3_000_000_000, '3000000001')).toBe(0)
    expect([w.node('f').i_uid, w.node('f').i_gid]).toEqual([3_000_000_000, 3_000_000_001])
    expect(w.call(4, 'chmod', 'f', 0o600)).toBe(0)
    expect(w.call(1, 'chown', 'f', 2 ** 32 - 1, '0xffffffff')).toBe(0)
    expect([w.node('f').i_uid, w.node('f').i_gid]).toEqual([3_000_000_000, 3_000_000_001])
  })

  const owner = (w: World) => [w.node('f').i_uid, w.node('f').i_gid]

  it('is for CAP_CHOWN; the owner may choose among own groups', () => {
    const w = world().task(4, 1002, { cap_effective: 2 ** CAP_CHOWN })
    expect(w.call(2, 'chown', 'f', 7, -1)).toBe('EPERM')
    expect(w.call(2, 'chown', 'f', -1, 8)).toBe('EPERM')
    expect(w.call(2, 'chown', 'f', 1000, 1000)).toBe(0)
    expect(owner(w)).toEqual([1000, 1000])
    expect(w.call(3, 'chown', 'f', -1, 1001)).toBe('EPERM')
    expect(w.call(4, 'chown', 'f', 7, 8)).toBe(0)
    expect(owner(w)).toEqual([7, 8])
    expect(w.call(1, 'chown', 'f', 0xffffffff, 9)).toBe(0)
    expect(owner(w)).toEqual([7, 9])
  })

  it('takes set-user-id and set-group-id from a file, even for root and the same ids', () => {
    const w = world(0o6755)
    expect(w.call(1, 'chown', 'f', -1, -1)).toBe(0)
    expect(w.mode('f')).toBe('755')
    w.node('d').i_mode = 0o042755
    w.call(1, 'chown', 'd', 7, 7)
    expect(w.mode('d')).toBe('2755')
  })

  it('without group execute, set-group-id stays for root', () => {
    const w = world(0o2745)
    w.call(1, 'chown', 'f', -1, -1)
    expect(w.mode('f')).toBe('2745')
  })

  it('reaches a link itself with lchown, and fchownat with AT_EMPTY_PATH an O_PATH descriptor', () => {
    const w = world()
    expect(w.call(1, 'lchown', 'l', 7, 7)).toBe(0)
    expect([w.node('l').i_uid, ...owner(w)]).toEqual([7, 1000, 5])
    w.call(1, 'open', 'f', 'O_PATH')
    expect(w.call(1, 'fchown', 0, 7, 7)).toBe('EBADF')
    expect(w.call(1, 'fchownat', 0, '', 7, 8, 'AT_EMPTY_PATH')).toBe(0)
    expect(owner(w)).toEqual([7, 8])
    expect(w.call(1, 'fchownat', 'AT_FDCWD', 'f', 0, 0, 0x40)).toBe('EINVAL')
    w.call(1, 'open', 'f', 'O_RDONLY')
    expect(w.call(1, 'fchown', 1, 9, -1)).toBe(0)
    expect(owner(w)).toEqual([9, 8])
  })

  it('asks modules, and refuses on a read-only mount', () => {
    for (const hook of ['path_chown', 'inode_setattr']) {
      const w = world(0o644, { modules: [denying(hook)] })
      expect(w.call(1, 'chown', 'f', 7, 7)).toBe('EACCES')
      expect(owner(w)).toEqual([1000, 5])
    }
    expect(world(0o644, { options: ['ro'] }).call(3, 'chown', 'f', 7, 7)).toBe('EROFS')
  })
})

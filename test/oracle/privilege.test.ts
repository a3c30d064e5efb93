import { describe, expect, it } from 'vitest'
import '../../src/model.js'
import { needs_root } from '../../src/oracle/agent/privilege.js'
import type { NodeForm, OpForm, TaskForm } from '../../src/scenario/form.js'

const reason = (task: Partial<TaskForm>, node: NodeForm = '') =>
  needs_root({
    setup: { filesystems: { root: { type: 'tmpfs', tree: { d: { dir: { f: node } } } } } },
    tasks: [{ name: 'a', program: [], ...task }],
  })
const call = (name: string, ...args: (string | number)[]) => {
  const op: OpForm = { call: name, args }
  return reason({ program: [{ repeat: 1, body: [op] }] })
}

describe('what only root can play', () => {
  it('is other users, what belongs to them, and devices', () => {
    expect(reason({ uid: 1001 })).toBe('it plays uid 1001')
    expect(reason({ gid: 5 })).toBe('it plays gid 5')
    expect(reason({ groups: [5] })).toBe('a task has supplementary groups')
    expect(reason({}, { file: '', uid: 7 })).toBe('f belongs to uid 7')
    expect(reason({}, { symlink: 'x', gid: 7 })).toBe('f belongs to gid 7')
    expect(reason({}, { file: '', immutable: true })).toBe('f is immutable or append-only')
    expect(reason({}, { device: 'char', rdev: 0x103 })).toBe('f is a device')
    expect(call('chown', '/f', 1000, -1)).toBe('chown gives a file to 1000')
    expect(call('fchownat', 'AT_FDCWD', '/f', -1, 7, 0)).toBe('fchownat gives a file to 7')
    expect(call('mknod', '/n', 'S_IFCHR|0600', 0x103)).toBe('mknod makes a device')
  })

  it('is an overlay with options', () => {
    const mounts = (options?: object) => [{ at: '/m', overlay: { lower: ['a', 'b'], options } }]
    expect(needs_root({ setup: { mounts: mounts({ volatile: true }) }, tasks: [] })).toBe(
      'the overlay on /m has options',
    )
    expect(needs_root({ setup: { mounts: mounts() }, tasks: [] })).toBeNull()
  })

  it('is not what one user does', () => {
    expect(reason({ uid: 0 }, { file: '', uid: 0, gid: 0 })).toBeNull()
    expect(reason({}, { whiteout: true })).toBeNull()
    expect(reason({}, { device: 'fifo' })).toBeNull()
    expect(call('chown', '/f', 0, -1)).toBeNull()
    expect(call('mknod', '/n', 'S_IFCHR|0600', 0)).toBeNull()
  })
})

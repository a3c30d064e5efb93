import { describe, expect, it } from 'vitest'
import { Machine } from './machine.js'

const dir = (entries = {}, more = {}) => ({ type: 'dir', entries, ...more }) as const
const file = (more = {}) => ({ type: 'file', ...more }) as const

describe('mkdir', () => {
  it('makes an empty directory of the task, with the umask applied', () => {
    const m = new Machine(dir())
    expect(m.call('mkdir', '/d', 0o777)).toBe(0)
    const { i_mode, i_uid, i_nlink } = m.inode('/d')
    expect([i_mode.toString(8), i_uid, i_nlink]).toEqual(['40755', 0, 2])
    expect(m.inode('/').i_nlink).toBe(3)
  })
})

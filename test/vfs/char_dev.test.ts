/** Devices: three are modelled; of the others some have a driver on no kernel, and the rest get no answer. */
import { describe, expect, it } from 'vitest'
import { NotModelled } from '../../src/kernel/not_modelled.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import { Session } from '../../src/shell/session.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { case_of } from '../scenario/support.js'
import { Machine } from './machine.js'

const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
const rdev = (major: number, minor: number) => (major << 8) | (minor & 0xff) | ((minor & ~0xff) << 12)

const opened = (type: number, major: number, minor: number, flags = 2) => {
  const m = new Machine({ type: 'dir' })
  expect(m.call('mknod', '/dev', type | 0o666, rdev(major, minor))).toBe(0)
  return m.call('open', '/dev', flags)
}

describe('opening', () => {
  it.each([3, 5, 7])('of the memory device 1:%i is modelled', (minor) => {
    expect(opened(S_IFCHR, 1, minor)).toBe(0)
  })

  it.each([
    [S_IFCHR, 0, 0],
    [S_IFCHR, 0, 9],
    [S_IFBLK, 0, 0],
    [S_IFCHR, 1, 0],
    [S_IFCHR, 1, 2],
    [S_IFCHR, 1, 12],
    [S_IFCHR, 1, 0x105],
  ])('of %o %i:%i is ENXIO on every kernel', (type, major, minor) => {
    expect(opened(type, major, minor)).toBe('ENXIO')
  })

  it.each([
    [S_IFCHR, 1, 8, 'character device 1:8 (random)'],
    [S_IFCHR, 1, 9, 'character device 1:9 (urandom)'],
    [S_IFCHR, 1, 11, 'character device 1:11 (kmsg)'],
    [S_IFCHR, 5, 0, 'character device 5:0'],
    [S_IFBLK, 1, 3, 'block device 1:3'],
    [S_IFBLK, 7, 300, 'block device 7:300'],
  ])('of %o %i:%i is not modelled', (type, major, minor, name) => {
    expect(() => opened(type, major, minor)).toThrow(NotModelled)
    expect(() => opened(type, major, minor)).toThrow(name)
  })

  it('a descriptor of the path alone can be had', () => {
    const O_PATH = 0o10000000
    expect(opened(S_IFCHR, 1, 8, O_PATH)).toBe(0)
  })
})

describe('whoever runs the model says so', () => {
  const random = { device: 'char', rdev: 0x108, mode: 0o666 } as const

  it('a search: no verdict, whether the set-up has the device or a call makes it', () => {
    const in_setup = case_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { r: random } }))
      s.victim('v').open('/r', 'O_RDONLY').may_fail()
    })
    const in_call = case_of((s) => {
      const v = s.victim('v')
      v.mknod('/r', 'S_IFCHR|0666', 0x108)
      v.open('/r', 'O_RDONLY').may_fail()
    })
    for (const of of [in_setup, in_call])
      expect(() => explore_case(of)).toThrow(
        /^opening the character device 1:8 \(random\).* is not modelled$/,
      )
  })

  it('a shell: the call has not happened, and the next one does', () => {
    const session = new Session()
    const call = (name: string, ...args: unknown[]) => session.call(1, syscall_named(name)!, args)
    call('mknod', '/r', 'S_IFCHR|0666', 0x108)
    expect(() => call('open', '/r', 'O_RDONLY')).toThrow(/is not modelled$/)
    expect(call('open', '/', 'O_RDONLY')).toEqual({ ret: 3 })
  })
})

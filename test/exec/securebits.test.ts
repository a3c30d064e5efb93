import { describe, expect, test } from 'vitest'
import type { Release } from '../../src/kernel/profile.js'
import { capability } from '../../src/lsm/capability.js'
import { World } from './world.js'

const world = (uid: number, release: Release = '7.2') => {
  const w = new World({ modules: [capability], release })
  w.task(2, uid)
  const set = (value: number | string) => w.call(2, 'prctl', 'PR_SET_SECUREBITS', value)
  const get = () => w.call(2, 'prctl', 'PR_GET_SECUREBITS')
  return { w, set, get }
}

describe('without CAP_SETPCAP', () => {
  test('the exec bits may be set and cleared, but not left as they are', () => {
    const { set, get } = world(1000)
    expect(set(0)).toBe('EPERM')
    expect(set('SECBIT_EXEC_RESTRICT_FILE')).toBe(0)
    expect(get()).toBe(0x100)
    expect(set(0x100)).toBe('EPERM')
    expect(set(0)).toBe(0)
    expect(get()).toBe(0)
  })

  test('a lock freezes its bit, and nothing opens it', () => {
    const { set, get } = world(1000)
    expect(set('SECBIT_EXEC_RESTRICT_FILE|SECBIT_EXEC_RESTRICT_FILE_LOCKED')).toBe(0)
    expect(set(0x200)).toBe('EPERM')
    expect(set(0x100)).toBe('EPERM')
    expect(set(0x700)).toBe(0)
    expect(get()).toBe(0x700)
  })

  test('a lock may be set while its bit is off', () => {
    const { set } = world(1000)
    expect(set('SECBIT_EXEC_DENY_INTERACTIVE_LOCKED')).toBe(0)
    expect(set(0xc00)).toBe('EPERM')
    expect(set(0x900)).toBe(0)
  })

  test.each([0x1, 0x2, 0x4, 0x10, 0x40, 0x101])('other bits: 0x%s', (bits) => {
    expect(world(1000).set(bits)).toBe('EPERM')
  })

  test('before 6.14 there are no such bits', () => {
    const { set } = world(1000, '6.12')
    expect(set(0x100)).toBe('EPERM')
  })
})

describe('with CAP_SETPCAP', () => {
  test('a call may change nothing, or anything that is not locked', () => {
    const { set, get } = world(0)
    expect(set(0)).toBe(0)
    expect(set(0xf3)).toBe(0)
    expect(set(0xf3)).toBe(0)
    expect(set(0xf2)).toBe('EPERM')
    expect(get()).toBe(0xf3)
  })

  test.each([0x1000, 2 ** 40, -1])('unknown bits: %s', (bits) => {
    expect(world(0).set(bits)).toBe('EPERM')
  })

  test('before 6.14 the exec bits are unknown', () => {
    expect(world(0, '6.12').set(0x100)).toBe('EPERM')
    expect(world(0, '6.12').set(0x1)).toBe(0)
    expect(world(0, '6.14').set(0x100)).toBe(0)
  })
})

test('no_new_privs can be set once and for all, and has nothing to do with securebits', () => {
  const { w, set } = world(1000)
  const prctl = (...args: unknown[]) => w.call(2, 'prctl', ...args)
  expect(prctl('PR_GET_NO_NEW_PRIVS')).toBe(0)
  expect(prctl('PR_SET_NO_NEW_PRIVS', 0)).toBe('EINVAL')
  expect(prctl('PR_SET_NO_NEW_PRIVS', 1, 1)).toBe('EINVAL')
  expect(prctl('PR_SET_NO_NEW_PRIVS', 1)).toBe(0)
  expect(prctl('PR_GET_NO_NEW_PRIVS')).toBe(1)
  expect(prctl('PR_GET_NO_NEW_PRIVS', 1)).toBe('EINVAL')
  expect(set(0x100)).toBe(0)
})

test('an option that is not modelled', () => {
  for (const none of [0, -1, 4711]) expect(world(0).w.call(2, 'prctl', none)).toBe('EINVAL')
  // PR_GET_DUMPABLE, PR_SET_NAME, PR_SET_VMA: a kernel has an answer.
  for (const other of [3, 15, 0x53564d41])
    expect(() => world(0).w.call(2, 'prctl', other)).toThrow(`prctl option ${other} is not modelled`)
})

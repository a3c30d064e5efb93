/** st_ino and st_dev of what is in an overlay, with xino off (Documentation/filesystems/overlayfs.rst: Inode properties). */
import { describe, expect, test } from 'vitest'
import { mount_overlay } from '../../src/overlay/overlay.js'
import { super_block } from '../../src/vfs/super_block.js'
import { dir, file, O_WRONLY, Overlay } from './machine.js'

const files = { f: file('f'), d: dir({ g: file('g') }) }
/** [st_dev, st_ino] of each. */
const numbers = (m: Overlay, ...paths: string[]) =>
  paths.map((path) => (m.call('lstat', path) as number[]).slice(0, 2))

describe('with all layers on one file system', () => {
  test('everything is on one device, the number of a file is that of the lower one and stays', () => {
    const m = new Overlay({ l: files, u: { own: file('own') } })
    const [real, f, d, g, own, upper] = numbers(m, '/l/f', '/m/f', '/m/d', '/m/d/g', '/m/own', '/u/own')
    expect(new Set([f, d, g, own].map((each) => each![0])).size).toBe(1)
    expect(f![0]).not.toBe(real![0])
    expect([f![1], own![1]]).toEqual([real![1], upper![1]])
    m.open('/m/f', O_WRONLY)
    expect(numbers(m, '/m/f')).toEqual([f])
    expect(numbers(m, '/u/f')[0]![1]).not.toBe(f![1])
  })

  test('names of one lower file are different files once they are copied up, with index off', () => {
    const m = new Overlay({ l: { f: file('f'), other: { type: 'hardlink', target: 'l/f' } } })
    const [before, other] = numbers(m, '/m/f', '/m/other')
    expect(before).toEqual(other)
    m.open('/m/f', O_WRONLY)
    const [after, real] = numbers(m, '/m/f', '/u/f')
    expect(after![1]).toBe(real![1])
    expect(numbers(m, '/m/other')).toEqual([other])
  })
})

test('with layers on different file systems the files of each have a device of their own, directories that of the overlay', () => {
  const m = new Overlay({ l: files })
  m.mount('/ro', m.file_system(dir({ x: file('x') }), { type: 'ext4' }))
  const made = mount_overlay(m.k, { id: 'o', lower: ['/l', '/ro'].map((path) => m.at(path)) })
  if ('errno' in made) throw new Error(made.why)
  m.mount('/w', super_block(m.k, made.sb).s_root)
  const devices = (...paths: string[]) => numbers(m, ...paths).map(([device]) => device)
  const [root, d, f, g, x] = devices('/w', '/w/d', '/w/f', '/w/d/g', '/w/x')
  expect([root, f]).toEqual([d, g])
  const all = [d, f, x, ...devices('/l/f', '/ro/x', '/m/f')]
  expect(new Set(all).size).toBe(all.length)
})

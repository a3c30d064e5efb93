/** File system types, as they are made known (fs/filesystems.c: register_filesystem). */
import { beforeEach, expect, test, vi } from 'vitest'
import type { FileSystemOperations } from '../../src/kernel/fs.js'

let fs: typeof import('../../src/kernel/fs.js')
const type = (name: string, more: object = {}) => ({ name, ...more }) as FileSystemOperations
const computed = {} as FileSystemOperations['computed']

beforeEach(async () => {
  vi.resetModules()
  fs = await import('../../src/kernel/fs.js')
})

test('a type is found by its name once it is registered', () => {
  const ext4 = type('ext4')
  expect(() => fs.file_system('ext4')).toThrow('no file system type ext4 is registered')
  fs.register_filesystem(ext4)
  expect(fs.file_system('ext4')).toBe(ext4)
  expect(() => fs.file_system('ext3')).toThrow('no file system type ext3 is registered')
})

test('one type has computed names, at most', () => {
  fs.register_filesystem(type('tmpfs'))
  expect(() => fs.computing_type()).toThrow('no file system type has computed names')
  fs.register_filesystem(type('proc', { computed }))
  fs.register_filesystem(type('ext4'))
  expect(fs.computing_type()).toEqual({ name: 'proc', computed })
  expect(() => fs.register_filesystem(type('sysfs', { computed }))).toThrow('proc has computed names already')
})

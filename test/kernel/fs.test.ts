/** File system types, as they are made known (fs/filesystems.c: register_filesystem). */
import { expect, test } from 'vitest'
import {
  computing_type,
  type FileSystemOperations,
  file_system,
  register_filesystem,
} from '../../src/kernel/fs.js'
import '../../src/model.js'

const type = (name: string, more: object = {}) => ({ name, ...more }) as FileSystemOperations

test('a type is found by its name once it is registered', () => {
  expect(() => file_system('test_fs')).toThrow('no file system type test_fs is registered')
  const made = type('test_fs2')
  register_filesystem(made)
  expect(file_system('test_fs2')).toBe(made)
  expect(file_system('ext4').name).toBe('ext4')
})

test('one type has computed names, and no second', () => {
  const { name, computed } = computing_type()
  expect([name, computed]).toEqual(['proc', file_system('proc').computed])
  expect(() => register_filesystem(type('test_fs3', { computed }))).toThrow('proc has computed names already')
  expect(computing_type().name).toBe('proc')
})

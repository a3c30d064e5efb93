/** The file system in memory (mm/shmem.c). */
import type { FileSystemOperations } from '../../kernel/fs.js'
import {
  simple_create,
  simple_empty,
  simple_link,
  simple_lookup,
  simple_rename,
  simple_tmpfile,
  simple_unlink,
} from './simple.js'

export const tmpfs = {
  name: 'tmpfs',
  extends_by_failed_write: true,
  lookup: simple_lookup,
  is_empty: simple_empty,
  create: simple_create,
  link: simple_link,
  unlink: simple_unlink,
  rename: simple_rename,
  tmpfile: simple_tmpfile,
} as const satisfies FileSystemOperations

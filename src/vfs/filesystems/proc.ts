/**
 * A stand-in for procfs (fs/proc): an empty directory that nobody can write to, so that there is something to
 * mount at /proc. What processes show there is not modelled.
 */
import type { FileSystemOperations } from '../../kernel/fs.js'
import { simple_empty, simple_lookup } from './simple.js'

export const proc = {
  name: 'proc',
  lookup: simple_lookup,
  is_empty: simple_empty,
} as const satisfies FileSystemOperations

/**
 * The read-only image (fs/erofs). It knows how to find names and nothing else: its superblock is always
 * SB_RDONLY, so every way to a change ends in EROFS before a file system would be asked.
 */
import type { FileSystemOperations } from '../../kernel/fs.js'
import { simple_empty, simple_lookup } from './simple.js'

export const erofs = {
  name: 'erofs',
  lookup: simple_lookup,
  is_empty: simple_empty,
} as const satisfies FileSystemOperations

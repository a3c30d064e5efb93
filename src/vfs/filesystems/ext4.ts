/**
 * The file system on a disk (fs/ext4), as far as it differs from the one in memory: fs-verity.
 *
 * A file under fs-verity cannot be opened for writing, and the refusal comes from its open: after write
 * access was taken and after the modules' file_open. Its size cannot be changed either (`attr.ts`:
 * simple_setattr). Mode, owner and names stay free.
 */
import { EPERM } from '../../kernel/errno.js'
import { fn, stage } from '../../kernel/fn.js'
import type { FileSystemOperations } from '../../kernel/fs.js'
import { int, ref } from '../../kernel/schema.js'
import { FMODE_WRITE, file } from '../file.js'
import { inode } from '../inode.js'
import {
  simple_create,
  simple_empty,
  simple_link,
  simple_lookup,
  simple_rename,
  simple_tmpfile,
  simple_unlink,
} from './simple.js'

/** Errors: EPERM (open for writing under fs-verity) (fs/verity/open.c: fsverity_file_open). */
const ext4_file_open = fn(
  'ext4_file_open',
  { source: 'fs/ext4/file.c', locals: { file: ref('file'), flags: int() } },
  [
    stage('fsverity_file_open', (k, f) => {
      const { f_inode, f_mode } = file(k, f.file)
      if ((f_mode & FMODE_WRITE) === 0 || inode(k, f_inode).verity_digest === '') return
      return k.refuse(-EPERM, 'the file is under fs-verity')
    }),
  ],
)

export const ext4 = {
  name: 'ext4',
  // 2^32 - 1 blocks of 4096 bytes (fs/ext4/super.c: ext4_max_size).
  s_maxbytes: (2 ** 32 - 1) * 4096,
  // fs/ext4/ext4.h: EXT4_LINK_MAX.
  max_links: 65000,
  lookup: simple_lookup,
  is_empty: simple_empty,
  open: ext4_file_open,
  create: simple_create,
  link: simple_link,
  unlink: simple_unlink,
  rename: simple_rename,
  tmpfile: simple_tmpfile,
} as const satisfies FileSystemOperations

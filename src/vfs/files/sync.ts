/**
 * fdatasync (fs/sync.c). There is no device here whose errors it could tell, and data that nobody lost are not looked
 * for on one: it says whether a file has anything to be written back at all.
 */
import { EBADF, EINVAL } from '../../kernel/errno.js'
import { fn, stage } from '../../kernel/fn.js'
import { int } from '../../kernel/schema.js'
import { define_syscall } from '../../kernel/syscall.js'
import { not_open } from '../attributes/attr.js'
import { file } from '../file.js'
import { inode, is_dir, is_reg } from '../inode.js'
import { fd, gives_zero } from '../parameters.js'
import { fdget } from './file_table.js'

/** Errors, in order: EBADF (also a descriptor of O_PATH), EINVAL (no `fsync` operation: devices, FIFOs). @returns 0 */
const do_fsync = fn('do_fsync', { source: 'fs/sync.c', locals: { fd: int() } }, [
  stage('vfs_fsync_range', (k, f) => {
    const id = fdget(k, f.fd)
    if (id === 0) return k.refuse(-EBADF, () => not_open(k, f.fd))
    const { i_mode } = inode(k, file(k, id).f_inode)
    return is_reg(i_mode) || is_dir(i_mode) ? 0 : k.refuse(-EINVAL, 'neither a file of data nor a directory')
  }),
])

define_syscall({
  name: 'fdatasync',
  says: 'Waits until what was written to an open file is on its device.',
  prototype: [fd],
  fn: do_fsync,
  locals: (fd) => ({ fd }),
  ...gives_zero,
  changes: 'nothing',
  random: { area: 'data', weight: 1 },
})

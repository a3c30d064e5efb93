/** OverlayFS: one directory tree made of several, the lower ones never written (Documentation/filesystems/overlayfs.rst). */
import { register_filesystem } from '../kernel/fs.js'
import { ovl_create_object, ovl_do_remove, ovl_link, ovl_rename, ovl_tmpfile } from './dir.js'
import {
  ovl_file_data_inode,
  ovl_mmap_file,
  ovl_open,
  ovl_read_iter,
  ovl_release,
  ovl_write_iter,
} from './file.js'
import { ovl_d_real, ovl_permission, ovl_setattr } from './inode.js'
import { ovl_is_empty, ovl_lookup } from './lookup.js'
import { ovl_inode, ovl_inode_real, ovl_stat_dev, ovl_stat_ino } from './ovl_entry.js'

export { is_inside, mount_overlay, type OverlayMount, type OverlaySpec } from './super.js'

register_filesystem({
  name: 'overlay',
  lookup: ovl_lookup,
  permission: ovl_permission,
  d_real: ovl_d_real,
  getattr_inode: ovl_inode_real,
  stat_ino: ovl_stat_ino,
  stat_dev: ovl_stat_dev,
  file_data_inode: ovl_file_data_inode,
  mmap_file: ovl_mmap_file,
  open: ovl_open,
  release: ovl_release,
  read_iter: ovl_read_iter,
  write_iter: ovl_write_iter,
  setattr: ovl_setattr,
  create: ovl_create_object,
  link: ovl_link,
  unlink: ovl_do_remove,
  rename: ovl_rename,
  tmpfile: ovl_tmpfile,
  is_empty: ovl_is_empty,
  evict_inode: (k, ino) => ovl_inode.remove(k, ino),
})

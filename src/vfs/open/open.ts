/**
 * open, openat, creat (fs/open.c: do_sys_openat2).
 *
 *     openat
 *       build_open_flags       what is asked for; EINVAL
 *       do_filp_open           the walk, and the open of what it finds (`namei/path_openat.ts`)
 *         path_openat
 *           walk_component     … and open_last_lookups, which makes what O_CREAT asks for
 *           do_open            `namei/do_open.ts`
 *             may_open
 *             do_dentry_open   the open file (`dentry_open.ts`)
 *             handle_truncate
 *       fd_install
 */
import { EINVAL, EMFILE } from '../../kernel/errno.js'
import { call, done, fn, local } from '../../kernel/fn.js'
import { int, str } from '../../kernel/schema.js'
import { type Change, define_syscall, type Parameter } from '../../kernel/syscall.js'
import { alloc_fd, fd_install } from '../files/file_table.js'
import { AT_FDCWD, getname, LOOKUP_DIRECTORY, LOOKUP_FOLLOW } from '../namei/namei.js'
import { do_filp_open } from '../namei/path_openat.js'
import { MAY_APPEND, MAY_WRITE } from '../namei/permission.js'
import { dirfd, new_mode, path } from '../parameters.js'
import {
  __O_TMPFILE,
  ACC_MODE,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  open_flags,
} from './open_flags.js'

/**
 * Open flags as the kernel reads them (fs/open.c: build_open_flags).
 *
 * @returns what to ask for, or -EINVAL
 */
export function build_open_flags(given: number, mode: number) {
  // open() ignores bits it does not know.
  let flags = given & Object.values(open_flags).reduce((all, flag) => all | flag, 0)
  const creating = (flags & (O_CREAT | __O_TMPFILE)) !== 0
  if ((flags & O_PATH) !== 0) flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC
  else if ((flags & __O_TMPFILE) !== 0) {
    if ((flags & O_TMPFILE) !== O_TMPFILE || (flags & O_CREAT) !== 0) return -EINVAL
    if ((ACC_MODE[flags & O_ACCMODE]! & MAY_WRITE) === 0) return -EINVAL
  } else if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return -EINVAL

  let acc_mode = (flags & O_PATH) !== 0 ? 0 : ACC_MODE[flags & O_ACCMODE]!
  if ((flags & O_TRUNC) !== 0) acc_mode |= MAY_WRITE
  if ((flags & O_APPEND) !== 0) acc_mode |= MAY_APPEND
  const exclusive = (flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)
  const follow = (flags & O_NOFOLLOW) !== 0 || exclusive ? 0 : LOOKUP_FOLLOW
  const lookup_flags = follow | ((flags & O_DIRECTORY) !== 0 ? LOOKUP_DIRECTORY : 0)
  return { flags, acc_mode, lookup_flags, mode: creating ? mode & 0o7777 : 0 }
}

export const do_sys_openat2 = fn(
  'do_sys_openat2',
  {
    source: 'fs/open.c',
    locals: {
      dfd: int(AT_FDCWD),
      name: str(),
      flags: int(),
      mode: int(),
      acc_mode: int(),
      lookup_flags: int(),
    },
  },
  [
    local('build_open_flags', (k, f) => {
      const how = build_open_flags(f.flags, f.mode)
      if (typeof how === 'number') return how
      const bad_name = getname(f.name, 0)
      if (bad_name !== 0) return bad_name
      if (alloc_fd(k) < 0) return k.refuse(-EMFILE, 'no descriptor is left')
      f.flags = how.flags
      f.mode = how.mode
      f.acc_mode = how.acc_mode
      f.lookup_flags = how.lookup_flags
    }),
    call(
      do_filp_open,
      (_, f) => ({
        dfd: f.dfd,
        name: f.name,
        open_flag: f.flags,
        mode: f.mode,
        acc_mode: f.acc_mode,
        lookup_flags: f.lookup_flags,
      }),
      (k, f, opened: number) => {
        const fd = alloc_fd(k)
        fd_install(k, fd, opened, (f.flags & O_CLOEXEC) !== 0)
        return done(f, fd)
      },
    ),
  ],
)

const pathname = path('pathname', 'up to 4095 bytes')
const flags_param: Parameter = {
  name: 'flags',
  kind: 'flags',
  says: "an access mode, with others: `'O_WRONLY|O_CREAT|O_TRUNC'`",
  constants: open_flags,
  constant: 'OpenFlag',
}
const mode_param: Parameter = {
  ...new_mode('permission bits of a file that is made, less the umask; asked for with O_CREAT and O_TMPFILE'),
  missing: 0,
}
const opens = { fn: do_sys_openat2, returns: 'fd', gives: 'the lowest free descriptor' } as const

/** An open may write, truncate or create; whether it does shows later. */
function changes({ flags }: { flags: number }): Change {
  if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) return 'contents'
  return (flags & O_CREAT) !== 0 ? 'names' : 'nothing'
}

define_syscall({
  name: 'openat',
  says: 'Opens a file, from a directory.',
  prototype: [dirfd(), pathname, flags_param, mode_param],
  locals: (dfd, name, flags, mode) => ({ dfd, name, flags, mode }),
  ...opens,
  changes,
})
define_syscall({
  name: 'open',
  says: 'Opens a file.',
  prototype: [pathname, flags_param, mode_param],
  as: ['openat', 'AT_FDCWD', 'pathname', 'flags', 'mode'],
  locals: (name, flags, mode) => ({ name, flags, mode }),
  ...opens,
  changes,
})
define_syscall({
  name: 'creat',
  says: 'Opens a file as O_WRONLY|O_CREAT|O_TRUNC does.',
  prototype: [path(), new_mode('permission bits of a file that is made, less the umask')],
  as: ['openat', 'AT_FDCWD', 'pathname', 'O_CREAT | O_WRONLY | O_TRUNC', 'mode'],
  locals: (name, mode) => ({ name, flags: O_CREAT | O_WRONLY | O_TRUNC, mode }),
  ...opens,
  changes,
})

/** The typed methods are the model's system calls: none missing, with its arguments and its constants. */
import { expect, test } from 'vitest'
import '../../src/model.js'
import { all_syscalls, syscall_named } from '../../src/kernel/syscall.js'
import { type Calls, CONSTANTS, STAT_FIELDS } from '../../src/scenario/calls.js'
import { stat_fields } from '../../src/vfs/attributes/stat.js'
import { case_of } from './support.js'

/** Number of arguments of each method. */
const methods: Record<keyof Calls, number> = {
  openat: 4,
  open: 3,
  creat: 2,
  close: 1,
  dup: 1,
  dup2: 2,
  dup3: 3,
  read: 2,
  pread: 3,
  write: 3,
  pwrite: 4,
  lseek: 3,
  truncate: 2,
  ftruncate: 2,
  stat: 1,
  lstat: 1,
  fstat: 1,
  fstatat: 3,
  access: 2,
  faccessat: 4,
  faccessat2: 4,
  mmap: 6,
  munmap: 2,
  mprotect: 3,
  peek: 2,
  poke: 2,
  execveat: 5,
  execve: 3,
  prctl: 5,
  chmod: 2,
  fchmod: 2,
  fchmodat: 4,
  chown: 3,
  lchown: 3,
  fchown: 3,
  fchownat: 5,
  rename: 2,
  renameat: 4,
  renameat2: 5,
  link: 2,
  linkat: 5,
  symlink: 2,
  symlinkat: 3,
  readlink: 2,
  readlinkat: 3,
  unlink: 1,
  unlinkat: 3,
  rmdir: 1,
  mkdir: 2,
  mkdirat: 3,
  mknod: 3,
  mknodat: 4,
  chdir: 1,
  fchdir: 1,
  umask: 1,
}
/** Calls that the builder writes in its own way. */
const own = ['fork', 'exit', 'exit_group', 'pause']

test('every system call is a method with its arguments', () => {
  const known = Object.fromEntries(all_syscalls().map(({ name, params }) => [name, params.length]))
  for (const name of own) delete known[name]
  expect(known).toEqual(methods)
})

test.each<[keyof typeof CONSTANTS, string, string]>([
  ['OpenFlag', 'open', 'flags'],
  ['StatFlag', 'fstatat', 'flags'],
  ['AtFlag', 'fchownat', 'flags'],
  ['LinkFlag', 'linkat', 'flags'],
  ['UnlinkFlag', 'unlinkat', 'flags'],
  ['AccessFlag', 'faccessat', 'flags'],
  ['AccessMode', 'access', 'mode'],
  ['ExecFlag', 'execveat', 'flags'],
  ['RenameFlag', 'renameat2', 'flags'],
  ['MapProtection', 'mmap', 'prot'],
  ['Protection', 'mprotect', 'prot'],
  ['MapFlag', 'mmap', 'flags'],
  ['Whence', 'lseek', 'whence'],
  ['FileType', 'mknod', 'mode'],
  ['PrctlOption', 'prctl', 'option'],
  ['SecureBit', 'prctl', 'arg2'],
])('%s is what %s takes as %s', (names, call, argument) => {
  const param = syscall_named(call)!.params.find((each) => each.name === argument)!
  expect([...CONSTANTS[names]].sort()).toEqual(Object.keys(param.constants!).sort())
})

test('fields of stat', () => {
  expect(STAT_FIELDS).toEqual(stat_fields)
})

test('every method writes its call', () => {
  const { form } = case_of((s) => {
    const task = s.task('t') as unknown as Record<string, (...args: unknown[]) => unknown>
    for (const [name, count] of Object.entries(methods))
      task[name]!(...Array.from({ length: count }, () => 0))
  })
  expect(form.tasks[0]!.program.map((op) => 'call' in op && op.call)).toEqual(Object.keys(methods))
})

/** Requests that programs could make, for answers that a kernel gives too: three tasks, a small tree, overlays. */
import type { Dice } from './garbage.js'

const paths = [
  '/a',
  '/b',
  '/d',
  '/d/a',
  '/d/e',
  '/d/e/f',
  '/link',
  '/d/link',
  '/dev/x',
  '/',
  '/d/..',
  '/a/',
  'a',
  'd/a',
  '/proc/self/fd/3',
  '/proc/self/fd/4',
  '/nix/x',
]
const flags = [
  'O_RDONLY',
  'O_WRONLY',
  'O_RDWR',
  'O_RDWR|O_CREAT',
  'O_WRONLY|O_CREAT|O_EXCL',
  'O_WRONLY|O_TRUNC',
  'O_RDWR|O_APPEND',
  'O_PATH',
  'O_RDONLY|O_DIRECTORY',
  'O_RDONLY|O_NOFOLLOW',
  'O_RDWR|O_CREAT|O_CLOEXEC',
]
const modes = [0o644, 0o600, 0o755, 0o777, 0o4755, 0o000, 0o1777]
const lengths = [0, 1, 5, 100, 4096, 5000, 10000]

const fd = (dice: Dice): number => (dice.below(10) === 0 ? 99 : 3 + dice.below(5))
const path = (dice: Dice): string => dice.of(paths)
/** On a kernel `self` is a name of calls only. */
const text = (dice: Dice): string => dice.of(paths.filter((each) => !each.startsWith('/proc')))

type Make = (dice: Dice) => readonly unknown[]
const calls: Readonly<Record<string, Make>> = {
  openat: (d) => [-100, path(d), d.of(flags), d.of(modes)],
  open: (d) => [path(d), d.of(flags), d.of(modes)],
  creat: (d) => [path(d), d.of(modes)],
  close: (d) => [fd(d)],
  dup: (d) => [fd(d)],
  dup2: (d) => [fd(d), fd(d)],
  read: (d) => [fd(d), d.of(lengths)],
  pread: (d) => [fd(d), d.of(lengths), d.of(lengths)],
  write: (d) => [fd(d), d.of(['x', 'hello', 'y'.repeat(5000)])],
  pwrite: (d) => [fd(d), d.of(['x', 'hello']), d.of([1, 5]), d.of(lengths)],
  lseek: (d) => [fd(d), d.of([...lengths, -1]), d.of(['SEEK_SET', 'SEEK_CUR', 'SEEK_END'])],
  truncate: (d) => [path(d), d.of(lengths)],
  ftruncate: (d) => [fd(d), d.of(lengths)],
  stat: (d) => [path(d)],
  lstat: (d) => [path(d)],
  fstat: (d) => [fd(d)],
  access: (d) => [path(d), d.below(8)],
  readlink: (d) => [path(d), 100],
  chmod: (d) => [path(d), d.of(modes)],
  fchmod: (d) => [fd(d), d.of(modes)],
  chown: (d) => [path(d), d.of([0, 1000, -1]), d.of([0, 1000, -1])],
  mkdir: (d) => [path(d), d.of(modes)],
  symlink: (d) => [text(d), path(d)],
  link: (d) => [path(d), path(d)],
  unlink: (d) => [path(d)],
  rmdir: (d) => [path(d)],
  rename: (d) => [path(d), path(d)],
  chdir: (d) => [path(d)],
  umask: (d) => [d.of([0, 0o22, 0o77])],
  execveat: (d) => [-100, path(d), ['x'], null, 'AT_EXECVE_CHECK'],
  mmap: (d) => [
    0,
    d.of([4096, 8192]),
    d.of(['PROT_READ', 'PROT_READ|PROT_WRITE']),
    d.of(['MAP_SHARED', 'MAP_PRIVATE']),
    fd(d),
    d.of([0, 4096]),
  ],
  munmap: (d) => [address(d), d.of([4096, 8192])],
  mprotect: (d) => [address(d), 4096, d.of(['PROT_READ', 'PROT_NONE', 'PROT_READ|PROT_WRITE'])],
  peek: (d) => [address(d), d.of([1, 100])],
  poke: (d) => [address(d), 'zz'],
}
const names = Object.keys(calls)
const task = (dice: Dice): number => (dice.below(60) === 0 ? 73 : 1 + dice.below(3))

/** An address that mappings have, below the base of mmap. */
const address = (dice: Dice): number => 0x7ffff7fff000 - 4096 * (1 + dice.below(6))

/** Who there is besides task 1. */
export const spawns = [
  { id: 'two', spawn: { task: 2, uid: 1000, gid: 1000, groups: [5] } },
  { id: 'three', spawn: { task: 3, umask: 0 } },
]

export function sensible(dice: Dice, id: number): object {
  if (dice.below(300) === 0) return { id, exit: 73 }
  if (dice.below(300) === 0) return { id, task: 1, call: 'fork', args: [] }
  const call = dice.of(names)
  return { id, task: task(dice), call, args: calls[call]!(dice) }
}

/** Every hook of the chain: a call that asks it, which its refusal refuses; and what path hooks are told. */
import { describe, expect, test } from 'vitest'
import type { HookName } from '../../src/kernel/lsm_hook_defs.js'
import { hook_names } from '../../src/lsm/hooks.js'
import type { Rule } from '../../src/lsm/rules.js'
import type { Answer, PlayCall } from '../../src/oracle/agent/play.js'
import { play_on_model } from '../../src/oracle/conform/model_runner.js'
import type { Json } from '../../src/scenario/form.js'

type Call = readonly [call: string, ...args: readonly unknown[]]

const check: Call = ['execveat', 'AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK']
const anonymous: Call = ['mmap', null, 4096, 'PROT_READ', 'MAP_PRIVATE|MAP_ANONYMOUS', -1, 0]

/** The calls by which a hook is asked; the last is refused. */
const asked: { readonly [N in HookName]: readonly Call[] } = {
  bprm_creds_for_exec: [check],
  bprm_check_security: [['execve', '/f', null, null]],
  bprm_creds_from_file: [['execve', '/f', null, null]],
  file_open: [['open', '/f', 'O_RDONLY']],
  file_post_open: [['open', '/f', 'O_RDONLY']],
  file_permission: [
    ['open', '/f', 'O_RDONLY'],
    ['read', 3, 1],
  ],
  file_truncate: [
    ['open', '/f', 'O_WRONLY'],
    ['ftruncate', 3, 0],
  ],
  mmap_file: [anonymous],
  file_mprotect: [anonymous, ['mprotect', { $: 'r0' }, 4096, 'PROT_READ|PROT_EXEC']],
  inode_permission: [['open', '/f', 'O_RDONLY']],
  inode_follow_link: [['open', '/l', 'O_RDONLY']],
  inode_create: [['open', '/new', 'O_CREAT|O_WRONLY', 0o644]],
  inode_mknod: [['mknod', '/new', 'S_IFIFO|0644', 0]],
  inode_mkdir: [['mkdir', '/new', 0o755]],
  inode_symlink: [['symlink', 'f', '/new']],
  inode_link: [['link', '/f', '/new']],
  inode_unlink: [['unlink', '/f']],
  inode_rmdir: [['rmdir', '/d']],
  inode_rename: [['rename', '/f', '/new']],
  inode_readlink: [['readlink', '/l', 100]],
  inode_setattr: [['chmod', '/f', 0o700]],
  inode_getattr: [['stat', '/f']],
  inode_copy_up: [['open', '/m/low', 'O_WRONLY']],
  path_unlink: [['unlink', '/f']],
  path_mkdir: [['mkdir', '/new', 0o755]],
  path_rmdir: [['rmdir', '/d']],
  path_mknod: [['mknod', '/new', 'S_IFIFO|0644', 0]],
  path_truncate: [['truncate', '/f', 0]],
  path_symlink: [['symlink', 'f', '/new']],
  path_link: [['link', '/f', '/new']],
  path_rename: [['rename', '/f', '/new']],
  path_chmod: [['chmod', '/f', 0o700]],
  path_chown: [['chown', '/f', 0, 0]],
  task_prctl: [['prctl', 'PR_SET_SECUREBITS', 0, 0, 0, 0]],
}

const tree = {
  f: { file: '\x7fELF', mode: 0o755 },
  l: { symlink: 'f' },
  d: { dir: {} },
} as const
const filesystems = {
  root: { type: 'tmpfs', tree },
  low: { type: 'tmpfs', tree: { low: 'x' } },
  rw: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
} as const
const mounts = [
  { at: '/', filesystem: 'root' },
  { at: '/m', overlay: { lower: ['low'], upper: 'rw:/u', work: 'rw:/w' } },
  { at: '/ro', bind: '/', options: ['ro' as const] },
]

/** What a hook is refused with: no rule of the model gives it. */
const REFUSED = 'EKEYREJECTED'

function play(calls: readonly Call[], ...rules: Rule[]): Answer[] {
  const lsm = { rules: [{ name: 'r', rules: rules as object[] as Json[] }] }
  return play_on_model({
    setup: { filesystems, mounts, lsm, profile: '6.18' },
    tasks: [{ name: 't' }],
    calls: calls.map(([call, ...args], i) => ({ task: 1, call, args, as: `r${i}` }) as PlayCall),
  })
}

describe('every hook', () => {
  test.each(hook_names)('%s is asked, and can refuse', (hook) => {
    const calls = asked[hook]
    const allowed = play(calls).at(-1)!
    expect(allowed.errno).toBeUndefined()
    expect(play(calls, { hook, answer: REFUSED }).at(-1)).toEqual({ errno: REFUSED })
  })

  test('path_mknod is asked for a file that an open makes, too', () => {
    expect(play(asked.inode_create, { hook: 'path_mknod', answer: REFUSED })).toEqual([{ errno: REFUSED }])
  })
})

describe('a rule about a path', () => {
  const names: readonly (readonly [HookName, string])[] = [
    ['path_unlink', '/f'],
    ['path_rmdir', '/d'],
    ['path_mkdir', '/new'],
    ['path_mknod', '/new'],
    ['path_symlink', '/new'],
    ['path_truncate', '/f'],
    ['path_chmod', '/f'],
    ['path_chown', '/f'],
  ]
  test.each(names)('%s is about %s', (hook, path) => {
    const last = (when: Rule['when']) => play(asked[hook], { hook, when, answer: REFUSED }).at(-1)!.errno
    expect(last({ path })).toBe(REFUSED)
    expect(last({ path_prefix: path })).toBe(REFUSED)
    expect(last({ path: `${path}x` })).toBeUndefined()
    expect(last({ path: `/ro${path}` })).toBeUndefined()
    expect(last({ sb: 'root' })).toBe(REFUSED)
  })

  test.each(names)('%s: the mount through which it is reached is part of the path', (hook, path) => {
    const bound = { at: '/b', bind: '/' }
    const rule: Rule = { hook, when: { path: `/b${path}` }, answer: REFUSED }
    const lsm = { rules: [{ name: 'r', rules: [rule] as object[] as Json[] }] }
    const [[call, name, ...args] = ['']] = asked[hook]
    const through = (at: string) =>
      call === 'symlink' ? [name, `${at}${String(args[0])}`] : [`${at}${String(name)}`, ...args]
    const answer_of = (at: string) =>
      play_on_model({
        setup: { filesystems, mounts: [mounts[0]!, bound], lsm } as never,
        tasks: [{ name: 't' }],
        calls: [{ task: 1, call, args: through(at) } as PlayCall],
      })[0]!.errno
    expect([answer_of('/b'), answer_of('')]).toEqual([REFUSED, undefined])
  })
})

/** What of proc is put to a kernel. */
import { describe, expect, it } from 'vitest'
import { encode_play, encode_setup } from '../../src/oracle/agent/encode.js'
import { Shown } from '../../src/oracle/agent/shown.js'
import { HostRefused } from '../../src/oracle/agent/stage.js'
import type { SetupForm } from '../../src/scenario/form.js'

const setup = {
  filesystems: { root: { type: 'tmpfs' }, p: { type: 'proc' } },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/proc', filesystem: 'p' },
    { at: '/x/y', filesystem: 'p' },
  ],
} as const satisfies SetupForm

const open = (path: string, number = 7) =>
  new Shown(setup).call({ call: 'open', args: [path, 'O_RDONLY'] }, number).args![0]

describe('what calls name of proc', () => {
  it.each([
    ['/proc/self/fd/3', '/proc/7/fd/3'],
    ['/x/y/self/fd/3', '/x/y/7/fd/3'],
    ['//proc//self/fd', '//proc//7/fd'],
    ['/proc/2/fd/', '/proc/2/fd/'],
    ['/proc/2/fd/x', '/proc/2/fd/x'],
    ['/procs/self', '/procs/self'],
    ['/x', '/x'],
    ['fd/3', 'fd/3'],
  ])('%s is played as %s', (path, played) => {
    expect(open(path)).toBe(played)
  })

  it.each([
    '/proc',
    '/proc/',
    '/proc/self',
    '/proc/self/',
    '/proc/self/mem',
    '/proc/1/root/etc',
    '/proc/sys/kernel',
    '/proc/self/fd/3/..',
    '/proc/self/fd/../mem',
    '/x/../proc/1/mem',
    '/x/y/1/environ',
    '/proc/./self/exe',
  ])('%s is refused', (path) => {
    expect(() => open(path)).toThrow(HostRefused)
  })

  it('nothing is looked at where no proc is mounted', () => {
    const form = { call: 'open', args: ['/proc/self/mem', 'O_RDONLY'] }
    expect(new Shown({}).call(form, 1)).toBe(form)
  })

  it('a symbolic link says the same to all, so none leads there', () => {
    const link = (symlink: string) => ({
      ...setup,
      filesystems: {
        ...setup.filesystems,
        root: { type: 'tmpfs', tree: { d: { dir: { l: { symlink } } } } },
      },
    })
    expect(() => new Shown(link('/proc/self/fd/3') as SetupForm)).toThrow(
      'a symbolic link to /proc/self/fd/3',
    )
    expect(() => new Shown(link('/f') as SetupForm)).not.toThrow()
    const call = { call: 'symlink', args: ['/proc/self/fd/3', '/l'] }
    expect(() => new Shown(setup).call(call, 1)).toThrow(HostRefused)
  })
})

it('tasks are shown once they are there, and children once they have been made', () => {
  const text = encode_play({
    setup,
    tasks: [{ name: 'a' }, { name: 'b' }],
    calls: [
      { task: 2, call: 'fork', child: 3 },
      { task: 3, call: 'lstat', args: ['/proc/self/fd/0'] },
    ],
  })
  const lines = text.split('\n').filter((line) => /^(proc|show|call)/.test(line))
  expect(lines).toEqual([
    'proc p',
    'show 1 1',
    'show 2 2',
    'call 2 fork 3',
    'show 3 3',
    'call 3 lstat "/proc/3/fd/0',
  ])
})

it('its superblock is not made read-only: tasks are shown in it later', () => {
  const filesystems = { ...setup.filesystems, p: { type: 'proc', read_only: true } } as const
  expect(() => encode_setup({ ...setup, filesystems })).toThrow('make its mount ro')
})

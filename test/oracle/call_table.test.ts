/** What the agent knows of calls is made from their declarations; what it passes to a kernel stays within its buffers. */
import { describe, expect, it } from 'vitest'
import { all_syscalls, type Declaration, define_syscall, syscall_named } from '../../src/kernel/syscall.js'
import { Agent } from '../../src/oracle/agent/agent.js'
import { call_table } from '../../src/oracle/agent/call_table.js'
import type { PlayCall } from '../../src/oracle/agent/play.js'
import { play_on_model } from '../../src/oracle/conform/model_runner.js'
import { no_kernel, overlay_play } from './support.js'

const lines = call_table().split('\n')
const entry_of = (name: string) => lines.find((line) => line.includes(`{ "${name}", `))?.trim()

describe('the table', () => {
  it('has every call but those that are none of the kernel', () => {
    const without = all_syscalls().filter(({ name }) => entry_of(name) === undefined)
    expect(without.map(({ name }) => name).sort()).toEqual(['fork', 'peek', 'poke'])
  })

  it.each([
    ['creat', '{ "creat", SYS_openat, "=s=i", { AT_FDCWD, 0, O_CREAT | O_WRONLY | O_TRUNC, 0 }, NULL },'],
    ['pwrite', '{ "pwrite", SYS_pwrite64, "ibni", { 0, 0, 0, 0 }, NULL },'],
    ['readlink', '{ "readlink", SYS_readlinkat, "=sol", { AT_FDCWD, 0, 0, 0 }, NULL },'],
    ['fstat', '{ "fstat", SYS_fstat, "it", { 0, 0 }, &structure_stat },'],
    ['symlinkat', '{ "symlinkat", SYS_symlinkat, "sis", { 0, 0, 0 }, NULL },'],
    ['pause', '{ "pause", SYS_pause, "", { 0 }, NULL },'],
  ])('%s', (name, entry) => expect(entry_of(name)).toBe(entry))
})

describe.skipIf(no_kernel !== undefined)('lengths', () => {
  const of = overlay_play({ f: 'hello' })
  const calls: PlayCall[] = [
    { task: 1, call: 'open', args: ['/m/f', 'O_RDWR'] },
    { task: 1, call: 'ftruncate', args: [3, 3 * 2 ** 20] },
    // The agent's buffer is a mebibyte, which is what the model reads at once.
    { task: 1, call: 'pread', args: [3, 2 ** 30, 0] },
    { task: 1, call: 'pread', args: [3, 2 ** 50, 0] },
    { task: 1, call: 'pread', args: [3, -1, 0] },
    { task: 1, call: 'pwrite', args: [3, 'abc', 2, 0] },
    { task: 1, call: 'pwrite', args: [3, 'abc', 1] },
    { task: 1, call: 'pwrite', args: [3, 'abc', 100, 0] },
    { task: 1, call: 'pwrite', args: [3, 'abc', -1, 0] },
    { task: 1, call: 'pwrite', args: [3, 'abc', 2 ** 50, 0] },
    { task: 1, call: 'pwrite', args: [3, '', 5, 0] },
    { task: 1, call: 'pwrite', args: [3, null, 5, 0] },
    { task: 1, call: 'pwrite', args: [3, null, 0, 0] },
    { task: 1, call: 'pread', args: [3, 6, 0] },
  ]

  it('are those of the model: no more than there is, and what no kernel takes is refused', async () => {
    const agent = await Agent.start()
    try {
      const answers = await agent.play({ ...of, calls })
      expect(answers).toEqual(play_on_model({ ...of, calls }))
      expect(answers.map(({ ret, errno }) => errno ?? ret).slice(2)).toEqual([
        2 ** 20,
        'EFAULT',
        'EFAULT',
        2,
        3,
        3,
        'EFAULT',
        'EFAULT',
        'EFAULT',
        'EFAULT',
        0,
        6,
      ])
    } finally {
      agent.close()
    }
  })
})

// The last test: from then on there is no table any more.
it('takes no call whose arguments would be sent in another order', () => {
  const { params: _, struct: _struct, fields: _fields, ...rename } = syscall_named('rename')!
  const turned: Declaration = {
    ...rename,
    name: 'emaner',
    as: ['renameat2', 'AT_FDCWD', 'newpath', 'AT_FDCWD', 'oldpath', '0'],
  }
  define_syscall(turned)
  expect(call_table).toThrow('emaner: its arguments stand in another order in `as`')
})

import { describe, expect, it } from 'vitest'
import type { Play } from '../../src/oracle/agent/play.js'
import { shrink } from '../../src/oracle/conform/shrink.js'

const big: Play = {
  setup: {
    filesystems: {
      root: {
        type: 'tmpfs',
        tree: { f: { file: 'long content', mode: 0o600, uid: 5 }, d: { dir: { g: 'x' } } },
      },
      other: { type: 'tmpfs' },
    },
    mounts: [
      { at: '/', filesystem: 'root' },
      { at: '/o', filesystem: 'other', options: ['ro'] },
    ],
  },
  tasks: [{ name: 'a', uid: 7, umask: 1 }, { name: 'b' }],
  calls: [
    { task: 2, call: 'close', args: [3] },
    { task: 1, call: 'open', args: ['/f', 0], as: 'fd' },
    { task: 1, call: 'umask', args: [0] },
    { task: 1, call: 'read', args: [{ $: 'fd' }, 4] },
    { task: 2, call: 'close', args: [4] },
  ],
}

describe('shrink', () => {
  it('keeps only what the difference needs', async () => {
    const small = await shrink(big, async (play) => play.calls.some((call) => call.call === 'read'))
    expect(small).toEqual({
      setup: { filesystems: {}, mounts: [{ at: '/', filesystem: 'root' }] },
      tasks: [{ name: 'a' }],
      // A call whose result is needed stays.
      calls: [big.calls[1], big.calls[3]],
    })
  })

  it('never tries a play that refers to a call which is gone', async () => {
    await shrink(big, async (play) => {
      const named = play.calls.map((call) => call.as)
      for (const call of play.calls) if (call.call === 'read') expect(named).toContain('fd')
      return false
    })
  })

  it('leaves a play alone that shows it only whole', async () => {
    expect(await shrink(big, async () => false)).toBe(big)
  })
})

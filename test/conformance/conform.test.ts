/** Random programs on the model and on the kernel of this machine. `conform` plays more of them. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { conform, type Progress } from '../../src/oracle/conform/conform.js'
import { areas } from '../../src/oracle/conform/generate.js'
import { no_kernel } from '../oracle/support.js'

describe.skipIf(no_kernel !== undefined)('random programs', () => {
  it('give the same answers on both', async () => {
    const { disagreements, plays, reach } = await conform({ count: 3000, seed: 20_000 })
    expect(disagreements).toEqual([])
    expect(plays).toBe(3000)
    expect(reach.size).toBeGreaterThan(800)
  })

  it('are the same for the same seed', async () => {
    const reached = async () => (await conform({ count: 50, seed: 7 })).reach.lines()
    expect(await reached()).toEqual(await reached())
  })

  it('tell how far they are, and stop when they are told to', async () => {
    const told: Progress[] = []
    const result = await conform({
      count: 100_000,
      seed: 1,
      on_progress: (progress) => told.push(progress),
      interrupted: () => told.length > 0,
    })
    expect(told[0]!.plays).toBeGreaterThan(0)
    expect(result.plays).toBeLessThan(1000)
    expect(result.next).toBe(result.plays)
  })

  it('are played in a user namespace too', async () => {
    const { disagreements, plays } = await conform({ count: 300, seed: 1, user_ns: true })
    expect(disagreements).toEqual([])
    expect(plays).toBe(300)
  })

  it.each(areas)('about %s are mostly that', async (only) => {
    const { disagreements, reach } = await conform({ count: 100, seed: 1, only })
    expect(disagreements).toEqual([])
    expect(reach.counts.size).toBeGreaterThan(3)
  })

  it('end with one line when an agent is killed, with where to go on', async () => {
    const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
    const before = new Set(children())
    const running = conform({
      count: 100_000,
      seed: 1,
      on_progress: () => {
        for (const pid of children()) if (!before.has(pid)) process.kill(Number(pid), 'SIGKILL')
      },
    })
    await expect(running).rejects.toThrow(/^the agent .*after \d+ plays; to go on: --seed 1 --from \d+$/)
  })

  it('are shrunk to the calls that show a difference', async () => {
    // Read does not follow the copy-up in this model.
    const { disagreements } = await conform({ count: 2000, seed: 1, release: '6.18+ovl_read_pinned' })
    const { play, difference, model, kernel } = disagreements[0]!
    expect(play.calls.length).toBeLessThan(7)
    expect(difference.model).toEqual(model[difference.call])
    expect(difference.kernel).toEqual(kernel[difference.call])
    expect(difference.model).not.toEqual(difference.kernel)
  })
})

/** A kernel to play on, where this machine has one; else the tests that need it say so and are skipped. */
import { Agent } from '../../src/oracle/agent/agent.js'
import type { Play } from '../../src/oracle/agent/play.js'

async function try_agent(): Promise<string | undefined> {
  try {
    const agent = await Agent.start()
    agent.close()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** Why nothing can be played here; undefined where it can. */
export const no_kernel = await try_agent()

if (no_kernel !== undefined) {
  console.warn(`\n*** SKIPPED: what compares the model with a real kernel: ${no_kernel} ***\n`)
}

/** An overlay on /m of one lower, whose files are as given; the layers are on /l and /u. */
export function overlay_play(
  lower: NonNullable<NonNullable<Play['setup']['filesystems']>[string]['tree']>,
): Play {
  return {
    setup: {
      filesystems: {
        root: { type: 'tmpfs' },
        low: { type: 'tmpfs', tree: lower },
        up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
      },
      mounts: [
        { at: '/', filesystem: 'root' },
        { at: '/l', filesystem: 'low' },
        { at: '/u', filesystem: 'up', root: '/u' },
        { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
      ],
    },
    tasks: [{ name: 'a' }],
    calls: [],
  }
}

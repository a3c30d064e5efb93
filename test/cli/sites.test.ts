/** In a program of its own, as it is shipped: what was compiled before the watch began is seen as wholes only. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Site, SiteReport } from '../../src/oracle/conform/sites.ts'

const dist = fileURLToPath(new URL('../../dist/src/oracle/conform', import.meta.url))
const program = `
  const { random_play } = await import('${dist}/generate.js')
  const { seeded } = await import('${dist}/choices.js')
  const { SiteWatch } = await import('${dist}/sites.js')
  const watch = new SiteWatch()
  for (let index = 0; index < 1500; index++) random_play(seeded(1, index))
  console.log(JSON.stringify(watch.report()))`
const run = (): SiteReport & { unused: readonly string[] } =>
  JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))

const said = ({ file, within, text }: Site): string => `${file}, ${within}: ${text}`

describe('errno sites', () => {
  const { reached, missed, beyond, unexpected, unused } = run()

  it('are reached or missed', () => {
    expect(reached.map(said)).toContainEqual(
      expect.stringMatching(/^vfs\/namei\/namei, walk_component: .*-ENOENT/),
    )
    expect(reached.length + missed.length).toBeGreaterThan(160)
    expect(reached.length / (reached.length + missed.length)).toBeGreaterThan(0.8)
  })

  it('that no play can reach are reached by none, and each reason is of some', () => {
    expect(beyond.map(said)).toContain('vfs/memory/mmap, do_mmap: return -ENOMEM;')
    expect(unexpected.map(said)).toEqual([])
    expect(unused).toEqual([])
  })
})

/**
 * How large every case of every shipped scenario is: the states and stages of its whole search, with fusion and
 * without. A change of the model that is meant to change nothing leaves these numbers as they are; what changes them
 * says why, and writes the file anew with `npx vitest run test/scenario/state_counts.test.ts -u`.
 */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { depth_first } from '../../src/explore/depth_first.js'
import type { Scenario } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { case_name } from '../../src/scenario/form.js'

const folder = new URL('../../scenarios/', import.meta.url)
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .sort()

async function counts_of(file: string): Promise<string> {
  const { default: scenario } = (await import(new URL(file, folder).href)) as { default: Scenario }
  const lines = scenario.cases.map((each) => {
    const fused = depth_first(case_system(each))
    const whole = depth_first(case_system(each), { fusion: false })
    expect([fused.complete, whole.complete]).toEqual([true, true])
    const counts = [fused.states, fused.transitions, whole.states, whole.transitions]
    return `${counts.map((count) => String(count).padStart(8)).join('')}  ${case_name(each.form)}`
  })
  return [scenario.name, ...lines].join('\n')
}

test('the searches of the shipped cases are as large as they were', async () => {
  const head = '  states  stages  every stage: states, stages'
  const counts = await Promise.all(names.map(counts_of))
  await expect(`${[head, ...counts].join('\n\n')}\n`).toMatchFileSnapshot('state-counts.txt')
})

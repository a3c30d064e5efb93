/**
 * Every difference that was ever found between the model and a kernel, played again on the model, and on the
 * kernel of this machine where there is one.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Agent } from '../../src/oracle/agent/agent.js'
import { compare } from '../../src/oracle/conform/compare.js'
import { play_on_model } from '../../src/oracle/conform/model_runner.js'
import { format_case, load_cases, parse_case } from '../../src/oracle/conform/saved_cases.js'
import { no_kernel } from '../oracle/support.js'

const cases = load_cases(fileURLToPath(new URL('./cases', import.meta.url)))

describe('saved cases', () => {
  it('there are some', () => expect(cases.length).toBeGreaterThan(0))

  it.each(cases)('the model: $name: $about', ({ play, answers }) => {
    expect(compare(play, play_on_model(play), answers)).toEqual([])
  })

  it.each(cases)('survive the round trip through a file: $name', (saved) => {
    expect(parse_case(format_case(saved))).toEqual(saved)
  })
})

describe.skipIf(no_kernel !== undefined)('saved cases on the kernel of this machine', () => {
  let agent: Agent
  beforeAll(async () => {
    agent = await Agent.start()
  })
  afterAll(() => agent.close())

  it.each(cases)('$name: $about', async ({ play, answers }) => {
    expect(compare(play, answers, await agent.play(play))).toEqual([])
  })
})

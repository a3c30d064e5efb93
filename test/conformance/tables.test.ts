/** The tables of what is known about the calls, each case on the model and on the kernel of this machine. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Agent } from '../../src/oracle/agent/agent.js'
import type { Answer } from '../../src/oracle/agent/play.js'
import { compare } from '../../src/oracle/conform/compare.js'
import { play_on_model } from '../../src/oracle/conform/model_runner.js'
import { no_kernel } from '../oracle/support.js'
import { gives, parse_table, type TableCase } from './table.js'

const dir = fileURLToPath(new URL('./tables', import.meta.url))
const tables = readdirSync(dir).map((name) => ({
  name: name.replace('.txt', ''),
  cases: parse_table(readFileSync(`${dir}/${name}`, 'utf8')),
}))

/** Lines of the table that the answers do not agree with. */
function wrong({ play, says }: TableCase, answers: readonly Answer[]): string[] {
  return play.calls.flatMap((call, i) =>
    gives(answers[i]!, says[i]!)
      ? []
      : [
          `${call.task} ${call.call} ${JSON.stringify(call.args)} = ${says[i]}, not ${JSON.stringify(answers[i])}`,
        ],
  )
}

describe.each(tables)('$name, on the model', ({ cases }) => {
  it.each(cases)('$name', (each) => {
    expect(wrong(each, play_on_model(each.play))).toEqual([])
  })
})

describe.skipIf(no_kernel !== undefined).each(tables)('$name, on the kernel', ({ cases }) => {
  let agent: Agent
  beforeAll(async () => {
    agent = await Agent.start()
  })
  afterAll(() => agent.close())

  it.each(cases)('$name', async (each) => {
    const answers = await agent.play(each.play)
    expect(wrong(each, answers)).toEqual([])
    expect(compare(each.play, play_on_model(each.play), answers)).toEqual([])
  })
})

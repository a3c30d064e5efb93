/** Calls that do not matter are taken out at a cost that does not grow with their number alone, and in time. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { CallForm, ScenarioForm } from '../../src/scenario/form.js'
import { encode_token } from '../../src/trace/token.js'
import { explore_case } from '../../src/verdicts.js'

const file = new URL('../cases/scenarios/hash-collision.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as ScenarioForm

/** The race, with so many calls before it that change nothing. */
function with_stats(n: number) {
  const [form] = cases
  const stat: CallForm = { call: 'stat', args: ['/l/s'] }
  const tasks = form!.tasks.map((task, t) =>
    t > 0 ? task : { ...task, program: [...Array.from({ length: n }, () => stat), ...task.program] },
  )
  return { form: { ...form!, tasks }, code: { modules: new Map(), properties: new Map() } }
}

it('many calls are found out together, and make the token no longer', () => {
  const { removed, counterexample } = explore_case(with_stats(150))
  expect(removed.map(({ op }) => op).sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, i) => i))
  const plain = removed.map(({ task, op }) => ({ task, op, ret: 0 }))
  const token = { scenario: 'x', hash: '0123456789', index: 0, schedule: counterexample!.schedule }
  const longer =
    encode_token({ ...token, removed: plain }).length - encode_token({ ...token, removed: [] }).length
  expect(longer).toBeLessThan(10)
}, 60_000)

it('the time that is over for the search is over for what follows it', () => {
  let time = 0
  const { verdict, bounds, removed } = explore_case(with_stats(3), { max_time: 30, now: () => time++ })
  expect(bounds).toContain('time')
  expect(time).toBeLessThan(60)
  expect([verdict, removed.length]).not.toEqual(['race', 3])
})

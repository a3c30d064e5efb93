/** Verdicts do not depend on the hash: neither on contents that were chosen for it, nor on its key. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import overlay from '../../scenarios/overlay-copy-up.js'
import { KEY_WORDS } from '../../src/kernel/hash.js'
import { use_key } from '../../src/kernel/schema.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { type CaseReport, explore_case } from '../../src/verdict/explore_case.js'

const draw_key = () => use_key(crypto.getRandomValues(new Int32Array(KEY_WORDS)))
afterAll(draw_key)

describe('two contents with one hash of another kind', () => {
  const file = new URL('../cases/scenarios/hash-collision.json', import.meta.url)
  const { cases } = validate_scenario(JSON.parse(readFileSync(file, 'utf8')))

  it.each([false, true])('race, exact: %s', (exact) => {
    const of = { form: cases[0]!, code: { modules: new Map(), properties: new Map() } }
    const { verdict, property } = explore_case(of, { exact })
    expect({ verdict, property }).toEqual({ verdict: 'race', property: 'check-use' })
  })
})

/** All that a report prints. */
const printed = ({ search, ...report }: CaseReport) => {
  const { whole: _, system: __, explained: ___, ...rest } = report
  const { memory: ____, ...found } = search
  return { ...rest, search: found }
}

const some = overlay.cases.filter((_, i) => i % 5 === 0)

it('a report has nothing of the key in it', () => {
  const reports = some.map((each) => printed(explore_case(each)))
  for (let times = 0; times < 3; times++) {
    draw_key()
    expect(some.map((each) => printed(explore_case(each)))).toEqual(reports)
  }
})

it('a search that compares states themselves finds the same', () => {
  for (const each of some)
    expect(printed(explore_case(each, { exact: true }))).toEqual(printed(explore_case(each)))
})

it('so does one with few preemptions', () => {
  for (const each of some)
    expect(printed(explore_case(each, { exact: true, preemptions: 1 }))).toEqual(
      printed(explore_case(each, { preemptions: 1 })),
    )
})

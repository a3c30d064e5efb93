/** Inputs that went wrong once, about what is checked and what is witnessed: explored as a user would. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { toctoscope } from './terminal.ts'

const file = (name: string) => fileURLToPath(new URL(`../cases/scenarios/${name}`, import.meta.url))

const NOTHING = 'nothing was approved and used'

describe('explore', () => {
  it.each([
    ['never-overwritten.json', 'hole', 'never v.u=18'],
    ['never-at-the-end.json', 'hole', 'never v.u=ok'],
    ['two-uses.json', 'hole', 'check-use'],
  ])('%s: a %s of %s', async (name, verdict, property) => {
    const { cases } = JSON.parse((await toctoscope('explore', file(name), '--json')).out)
    for (const each of cases) expect(each).toMatchObject({ verdict, property })
  })

  it.each([
    ['vacuous-safe.ts', NOTHING],
    ['no-use.ts', NOTHING],
    [
      'procself-safe.ts',
      'in no run did an attacker change what others meet, or was refused that by a mitigation',
    ],
  ])('%s is not witnessed: %s', async (name, unwitnessed) => {
    const { code, out } = await toctoscope('explore', file(name), '--json')
    expect(code).toBe(1)
    for (const each of JSON.parse(out).cases)
      expect(each).toMatchObject({ verdict: 'unwitnessed', unwitnessed, as_expected: false })
  })

  it.each([
    ['reaches-replaces-check-use.ts', 'protection=none'],
    ['three-tasks.ts', 'n=1'],
  ])('%s: other properties are added to check-use', async (name, chosen) => {
    const { out } = await toctoscope('explore', file(name), '--json', '--case', chosen)
    expect(JSON.parse(out).cases).toMatchObject([{ verdict: 'race', property: 'check-use' }])
  })
})

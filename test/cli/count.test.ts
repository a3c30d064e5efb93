/** What `explore --count` says of interleavings. */
import { describe, expect, it } from 'vitest'
import { is_clean, say_clean, say_numbers } from '../../src/cli/say_numbers.ts'
import { fits_verdict } from '../../src/verdict/counted.ts'
import { toctoscope } from './terminal.ts'

const RACE = ['explore', 'overlay-copy-up', '--case', 'access=read,mitigation=none,profile=7.2'] as const
const numbers = (all: string, racy = '0', deadlocked = '0') => ({ all, racy, deadlocked })

describe('explore --count', () => {
  it('says how many interleavings race, in words and in JSON', async () => {
    const { code, out } = await toctoscope(...RACE, '--count', '--no-timing')
    const said = /^# access=read .*: ([\d,]+) of\s+([\d,]+) interleavings race \(0\.06 %\)$/m.exec(out)!
    const [racy, all] = [said[1]!, said[2]!].map((each) => each.replace(/,/g, ''))
    const json = JSON.parse((await toctoscope(...RACE, '--count', '--json')).out)
    expect(json.cases[0]).toMatchObject({ interleavings: all, racy })
    expect(code).toBe(0)
  })

  it('is the same with states themselves compared', async () => {
    const said = (out: string) => out.split('\n').filter((line) => /^(# | {2}\d)/.test(line))
    const hashed = await toctoscope(...RACE, '--count')
    expect(said((await toctoscope(...RACE, '--count', '--exact')).out)).toEqual(said(hashed.out))
  })

  it('says nothing of it unless asked', async () => {
    const { out } = await toctoscope(...RACE, '--json')
    expect(JSON.parse(out).cases[0]).toMatchObject({ interleavings: null, racy: null })
  })

  it('says what was not counted, and that it is not complete', async () => {
    const { code, out, err } = await toctoscope(...RACE, '--count', '--max-states', '2k')
    expect(err).toMatch(
      /^toctoscope: not counted: overlay-copy-up access=read .*: the bound was hit: 2,000 states$/m,
    )
    expect(out).not.toMatch(/^# /m)
    expect(code).toBe(4)
  })
})

describe('in words', () => {
  it.each([
    ['race', numbers('184756', '37'), '37 of 184,756 interleavings race (0.02 %)'],
    ['hole', numbers('200', '100'), '100 of 200 interleavings violate a property (50 %)'],
    ['deadlock', numbers('6', '0', '2'), '2 of 6 interleavings deadlock (33 %)'],
    [
      'race',
      numbers('1000000000000000000000', '1'),
      '1 of 1,000,000,000,000,000,000,000 interleavings race (1 in 1,000,000,000,000,000,000,000)',
    ],
    ['incomplete', numbers('5', '0', '1'), '0 of 5 interleavings violate a property (0 %)'],
  ] as const)('%s', (verdict, count, said) => {
    expect(say_numbers({ verdict }, count)).toBe(said)
  })

  it('of what is clean', () => {
    expect([numbers('3'), numbers('3', '1'), numbers('3', '0', '1')].map(is_clean)).toEqual([
      true,
      false,
      false,
    ])
    expect(say_clean([numbers('1')])).toBe('the only interleaving of one case violates no property')
    expect(say_clean([numbers('20'), numbers('1000'), numbers('3')])).toBe(
      'none of the 3 to 1,000 interleavings of each of 3 cases violates a property',
    )
    expect(say_clean([numbers('70'), numbers('70')])).toBe(
      'none of the 70 interleavings of each of 2 cases violates a property',
    )
  })
})

it('numbers that do not go with a verdict are a bug', () => {
  const fits = (
    verdict: Parameters<typeof fits_verdict>[0]['verdict'],
    racy: bigint,
    deadlocked = 0n,
    unreached: string[] = [],
  ) =>
    fits_verdict(
      { verdict, unreached },
      { interleavings: { all: 9n, racy, deadlocked }, why: null, states: 1 },
    )
  expect([
    fits('race', 1n),
    fits('hole', 9n),
    fits('deadlock', 0n, 1n),
    fits('safe', 0n),
    fits('unwitnessed', 0n),
  ]).not.toContain(false)
  expect([
    fits('race', 0n),
    fits('hole', 0n),
    fits('deadlock', 0n, 0n),
    fits('deadlock', 1n, 1n),
  ]).not.toContain(true)
  expect([fits('safe', 1n), fits('safe', 0n, 1n), fits('unwitnessed', 1n)]).not.toContain(true)
  // Nothing is known of what was not searched, and an outcome that no run reached is a hole without a racing run.
  expect([fits('incomplete', 1n), fits('hole', 0n, 0n, ['x'])]).not.toContain(false)
})

/** Tokens and traces that somebody made up: each is refused in words, or plays, and never is a bug of ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { is_seen } from '../../src/scenario/characters.ts'
import { decode_token, encode_token, type Token } from '../../src/trace/record/token.ts'
import { type Output, toctoscope } from './terminal.ts'

const CASE = ['overlay-copy-up', '--case', 'read,none,7.2'] as const
/** How often something is tried, and how long one may take. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 60)
const PATIENCE = 2000

let folder = ''
let good = ''
let trace: Record<string, unknown> = {}
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
  good = JSON.parse((await toctoscope('explore', ...CASE, '--json')).out).cases[0].token
  trace = JSON.parse((await toctoscope('show', ...CASE, '--format', 'json')).out)
})
afterAll(() => rmSync(folder, { recursive: true }))

function well_behaved({ code, out, err }: Output): void {
  expect([0, 2, 3, 6]).toContain(code)
  expect(err).not.toMatch(/this is a bug|^ {4}at /m)
  if (code !== 0) expect(err).toMatch(/^toctoscope: ./)
  for (const line of (out + err).split(/[\n\t]/)) expect(line).toSatisfy(is_seen)
}

async function tried(...args: string[]): Promise<Output> {
  const began = performance.now()
  const output = await toctoscope(...args)
  well_behaved(output)
  expect(performance.now() - began).toBeLessThan(PATIENCE)
  return output
}

const forge = (changes: Partial<Token>) => encode_token({ ...decode_token(good), ...changes })

const number = fc.oneof(
  fc.nat(9),
  fc.constantFrom(31, 32, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 45),
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('__proto__', '\x1b[2J', '\u202e', '../../x'),
)
const removal = fc.record(
  {
    task: number,
    op: number,
    ret: fc.oneof(number, fc.integer({ min: -200, max: 10 })),
    data: text,
    fields: fc.array(number, { maxLength: 20 }),
  },
  { requiredKeys: ['task', 'op', 'ret'] },
)

describe('a token', () => {
  it('cut short or with a bit turned', async () => {
    const word = fc.oneof(
      fc.nat().map((at) => good.slice(0, at % good.length)),
      fc.tuple(fc.nat(), fc.constantFrom(...'AZaz09-_')).map(([n, char]) => {
        const at = n % good.length
        return good.slice(0, at) + char + good.slice(at + 1)
      }),
      text.map((each) => `toct1.${each}`),
    )
    await fc.assert(
      fc.asyncProperty(word, async (given) => void (await tried('replay', given))),
      { numRuns: RUNS },
    )
  })

  it('whose sum is right, and whose removed calls are made up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(removal, { minLength: 1, maxLength: 3 }), async (removed) => {
        await tried('replay', forge({ removed }))
      }),
      { numRuns: RUNS },
    )
  })

  it('whose sum is right, and whose schedule is made up', async () => {
    const { schedule } = decode_token(good)
    const move = fc.record({ task: number, choice: number })
    const forged = fc.oneof(
      fc.array(move, { maxLength: 4 }),
      fc.nat(schedule.length).map((at) => schedule.slice(0, at)),
      fc.tuple(fc.nat(schedule.length - 1), move).map(([at, each]) => schedule.with(at, each)),
      fc.nat(schedule.length).map((at) => [...schedule.slice(at), ...schedule]),
    )
    await fc.assert(
      fc.asyncProperty(forged, async (each) => void (await tried('replay', forge({ schedule: each })))),
      { numRuns: RUNS },
    )
  })

  it('whose sum is right, and whose words are made up', async () => {
    for (const scenario of ['../../etc/passwd', '__proto__', '\x1b[2J', '', 'x'.repeat(10_000)])
      expect((await tried('replay', forge({ scenario }))).code).toBe(3)
    for (const index of [999, 2 ** 40]) expect((await tried('replay', forge({ index }))).code).toBe(0)
    const { err } = await tried('replay', forge({ version: '1.0.0";rm -rf ~;"' }))
    expect(err).toContain('damaged')
    expect(err).not.toContain('rm')
  })

  it('that claims to be long is refused at once', async () => {
    const schedule = Array.from({ length: 999_999 }, () => ({ task: 1, choice: 0 }))
    const long = forge({ schedule })
    expect(long.length).toBeLessThan(100)
    expect((await tried('replay', long)).err).toMatch(/task 1 has nothing left to do|sleeps/)
    const longer = forge({ schedule: [...schedule, ...schedule] })
    expect((await tried('replay', longer)).err).toContain('damaged')
  })

  it('for confirm and repro', async () => {
    for (const removed of [[{ task: 9, op: 0, ret: 0 }], [{ task: 1, op: 2 ** 40, ret: 0 }]]) {
      await tried('confirm', forge({ removed }))
      expect((await tried('repro', forge({ removed }), '-o', '-')).code).toBe(3)
    }
    const schedule = [{ task: 7, choice: 2 ** 40 }]
    await tried('confirm', forge({ schedule }))
    await tried('repro', forge({ schedule }), '-o', '-')
  })
})

// --- traces ------------------------------------------------------------------------------------------------------

const anything = fc.oneof(
  text,
  number,
  fc.constantFrom(
    null,
    true,
    -1,
    1.5,
    1e300,
    [],
    {},
    [[]],
    { base64: '*' },
    { base64: 7 },
    { base64: 'AA==' },
  ),
  fc.constant(JSON.parse('{"__proto__": {"x": 1}, "constructor": 1}')),
)

/** The same document with another value somewhere: at a path that numbers choose. */
function changed(document: unknown, path: readonly number[], value: unknown): unknown {
  const [first, ...rest] = path
  if (typeof document !== 'object' || document === null || first === undefined) return value
  const keys = Object.keys(document)
  if (keys.length === 0) return value
  const key = keys[first % keys.length]!
  const inner = changed((document as Record<string, unknown>)[key], rest, value)
  if (Array.isArray(document)) return document.with(Number(key), inner)
  return { ...document, [key]: inner }
}

describe('a trace file', () => {
  it('with anything anywhere', async () => {
    const path = join(folder, 'forged.json')
    const place = fc.array(fc.nat(400), { minLength: 1, maxLength: 6 })
    const format = fc.constantFrom(
      ['show'],
      ['show', '--stages'],
      ['show', '--format', 'mermaid'],
      ['replay'],
    )
    await fc.assert(
      fc.asyncProperty(
        place,
        anything,
        fc.boolean(),
        format,
        async (where, value, untold, [verb, ...options]) => {
          // Without a token nothing is compared with a replay: the renderers must stand it.
          const document = changed(untold ? { ...trace, token: null } : trace, where, value)
          writeFileSync(path, JSON.stringify(document))
          await tried(verb!, path, ...options)
        },
      ),
      { numRuns: 3 * RUNS },
    )
  })

  it('with a made-up token', async () => {
    const path = join(folder, 'token.json')
    for (const token of [
      '',
      'x',
      'toct1.',
      forge({ schedule: [] }),
      forge({ scenario: 'x' }),
      forge({ removed: [{ task: 9, op: 9, ret: 0 }] }),
    ]) {
      writeFileSync(path, JSON.stringify({ ...trace, token }))
      expect((await tried('replay', path)).code).toBe(3)
      await tried('show', path)
    }
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { execution_of, token_of, trace_execution } from '../../src/trace/record/execution.ts'
import {
  case_hash,
  decode_token,
  encode_token,
  find_case,
  looks_like_token,
  TokenError,
} from '../../src/trace/record/token.ts'
import { to_text } from '../../src/trace/render/text.ts'
import { VERSION } from '../../src/version.ts'
import { counterexample, READ_RACE, scenarios } from './executions.ts'

const { 'overlay-copy-up': overlay } = scenarios
const forms = () => ({ ...overlay.form })

const moves = fc.array(fc.record({ task: fc.integer({ min: 1, max: 70_000 }), choice: fc.nat(3) }), {
  maxLength: 60,
})
const removal = fc.record(
  {
    task: fc.integer({ min: 1, max: 9 }),
    op: fc.nat(300),
    ret: fc.integer({ min: -200_000, max: 2 ** 48 }),
    data: fc.string({ minLength: 1, maxLength: 8 }),
    fields: fc.array(fc.integer(), { minLength: 1, maxLength: 12 }).map((fields) => [...fields, 1]),
  },
  { requiredKeys: ['task', 'op', 'ret'] },
)
/** Calls that follow each other in a program, and gave the same. */
const run_of_removals = fc
  .tuple(removal, fc.integer({ min: 1, max: 40 }), fc.constantFrom(-1, 1))
  .map(([first, length, step]) =>
    Array.from({ length }, (_, i) => ({ ...first, op: first.op + 40 + step * i })),
  )
const contents = fc.record({
  scenario: fc.stringMatching(/^[a-z][a-z-]{0,20}$/),
  hash: fc.stringMatching(/^[0-9a-f]{10}$/),
  index: fc.nat(1000),
  removed: fc.oneof(
    fc.array(removal, { maxLength: 3 }),
    fc.array(run_of_removals, { maxLength: 3 }).map((runs) => runs.flat()),
  ),
  schedule: moves,
})

function reason_of(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof TokenError) return error.reason
    throw error
  }
  return 'nothing'
}

describe('a replay token', () => {
  it('holds what was put into it, in one word', () => {
    fc.assert(
      fc.property(contents, (given) => {
        const token = encode_token(given)
        expect(token).toMatch(/^toct1\.[\w-]+$/)
        expect(decode_token(token)).toEqual({ version: VERSION, ...given })
      }),
    )
  })

  it('survives line ends and blanks that a mail program put into it', () => {
    const token = encode_token({
      scenario: 'x',
      hash: '0123456789',
      index: 3,
      removed: [],
      schedule: [{ task: 1, choice: 0 }],
    })
    expect(decode_token(` ${token.slice(0, 12)}\n  ${token.slice(12)}\n`)).toEqual(decode_token(token))
  })

  it('notices every change of one character, and every cut', () => {
    const token = token_of(counterexample(overlay, READ_RACE))
    for (let at = 'toct1.'.length; at < token.length - 1; at++) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect(reason_of(() => decode_token(changed))).toBe('damaged')
      expect(reason_of(() => decode_token(token.slice(0, at)))).toBe('damaged')
    }
  })

  it('throws nothing but TokenError for any word', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.stringMatching(/^[\w-]{0,60}$/).map((rest) => `toct1.${rest}`),
        ),
        (word) => {
          expect(['nothing', 'not a token', 'damaged', 'other version']).toContain(
            reason_of(() => decode_token(word)),
          )
        },
      ),
    )
  })

  it('says which version it is from', () => {
    const token = encode_token({
      version: '9.8.7',
      scenario: 'x',
      hash: '0123456789',
      index: 0,
      removed: [],
      schedule: [],
    })
    expect(() => decode_token(token)).toThrow(`made by toctoscope 9.8.7, and this is ${VERSION}`)
    expect(reason_of(() => decode_token('toct2.AAAA'))).toBe('other version')
  })

  it('says that it is of another scenario, or that this one has changed', () => {
    const token = decode_token(token_of(counterexample(overlay, READ_RACE)))
    expect(find_case(token, forms())).toBe(token.index)
    expect(() => find_case(token, { ...forms(), name: 'another' })).toThrow(
      'of the scenario overlay-copy-up, and this one is another',
    )
    const changed = forms().cases.map((form) => ({
      ...form,
      tasks: form.tasks.map((task) => ({ ...task, uid: 7 })),
    }))
    expect(() => find_case(token, { ...forms(), cases: changed })).toThrow(
      'overlay-copy-up has changed since',
    )
  })

  it('finds its case where others have come before it, and whatever is expected of it', () => {
    const token = decode_token(token_of(counterexample(overlay, READ_RACE)))
    const cases = forms().cases.map((form) => ({ ...form, expect: { verdict: 'safe' as const } }))
    expect(find_case(token, { ...forms(), cases: [...cases].reverse() })).toBe(cases.length - 1 - token.index)
  })

  it('hashes what a form says, and not how it is written', () => {
    const [form] = forms().cases
    const backwards = Object.fromEntries(Object.entries(form!).reverse()) as typeof form
    expect(case_hash(backwards!)).toBe(case_hash(form!))
    const hashes = new Set(forms().cases.map(case_hash))
    expect(hashes.size).toBe(forms().cases.length)
  })

  it('repeats a counterexample byte for byte', () => {
    const execution = counterexample(overlay, READ_RACE)
    const token = decode_token(token_of(execution))
    const again = execution_of(token, overlay, find_case(token, forms()))
    expect(again.explained.removed.length).toBeGreaterThan(0)
    expect(to_text(trace_execution(again), { stages: true })).toBe(
      to_text(trace_execution(execution), { stages: true }),
    )
  })

  it('is told from files by its looks', () => {
    expect(looks_like_token('toct1.abc')).toBe(true)
    expect(looks_like_token('toct1.abc.json')).toBe(false)
    expect(looks_like_token('trace.json')).toBe(false)
    expect(looks_like_token('overlay-copy-up')).toBe(false)
  })
})

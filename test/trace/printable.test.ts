import { describe, expect, it } from 'vitest'
import { characters_of, is_seen, readable, readable_message } from '../../src/scenario/characters.ts'
import { quote } from '../../src/scenario/strace.ts'
import { trace_execution } from '../../src/trace/record/execution.ts'
import { to_mermaid } from '../../src/trace/render/mermaid.ts'
import { printable, printable_json, printable_lines } from '../../src/trace/render/printable.ts'
import { counterexample, READ_RACE, scenarios } from './executions.ts'

/** A character of each kind that must not reach a terminal. */
const hidden = [
  '\0',
  '\x07',
  '\x1b',
  '\r',
  '\x7f',
  '\x9b',
  '\xad',
  '\u061c',
  '\u200b',
  '\u200d',
  '\u200e',
  '\u2028',
  '\u2029',
  '\u202e',
  '\u2060',
  '\u2066',
  '\u2069',
  '\ufeff',
  '\u{e0041}',
  '\ud800',
  '\udfff',
]

const bytes_of = (text: string) => String.fromCharCode(...new TextEncoder().encode(text))

describe('text', () => {
  it('has every character that cannot be seen escaped, and no other', () => {
    for (const char of hidden) {
      expect(is_seen(char)).toBe(false)
      expect(printable(`a${char}b`)).toMatch(/^a\\[\w{}]+b$/)
    }
    expect(printable('a\x1b[31mb\x9b\u202e\u{e0041}\ud800c')).toBe('a\\33[31mb\\233\\u202e\\u{e0041}\\ud800c')
    for (const text of ['plain "text" \\ here', 'Größe', '中文', 'é̂', '👩', '→ ✓ │'])
      expect(printable(text)).toBe(text)
    expect(printable_lines('a\nb\rc')).toBe('a\nb\\rc')
  })

  it('in JSON says the same', () => {
    const value = { [hidden.join('')]: hidden, ['__proto__']: 'ü\n' }
    const json = printable_json(JSON.stringify(value, null, 2))
    expect(json.replace(/\n/g, '')).toSatisfy(is_seen)
    expect(JSON.parse(json)).toEqual(value)
    expect(json).toContain('ü')
  })
})

describe('names and bytes of the model', () => {
  it('are shown as the UTF-8 that they are, and other bytes as C writes them', () => {
    for (const text of ['ü', '中文', '👩', 'aüb']) {
      expect(readable(bytes_of(text))).toBe(text)
      expect(quote(bytes_of(text))).toBe(`"${text}"`)
    }
    expect(readable('\xfc')).toBe('\\374')
    expect(readable('\xe4\xb8')).toBe('\\344\\270')
    expect(readable('\xc0\xaf')).toBe('\\300\\257')
    // A surrogate written as UTF-8 is none.
    expect(readable('\xed\xa0\x80')).toBe('\\355\\240\\200')
    expect(quote('\xfc1')).toBe('"\\3741"')
    expect(quote(bytes_of('\u202e1'))).toBe('"\\342\\200\\2561"')
    expect(readable_message(`${bytes_of('ü')}: 3 bytes`)).toBe('ü: 3 bytes')
    expect(readable_message('ü: 3 bytes')).toBe('ü: 3 bytes')
  })

  it('are cut between characters, never within one', () => {
    expect(quote(bytes_of('aaaü'), 4)).toBe('"aaa"...')
    expect(quote(bytes_of('aaaü'), 5)).toBe('"aaaü"')
  })

  it('are all there', () => {
    let bytes = ''
    for (let i = 0; i < 2000; i++) bytes += String.fromCharCode((i * 7919 + (i >> 3)) & 0xff)
    expect([...characters_of(bytes)].map((each) => each.bytes).join('')).toBe(bytes)
  })
})

it('a diagram has nothing of others that Mermaid or a page takes for its own', () => {
  const trace = trace_execution(counterexample(scenarios['overlay-copy-up'], READ_RACE))
  const evil =
    '%%{init: {"securityLevel": "loose"}}%% <img src=x onerror=alert(1)> $$\\htmlData{x}$$ a;b #quot; &lt;'
  const tasks = trace.tasks.map((task) => ({ ...task, name: evil }))
  const text = to_mermaid({ ...trace, scenario: evil, case: evil, profile: evil, tasks })
  expect(text).not.toMatch(/%%|<(?!br\/>)|\$\$|&lt;/)
  expect(text.replace(/#\d+;/g, '')).not.toMatch(/;/)
})

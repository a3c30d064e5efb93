/** Names, bytes and options of strangers: whatever is printed, no character of theirs acts. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run_command_line } from '../../src/cli/main.ts'
import { screened, wants_color } from '../../src/cli/terminal.ts'
import { is_seen } from '../../src/scenario/characters.ts'
import { width_of } from '../../src/trace/render/layout.ts'
import { fake_terminal, toctoscope } from './terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const HOSTILE = '\x1b]0;T\x07\x1b[31mred\u202e\x9b31m\u2028\u200b\x7f*/??/ "$(x)" \'`\ud800'

/** A race in which everything that may have any name has this one. */
function scenario(evil: string, params: object = { p: `v${evil}`, q: 1 }): object {
  const path = `/f${evil.replace(/\//g, '')}`
  const victim = [
    { call: 'open', args: [path, 'O_RDONLY'], as: 'fd' },
    { call: 'execveat', args: [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'], as: 'c' },
    { call: 'pread', args: [{ $: 'fd' }, 64, 0], as: 'b' },
    { use: 'b', relies: 'c' },
  ]
  const attacker = [
    { call: 'open', args: [path, 'O_WRONLY'], as: 'w' },
    { call: 'write', args: [{ $: 'w' }, `evil${evil}`], as: 'n' },
    { call: 'rename', args: [path, `${path}2`], as: 'r' },
  ]
  return {
    toctoscope: 1,
    name: 'hostile',
    summary: `s${evil}`,
    cases: [1, 2].map((n) => ({
      params: { ...params, n },
      setup: {
        filesystems: {
          root: { type: 'tmpfs', tree: { [path.slice(1)]: { file: `good${evil}`, mode: 0o777 } } },
        },
        mounts: [{ at: '/', filesystem: 'root' }],
      },
      tasks: [
        { name: 'victim', role: 'victim', program: victim },
        { name: 'attacker', role: 'attacker', program: attacker },
      ],
      properties: ['check-use', { never: { 'attacker.n': 9 }, name: `never${evil}` }],
    })),
  }
}

function file(name: string, content: object): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

const lines_are_seen = (text: string) => {
  for (const line of text.split(/[\n\t]/)) expect(line).toSatisfy(is_seen)
}

/** Runs the command line and looks at all that it prints. */
async function looked_at(...args: string[]) {
  const output = await toctoscope(...args)
  lines_are_seen(output.out)
  lines_are_seen(output.err)
  expect(output.err).not.toContain('this is a bug')
  return output
}

const shown_file = fileURLToPath(new URL('../cases/scenarios/terminal-escapes.json', import.meta.url))
const VERBS: readonly (readonly string[])[] = [
  ['explore', 'FILE'],
  ['explore', 'FILE', '--json'],
  ['explore', 'FILE', '--stages', '--width', '60'],
  ['show', 'FILE'],
  ['show', 'FILE', '--format', 'json'],
  ['show', 'FILE', '--format', 'mermaid'],
  ['run', 'FILE', '--stages'],
  ['run', 'FILE', '--seed', '3', '--format', 'json'],
  ['repro', 'FILE', '-o', '-'],
]

describe('a scenario full of characters that act', () => {
  it.each(VERBS)('%s %s %s %s', async (...words) => {
    for (const path of [shown_file, file('hostile.json', scenario(HOSTILE.replace('\ud800', '')))]) {
      const { code, out } = await looked_at(...words.map((word) => (word === 'FILE' ? path : word)))
      expect(code).toBeLessThan(7)
      if (words.includes('--json') || words.includes('json')) expect(() => JSON.parse(out)).not.toThrow()
    }
  })

  it('is a C program that a compiler has nothing to say about', async () => {
    const { out } = await looked_at('repro', file('c.json', scenario('*/ /* ??/ \\ \u202e "%s"')), '-o', '-')
    const { stderr } = spawnSync('cc', ['-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-xc', '-'], {
      input: out,
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(out).toContain('static void task_victim')
  })

  it('is said by JSON to have the names that it has', async () => {
    const evil = HOSTILE.replace('\ud800', '')
    const path = file('said.json', scenario(evil))
    const { cases } = JSON.parse((await looked_at('explore', path, '--json')).out)
    expect(cases[0].params).toEqual({ p: `v${evil}`, q: 1, n: 1 })
    expect(JSON.parse((await looked_at('run', path, '--format', 'json')).out).summary).toBe(`s${evil}`)
  })

  it('is replayed and stepped through', async () => {
    const path = file('replayed.json', scenario(HOSTILE.replace('\ud800', '')))
    const { token } = JSON.parse((await looked_at('explore', path, '--json')).out).cases[0]
    for (const option of [[], ['--stages'], ['--step']]) await looked_at('replay', token, path, ...option)
    await looked_at('replay', token)
    const trace = join(folder, 'trace.json')
    writeFileSync(trace, (await looked_at('show', path, '--format', 'json')).out)
    await looked_at('show', trace)
    await looked_at('replay', trace)
  })

  it('is played on the kernel', async () => {
    await looked_at('confirm', file('confirmed.json', scenario(HOSTILE.replace('\ud800', ''))), '--all')
  })
})

it('UTF-8 names are shown as they are', async () => {
  const tree = { 'scr;ipt "ü" 中': { file: 'größe', mode: 0o777 } }
  const path = '/scr;ipt "ü" 中'
  const program = [
    { call: 'open', args: [path, 'O_WRONLY'], as: 'w' },
    { call: 'write', args: [{ $: 'w' }, 'ä'] },
    { call: 'open', args: [path, 'O_RDONLY|O_DIRECTORY'] },
  ]
  const filesystems = { root: { type: 'tmpfs', tree } }
  const setup = { filesystems, mounts: [{ at: '/', filesystem: 'root' }] }
  const cases = [{ setup, tasks: [{ name: 'a', program }] }]
  const shown = file('utf8.json', { toctoscope: 1, name: 'utf8', summary: 'ü', cases })
  for (const option of [[], ['--stages'], ['--format', 'json'], ['--format', 'mermaid']]) {
    const { code, out } = await looked_at('run', shown, ...option)
    expect(code).toBe(0)
    expect(out).toMatch(/ipt .*ü.* 中/)
    // In JSON contents and keys of rows stay bytes.
    if (!option.includes('json')) expect(out).not.toMatch(/\\[0-7]{3}|[ÃÂ]/)
  }
  const { out } = await looked_at('run', shown)
  expect(out).toContain('write(3, "ä", 2)')
  expect(out).toContain('- "größe"')
  // A character of two bytes is overwritten in part.
  expect(out).toContain('+ "äöße"')
  for (const line of out.split('\n')) expect(width_of(line)).toBeLessThanOrEqual(100)
})

describe('words of a command line that act', () => {
  const evil = HOSTILE.replace(/\//g, '')
  it.each([
    ['explore', `./${evil}.ts`],
    ['explore', evil],
    ['explore', shown_file, '--case', `${evil}=1`],
    ['explore', shown_file, '--case', evil],
    ['explore', shown_file, `--${evil}`],
    ['explore', shown_file, '--max-states', evil],
    ['run', shown_file, '--schedule', `${evil}:1`],
    ['run', shown_file, '--schedule', `victim:${evil}`],
    ['replay', `toct1.${evil}`],
    ['replay', `${evil}.json`],
    ['show', evil],
    ['show', shown_file, '--format', evil],
    ['confirm', evil],
    ['repro', evil, '-o', '-'],
    ['repro', shown_file, '-o', `/nowhere${evil}/x.c`],
    ['conform', '--only', evil],
    ['shell', evil],
    ['help', evil],
    [evil],
  ])('%s %s', async (...args) => {
    const { code } = await looked_at(...args)
    expect(code).toBeGreaterThan(0)
    expect(code).toBeLessThan(7)
  })

  it('and what the schema says of a file', async () => {
    const wrong = { ...scenario(evil), [evil]: 1 }
    await looked_at('explore', file('unknown.json', wrong))
    await looked_at(
      'explore',
      file('deep.json', { toctoscope: 1, name: 'x', summary: 'x', cases: [{ [evil]: 1 }] }),
    )
  })
})

describe('random texts', () => {
  /** Characters of every kind, each with its neighbours. */
  const alphabet = [
    'a',
    '"',
    '\\',
    '\n',
    ' ',
    '\0',
    '\x1b',
    '[',
    'm',
    '\x9b',
    '\u202e',
    '\u2029',
    'ü',
    '中',
    '👩',
    '\xff',
  ]
  const random = (seed: number) =>
    Array.from(
      { length: 12 },
      (_, i) => alphabet[(seed * 31 + i * i * 17 + seed * i) % alphabet.length],
    ).join('')

  it.each([1, 2, 3, 4, 5, 6])('number %s', async (seed) => {
    const evil = random(seed).replace(/\0/g, '')
    const path = file(`random${seed}.json`, scenario(evil))
    for (const words of VERBS) {
      const { code } = await looked_at(...words.map((word) => (word === 'FILE' ? path : word)))
      expect(code).toBeLessThan(7)
    }
  })
})

it('parameters may be called as what every object has', async () => {
  const params = { constructor: 'b', toString: 1 }
  const path = file('names.json', scenario('', params))
  const { cases } = JSON.parse((await looked_at('explore', path, '--json')).out)
  expect(cases[0].params).toEqual({ ...params, n: 1 })
  expect((await looked_at('explore', path, '--case', 'constructor=b,n=2', '--json')).out).toContain('"n": 2')
  expect((await looked_at('explore', path, '--case', 'hasOwnProperty=a')).code).toBe(2)
  expect((await looked_at('explore', path, '--case', '__proto__=a')).code).toBe(2)
})

describe('the terminal', () => {
  it('lets styles through where it has colour, and nothing else', () => {
    const { terminal, written } = fake_terminal({ color: true, interactive: true })
    const { out, err } = screened(terminal)
    out('\x1b[1m\x1b[31mred\x1b[39m\x1b[22m \x1b[5mblinks \x1b[2J\r\n')
    expect(written.out).toBe('\x1b[1m\x1b[31mred\x1b[39m\x1b[22m \\33[5mblinks \\33[2J\\r\n')
    err('\r\x1b[K1 of 2 \x1b[K')
    expect(written.err).toBe('\r\x1b[K1 of 2 \\33[K')
    const plain = fake_terminal()
    screened(plain.terminal).out('\x1b[1mx')
    expect(plain.written.out).toBe('\\33[1mx')
  })

  it('has colour where NO_COLOR, FORCE_COLOR and TERM say so, in this order', () => {
    expect(wants_color({}, true)).toBe(true)
    expect(wants_color({}, false)).toBe(false)
    expect(wants_color({ TERM: 'dumb' }, true)).toBe(false)
    expect(wants_color({ NO_COLOR: '1' }, true)).toBe(false)
    expect(wants_color({ NO_COLOR: '' }, true)).toBe(true)
    expect(wants_color({ FORCE_COLOR: '1' }, false)).toBe(true)
    expect(wants_color({ FORCE_COLOR: '1', TERM: 'dumb' }, false)).toBe(true)
    expect(wants_color({ FORCE_COLOR: '0' }, true)).toBe(false)
    expect(wants_color({ FORCE_COLOR: '' }, false)).toBe(false)
    expect(wants_color({ FORCE_COLOR: '3', NO_COLOR: '1' }, true)).toBe(false)
  })

  it('of a person who watches shows no name that acts in a line of progress', async () => {
    let now = 0
    const { terminal, written } = fake_terminal({ color: true, interactive: true, now: () => (now += 700) })
    await run_command_line(['explore', shown_file], terminal)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: our own sequences
    const rest = (written.out + written.err).replace(/\x1b\[\d+m|\r\x1b\[K/g, '')
    lines_are_seen(rest)
  })

  it('is written to in one place only', () => {
    const sources = new URL('../../src/cli/', import.meta.url)
    const writes =
      /process\.std(out|err)(?!\.(columns|isTTY)\b)|\bconsole\.(log|error|warn|info|debug)|\bwrite(v)?Sync\(|\/dev\/(stdout|stderr|tty)/
    const writers = readdirSync(sources).filter((name) =>
      writes.test(readFileSync(new URL(name, sources), 'utf8')),
    )
    // What starts the program has nothing of others to say.
    expect(writers).toEqual(['start.ts', 'terminal.ts'])
    for (const part of ['trace', 'shell', 'oracle', 'explore', 'scenario']) {
      const below = new URL(`../../src/${part}/`, import.meta.url)
      for (const name of readdirSync(below).filter((each) => each.endsWith('.ts')))
        expect(`${name}: ${writes.test(readFileSync(new URL(name, below), 'utf8'))}`).toBe(`${name}: false`)
    }
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { first_line, LoadError, place_in, tell_error } from '../../src/cli/errors.ts'
import { load_scenario, read_json, shipped_names } from '../../src/cli/load.ts'
import { initialize, resolve } from '../../src/cli/resolve.ts'
import { process_terminal } from '../../src/cli/terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function problem(path: string): Promise<string> {
  try {
    await load_scenario(path)
  } catch (error) {
    if (error instanceof LoadError) return error.message.replace(`${folder}/`, '')
    throw error
  }
  return 'none'
}

describe('loading', () => {
  it('finds every shipped scenario, under its own name', async () => {
    for (const name of shipped_names()) expect((await load_scenario(name)).name).toBe(name)
    expect(shipped_names()).toContain('overlay-copy-up')
  })

  it('says what is wrong with code', async () => {
    expect(await problem(file('throws.mjs', '\n  throw new Error("boo")\n'))).toMatch(
      /^throws\.mjs.* throws while it is loaded: Error: boo$/,
    )
    expect(await problem(file('imports.mjs', 'import "not-there"\n'))).toMatch(
      /^imports\.mjs cannot be loaded: Cannot find package 'not-there'/,
    )
    expect(await problem(file('number.mjs', 'export default 7\n'))).toMatch(/its default export is a number/)
    expect(await problem(file('named.mjs', 'export const a = 1, b = 2\n'))).toMatch(
      /it exports a, b, but has no default export/,
    )
    expect(await problem(file('list.mjs', 'export default []\n'))).toMatch(/its default export is a list/)
    expect(await problem(file('null.mjs', 'export default null\n'))).toMatch(/its default export is null/)
    expect(await problem(file('bad-form.mjs', 'export default { toctoscope: 1, name: 3 }\n'))).toMatch(
      /^bad-form\.mjs: name: /,
    )
  })

  it('says what is wrong with data', async () => {
    expect(await problem(file('cut.json', '{"toctoscope": 1, "cases": ['))).toBe(
      'cut.json: the file is cut short: it ends in line 1, in the middle of a value',
    )
    expect(await problem(file('no.json', 'hello'))).toMatch(/^no\.json: not JSON/)
    expect(await problem(file('trace.json', '{"toctoscope_trace": 1}'))).toMatch(
      /this is a trace, not a scenario/,
    )
    expect(await problem(file('x.txt', ''))).toMatch(/expected a scenario in \.ts, \.js, \.mjs or \.json/)
    expect(await problem(join(folder, 'missing.json'))).toBe('missing.json: there is no such file')
    expect(() => read_json(folder)).toThrow('not a file')
  })

  it('takes a form from JSON and from code, and a default export of CommonJS', async () => {
    const form = { toctoscope: 1, name: 'x', summary: 'y', cases: [{ tasks: [{ name: 'a', program: [] }] }] }
    const from_json = await load_scenario(file('form.json', JSON.stringify(form)))
    const from_code = await load_scenario(file('form.mjs', `export default ${JSON.stringify(form)}\n`))
    const from_cjs = await load_scenario(
      file('form.cjs', `exports.__esModule = true; exports.default = ${JSON.stringify(form)}\n`),
    )
    for (const each of [from_json, from_code, from_cjs])
      expect(each).toMatchObject({ name: 'x', summary: 'y' })
    expect(from_code.cases[0]!.form).toEqual(from_json.cases[0]!.form)
  })
})

describe('the resolver of a user’s imports', () => {
  it('means this program by its name, and TypeScript as modules', async () => {
    initialize({ source: 'file:///here/dist/src/' })
    const next = async (specifier: string) => ({ url: specifier, format: 'commonjs' })
    expect((await resolve('toctoscope', {}, next)).url).toBe('file:///here/dist/src/index.js')
    expect((await resolve('toctoscope/fast-check', {}, next)).url).toBe('file:///here/dist/src/fast-check.js')
    expect(await resolve('file:///a/mine.ts', {}, next)).toEqual({
      url: 'file:///a/mine.ts',
      format: 'module',
    })
    expect((await resolve('file:///a/other.js', {}, next)).format).toBe('commonjs')
    expect((await resolve('file:///a/node_modules/x/y.ts', {}, next)).format).toBe('commonjs')
  })
})

describe('errors', () => {
  it('are said in one line', () => {
    expect(first_line(new Error(''))).toBe('Error')
    expect(first_line(new TypeError('a\nb'))).toBe('TypeError: a')
    expect(first_line(undefined)).toBe('undefined')
  })

  it('are placed in the file that they come from', () => {
    const error = new Error('x')
    error.stack = 'Error: x\n    at f (file:///a/mine.ts?tsx=1:3:7)\n    at g (/b/other.ts:9)'
    expect(place_in(error, '/a/mine.ts')).toBe('/a/mine.ts:3:7')
    expect(place_in(error, '/b/other.ts')).toBe('/b/other.ts:9')
    expect(place_in(error, '/c.ts')).toBeNull()
    expect(tell_error(error, ['/a/mine.ts'])).toEqual({
      text: "/a/mine.ts:3:7: the scenario's code throws Error: x",
      code: 3,
    })
  })
})

describe('the terminal of the process', () => {
  it('has the width of a pipe and no colour where it is none', () => {
    const terminal = process_terminal()
    expect(terminal.width).toBeGreaterThanOrEqual(60)
    if (!process.stdout.isTTY) expect(terminal).toMatchObject({ width: 100, color: false })
    expect(terminal.now()).toBeLessThanOrEqual(terminal.now())
  })
})

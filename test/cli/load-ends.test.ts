/** Scenario files that are code: whatever they do, loading ends, and what was wrong is said in words. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { remember_builtins } from '../../src/cli/builtins.ts'
import { first_line, LoadError, place_in } from '../../src/cli/errors.ts'
import { load_scenario } from '../../src/cli/load.ts'
import { program, STACK } from './terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Places {
  readonly top?: string
  readonly build?: string
  readonly expected?: string
  readonly params?: string
}

/** A scenario of the user's, with something at one of the places where its code runs. */
function file(name: string, { top = '', build = '', expected = '', params = '' }: Places): string {
  writeFileSync(
    join(folder, name),
    `import { scenario } from 'toctoscope'
${top}
export default scenario(import.meta, {
  name: 'mine', summary: 'a race', params: { n: [1]${params} },
  build(s) {
    ${build}
    s.mount('/', s.filesystem('disk', { type: 'ext4', tree: { script: { file: 'good', mode: 0o755 } } }))
    const victim = s.victim('victim')
    const fd = victim.open('/script', 'O_RDONLY')
    const check = victim.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    victim.use(victim.read(fd, 64), { relies: check })
    const attacker = s.attacker('attacker')
    attacker.write(attacker.open('/script', 'O_WRONLY'), 'evil')
  },
  expect() {
    ${expected}
    return 'race'
  },
})
`,
  )
  return name
}

/** Runs the compiled program beside others, as a user would. */
async function run(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const written = { out: '', err: '' }
  child.stdout.on('data', (text) => (written.out += text))
  child.stderr.on('data', (text) => (written.err += text))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(written.err).not.toMatch(STACK)
  return { code, ...written }
}

const LONG = 60_000

describe('code that never ends', () => {
  const places: Readonly<Record<string, Places>> = {
    top: { top: 'for (;;) {}' },
    build: { build: 'for (;;) {}' },
    expected: { expected: 'for (;;) {}' },
    params: { params: ', get p() { for (;;) {} }' },
    awaits: { top: 'setInterval(() => {}, 1000); await new Promise(() => {})' },
    turns: { top: 'for (;;) await null' },
  }

  it(
    'is ended after --load-time, wherever it stands and whatever loads it',
    async () => {
      const verbs = [['explore'], ['show'], ['run'], ['confirm'], ['repro', '-o', '-'], ['shell']]
      const all = Object.entries(places).map(async ([name, place], i) => {
        const given = file(`${name}.mjs`, place)
        const { code, out, err } = await run(...verbs[i]!, given, '--load-time', '1500ms')
        expect(err).toContain(
          `${given} is not loaded after 1.5 s: it runs or waits for ever (or raise --load-time)`,
        )
        expect(err).toContain(`When it is mended: npx toctoscope explore ${given}`)
        expect([code, out]).toEqual([3, ''])
      })
      await Promise.all(all)
    },
    LONG,
  )

  it(
    'may print for ever: so much is shown, as talk',
    async () => {
      const given = file('prints.mjs', { top: 'for (;;) console.log("again \\x1b[31m" + "x".repeat(5000))' })
      const { code, out, err } = await run('explore', given, '--load-time', '3s')
      expect([code, out]).toEqual([3, ''])
      expect(err).toContain('again \\33[31mxxx')
      expect(err).toContain('toctoscope: the scenario prints more, which is left out\n')
      expect(err).toContain('is not loaded after 3 s')
      expect(err.length).toBeLessThan(100_000)
    },
    LONG,
  )
})

it(
  'what code prints is no part of a document, and what it leaves running does not keep the program',
  async () => {
    const given = file('talks.mjs', {
      top: 'setInterval(() => {}, 1000); process.stdout.write("top\\n"); try { delete process.stdout.write } catch {}',
      build: 'console.log("build")',
    })
    const { code, out, err } = await run('explore', given, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out).cases).toHaveLength(1)
    expect(err).toMatch(/^top\n/)
  },
  LONG,
)

it(
  'code that throws where nobody catches is told',
  async () => {
    const later = 'await new Promise((resolve) => setTimeout(resolve, 5000))'
    const given = [
      file('later.mjs', { top: `setTimeout(() => { throw null }, 0); ${later}` }),
      file('rejects.mjs', { top: `Promise.reject(new Error('boo')); ${later}` }),
    ]
    const [thrown, rejected] = await Promise.all(given.map((each) => run('explore', each)))
    expect(thrown).toMatchObject({ code: 3, err: expect.stringContaining('throws while it is loaded: null') })
    expect(rejected).toMatchObject({ code: 3, err: expect.stringContaining('is loaded: Error: boo') })
  },
  LONG,
)

/** Files whose code is data already: those need no import. */
async function problem(top: string): Promise<string> {
  const path = join(folder, `p${Math.random()}.mjs`)
  writeFileSync(path, `${top}\nexport default { toctoscope: 1 }\n`)
  const error = await load_scenario(path).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(LoadError)
  return (error as Error).message.replace(path, 'FILE')
}

describe('built-in objects that are replaced', () => {
  it.each([
    ['globalThis.JSON = null', 'JSON'],
    ['delete globalThis.WeakMap', 'WeakMap'],
    ['JSON.parse = () => 1', 'JSON.parse'],
    ['Object.prototype.x = 1', 'Object.prototype.x'],
    ['Array.prototype.at = () => 0', 'Array.prototype.at'],
    ['delete String.prototype.replace; throw 1', 'String.prototype.replace'],
    ['Object.defineProperty(Map.prototype, "size", { get: () => 1 })', 'Map.prototype.size'],
  ])('%s', async (code, name) => {
    expect(await problem(code)).toBe(
      `FILE replaces ${name}: this program needs the built-in objects of JavaScript as they are`,
    )
  })

  it('are put back', () => {
    const { replace } = String.prototype
    const put_back = remember_builtins()
    String.prototype.replace = () => ''
    Object.assign(Object.prototype, { mine: 1 })
    expect(put_back()).toEqual(['Object.prototype.mine', 'String.prototype.replace'])
    expect(String.prototype.replace).toBe(replace)
    expect('mine' in {}).toBe(false)
    expect(put_back()).toEqual([])
  })
})

it('anything can be thrown', async () => {
  const thrown: Readonly<Record<string, string>> = {
    null: 'null',
    undefined: 'undefined',
    '1n': '1',
    'Symbol("s")': 'Symbol(s)',
    '(() => { const o = {}; o.o = o; return o })()': '[object Object]',
    'Object.create(null, { toJSON: { value() { throw 1 } } })': 'what cannot be shown',
    'Object.assign(new Error("x"), { message: 7, stack: 8 })': 'Error: 7',
  }
  for (const [code, said] of Object.entries(thrown))
    expect(await problem(`throw ${code}`)).toBe(`FILE throws while it is loaded: ${said}`)
  const hostile = Object.defineProperty(new Error('x'), 'stack', {
    get() {
      throw 1
    },
  })
  expect(place_in(hostile, 'x')).toBeNull()
  expect(first_line(new Proxy(hostile, { get: () => Symbol('x') }))).toMatch(/cannot be shown|Symbol/)
})

/** What the documents show is what the program prints. `npm run docs` makes it anew. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CodeBlock, code_blocks, files_of, in_folder, regenerate } from '../../tools/docs.js'

const generated = await regenerate()

describe('documents', () => {
  it.each([...generated])('%s is as `npm run docs` makes it', (path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it('show the output of at least the lesson', () => {
    expect([...generated.keys()]).toContain('docs/lessons/1-the-read-race.md')
  })
})

/** Pages for people who write code; what docs/machine.md shows is code of the engine. */
const pages = [
  'README.md',
  ...readdirSync('docs').flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
]
const programs = pages
  .filter((path) => path !== 'docs/machine.md')
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
  .map((page) => ({ ...page, blocks: code_blocks(page.text) }))
  .filter(({ blocks }) => blocks.length > 0)

/** A part of a program, in a scenario whose parts it may name: `s`, `victim`, `attacker`, `fd`, `check`. */
function framed(part: string): string {
  const disk = `s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { script: { file: 'good', mode: 0o755 } } }))`
  return `import { define_module, scenario } from 'toctoscope'
export default scenario({
  name: 'part',
  summary: 'A part of a program',
  build(s) {
    ${part.includes("s.mount('/'") ? '' : disk}
    const victim = s.victim('victim')
    const attacker = s.attacker('attacker')
    const fd = victim.open('/script', 'O_RDONLY')
    const check = victim.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    {
${part}
    }
    void [define_module, attacker, check]
  },
})
`
}

/** All that a page shows or uses, as files: parts of programs each in a scenario of its own. */
const files_in = ({ text, blocks }: { text: string; blocks: readonly CodeBlock[] }) => [
  ...files_of(text),
  ...blocks.flatMap((block, i) =>
    block.file === undefined ? [{ file: `part-${i + 1}.ts`, text: framed(block.text) }] : [],
  ),
]

const TYPES = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  },
}

/** Runs a program of this package in a folder. @returns what it says, and the exit code */
function run(folder: string, program: string, ...args: string[]): { code: number; said: string } {
  const file = join(process.cwd(), program)
  const { FORCE_COLOR: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    cwd: folder,
    env: { ...env, NO_COLOR: '1' },
    encoding: 'utf8',
  })
  return { code: status ?? -1, said: stdout + stderr }
}

describe.each(programs)('the code of $path', (page) => {
  it('has one file of each name', () => {
    const names = files_in(page).map(({ file }) => file)
    expect(names).toEqual([...new Set(names)])
  })

  it('compiles, with the types that a user has', () => {
    const files = [...files_in(page), { file: 'tsconfig.json', text: JSON.stringify(TYPES) }]
    const told = in_folder(files, (folder) => run(folder, 'node_modules/typescript/bin/tsc', '-p', '.'))
    expect(told).toEqual({ code: 0, said: '' })
  })

  it('can be explored where it is a scenario', () => {
    const scenarios = files_in(page).filter(({ text }) => /^export default|"toctoscope"/m.test(text))
    if (scenarios.length === 0) return
    const names = scenarios.map(({ file }) => file)
    const { code, said } = in_folder(files_in(page), (folder) =>
      run(folder, 'dist/src/cli/start.js', 'explore', ...names, '--max-states', '20k'),
    )
    expect(said).not.toMatch(/^toctoscope: /m)
    expect([0, 1, 4]).toContain(code)
  })
})

describe('what the documents say of their code', () => {
  const page_of = (path: string) => programs.find((page) => page.path === path)!

  it('the scenario of the README has its verdicts', () => {
    const { code, said } = in_folder(files_in(page_of('README.md')), (folder) =>
      run(folder, 'node_modules/tsx/dist/cli.mjs', 'my-first-race.ts'),
    )
    expect(said).toMatch(/2 cases: 1 race, 1 safe/)
    expect(code).toBe(0)
  })

  it.each([
    ['docs/scenarios.md', 4],
    ['docs/fast-check.md', 2],
  ])('the tests of %s pass', (path, tests) => {
    const { code, said } = in_folder(files_in(page_of(path)), (folder) =>
      run(folder, 'node_modules/vitest/vitest.mjs', 'run', '--root', folder),
    )
    expect(said).toContain(`Tests  ${tests} passed`)
    expect(code).toBe(0)
  })
})

/** What the documents show is what the program prints. `npm run docs` makes it anew. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { regenerate } from '../../tools/docs.js'

const generated = await regenerate()

describe('documents', () => {
  it.each([...generated])('%s is as `npm run docs` makes it', (path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it('show the output of at least the lesson', () => {
    expect([...generated.keys()]).toContain('docs/lessons/1-the-read-race.md')
  })
})

describe('the scenario of the README', () => {
  const [scenario, module] = [...readFileSync('README.md', 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
    (block) => block[1]!,
  )

  /** Explores a file with this text in a folder of its own. @returns what is printed; throws if the exit code is not 0 */
  function explore(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'toctoscope-readme-'))
    try {
      writeFileSync(join(folder, 'my-first-race.ts'), text)
      const program = join(process.cwd(), 'dist/src/cli/main.js')
      return execFileSync(process.execPath, [program, 'explore', 'my-first-race.ts'], {
        cwd: folder,
        encoding: 'utf8',
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it('has the verdicts that it says', () => {
    expect(explore(scenario!)).toMatch(/2 cases: 1 race, 1 safe/)
  })

  it('takes the security module that stands below it', () => {
    const with_module = scenario!
      .replace('{ scenario }', '{ define_module, scenario }')
      .replace('    const interpreter = s.victim', `${module}    const interpreter = s.victim`)
    expect(with_module).toContain('nothing-from-home')
    expect(explore(with_module)).toMatch(/2 cases: 1 race, 1 safe/)
  })
})

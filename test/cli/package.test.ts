/** What is published cites no file that only the repository has. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** Files of ours as texts name them; those of the kernel lie in other folders. */
const PATH = /(?<![\w./-])(?:(?:src|test|tools|bench|docs|scenarios|web|dist)\/[\w./*-]*[\w*]|[A-Z]+\.md)/g

/** Its scripts are for the repository, and who installs the package does not run them. */
const NOT_READ = ['package.json']

/** Where `conform` saves a difference, if it is there: in the repository. */
const SOUGHT = ['test/conformance/cases']

function shipped_files(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const told = execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const [{ files }] = JSON.parse(told) as [{ files: { path: string }[] }]
  return files.map(({ path }) => path)
}

const folders_above = (path: string): string[] => {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}

describe('the package', () => {
  const files = shipped_files()
  const there = new Set([...files, ...files.flatMap(folders_above), ...SOUGHT])

  it('has the program, the scenarios in both forms, and the documents', () => {
    for (const path of [
      'README.md',
      'dist/src/index.d.ts',
      'dist/src/cli/start.js',
      'dist/scenarios/overlay-copy-up.js',
      'scenarios/overlay-copy-up.ts',
      'docs/scenarios.md',
      'docs/scenario.schema.json',
    ])
      expect(files).toContain(path)
  })

  it('cites no file that it does not have', () => {
    const cited = files
      .filter((path) => /\.(md|ts|js|json|c|h)$/.test(path) && !NOT_READ.includes(path))
      .flatMap((path) => (readFileSync(path, 'utf8').match(PATH) ?? []).map((named) => ({ path, named })))
    expect(cited.length).toBeGreaterThan(20)
    expect(cited.filter(({ named }) => !there.has(named))).toEqual([])
  })

  it('has no link in its documents that leads nowhere', () => {
    const broken = files
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) => {
        const links = readFileSync(path, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)
        const base = new URL(path, 'file:///')
        return [...links].map(([, link]) => new URL(link!, base).pathname.slice(1))
      })
    expect(broken.filter((path) => !there.has(path))).toEqual([])
  })
})

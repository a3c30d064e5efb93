/** The engine in a browser: bundled whole, and run where there is neither process, require nor Buffer. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import { search_in_browser } from './entry.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a browser's worker has besides the language itself, as far as the engine and fast-check use it. */
const browser = {
  atob,
  btoa,
  crypto,
  TextEncoder,
  TextDecoder,
  URL,
  queueMicrotask,
  setTimeout,
  clearTimeout,
}

/** Every source file but those that need the machine they run on. */
function engine_files(): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/^(cli|oracle)[\\/]/.test(file))
    .sort()
}

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(root, 'test/browser'), loader: 'ts' },
    alias: { toctoscope: join(root, 'src/index.ts') },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundled',
    target: 'es2023',
    write: false,
    logLevel: 'silent',
  })
  return outputFiles[0]!.text
}

describe('the engine without Node', () => {
  it('bundles for a browser, every file of it', async () => {
    const files = engine_files()
    expect(files).toContain(join('kernel', 'machine.ts'))
    const text = await bundle(files.map((file) => `import ${JSON.stringify(`../../src/${file}`)}`).join('\n'))
    expect(runInContext(`${text};'ran'`, createContext({ ...browser }))).toBe('ran')
  })

  it('would not bundle if anything imported a module of Node', async () => {
    const bad = `import { readFileSync } from 'node:fs'\nexport const read = readFileSync`
    await expect(bundle(bad)).rejects.toThrow(/Could not resolve "node:fs"/)
  })

  it('finds the read race in the bundle, as here', async () => {
    const text = await bundle(`export { search_in_browser } from './entry.ts'`)
    const context = createContext({ ...browser })
    runInContext(text, context)
    for (const name of ['process', 'require', 'Buffer', 'setImmediate'])
      expect(runInContext(`typeof ${name}`, context), name).toBe('undefined')
    const form = JSON.stringify(overlay_copy_up.form)
    const found: unknown = JSON.parse(
      runInContext(`bundled.search_in_browser(${JSON.stringify(form)})`, context) as string,
    )
    expect(found).toMatchObject([
      { case: 'access=read mitigation=none profile=7.2', verdict: 'race', property: 'check-use' },
      { case: 'access=mmap-after mitigation=none profile=7.2', verdict: 'safe', property: null },
    ])
    expect(found).toEqual(JSON.parse(search_in_browser(form)))
  })
})

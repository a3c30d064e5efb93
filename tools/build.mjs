// Builds dist/ from src/ and scenarios/: compiles with tsc, copies what is not TypeScript (the agent's C source,
// HTML templates …) to the same place under dist/, removes outputs whose source is gone, and writes dist/.stamp.
//
//   node tools/build.mjs             build (tsc itself skips what has not changed)
//   node tools/build.mjs --if-stale  do nothing when no input is newer than the last successful build
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

const trees = ['src', 'scenarios']
const configs = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tools/build.mjs',
]
const stamp = 'dist/.stamp'
const bin = 'dist/src/cli/start.js'

const walk = (dir) =>
  existsSync(dir)
    ? readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []

const is_typescript = (file) => /\.[cm]?tsx?$/.test(file)
const source_of = (output) => output.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)(\.map)?$/, '')

const sources = trees.flatMap(walk)

/** Newer than the last build, or another set of files than the last build saw. */
function is_stale() {
  if (!existsSync(stamp)) return true
  const built = statSync(stamp).mtimeMs
  if ([...sources, ...configs].some((file) => statSync(file).mtimeMs > built)) return true
  const outputs = new Set(trees.flatMap((tree) => walk(`dist/${tree}`)))
  return sources.some((file) => !outputs.has(output_of(file))) || orphans().length > 0
}

function output_of(file) {
  if (/\.d\.[cm]?ts$/.test(file) || !is_typescript(file)) return join('dist', file)
  return join('dist', file.replace(/\.ts$/, '.js'))
}

function orphans() {
  const known = new Set(sources.flatMap((file) => [file, file.replace(/\.ts$/, '')]))
  return trees
    .flatMap((tree) => walk(`dist/${tree}`))
    .filter((output) => !known.has(source_of(output)) && !known.has(output.replace(/^dist\//, '')))
}

if (process.argv.includes('--if-stale') && !is_stale()) process.exit(0)

// The stamp says when the inputs were read, so an edit made while tsc runs makes the result stale.
const started = new Date()
rmSync(stamp, { force: true })
// tsc believes its .tsbuildinfo and would not write again an output that somebody removed.
if (sources.some((file) => !existsSync(output_of(file)))) rmSync('dist/.tsbuildinfo', { force: true })

const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')
const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
if (result.status !== 0) process.exit(result.status ?? 1)

for (const output of orphans()) rmSync(output)
for (const file of sources) {
  if (is_typescript(file) && !/\.d\.[cm]?ts$/.test(file)) continue
  mkdirSync(dirname(join('dist', file)), { recursive: true })
  copyFileSync(file, join('dist', file))
}
if (existsSync(bin)) chmodSync(bin, 0o755)
writeFileSync(stamp, `${started.toISOString()}\n`)
utimesSync(stamp, started, started)

// Changes the sources in one place at a time and runs the tests that reach the place: a change that no test notices
// has survived. Prints the share that was noticed, by directory, and the survivors.
//
//   node tools/mutation.mjs                      everything that is judged: hours, the first time
//   node tools/mutation.mjs src/explore          one directory or file, or several
//   node tools/mutation.mjs --sample 0.05 --seed 7
//                                                a twentieth of the lines, in windows, chosen by the seed
//   node tools/mutation.mjs --near src/explore   by the tests of the same rooms only: soon, and a score that is too low
//   node tools/mutation.mjs --seconds 60 ...     runs tests for so long, where none notices the change (10)
//
// The tests are those of vitest.mutation.config.ts. They run in a process that stays (mutation/), the nearest to the
// change first; a survivor may be one that only the slowest tests would notice, so --seconds is asked again before
// anyone believes it.
//
// What is evaluated as a source is loaded, and only then, is not judged: tables of numbers, lists of names, the names
// of stages. The stages themselves are functions in tables, and are judged like any other.
//
// What changes nothing that anyone could see is listed in mutation/equivalent.json with the reason: by file, text of the
// line and change, as in reports/mutation/survivors.txt. It is printed beside the survivors and not counted.
//
// What was found stays in reports/mutation/ and is used again for sources and tests that have not changed.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Stryker } from '@stryker-mutator/core'
import { JUDGED } from './mutation/judged.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** Lines of a window of a sample: long enough for a small function. */
const WINDOW = 8

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '2' },
    near: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
  },
})

const sources = (positionals.length === 0 ? JUDGED : positionals).flatMap((place) =>
  statSync(place).isFile()
    ? [place]
    : readdirSync(place, { recursive: true })
        .map((name) => join(place, name))
        .filter((name) => name.endsWith('.ts')),
)

/** A number between 0 and 1 for each draw: mulberry32. */
function draws(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function sampled(share, seed) {
  const draw = draws(seed)
  return sources.flatMap((source) => {
    const lines = readFileSync(source, 'utf8').split('\n').length
    const windows = []
    for (let from = 1; from <= lines; from += WINDOW)
      if (draw() < share) windows.push(`${source}:${from}-${Math.min(from + WINDOW - 1, lines)}`)
    return windows
  })
}

/** The test files that are run: all, or those of the rooms of the sources. */
const tests = values.near
  ? [...new Set(sources.map((source) => source.split('/').slice(0, 2).join('/').replace('src', 'test')))]
  : []

const share = Number(values.sample)
const mutate = share >= 1 ? sources : sampled(share, Number(values.seed))

mkdirSync('reports/mutation', { recursive: true })
const results = await new Stryker({
  mutate,
  plugins: [fileURLToPath(new URL('mutation/runner.mjs', import.meta.url))],
  testRunner: 'warm',
  warm: { seconds: Number(values.seconds), tests },
  coverageAnalysis: 'perTest',
  // Texts are for people; tests read the important ones.
  mutator: { excludedMutations: ['StringLiteral'] },
  incremental: !values.near,
  incrementalFile: 'reports/mutation/incremental.json',
  ignoreStatic: true,
  concurrency: Number(values.concurrency),
  // The runner knows of each test what it takes, and ends what does not end. This is for the runner itself.
  timeoutMS: 600_000,
  dryRunTimeoutMinutes: 30,
  tempDirName: 'reports/mutation/work',
  reporters: ['survivors', 'progress-append-only'],
  ignorePatterns: ['reports', 'coverage', '*.tgz'],
  allowEmpty: true,
  disableTypeChecks: false,
  checkers: [],
}).runMutationTest()

/** The reason why this change is none; undefined for all others. */
const equivalents = JSON.parse(readFileSync('tools/mutation/equivalent.json', 'utf8'))
function why_equivalent(source, line, what) {
  const text = readFileSync(source, 'utf8').split('\n')[line - 1].trim()
  return equivalents.find((each) => each.file === source && each.line === text && each.what.includes(what))
    ?.why
}

/** What stands at this place of a source, as far as the end of its first line. */
function original(source, { start, end }) {
  const line = readFileSync(source, 'utf8').split('\n')[start.line - 1]
  return line.slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined)
}

const noticed = new Set(['Killed', 'Timeout'])
const missed = new Set(['Survived', 'NoCoverage'])
const places = new Map()
const survivors = []
const unseen = []
for (const { fileName, status, location, replacement } of results) {
  if (!noticed.has(status) && !missed.has(status)) continue
  const source = fileName.slice(process.cwd().length + 1)
  const place = source.split('/').slice(0, 2).join('/')
  const what = `${original(source, location)} -> ${(replacement ?? '').split('\n')[0]}`
  const why = why_equivalent(source, location.start.line, what)
  if (why !== undefined && missed.has(status)) {
    unseen.push(`${source}:${location.start.line} ${what} (equivalent: ${why})`)
    continue
  }
  const count = places.get(place) ?? { noticed: 0, all: 0 }
  count.all += 1
  if (noticed.has(status)) count.noticed += 1
  else survivors.push(`${source}:${location.start.line} ${what} (${status})`)
  places.set(place, count)
}

const percent = ({ noticed, all }) => `${((100 * noticed) / all).toFixed(1)} %  ${noticed} of ${all}`
writeFileSync('reports/mutation/survivors.txt', [...survivors.sort(), ...unseen.sort()].join('\n'))
for (const [place, count] of [...places].sort()) console.log(`${place.padEnd(16)} ${percent(count)}`)
const total = [...places.values()].reduce(
  (sum, each) => ({ noticed: sum.noticed + each.noticed, all: sum.all + each.all }),
  { noticed: 0, all: 0 },
)
console.log(total.all === 0 ? 'no mutants' : `${'mutation score'.padEnd(16)} ${percent(total)}`)
console.log('survivors: reports/mutation/survivors.txt')

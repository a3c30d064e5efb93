/** Shards share the work out, and merged they say what one run says: no more, and no less. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { part_of } from '../../src/cli/conform_shard.ts'
import { is_dealt_to } from '../../src/cli/shard.ts'
import { no_kernel } from '../oracle/support.ts'
import { compiled, program, STACK, toctoscope } from './terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let made = 0
const new_folder = () => join(folder, `reports-${made++}`)

/** Runs every shard but those to be lost. */
async function shards(args: readonly string[], of: number, lost: readonly number[] = []): Promise<string> {
  const reports = new_folder()
  for (let shard = 1; shard <= of; shard++)
    if (!lost.includes(shard)) await toctoscope(...args, '--shard', `${shard}/${of}`, '--report', reports)
  return reports
}

/** Rewrites one report. */
function change(reports: string, shard: number, with_it: (report: any) => void): void {
  const path = join(reports, readdirSync(reports).find((name) => name.includes(`-${shard}-of-`))!)
  const report = JSON.parse(readFileSync(path, 'utf8'))
  with_it(report)
  writeFileSync(path, JSON.stringify(report))
}

const EXPLORE = ['explore', 'writer-at-check', 'path-or-descriptor'] as const

describe('shards of explore', () => {
  it.each([3, 40])('%i of them say what one run says', async (of) => {
    const reports = await shards(EXPLORE, of)
    for (const options of [
      ['--no-timing'],
      ['--no-timing', '--json'],
      ['--no-timing', '--json', '--trace'],
      ['--no-timing', '--stages', '--width', '80'],
      ['--no-timing', '--strict'],
    ]) {
      const whole = await toctoscope(...EXPLORE, ...options)
      expect(await toctoscope('merge', reports, ...options)).toEqual(whole)
    }
  })

  it('are given each case once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(200), (of, at) => {
        const dealt = Array.from({ length: of }, (_, i) => is_dealt_to({ shard: i + 1, of }, at))
        return dealt.filter(Boolean).length === 1
      }),
    )
  })

  it('that were interrupted or lost leave their cases incomplete, and are named', async () => {
    const reports = await shards(EXPLORE, 3, [2])
    const merged = await toctoscope('merge', reports, '--json', '--no-timing')
    expect(merged.err).toBe('toctoscope: shard 2/3 is lost, and its cases are incomplete: run it again\n')
    expect(merged.code).toBe(4)
    const { cases } = JSON.parse(merged.out)
    const { cases: all } = JSON.parse((await toctoscope(...EXPLORE, '--json', '--no-timing')).out)
    expect(cases).toHaveLength(all.length)
    for (const [at, each] of cases.entries()) {
      if (at % 3 !== 1) expect(each).toEqual(all[at])
      else {
        expect(Object.keys(each)).toEqual(Object.keys(all[at]))
        expect([each.verdict, each.as_expected, each.case]).toEqual(['incomplete', false, all[at].case])
      }
    }
    change(reports, 3, (report) => {
      report.interrupted = true
      report.results.pop()
    })
    const other = await toctoscope('merge', reports)
    expect(other.err).toContain('shard 3/3 was interrupted')
    expect(other.code).toBe(4)
  })

  it('whose scenario cannot be loaded say so once', async () => {
    const args = ['explore', 'writer-at-check', 'no-such-scenario']
    const merged = await toctoscope('merge', await shards(args, 2))
    expect(merged.code).toBe(3)
    expect(merged.err.match(/no-such-scenario/g)!.length).toBe(
      (await toctoscope(...args)).err.match(/no-such-scenario/g)!.length,
    )
  })

  it('keep the bounds that they were given', async () => {
    const args = ['explore', 'writer-at-check', '--max-states', '5']
    const options = ['--no-timing']
    const whole = await toctoscope(...args, ...options)
    expect(whole.out).toContain('Bound hit: 5 states')
    expect(await toctoscope('merge', await shards(args, 4), ...options)).toEqual(whole)
  })

  it('count what one run counts', async () => {
    const args = [...EXPLORE, '--count']
    const reports = await shards(args, 2)
    for (const options of [['--no-timing'], ['--no-timing', '--json']])
      expect(await toctoscope('merge', reports, ...options)).toEqual(await toctoscope(...args, ...options))
  })

  it('beside each other in processes are one run', () => {
    const has_parallel = spawnSync('parallel', ['--version']).status === 0
    const shard = `"${process.execPath}" "${program}" explore writer-at-check --shard {}/16 --report out`
    const run = has_parallel ? `parallel -j2 '${shard}'` : `xargs -P2 -I{} sh -c '${shard}'`
    const { status } = spawnSync('sh', ['-c', `seq 16 | ${run}`], { cwd: folder, encoding: 'utf8' })
    expect(status).toBe(0)
    const whole = compiled(folder, 'explore', 'writer-at-check', '--no-timing')
    expect(compiled(folder, 'merge', 'out', '--no-timing')).toEqual(whole)
  })
})

describe.skipIf(no_kernel !== undefined)('shards of conform', () => {
  const CONFORM = ['conform', '--count', '90', '--seed', '4242']
  /** Times and the machine are those of each run. */
  const without_pace = (out: string) =>
    out.replace(/, [\d,]+ programs\/s/, '').replace(/^this machine: .*\n/m, '')

  it('say what one run says', async () => {
    const whole = await toctoscope(...CONFORM)
    const merged = await toctoscope('merge', await shards(CONFORM, 4))
    const told = without_pace(whole.out).replace(/^errno sites reached: .*$/m, '')
    // What has run in this process before was compiled without counters, so its sites are no two runs' alike.
    expect(without_pace(merged.out).replace(/^errno sites reached: .*$/m, '')).toBe(told)
    expect(merged.code).toBe(0)
  })

  it('that are lost are named', async () => {
    const merged = await toctoscope('merge', await shards(CONFORM, 3, [1]))
    expect(merged.code).toBe(4)
    expect(merged.err).toBe('toctoscope: shard 1/3 is lost, and its programs were not played: run it again\n')
    expect(merged.out).toContain('Interrupted after 60 of 90 programs.')
  })

  it('need one seed', async () => {
    const drawn = await toctoscope('conform', '--seed', 'random', '--shard', '1/2')
    expect([drawn.code, drawn.out]).toEqual([2, ''])
    expect(drawn.err).toContain('each shard would draw its own')
  })
})

it('the parts of a run of conform follow each other', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 50 }), (count, from, of) => {
      let next = from
      for (let shard = 1; shard <= of; shard++) {
        const part = part_of({ count, from }, { shard, of })
        expect(part.from).toBe(next)
        next += part.count
      }
      expect(next).toBe(from + count)
    }),
  )
})

describe('bad input', () => {
  it.each(['0/3', '4/3', '3', '1/0', '-1/2', '1/2/3', 'a/b', '1/99999999'])('--shard %s', async (shard) => {
    const { code, err } = await toctoscope('explore', 'writer-at-check', `--shard=${shard}`)
    expect(code).toBe(2)
    expect(err).toContain('Expected i/n')
  })

  async function refused(reports: string, message: RegExp): Promise<void> {
    const { code, out, err } = await toctoscope('merge', reports)
    expect(err).toMatch(message)
    expect(err).not.toMatch(STACK)
    expect([code, out]).toEqual([3, ''])
  }

  it('a folder without reports, or none', async () => {
    await refused(folder, /no report of a shard is in it/)
    await refused(join(folder, 'nowhere'), /nowhere: cannot be read: ENOENT/)
  })

  it.each<[string, RegExp, (report: any) => void]>([
    ['of another version', /version 0\.0\.9 of toctoscope wrote it/, (report) => (report.version = '0.0.9')],
    ['with other options', /not of one run: options/, (report) => (report.options.exact = true)],
    [
      'of a scenario that has changed',
      /the scenarios or their cases differ/,
      (report) => (report.scenarios[0].cases[0].hash = 'x'),
    ],
    ['under the name of another shard', /this is the report of shard 1\/2/, (report) => (report.shard = 1)],
    ['with a field too much', /Unrecognized key/, (report) => (report.more = 1)],
    [
      'with an unknown verdict',
      /results\.0\.document\.verdict/,
      (report) => (report.results[0].document.verdict = 'fine'),
    ],
    ['with a verdict twice', /or is there twice/, (report) => report.results.push(report.results[0])],
    [
      "with a verdict that is another shard's",
      /is not the shard's/,
      (report) => (report.results[0].index = 0),
    ],
    ['that is a list', /expected array, received number/, (report) => (report.results = 1)],
  ])('a report %s', async (_, message, with_it) => {
    const reports = await shards(['explore', 'writer-at-check'], 2)
    change(reports, 2, with_it)
    await refused(reports, message)
  })

  it('reports of two runs', async () => {
    const [one, other] = [
      await shards(['explore', 'writer-at-check'], 2),
      await shards(['explore', 'writer-at-check'], 3),
    ]
    renameSync(join(one, 'explore-1-of-2.json'), join(other, 'explore-1-of-2.json'))
    await refused(other, /one is of 2 shards, the other of 3/)
    writeFileSync(join(one, 'conform-1-of-2.json'), '{"toctoscope_report":"conform"}')
    await refused(one, /merge them apart/)
  })

  it('names that would control the terminal are escaped', async () => {
    const reports = await shards(['explore', 'writer-at-check'], 1)
    change(reports, 1, (report) => {
      report.scenarios[0].name = 'a\u001b[2Jb'
      report.results[0].document.lints = ['\u202eevil']
    })
    const { out } = await toctoscope('merge', reports)
    expect(out).toContain('a\\33[2Jb')
    for (const control of ['\u001b', '\u202e']) expect(out).not.toContain(control)
  })

  it('a folder that cannot be written', async () => {
    writeFileSync(join(folder, 'a-file'), '')
    const { code, err } = await toctoscope('explore', 'writer-at-check', '--report', join(folder, 'a-file'))
    expect(code).toBe(6)
    expect(err).toMatch(/a-file cannot be made: EEXIST/)
  })
})

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encode_token } from '../../src/trace/record/token.ts'
import { VERSION } from '../../src/version.ts'
import { compiled, type Output, program, STACK, toctoscope } from './terminal.ts'

/** Far from the package, so that nothing is found by luck. */
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return name
}

const SCENARIO = `import { scenario } from 'toctoscope'
export default scenario(import.meta, { name: 'mine', summary: 'mine', build(s) {
  s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { script: { file: 'good', mode: 0o755 } } }))
  const t = s.victim('interpreter')
  const fd = t.open('/script', 'O_RDONLY')
  const check = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
  t.use(t.read(fd, 4096), { relies: check })
  const a = s.attacker('attacker')
  a.write(a.open('/script', 'O_WRONLY'), 'evil')
} })
`

/** Whatever goes wrong, it is said in words, on stderr only. */
function said({ code, out, err }: Output, expected_code: number, message: RegExp | string): void {
  expect(err).toMatch(message)
  expect(code).toBe(expected_code)
  expect(out).toBe('')
  expect(err).not.toMatch(STACK)
  expect(err).not.toContain('this is a bug')
}

describe('a scenario file', () => {
  it('that does not exist', () => {
    said(compiled(folder, 'explore', 'nope.ts'), 3, 'toctoscope: nope.ts: there is no such file')
    said(compiled(folder, 'explore', './nope.json'), 3, './nope.json: there is no such file')
    said(compiled(folder, 'explore', '/'), 3, '/: not a file')
    said(compiled(folder, 'run', file('a.txt', '')), 3, /no scenario "a.txt"|expected a scenario/)
  })

  it('that does not compile', () => {
    const typescript = compiled(folder, 'explore', file('bad.ts', 'const fine = 1\nconst x: = 3\n'))
    said(typescript, 3, 'bad.ts does not compile: line 2, column 9: Unexpected "="')
    said(
      compiled(folder, 'explore', file('bad.mjs', 'this is no program\n')),
      3,
      /bad\.mjs does not compile: .*Unexpected/,
    )
  })

  it('that throws', () => {
    const thrown = compiled(
      folder,
      'explore',
      file('throws.ts', '\nthrow new TypeError("no luck\\nat all")\n'),
    )
    said(thrown, 3, 'throws.ts:2:7 throws while it is loaded: TypeError: no luck')
    const in_build = SCENARIO.replace("s.mount('/'", "(undefined as any).x; s.mount('/'")
    said(
      compiled(folder, 'explore', file('build.ts', in_build)),
      3,
      /build\.ts:3:\d+ throws while it is loaded: TypeError/,
    )
    said(
      compiled(folder, 'explore', file('null.mjs', 'throw null\n')),
      3,
      'null.mjs throws while it is loaded: null',
    )
  })

  it('that imports what is not there', () => {
    said(
      compiled(folder, 'explore', file('imports.ts', 'import "not-there"\n')),
      3,
      "Cannot find package 'not-there'",
    )
  })

  it('that exports the wrong thing', () => {
    said(
      compiled(folder, 'explore', file('number.ts', 'export default 7\n')),
      3,
      'its default export is a number, not a scenario',
    )
    said(
      compiled(folder, 'explore', file('named.ts', 'export const mine = 1\n')),
      3,
      'it exports mine, but has no default export',
    )
    said(compiled(folder, 'explore', file('nothing.mjs', '\n')), 3, 'it exports nothing; expected')
    said(
      compiled(folder, 'explore', file('list.mjs', 'export default []\n')),
      3,
      'its default export is a list',
    )
    said(
      compiled(folder, 'explore', file('object.mjs', 'export default { a: 1 }\n')),
      3,
      'its default export is an object',
    )
    said(
      compiled(folder, 'explore', file('null-export.mjs', 'export default null\n')),
      3,
      'its default export is null',
    )
  })

  it('that ends the program, or awaits what never comes', () => {
    for (const code of [0, 7]) {
      const exits = file(`exits${code}.ts`, `process.exit(${code})\nexport default 1\n`)
      for (const verb of ['explore', 'run'])
        said(compiled(folder, verb, exits), 3, `${exits} ended the program while it was loaded`)
    }
    const waits = file('waits.mjs', 'await new Promise(() => {})\nexport default 1\n')
    said(compiled(folder, 'explore', waits), 3, 'waits.mjs never ends loading: it awaits what never comes')
    const in_build = SCENARIO.replace("s.mount('/'", "process.exit(0); s.mount('/'")
    said(compiled(folder, 'explore', file('exits-in-build.ts', in_build)), 3, 'ended the program')
  })

  it('of JSON that is nested too deeply', () => {
    const deep = file('deep.json', '['.repeat(200_000) + ']'.repeat(200_000))
    for (const verb of ['explore', 'show', 'replay'])
      said(compiled(folder, verb, deep), 3, 'not JSON that we can read: nested too deeply')
  })

  it('with a mark of the byte order is read', () => {
    said(
      compiled(folder, 'explore', file('bom.json', '\ufeff{"toctoscope":1,"name":3}')),
      3,
      /bom\.json: name: /,
    )
  })

  it('is named without what would control the terminal, and what to do next is said', async () => {
    const { err } = await toctoscope('explore', './\x1b[31mred.ts')
    expect(err).toContain('./\\33[31mred.ts: there is no such file')
    expect(err).toMatch(/npx toctoscope list\n$/)
    const binary = compiled(folder, 'explore', file('binary.json', '\x00\x1b[2J\x07'))
    said(binary, 3, /binary\.json: not JSON/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(binary.err).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
    expect(binary.err).toContain('docs/scenario.schema.json')
  })

  it('that fails the schema: the path of the field and what was expected', () => {
    const form = { toctoscope: 1, name: 'x', summary: 'x', cases: [{ tasks: [{ name: 'a', program: [] }] }] }
    const wrong = { ...form, cases: [{ tasks: [{ name: 'a', program: [{ call: 7 }] }] }] }
    said(
      compiled(folder, 'explore', file('schema.json', JSON.stringify(wrong))),
      3,
      /schema\.json: cases\[0\]\.tasks\[0\]\.program\[0\].*expected/,
    )
    const summary = compiled(folder, 'explore', file('summary.json', JSON.stringify({ ...form, summary: 3 })))
    said(summary, 3, /summary\.json: summary: expected string/)
    const call = { ...form, cases: [{ tasks: [{ name: 'a', program: [{ call: 'opne', args: [] }] }] }] }
    said(
      compiled(folder, 'explore', file('call.json', JSON.stringify(call))),
      3,
      'call.json: cases[0].tasks[0].program[0].call: there is no system call "opne"; did you mean open?',
    )
    said(
      compiled(folder, 'explore', file('form.mjs', 'export default { toctoscope: 1, name: 3 }\n')),
      3,
      /form\.mjs: name: /,
    )
  })

  it('of JSON that is none', () => {
    said(
      compiled(folder, 'explore', file('cut.json', '{ "toctoscope": 1,\n "name"')),
      3,
      'cut.json: the file is cut short: it ends in line 2',
    )
    said(
      compiled(folder, 'explore', file('comma.json', '{ "toctoscope": 1,\n }')),
      3,
      /comma\.json: not JSON: line 2, column 2/,
    )
    said(compiled(folder, 'explore', file('empty.json', '')), 3, 'empty.json: the file is empty')
    said(
      compiled(folder, 'explore', file('trace.json', '{"toctoscope_trace":1}')),
      3,
      'this is a trace, not a scenario',
    )
  })

  it('with an error in its policy: line, column and errno', () => {
    const policy =
      'policy_name=x policy_version=1.0.0\\nDEFAULT action=ALLOW\\nop=EXECUTE foo=TRUE action=DENY\\n'
    const with_policy = SCENARIO.replace('const t =', `s.ipe('${policy}')\n  const t =`)
    said(
      compiled(folder, 'explore', file('policy.ts', with_policy)),
      3,
      /policy\.ts: cases\[0\]\.setup\.lsm\.ipe\.policy: line 3, column 12: EBADMSG: /,
    )
    said(compiled(folder, 'run', 'policy.ts'), 3, /line 3, column 12: EBADMSG/)
  })

  it('whose module throws while tasks run', () => {
    const module = SCENARIO.replace('import { scenario }', 'import { define_module, scenario }').replace(
      'const t =',
      "s.module(define_module({ name: 'mine', hooks: { file_open() { throw new Error('my own fault') } } }))\n  const t =",
    )
    const { code, err } = compiled(folder, 'explore', file('module.ts', module))
    expect(err).toMatch(/my own fault/)
    expect(code).toBe(3)
    expect(err).not.toMatch(STACK)
  })

  it('that is right works far from the package, in TypeScript and JSON', () => {
    const explored = compiled(folder, 'explore', file('mine.ts', SCENARIO), '--json', '--no-timing')
    expect(explored.err).toBe('')
    const [found] = JSON.parse(explored.out).cases
    expect(found).toMatchObject({ scenario: 'mine', verdict: 'race', property: 'check-use', ms: null })
    const replayed = compiled(folder, 'replay', found.token, 'mine.ts')
    expect(replayed.out.trimEnd().endsWith(`npx toctoscope replay ${found.token} mine.ts`)).toBe(true)
    said(compiled(folder, 'replay', found.token), 3, 'is not among the shipped ones: give its file too')
    file('changed.ts', SCENARIO.replace("'evil'", "'worse'"))
    said(
      compiled(folder, 'replay', found.token, 'changed.ts'),
      3,
      'the scenario mine has changed since the token was made',
    )
    said(
      compiled(folder, 'replay', found.token, 'writer-at-check'),
      3,
      'the token is of the scenario mine, and this one is writer-at-check',
    )
  })
})

describe('a verb or option', () => {
  it('that is unknown: the nearest is suggested', async () => {
    said(await toctoscope('explor', 'x'), 2, /unknown command 'explor'\n\(Did you mean explore\?\)/)
    said(
      await toctoscope('explore', 'overlay-copy-up', '--jsn'),
      2,
      /unknown option '--jsn'\n\(Did you mean --json\?\)/,
    )
    said(await toctoscope('show', 'x', '--format', 'html'), 2, /Allowed choices are text, mermaid, json/)
  })

  it('that is unknown to help', async () => {
    said(await toctoscope('help', 'explor'), 2, /unknown command "explor"\n\(Did you mean explore\?\)/)
    said(await toctoscope('help', 'xyzzy'), 2, /There are list, explore, /)
    expect((await toctoscope('help', 'explore')).code).toBe(0)
  })

  it('whose output has no room', () => {
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${program}" list > /dev/full`],
      {
        encoding: 'utf8',
      },
    )
    expect(stderr).toMatch(/toctoscope: the output cannot be written: ENOSPC/)
    expect(status).toBe(6)
  })

  it('where few files may be open', () => {
    for (const [limit, verb] of [
      [20, 'explore'],
      [20, 'confirm'],
      [20, 'show'],
      [30, 'run'],
      // Here the loader of modules says that a file is not there.
      [40, 'confirm'],
      [60, 'conform --count 1'],
      [70, 'explore'],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(
        'sh',
        ['-c', `ulimit -n ${limit}; exec "${process.execPath}" "${program}" ${verb} writer-at-check`],
        { encoding: 'utf8' },
      )
      expect(stderr).toMatch(/^toctoscope: .*too few files may be open at once: allow more/)
      expect([status, stdout]).toEqual([6, ''])
    }
  })

  it('whose file cannot be written: what was there stays', async () => {
    const path = join(folder, file('kept.c', 'before'))
    const limited = spawnSync(
      'sh',
      [
        '-c',
        `ulimit -f 1; trap '' XFSZ; exec "${process.execPath}" "${program}" repro writer-at-check -o "${path}"`,
      ],
      { encoding: 'utf8' },
    )
    expect(limited.stderr).toMatch(/kept\.c cannot be written: EFBIG/)
    expect(limited.status).toBe(6)
    expect(readFileSync(path, 'utf8')).toBe('before')
    expect(readdirSync(folder).filter((name) => name.startsWith('kept.c'))).toEqual(['kept.c'])
    said(await toctoscope('repro', 'writer-at-check', '-o', '/dev/full'), 6, 'cannot be written: ENOSPC')
    expect((await toctoscope('repro', 'writer-at-check', '-o', path)).code).toBe(0)
    expect(readFileSync(path, 'utf8')).toContain('int main')
  })

  it('whose reader has gone ends quietly', () => {
    const { stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${program}" run overlay-copy-up --stages 2>&1 | head -n 1 >/dev/null`],
      { encoding: 'utf8' },
    )
    expect(stderr).toBe('')
    const closed = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${program}" explore writer-at-check <&- >&-`],
      {
        encoding: 'utf8',
      },
    )
    expect([closed.status, closed.stderr]).toEqual([0, ''])
  })

  it('without what it needs', async () => {
    said(await toctoscope(), 2, /Usage: toctoscope/)
    for (const verb of ['explore', 'run', 'show', 'confirm'])
      said(
        await toctoscope(verb),
        2,
        /missing required argument '\w+': the name of a scenario \("toctoscope list" /,
      )
    said(await toctoscope('replay'), 2, /missing required argument 'token'/)
    said(await toctoscope('explore', 'overlay-copy-up', '--max-states'), 2, /argument missing/)
  })

  it('with a value that is none', async () => {
    for (const [option, value] of [
      ['--max-states', 'many'],
      ['--max-steps', '-1'],
      ['--max-time', 'soon'],
      ['--max-memory', '1X'],
      ['--max-memory', '1M'],
      ['--preemptions', '1.5'],
      ['--width', '7'],
    ]) {
      said(
        await toctoscope('explore', 'writer-at-check', option!, value!),
        2,
        new RegExp(`${option} .*is invalid. Expected`),
      )
    }
    said(await toctoscope('run', 'writer-at-check', '--seed', 'x'), 2, /Expected a whole number/)
    said(
      await toctoscope('run', 'writer-at-check', '--seed', '1', '--schedule', '1'),
      2,
      /exclude each other/,
    )
    said(await toctoscope('show', 'writer-at-check', 'a.ts'), 2, /only a token is followed by a file/)
  })

  it('that names a case which there is not', async () => {
    said(
      await toctoscope('explore', 'overlay-copy-up', '--case', 'acces=read'),
      2,
      /no parameter "acces"; did you mean access\?/,
    )
    said(
      await toctoscope('explore', 'overlay-copy-up', '--case', 'access=raed'),
      2,
      /access has no value "raed"; did you mean read\?/,
    )
    said(
      await toctoscope('explore', 'overlay-copy-up', '--case', 'nothing'),
      2,
      /access is read, pread, .*; mitigation is none/,
    )
    said(await toctoscope('explore', 'overlay-copy-up', '--case', 'profile=9'), 2, /profile has no value "9"/)
  })

  it('with a schedule that names nobody', async () => {
    const run = (schedule: string) =>
      toctoscope('run', 'overlay-copy-up', '--case', 'read,none,7.2', '--schedule', schedule)
    said(await run('interpeter'), 2, /no task "interpeter"; did you mean interpreter\?/)
    said(await run('9'), 2, /no task "9"; there are interpreter, attacker/)
    said(await run('interpreter:opne'), 2, /interpreter has no call "opne"; there are fd, st, check/)
  })
})

describe('a scenario that is not there', () => {
  it('has its name corrected', async () => {
    said(
      await toctoscope('explore', 'overlay-copyup'),
      3,
      /there is no scenario "overlay-copyup"; did you mean overlay-copy-up\?/,
    )
    said(
      await toctoscope('explore', 'xyzzy'),
      3,
      /there is no scenario "xyzzy"; "toctoscope list" lists them/,
    )
  })
})

describe('a token', () => {
  const token = (changes: object) =>
    encode_token({
      scenario: 'writer-at-check',
      hash: '0123456789',
      index: 0,
      removed: [],
      schedule: [{ task: 1, choice: 0 }],
      ...changes,
    })

  it('of another version: which one is said', async () => {
    said(
      await toctoscope('replay', token({ version: '9.9.9' })),
      3,
      `made by toctoscope 9.9.9, and this is ${VERSION}`,
    )
    said(await toctoscope('replay', 'toct7.AAAA'), 3, /the token has format 7/)
  })
  it('of a scenario that has changed, or that is not there', async () => {
    said(
      await toctoscope('replay', token({})),
      3,
      'the scenario writer-at-check has changed since the token was made',
    )
    said(
      await toctoscope('replay', token({ scenario: 'gone' })),
      3,
      'of the scenario gone, which is not among the shipped ones',
    )
  })
  it('that is damaged or none', async () => {
    said(await toctoscope('replay', token({}).slice(0, -3)), 3, /damaged or cut short/)
    said(await toctoscope('show', token({}).slice(0, -3)), 3, /damaged or cut short/)
    said(await toctoscope('replay', 'abc'), 3, /not a replay token: a token begins with "toct1\."/)
  })
  it('whose schedule does not fit', async () => {
    const { out } = await toctoscope(
      'explore',
      'plain-write-after-check',
      '--case',
      'read,none,7.2',
      '--json',
    )
    const good = JSON.parse(out).cases[0].token as string
    const { decode_token } = await import('../../src/trace/record/token.ts')
    const bad = encode_token({ ...decode_token(good), schedule: [{ task: 7, choice: 0 }] })
    said(
      await toctoscope('replay', bad),
      3,
      /the schedule does not fit this scenario: step 1 of the schedule: task 7 has nothing left to do/,
    )
  })
})

describe('a trace file', () => {
  it('cut short', async () => {
    const { out } = await toctoscope('run', 'writer-at-check', '--format', 'json')
    const path = join(folder, file('cut-trace.json', out.slice(0, out.length / 2)))
    said(await toctoscope('show', path), 3, /cut-trace\.json: the file is cut short: it ends in line \d+/)
    said(await toctoscope('replay', path), 3, /the file is cut short/)
  })
  it('that is none', async () => {
    const path = join(folder, file('almost.json', '{"toctoscope_trace": 1, "version": 3}'))
    said(await toctoscope('show', path), 3, /almost\.json: not a trace that this version can read: version: /)
    const scenario = join(folder, file('scenario.json', '{"toctoscope": 1}'))
    said(await toctoscope('replay', scenario), 3, /this is not a trace/)
    const text = join(folder, file('trace.txt', 'x'))
    said(await toctoscope('replay', text), 2, /expected a token, or a trace in JSON/)
  })
  it('that was edited', async () => {
    const { out } = await toctoscope('run', 'writer-at-check', '--format', 'json')
    const whole = JSON.parse(out)
    const edited = (name: string, changes: object) =>
      toctoscope('show', join(folder, file(`${name}.json`, JSON.stringify({ ...whole, ...changes }))))
    said(
      await edited('cut', { steps: whole.steps.slice(0, 2) }),
      3,
      /edited or is damaged: .* speak of step \d+, and there are 2/,
    )
    said(await edited('gap', { steps: whole.steps.slice(1) }), 3, 'step 2 stands where step 1 is due')
    said(await edited('tasks', { tasks: [] }), 3, /is of task \d, which there is not/)
    said(
      await edited('cause', { cause: { step: 999, kind: 'copy-up', text: '' } }),
      3,
      'the cause is step 999',
    )
    said(await edited('results', { results: [] }), 3, 'the results are not those of the steps')
    said(await edited('preemptions', { preemptions: 77 }), 3, /says 77/)
    said(
      await edited('summary', { summary: 'another' }),
      3,
      'the trace was edited: summary is not what its token gives',
    )
    const steps = [{ ...whole.steps[0], stage: 'another' }, ...whole.steps.slice(1)]
    said(await edited('stage', { steps }), 3, 'the trace was edited: step 1 is not what its token gives')
    const path = join(folder, file('again.json', JSON.stringify({ ...whole, summary: 'another' })))
    said(await toctoscope('replay', path), 3, 'the trace was edited: summary is not')
    said(
      await edited('version', { version: '9.9.9' }),
      3,
      `recorded by toctoscope 9.9.9, and this is ${VERSION}`,
    )
    expect((await edited('whole', {})).code).toBe(0)
  })

  it('without a token', async () => {
    const { out } = await toctoscope('run', 'writer-at-check', '--format', 'json')
    const path = join(folder, file('no-token.json', JSON.stringify({ ...JSON.parse(out), token: null })))
    said(await toctoscope('replay', path), 3, /holds no token/)
    expect((await toctoscope('show', path)).code).toBe(0)
  })
})

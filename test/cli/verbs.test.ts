import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import overlay from '../../scenarios/overlay-copy-up.ts'
import { parse_bytes, parse_count, parse_time } from '../../src/cli/bounds.ts'
import { tell_error } from '../../src/cli/errors.ts'
import { explore_itself, run_command_line } from '../../src/cli/main.ts'
import { ProgressLine } from '../../src/cli/progress.ts'
import { type Row, verdict_list } from '../../src/cli/verdict_table.ts'
import { scenario } from '../../src/index.ts'
import { theme } from '../../src/trace/render/layout.ts'
import { VERSION } from '../../src/version.ts'
import { compiled, fake_terminal, STACK, toctoscope } from './terminal.ts'

const RACE = ['--case', 'access=read,mitigation=none,profile=7.2']

describe('explore', () => {
  it('prints the table of verdicts, the shortest counterexample, and the command that replays it', async () => {
    const { code, out, err } = await toctoscope('explore', 'overlay-copy-up', '--no-timing')
    expect(code).toBe(0)
    expect(err).toBe('')
    expect(out).toContain(`\
mitigation                         profile    read  pread  mmap-after  mmap-before  read-then-check
─────────────────────────────────  ─────────  ────  ─────  ──────────  ───────────  ───────────────
none, ro-bind                      6.18       hole  hole   hole        hole         hole
                                   6.19, 7.2  race  race   safe        safe         safe
no-upper, ro-mount, no-permission  any        safe  safe   safe        safe         safe
`)
    expect(out).toMatch(/75 cases: 10 hole, 8 race, 57 safe\. [\d,]+ states, [\d,]+ transitions\.\n/)
    expect(out).toContain('Every safe is witnessed.')
    expect(out).toContain('\noverlay-copy-up  access=read mitigation=none profile=7.2\n')
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^ {2}npx toctoscope replay toct1\.[\w-]+$/)
  })

  it('shows the counterexample as replay and show do, byte for byte', async () => {
    const { out: document } = await toctoscope('explore', 'overlay-copy-up', ...RACE, '--json')
    const { token } = JSON.parse(document).cases[0]
    const { out: explored } = await toctoscope('explore', 'overlay-copy-up', ...RACE)
    const { out: replayed } = await toctoscope('replay', token)
    const { out: shown } = await toctoscope('show', 'overlay-copy-up', ...RACE)
    expect(explored.endsWith(replayed)).toBe(true)
    expect(shown).toBe(replayed)
    expect((await toctoscope('replay', token)).out).toBe(replayed)
  })

  it('prints one JSON document with the fields of the design, in their order', async () => {
    const { code, out } = await toctoscope(
      'explore',
      'overlay-copy-up',
      '--case',
      'access=read,profile=7.2',
      '--json',
    )
    expect(code).toBe(0)
    const document = JSON.parse(out)
    expect(Object.keys(document)).toEqual(['tool', 'version', 'cases'])
    expect(document).toMatchObject({ tool: 'toctoscope', version: VERSION })
    expect(document.cases).toHaveLength(5)
    for (const each of document.cases) {
      expect(Object.keys(each)).toEqual(
        'scenario case params profile verdict expected property states transitions interleavings racy steps preemptions cause token ms as_expected unwitnessed witnesses bounds lints trace'.split(
          ' ',
        ),
      )
      expect(each).toMatchObject({
        interleavings: null,
        racy: null,
        verdict: each.expected,
        as_expected: true,
        unwitnessed: null,
        bounds: [],
        lints: [],
        ms: expect.any(Number),
      })
    }
    expect(document.cases[0]).toMatchObject({
      verdict: 'race',
      property: 'check-use',
      preemptions: 1,
      cause: 'copy-up',
    })
    expect(document.cases[1]).toMatchObject({
      verdict: 'safe',
      property: null,
      steps: null,
      preemptions: null,
      cause: null,
      token: null,
      witnesses: ['approved', 'met', 'refused EROFS in open', 'relied', 'used'],
    })
  })

  it('gives the same bytes whatever the machine, without timing', async () => {
    const args = ['explore', 'plain-write-after-check', '--no-timing']
    expect(await toctoscope(...args, '--json')).toEqual(await toctoscope(...args, '--json'))
    expect(await toctoscope(...args)).toEqual(await toctoscope(...args))
  })

  it('says which bound was hit, and exits with 4: incomplete is never safe', async () => {
    const { code, out } = await toctoscope(
      'explore',
      'overlay-copy-up',
      '--case',
      'mmap-after,none,7.2',
      '--max-states',
      '50',
    )
    expect(code).toBe(4)
    expect(out).toMatch(/incomplete/)
    expect(out).toContain('Bound hit: 50 states. What is incomplete is not safe: raise --max-states.')
    const none = ['mmap-after,none,7.2', '--preemptions', '0']
    expect((await toctoscope('explore', 'overlay-copy-up', '--case', ...none)).out).toContain(
      'Bound hit: 0 preemptions. What is incomplete is not safe: raise --preemptions.',
    )
    const shown = await toctoscope(
      'show',
      'overlay-copy-up',
      '--case',
      'mmap-after,none,7.2',
      '--max-states',
      '50',
    )
    expect(shown.err).toContain('the search is incomplete, for it hit a bound (50 states)')
    expect(shown.code).toBe(4)
    const { code: by_json, out: document } = await toctoscope(
      'explore',
      'overlay-copy-up',
      '--case',
      'mmap-after,none,7.2',
      '--max-states',
      '50',
      '--json',
    )
    expect(by_json).toBe(4)
    expect(JSON.parse(document).cases[0].verdict).toBe('incomplete')
  })

  it.each(['--max-steps=20', '--max-time=0', '--max-memory=64M', '--preemptions=0'])(
    'keeps the bound %s',
    async (bound) => {
      const clock = { time: 0 }
      const { terminal, written } = fake_terminal({ now: () => (clock.time += 1) })
      const code = await run_command_line(
        ['explore', 'overlay-copy-up', '--case', 'mmap-after,none,7.2', bound, '--json'],
        terminal,
      )
      const [found] = JSON.parse(written.out).cases
      expect(['incomplete', 'safe']).toContain(found.verdict)
      if (found.verdict === 'incomplete') expect(code).toBe(4)
    },
  )

  it('says that a counterexample is not as short as it could be, where the time was over', async () => {
    const clock = { time: 0 }
    const { terminal, written } = fake_terminal({ now: () => (clock.time += 1) })
    const chosen = ['explore', 'overlay-copy-up', '--case', 'read,none,7.2']
    await run_command_line([...chosen, '--max-time=40ms'], terminal)
    const crude = 'What is shown may be longer than need be, and hold switches and calls that do not matter'
    expect(written.out.replace(/\s+/g, ' ')).toContain(`${crude}: the time was over.`)
    const whole = fake_terminal()
    await run_command_line(chosen, whole.terminal)
    expect(whole.written.out).toContain('RACE')
    expect(whole.written.out).not.toContain('What is shown may be')
  })

  it('says what to type when a call is mended that only the search finds wrong', async () => {
    const { terminal, written } = fake_terminal()
    const file = join(mkdtempSync(join(tmpdir(), 'toctoscope-')), 'wrong.json')
    const tasks = [{ name: 'a', program: [{ call: 'open', args: ['/f', 'O_RDONY'] }] }]
    writeFileSync(file, JSON.stringify({ toctoscope: 1, name: 'wrong', summary: 'x', cases: [{ tasks }] }))
    expect(await run_command_line(['explore', file], terminal)).toBe(3)
    expect(written.err).toContain('did you mean O_RDONLY?')
    expect(written.err).toContain('When it is mended: npx toctoscope explore')
    rmSync(dirname(file), { recursive: true })
  })

  it('refuses --trace where there is no document that could have one', async () => {
    const { code, err } = await toctoscope('explore', 'writer-at-check', '--trace')
    expect(code).toBe(2)
    expect(err).toContain('--trace belongs to --json')
  })

  it('exits with 1 where a verdict was not expected, and says so', async () => {
    const { terminal, written } = fake_terminal()
    const { explore } = await import('../../src/cli/explore.ts')
    const index = overlay.cases.findIndex(({ form }) => form.expect?.verdict === 'race')
    const { form, code } = overlay.cases[index]!
    const cases = [{ code, form: { ...form, expect: { verdict: 'safe' as const } } }]
    const loaded = { name: 'x', summary: 'x', teaches: undefined, cases, called: 'x', file: null }
    expect(await explore([loaded], {}, terminal)).toBe(1)
    expect(written.out).toMatch(/! not expected: .* is race of check-use, expected safe/)
    expect(written.out).toMatch(/race!/)
  })

  it('asks the judge if it is paranoid', async () => {
    const { code, err } = await toctoscope('explore', 'writer-at-check', '--case', 'before,7.2', '--paranoid')
    expect(code).toBe(0)
    expect(err).toMatch(
      /judge agrees: writer-at-check writer=before profile=7.2: [\d,]+ states without reduction/,
    )
  })

  it('breaks labels of a table that is too wide, then puts columns below each other', async () => {
    const { out: at_80 } = await toctoscope('explore', 'overlay-copy-up', '--width', '80')
    expect(at_80).toContain(`\
mitigation     profile  read  pread  mmap-after  mmap-before  read-then-check
─────────────  ───────  ────  ─────  ──────────  ───────────  ───────────────
none, ro-bind  6.18     hole  hole   hole        hole         hole
               6.19,    race  race   safe        safe         safe
               7.2
no-upper,      any      safe  safe   safe        safe         safe
ro-mount,
no-permission
`)
    const { out: at_60 } = await toctoscope('explore', 'overlay-copy-up', '--width', '60')
    expect(at_60).toMatch(/^mitigation +profile +read-then-check$/m)
    const wide = at_60.split('\n').filter((line) => line.length > 60 && !/toct1|npx/.test(line))
    expect(wide).toEqual([])
  })

  it('lists cases that have one parameter, with what tells them apart', () => {
    const row = (name: string): Row & { case: string } => ({
      params: {},
      verdict: 'race',
      as_expected: true,
      property: 'check-use',
      states: 1,
      case: name,
    })
    const long = 'first=a-parameter-whose-value-is-long second=another-value-that-is-long'
    const lines = verdict_list([row(`${long} last=one`), row(`${long} last=two`)], 60, theme(false))
    expect(lines.join('\n')).toContain(`last=one  race           check-use\nlast=two  race`)
    expect(lines.join(' ').replace(/\s+/g, ' ')).toContain(`All with ${long}:`)
  })

  it('says what no run reached, counts other counterexamples by kind, and escapes what controls terminals', async () => {
    const mine = scenario({
      name: 'mine\x1b[31m',
      summary: 'mine\x1b[2J',
      params: { what: ['unreached\x07', 'race', 'hole', 'hole2'] },
      build(s, { what }) {
        s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { x: { file: 'good', mode: 0o755 } } }))
        const t = s.victim('v')
        const o = t.open('/x', 'O_RDONLY').as('o')
        if (what.startsWith('unreached')) s.reaches({ 'v.o': 'EACCES' }, 'refused')
        if (what.startsWith('hole')) s.never({ 'v.o': 'ok' })
        if (what !== 'race') return
        t.use(t.read(o, 9), { relies: t.execveat(o, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK') })
        s.attacker('a').truncate('/x', 1)
      },
    })
    const { terminal, written } = fake_terminal()
    await explore_itself(mine, [], terminal)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(written.out).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
    expect(written.out).toContain('mine\\33[31m')
    expect(written.out).toMatch(/! never reached: no run of what=unreached\\7 has the outcome "[^"]*refused"/)
    expect(written.out).toMatch(
      /There (are 2 holes|is 1 other hole and 1 race|are 2 holes and 1 race), such as/,
    )
  })

  it('says in JSON mode, too, why a safe is not witnessed', async () => {
    const mine = scenario({
      name: 'mine',
      summary: 'mine',
      build(s) {
        s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { x: { file: 'good', mode: 0o755 } } }))
        const t = s.victim('v')
        const fd = t.open('/x', 'O_RDONLY')
        const check = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        t.use(t.read(fd, 9), { relies: check })
        s.attacker('a').stat('/x')
      },
    })
    const { terminal, written } = fake_terminal()
    expect(await explore_itself(mine, ['--json'], terminal)).toBe(1)
    expect(JSON.parse(written.out).cases[0]).toMatchObject({
      verdict: 'unwitnessed',
      as_expected: false,
      unwitnessed: 'in no run did an attacker change what others meet, or was refused that by a mitigation',
    })
    expect(written.err).toMatch(/^toctoscope: mine: not witnessed: in no run did an attacker/)
  })

  it('says first what was checked, and tells lints, which are failures if that is asked for', async () => {
    const mine = scenario({
      name: 'mine',
      summary: 'mine',
      params: { who: ['a', 'b'] },
      build(s, { who }) {
        s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { x: { file: 'good', mode: 0o755 } } }))
        const t = s.victim('v')
        const fd = t.open('/x', 'O_RDONLY')
        t.use(t.read(fd, 9), { relies: t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK') })
        if (who === 'b') t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK').as('again')
        s.attacker('a', { uid: 1 }).truncate('/x', 1)
        s.never({ 'v.check': 'EIO' }, 'no fault')
      },
    })
    const lint =
      '~ lint: v makes the check again, and no use relies on it: use(bytes, { relies: again }) (who=b)'
    const { terminal, written } = fake_terminal()
    expect(await explore_itself(mine, ['--width', '120'], terminal)).toBe(0)
    expect(written.out).toMatch(/^mine\nmine\nChecked: check-use, no fault\.\n/)
    expect(written.out).toContain(`\n${lint}\n`)
    const strict = fake_terminal()
    expect(await explore_itself(mine, ['--width', '120', '--strict'], strict.terminal)).toBe(1)
    expect(strict.written.out).toContain(`\n${lint.replace('~', '!')}\n`)
    expect(await explore_itself(mine, ['--strict', '--case', 'who=a'], fake_terminal().terminal)).toBe(0)
  })

  it('shows progress to somebody who watches, after a second, and takes it away', () => {
    let time = 0
    const { terminal, written } = fake_terminal({ interactive: true, now: () => time })
    const line = new ProgressLine(terminal, { max_states: 5000, max_time: 60_000 }, 2)
    line.show(0, 'x', { states: 10, transitions: 20, depth: 3 })
    expect(written.err).toBe('')
    time = 2000
    line.show(0, 'x', { states: 1000, transitions: 2000, depth: 3 })
    expect(written.err).toContain('1/2 x: 1,000 states, 1,000/s, depth 3, at most 4,000 states, 58 s left')
    line.case_done()
    line.end()
    expect(written.err.endsWith('\r\x1b[K')).toBe(true)
  })

  it('shows no progress where nobody watches', async () => {
    let time = 0
    const { terminal, written } = fake_terminal({ now: () => (time += 5000) })
    await run_command_line(['explore', 'writer-at-check', '--json'], terminal)
    expect(written.err).toBe('')
  })
})

describe('run', () => {
  it('takes the case that show takes, where none is named', async () => {
    for (const name of ['overlay-copy-up', 'writer-at-check']) {
      const json = ['--format', 'json']
      const run = JSON.parse((await toctoscope('run', name, ...json)).out)
      const show = JSON.parse((await toctoscope('show', name, ...json)).out)
      expect(run.case).toBe(show.case)
    }
  })

  it('runs in order unless told', async () => {
    const { code, out, err } = await toctoscope('run', 'overlay-copy-up', ...RACE)
    expect(code).toBe(0)
    expect(err).toBe('')
    expect(out).toContain('RUN  no property is violated')
    expect(out).toContain('0 preemptions')
  })

  it('follows a schedule by the names of tasks and calls', async () => {
    const schedule = ['--schedule', 'interpreter:check,attacker,interpreter']
    const race = await toctoscope('run', 'overlay-copy-up', ...RACE, ...schedule)
    expect(race.out).toContain('RACE  check-use')
    const by_call = await toctoscope('run', 'overlay-copy-up', ...RACE, '--schedule', '1:execveat,2')
    expect(by_call.out).toBe(race.out)
    const safe = await toctoscope('run', 'overlay-copy-up', '--case', 'mmap-after,none,7.2', ...schedule)
    expect(safe.out).toContain('RUN  no property is violated')
    expect(safe.out.replace(/\s+/g, ' ')).toContain(
      'a mapping stays with the real file that was recorded when the descriptor was opened',
    )
  })

  it('counts stages where the schedule gives a number', async () => {
    const { out } = await toctoscope(
      'run',
      'overlay-copy-up',
      ...RACE,
      '--schedule',
      'interpreter:3,attacker',
      '--format',
      'json',
    )
    const { steps } = JSON.parse(out)
    expect(steps.findIndex((step: { task: number }) => step.task === 2)).toBe(3)
  })

  it('draws the same random schedule from the same seed', async () => {
    const first = await toctoscope('run', 'overlay-copy-up', ...RACE, '--seed', '7')
    expect(await toctoscope('run', 'overlay-copy-up', ...RACE, '--seed', '7')).toEqual(first)
    expect((await toctoscope('run', 'overlay-copy-up', ...RACE, '--seed', '8')).out).not.toBe(first.out)
  })

  it('says that there are more cases', async () => {
    expect((await toctoscope('run', 'writer-at-check')).err).toMatch(
      /this is one of 6 cases, .*; choose another with --case, e\.g\. --case \S+$/m,
    )
  })

  it('says why an access was refused', async () => {
    const { out } = await toctoscope(
      'run',
      'overlay-copy-up',
      '--case',
      'mmap-before,none,7.2',
      '--schedule',
      'attacker',
    )
    expect(out.replace(/[\s│]+/g, ' ')).toContain('✗ EACCES: ipe: DEFAULT op=EXECUTE action=DENY')
    expect(out).toContain("interpreter's execveat failed with EACCES (ipe: DEFAULT op=EXECUTE action=DENY)")
  })
})

describe('show', () => {
  it('draws the other formats', async () => {
    const mermaid = await toctoscope('show', 'overlay-copy-up', ...RACE, '--format', 'mermaid')
    expect(mermaid.out).toMatch(/^sequenceDiagram\n/)
    const json = await toctoscope('show', 'overlay-copy-up', ...RACE, '--format', 'json')
    expect(JSON.parse(json.out)).toMatchObject({ toctoscope_trace: 1, verdict: 'race' })
  })

  it('shows a run where there is no counterexample', async () => {
    const { code, out, err } = await toctoscope('show', 'overlay-copy-up', '--case', 'mmap-after,none,7.2')
    expect(code).toBe(0)
    expect(err).toContain('there is no counterexample: it is safe')
    expect(out).toContain('RUN  no property is violated')
    expect((await toctoscope('show', 'writer-at-check')).err).toContain('no case has one')
  })
})

describe('replay', () => {
  it('stops at each stage', async () => {
    const { out: document } = await toctoscope('explore', 'overlay-copy-up', ...RACE, '--json')
    const { token } = JSON.parse(document).cases[0]
    const { terminal, written } = fake_terminal({ interactive: true }, ['', '', 'q'])
    expect(await run_command_line(['replay', token, '--step'], terminal)).toBe(0)
    expect(written.err).toMatch(/step 1 of \d+: .*step 3 of \d+: Enter goes on, q ends $/)
    expect(written.out).toContain('build_open_flags')
    expect(written.out).not.toContain('ovl_inode_update')
    const whole = fake_terminal({}, Array(200).fill(''))
    await run_command_line(['replay', token, '--step'], whole.terminal)
    expect(whole.written.out).toContain('ovl_inode_update')
    expect(whole.written.out).toContain('What happened')
    const cut = fake_terminal({}, [''])
    await run_command_line(['replay', token, '--step'], cut.terminal)
    expect(cut.written.out).not.toContain('What happened')
  })

  it('tells somebody who watches what else there is', async () => {
    const { out } = await toctoscope(
      'explore',
      'plain-write-after-check',
      'reopened-descriptor',
      '--case',
      'read,none,7.2',
      '--json',
    )
    const { terminal, written } = fake_terminal({ interactive: true })
    await run_command_line(['replay', JSON.parse(out).cases[0].token], terminal)
    expect(written.err).toContain('--step')
  })
})

describe('list', () => {
  it('names every shipped scenario and what it shows', async () => {
    const { code, out } = await toctoscope('list')
    expect(code).toBe(0)
    for (const name of [
      'mapping-size',
      'overlay-copy-up',
      'path-or-descriptor',
      'plain-write-after-check',
      'reopened-descriptor',
      'writer-at-check',
    ])
      expect(out).toContain(name)
    const rows = JSON.parse((await toctoscope('list', '--json')).out)
    expect(rows.find((row: { name: string }) => row.name === 'overlay-copy-up')).toMatchObject({
      cases: 75,
      params: { profile: ['6.18', '6.19', '7.2'] },
    })
  })
})

describe('the program', () => {
  it('knows its version, which is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(VERSION).toBe(version)
    expect(await toctoscope('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  it('helps', async () => {
    expect(await toctoscope('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes:') })
    expect(await toctoscope('help', 'explore')).toMatchObject({
      code: 0,
      out: expect.stringContaining('--max-states'),
    })
  })

  it('writes no colour where there is no terminal', () => {
    const { out } = compiled('.', 'explore', 'writer-at-check')
    expect(out).not.toContain('\x1b')
  })

  it('explores a scenario whose file is run', async () => {
    const { terminal, written } = fake_terminal()
    expect(await explore_itself(overlay, RACE, terminal)).toBe(0)
    expect(written.out).toContain('RACE  check-use')
    const help = fake_terminal()
    expect(await explore_itself(overlay, ['--help'], help.terminal)).toBe(0)
    const wrong = fake_terminal()
    expect(await explore_itself(overlay, ['--jsn'], wrong.terminal)).toBe(2)
    expect(wrong.written.err).toContain('Did you mean --json?')
    const nothing = fake_terminal()
    expect(await explore_itself(overlay, ['--case', 'nix'], nothing.terminal)).toBe(2)
    expect(nothing.written.err).not.toMatch(STACK)
  })

  it('says of what it did not foresee that it is a bug, in one line', () => {
    const told = tell_error(new RangeError('beyond\nmeasure'))
    expect(told).toEqual({ text: 'this is a bug in toctoscope: RangeError: beyond', code: 70 })
    expect(tell_error('a string')).toEqual({ text: 'this is a bug in toctoscope: "a string"', code: 70 })
  })
})

describe('values of options', () => {
  it('have units', () => {
    expect([parse_count('12'), parse_count('10k'), parse_count('2M')]).toEqual([12, 10_000, 2_000_000])
    expect([parse_time('5'), parse_time('500ms'), parse_time('2m'), parse_time('1h')]).toEqual([
      5000, 500, 120_000, 3_600_000,
    ])
    expect([parse_bytes('100'), parse_bytes('2K'), parse_bytes('1.5G')]).toEqual([100, 2048, 1.5 * 2 ** 30])
  })
})

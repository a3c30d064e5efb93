/** What is printed to be typed can be typed, whatever files and cases are called; and several scenarios at once. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { worst } from '../../src/cli/errors.ts'
import { command, shell_word } from '../../src/trace/render/command.ts'
import { compiled, program, STACK, toctoscope } from './terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

type Params = Readonly<Record<string, string | number>>

function scenario(cases: readonly Params[]): string {
  const victim = [
    { call: 'open', args: ['/f', 'O_RDONLY'], as: 'fd' },
    { call: 'execveat', args: [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'], as: 'c' },
    { call: 'pread', args: [{ $: 'fd' }, 64, 0], as: 'b' },
    { use: 'b', relies: 'c' },
  ]
  const attacker = [
    { call: 'open', args: ['/f', 'O_WRONLY'], as: 'w' },
    { call: 'write', args: [{ $: 'w' }, 'evil'] },
  ]
  const form = {
    setup: {
      filesystems: { root: { type: 'tmpfs', tree: { f: { file: 'good', mode: 0o777 } } } },
      mounts: [{ at: '/', filesystem: 'root' }],
    },
    tasks: [
      { name: 'victim', role: 'victim', program: victim },
      { name: 'attacker', role: 'attacker', program: attacker },
    ],
  }
  return JSON.stringify({
    toctoscope: 1,
    name: 'mine',
    summary: 'mine',
    cases: cases.map((params) => ({ params, ...form })),
  })
}

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const words = [
  'a b',
  "it's",
  '$(touch x)',
  '`x`',
  ';x',
  'a"b',
  '*',
  '~',
  '-',
  '',
  '#',
  'ü',
  'a\\b',
  'a\nb',
  '\u202e1',
  "\x1b'\\9",
]

describe('a printed command', () => {
  it('is read back by a shell as it was meant', () => {
    expect(shell_word('plain-1.2/x_y=z,a')).toBe('plain-1.2/x_y=z,a')
    for (const word of words) {
      const { stdout } = spawnSync('bash', ['-c', `printf %s ${shell_word(word)}`], { encoding: 'utf8' })
      expect(stdout).toBe(word)
      expect(shell_word(word)).not.toMatch(/[\n\u202e]/)
    }
    expect(command('replay', 'toct1.x', null)).toBe('npx toctoscope replay toct1.x')
  })

  it('works when it is typed: replay, run, show', async () => {
    const path = file(
      "it's a $HOME; test.json",
      scenario([
        { p: 'a b, c*', q: 1 },
        { p: 'a b', q: 'x\\ y' },
      ]),
    )
    const { out } = await toctoscope('explore', path)
    const commands = out.match(/^ {2}npx toctoscope .*$/gm)!
    expect(commands).toHaveLength(2)
    const run = await toctoscope('run', path)
    const offered = /e\.g\. (--case .*)$/m.exec(run.err)![1]!
    commands.push(`npx toctoscope run ${shell_word(path)} ${offered}`)
    for (const each of commands) {
      const typed = each.trim().replace('npx toctoscope', `"${process.execPath}" "${program}"`)
      const { status, stdout, stderr } = spawnSync('bash', ['-c', typed], { cwd: folder, encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
      expect(stdout).toContain('mine')
    }
  })
})

describe('--case', () => {
  const of = (...patterns: string[]) =>
    toctoscope(
      'explore',
      join(folder, 'cases.json'),
      '--json',
      ...patterns.flatMap((each) => ['--case', each]),
    )
  const chosen = async (...patterns: string[]) =>
    JSON.parse((await of(...patterns)).out).cases.map(({ case: name }: { case: string }) => name)

  it('takes values with blanks and commas, typed plainly or with backslashes', async () => {
    file(
      'cases.json',
      scenario([
        { p: 'a b', q: 'c,d' },
        { p: 'a', q: 'c' },
        { p: 'b', q: 'a=b' },
      ]),
    )
    expect(await chosen('p=a b')).toEqual(['p=a b q=c,d'])
    expect(await chosen('p=a b,q=c,d')).toEqual(['p=a b q=c,d'])
    expect(await chosen('q=c,d p=a b')).toEqual(['p=a b q=c,d'])
    expect(await chosen('p=a\\ b,q=c\\,d')).toEqual(['p=a b q=c,d'])
    expect(await chosen('q=a=b')).toEqual(['p=b q=a=b'])
    expect(await chosen('p=a')).toEqual(['p=a q=c'])
    expect(await chosen('a,c')).toEqual(['p=a q=c'])
    expect(await chosen('p=a*')).toHaveLength(2)
    expect((await of('p=a\\*')).code).toBe(2)
  })

  it('may name what only some scenarios have', async () => {
    const with_x = file('with-x.json', scenario([{ x: 1 }, { x: 2 }]))
    const without = file('without.json', scenario([{ y: 1 }]))
    const { code, out, err } = await toctoscope('explore', without, with_x, '--case', 'x=1', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out).cases).toHaveLength(1)
    expect(err).toBe(`toctoscope: ${without}: no case matches, so it is left out\n`)
    const none = await toctoscope('explore', without, with_x, '--case', 'x=3')
    expect([none.code, none.out]).toEqual([2, ''])
    expect(none.err).toMatch(/x has no value "3"; there are 1, 2|x has no value "3"; did you mean/)
  })
})

describe('several scenarios', () => {
  it('are all explored, though one of them is bad; the worst exit code counts', async () => {
    const good = file('good.json', scenario([{ p: 1 }]))
    const bad = file('bad.json', '{"toctoscope": 1, "name": 3}')
    const throws = file('throws.mjs', 'throw new Error("no luck")')
    const { code, out, err } = await toctoscope('explore', bad, good, 'nowhere', throws)
    expect(code).toBe(3)
    expect(out).toMatch(/1 case: 1 race/)
    expect(err).toMatch(/bad\.json: name: /)
    expect(err).toContain('there is no scenario "nowhere"')
    expect(err).toMatch(/throws\.mjs.*no luck/)
    expect(err).not.toMatch(STACK)
  })

  it('are one document of JSON, with what went wrong', async () => {
    const good = file('good.json', scenario([{ p: 1 }]))
    const bad = file('bad.json', '{')
    const { code, out } = await toctoscope('explore', bad, good, '--json')
    expect(code).toBe(3)
    const { cases, errors } = JSON.parse(out)
    expect(cases).toHaveLength(1)
    expect(errors).toEqual([{ scenario: bad, error: expect.stringContaining('the file is cut short') }])
    const alone = await toctoscope('explore', bad, '--json')
    expect([alone.code, JSON.parse(alone.out).errors.length]).toEqual([3, 1])
    expect(JSON.parse((await toctoscope('explore', good, '--json')).out).errors).toBeUndefined()
  })

  it('whose code throws while it is searched void nothing else', () => {
    const throwing = `import { define_module, scenario } from 'toctoscope'
export default scenario(import.meta, { name: 'throwing', summary: 'x', build(s) {
  s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: { file: 'good', mode: 0o755 } } }))
  s.module(define_module({ name: 'mine', hooks: { file_open() { throw new Error('my own fault') } } }))
  s.victim('a').open('/f', 'O_RDONLY')
} })
`
    file('throwing.ts', throwing)
    file('good.json', scenario([{ p: 1 }]))
    const { code, out, err } = compiled(folder, 'explore', 'throwing.ts', 'good.json', '--json')
    expect(code).toBe(3)
    expect(err).toContain('my own fault')
    const { cases, errors } = JSON.parse(out)
    expect([cases.length, errors.length]).toEqual([1, 1])
  })

  it('exit with what says most', () => {
    expect(worst([])).toBe(0)
    expect(worst([0, 4])).toBe(4)
    expect(worst([4, 1, 0])).toBe(1)
    expect(worst([1, 3])).toBe(3)
    expect(worst([3, 70])).toBe(70)
  })
})

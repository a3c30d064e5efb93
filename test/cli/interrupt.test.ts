/** Ctrl-C and SIGTERM: a search ends with what there is. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run_command_line } from '../../src/cli/main.ts'
import { fake_terminal, program, STACK } from './terminal.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const open = (flags: string, as: string) => ({ call: 'open', args: ['/f', flags], as })
const victim = [
  open('O_RDONLY', 'fd'),
  { call: 'execveat', args: [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'], as: 'c' },
  { call: 'pread', args: [{ $: 'fd' }, 64, 0], as: 'b' },
  { use: 'b', relies: 'c' },
]
const write = [open('O_WRONLY', 'w'), { call: 'write', args: [{ $: 'w' }, 'evil'] }]
const setup = {
  filesystems: { root: { type: 'tmpfs', tree: { f: { file: 'good', mode: 0o777 } } } },
  mounts: [{ at: '/', filesystem: 'root' }],
}

/** First a case that is done at once, then one of more states than anybody waits for. */
function endless(): string {
  const busy = Array.from({ length: 30 }, (_, i) => [
    { call: 'open', args: [`/n${i}`, 'O_RDWR|O_CREAT', 0o644], as: `w${i}` },
    { call: 'pwrite', args: [{ $: `w${i}` }, 'evil', i] },
  ]).flat()
  const names = ['a', 'b', 'c', 'd', 'e']
  const small = [{ name: 'victim', role: 'victim', program: victim }]
  const tasks = [...small, ...names.map((name) => ({ name, role: 'attacker', program: busy }))]
  const form = { toctoscope: 1, name: 'endless', summary: 'endless' }
  const cases = [
    { params: { size: 'small' }, setup, tasks: [...small, { name: 'a', role: 'attacker', program: write }] },
    { params: { size: 'endless' }, setup, tasks },
    { params: { size: 'later' }, setup, tasks: small },
  ]
  const path = join(folder, 'endless.json')
  writeFileSync(path, JSON.stringify({ ...form, cases }))
  return path
}

/** A race whose attacker makes hundreds of calls that do not matter. */
function with_idle_calls(): string {
  const idle = Array.from({ length: 250 }, () => ({ call: 'access', args: ['/f', 0] }))
  const attacker = [...idle, ...write]
  const tasks = [
    { name: 'victim', role: 'victim', program: victim },
    { name: 'attacker', role: 'attacker', program: attacker },
  ]
  const path = join(folder, 'idle.json')
  writeFileSync(
    path,
    JSON.stringify({ toctoscope: 1, name: 'idle', summary: 'idle', cases: [{ setup, tasks }] }),
  )
  return path
}

/** A program that has been started, and what it has written. */
function started(...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, [program, ...args])
  const written = { out: '', err: '' }
  child.stdout!.on('data', (text) => (written.out += text))
  child.stderr!.on('data', (text) => (written.err += text))
  return { child, written, end: once(child, 'close') as Promise<[number | null, string | null]> }
}

const seconds = (n: number) => new Promise((resolve) => setTimeout(resolve, n * 1000))

describe('a search', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends on %s with what there is',
    async (signal) => {
      const { child, written, end } = started('explore', endless())
      await seconds(4)
      child.kill(signal)
      expect((await end)[0]).toBe(4)
      expect(written.out).toMatch(/endless +incomplete/)
      expect(written.out).toMatch(/small/)
      expect(written.out).not.toMatch(/later/)
      expect(written.out).toContain('the search was interrupted')
      expect(written.err).toContain('toctoscope: interrupted: this is what there is')
    },
    30_000,
  )

  it('gives a whole document of JSON', async () => {
    const { child, written, end } = started('explore', endless(), 'writer-at-check', '--json')
    await seconds(4)
    child.kill('SIGINT')
    expect((await end)[0]).toBe(4)
    const { cases } = JSON.parse(written.out)
    expect(cases).toHaveLength(2)
    expect(cases[1]).toMatchObject({ verdict: 'incomplete', params: { size: 'endless' }, token: null })
  }, 30_000)

  it('ends while calls that do not matter are taken out', async () => {
    const { child, written, end } = started('show', with_idle_calls())
    await seconds(4)
    child.kill('SIGINT')
    const [code] = await end
    expect([0, 4]).toContain(code)
    expect(written.out).toContain('RACE  check-use')
  }, 30_000)
})

describe('a program', () => {
  it('ends at once on the second signal', async () => {
    const { child, written, end } = started('explore', endless())
    await seconds(3)
    // The thread that searches is stopped in neither case, so the second must do without it.
    child.kill('SIGINT')
    child.kill('SIGTERM')
    const began = performance.now()
    expect([130, 143, 4]).toContain((await end)[0])
    expect(performance.now() - began).toBeLessThan(1500)
    expect(written.err).not.toMatch(STACK)
  }, 30_000)

  it('ends at once on a signal that comes before there is a search', async () => {
    const path = join(folder, 'waits.mjs')
    writeFileSync(path, 'setInterval(() => {}, 1000)\nawait new Promise(() => {})\nexport default 1\n')
    const { child, end } = started('explore', path)
    await seconds(2)
    child.kill('SIGTERM')
    expect((await end)[0]).toBe(143)
  }, 30_000)
})

it('a case that was not begun is not reported', async () => {
  let asked = 0
  const { terminal, written } = fake_terminal({ interrupted: () => ++asked > 1 })
  expect(await run_command_line(['explore', 'overlay-copy-up', 'writer-at-check', '--json'], terminal)).toBe(
    4,
  )
  const { cases } = JSON.parse(written.out)
  expect(cases).toHaveLength(1)
  expect(cases[0].verdict).toBe('incomplete')
})

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { told } from '../../src/cli/conform.ts'
import { parse_case } from '../../src/oracle/conform/saved_cases.ts'
import { to_c } from '../../src/oracle/repro/repro.ts'
import { no_kernel, overlay_play } from '../oracle/support.ts'
import { toctoscope } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'toctoscope-repro-'))
const compiled = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8')
const as_root = process.getuid?.() === 0
if (no_kernel === undefined && !as_root)
  console.warn('\n*** SKIPPED: what stops calls inside the kernel: it needs root ***\n')

describe.skipIf(no_kernel !== undefined)('confirm', () => {
  it('confirms the read race and the immunity of mappings; the policy is listed apart', async () => {
    const before = mounts()
    const { code, out } = await toctoscope(
      'confirm',
      'overlay-copy-up',
      '--case',
      'mitigation=none,profile=7.2',
    )
    expect(code).toBe(0)
    expect(out).toMatch(/access=read .*\n {2}confirmed: race: check-use/)
    expect(out).toMatch(/access=mmap-after .*\n {2}confirmed: safe/)
    expect(out).toMatch(/Unconfirmed[\s\S]*the policy of ipe/)
    expect(out).toMatch(/5 confirmed( \(of these 5 of other profiles, [^)]*\))?, 0 differ,\s0 unconfirmed/)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    expect(mounts()).toBe(before)
  })

  it.skipIf(!as_root)('confirms ETXTBSY for a writer inside the check', async () => {
    const { code, out } = await toctoscope('confirm', 'writer-at-check', '--case', 'any-time')
    expect(code).toBe(0)
    const inside = out.slice(
      out.indexOf('the writer came inside the check'),
      out.indexOf('the writer came after'),
    )
    expect(inside).toMatch(/execveat\(…\) stops while it denies writes +userfaultfd +userfaultfd/)
    expect(inside).toMatch(/attacker +open\("\/script", O_WRONLY\) +-1 ETXTBSY +-1 ETXTBSY/)
    expect(inside).toMatch(/execveat goes on +0 +0/)
  })

  it('plays a token', async () => {
    const explored = await toctoscope('explore', 'path-or-descriptor', '--case', 'path,rename', '--json')
    const { token } = JSON.parse(explored.out).cases[0]
    const { code, out } = await toctoscope('confirm', token)
    expect(code).toBe(0)
    expect(out).toContain('confirmed: the execution of the token')
  })

  it('does not count what it cannot judge as confirmed', async () => {
    const { code, out } = await toctoscope('confirm', 'plain-write-after-check', '--case', 'fs-verity')
    expect(code).toBe(0)
    expect(out).toContain('not played: a tmpfs has no fs-verity')
    expect(out).toMatch(/0 confirmed, 0 differ, \d+ unconfirmed/)
  })

  it('exits 3 where there is no such scenario, 2 without one', async () => {
    expect((await toctoscope('confirm', 'no-such')).code).toBe(3)
    expect((await toctoscope('confirm')).code).toBe(2)
  })
})

describe('confirm without what it needs', () => {
  it('exits 6 without a compiler', async () => {
    const { CC, XDG_CACHE_HOME } = process.env
    process.env.CC = '/nowhere/cc'
    process.env.XDG_CACHE_HOME = folder
    try {
      const { code, err } = await toctoscope('confirm', 'writer-at-check')
      expect(code).toBe(6)
      expect(err).toMatch(/^toctoscope: no C compiler: .*\n$/)
    } finally {
      if (CC === undefined) delete process.env.CC
      else process.env.CC = CC
      if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME
      else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME
    }
  })
})

describe.skipIf(no_kernel !== undefined || !as_root)('repro', () => {
  const cases = [
    ['overlay-copy-up', 'access=read,mitigation=none,profile=7.2'],
    ['overlay-copy-up', 'access=mmap-after,mitigation=none,profile=7.2'],
    ['path-or-descriptor', 'check=path,attack=symlink,profile=7.2'],
    ['plain-write-after-check', 'access=pread,verity=none,profile=7.2'],
    ['writer-at-check', 'writer=before,profile=7.2'],
  ] as const
  it.each(cases)('writes C that compiles and agrees: %s %s', async (name, pattern) => {
    const file = join(folder, 'race.c')
    const binary = join(folder, 'race')
    const { code } = await toctoscope('repro', name, '--case', pattern, '-o', file)
    expect(code).toBe(0)
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^/\\*\n \\* ${name} `))
    const cc = spawnSync('cc', ['-Wall', '-Wextra', '-Werror', '-O2', file, '-o', binary], {
      encoding: 'utf8',
    })
    expect(cc.stderr).toBe('')
    const run = spawnSync(binary, { encoding: 'utf8' })
    expect(run.stdout).toContain('predicted and observed agree')
    expect(run.status).toBe(0)
  })

  const given = (name: string) => fileURLToPath(new URL(`../cases/scenarios/${name}`, import.meta.url))
  const refused = [
    ['repro', 'real-device.json', /the device 1:9: on a kernel only whiteouts \(0:0\), null/],
    ['confirm', 'real-device.json', /the device 1:9: on a kernel only whiteouts \(0:0\), null/],
    ['repro', 'mount-outside.json', /mounts\[1\]\.at: expected a path without \., \.\. and NUL/],
    ['confirm', 'mount-outside.json', /mounts\[1\]\.at: expected a path without \., \.\. and NUL/],
  ] as const
  it.each(refused)('%s refuses what would reach the host: %s', async (verb, name, message) => {
    const { code, out, err } = await toctoscope(verb, given(name), ...(verb === 'repro' ? ['-o', '-'] : []))
    expect([code, out]).toEqual([3, ''])
    expect(err).toMatch(message)
    expect(existsSync('/toct-outside')).toBe(false)
  })

  it('runs no program of the scenario’s', async () => {
    const { code, err } = await toctoscope('repro', given('confirm-elf.json'), '-o', '-')
    expect(code).toBe(6)
    expect(err).toMatch(/execve may run a program of the scenario's; "toctoscope confirm" plays that/)
  })

  it('builds and plays in a root of its own, whatever links say; tasks have no file of whoever runs it', () => {
    const tree = { link: { symlink: '/../..' }, f: 'x' }
    const setup = {
      filesystems: { root: { type: 'tmpfs', tree } },
      mounts: [{ at: '/', filesystem: 'root' }],
    } as const
    const calls = [
      { task: 1, call: 'fchmod', args: [1, 0], as: 'a' },
      { task: 1, call: 'ftruncate', args: [1, 0], as: 'b' },
      { task: 1, call: 'mkdir', args: ['/link/toct-outside', 0o755], as: 'c' },
      { task: 1, call: 'access', args: ['/toct-outside', 0], as: 'd' },
    ]
    const steps = calls.map((_, call) => ({ kind: 'call' as const, call, task: 1, text: 'call' }))
    const predicted = [{ ret: 0 }, { errno: 'EINVAL' }, { ret: 0 }, { ret: 0 }]
    const play = { setup, tasks: [{ name: 'a' }], calls }
    const text = to_c(
      { play, predicted, steps, results: new Map(), names: new Map([[1, 'a']]), notes: [] },
      [],
    )
    const file = join(folder, 'own.c')
    const binary = join(folder, 'own')
    const output = join(folder, 'output')
    writeFileSync(file, text)
    expect(spawnSync('cc', ['-Wall', '-Wextra', '-Werror', file, '-o', binary]).stderr.toString()).toBe('')
    const run = spawnSync('sh', ['-c', '"$0" >"$1" 2>&1', binary, output])
    expect(readFileSync(output, 'utf8')).toContain('predicted and observed agree')
    expect(run.status).toBe(0)
    expect(statSync(output).mode & 0o777).not.toBe(0)
    expect(existsSync('/toct-outside')).toBe(false)
    expect(statSync('/dev/null').mode & 0o777).toBe(0o666)
  })

  it('finds out when the kernel answers otherwise', async () => {
    const { out } = await toctoscope(
      'repro',
      'writer-at-check',
      '--case',
      'writer=after,profile=7.2',
      '-o',
      '-',
    )
    const file = join(folder, 'wrong.c')
    const binary = join(folder, 'wrong')
    writeFileSync(file, out.replace(/check, 0\);/, 'check, 7);'))
    expect(spawnSync('cc', [file, '-o', binary]).status).toBe(0)
    const run = spawnSync(binary, { encoding: 'utf8' })
    expect(run.stdout).toContain('<-- DIFFERS')
    expect(run.status).toBe(1)
  })
})

describe('a difference that conform finds', () => {
  it('is printed with both answers, and saved as a case', () => {
    const play = overlay_play({ s: 'x' })
    const calls = [{ task: 1, call: 'open', args: ['/m/s', 'O_RDWR', 0], as: 'fd' }]
    const [model, kernel] = [[{ ret: 3 }], [{ errno: 'EROFS' }]]
    const difference = { call: 0, what: 'result', model: model[0]!, kernel: kernel[0]! }
    const found = { seed: 9, index: 4, play: { ...play, calls }, model, kernel, difference }
    const text = told(found, { save: folder }, 100)
    expect(text).toMatch(/^DIFFERENCE in open \(result\), in program 4 of seed 9, shrunk to 1 calls\n/)
    expect(text).toContain('conform --count 1 --seed 9 --from 4\n')
    expect(text).toMatch(/1: fd = open\("\/m\/s", "O_RDWR", 0\) +3 +EROFS ✗ result\n/)
    const saved = /^Saved as (.*)$/m.exec(text)![1]!
    expect(parse_case(readFileSync(saved, 'utf8'))).toMatchObject({ play: { calls }, answers: kernel })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })
})

describe.skipIf(no_kernel !== undefined)('conform', () => {
  it('prints the rate, what it reached, and how to go on', async () => {
    const { code, out } = await toctoscope('conform', '--count', '40', '--seed', '1', '--save', folder)
    expect(code).toBe(0)
    expect(out).toMatch(/^40 programs, [\d,]+ calls, [\d,]+ programs\/s/)
    expect(out).toContain('no difference')
    expect(out).toMatch(/^Not compared: numbers of inodes and devices themselves/m)
    expect(out).toContain('conform --count 40 --seed 1 --from 40')
    expect(out).toMatch(/^errno sites reached: \d+ of \d+ \(\d+ %\); --sites lists the others$/m)
  })

  it('lists the errno sites that it did not reach, and those that it cannot', () => {
    // In a process of its own: of what has run before in this one, not every block would be told apart (sites.ts).
    const args = [compiled, 'conform', '--count', '5', '--sites', '--save', folder]
    const { stdout: out } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    // Five programs reach few of them: some of those of mmap are always left.
    expect(out).toMatch(/^Not reached:\n(?: .*\n)*? {2}vfs\/memory\/mmap, \w+: return /m)
    expect(out).toMatch(
      /^Not counted \(needs 65,530 mappings\):\n {2}vfs\/memory\/mmap, do_mmap: return -ENOMEM;$/m,
    )
  })

  it('says what it has when it is interrupted, and how to go on; nothing stays behind', async () => {
    const before = mounts()
    const args = [compiled, 'conform', '--count', '1000000', '--seed', '5', '--save', folder]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    child.stdout.on('data', (text: Buffer) => {
      out += text.toString()
    })
    setTimeout(() => child.kill('SIGINT'), 3000)
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(4)
    const plays = Number(/^Interrupted after ([\d,]+) of/.exec(out)?.[1]?.replace(/,/g, ''))
    expect(plays).toBeGreaterThan(0)
    expect(out).toContain(`--count ${1_000_000 - plays} --seed 5 --from ${plays}`)
    expect(mounts()).toBe(before)
  })

  it('draws a seed, prints it first, and another time another', async () => {
    const seed = async () => {
      const { out } = await toctoscope('conform', '--count', '1', '--seed', 'random', '--save', folder)
      const first = /^seed (\d+)\n/.exec(out)![1]!
      expect(out).toContain(`--seed ${first} --from 1`)
      return first
    }
    expect(await seed()).not.toBe(await seed())
  })

  it('names the areas that there are', async () => {
    const { code, err } = await toctoscope('conform', '--only', 'nets')
    expect(code).toBe(2)
    expect(err).toContain('there are open, exec, data')
  })
})

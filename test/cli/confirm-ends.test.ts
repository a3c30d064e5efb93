import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { no_kernel } from '../oracle/support.ts'

const start = fileURLToPath(new URL('../../dist/src/cli/start.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'toctoscope-ends-'))
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Every process below one, by its number. */
function below(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  )
  return [...children, ...children.flatMap(below)]
}

function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8')

/** Starts it, and waits until the agent and a task of its are there. */
async function in_the_middle(
  ...args: string[]
): Promise<{ child: ChildProcess; all: number[]; out: () => string }> {
  const child = spawn(process.execPath, [start, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (text: Buffer) => {
      out += text.toString()
    })
  let all: number[] = []
  await expect
    .poll(() => (all = below(child.pid!)).length, { timeout: 20_000, interval: 5 })
    .toBeGreaterThan(2)
  return { child, all, out: () => out }
}

const end_of = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('close', resolve))

describe.skipIf(no_kernel !== undefined)('what is played', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends at %s with what there is, and leaves nothing behind',
    async (signal) => {
      const before = mounts()
      const { child, all, out } = await in_the_middle('confirm', 'overlay-copy-up')
      const end = end_of(child)
      child.kill(signal)
      expect(await end).toBe(4)
      expect(out()).toMatch(/interrupted: this is what there is/)
      expect(out()).toMatch(/\d+ confirmed, 0 differ/)
      await expect.poll(() => all.filter(lives)).toEqual([])
      expect(mounts()).toBe(before)
    },
  )

  const verbs = [
    ['confirm', 'overlay-copy-up'],
    ['conform', '--count', '100000'],
    ['shell', '--kernel', '--json'],
  ]
  it.each(verbs)('ends with %s when that is killed', async (...args) => {
    const before = mounts()
    const { child, all } = await in_the_middle(...args)
    const end = end_of(child)
    child.kill('SIGKILL')
    await end
    await expect.poll(() => all.filter(lives)).toEqual([])
    expect(mounts()).toBe(before)
  })
})

describe.skipIf(no_kernel !== undefined || process.getuid?.() !== 0)('as nobody', () => {
  const home = join(folder, 'home')
  function as_nobody(...args: string[]) {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    chownSync(home, 65534, 65534)
    const { status, stdout, stderr } = spawnSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, start, ...args],
      { encoding: 'utf8', env: { ...process.env, HOME: home, XDG_CACHE_HOME: '' }, cwd: '/' },
    )
    return { status, stdout, stderr }
  }

  it('says what needs root, and why', () => {
    const { status, stdout } = as_nobody('confirm', 'plain-write-after-check', '--case', 'verity=none')
    expect(stdout).toMatch(/not played: needs root: (it plays uid \d+|\S+ belongs to uid \d+)/)
    expect(status).toBe(6)
  })

  it('plays what can be played without', () => {
    const { status, stdout } = as_nobody('confirm', 'writer-at-check', '--case', 'writer=before')
    expect(stdout).toMatch(/played as a user namespace/)
    expect(stdout).toMatch(/1 confirmed \(of these 1 of other profiles, as this kernel's/)
    expect(status).toBe(0)
  })
})

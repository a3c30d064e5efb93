import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import '../../src/model.js'
import { Agent, open_agent } from '../../src/oracle/agent/agent.js'
import { answers, open_to_others, own_folder } from '../../src/oracle/agent/own_folder.js'
import { no_kernel } from './support.js'

const as_root = process.getuid?.() === 0

let folder = ''
const { HOME, XDG_CACHE_HOME, TMPDIR } = process.env
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-own-'))
  delete process.env.XDG_CACHE_HOME
})
afterEach(() => {
  Object.assign(process.env, { HOME, TMPDIR, XDG_CACHE_HOME })
  for (const [name, value] of Object.entries({ HOME, TMPDIR, XDG_CACHE_HOME }))
    if (value === undefined) delete process.env[name]
  rmSync(folder, { recursive: true, force: true })
})

function home(made: (path: string) => void = mkdirSync): string {
  const path = join(folder, 'home')
  made(path)
  process.env.HOME = path
  return path
}

describe('the folder for the agent', () => {
  it('is made in the home, and nobody else goes there', () => {
    const path = home()
    expect(own_folder()).toBe(join(path, '.cache', 'toctoscope'))
    expect(statSync(own_folder()).mode & 0o777).toBe(0o700)
  })

  it('is where XDG_CACHE_HOME says, which is made', () => {
    home()
    process.env.XDG_CACHE_HOME = join(folder, 'cache')
    expect(own_folder()).toBe(join(folder, 'cache', 'toctoscope'))
    process.env.XDG_CACHE_HOME = 'relative'
    expect(own_folder()).toBe(join(folder, 'home', '.cache', 'toctoscope'))
  })

  it('may be reached through a link to a good one', () => {
    mkdirSync(join(folder, 'real'))
    home((path) => symlinkSync('real', path))
    expect(own_folder()).toBe(join(folder, 'real', '.cache', 'toctoscope'))
  })

  const help = /; set XDG_CACHE_HOME to a folder of your own$/
  const bad: [string, (path: string) => void, RegExp][] = [
    ['is missing', () => {}, /HOME \(.*\) does not exist/],
    ['is a file', (path) => writeFileSync(path, ''), /is no folder/],
    ['is a link that dangles', (path) => symlinkSync('nowhere', path), /does not exist/],
    ['is a link to itself', (path) => symlinkSync('home', path), /leads nowhere/],
    ['is a fifo', (path) => spawnSync('mkfifo', [path]), /is no folder/],
    ['has a file for .cache', with_cache((path) => writeFileSync(path, '')), /is no folder/],
    ['has a fifo for .cache', with_cache((path) => spawnSync('mkfifo', [path])), /is no folder/],
    ['has a link for .cache', with_cache((path) => symlinkSync('/tmp', path)), /is no folder/],
    ['lets all write', with_mode(0o777), /is not safe: .*home can be written to by everybody/],
    ['has a .cache that lets all write', with_cache(lax), /\.cache can be written to by everybody/],
  ]
  it.each(bad)('is refused where the home %s', (_, made, message) => {
    home(made)
    const began = Date.now()
    expect(() => own_folder()).toThrow(message)
    expect(() => own_folder()).toThrow(help)
    expect(Date.now() - began).toBeLessThan(2000)
  })

  it('is refused where the home has no absolute path', () => {
    process.env.HOME = 'here'
    expect(() => own_folder()).toThrow(/HOME \(here\) is no absolute path/)
  })

  it('is refused where others go into it', () => {
    const own = join(home(), '.cache', 'toctoscope')
    mkdirSync(own, { recursive: true })
    chmodSync(own, 0o755)
    expect(() => own_folder()).toThrow(/others can go into .*toctoscope \(chmod 700 helps\)/)
  })

  it.skipIf(!as_root)('is refused where it, or a folder on the way, is another user’s', () => {
    const path = home()
    mkdirSync(join(path, '.cache', 'toctoscope'), { recursive: true, mode: 0o700 })
    chownSync(join(path, '.cache', 'toctoscope'), 1234, 0)
    expect(() => own_folder()).toThrow(/is not safe: .*toctoscope belongs to the user 1234/)
    chownSync(join(path, '.cache', 'toctoscope'), 0, 0)
    chownSync(folder, 1234, 0)
    expect(() => own_folder()).toThrow(/is not safe: .* belongs to the user 1234/)
  })

  it('is not waited for where the file system does not answer', () => {
    const hanging = join(folder, 'sh')
    writeFileSync(hanging, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 })
    expect(answers(folder, 200, hanging)).toBe(false)
    expect(answers(folder)).toBe(true)
    expect(answers(join(folder, 'missing'))).toBe(true)
  })

  it('knows who could write there', () => {
    const of = (mode: number, uid: number, gid: number) => open_to_others({ mode, uid, gid }, 1000, 1000)
    expect(of(0o755, 1000, 1000)).toBeNull()
    expect(of(0o755, 0, 0)).toBeNull()
    expect(of(0o775, 1000, 1000)).toBeNull()
    expect(of(0o1777, 0, 0)).toBeNull()
    expect(of(0o775, 1000, 50)).toMatch(/group 50/)
    expect(of(0o1777, 1001, 0)).toMatch(/user 1001/)
    expect(of(0o757, 0, 0)).toMatch(/everybody/)
  })
})

function with_mode(mode: number): (path: string) => void {
  return (path) => {
    mkdirSync(path)
    chmodSync(path, mode)
  }
}

function with_cache(made: (path: string) => void): (path: string) => void {
  return (path) => {
    mkdirSync(path)
    made(join(path, '.cache'))
  }
}

function lax(path: string): void {
  mkdirSync(path)
  chmodSync(path, 0o777)
}

describe.skipIf(no_kernel !== undefined)('a program that somebody else has put there', () => {
  const planted = (ran: string) => `#!/bin/sh\ntouch ${ran}\necho ready root\n`

  async function start(): Promise<void> {
    const agent = await Agent.start()
    agent.close()
  }

  it('never runs, wherever it lies', async () => {
    const ran = join(folder, 'ran')
    const path = home()
    await start()
    const own = own_folder()
    const [kept] = readdirSync(own)
    expect(kept).toMatch(/^agent-[0-9a-f]{32}-[0-9a-f]{32}$/)
    const name = kept!.split('-').slice(0, 2).join('-')
    rmSync(join(own, kept!))
    const shared = join(folder, 'tmp')
    process.env.TMPDIR = shared
    for (const dir of [
      own,
      join(shared, `toctoscope-${process.getuid?.()}`),
      join(path, '.cache'),
      path,
      shared,
    ]) {
      mkdirSync(dir, { recursive: true })
      for (const file of [kept!, name, `${name}-${'0'.repeat(32)}`, 'agent', name.slice(0, 30)])
        writeFileSync(join(dir, file), planted(ran), { mode: 0o755 })
    }
    await start()
    expect(existsSync(ran)).toBe(false)
    expect(readdirSync(own)).toContain(kept)
    expect(readFileSync(join(own, kept!)).subarray(0, 4).toString('latin1')).toBe('\x7fELF')
  })

  it('never runs where it is a link, a folder or a fifo; a program that is damaged is made anew', async () => {
    const ran = join(folder, 'ran')
    home()
    await start()
    const own = own_folder()
    const [kept] = readdirSync(own)
    const at = join(own, kept!)
    const good = readFileSync(at)
    writeFileSync(join(folder, 'evil'), planted(ran), { mode: 0o755 })
    const made: (() => void)[] = [
      () => symlinkSync(join(folder, 'evil'), at),
      () => mkdirSync(at),
      () => spawnSync('mkfifo', [at]),
      () => writeFileSync(at, good.subarray(0, 1000), { mode: 0o700 }),
      () => writeFileSync(at, good, { mode: 0o722 }),
    ]
    for (const make of made) {
      rmSync(at, { recursive: true })
      make()
      await start()
      expect(existsSync(ran)).toBe(false)
      expect(readFileSync(at).equals(good)).toBe(true)
    }
  })

  it('leaves nothing half made', () => {
    home()
    expect(() => open_agent({ cc: '/bin/false' })).toThrow(/cannot compile/)
    expect(readdirSync(own_folder())).toEqual([])
  })
})

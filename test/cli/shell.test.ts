/** The shell as a program: lines through a pipe. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { profile_for } from '../../src/oracle/confirm/confirm.js'
import { no_kernel } from '../oracle/support.js'
import { Dice } from '../shell/garbage.js'
import { sensible, spawns } from '../shell/sensible.js'

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

function shell(input: string | Buffer, ...args: string[]) {
  const run = spawnSync(process.execPath, [program, 'shell', ...args], { input, maxBuffer: 1 << 28 })
  return { out: run.stdout.toString(), err: run.stderr.toString(), code: run.status }
}

describe('shell --json', () => {
  it('answers every line, the last without a line end too, and exits 0', () => {
    const input =
      '{"id":1,"task":1,"call":"mkdir","args":["/é",493]}\n\nnot json\n{"id":2,"task":1,"call":"stat","args":["/é"]}'
    const { out, err, code } = shell(input, '--json')
    const answers = out.split('\n')
    expect(answers[0]).toBe('{"id":1,"ret":0}')
    expect(answers[1]).toMatch(/^\{"id":null,"error":"not JSON: /)
    expect(answers[2]).toMatch(/^\{"id":2,"ret":0,"stat":\{"st_dev":1,/)
    expect(answers.slice(3)).toEqual([''])
    expect(err).toBe('')
    expect(code).toBe(0)
  })

  it('takes a set-up, and the set-up of a scenario', () => {
    const setup =
      '{"id":1,"setup":{"filesystems":{"a":{"type":"tmpfs","tree":{"f":"x"}}},"mounts":[{"at":"/","filesystem":"a"}]}}'
    expect(shell(`${setup}\n{"id":2,"task":1,"call":"open","args":["/f",0]}\n`, '--json').out).toBe(
      '{"id":1,"ret":0}\n{"id":2,"ret":3}\n',
    )
    const { out } = shell('{"id":2,"task":2,"call":"umask","args":[0]}\n', 'overlay-copy-up', '--json')
    expect(out).toBe('{"id":2,"ret":18}\n')
  })

  it('answers each line before it waits for the next', async () => {
    const child = spawn(process.execPath, [program, 'shell', '--json'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    child.stdout.setEncoding('utf8')
    const lines: string[] = []
    const next = () =>
      new Promise<string>((resolve) => child.stdout.once('data', (chunk: string) => resolve(chunk)))
    for (let id = 1; id <= 3; id++) {
      const answered = next()
      child.stdin.write(`{"id":${id},"task":1,"call":"fork","args":[]}\n`)
      lines.push(await answered)
    }
    child.stdin.end()
    expect(lines).toEqual(['{"id":1,"ret":73}\n', '{"id":2,"ret":74}\n', '{"id":3,"ret":75}\n'])
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
  })

  it('is not upset by a reader who goes away, or by bytes that are no text', () => {
    const requests = '{"id":1,"task":1,"call":"umask","args":[0]}\n'.repeat(100_000)
    const run = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${program}" shell --json | head -n 1; exit 0`],
      { input: requests },
    )
    expect(run.stdout.toString()).toBe('{"id":1,"ret":18}\n')
    expect(run.stderr.toString()).toBe('')
    const { out, code } = shell(Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x7b, 0x80]), '--json')
    expect(out.split('\n').filter((line) => line.includes('"error":"not JSON')).length).toBe(2)
    expect(code).toBe(0)
  })

  it('is quick: open, write, read, stat and close in a tree of 1,000 files', () => {
    const { input, calls } = tree_calls(20_000)
    const start = performance.now()
    const { out } = shell(input, '--json')
    const seconds = (performance.now() - start) / 1000
    expect(out.split('\n').length - 1).toBe(calls)
    expect(out).not.toContain('err')
    // On an idle machine it is far more than 50,000 a second; tests share theirs with others.
    expect(calls / seconds).toBeGreaterThan(10_000)
  })
})

/** Makes the tree, and then five calls for each of so many visits. */
function tree_calls(visits: number): { input: string; calls: number } {
  const lines: string[] = []
  const call = (name: string, ...args: unknown[]) =>
    lines.push(JSON.stringify({ id: lines.length, task: 1, call: name, args }))
  for (let d = 0; d < 10; d++) {
    call('mkdir', `/d${d}`, 0o755)
    for (let f = 0; f < 100; f++) {
      call('creat', `/d${d}/f${f}`, 0o644)
      call('close', 3)
    }
  }
  for (let i = 0; i < visits; i++) {
    const path = `/d${i % 10}/f${(i * 7) % 100}`
    call('openat', 'AT_FDCWD', path, 'O_RDWR')
    call('write', 3, 'hello, world')
    call('pread', 3, 100, 0)
    call('stat', path)
    call('close', 3)
  }
  return { input: `${lines.join('\n')}\n`, calls: lines.length }
}

describe('a path walk', () => {
  /** Nanoseconds per stat in a directory of so many entries, in one process with others before it. */
  function cost(entries: number): number {
    const lines: string[] = []
    const call = (name: string, ...args: unknown[]) =>
      lines.push(JSON.stringify({ id: 1, task: 1, call: name, args }))
    for (let i = 0; i < entries; i++) call('mknod', `/f${i}`, 0o100644, 0)
    const before = run_ms(lines)
    for (let i = 0; i < 100_000; i++) call('stat', `/f${i % entries}`)
    return run_ms(lines) - before
  }

  const run_ms = (lines: readonly string[]): number => {
    const start = performance.now()
    shell(`${lines.join('\n')}\n`, '--json')
    return performance.now() - start
  }

  it('costs the same in a directory of 10 and of 10,000 entries', () => {
    const few = Math.min(cost(10), cost(10))
    const many = Math.min(cost(10_000), cost(10_000))
    expect(many / few).toBeLessThan(3)
  })
})

describe('shell for people', () => {
  it('answers as strace does, without a prompt where there is no terminal', () => {
    const { out, err, code } = shell(
      'openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644)\nclose(9)\nquit\nclose(3)\n',
    )
    expect(out).toBe('openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644) = 3\nclose(9) = -1 EBADF\n')
    expect(err).toBe('')
    expect(code).toBe(0)
  })
})

describe('wrong usage', () => {
  it.each([
    [['nix'], 3, /there is no scenario "nix"/],
    [['--profile', '5.0'], 3, /there is no kernel profile "5\.0"/],
    [['--bogus'], 2, /unknown option '--bogus'/],
  ])('%j exits %i', (args, code, message) => {
    const run = shell('', ...args)
    expect(run.err).toMatch(message)
    expect(run.code).toBe(code)
  })
})

describe.skipIf(no_kernel !== undefined)('shell --both and --kernel', () => {
  const check = [
    'openat(AT_FDCWD, "/x", O_WRONLY|O_CREAT, 0755)',
    'execveat(AT_FDCWD, "/x", ["x"], NULL, AT_EXECVE_CHECK)',
    'close(3)',
    '',
  ].join('\n')

  it('shows both answers', () => {
    const { out, code } = shell(check, '--both')
    expect(out).toContain('  kernel: execveat(AT_FDCWD, "/x", ["x"], NULL, AT_EXECVE_CHECK) = -1 ETXTBSY\n')
    expect(out).toContain('\nclose(3) = 0\n  kernel: close(3) = 0\n')
    expect(code).toBe(0)
  })

  it('stops with exit code 5 where they differ', () => {
    const { out, err, code } = shell(check, '--both', '--profile', '6.11')
    expect(out).toContain('they differ')
    expect(out).not.toContain('close')
    expect(err).toContain('the model and the kernel differ: execveat')
    expect(code).toBe(5)
    const request = '{"id":1,"task":1,"call":"execveat","args":[-100,"/",null,null,"AT_EXECVE_CHECK"]}\n'
    const json = shell(request.repeat(2), '--both', '--json', '--profile', '6.11')
    expect(json.out).toBe('{"id":1,"errno":"EINVAL","kernel":{"errno":"EACCES"}}\n')
    expect(json.code).toBe(5)
  })

  it('10,000 calls give the same answers on either', () => {
    const dice = new Dice(5)
    const requests = [...spawns, ...Array.from({ length: 10_000 }, (_, id) => sensible(dice, id))]
    const input = `${requests.map((each) => JSON.stringify(each)).join('\n')}\n`
    const kernel = shell(input, '--kernel', '--json')
    const model = shell(input, '--json', '--profile', profile_for(release()))
    expect(kernel.out).toBe(model.out)
    expect(kernel.out.split('\n').length - 1).toBe(requests.length)
  })

  it('exits 6 with a message where there is no compiler', () => {
    const cache = mkdtempSync(join(tmpdir(), 'toctoscope-test-'))
    const env = { ...process.env, CC: '/nix/cc', XDG_CACHE_HOME: cache }
    const run = spawnSync(process.execPath, [program, 'shell', '--kernel'], { input: '', env })
    rmSync(cache, { recursive: true })
    expect(run.stderr.toString()).toMatch(/^toctoscope: no C compiler: cannot run \/nix\/cc/)
    expect(run.status).toBe(6)
  })

  it('--kernel and --both exclude each other', () => {
    expect(shell('', '--kernel', '--both').code).toBe(2)
  })
})

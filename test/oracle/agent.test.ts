import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import '../../src/model.js'
import { Agent, open_agent } from '../../src/oracle/agent/agent.js'
import {
  type Answer,
  OracleError,
  type Play,
  type PlayCall,
  SetupRefused,
} from '../../src/oracle/agent/play.js'
import { no_kernel, overlay_play } from './support.js'

const with_kernel = describe.skipIf(no_kernel !== undefined)

async function play(of: Play, calls: PlayCall[], tasks = of.tasks): Promise<Answer[]> {
  const agent = await Agent.start()
  try {
    return await agent.play({ ...of, tasks, calls })
  } finally {
    agent.close()
  }
}

const base = overlay_play({ f: { file: 'hello\n', mode: 0o755 } })

/** Two tasks at a fifo, /p. */
const fifo: Play = {
  setup: {
    filesystems: { root: { type: 'tmpfs', tree: { p: { device: 'fifo', mode: 0o666 } } } },
    mounts: [{ at: '/', filesystem: 'root' }],
  },
  tasks: [{ name: 'a' }, { name: 'b' }],
  calls: [],
}

with_kernel('the agent', () => {
  it('answers with results, errnos, bytes and fields', async () => {
    const [opened, read, missing, stat] = await play(base, [
      { task: 1, call: 'open', args: ['/m/f', 'O_RDONLY'], as: 'fd' },
      { task: 1, call: 'read', args: [{ $: 'fd' }, 100] },
      { task: 1, call: 'open', args: ['/m/missing', 'O_RDONLY'] },
      { task: 1, call: 'stat', args: ['/m/f'] },
    ])
    expect(opened).toEqual({ ret: 3 })
    expect(read).toEqual({ ret: 6, data: 'hello\n' })
    expect(missing).toEqual({ errno: 'ENOENT' })
    expect(stat!.fields).toMatchObject({ st_mode: 0o100755, st_size: 6 })
  })

  it('gives each task its own ids, descriptors and memory', async () => {
    const tasks = [{ name: 'a' }, { name: 'b', uid: 1000, gid: 1000 }]
    const answers = await play(
      base,
      [
        { task: 1, call: 'open', args: ['/m/f', 'O_RDONLY'] },
        { task: 2, call: 'read', args: [3, 1] },
        { task: 2, call: 'open', args: ['/m/f', 'O_RDWR'] },
        { task: 1, call: 'mmap', args: [0x20000000, 4096, 1, 0x12, 3] },
        { task: 1, call: 'peek', args: [0x20000000, 2] },
        { task: 2, call: 'peek', args: [0x20000000, 2] },
      ],
      tasks,
    )
    expect(answers.map((each) => each.errno ?? each.signal ?? each.data ?? each.ret)).toEqual([
      3,
      'EBADF',
      'EACCES',
      0x20000000,
      'he',
      'SIGSEGV',
    ])
  })

  it('says that a call sleeps, and goes on with other tasks', async () => {
    const answers = await play(fifo, [
      { task: 1, call: 'open', args: ['/p', 'O_RDONLY'] },
      { task: 2, call: 'open', args: ['/p', 'O_RDWR'] },
    ])
    expect(answers).toEqual([{ blocked: true }, { ret: 3 }])
  })

  it('makes none of the calls that come after one that sleeps, not even when that wakes', async () => {
    const looks = Array.from({ length: 20 }, () => ({ task: 2, call: 'access', args: ['/q', 0] }))
    const answers = await play(fifo, [
      { task: 1, call: 'access', args: ['/p', 0] },
      { task: 1, call: 'open', args: ['/p', 'O_RDONLY'] },
      { task: 1, call: 'creat', args: ['/q', 0o644] },
      { task: 2, call: 'open', args: ['/p', 'O_RDWR'] },
      ...looks,
    ])
    expect(answers.slice(0, 4)).toEqual([{ ret: 0 }, { blocked: true }, { blocked: true }, { ret: 3 }])
    expect(answers.slice(4)).toEqual(looks.map(() => ({ errno: 'ENOENT' })))
  })

  it('answers to each call of a task in order, however long the answers are', async () => {
    const long = 'ab'.repeat(40_000)
    const read = { task: 1, call: 'pread', args: [3, long.length, 0] }
    const [opened, ...answers] = await play(overlay_play({ f: { file: long } }), [
      { task: 1, call: 'open', args: ['/m/f', 'O_RDONLY'] },
      read,
      { task: 1, call: 'access', args: ['/m/g', 0] },
      read,
      read,
      { task: 1, call: 'exit' },
      read,
      read,
    ])
    const whole = { ret: long.length, data: long }
    expect(opened).toEqual({ ret: 3 })
    expect(answers).toEqual([
      ...[whole, { errno: 'ENOENT' }, whole, whole],
      ...[{ dead: true }, { dead: true }, { dead: true }],
    ])
  })

  it('outlives forks, exits and failed execs', async () => {
    const answers = await play(base, [
      { task: 1, call: 'open', args: ['/m/f', 'O_RDONLY'] },
      { task: 1, call: 'fork', child: 2 },
      { task: 1, call: 'execve', args: ['/m/f', [], []] },
      { task: 1, call: 'exit' },
      { task: 1, call: 'close', args: [3] },
      { task: 2, call: 'pread', args: [3, 5, 0] },
    ])
    expect(answers.slice(1)).toEqual([
      { ret: 2 },
      { errno: 'ENOEXEC' },
      { dead: true },
      { dead: true },
      { ret: 5, data: 'hello' },
    ])
  })

  it('refuses a set-up that the kernel refuses, and plays the next', async () => {
    const agent = await Agent.start()
    const bad: Play = {
      ...base,
      setup: { ...base.setup, mounts: [...base.setup.mounts!, { at: '/x', overlay: { lower: ['low'] } }] },
    }
    await expect(agent.play(bad)).rejects.toThrow(SetupRefused)
    expect(await agent.play({ ...base, calls: [{ task: 1, call: 'access', args: ['/m/f', 0] }] })).toEqual([
      { ret: 0 },
    ])
    agent.close()
  })

  it('passes the options of an overlay on: the kernel refuses what excludes each other', async () => {
    const refused = { metacopy: 'on', redirect_dir: 'follow' } as const
    const mounts = base.setup.mounts!.map((each) =>
      'overlay' in each ? { ...each, overlay: { ...each.overlay, options: refused } } : each,
    )
    const setup = { ...base.setup, mounts }
    await expect(play({ ...base, setup }, [])).rejects.toThrow(/EINVAL|Invalid argument/)
  })

  it('leaves no mount and no process, also when it is killed in the middle', async () => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8')
    const agent = await Agent.start()
    const sleeping = overlay_play({ p: { device: 'fifo' } })
    const tasks = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
    const calls = tasks.map((_, i) => ({ task: i + 1, call: 'open', args: ['/m/p', 'O_RDONLY'] }))
    const endless = agent.play({ ...sleeping, tasks, calls })
    const session = readdirSync(`/proc/${agent.pid}/task`).flatMap((id) =>
      readFileSync(`/proc/${agent.pid}/task/${id}/children`, 'utf8').trim().split(' '),
    )
    process.kill(agent.pid, 'SIGKILL')
    await expect(endless).rejects.toThrow(OracleError)
    await expect(agent.play(base)).rejects.toThrow(/the agent ended \(SIGKILL\)/)
    await expect.poll(() => session.filter((pid) => alive(pid))).toEqual([])
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before)
  })

  it('plays in a user namespace too', async () => {
    const agent = await Agent.start({ user_ns: true })
    expect(agent.privilege).toBe('user-ns')
    const answers = await agent.play({
      ...base,
      calls: [
        { task: 1, call: 'open', args: ['/m/f', 'O_RDWR'] },
        { task: 1, call: 'execveat', args: ['AT_FDCWD', '/m/f', [], [], 'AT_EXECVE_CHECK'] },
      ],
    })
    agent.close()
    expect(answers).toEqual([{ ret: 3 }, { errno: 'ETXTBSY' }])
  })
})

function alive(pid: string): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

describe('without a compiler', () => {
  const cache = join(tmpdir(), `toctoscope-test-${process.pid}`)
  afterAll(() => rmSync(cache, { recursive: true, force: true }))

  it('says that there is none', () => {
    expect(() => open_agent({ cc: '/no/such/cc', cache })).toThrow(/no C compiler: cannot run \/no\/such\/cc/)
  })

  it('says that it fails', () => {
    expect(() => open_agent({ cc: '/bin/false', cache })).toThrow(/\/bin\/false cannot compile the agent/)
  })
})

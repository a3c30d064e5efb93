import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { Agent } from '../../src/oracle/agent/agent.js'
import { KernelPlayer } from '../../src/oracle/agent/player.js'
import { profile_for } from '../../src/oracle/confirm/confirm.js'
import { validate_setup } from '../../src/scenario/form_schema.js'
import { Protocol } from '../../src/shell/protocol.js'
import { Session } from '../../src/shell/session.js'
import { Dice } from '../shell/garbage.js'
import { sensible, spawns } from '../shell/sensible.js'
import { no_kernel } from './support.js'

const opened: KernelPlayer[] = []
afterEach(() => {
  for (const each of opened.splice(0)) each.close()
})

const check = async (given: unknown) => validate_setup(given)

async function kernel(): Promise<(request: object) => Promise<string>> {
  const player = await KernelPlayer.open(await Agent.start(), null)
  opened.push(player)
  const protocol = new Protocol(player, check)
  return async (request) => protocol.answer(JSON.stringify({ id: 1, ...request }))
}

const call = (task: number, name: string, ...args: unknown[]) => ({ task, call: name, args })

describe.skipIf(no_kernel !== undefined)('the shell on a kernel', () => {
  it('gives the same answers as the model', async () => {
    const ask = await kernel()
    const model = new Protocol(new Session({ profile: profile_for(release()) }), check)
    const dice = new Dice(11)
    const requests = [...spawns, ...Array.from({ length: 4000 }, (_, id) => sensible(dice, id))]
    let succeeded = 0
    for (const request of requests) {
      const expected = await model.answer(JSON.stringify({ ...request, id: 1 }))
      expect(await ask({ ...request, id: 1 }), JSON.stringify(request)).toBe(expected)
      if (expected.includes('"ret"')) succeeded++
    }
    expect(succeeded).toBeGreaterThan(1000)
  })

  it('tasks come and go, more of them than there can be at a time', async () => {
    const ask = await kernel()
    for (let i = 0; i < 60; i++) {
      expect(await ask(call(1, 'fork'))).toBe('{"id":1,"ret":73}\n')
      expect(await ask(i % 2 === 0 ? call(73, 'exit', 0) : { exit: 73 })).toBe('{"id":1,"ret":0}\n')
      expect(await ask(call(73, 'umask', 0))).toBe('{"id":1,"error":"task 73 has ended"}\n')
    }
  })

  it('a task that cannot be made is told, and does not spoil the next', async () => {
    const ask = await kernel()
    expect(await ask({ spawn: { task: 2, cwd: '/nix' } })).toMatch(/"error":".*cannot enter \/nix/)
    expect(await ask({ spawn: { task: 2, cwd: '/dev' } })).toBe('{"id":1,"ret":2}\n')
    expect(await ask({ spawn: { task: 3, cwd: '/nix' } })).toMatch(/"error":".*cannot enter \/nix/)
    expect(await ask(call(2, 'creat', 'x', 0o600))).toBe('{"id":1,"ret":3}\n')
  })

  it('a set-up of its own, before the first call', async () => {
    const ask = await kernel()
    const setup = {
      filesystems: {
        root: { type: 'tmpfs' },
        low: { type: 'tmpfs', tree: { s: 'low' } },
        up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
      },
      mounts: [
        { at: '/', filesystem: 'root' },
        { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
      ],
    }
    expect(await ask({ setup })).toBe('{"id":1,"ret":0}\n')
    expect(await ask(call(1, 'open', '/m/s', 'O_RDWR'))).toBe('{"id":1,"ret":3}\n')
    expect(await ask(call(1, 'read', 3, 10))).toBe(`{"id":1,"ret":3,"data":"${btoa('low')}"}\n`)
    expect(await ask({ setup })).toContain('comes before the first call')
  })

  it('a call that sleeps is said to, and its result comes later', async () => {
    const ask = await kernel()
    await ask({ spawn: { task: 2 } })
    await ask(call(1, 'mknod', '/fifo', 0o010644, 0))
    expect(await ask({ id: 'sleeper', ...call(2, 'open', '/fifo', 'O_RDONLY') })).toBe(
      '{"id":"sleeper","blocked":true}\n',
    )
    expect(await ask(call(2, 'umask', 0))).toBe('{"id":1,"error":"task 2 is inside a call"}\n')
    expect(await ask(call(1, 'open', '/fifo', 'O_RDWR'))).toBe('{"id":1,"ret":3}\n{"id":"sleeper","ret":3}\n')
  })

  it('makes no devices that could do harm, and asks for no more than fits its buffer', async () => {
    const ask = await kernel()
    expect(await ask(call(1, 'mknod', '/sda', 0o060600, 0x800))).toContain('no device of the host')
    expect(await ask(call(1, 'mknod', '/mem', 0o020600, 0x101))).toContain('no device of the host')
    expect(await ask(call(1, 'mknod', '/null', 0o020600, 0x103))).toBe('{"id":1,"ret":0}\n')
    await ask(call(1, 'open', '/f', 'O_RDWR|O_CREAT', 0o600))
    await ask(call(1, 'ftruncate', 3, 2 ** 30))
    expect(await ask(call(1, 'read', 3, 2 ** 30))).toContain(`"ret":${2 ** 20},`)
    expect(await ask(call(1, 'peek', 0, 2 ** 30))).toContain('EINVAL')
  })

  it('says so when the agent is gone', async () => {
    const agent = await Agent.start()
    const player = await KernelPlayer.open(agent, null)
    const protocol = new Protocol(player, check)
    agent.close()
    expect(await protocol.answer('{"id":1,"task":1,"call":"umask","args":[0]}')).toContain(
      '"error":"the agent is closed"',
    )
    expect(player.lost?.exit_code).toBe(6)
  })

  it('leaves no mount behind', async () => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8')
    const ask = await kernel()
    await ask(call(1, 'mkdir', '/x', 0o755))
    opened.pop()!.close()
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before)
  })
})

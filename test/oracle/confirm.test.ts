import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { replay } from '../../src/explore/replay.ts'
import { FastStore } from '../../src/kernel/fast_store.ts'
import { Agent } from '../../src/oracle/agent/agent.ts'
import { fit_case, type Machine, machine_of, observe, profile_for } from '../../src/oracle/confirm/confirm.ts'
import {
  kernel_run,
  NoStop,
  type Playable,
  playable_runs,
  type StopKind,
} from '../../src/oracle/confirm/stops.ts'
import { c_string } from '../../src/oracle/repro/repro.ts'
import type { Case } from '../../src/scenario/builder.ts'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.ts'
import type { CaseForm, OpForm } from '../../src/scenario/form.ts'
import { no_kernel } from './support.ts'

const is_root = process.getuid?.() === 0
if (no_kernel === undefined && !is_root)
  console.warn('\n*** SKIPPED: stops inside calls: they need root ***\n')

const of = (form: CaseForm): Case => ({ form, code: { modules: new Map(), properties: new Map() } })

/** So that nobody lets go of what is open at the end of the program. */
const pause: OpForm = { call: 'pause' }

/** A checker and a writer of one file: on a tmpfs, or on a lower layer. */
function two(checker: readonly OpForm[], writer: readonly OpForm[], overlay = false): CaseSystem {
  const script = { file: 'lower bytes', mode: 0o777 }
  const filesystems = {
    low: { type: 'tmpfs' as const, tree: { s: script, l: { dir: {} } } },
    up: { type: 'tmpfs' as const, tree: { u: { dir: {} }, w: { dir: {} } } },
  }
  const layers = { lower: ['low'], upper: 'up:/u', work: 'up:/w' }
  const mounts = overlay
    ? [
        { at: '/', overlay: layers },
        { at: '/l', filesystem: 'low' },
      ]
    : [{ at: '/', filesystem: 'low' }]
  const tasks = [
    { name: 'a', program: [...checker, pause] },
    { name: 'b', program: [...writer, pause] },
  ]
  return case_system(of({ profile: '6.18', setup: { filesystems, mounts }, tasks, properties: [] }))
}

const call = (
  name: string,
  args: CaseForm['tasks'][number]['program'][number] | unknown[],
  as: string,
): OpForm => ({ call: name, args, as, on_error: 'continue' }) as OpForm

const check = call('execveat', [-100, '/s', null, null, 'AT_EXECVE_CHECK'], 'check')
const write_open = (as = 'open') => call('openat', [-100, '/s', 'O_WRONLY', 0], as)

/**
 * The same two on an overlay at /n, whose lower layer is the overlay at /m, whose lower layer is the directory l of the
 * root; so each has its own name for the file.
 */
function two_stacked(checker: readonly OpForm[], writer: readonly OpForm[]): CaseSystem {
  const filesystems = {
    low: {
      type: 'tmpfs' as const,
      tree: { l: { dir: { s: { file: 'lower bytes', mode: 0o777 } } }, m: { dir: {} }, n: { dir: {} } },
    },
    up: { type: 'tmpfs' as const, tree: { u: { dir: {} }, w: { dir: {} } } },
    top: { type: 'tmpfs' as const, tree: { u: { dir: {} }, w: { dir: {} } } },
  }
  const mounts = [
    { at: '/', filesystem: 'low' },
    { at: '/m', overlay: { lower: ['/l'], upper: 'up:/u', work: 'up:/w' } },
    { at: '/n', overlay: { lower: ['/m'], upper: 'top:/u', work: 'top:/w' } },
  ]
  const tasks = [
    { name: 'a', program: [...checker, pause] },
    { name: 'b', program: [...writer, pause] },
  ]
  return case_system(of({ profile: '6.18', setup: { filesystems, mounts }, tasks, properties: [] }))
}

/** The run in which `b` runs while `a` stands at a stop of this kind. */
function stopped_run(system: CaseSystem, kind: StopKind, task: number): Playable {
  const found = playable_runs(system, { stops: true, limit: 1000 }).find(({ schedule }) => {
    const { steps } = kernel_run(system, schedule, kind)
    const at = steps.findIndex(({ stop }) => stop === kind)
    return (
      at >= 0 && steps[at]!.task === task && steps[at + 1]!.task !== task && steps[at + 1]!.kind === 'call'
    )
  })
  expect(found).toBeDefined()
  return found!
}

describe('schedules for a kernel', () => {
  const system = two([check], [write_open()])

  it('have every order of whole calls', () => {
    const runs = playable_runs(system, { stops: false, limit: 100 })
    expect(runs.map(({ stops }) => stops)).toEqual([0, 0])
    expect(new Set(runs.map(({ outcome }) => outcome)).size).toBe(2)
  })

  it('have stops inside calls', () => {
    const runs = playable_runs(system, { stops: true, limit: 100 })
    expect(new Set(runs.map(({ outcome }) => outcome)).size).toBe(3)
  })

  it('refuse a switch where no kernel can be stopped', () => {
    const [first] = playable_runs(system, { stops: false, limit: 1 })
    const own = first!.schedule.filter(({ task }) => task === 1)
    const others = first!.schedule.filter(({ task }) => task === 2)
    const torn = [...others.slice(0, 3), ...own.slice(0, 1)]
    expect(() => kernel_run(system, torn)).toThrow(NoStop)
  })

  it('predict what the model answers', () => {
    const [first] = playable_runs(system, { stops: false, limit: 1 })
    const { play, predicted } = kernel_run(system, first!.schedule)
    expect(play.calls.map((each) => each.call)).toEqual(['execveat', 'openat'])
    expect(predicted).toEqual([{ ret: 0 }, { ret: 3 }])
    expect(system.violations(replay(system, new FastStore(), first!.schedule))).toEqual([])
  })
})

describe('what fits this kernel', () => {
  const machine: Machine = { release: '6.18.1', profile: '6.18', modules: ['capability'], privilege: 'root' }
  const tasks = [{ name: 'a', program: [] }]

  it('is the nearest profile that is not newer', () => {
    expect(['6.12.117', '6.13.0', '6.15-rc1', '6.18.44-x', '6.20', '7.2.1', '9.9'].map(profile_for)).toEqual([
      '6.12',
      '6.12',
      '6.14',
      '6.18',
      '6.19',
      '7.2',
      '7.3',
    ])
    expect(() => profile_for('5.15.0')).toThrow(/oldest kernel that is modelled is 6\.11/)
  })

  it('leaves out policies, and says so', () => {
    const setup = { lsm: { ipe: { policy: 'x' } } }
    const {
      of: fitted,
      policed,
      unconfirmed,
    } = fit_case(of({ setup, tasks, properties: ['policy'] }), machine)
    expect(fitted.form.setup).not.toHaveProperty('lsm')
    expect(fitted.form.properties).toEqual([])
    expect(policed!.form.setup!.lsm).toEqual(setup.lsm)
    expect(unconfirmed[0]).toBe('the policy of ipe: not among the active modules (capability)')
  })

  it('does not play what no kernel has', () => {
    const proposal = of({ profile: '7.2+ovl_read_pinned', tasks })
    expect(fit_case(proposal, machine).unplayable).toBe('no kernel has ovl_read_pinned')
    const disk = { type: 'ext4' as const, tree: { s: { file: 'x', verity: {} } } }
    const verity = of({ setup: { filesystems: { disk }, mounts: [{ at: '/', filesystem: 'disk' }] }, tasks })
    expect(fit_case(verity, machine).unplayable).toMatch(/tmpfs has no fs-verity/)
  })
})

describe('bytes in C', () => {
  it('are escaped so that nothing else is meant', () => {
    expect(c_string('a"\\\n\0' + '1??/')).toBe('"a\\"\\\\\\n\\0001\\?\\?/"')
  })
})

describe.skipIf(no_kernel !== undefined || !is_root)('stops on the running kernel', () => {
  let agent: Agent
  let mounts = ''
  beforeAll(async () => {
    mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    agent = await Agent.start()
  })
  afterAll(() => {
    agent.close()
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts)
  })

  async function play(system: CaseSystem, kind: StopKind, task = 1) {
    const run = kernel_run(system, stopped_run(system, kind, task).schedule, kind)
    const observed = await observe(agent, run)
    expect(observed.did_not_stop).toBeNull()
    expect(observed.differences).toEqual([])
    return run.steps.map(({ kind: what, call: at }) => (what === 'stop' ? 'stop' : run.predicted[at]))
  }

  it('what makes stops possible is not among the descriptors that others see', async () => {
    const looks = call('openat', [-100, '/p/1/fd/3', 'O_PATH', 0], 'look')
    const filesystems = {
      low: { type: 'tmpfs' as const, tree: { s: { file: 'bytes', mode: 0o755 }, p: { dir: {} } } },
      proc: { type: 'proc' as const },
    }
    const mounts = [
      { at: '/', filesystem: 'low' },
      { at: '/p', filesystem: 'proc' },
    ]
    const tasks = [
      { name: 'a', program: [check, pause] },
      { name: 'b', program: [looks, pause] },
    ]
    const system = case_system(of({ profile: '6.18', setup: { filesystems, mounts }, tasks, properties: [] }))
    expect(await play(system, 'exec_open')).toEqual(['stop', { errno: 'ENOENT' }, { ret: 0 }])
  })

  it('a check before it denies writes: the writer comes in, and the check fails', async () => {
    expect(await play(two([check], [write_open()]), 'exec_open')).toEqual([
      'stop',
      { ret: 3 },
      { errno: 'ETXTBSY' },
    ])
  })

  it('a check that denies writes: the writer is refused', async () => {
    expect(await play(two([check], [write_open()]), 'exec_args')).toEqual([
      'stop',
      { errno: 'ETXTBSY' },
      { ret: 0 },
    ])
  })

  it('a check through an overlay', async () => {
    const system = two([check], [write_open()], true)
    expect(await play(system, 'exec_open')).toEqual(['stop', { ret: 3 }, { errno: 'ETXTBSY' }])
    expect(await play(system, 'exec_args')).toEqual(['stop', { errno: 'ETXTBSY' }, { ret: 0 }])
  })

  it.each(['copy_up_open', 'copy_up_read'] as const)(
    '%s: what is written to the lower file meanwhile is copied',
    async (kind) => {
      const copies = [
        write_open('o'),
        call('openat', [-100, '/s', 'O_RDONLY', 0], 'r'),
        call('read', [{ $: 'r' }, 64], 'bytes'),
      ]
      const changes = [call('truncate', ['/l/s', 5], 'cut')]
      const answers = await play(two(copies, changes, true), kind)
      expect(answers[0]).toBe('stop')
      expect(answers.at(-1)).toEqual({ ret: 11, data: 'lower\0\0\0\0\0\0' })
    },
  )

  describe('through two overlays', () => {
    const open_in = (path: string, flags: string, as: string) => call('openat', [-100, path, flags, 0], as)
    const copies = [open_in('/n/s', 'O_WRONLY', 'o'), open_in('/n/s', 'O_RDONLY', 'r')]
    const reads = call('read', [{ $: 'r' }, 64], 'bytes')

    it.each(['copy_up_open', 'copy_up_read'] as const)(
      '%s of the upper one: what is written through the lower one meanwhile is copied',
      async (kind) => {
        const changes = [open_in('/m/s', 'O_WRONLY', 'w'), call('write', [{ $: 'w' }, 'LOWER'], 'n')]
        const answers = await play(two_stacked([...copies, reads], changes), kind)
        expect(answers[0]).toBe('stop')
        expect(answers.at(-1)).toEqual({ ret: 11, data: 'LOWER bytes' })
      },
    )

    it('copy_up_read of the lower one, which is not written to through the upper one', async () => {
      const lower = [open_in('/m/s', 'O_WRONLY', 'o'), open_in('/n/s', 'O_RDONLY', 'r'), reads]
      const changes = [call('truncate', ['/l/s', 5], 'cut')]
      const answers = await play(two_stacked(lower, changes), 'copy_up_read')
      expect(answers[0]).toBe('stop')
      expect(answers.at(-1)).toEqual({ ret: 11, data: 'lower\0\0\0\0\0\0' })
    })

    it('a check of the upper one: who writes through the lower one is not refused', async () => {
      const checks = [call('execveat', [-100, '/n/s', null, null, 'AT_EXECVE_CHECK'], 'check')]
      const system = two_stacked(checks, [open_in('/m/s', 'O_WRONLY', 'w')])
      expect(await play(system, 'exec_args')).toEqual(['stop', { ret: 3 }, { ret: 0 }])
      const upper = two_stacked(checks, [open_in('/n/s', 'O_WRONLY', 'w')])
      expect(await play(upper, 'exec_args')).toEqual(['stop', { errno: 'ETXTBSY' }, { ret: 0 }])
    })
  })

  it('tells which security modules are active', async () => {
    const { modules, profile } = await machine_of(agent)
    expect(modules === null || modules.includes('capability')).toBe(true)
    expect(profile).toBe(profile_for((await import('node:os')).release()))
  })

  it('finds out when the kernel answers otherwise', async () => {
    const system = two([check], [write_open()])
    const run = kernel_run(system, playable_runs(system, { stops: false, limit: 1 })[0]!.schedule)
    const wrong = { ...run, predicted: [{ errno: 'EACCES' }, run.predicted[1]!] }
    expect((await observe(agent, wrong)).differences).toMatchObject([{ call: 0, what: 'result' }])
  })
})

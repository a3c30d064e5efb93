/** Cases in which something is really run, on the running kernel; and what they are played with. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Agent } from '../../src/oracle/agent/agent.js'
import { can_run, with_real_programs } from '../../src/oracle/agent/real_programs.js'
import { HEADERS, sleeping_program } from '../../src/oracle/agent/sleeping_program.js'
import { confirm_case, fit_case, type Machine, machine_of } from '../../src/oracle/confirm/confirm.js'
import { encode_run, kernel_run, playable_runs } from '../../src/oracle/confirm/stops.js'
import type { Case, Scenario } from '../../src/scenario/builder.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { type CallForm, type CaseForm, case_name, type OpForm } from '../../src/scenario/form.js'
import { bytes_of } from '../../src/scenario/tree.js'
import confirm_elf from '../cases/scenarios/confirm-elf.json' with { type: 'json' }
import forked_exec from '../cases/scenarios/confirm-forked-exec.js'
import exec_ends from '../cases/scenarios/exec-ends.js'
import hash_then_exec from '../cases/scenarios/hash-then-exec-safe.js'
import real_exec_gate from '../cases/scenarios/real-exec-gate-safe.js'
import selfexe from '../cases/scenarios/selfexe-safe.js'
import { no_kernel } from './support.js'

const is_root = process.getuid?.() === 0
const program = atob(sleeping_program(process.arch))

const form_of = (file: string, ops: readonly OpForm[]): CaseForm => ({
  profile: '6.18',
  setup: {
    filesystems: { d: { type: 'tmpfs', tree: { p: { file, mode: 0o777 }, t: 'text' } } },
    mounts: [{ at: '/', filesystem: 'd' }],
  },
  tasks: [{ name: 'a', program: ops }],
  properties: [],
})
const run_it: OpForm = { call: 'execve', args: ['/p', ['p'], null], as: 'run', on_error: 'continue' }
const of = (form: CaseForm): Case => ({ form, code: { modules: new Map(), properties: new Map() } })
const args_of = (form: CaseForm, at = 0) => (form.tasks[0]!.program[at] as CallForm).args!
const file_of = (form: CaseForm) => {
  const { file } = form.setup!.filesystems!.d!.tree!.p as { file: string }
  return bytes_of(file, '')
}

describe('programs that a kernel runs', () => {
  it('begin with the bytes that the model runs, and hold all of them', () => {
    for (const begin of ['\x7fELF', '\x7fELFgood', `\x7fELF${'long '.repeat(9)}`]) {
      const bytes = file_of(with_real_programs(form_of(begin, [run_it])))
      expect(can_run(begin)).toBe(false)
      expect(can_run(bytes)).toBe(true)
      expect(bytes.startsWith(begin.slice(0, 16))).toBe(true)
      expect(bytes.endsWith(begin)).toBe(true)
    }
  })

  it('are there only where something is run, and in the place of sketches alone', () => {
    const check: OpForm = { call: 'execveat', args: [-100, '/p', null, null, 'AT_EXECVE_CHECK'], as: 'check' }
    for (const form of [form_of('\x7fELF', [check]), form_of('#!/t\n', [run_it]), form_of('text', [run_it])])
      expect(with_real_programs(form)).toBe(form)
    const whole = with_real_programs({ ...form_of('\x7fELF', [run_it]) })
    expect(with_real_programs(whole)).toBe(whole)
  })

  it('are longer, and so is what had reached to their end', () => {
    const ops: OpForm[] = [
      { call: 'read', args: [0, 100], as: 'all' },
      { call: 'pread', args: [0, 4, 4], as: 'some' },
      { call: 'write', args: [1, '\x7fELFevil', 8], as: 'written' },
      { call: 'pwrite', args: [1, 'evil', 4], as: 'in_place' },
      { call: 'pwrite', args: [1, 'more', 8], as: 'behind' },
      { call: 'truncate', args: ['/p', 5], as: 'cut' },
      run_it,
    ]
    const form = with_real_programs(form_of('\x7fELFgood', ops))
    const by = program.length
    expect(args_of(form, 0)).toEqual([0, 100 + by])
    expect(args_of(form, 1)).toEqual([0, 4, 4])
    expect(args_of(form, 2)[2]).toBe(8 + by)
    expect(can_run(bytes_of(args_of(form, 2)[1] as string, ''))).toBe(true)
    expect(args_of(form, 3)).toEqual([1, 'evil', 4])
    expect(args_of(form, 4)).toEqual([1, 'more', 8 + by])
    expect(args_of(form, 5)).toEqual(['/p', 5])
  })

  it('are no programs any more when their headers or their code are gone', () => {
    expect(can_run(program)).toBe(true)
    expect(can_run(program.slice(0, HEADERS))).toBe(false)
    expect(can_run(`${program.slice(0, 18)}\0\0${program.slice(20)}`)).toBe(false)
    expect(can_run(`${program.slice(0, HEADERS)}xx${program.slice(HEADERS + 2)}`)).toBe(false)
    expect(can_run(`x${program.slice(1)}`)).toBe(false)
  })

  it('that are cut short are not put to a kernel, which would not run them', () => {
    const cut: OpForm = { call: 'truncate', args: ['/p', 5], as: 'cut' }
    const runs = (ops: readonly OpForm[]) =>
      playable_runs(case_system(of(with_real_programs(form_of('\x7fELFgood', ops)))), {
        stops: false,
        limit: 9,
      })
    expect(runs([run_it])).toHaveLength(1)
    expect(runs([cut, run_it])).toHaveLength(0)
  })
})

it('results are known by the calls that are made: a program that is made to end makes none', () => {
  const writer: OpForm[] = [
    { call: 'open', args: ['/t', 'O_WRONLY'], as: 'fd' },
    { call: 'write', args: [{ $: 'fd' }, 'x'], as: 'written' },
  ]
  const form = with_real_programs(form_of('\x7fELF', [run_it]))
  const tasks = [...form.tasks, { name: 'w', program: writer }]
  const system = case_system(of({ ...form, tasks }))
  const requests = playable_runs(system, { stops: false, limit: 99 }).map(({ schedule }) =>
    encode_run(kernel_run(system, schedule)).split('\n'),
  )
  const ended = requests.find(
    (lines) => lines.indexOf('kill 1') < lines.findIndex((each) => /call 2 open/.test(each)),
  )!
  expect(ended.filter((line) => line.startsWith('call'))).toEqual([
    'call 1 execve "/p ( "p ) @',
    'call 2 open "/t 1 0',
    'call 2 write $1 "x #',
    expect.stringContaining('call 2 exit'),
  ])
})

describe.skipIf(no_kernel !== undefined || !is_root)('on the running kernel', () => {
  let agent: Agent
  let machine: Machine
  beforeAll(async () => {
    agent = await Agent.start()
    machine = await machine_of(agent)
  })
  afterAll(() => agent.close())

  const told: [string, Scenario][] = [
    ['exec-ends', exec_ends],
    ['selfexe-safe', selfexe],
    ['real-exec-gate-safe', real_exec_gate],
    ['hash-then-exec-safe', hash_then_exec],
    ['confirm-forked-exec', forked_exec],
    ['confirm-elf', scenario_from_form(confirm_elf)],
  ]

  it.each(told)('%s is confirmed', { timeout: 120_000 }, async (_, scenario) => {
    const cases = scenario.cases.filter(({ form }) => form.params?.profile !== '6.11')
    for (const each of cases) {
      const fitted = fit_case(each, machine)
      expect(fitted.unplayable).toBeNull()
      const { claims, differing } = await confirm_case(agent, fitted, { most_runs: 6 })
      expect(
        claims.map(({ standing }) => standing),
        case_name(each.form),
      ).toEqual(['confirmed'])
      expect(differing).toEqual([])
    }
  })
})

/** Calls that do not matter are taken out at a cost that does not grow with their number alone, and in time. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/explore/decide.js'
import { Player } from '../../src/explore/replay.js'
import { CutShort } from '../../src/explore/system.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.js'
import type { CallForm, OpForm, PropertyForm, ScenarioForm } from '../../src/scenario/form.js'
import { encode_token } from '../../src/trace/record/token.js'
import { cause_of } from '../../src/verdict/cause.js'
import { explain } from '../../src/verdict/explained.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { candidates, type Removal, without_calls } from '../../src/verdict/removal.js'
import { tidy } from '../../src/verdict/tidy.js'
import { witnessed } from '../../src/verdict/witnesses.js'

const file = new URL('../cases/scenarios/hash-collision.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as ScenarioForm

/** The race, with so many calls before it that change nothing. */
function with_stats(n: number) {
  const [form] = cases
  const stat: CallForm = { call: 'stat', args: ['/l/s'] }
  const tasks = form!.tasks.map((task, t) =>
    t > 0 ? task : { ...task, program: [...Array.from({ length: n }, () => stat), ...task.program] },
  )
  return { form: { ...form!, tasks }, code: { modules: new Map(), properties: new Map() } }
}

it('many calls are found out together, and make the token no longer', () => {
  const { removed, counterexample } = explore_case(with_stats(150))
  expect(removed.map(({ op }) => op).sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, i) => i))
  const plain = removed.map(({ task, op }) => ({ task, op, ret: 0 }))
  const token = { scenario: 'x', hash: '0123456789', index: 0, schedule: counterexample!.schedule }
  const longer =
    encode_token({ ...token, removed: plain }).length - encode_token({ ...token, removed: [] }).length
  expect(longer).toBeLessThan(10)
}, 60_000)

it('the time that is over for the search is over for what follows it', () => {
  let time = 0
  const { verdict, bounds, removed } = explore_case(with_stats(3), { max_time: 30, now: () => time++ })
  expect(bounds).toContain('time')
  expect(time).toBeLessThan(60)
  expect([verdict, removed.length]).not.toEqual(['race', 3])
})

/** A system that counts how often it is set up. */
function counted(system: CaseSystem): { system: CaseSystem; boots: () => number } {
  let boots = 0
  const boot: CaseSystem['boot'] = (store) => {
    boots++
    return system.boot(store)
  }
  return { system: { ...system, boot }, boots: () => boots }
}

it('the victim is asked again only after what it can meet: stages grow with the schedule, not with their product', () => {
  const made = (n: number) => {
    const { system, counterexample, cause } = explore_case(with_stats(n), { remove_calls: false })
    const schedule = counterexample!.schedule
    const player = new Player(system)
    expect(cause_of(player, schedule)).toEqual(cause)
    expect(cause!.kind).toBe('write in place')
    return { stages: player.stages, moves: schedule.length }
  }
  const [few, many] = [made(2), made(60)]
  expect(many.moves).toBeGreaterThan(few.moves + 200)
  // Once to see what is violated, once to find the cause, once to describe it.
  expect(many.stages - few.stages).toBeLessThanOrEqual(3 * (many.moves - few.moves))
}, 60_000)

it('what follows a search sets the world up once', () => {
  const of = with_stats(2)
  const { system, boots } = counted(case_system(of))
  const { found } = explore_case(of)
  witnessed(system, new Set())
  expect(boots()).toBe(1)
  const finding = { verdict: 'race' as const, property: 'check-use', counterexample: found!, bounds: [] }
  explain(of, system, finding, { remove_calls: false })
  expect(boots()).toBe(2)
  explain(of, system, finding, {})
  expect(boots()).toBe(3)
})

it('where there is no time for the cause none is told, and no call is left out', () => {
  const of = with_stats(2)
  const none = () => ({ max_time: 0, now: () => 0 })
  const { cause, removed, bounds } = explore_case(of, { explaining: none }).explained!
  expect(cause!.kind).toBe('not looked for')
  expect([removed, bounds]).toEqual([[], ['time']])
})

it('a schedule is left as it is where there is no time to tidy it', () => {
  const { whole, found } = explore_case(with_stats(2))
  const { schedule } = found!
  let left = schedule.length + 1
  const look = () => {
    if (left-- === 0) throw new CutShort('time')
  }
  expect(tidy(new Player(whole, look), schedule)).toBe(schedule)
})

it('what there was no time to witness is incomplete', () => {
  const of = with_stats(0)
  const tasks = of.form.tasks.map((task) => ({ ...task, program: task.program.slice(0, 1) }))
  const system = case_system({ ...of, form: { ...of.form, tasks, expect: undefined } })
  let time = 0
  const endless = (_: ReadonlySet<string>, look: () => void): never => {
    for (;;) look()
  }
  const options = { max_time: 1000, now: () => time++ }
  const { verdict, bounds } = decide({ ...system, witnessed: endless }, options)
  expect([verdict, bounds]).toEqual(['incomplete', ['time']])
})

describe('calls that are left out', () => {
  const program: OpForm[] = [
    { call: 'open', args: ['/f', 'O_RDWR'], as: 'fd' },
    { call: 'read', args: [{ $: 'fd' }, 2], as: 'bytes' },
    { call: 'stat', args: ['/f'], as: 'st' },
    { call: 'umask', args: [0], as: 'kept' },
    { call: 'write', args: [{ $: 'fd' }, { $: 'bytes' }] },
    { repeat: 2, body: [{ call: 'close', args: [{ $: 'fd' }] }] },
    {
      if: { result: 'kept', ok: true },
      // biome-ignore lint/suspicious/noThenProperty: data
      then: [{ call: 'truncate', args: ['/f', { $: 'st.st_size' }] }],
      else: [{ call: 'close', args: [{ $: 'fd' }] }],
    },
    // biome-ignore lint/suspicious/noThenProperty: data
    { if: { result: 'kept', failed: true }, then: [{ exit: true }] },
    { call: 'fork', child: [{ call: 'close', args: [{ $: 'fd' }] }] },
    { call: 'umask', args: [{ $: 'kept' }] },
  ]
  const of = {
    form: { tasks: [{ name: 't', program }] },
    code: { modules: new Map(), properties: new Map() },
  }
  const left = (...removals: Omit<Removal, 'task'>[]) =>
    without_calls(
      of,
      removals.map((each) => ({ task: 1, ...each })),
      case_system(of),
    ).form.tasks[0]!.program
  const size = syscall_named('stat')!.fields.indexOf('st_size')
  const fields = syscall_named('stat')!.fields.map((_, i) => 10 * i)

  it('are no more, and what others take of them is what they gave', () => {
    const made = left({ op: 0, ret: 7 }, { op: 1, ret: 2, data: 'hi' }, { op: 2, ret: 0, fields })
    expect(made).toEqual([
      program[3],
      { call: 'write', args: [7, { base64: 'aGk=' }] },
      { repeat: 2, body: [{ call: 'close', args: [7] }] },
      {
        if: { result: 'kept', ok: true },
        // biome-ignore lint/suspicious/noThenProperty: data
        then: [{ call: 'truncate', args: ['/f', 10 * size] }],
        else: [{ call: 'close', args: [7] }],
      },
      program[7],
      { call: 'fork', child: [{ call: 'close', args: [7] }] },
      program[9],
    ])
  })

  it('of a structure that was not filled have given 0, and of a failed read its errno', () => {
    const made = left({ op: 1, ret: -9 }, { op: 2, ret: -2 })
    expect(made[0]).toEqual(program[0])
    expect(made[2]).toEqual({ call: 'write', args: [{ $: 'fd' }, -9] })
    // biome-ignore lint/suspicious/noThenProperty: data
    expect(made[4]).toMatchObject({ then: [{ call: 'truncate', args: ['/f', 0] }] })
  })

  it('are calls, at the top of a program, each once, and none with children', () => {
    expect(left()).toEqual(program)
    for (const removed of [[5], [6], [8], [10], [-1], [0, 0]])
      expect(() => left(...removed.map((op) => ({ op, ret: 0 })))).toThrow(
        'it is no call that can be left out',
      )
  })

  it('may be any whose result nobody asks for but as an argument', () => {
    expect(candidates(of)).toEqual([9, 4, 2, 1, 0].map((op) => ({ task: 1, op })))
    const never: PropertyForm[] = [{ never: { 't.st': 'ok' } }]
    expect(candidates({ ...of, form: { ...of.form, properties: never } })).toEqual(
      [9, 4, 1, 0].map((op) => ({ task: 1, op })),
    )
  })
})

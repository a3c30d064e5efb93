import { describe, expect, it } from 'vitest'
import '../../src/model.js'
import type { Disagreement } from '../../src/oracle/conform/conform.js'
import {
  format_disagreement,
  scenario_of,
  show_answer,
  show_play_call,
} from '../../src/oracle/conform/report.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'

const found: Disagreement = {
  seed: 7,
  index: 2,
  play: {
    setup: {},
    tasks: [{ name: 'a' }, { name: 'b', uid: 1000 }],
    calls: [
      { task: 1, call: 'open', args: ['/f', 'O_RDWR|O_CREAT', 420], as: 'fd' },
      { task: 1, call: 'fork', child: 3 },
      { task: 3, call: 'write', args: [{ $: 'fd' }, 'O_RDWR'] },
      { task: 2, call: 'stat', args: ['/f'] },
    ],
  },
  model: [{ ret: 3 }, { ret: 3 }, { ret: 6 }, { ret: 0, fields: { st_mode: 0o100644, st_size: 0 } }],
  kernel: [{ ret: 3 }, { ret: 3 }, { ret: 6 }, { ret: 0, fields: { st_mode: 0o100600, st_size: 0 } }],
  difference: { call: 3, what: 'st_mode', model: {}, kernel: {} },
}

describe('a disagreement', () => {
  it('is shown with both answers beside each other', () => {
    expect(format_disagreement(found)).toEqual([
      'seed 7, program 2: stat: model and kernel give another st_mode',
      '  setup {}',
      '  task 1 {}',
      '  task 2 {"uid":1000}',
      '    1 open("/f", O_RDWR|O_CREAT, 420) = 3',
      '    1 fork() = 3',
      '    3 write(fd, "O_RDWR") = 6',
      '  > 2 stat("/f")',
      '        model:  st_mode=0100644',
      '        kernel: st_mode=0100600',
    ])
  })

  it('is a scenario that loads', () => {
    const scenario = scenario_of(found.play, 'found')
    expect(validate_scenario(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario)
    expect(scenario.cases[0]!.tasks.map((task) => task.program.length)).toEqual([2, 1])
  })
})

describe('answers and calls', () => {
  it('are written as strace does', () => {
    expect(show_answer({ errno: 'EACCES' })).toBe('-1 EACCES')
    expect(show_answer({ signal: 'SIGBUS' })).toBe('SIGBUS')
    expect(show_answer({ ret: 2, data: 'a\n' })).toBe('2 "a\\n"')
    expect(show_answer({ ret: 50, data: 'x'.repeat(50) })).toBe(`50 "${'x'.repeat(40)}"…`)
    expect(show_answer({ dead: true })).toBe('dead')
    expect(show_play_call({ task: 1, call: 'open', args: [null, 0] })).toBe('open(NULL, 0)')
    expect(show_play_call({ task: 1, call: 'execve', args: ['/f', ['a'], []] })).toBe(
      'execve("/f", ["a"], [])',
    )
  })
})

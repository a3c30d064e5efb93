/** Every case of every shipped scenario is what it says it is, with the machine's books looked at after each stage. */
import { describe, expect, test } from 'vitest'
import mapping_size from '../../scenarios/mapping-size.js'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import path_or_descriptor from '../../scenarios/path-or-descriptor.js'
import plain_write from '../../scenarios/plain-write-after-check.js'
import reopened_descriptor from '../../scenarios/reopened-descriptor.js'
import writer_at_check from '../../scenarios/writer-at-check.js'
import { depth_first } from '../../src/explore/depth_first.js'
import { case_system } from '../../src/scenario/case_system.js'
import { case_name } from '../../src/scenario/form.js'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { explore_case } from '../../src/verdict/explore_case.js'

const scenarios = [
  overlay_copy_up,
  mapping_size,
  plain_write,
  writer_at_check,
  path_or_descriptor,
  reopened_descriptor,
]

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (_, scenario) => {
  test.each(scenario.cases.map((each) => [case_name(each.form), each] as const))('%s', (_, each) => {
    const report = explore_case(each)
    expect(each.form.expect).toBeDefined()
    expect({ verdict: report.verdict, property: report.property }).toEqual({
      property: null,
      ...each.form.expect,
    })
    expect(report.as_expected).toBe(true)
    expect(report.bounds).toEqual([])
    expect(report.lints).toEqual([])
    if (report.verdict === 'safe') expect(report.unwitnessed).toBeNull()
    else expect(report.preemptions).toBe(report.verdict === 'hole' ? 0 : 1)
    if (report.verdict === 'race') expect(report.cause!.step).toBeGreaterThan(0)
  })

  test('its programs are the same to every order of what nobody sees', () => {
    const one = scenario.cases[0]!
    expect(depth_first(case_system(one), { invariant: broken_invariant }).complete).toBe(true)
  })
})

describe('causes', () => {
  const cause = (scenario: (typeof scenarios)[number], params: string) =>
    explore_case(scenario.cases.find((each) => case_name(each.form) === params)!).cause!

  test.each([
    [overlay_copy_up, 'access=read mitigation=none profile=7.2', 'copy-up', 'ovl_inode_update'],
    [overlay_copy_up, 'access=pread mitigation=ro-bind profile=6.19', 'copy-up', 'ovl_inode_update'],
    [overlay_copy_up, 'access=read mitigation=none profile=6.18', 'the check did not look', ''],
    [mapping_size, 'size=after-check attack=truncate profile=7.2', 'truncation', 'notify_change'],
    [plain_write, 'access=read verity=none profile=7.2', 'write in place', 'generic_perform_write'],
    [
      plain_write,
      'access=read-then-check verity=none profile=7.2',
      'write in place',
      'generic_perform_write',
    ],
    [path_or_descriptor, 'check=path attack=rename profile=7.2', 'rename over', 'd_move'],
    [path_or_descriptor, 'check=path attack=symlink profile=7.2', 'path switch', 'd_move'],
    [reopened_descriptor, 'protection=none profile=7.2', 'write in place', 'generic_perform_write'],
  ] as const)('%o %s', (scenario, params, kind, stage) => {
    expect(cause(scenario, params)).toMatchObject({ kind, stage })
  })
})

describe('what a counterexample needs', () => {
  const report = explore_case(
    overlay_copy_up.cases.find((each) => case_name(each.form) === 'access=read mitigation=none profile=7.2')!,
  )

  test('is left of the programs: the size is a number, and the writer has closed before the reader goes on', () => {
    const [interpreter, attacker] = report.system.form.tasks
    expect(interpreter!.program.map((op) => ('call' in op ? op.call : 'use'))).toEqual([
      'open',
      'execveat',
      'read',
      'use',
    ])
    expect(interpreter!.program[2]).toMatchObject({ args: [{ $: 'fd' }, 17] })
    expect(attacker!.program.map((op) => ('call' in op ? op.call : 'use'))).toEqual([
      'open',
      'write',
      'close',
    ])
    expect(report.removed.map(({ task, op }) => [task, op])).toEqual([[1, 1]])
  })

  test('nothing is removed unless asked', () => {
    const whole = explore_case(overlay_copy_up.cases[2]!, { remove_calls: false })
    expect(whole.removed).toEqual([])
    expect(whole.steps).toBeGreaterThan(report.steps!)
  })
})

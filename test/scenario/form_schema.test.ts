import { describe, expect, test } from 'vitest'
import overlay from '../../scenarios/overlay-copy-up.js'
import { all_syscalls } from '../../src/kernel/syscall.js'
import { make_scenario, type Params, scenario_from_form } from '../../src/scenario/builder.js'
import { ScenarioError } from '../../src/scenario/error.js'
import { json_schema, validate_scenario } from '../../src/scenario/form_schema.js'
import { message_of } from './support.js'

const base = () => ({
  toctoscope: 1,
  name: 'a',
  summary: 'b',
  cases: [
    {
      setup: {} as any,
      tasks: [
        { name: 't', program: [{ call: 'open', args: ['/x', 'O_RDONLY'], as: 'fd' }] as any[] },
      ] as any[],
      properties: ['check-use'] as any[],
    } as any,
  ],
})

/** The message about a document that is right but for one thing. */
function wrong(change: (one: any, document: any) => void): string {
  const document = base()
  change(document.cases[0], document)
  return message_of(() => validate_scenario(document))
}

describe('the schema', () => {
  test('accepts a document, and gives it back', () => {
    expect(validate_scenario(base())).toEqual(base())
  })

  test('accepts what the builder makes', () => {
    const document = JSON.parse(JSON.stringify(overlay))
    expect(validate_scenario(document)).toEqual(overlay.form)
    expect(JSON.stringify(scenario_from_form(document))).toBe(JSON.stringify(overlay))
  })

  test.each<[string, (one: any, document: any) => void, string]>([
    ['no version', (_, d) => delete d.toctoscope, 'toctoscope: is missing; expected 1'],
    ['a later version', (_, d) => (d.toctoscope = 2), 'toctoscope: expected 1, not 2'],
    ['no cases', (_, d) => (d.cases = []), 'cases: expected at least one case, not []'],
    [
      'another field',
      (_, d) => (d.title = 'x'),
      'has no field "title"; expected one of $schema, toctoscope, name, summary, teaches, cases',
    ],
    ['a uid', (c) => (c.tasks[0].uid = 'root'), 'cases[0].tasks[0].uid: expected number, not "root"'],
    [
      'two fields of a call, of which one is near to a right one',
      (c) => Object.assign(c.tasks[0].program[0], { arg: [], zzzzzz: 1 }),
      'cases[0].tasks[0].program[0]: has no fields "arg" (did you mean args?), "zzzzzz"',
    ],
    [
      'fields in two places',
      (c, d) => {
        c.tasks[0].userid = 1
        d.titel = 'x'
      },
      `cases[0].tasks[0]: has no field "userid"; did you mean uid?
has no field "titel"; expected one of $schema, toctoscope, name, summary, teaches, cases`,
    ],
    [
      'a task without a name',
      (c) => delete c.tasks[0].name,
      'cases[0].tasks[0].name: is missing; expected string',
    ],
    ...[7, null, [], {}, { and: 1 }].map((value): [string, (one: any) => void, string] => [
      `the property ${JSON.stringify(value)}`,
      (c) => (c.properties = [value]),
      `cases[0].properties[0]: expected "check-use", "policy", or an object with never or reaches, not ${JSON.stringify(value)}`,
    ]),
    ['parity', (c) => (c.properties = ['parity']), 'cases[0].properties[0]: parity is not modelled yet'],
    [
      'a text of as many characters as are shown',
      (c) => (c.tasks[0].uid = 'x'.repeat(58)),
      `cases[0].tasks[0].uid: expected number, not "${'x'.repeat(58)}"`,
    ],
    [
      'a longer text',
      (c) => (c.tasks[0].uid = 'x'.repeat(59)),
      `cases[0].tasks[0].uid: expected number, not "${'x'.repeat(56)}…`,
    ],
    [
      'on_error',
      (c) => (c.tasks[0].program[0].on_error = 'contine'),
      'cases[0].tasks[0].program[0].on_error: expected "exit" or "continue", not "contine"; did you mean continue?',
    ],
    [
      'a field of a call',
      (c) => (c.tasks[0].program[0].arg = []),
      'cases[0].tasks[0].program[0]: has no field "arg"; did you mean args?',
    ],
    [
      'an operation',
      (c) => (c.tasks[0].program[0] = { cal: 'open' }),
      'cases[0].tasks[0].program[0]: expected one of the fields call, use, if, repeat, exit; did you mean call?',
    ],
    [
      'several fields',
      (c, d) => {
        c.foo = c.tasks[0].zip = 1
        d.baz = d.bar = 1
      },
      'cases[0].tasks[0]: has no field "zip"; expected one of name, role, uid, gid, groups, capabilities, umask, rlimit_nofile, cwd, securebits, program\n' +
        'cases[0]: has no field "foo"; expected one of params, profile, setup, tasks, properties, expect\nhas no fields "bar", "baz"',
    ],
    [
      'a uid that means nobody',
      (c) => (c.tasks[0].uid = 2 ** 32 - 1),
      'cases[0].tasks[0].uid: too big: expected number to be <=4294967294, not 4294967295',
    ],
    [
      'a property',
      (c) => (c.properties = ['check-uses']),
      'cases[0].properties[0]: expected "check-use", "policy", or an object with never or reaches, not "check-uses"; did you mean check-use?',
    ],
    [
      'a property that is an object',
      (c) => (c.properties = [{ nevr: {} }]),
      'cases[0].properties[0]: expected "check-use", "policy", or an object with never or reaches, not {"nevr":{}}; did you mean never?',
    ],
    [
      'a property that is not modelled',
      (c) => (c.properties = ['parity']),
      'cases[0].properties[0]: parity is not modelled yet',
    ],
    [
      'a nested operation',
      // biome-ignore lint/suspicious/noThenProperty: data
      (c) => c.tasks[0].program.push({ if: { result: 'fd', ok: true }, then: [{ call: 'open', args: 3 }] }),
      'cases[0].tasks[0].program[1].then[0].args: expected array, not 3',
    ],
    [
      'a file system type',
      (c) => (c.setup.filesystems = { r: { type: 'ext3' } }),
      'cases[0].setup.filesystems.r.type: expected "tmpfs" or "ext4" or "erofs" or "proc", not "ext3"; did you mean ext4?',
    ],
    [
      'a mode in a tree',
      (c) =>
        (c.setup.filesystems = { r: { type: 'ext4', tree: { d: { dir: { f: { file: '', mode: '9' } } } } } }),
      'cases[0].setup.filesystems.r.tree.d.dir.f.mode: expected octal digits, not "9"',
    ],
    [
      'a mount point',
      (c) => (c.setup.mounts = [{ at: 'm', bind: '/' }]),
      'cases[0].setup.mounts[0].at: expected an absolute path, not "m"',
    ],
    [
      'what is mounted',
      (c) => (c.setup.mounts = [{ at: '/m' }]),
      'cases[0].setup.mounts[0]: expected one of the fields filesystem, bind, overlay',
    ],
    [
      'layers',
      (c) => (c.setup.mounts = [{ at: '/m', overlay: { lower: 'x' } }]),
      'cases[0].setup.mounts[0].overlay.lower: expected array, not "x"',
    ],
  ])('%s', (_, change, expected) => {
    expect(wrong(change)).toBe(expected)
  })

  test('an error is a ScenarioError with the path of the field', () => {
    const error = (() => {
      try {
        return validate_scenario([])
      } catch (caught) {
        return caught
      }
    })()
    expect(error).toBeInstanceOf(ScenarioError)
    expect(error).toMatchObject({ path: '', problem: 'expected object, not []', exit_code: 3 })
  })

  test('is published as a JSON Schema', async () => {
    await expect(`${JSON.stringify(json_schema(), null, 2)}\n`).toMatchFileSnapshot(
      '../../docs/scenario.schema.json',
    )
  })

  test('names every call in it, for editors', () => {
    const names = all_syscalls().map((each) => each.name)
    const calls: unknown[] = []
    JSON.stringify(json_schema(), (key, value) => {
      if (key === 'call' && value.enum !== undefined) calls.push(value.enum)
      return value
    })
    expect(calls).toEqual([names.sort()])
  })
})

test('there is at least one case', () => {
  const with_params = (params: Params) =>
    message_of(() => make_scenario({ name: 'a', summary: 'b', params, build: () => {} }))
  expect(with_params({ a: [1], b: [] })).toBe('params.b: expected a list of at least one value, not []')
  expect(with_params({ b: 1 } as never)).toBe('params.b: expected a list of at least one value, not 1')
  const none = { toctoscope: 1, name: 'a', summary: 'b', cases: [] } as const
  expect(message_of(() => scenario_from_form(none))).toBe('cases: expected at least one case, not []')
})

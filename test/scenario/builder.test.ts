/** What a scenario's source is told where it is none, and what becomes of what it says. */
import { describe, expect, test } from 'vitest'
import { combinations, make_scenario, scenario_from_form } from '../../src/scenario/builder.js'
import { case_of, message_of } from './support.js'

const good = { name: 'a', summary: 'b', build() {} }

describe('the source of a scenario', () => {
  test.each<[unknown, string]>([
    [null, 'name: expected a string, not undefined'],
    [{}, 'name: expected a string, not undefined'],
    [{ ...good, name: 7 }, 'name: expected a string, not 7'],
    [{ ...good, summary: null }, 'summary: expected a string, not null'],
    [{ ...good, build: undefined }, 'build: expected a function that builds a case'],
    [{ ...good, expect: 'race' }, 'expect: expected a function of the parameters, not race'],
    [{ ...good, parms: {} }, 'scenario: has no field "parms"; did you mean params?'],
  ])('%j', (source, message) => {
    expect(message_of(() => make_scenario(source as never))).toBe(message)
  })

  test.each<[object]>([[good], [{ ...good, expect: undefined, teaches: 'c', params: undefined }]])(
    'may leave out what is not needed',
    (source) => expect(message_of(() => make_scenario(source as never))).toBe('nothing was thrown'),
  )
})

test('combinations: the first parameter changes slowest', () => {
  expect(combinations({})).toEqual([{}])
  expect(combinations({ a: [1, 2], b: ['x', 'y'], c: [true] })).toEqual([
    { a: 1, b: 'x', c: true },
    { a: 1, b: 'y', c: true },
    { a: 2, b: 'x', c: true },
    { a: 2, b: 'y', c: true },
  ])
})

describe('what is wrong in the cases of one scenario', () => {
  const wrong = (count: number, kinds: number) => {
    const of = make_scenario({
      ...good,
      params: { n: Array.from({ length: count }, (_, i) => i) },
      build: (s: any, { n }: any) => s.task('t', { [`wrong${n % kinds}`]: 1 }),
    })
    return message_of(() => of.cases).split('\n')
  }

  test.each([
    [1, 1, 1, undefined],
    [5, 1, 1, undefined],
    [7, 7, 14, undefined],
    [8, 8, 16, undefined],
    [9, 9, 17, 'and 1 more'],
    [30, 20, 17, 'and 12 more'],
    [30, 3, 6, undefined],
  ])('%i cases, %i mistakes', (count, kinds, lines, more) => {
    const said = wrong(count, kinds)
    expect(said).toHaveLength(lines)
    if (more !== undefined) expect(said.at(-1)).toBe(more)
    expect(said.join('\n').includes('more')).toBe(more !== undefined)
    if (kinds > 1) {
      expect(said[0]).toMatch(/^cases\[0\]\.tasks\[0\].*"wrong0"/)
      expect(said[2]).toMatch(/^cases\[1\]\.tasks\[0\].*"wrong1"/)
      expect([said[1], said[3]]).toEqual(['  (n=0)', '  (n=1)'])
    }
  })

  test('a case that is right is not among them', () => {
    const of = make_scenario({
      ...good,
      params: { n: [0, 1] },
      build: (s: any, { n }: any) => s.task('t', n === 0 ? {} : { userid: 1 }),
    })
    expect(message_of(() => of.cases)).toMatch(/^cases\[1\]\.tasks\[0\].*"userid"/)
  })

  test('what its own code throws is thrown as it is', () => {
    const own = new RangeError('my own mistake')
    const of = make_scenario({
      ...good,
      build() {
        throw own
      },
    })
    expect(() => of.cases).toThrow(own)
  })
})

describe('a case as data', () => {
  test('has what was said, and no field for what was not', () => {
    const { form } = case_of((s) => void s.task('t'))
    expect(form).toEqual({
      setup: { filesystems: {}, mounts: [] },
      tasks: [{ name: 't', program: [] }],
    })
  })

  test('has every module, property and outcome that was named, in their order', () => {
    const { form } = case_of((s) => {
      s.profile('6.18')
      s.rules('one', [])
      s.rules('two', [])
      s.order('two', 'one')
      s.property('policy')
      s.task('t').open('/', 'O_RDONLY').as('fd')
      s.never({ 't.fd': 'ok' })
      s.reaches({ 't.fd': 'ok' }, 'it opens')
    })
    expect(form).toMatchObject({
      profile: '6.18',
      setup: {
        lsm: {
          rules: [
            { name: 'one', rules: [] },
            { name: 'two', rules: [] },
          ],
          order: ['two', 'one'],
        },
      },
      properties: ['policy', { never: { 't.fd': 'ok' } }, { reaches: { 't.fd': 'ok' }, name: 'it opens' }],
    })
  })

  test('roles of tasks are those of the methods that made them', () => {
    const { form } = case_of((s) => {
      s.victim('v')
      s.attacker('a', { uid: 5 })
      s.task('o', { role: 'other' })
    })
    expect(form.tasks.map(({ name, role, uid }) => ({ name, role, uid }))).toEqual([
      { name: 'v', role: 'victim' },
      { name: 'a', role: 'attacker', uid: 5 },
      { name: 'o', role: 'other' },
    ])
    const contrary = (of: 'victim' | 'attacker', role: string) =>
      message_of(() => case_of((s) => void s[of]('t', { role } as never)))
    expect(contrary('victim', 'attacker')).toContain(
      'role: victim() makes a task with the role victim, not attacker',
    )
    expect(contrary('victim', 'victim')).toBe('nothing was thrown')
    expect(contrary('attacker', 'other')).toContain(
      'role: attacker() makes a task with the role attacker, not other',
    )
  })

  test('a use names its pieces, and where one stands only where that was said', () => {
    const { form } = case_of((s) => {
      const t = s.task('t')
      const [a, b] = [t.read(0, 1).as('a'), t.read(0, 1).as('b')]
      t.use(a)
      t.use([a])
      t.use({ of: a, at: 5 } as never)
      t.use([a, { of: b, at: 1 }])
    })
    expect(form.tasks[0]!.program.slice(2)).toEqual([
      { use: 'a' },
      { use: 'a' },
      { use: [{ of: 'a', at: 5 }] },
      { use: ['a', { of: 'b', at: 1 }] },
    ])
  })

  test.each([null, undefined, 7, 'a', {}, [null], [[]], { of: 'a' }, [{ of: null }]])(
    'a use of %j is told that it is of no result',
    (bytes) => {
      expect(message_of(() => case_of((s) => s.task('t').use(bytes as never)))).toContain(
        'expected the result of a call, not ',
      )
    },
  )

  test('layers of an overlay are names, or what filesystem() gave', () => {
    const { form } = case_of((s) => {
      const rw = s.filesystem('rw', { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } })
      const low = s.filesystem('low', { type: 'tmpfs' })
      s.mount('/', low)
      s.overlay('/m', { lower: [low, 'rw:/u'] })
      s.overlay('/n', { lower: ['low'], upper: rw.at('/u'), work: 'rw:/w' }, ['ro'])
      s.task('t')
    })
    expect(form.setup!.mounts!.slice(1)).toEqual([
      { at: '/m', overlay: { lower: ['low', 'rw:/u'] } },
      { at: '/n', overlay: { lower: ['low'], upper: 'rw:/u', work: 'rw:/w' }, options: ['ro'] },
    ])
  })

  test.each<[string, (s: any) => void, string]>([
    ['no layers', (s) => s.overlay('/m', null), 'overlay: expected its layers ({ lower: [ … ] }), not null'],
    ['layers that are a name', (s) => s.overlay('/m', 'low'), 'overlay: expected its layers'],
    ['a second order', (s) => [s.order(), s.order()], 'order: there is an order already'],
    ['a module twice', (s) => [s.ipe({}), s.ipe({})], 'ipe: the case has ipe already'],
    [
      'a module of nobody',
      (s) => s.module({ name: 'm' }),
      'module: expected what define_module makes, not {',
    ],
    [
      'two properties of one name',
      (s) => [1, 2].map(() => s.property({ name: 'p', violated: () => false })),
      'property: two properties are named "p"',
    ],
  ])('%s', (_, say, message) => {
    expect(message_of(() => case_of((s) => void say(s)))).toContain(message)
  })

  test('comes back from data as the same scenario, without code', () => {
    const { form } = make_scenario({
      ...good,
      teaches: 'c',
      params: { n: [1, 2] },
      build: (s, { n }) => void s.task('t').umask(n),
      expect: () => 'safe',
    })
    expect(form).toMatchObject({ toctoscope: 1, name: 'a', summary: 'b', teaches: 'c' })
    const again = scenario_from_form(JSON.parse(JSON.stringify(form)))
    expect(again.form).toEqual(form)
    expect(again.cases.map((each) => [each.form, each.code.modules.size, each.code.properties.size])).toEqual(
      form.cases.map((each) => [each, 0, 0]),
    )
    expect(form.cases.map(({ params, expect }) => [params, expect])).toEqual([
      [{ n: 1 }, { verdict: 'safe' }],
      [{ n: 2 }, { verdict: 'safe' }],
    ])
  })
})

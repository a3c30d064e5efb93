/** What is registered is known everywhere: the form, its schema, the builder, confirm. */
import { describe, expect, test } from 'vitest'
import { define_lsm } from '../../src/lsm/define_lsm.js'
import { all_lsms, first_lsms, mutable_lsms } from '../../src/model.js'
import { fit_case } from '../../src/oracle/confirm/confirm.js'
import { make_scenario } from '../../src/scenario/builder.js'
import { validate_setup } from '../../src/scenario/form_schema.js'
import { make_modules } from '../../src/scenario/setup.js'

const machine = { release: '6.18.1', profile: '6.18', modules: ['capability'], privilege: 'root' } as const

test('what is always there comes first, and no set-up names it', () => {
  expect(first_lsms().map(({ name }) => name)).toEqual(['capability'])
  expect(make_modules({}, new Map(), 'lsm').map(({ name }) => name)).toEqual(['capability'])
  expect(() => validate_setup({ lsm: { capability: {} } })).toThrow('setup.lsm: has no field "capability"')
})

test('a name is taken once', () => {
  for (const name of [...all_lsms().map((each) => each.name), 'rules', 'modules', 'order'])
    expect(() =>
      define_lsm({ name, order: 'first', says: '', in_kernels: false, make: () => ({ name, hooks: {} }) }),
    ).toThrow(`${name} is there already`)
})

describe.each(mutable_lsms().map((each) => [each.name, each] as const))('%s', (name, lsm) => {
  const all = Object.fromEntries(
    Object.entries<{ type: string }>(lsm.options).map(([option, { type }]) => [option, type === 'flag']),
  )

  test('can be made without options, and has hooks and its name', () => {
    expect(lsm.make({}).name).toBe(name)
    expect(Object.keys(lsm.make({}).hooks)).not.toEqual([])
  })

  test('is a field of the form, with its options and no others', () => {
    const flags = Object.fromEntries(Object.entries(all).filter(([, value]) => value))
    expect(validate_setup({ lsm: { [name]: flags } })).toEqual({ lsm: { [name]: flags } })
    expect(() => validate_setup({ lsm: { [name]: { no_option: 1 } } })).toThrow(
      `setup.lsm.${name}: has no field "no_option"`,
    )
    for (const option of Object.keys(all))
      expect(() => validate_setup({ lsm: { [name]: { [option]: 3 } } })).toThrow(
        `setup.lsm.${name}.${option}: expected`,
      )
  })

  const built = make_scenario({
    name: 'm',
    summary: 's',
    build(s) {
      const add = (s as unknown as Record<string, (options: object) => void>)[name]!
      add.call(s, {})
      expect(() => add.call(s, {})).toThrow(`the case has ${name} already`)
      s.task('t')
    },
  }).cases[0]!

  test('is a method of the builder, and asked after what comes first', () => {
    expect(built.form.setup!.lsm).toEqual({ [name]: {} })
    expect(make_modules(built.form.setup!.lsm!, new Map(), 'lsm').map((each) => each.name)).toEqual([
      'capability',
      name,
    ])
  })

  test('is not taken for confirmed', () => {
    const { idle_without } = lsm
    const lsm_form = { [name]: idle_without === undefined ? {} : { [idle_without]: '' } }
    const form = { ...built.form, setup: { lsm: lsm_form } }
    expect(fit_case({ ...built, form }, machine).unconfirmed[0]).toContain(name)
    if (idle_without === undefined) return
    expect(fit_case(built, machine).unconfirmed).toEqual([])
  })
})

test('modules of the kernel are asked in the order of their registration, those of a user after them', () => {
  const names = mutable_lsms().map(({ name }) => name)
  const lsm = {
    rules: [{ name: 'r', rules: [] }],
    ...Object.fromEntries([...names].reverse().map((n) => [n, {}])),
  }
  expect(make_modules(lsm, new Map(), 'lsm').map((each) => each.name)).toEqual(['capability', ...names, 'r'])
})

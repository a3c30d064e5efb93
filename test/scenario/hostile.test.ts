/** What no scenario should be is refused in words, in the time of a breath. */
import { describe, expect, test } from 'vitest'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { octal_was_meant } from '../../src/scenario/mode.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import remembering from '../cases/scenarios/remembering-module.js'
import { case_of, message_of, run } from './support.js'

describe('modes in decimal digits', () => {
  test.each([777, 755, 644, 600, 700, 666, 640, 750, 711, 1777, 2755])('%i was meant in octal', (mode) => {
    expect(octal_was_meant(mode)).toContain(`was 0o${mode} meant`)
    const in_tree = () =>
      case_of((s) => void s.filesystem('r', { type: 'tmpfs', tree: { f: { file: '', mode } } }))
    expect(message_of(in_tree)).toContain(`.tree.f.mode: expected permission bits; ${mode} is 0`)
    const in_call = case_of((s) => void s.task('t').mkdir('/d', mode))
    expect(message_of(() => explore_case(in_call))).toContain(
      `.args[1]: expected permission bits; ${mode} is 0`,
    )
  })

  test('bits that are meant are let be', () => {
    const all = [
      0, 0o777, 0o755, 0o644, 0o640, 0o600, 0o700, 0o750, 0o711, 0o555, 0o444, 0o400, 0o500, 0o1777, 0o2755,
      0o4755, 0o4111,
    ]
    expect(all.filter((mode) => octal_was_meant(mode) !== undefined)).toEqual([])
    const insisted = case_of((s) => {
      s.mount('/', s.filesystem('r', { type: 'tmpfs', tree: { f: { file: '', mode: '01411' } } }))
      s.task('t').stat('/f').as('st')
    })
    expect(run(insisted).ret('t', 'st')).toBe(0)
  })
})

describe('what is too deep or too much', () => {
  const document = (one: object) => ({ toctoscope: 1, name: 'a', summary: 'b', cases: [one] })
  const nest = (depth: number, inner: unknown, wrap: (value: unknown) => unknown) => {
    let value = inner
    for (let i = 0; i < depth; i++) value = wrap(value)
    return value
  }

  test.each<[string, () => object]>([
    [
      'directories',
      () => ({
        tasks: [{ name: 't', program: [] }],
        setup: { filesystems: { r: { type: 'tmpfs', tree: nest(3000, {}, (dir) => ({ d: { dir } })) } } },
      }),
    ],
    [
      'branches',
      () => ({
        tasks: [{ name: 't', program: nest(3000, [], (then) => [{ if: { result: 'fd', ok: true }, then }]) }],
      }),
    ],
    ['loops', () => ({ tasks: [{ name: 't', program: nest(3000, [], (body) => [{ repeat: 2, body }]) }] })],
    [
      'lists of an argument',
      () => ({
        tasks: [{ name: 't', program: [{ call: 'open', args: [nest(3000, 1, (value) => [value])] }] }],
      }),
    ],
  ])('3,000 %s', (_, one) => {
    expect(message_of(() => validate_scenario(document(one())))).toMatch(
      /^nested too deeply: more than 200 levels/,
    )
  })

  test('branches of the builder', () => {
    const deep = () =>
      case_of((s) => {
        const t = s.task('t')
        const fd = t.open('/x', 'O_RDONLY')
        const write = (depth: number): void => t.if(fd.ok(), () => depth > 0 && write(depth - 1))
        write(3000)
      })
    expect(message_of(deep)).toBe('task t: branches and loops are nested deeper than 50')
  })

  test('a list of millions', () => {
    const many = document({ tasks: [{ name: 't', program: Array.from({ length: 2_000_000 }, () => 0) }] })
    expect(message_of(() => validate_scenario(many))).toContain('more than 1000000 values')
    const holes = document({ tasks: [{ name: 't', program: new Array(2 ** 31) }] })
    expect(message_of(() => validate_scenario(holes))).toContain('program[0]: is missing')
  })

  test('a path of many directories', () => {
    const with_path = (depth: number) =>
      case_of((s) => {
        s.mount('/', s.filesystem('r', { type: 'tmpfs', tree: { [`${'d/'.repeat(depth)}f`]: 'x' } }))
        s.task('t').stat('/d').as('st')
      })
    expect(run(with_path(400)).ret('t', 'st')).toBe(0)
    expect(message_of(() => run(with_path(3000)))).toMatch(
      /no path leads to a file below more than 2048 directories$/,
    )
    const mounted = () => case_of((s) => s.mount('/d'.repeat(3000), s.filesystem('r', { type: 'tmpfs' })))
    expect(message_of(mounted)).toContain('expected a path of at most 4095 bytes')
  })
})

test('a module that remembers what it has seen of an inode', () => {
  const [remembers, forgets] = remembering.cases
  expect(message_of(() => explore_case(remembers!, {}, 'cases[0]'))).toMatch(
    /^cases\[0\]: module m is not deterministic: in bprm_creds_for_exec, told the same as before, it/,
  )
  expect(explore_case(forgets!).unreached).toEqual([])
})

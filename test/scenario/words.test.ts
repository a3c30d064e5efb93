/**
 * A word that nobody knows is refused, wherever it stands and however the scenario is written, and the right one
 * is named. Misspelt words that are left out in silence make another scenario, with a verdict that is believed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { features, features_without_rule, release_names } from '../../src/kernel/profile.js'
import type { OptionKind } from '../../src/lsm/define_lsm.js'
import { mutable_lsms } from '../../src/model.js'
import { type CaseBuilder, make_scenario, type Scenario } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { define_module } from '../../src/scenario/code_module.js'
import type { CaseForm, ScenarioForm, TaskForm } from '../../src/scenario/form.js'
import { json_schema, validate_scenario } from '../../src/scenario/form_schema.js'
import misspelt from '../cases/scenarios/misspelt-property.js'
import { case_of, message_of, one_case } from './support.js'

// What a scenario file gives to `scenario`, so that one of its cases can be made alone.
vi.mock('toctoscope', () => ({ scenario: (_: unknown, source: unknown) => source }))

/** Every module of the kernel with every option that it registers. */
const modules_with_all_options = Object.fromEntries(
  mutable_lsms().map(({ name, options }) => [
    name,
    Object.fromEntries(
      Object.entries<OptionKind>(options).map(([option, { type }]) => [option, type === 'flag' ? true : '']),
    ),
  ]),
)

const owner = { mode: 0o755, uid: 0, gid: 0 }
const tree = {
  file: {
    file: { base64: '' },
    ...owner,
    verity: { digest: 'sha256:00', signed: true },
    immutable: false,
    append: false,
  },
  dir: { dir: { inside: 'x' }, ...owner, opaque: false },
  symlink: { symlink: 'file', uid: 0, gid: 0 },
  device: { device: 'char', rdev: 0x103, ...owner },
  link: { link: 'file' },
  whiteout: { whiteout: true },
}

/** A document in which each field of each object of the form stands. */
const whole = {
  $schema: 'x',
  toctoscope: 1,
  name: 'whole',
  summary: 'all that can be said',
  teaches: 'words',
  cases: [
    {
      params: { access: 'read' },
      profile: '7.2',
      setup: {
        profile: '7.2',
        filesystems: {
          root: {
            type: 'ext4',
            read_only: false,
            initramfs: false,
            dmverity: { roothash: 'sha256:00', signed: true },
            tree,
          },
        },
        mounts: [
          { at: '/', filesystem: 'root', root: '/', options: ['ro'] },
          { at: '/dir', bind: '/', options: [] },
          {
            at: '/dir',
            overlay: {
              lower: ['root'],
              upper: 'root',
              work: 'root',
              options: {
                redirect_dir: 'off',
                metacopy: 'off',
                index: 'off',
                nfs_export: 'off',
                xino: 'off',
                uuid: 'auto',
                verity: 'off',
                userxattr: true,
                volatile: true,
                default_permissions: true,
              },
            },
            options: [],
          },
        ],
        lsm: {
          ...modules_with_all_options,
          rules: [{ name: 'r', rules: [] }],
          modules: [{ code: 'm', source: '00' }],
          order: ['ipe', 'r', 'm'],
        },
      },
      tasks: [
        {
          name: 't',
          role: 'victim',
          uid: 0,
          gid: 0,
          groups: [],
          capabilities: [],
          umask: 0,
          rlimit_nofile: 1024,
          cwd: '/',
          securebits: 0,
          program: [
            { call: 'fork', args: [], as: 'child', on_error: 'continue', child: [] },
            { call: 'open', args: ['/file', 'O_RDONLY'], as: 'fd' },
            { call: 'read', args: [{ $: 'fd' }, { $: 'fd' }], as: 'bytes' },
            { use: [{ of: 'bytes', at: 0 }], relies: 'check', part: true },
            // biome-ignore lint/suspicious/noThenProperty: data
            { if: { result: 'fd', ok: true }, then: [], else: [] },
            // biome-ignore lint/suspicious/noThenProperty: data
            { if: { result: 'fd', failed: true }, then: [] },
            // biome-ignore lint/suspicious/noThenProperty: data
            { if: { result: 'fd', errno: 'EACCES' }, then: [] },
            // biome-ignore lint/suspicious/noThenProperty: data
            { if: { result: 'fd', equals: 3 }, then: [] },
            { repeat: 1, body: [] },
            { exit: true },
          ],
        },
      ],
      properties: [
        'check-use',
        { never: { 't.fd': 'ok' }, name: 'n' },
        { reaches: { 't.fd': 'ok' }, name: 'r' },
        { code: 'c', source: '00' },
      ],
      expect: { verdict: 'race', property: 'check-use' },
    },
  ],
}

type Loose = Record<string, any>

/** Each object of a document, with the way to it. */
function objects_of(
  value: unknown,
  way: (string | number)[] = [],
): { way: (string | number)[]; object: Loose }[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([key, each]) =>
    objects_of(each, [...way, Array.isArray(value) ? Number(key) : key]),
  )
  return Array.isArray(value) ? inside : [{ way, object: value as Loose }, ...inside]
}

/** Objects whose keys are names that an author chooses. */
const free = new Set(['params', 'filesystems', 'tree', 'dir', 'never', 'reaches'])
const closed = objects_of(whole).filter(({ way }) => !(free.has(String(way.at(-1))) && way.at(-2) !== 'tree'))

/** Every slip of one letter left out, in every field: where it stands, and what it is to be. */
const slips = closed.flatMap(({ way, object }) =>
  Object.keys(object).flatMap((key) =>
    [...key]
      .map((_, i) => key.slice(0, i) + key.slice(i + 1))
      .filter((slip, i, all) => slip !== '' && !(slip in object) && all.indexOf(slip) === i)
      .map((slip) => ({ way, key, slip })),
  ),
)

function with_slip({ way, key, slip }: (typeof slips)[number]): any {
  const document = structuredClone(whole) as Loose
  let object = document
  for (const part of way) object = object[part]
  const entries = Object.entries(object).map(([name, value]) => [name === key ? slip : name, value] as const)
  for (const name of Object.keys(object)) delete object[name]
  Object.assign(object, Object.fromEntries(entries))
  return document
}

describe('every field of the form', () => {
  test('stands in the document that is tried here', () => {
    expect(validate_scenario(whole)).toEqual(whole)
    const lacking: string[] = []
    const walk = (schema: any): void => {
      if (typeof schema !== 'object' || schema === null) return
      if (schema.type === 'object' && schema.properties !== undefined) {
        const known = Object.keys(schema.properties)
        for (const key of known) {
          const stands = closed.some(
            ({ object }) => key in object && Object.keys(object).every((each) => known.includes(each)),
          )
          if (!stands) lacking.push(`${key} of ${known.join(', ')}`)
        }
      }
      for (const each of Object.values(schema)) walk(each)
    }
    walk(json_schema())
    expect(lacking).toEqual([])
  })

  test('is named where it is misspelt in a document', () => {
    expect(slips.length).toBeGreaterThan(300)
    const unnamed = slips.flatMap((slip) => {
      const message = message_of(() => validate_scenario(with_slip(slip)))
      return message.includes(slip.key)
        ? []
        : [`${slip.way.join('.')}: ${slip.slip} for ${slip.key}: ${message}`]
    })
    expect(unnamed).toEqual([])
  })

  test('is named where it is misspelt in what the builder is given', () => {
    const given = slips.filter(({ way, key }) => is_given_to_builder(way, key))
    expect(given.length).toBeGreaterThan(150)
    const unnamed = given.flatMap((slip) => {
      const message = message_of(() => written(with_slip(slip)).cases)
      return message.includes(slip.key)
        ? []
        : [`${slip.way.join('.')}: ${slip.slip} for ${slip.key}: ${message}`]
    })
    expect(unnamed).toEqual([])
  })
})

/** Whether the builder takes this object as it is, so that an author can misspell this word in it. */
function is_given_to_builder(way: readonly (string | number)[], key: string): boolean {
  const [, , part, ...rest] = way
  if (part === 'setup') {
    const [kind, , inside] = rest
    return (
      kind === 'filesystems' ||
      (kind === 'mounts' && inside === 'overlay') ||
      String(way[4]) in modules_with_all_options
    )
  }
  if (part === 'tasks') {
    if (rest.length === 1) return key !== 'name' && key !== 'program'
    return rest[1] === 'program' && rest[2] === 3 && ['relies', 'part', 'at'].includes(key)
  }
  return (
    (part === 'properties' && key !== 'source') ||
    part === 'expect' ||
    (way.length === 0 && key in source_words)
  )
}

const source_words = { name: 0, summary: 0, teaches: 0 }

/** The document as somebody writes it with the builder. */
function written(document: Loose): Scenario {
  const { $schema: _, toctoscope: _version, cases, ...words } = document
  const [one] = cases as Loose[]
  return make_scenario({
    ...(words as ScenarioForm),
    build(s: CaseBuilder) {
      for (const [name, form] of Object.entries(one!.setup.filesystems)) s.filesystem(name, form as never)
      s.mount('/', 'root')
      s.overlay('/dir', one!.setup.mounts[2].overlay)
      for (const name of Object.keys(modules_with_all_options))
        (s as unknown as Record<string, (options: object) => void>)[name]!(one!.setup.lsm[name])
      const { name, program, ...options } = one!.tasks[0]
      const t = s.task(name, options)
      const fd = t.open('/file', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
      const bytes = t.read(fd, 10)
      const { use, ...use_options } = program[3]
      if ('relies' in use_options) use_options.relies = check
      t.use([{ ...use[0], of: bytes }], use_options)
      for (const property of one!.properties) s.property(property)
    },
    expect: () => one!.expect,
  })
}

test.each(['property', 'relies', 'overlay', 'task', 'mount'] as const)('the word of %s', (word) => {
  const meant = { property: 'check-use', relies: 'relies', overlay: 'upper', task: 'uid', mount: 'ro' }[word]
  const only = make_scenario({ ...(misspelt as any), params: { word: [word] } })
  expect(message_of(() => only.cases)).toMatch(new RegExp(`did you mean ${meant}\\?$`))
})

test('options that are undefined are not there', () => {
  const of = case_of((s) => {
    const root = s.filesystem('root', { type: 'tmpfs', read_only: undefined })
    s.mount('/', root, undefined)
    s.overlay('/m', { lower: [root, root.at('/m')], upper: undefined, work: undefined })
    const t = s.victim('t', { uid: undefined })
    t.use(t.read(t.open('/x', 'O_RDONLY', undefined), 10), { relies: undefined, part: undefined })
    s.never({ 't.fd': 'ok' }, undefined)
  })
  expect(of.form).toEqual(JSON.parse(JSON.stringify(of.form)))
  expect(of.form.tasks[0]).not.toHaveProperty('uid')
})

describe('what JavaScript leaves out in silence is refused', () => {
  const with_case = (build: (s: any) => void) => message_of(() => one_case(build).cases)
  const fd_of = (s: any) => {
    const t = s.victim('v')
    return { t, fd: t.open('/x', 'O_RDONLY') }
  }

  test.each<[string, () => string, string]>([
    [
      'a parameter',
      () =>
        message_of(
          () =>
            make_scenario({
              name: 'a',
              summary: 'b',
              params: { access: ['read'] },
              build: (_, p: any) => p.acess,
            }).cases,
        ),
      'the parameters has no "acess"; did you mean access?',
    ],
    [
      'a field of the scenario',
      () =>
        message_of(() => make_scenario({ name: 'a', summary: 'b', build() {}, exepct: () => 'race' } as any)),
      'scenario: has no field "exepct"; did you mean expect?',
    ],
    ['a method of s', () => with_case((s) => s.overlai('/m')), 's has no "overlai"; did you mean overlay?'],
    [
      'a call',
      () => with_case((s) => s.task('t').opn('/x', 'O_RDONLY')),
      'task t has no "opn"; did you mean open?',
    ],
    [
      'a field of a result',
      () =>
        with_case((s) => {
          const { t, fd } = fd_of(s)
          t.mmap(0, 1, 1, 1, fd, t.fstat(fd).st_sise)
        }),
      'the result of fstat has no "st_sise"; did you mean st_size?',
    ],
    [
      'an argument too many of s',
      () => with_case((s) => s.filesystem('r', { type: 'tmpfs' }, ['ro'])),
      'filesystem takes 2 arguments, not 3',
    ],
    [
      'an argument too many of a task',
      () =>
        with_case((s) => {
          const { t, fd } = fd_of(s)
          t.use(t.read(fd, 1), {}, 'part')
        }),
      'use takes 2 arguments, not 3',
    ],
    ['a name that is none', () => with_case((s) => fd_of(s).fd.as(3)), 'as: expected a name, not 3'],
    [
      'a field of a condition',
      () =>
        with_case((s) => {
          const { t, fd } = fd_of(s)
          t.if({ result: fd, test: { okay: true } }, () => {})
        }),
      'cases[0].tasks[0].program[1].if: has no field "okay"; did you mean ok?',
    ],
    [
      'no condition',
      () =>
        with_case((s) => {
          const { t, fd } = fd_of(s)
          t.if(fd, () => {})
        }),
      'if: expected a condition, such as result.ok(), not the result of a call',
    ],
    [
      'a property without a name',
      () => with_case((s) => s.property({ name: '', violated: () => false })),
      'property.name: expected a name',
    ],
    [
      'a property whose name is none',
      () => with_case((s) => s.property({ name: 3 as never, violated: () => false })),
      'property.name: expected a name, not 3',
    ],
    [
      'a property that cannot be asked',
      () => with_case((s) => s.property({ name: 'p', violated: true as never })),
      'property.violated: expected a function, not true',
    ],
    [
      'a role that is another',
      () => with_case((s) => s.victim('v', { role: 'attacker' } as never)),
      'role: victim() makes a task with the role victim, not attacker',
    ],
    [
      'a field of a property',
      () => with_case((s) => s.property({ name: 'p', violated: () => false, reson: '' })),
      'property: has no field "reson"',
    ],
    [
      'undefined between arguments',
      () => with_case((s) => s.task('t').pwrite(3, 'x', undefined, 0)),
      'cases[0].tasks[0].program[0].args[2]: is missing; undefined stands there',
    ],
    [
      'a function',
      () => with_case((s) => s.task('t', { uid: () => 0 })),
      'cases[0].tasks[0].uid: expected data, not a function',
    ],
    [
      'a circle',
      () =>
        with_case((s) => {
          const dir: any = { dir: {} }
          dir.dir.again = dir
          s.filesystem('r', { type: 'tmpfs', tree: { dir } })
        }),
      'nested too deeply',
    ],
    [
      'a module that define_module has not made',
      () => with_case((s) => s.module({ name: 'm', hooks: { file_opn: () => 0 } })),
      'module: expected what define_module makes',
    ],
    [
      'a second module of a name',
      () =>
        with_case((s) => {
          for (const _ of [1, 2]) s.module(define_module({ name: 'm', hooks: {} }))
        }),
      'module: two modules are named "m"',
    ],
    [
      'a second property of a name',
      () =>
        with_case((s) => {
          for (const _ of [1, 2]) s.property({ name: 'p', violated: () => false })
        }),
      'property: two properties are named "p"',
    ],
    [
      'a hook',
      () => message_of(() => define_module({ name: 'm', hooks: { file_opn: () => 0 } as any })),
      'm: there is no hook file_opn; did you mean file_open?',
    ],
    [
      'a field of a module',
      () => message_of(() => define_module({ name: 'm', hook: {} } as any)),
      'a security module has no field "hook"; did you mean hooks?',
    ],
    [
      'an asynchronous build',
      () => message_of(() => make_scenario({ name: 'a', summary: 'b', build: async () => {} }).cases),
      'build: is asynchronous',
    ],
    [
      'an asynchronous expect',
      () =>
        message_of(
          () =>
            make_scenario({
              name: 'a',
              summary: 'b',
              build: (s) => void s.task('t'),
              expect: (async () => 'safe') as any,
            }).cases,
        ),
      'expect: is asynchronous',
    ],
    [
      'an asynchronous branch',
      () =>
        with_case((s) => {
          const { t, fd } = fd_of(s)
          t.if(fd.ok(), async () => {})
        }),
      'if: is asynchronous',
    ],
    [
      'an asynchronous child',
      () => with_case((s) => s.task('t').fork(async () => {})),
      'fork: is asynchronous',
    ],
  ])('%s', (_, said, expected) => {
    expect(said()).toContain(expected)
  })
})

describe('words inside of strings', () => {
  const system = (change: (one: any) => void) => {
    const one: any = {
      tasks: [{ name: 't', program: [{ call: 'open', args: ['/x', 'O_RDONLY'], as: 'fd' }] as any[] }],
    }
    change(one)
    return message_of(() => {
      const form: CaseForm = validate_scenario({ toctoscope: 1, name: 'a', summary: 'b', cases: [one] })
        .cases[0]!
      const made = case_system({ form, code: { modules: new Map(), properties: new Map() } })
      return made
    })
  }
  const task = (one: any): TaskForm & { program: any[] } => one.tasks[0]

  test.each<[string, (one: any) => void, string]>([
    ['a flag', (c) => (task(c).program[0].args[1] = 'O_RDONLY|O_CREATE'), 'did you mean O_CREAT?'],
    ['a system call', (c) => (task(c).program[0].call = 'opn'), 'did you mean open?'],
    ['a result', (c) => task(c).program.push({ call: 'close', args: [{ $: 'df' }] }), 'did you mean fd?'],
    [
      'an errno',
      (c) => task(c).program.push(JSON.parse('{"if":{"result":"fd","errno":"EACCESS"},"then":[]}')),
      'did you mean EACCES?',
    ],
    [
      'a value of an outcome',
      (c) => (c.properties = [{ never: { 't.fd': 'EACCESS' } }]),
      'did you mean EACCES?',
    ],
    ['a task of an outcome', (c) => (c.properties = [{ never: { 'tt.fd': 'ok' } }]), 'did you mean t?'],
    [
      'a hook of a rule',
      (c) => (c.setup = { lsm: { rules: [{ name: 'r', rules: [{ hook: 'file_opn', answer: 'EACCES' }] }] } }),
      'did you mean file_open?',
    ],
    [
      'a condition of a rule',
      (c) =>
        (c.setup = {
          lsm: {
            rules: [{ name: 'r', rules: [{ hook: 'file_open', when: { pth: '/x' }, answer: 'EACCES' }] }],
          },
        }),
      'did you mean path?',
    ],
    [
      'a field of a rule',
      (c) =>
        (c.setup = {
          lsm: { rules: [{ name: 'r', rules: [{ hook: 'file_open', wen: {}, answer: 'EACCES' }] }] },
        }),
      'did you mean when?',
    ],
    [
      'an answer of a rule',
      (c) =>
        (c.setup = { lsm: { rules: [{ name: 'r', rules: [{ hook: 'file_open', answer: 'EACCESS' }] }] } }),
      'did you mean EACCES?',
    ],
    [
      'a module of an order',
      (c) => (c.setup = { lsm: { rules: [{ name: 'mine', rules: [] }], order: ['mien'] } }),
      'did you mean mine?',
    ],
    [
      'a module that is named twice',
      (c) => (c.setup = { lsm: { rules: [{ name: 'mine', rules: [] }], order: ['mine', 'mine'] } }),
      'mine is named twice',
    ],
    [
      'a module with the name of another',
      (c) => (c.setup = { lsm: { rules: [{ name: 'ipe', rules: [] }] } }),
      'ipe is a module of the kernel',
    ],
    [
      'a property that is expected',
      (c) => (c.expect = { verdict: 'race', property: 'check_use' }),
      'did you mean check-use?',
    ],
    ['a feature', (c) => (c.profile = '7.2+ovl_read_pined'), 'did you mean ovl_read_pinned?'],
  ])('%s', (_, change, expected) => {
    expect(system(change)).toContain(expected)
  })
})

describe('features', () => {
  const source = join(import.meta.dirname, '../../src')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'kernel/profile.ts',
  )
  const asked = new Set(
    files.flatMap((file) =>
      [...readFileSync(join(source, file), 'utf8').matchAll(/\bk\.has\('(\w+)'\)/g)].map(
        (found) => found[1]!,
      ),
    ),
  )

  test('each that is declared has a rule that asks for it', () => {
    expect([...asked].sort()).toEqual(Object.keys(features).sort())
  })

  test.each(Object.keys(features_without_rule))('%s has no rule, and is refused by name', (feature) => {
    for (const change of [feature, `-${feature}`]) {
      const form: CaseForm = { profile: `7.2+${change}`, tasks: [{ name: 't', program: [] }] }
      expect(
        message_of(() => case_system({ form, code: { modules: new Map(), properties: new Map() } })),
      ).toBe(`profile: ${feature} is not modelled yet: no rule of the model asks for it`)
    }
  })

  test('releases have none of these', () => {
    expect(release_names).toContain('7.3')
    for (const feature of Object.keys(features_without_rule)) expect(features).not.toHaveProperty(feature)
  })
})

test('what is wrong in several cases is told of each, once', () => {
  const message = message_of(() => make_scenario(misspelt as any).cases)
  for (const [word, right] of [
    ['check_use', 'check-use'],
    ['rely', 'relies'],
    ['uper', 'upper'],
    ['userid', 'uid'],
    ['readonly', 'ro'],
  ])
    expect(message).toMatch(new RegExp(`"${word}".*did you mean ${right}\\?`))
  expect(message).toContain('(word=overlay)')
  const twice = make_scenario({
    name: 'twice',
    summary: 'one mistake in two cases',
    params: { n: [1, 2] },
    build: (s: any) => s.task('t', { userid: 1 }),
  })
  expect(message_of(() => twice.cases)).not.toContain('\n')
})

import { describe, expect, test } from 'vitest'
import { EACCES, EBADF, ENOENT } from '../../src/kernel/errno.js'
import type { CaseBuilder } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { MAX_INSTRUCTIONS } from '../../src/scenario/code.js'
import type { OpForm, PropertyForm } from '../../src/scenario/form.js'
import { approval, used, violation } from '../../src/scenario/monitor.js'
import { case_of, message_of, run } from './support.js'

function files(s: CaseBuilder): void {
  const tree = { script: { file: 'content', mode: 0o755 }, secret: { file: 'x', mode: 0o600 } }
  s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
}

describe('programs', () => {
  test('results go into later arguments: descriptors, fields, bytes', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const from = t.open('/script', 'O_RDONLY').as('from')
        const st = t.fstat(from)
        const bytes = t.read(from, st.st_size)
        const to = t.open('/copy', 'O_RDWR|O_CREAT', 0o644)
        t.write(to, bytes)
        t.pread(to, 100, 0).as('again')
      }),
    )
    expect(ran.ret('t', 'from')).toBe(3)
    expect(ran.ret('t', 'bytes')).toBe(7)
    expect(ran.data('t', 'again')).toBe('content')
  })

  test('a failing call ends the program, unless it may fail', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        t.open('/missing', 'O_RDONLY').as('first').may_fail()
        t.open('/missing/x', 'O_RDONLY').as('second')
        t.open('/script', 'O_RDONLY').as('third')
      }),
    )
    expect(ran.ret('t', 'first')).toBe(-ENOENT)
    expect(ran.ret('t', 'second')).toBe(-ENOENT)
    expect(ran.ret('t', 'third')).toBeUndefined()
  })

  test('a call that gave 0 has not failed', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const closed = t.close(t.open('/script', 'O_RDONLY'))
        t.if(closed.failed(), () => t.stat('/').as('wrong'))
        t.if(closed.ok(), () => t.stat('/').as('right'))
      }),
    )
    expect([ran.ret('t', 'right'), ran.ret('t', 'wrong')]).toEqual([0, undefined])
  })

  test('the first result of all can be what a use relies on', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const check = t.execveat('AT_FDCWD', '/script', null, null, 'AT_EXECVE_CHECK')
        const fd = t.open('/script', 'O_RDWR')
        t.write(fd, 'changed')
        t.use(t.pread(fd, 100, 0), { relies: check })
      }),
    )
    expect(ran.system.violations(ran.k)).toContain('check-use')
  })

  test('the descriptor of a failed open is -1, as in C', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const fd = t.open('/missing', 'O_RDONLY').may_fail()
        t.read(fd, 1)
      }),
    )
    expect(ran.ret('t', 'bytes')).toBe(-EBADF)
  })

  test('what a call that failed, or was never made, would have given is nothing', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const missing = t.stat('/missing').as('missing').may_fail()
        const none = t.read(77, 10).as('none').may_fail()
        let skipped!: ReturnType<typeof t.open>
        t.if(missing.ok(), () => {
          skipped = t.open('/script', 'O_RDONLY')
        })
        const to = t.open('/copy', 'O_RDWR|O_CREAT', 0o644)
        t.write(to, none).as('wrote')
        t.ftruncate(to, missing.st_size).as('cut')
        t.close(skipped).as('closed').may_fail()
        t.fstat(to).as('st')
      }),
    )
    expect(['wrote', 'cut', 'closed'].map((name) => ran.ret('t', name))).toEqual([0, 0, -EBADF])
  })

  test('a field of a structure that was filled in stands for its number', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const fd = t.open('/script', 'O_RDWR')
        t.pwrite(fd, 'X', 1, t.fstat(fd).st_size)
        t.pread(fd, 100, 0).as('all')
      }),
    )
    expect(ran.data('t', 'all')).toBe('contentX')
  })

  test('what a call gives where no bytes are is nothing: of several unnamed calls each has a name of its own', () => {
    const of = case_of((s) => {
      files(s)
      const t = s.task('t')
      t.stat('/').as('stat2')
      for (let i = 0; i < 3; i++) t.stat('/')
    })
    const names = case_system(of).code.programs[0]!.slots
    expect(new Set(names).size).toBe(4)
  })

  test('branches on success, failure, an errno, a value', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t', { uid: 1 })
        const bad = t.open('/secret', 'O_RDONLY').may_fail()
        const good = t.open('/script', 'O_RDONLY')
        t.if(
          bad.ok(),
          () => t.stat('/a').as('wrong1'),
          () => t.stat('/').as('right1'),
        )
        t.if(good.ok(), () => t.stat('/').as('right2'))
        t.if(bad.failed(), () => t.stat('/').as('right3'))
        t.if(bad.failed_with('ENOENT'), () => t.stat('/').as('wrong2'))
        t.if(bad.failed_with('EACCES'), () => t.stat('/').as('right4'))
        t.if(good.equals(3), () => t.stat('/').as('right5'))
        t.if(good.equals(4), () => t.stat('/').as('wrong3'))
        t.stat('/').as('last')
      }),
    )
    expect(
      ['right1', 'right2', 'right3', 'right4', 'right5', 'last'].map((name) => ran.ret('t', name)),
    ).toEqual([0, 0, 0, 0, 0, 0])
    expect(['wrong1', 'wrong2', 'wrong3'].map((name) => ran.ret('t', name))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('loops run their body as often as they say, and stop ends a program', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        const fd = t.open('/log', 'O_RDWR|O_CREAT|O_APPEND', 0o644)
        t.repeat(3, () => t.write(fd, 'ab'))
        t.pread(fd, 100, 0).as('all')
        t.stop()
        t.stat('/').as('never')
      }),
    )
    expect(ran.data('t', 'all')).toBe('ababab')
    expect(ran.ret('t', 'never')).toBeUndefined()
  })

  test('a child has what its parent knew, and sees 0 for the fork', () => {
    const of = case_of((s) => {
      files(s)
      const t = s.task('t')
      const fd = t.open('/script', 'O_RDONLY')
      const child = t.fork((c) => {
        c.read(fd, 3).as('in_child')
      })
      t.if(child.equals(0), () => t.stat('/').as('wrong'))
    })
    const ran = run(of)
    const child = ran.ret('t', 'child')!
    expect(child).toBeGreaterThan(1)
    const results = JSON.parse(`[${ran.system.outcome(ran.k).replaceAll('\n', ',')}]`) as [
      number,
      number,
      number,
      string,
    ][]
    const slots = ran.system.code.programs[0]!.slots
    const of_child = Object.fromEntries(
      results.filter(([task]) => task === child).map(([, slot, ret, data]) => [slots[slot], data || ret]),
    )
    expect(of_child).toMatchObject({ fd: 3, child: 0, in_child: 'con' })
    expect(of_child).not.toHaveProperty('wrong')
  })

  test('a real exec and an exit end the program', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.task('t')
        t.exit(0)
        t.stat('/').as('after')
      }),
    )
    expect(ran.ret('t', 'after')).toBeUndefined()
  })
})

const case_of_properties = (properties: PropertyForm[] | undefined) =>
  case_system({
    form: { tasks: [{ name: 't', program: [] }], properties },
    code: { modules: new Map(), properties: new Map() },
  })

/** The programs of tasks that are data. */
const programs_of = (...programs: OpForm[][]) =>
  case_system({
    form: { tasks: programs.map((program, i) => ({ name: `t${i}`, program })) },
    code: { modules: new Map(), properties: new Map() },
  }).code.programs

test('results without a name are called after their calls, and pass over what has that name already', () => {
  const stat: OpForm = { call: 'stat', args: ['/'] }
  const umask: OpForm = { call: 'umask', args: [0] }
  const program: OpForm[] = [
    { ...stat, as: 'umask' },
    { ...umask, as: 'stat3' },
    stat,
    { ...stat },
    { ...stat },
    umask,
  ]
  const names = ['umask', 'stat3', 'stat', 'stat2', 'stat4', 'umask2']
  expect(programs_of(program, program).map(({ slots }) => slots)).toEqual([names, names])
})

test('programs may have ten thousand operations with their ends, and no more', () => {
  const times = (repeat: number): OpForm[] => [{ repeat, body: [{ call: 'umask', args: [0] }] }]
  expect(message_of(() => programs_of(times(9_998)))).toBe('nothing was thrown')
  expect(message_of(() => programs_of(times(9_999)))).toContain('longer than 10000 operations')
  expect(message_of(() => programs_of(times(4_998), times(4_998)))).toBe('nothing was thrown')
  expect(message_of(() => programs_of(times(4_998), times(4_999)))).toContain('longer than 10000 operations')
})

test('a case without properties watches that uses keep to their checks', () => {
  const { properties } = case_of_properties(undefined)
  expect([properties.names, [...properties.watched]]).toEqual([['check-use'], ['check-use']])
  const more = case_of_properties(['policy', 'check-use']).properties
  expect([more.names, [...more.watched]]).toEqual([
    ['check-use', 'policy'],
    ['check-use', 'policy'],
  ])
})

test('a program has the role of its task, and other where none is given', () => {
  const { system } = run(
    case_of((s) => {
      s.attacker('a')
      s.task('o')
      s.victim('v')
    }),
  )
  expect(system.code.programs.map(({ role }) => role)).toEqual(['attacker', 'other', 'victim'])
})

describe('mistakes in programs', () => {
  const bad = (program: OpForm[]) =>
    message_of(() =>
      case_system({
        form: { tasks: [{ name: 't', program }] },
        code: { modules: new Map(), properties: new Map() },
      }),
    )

  test.each<[string, OpForm[], string]>([
    [
      'a call',
      [{ call: 'opena' }],
      'tasks[0].program[0].call: there is no system call "opena"; did you mean openat?',
    ],
    [
      'a result',
      [{ call: 'close', args: [{ $: 'fd' }] }],
      'tasks[0].program[0].args[0]: no earlier call of this task is named "fd"',
    ],
    [
      'a result that is nearly there',
      [
        { call: 'open', args: ['/', 0], as: 'dir' },
        { call: 'close', args: [{ $: 'dri' }] },
      ],
      'tasks[0].program[1].args[0]: no earlier call of this task is named "dri"; did you mean dir?',
    ],
    [
      'a field',
      [
        { call: 'stat', args: ['/'], as: 'st' },
        { call: 'truncate', args: ['/', { $: 'st.size' }] },
      ],
      'tasks[0].program[1].args[1]: st has no field "size"; did you mean st_size?',
    ],
    [
      'a flag',
      [{ call: 'open', args: ['/', 'O_RDONL'] }],
      'tasks[0].program[0].args[1]: open: flags: "O_RDONL" is not a constant that flags knows; did you mean O_RDONLY?',
    ],
    [
      'a missing argument',
      [{ call: 'open', args: ['/'] }],
      'tasks[0].program[0].args: open: flags is missing',
    ],
    [
      'too many',
      [{ call: 'close', args: [1, 2] }],
      'tasks[0].program[0].args: close: close takes 1 arguments, not 2',
    ],
    [
      'a use',
      [{ call: 'stat', args: ['/'], as: 'st' }, { use: 'st' }],
      'tasks[0].program[1].use: st is a stat, which gives no bytes',
    ],
    [
      'a use that relies on no check',
      [
        { call: 'open', args: ['/', 0], as: 'fd' },
        { call: 'read', args: [{ $: 'fd' }, 1], as: 'bytes' },
        { use: 'bytes', relies: 'fd' },
      ],
      'tasks[0].program[2].relies: expected a check (execveat with AT_EXECVE_CHECK); fd is a call of open',
    ],
    [
      'a use that relies on a real exec',
      [
        { call: 'execveat', args: [-100, '/', null, null, 0], as: 'run' },
        { call: 'read', args: [3, 1], as: 'bytes' },
        { use: 'bytes', relies: 'run' },
      ],
      'tasks[0].program[2].relies: expected a check (execveat with AT_EXECVE_CHECK); run is a real exec',
    ],
    [
      'no test',
      [
        { call: 'stat', args: ['/'], as: 'st' },
        // biome-ignore lint/suspicious/noThenProperty: data
        { if: { result: 'st' }, then: [] },
      ],
      'tasks[0].program[1].if: expected exactly one of ok, failed, errno, equals',
    ],
    [
      'an errno',
      [
        { call: 'stat', args: ['/'], as: 'st' },
        // biome-ignore lint/suspicious/noThenProperty: data
        { if: { result: 'st', errno: 'EWHAT' }, then: [] },
      ],
      'tasks[0].program[1].if.errno: there is no errno "EWHAT"',
    ],
    [
      'a field of a field',
      [
        { call: 'stat', args: ['/'], as: 'st' },
        { call: 'truncate', args: ['/', { $: 'st.st_size.low' }] },
      ],
      'tasks[0].program[1].args[1]: st has no field "st_size.low"; did you mean st_size?',
    ],
    [
      'a result too many',
      [
        { call: 'open', args: ['/', 0], as: 'fd' },
        { call: 'close', args: [{ $: 'fd' }, { $: 'fd' }] },
      ],
      'tasks[0].program[1].args: close: close takes 1 arguments, not 2',
    ],
    [
      'a later piece of a use',
      [{ call: 'read', args: [0, 1], as: 'bytes' }, { use: ['bytes', { of: 'byte', at: 1 }] }],
      'tasks[0].program[1].use[1]: no earlier call of this task is named "byte"; did you mean bytes?',
    ],
    [
      'what a use relies on',
      [
        { call: 'read', args: [0, 1], as: 'bytes' },
        { use: 'bytes', relies: 'chek' },
      ],
      'tasks[0].program[1].relies: no earlier call of this task is named "chek"; expected one of bytes',
    ],
    [
      'two tests',
      [
        { call: 'stat', args: ['/'], as: 'st' },
        // biome-ignore lint/suspicious/noThenProperty: data
        { if: { result: 'st', ok: true, equals: 0 }, then: [] },
      ],
      'tasks[0].program[1].if: expected exactly one of ok, failed, errno, equals',
    ],
    [
      'a result that is tested',
      // biome-ignore lint/suspicious/noThenProperty: data
      [{ if: { result: 'st', ok: true }, then: [] }],
      'tasks[0].program[0].if.result: no earlier call of this task is named "st"',
    ],
    [
      'no operation',
      [{} as OpForm],
      'tasks[0].program[0]: expected an operation: call, use, if, repeat or exit',
    ],
    [
      'less than no loop',
      [{ repeat: -1, body: [] }],
      'tasks[0].program[0].repeat: expected how often, a whole number',
    ],
    ['a loop', [{ repeat: 1.5, body: [] }], 'tasks[0].program[0].repeat: expected how often, a whole number'],
  ])('%s', (_, program, expected) => {
    expect(bad(program)).toBe(expected)
  })

  test('programs are bounded', () => {
    const body: OpForm[] = [{ repeat: 1000, body: [{ call: 'stat', args: ['/'] }] }]
    expect(bad([{ repeat: 1000, body }])).toContain(`longer than ${MAX_INSTRUCTIONS}`)
  })

  test('a name that two results have', () => {
    expect(
      message_of(() =>
        case_of((s) => {
          const t = s.task('t')
          t.stat('/').as('x')
          t.stat('/').as('x')
        }),
      ),
    ).toBe('task t: two results are named "x"')
  })
})

test('only a fork has a child, and it runs nothing where none is given', () => {
  const { instructions, programs } = case_system({
    form: { tasks: [{ name: 't', program: [{ call: 'stat', args: ['/'] }, { call: 'fork' }] }] },
    code: { modules: new Map(), properties: new Map() },
  }).code
  expect(instructions.map(({ op }) => op)).toEqual(['call', 'call', 'end', 'call', 'end'])
  expect(programs[0]!.calls.map(({ child }) => child)).toEqual([-1, 4])
  expect(programs[0]!.end).toBe(3)
})

describe('which execs rely on what the program has read itself', () => {
  const looks = (program: OpForm[]): number =>
    case_system({
      form: { tasks: [{ name: 't', program }] },
      code: { modules: new Map(), properties: new Map() },
    }).code.programs[0]!.calls.reduce((count, call) => count + call.own_looks.length, 0)
  const read = (...open: OpForm[]): OpForm[] => [
    ...open,
    { call: 'read', args: [{ $: 'fd' }, 9], as: 'bytes' },
    { use: 'bytes' },
  ]
  const opened = (path: string): OpForm => ({ call: 'open', args: [path, 0], as: 'fd' })
  const below = (path: string, dir: number | { $: string }): OpForm => ({
    call: 'openat',
    args: [dir, path, 0],
    as: 'fd',
  })
  const dir: OpForm = { call: 'open', args: ['/d', 0], as: 'dir' }
  const exec = (path: string): OpForm => ({ call: 'execve', args: [path, null, null] })
  const execveat = (at: number | { $: string }, path: string, flags = 'AT_EMPTY_PATH'): OpForm => ({
    call: 'execveat',
    args: [at, path, null, null, flags],
  })

  test.each<[string, number, OpForm[]]>([
    ['of the path that was opened', 1, [...read(opened('/p')), exec('/p')]],
    ['of another path', 0, [...read(opened('/q')), exec('/p')]],
    ['of the descriptor', 1, [...read(opened('/p')), execveat({ $: 'fd' }, '')]],
    ['of another descriptor', 0, [dir, ...read(opened('/p')), execveat({ $: 'dir' }, '')]],
    ['of a descriptor that is a number', 0, [...read(opened('/p')), execveat(3, '')]],
    [
      'of a path below one directory',
      1,
      [dir, ...read(below('p', { $: 'dir' })), execveat({ $: 'dir' }, 'p')],
    ],
    ['of a path below another directory', 0, [dir, ...read(below('p', { $: 'dir' })), exec('p')]],
    ['of a path below the working directory', 1, [...read(below('p', -100)), exec('p')]],
    ['of a whole path, whatever the directory', 1, [dir, ...read(below('/p', { $: 'dir' })), exec('/p')]],
    [
      'by a check, which is no exec',
      0,
      [...read(opened('/p')), execveat({ $: 'fd' }, '', 'AT_EMPTY_PATH|AT_EXECVE_CHECK')],
    ],
    [
      'of a copy of a copy',
      1,
      [
        { call: 'open', args: ['/p', 0], as: 'first' },
        { call: 'dup', args: [{ $: 'first' }], as: 'second' },
        ...read({ call: 'dup', args: [{ $: 'second' }], as: 'fd' }),
        execveat({ $: 'first' }, ''),
      ],
    ],
  ])('%s: %i', (_, count, program) => {
    expect(looks(program)).toBe(count)
  })

  test('a look that is part of a check is none of its own', () => {
    const checked: OpForm[] = [
      opened('/p'),
      { call: 'execveat', args: [{ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'], as: 'check' },
      { call: 'read', args: [{ $: 'fd' }, 9], as: 'bytes' },
      { use: 'bytes', relies: 'check' },
    ]
    expect(looks([...checked, exec('/p')])).toBe(0)
  })
})

describe('approval and use', () => {
  test('a check that is relied on records the bytes that it judged; another does not', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.victim('t')
        const fd = t.open('/script', 'O_RDONLY')
        t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK').as('unused')
        const check = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        t.use(t.read(fd, 100), { relies: check })
      }),
    )
    expect(approval.rows(ran.k).map((row) => row.bytes)).toEqual(['content'])
    expect(used.rows(ran.k).map((row) => row.bytes)).toEqual(['content'])
    expect(ran.system.violations(ran.k)).toEqual([])
  })

  test.each<[string, (t: ReturnType<CaseBuilder['task']>) => void, string | undefined]>([
    ['the whole file in pieces', (t) => pieces(t, [4, 0], [100, 4]), undefined],
    ['a beginning', (t) => pieces(t, [4, 0]), 'prefix'],
    ['an end', (t) => pieces(t, [100, 4]), 'bytes'],
    ['pieces with a gap', (t) => pieces(t, [3, 0], [100, 4]), 'bytes'],
    ['nothing', (t) => pieces(t, [0, 0]), 'prefix'],
  ])('%s', (_, program, kind) => {
    const ran = run(
      case_of((s) => {
        files(s)
        program(s.victim('t'))
      }),
    )
    expect(violation.rows(ran.k).map((row) => row.kind)).toEqual(kind === undefined ? [] : [kind])
  })

  function pieces(t: ReturnType<CaseBuilder['task']>, ...parts: [number, number][]): void {
    const fd = t.open('/script', 'O_RDONLY')
    const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    t.use(
      parts.map(([count, offset]) => t.pread(fd, count, offset)),
      { relies },
    )
  }

  test('part of a file may be used as a part', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.victim('t')
        const fd = t.open('/script', 'O_RDONLY')
        const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        t.use(t.pread(fd, 3, 2), { relies, part: true })
      }),
    )
    expect(violation.rows(ran.k)).toEqual([])
  })

  test('reads one after the other stand one behind the other', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.victim('t')
        const fd = t.open('/script', 'O_RDONLY')
        const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        const first = t.read(fd, 4)
        t.use([first, t.read(fd, 100)], { relies })
      }),
    )
    expect(violation.rows(ran.k)).toEqual([])
  })

  test('a use may rely on whichever of the calls of a name was made', () => {
    const check = (fd: string): OpForm => ({
      call: 'execveat',
      args: [{ $: fd }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK'],
      as: 'check',
    })
    const kinds = (first: string) => {
      const program: OpForm[] = [
        { call: 'stat', args: [first], as: 'st', on_error: 'continue' },
        { call: 'open', args: ['/f', 'O_RDONLY'], as: 'fd' },
        // biome-ignore lint/suspicious/noThenProperty: data
        { if: { result: 'st', ok: true }, then: [check('fd')], else: [check('fd')] },
        { call: 'read', args: [{ $: 'fd' }, 9], as: 'bytes' },
        { use: 'bytes', relies: 'check' },
      ]
      const setup = {
        filesystems: { root: { type: 'tmpfs' as const, tree: { f: { file: 'content', mode: 0o755 } } } },
        mounts: [{ at: '/', filesystem: 'root' }],
      }
      const form = { setup, tasks: [{ name: 't', program }] }
      return violation.rows(run({ form, code: { modules: new Map(), properties: new Map() } }).k)
    }
    expect([kinds('/f'), kinds('/none')]).toEqual([[], []])
  })

  test('using bytes after a check that failed is a violation', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.victim('t')
        const fd = t.open('/secret', 'O_RDONLY')
        const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK').as('check').may_fail()
        t.use(t.read(fd, 100), { relies })
      }),
    )
    expect(ran.ret('t', 'check')).toBe(-EACCES)
    expect(violation.rows(ran.k).map((row) => row.kind)).toEqual(['no approval'])
  })

  test('a forked child may rely on what its parent checked', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        const t = s.victim('t')
        const fd = t.open('/script', 'O_RDONLY')
        const relies = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
        t.fork((child) => child.use(child.read(fd, 100), { relies }))
      }),
    )
    expect(used.rows(ran.k).map((row) => row.bytes)).toEqual(['content'])
    expect(violation.rows(ran.k)).toEqual([])
  })

  test('what its parent read is as unapproved in a child', () => {
    const ran = run(
      case_of((s) => {
        files(s)
        s.ipe('policy_name=deny policy_version=0.0.0\nDEFAULT action=ALLOW\nDEFAULT op=EXECUTE action=DENY\n')
        s.property('policy')
        const t = s.victim('t')
        const bytes = t.read(t.open('/script', 'O_RDONLY'), 100)
        t.fork((child) => child.use(bytes))
      }),
    )
    expect(violation.rows(ran.k).map((row) => row.property)).toEqual(['policy'])
  })

  test('a fault in place of bytes that were approved is a use of less', () => {
    const of = case_of((s) => {
      files(s)
      const t = s.victim('t')
      const fd = t.open('/script', 'O_RDWR')
      const ro = t.open('/script', 'O_RDONLY')
      t.close(fd)
      const relies = t.execveat(ro, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
      const map = t.mmap(0, 8192, 'PROT_READ', 'MAP_PRIVATE', ro)
      t.use(t.peek(map, 8192), { relies })
    })
    expect(violation.rows(run(of).k).map((row) => [row.property, row.kind])).toEqual([
      ['check-use', 'SIGBUS'],
    ])
  })
})

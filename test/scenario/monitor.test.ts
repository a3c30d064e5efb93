/** What the monitors keep apart: each use, each approval, each property. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errno_name } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { step } from '../../src/kernel/machine.js'
import type { CaseBuilder, Task } from '../../src/scenario/builder.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { difference, use_and_approval, used, violation } from '../../src/scenario/monitor.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { inode } from '../../src/vfs/inode.js'
import { case_of, run } from './support.js'

const EMPTY_PATH = 'AT_EMPTY_PATH|AT_EXECVE_CHECK'
const check = (t: Task, fd: Parameters<Task['execveat']>[0]) => t.execveat(fd, '', null, null, EMPTY_PATH)

/** Violations of what one victim does alone with a file of these bytes, as `property: kind of use`. */
function faults(program: (t: Task, s: CaseBuilder) => void, content = 'content'): string[] {
  const of = case_of((s) => {
    s.mount(
      '/',
      s.filesystem('root', {
        type: 'tmpfs',
        tree: { f: { file: content, mode: 0o755 }, g: { file: 'other', mode: 0o755 } },
      }),
    )
    program(s.victim('t'), s)
  })
  return violation.rows(run(of).k).map((row) => `${row.property}: ${row.kind} of ${row.use}`)
}

test('an approval is told with the bytes as they are, and what the policy says of them', () => {
  const of = case_of((s) => {
    const tree = { f: { file: 'abc', mode: 0o755 } }
    s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
    const t = s.victim('t')
    const fd = t.open('/f', 'O_RDONLY')
    t.use(t.read(fd, 3), { relies: check(t, fd) })
  })
  const k = case_system(of).boot(new FastStore())
  const told: unknown[] = []
  while (k.store.depth(1) > 0) {
    k.events = []
    step(k, 1)
    told.push(...k.events.filter(({ kind }) => kind === 'approval'))
  }
  const data_inode = inode.rows(k).find(({ i_size }) => i_size === 3)!.id
  expect(told).toEqual([
    {
      kind: 'approval',
      text: `approves 3 bytes of inode ${data_inode}`,
      detail: { data_inode, bytes: 'abc', approved: 1 },
    },
  ])
})

describe('a fault in the place of bytes', () => {
  test('is of the use that would have come first, whatever uses follow', () => {
    const text = readFileSync(new URL('../cases/scenarios/two-uses.json', import.meta.url), 'utf8')
    for (const of of scenario_from_form(validate_scenario(JSON.parse(text))).cases)
      expect(explore_case(of)).toMatchObject({ verdict: 'hole', property: 'check-use' })
  })

  /** Peeks past the end of an approved file. */
  const peek = (t: Task) => {
    const fd = t.open('/f', 'O_RDONLY')
    const other = t.open('/g', 'O_RDONLY')
    const relies = check(t, fd)
    const map = t.mmap(0, 8192, 'PROT_READ', 'MAP_PRIVATE', fd)
    return { relies, failed: check(t, other).may_fail(), map, peek: () => t.peek(map, 8192) }
  }

  test('is found where a later use relies on no check, or on one that failed', () => {
    const late = (use: (t: Task, it: ReturnType<typeof peek>, bytes: ReturnType<Task['peek']>) => void) =>
      faults((t) => {
        t.chmod('/g', 0)
        const it = peek(t)
        use(t, it, it.peek())
      })
    expect(
      late((t, { relies, failed }, bytes) => {
        t.use(bytes, { relies })
        t.use(bytes, { relies: failed })
        t.use(bytes)
      }),
    ).toEqual(['check-use: SIGBUS of 0'])
    expect(
      late((t, { relies, failed }, bytes) => {
        t.use(bytes, { relies: failed })
        t.use(bytes, { relies })
      }),
    ).toEqual(['check-use: SIGBUS of 1'])
    expect(late((t, { failed }, bytes) => t.use(bytes, { relies: failed }))).toEqual([])
  })

  test('is found where the use would have been in a child', () => {
    expect(
      faults((t) => {
        const { relies, peek: bytes } = peek(t)
        const got = bytes()
        t.fork((child) => child.use(got, { relies }))
      }),
    ).toEqual(['check-use: SIGBUS of 0'])
  })

  test('is found where it is the first thing that the child does', () => {
    expect(
      faults((t) => {
        const { relies, map } = peek(t)
        t.fork((child) => {
          const got = child.peek(map, 8192)
          child.use(got, { relies })
        })
      }),
    ).toEqual(['check-use: SIGBUS of 0'])
  })

  test('is none where the only use is that of a child that is on its way', () => {
    const { form, code } = case_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: { file: 'content', mode: 0o755 } } }))
      const t = s.victim('t')
      const fd = t.open('/f', 'O_RDONLY')
      const relies = check(t, fd)
      const map = t.mmap(0, 8192, 'PROT_READ', 'MAP_PRIVATE', fd)
      const got = t.peek(map, 7).as('got')
      t.fork((child) => child.use(got, { relies }))
      t.peek(map, 8192).as('late')
    })
    const same_name = JSON.parse(JSON.stringify(form).replace('"late"', '"got"')) as typeof form
    const { k, ret } = run({ form: same_name, code })
    expect(errno_name(ret('t', 'got')!)).toBe('SIGBUS')
    expect(violation.rows(k)).toEqual([])
  })

  test('in a loop is that of the time in which it comes', () => {
    expect(
      faults((t) => {
        const fd = t.open('/f', 'O_RDONLY')
        t.repeat(2, () => {
          const relies = check(t, fd)
          const map = t.mmap(0, 4096, 'PROT_READ', 'MAP_PRIVATE', fd)
          t.use(t.peek(map, 7), { relies })
          t.truncate('/f', 0)
        })
      }),
    ).toEqual(['check-use: SIGBUS of 1'])
  })
})

const DENY = 'policy_name=deny policy_version=0.0.0\nDEFAULT action=ALLOW\nDEFAULT op=EXECUTE action=DENY\n'

describe('properties', () => {
  test('one that is violated hides no other, of the same task', () => {
    const both = faults((t, s) => {
      s.property('policy')
      s.rules('none', [])
      s.ipe({ policy: DENY, enforce: false })
      const fd = t.open('/f', 'O_RDONLY')
      t.use(t.read(fd, 3), { relies: check(t, fd) })
    })
    expect(both.sort()).toEqual(['check-use: prefix of 0', 'policy: unapproved of 0'])
  })

  test('check-use is watched whatever else is', () => {
    const prefix = (more: (s: CaseBuilder) => void) =>
      faults((t, s) => {
        const fd = t.open('/f', 'O_RDONLY')
        t.use(t.read(fd, 3), { relies: check(t, fd) })
        more(s)
      })
    for (const more of [
      (s: CaseBuilder) => s.property('policy'),
      (s: CaseBuilder) => s.never({ 't.check': 'EPERM' }),
      (s: CaseBuilder) => s.reaches({ 't.check': 'ok' }),
      (s: CaseBuilder) => s.property({ name: 'code', violated: () => false }),
    ])
      expect(prefix(more)).toEqual(['check-use: prefix of 0'])
  })
})

describe('approvals', () => {
  test('the last answer counts: a check that fails takes back what one of its name said', () => {
    const again = (ask: (t: Task, fd: ReturnType<Task['open']>) => ReturnType<typeof check>) =>
      faults((t) => {
        const fd = t.open('/f', 'O_RDONLY')
        const bytes = t.read(fd, 100)
        t.use(bytes, { relies: ask(t, fd) })
      })
    const loop = (deny: boolean) =>
      again((t, fd) => {
        let relies!: ReturnType<typeof check>
        t.repeat(2, () => {
          relies = check(t, fd).may_fail()
          if (deny) t.chmod('/f', 0)
        })
        return relies
      })
    expect(loop(false)).toEqual([])
    expect(loop(true)).toEqual(['check-use: no approval of 0'])
  })
})

describe('pieces', () => {
  test('that do not join are not the file, though their bytes one after the other are', () => {
    const halves = (second: number) =>
      faults((t) => {
        const fd = t.open('/f', 'O_RDONLY')
        const relies = check(t, fd)
        t.use([t.pread(fd, 2, 0), t.pread(fd, 2, second)], { relies })
      }, 'abab')
    expect(halves(2)).toEqual([])
    expect(halves(0)).toEqual(['check-use: bytes of 0'])
  })

  test('of a part must join too', () => {
    expect(
      faults((t) => {
        const fd = t.open('/f', 'O_RDONLY')
        const relies = check(t, fd)
        t.use([t.pread(fd, 2, 0), t.pread(fd, 2, 4)], { relies, part: true })
      }, 'ababab'),
    ).toEqual(['check-use: bytes of 0'])
  })
})

describe('a part of a file', () => {
  test('is compared where it stands, and only a part that is said to be one may end early', () => {
    expect(difference('good', 0, 'go', false)).toBe('prefix')
    expect(difference('good', 0, 'go', true)).toBeUndefined()
    expect(difference('good', 2, 'od', true)).toBeUndefined()
    expect(difference('good', 2, 'od', false)).toBe('bytes')
    expect(difference('good', 1, 'go', true)).toBe('bytes')
    expect(difference('good', 2, 'odd', true)).toBe('longer')
    expect(difference('good', 0, 'goodness', false)).toBe('longer')
    expect(difference('good', 0, 'evil', true)).toBe('bytes')
  })
})

test('a use in a child is its own, beside that of its parent', () => {
  const of = case_of((s) => {
    s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: { file: 'content', mode: 0o755 } } }))
    const t = s.victim('t')
    const fd = t.open('/f', 'O_RDONLY')
    const relies = check(t, fd)
    t.fork((child) => child.use(child.pread(fd, 3, 0), { relies }))
    t.use(t.pread(fd, 100, 0), { relies })
  })
  const { k } = run(of)
  expect(used.rows(k).map((row) => row.bytes)).toEqual(['content', 'con'])
  expect(violation.rows(k).map((row) => row.kind)).toEqual(['prefix'])
})

describe('how a use stands to what was judged', () => {
  /** What is said of the first use of a victim, before it ran and after. */
  function stands(program: (t: Task, s: CaseBuilder) => void): (string | null)[] {
    const of = case_of((s) => {
      const tree = {
        f: { file: 'content', mode: 0o755 },
        same: { file: 'content', mode: 0o755 },
        other: { file: 'another', mode: 0o755 },
      }
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
      program(s.victim('t'), s)
    })
    const { k, system } = run(of)
    return [system.boot(new FastStore()), k].map((world) => use_and_approval(world, 1, 0))
  }
  const takes = (path: string, prepare: (t: Task) => void = () => {}) =>
    stands((t) => {
      const relies = check(t, t.open('/f', 'O_RDONLY'))
      prepare(t)
      t.use(t.read(t.open(path, 'O_RDONLY'), 100), { relies })
    })

  test('is not known before it, and never is where the task ends without', () => {
    expect(takes('/f')).toEqual([null, 'same bytes of judged object'])
    expect(takes('/f', (t) => t.open('/none', 'O_RDONLY'))).toEqual([null, 'ended'])
  })

  test('tells the bytes from the object that they are of', () => {
    expect(takes('/same')[1]).toBe('same bytes of another object')
    expect(takes('/other')[1]).toBe('other bytes of another object')
    expect(takes('/f', (t) => t.truncate('/f', 3))[1]).toBe('other bytes of judged object')
  })

  test('names the object of each piece, and takes a use without a check for one of another object', () => {
    const from_both = stands((t) => {
      const fd = t.open('/f', 'O_RDONLY')
      const relies = check(t, fd)
      t.use([t.pread(fd, 3, 0), t.pread(t.open('/same', 'O_RDONLY'), 4, 3)], { relies })
    })
    expect(from_both[1]).toBe('same bytes of judged and another object')
    expect(stands((t) => t.use(t.read(t.open('/f', 'O_RDONLY'), 9)))[1]).toBe('same bytes of another object')
  })

  test('says where the policy does not approve of an object', () => {
    const denied = stands((t, s) => {
      s.ipe({ policy: DENY, enforce: false })
      const fd = t.open('/f', 'O_RDONLY')
      t.use(t.read(fd, 100), { relies: check(t, fd) })
    })
    expect(denied[1]).toBe('same bytes of judged, unapproved object')
  })
})

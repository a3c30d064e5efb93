/** What tasks show of themselves in proc. What a kernel answers stands in `test/shell/answers/proc-fd.jsonl`. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { decide } from '../../src/explore/decide.js'
import { depth_first } from '../../src/explore/depth_first.js'
import { judge } from '../../src/explore/judge.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { CaseBuilder, Task } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { message_of, one_case, case_of as scenario_case } from '../scenario/support.js'
import { JsonShell } from '../shell/support.js'

/** A shell with a file that is open for reading as 3, and a second task of the same user. */
async function shell(): Promise<JsonShell> {
  const made = new JsonShell()
  await made.ask({ id: 0, spawn: { task: 2 } })
  made.call(1, 'open', '/f', 'O_RDONLY|O_CREAT', 0o755)
  return made
}

const hash = ({ session }: JsonShell): string => `${session.k.store.hash_lo}:${session.k.store.hash_hi}`

describe('a lookup makes nothing', () => {
  const looks: [string, ...unknown[]][] = [
    ['stat', '/proc/self/fd/3'],
    ['lstat', '/proc/self/fd/3'],
    ['lstat', '/proc/2/fd/0'],
    ['lstat', '/proc/1'],
    ['lstat', '/proc/self'],
    ['access', '/proc/1/fd/3', 'R_OK'],
    ['open', '/proc/self/fd/99', 'O_RDONLY'],
    ['open', '/proc/9/fd', 'O_RDONLY'],
  ]
  it.each(looks)('%s %s', async (call, ...args) => {
    const s = await shell()
    const before = hash(s)
    s.call(1, call, ...args)
    expect(hash(s)).toBe(before)
  })

  it('and what stands on a computed name is numbered by what it names, whoever looked first', async () => {
    const [one, other] = [await shell(), await shell()]
    one.call(2, 'lstat', '/proc/1/fd/3')
    for (const each of [one, other]) {
      each.call(1, 'chdir', '/proc/2/fd')
      each.call(2, 'open', '/proc/1/fd', 'O_PATH')
    }
    expect(hash(one)).toBe(hash(other))
  })
})

describe('names', () => {
  it('self is the number of the task that reads it', async () => {
    const s = await shell()
    expect(s.data(1, 'readlink', '/proc/self')).toBe('1')
    expect(s.data(2, 'readlink', '/proc/self')).toBe('2')
    expect(s.call(1, 'lstat', '/proc/self')).toMatchObject({ stat: { st_mode: 0o120777, st_size: 0 } })
  })

  it('a directory for each task, which nobody changes', async () => {
    const s = await shell()
    expect(s.call(1, 'lstat', '/proc/2')).toMatchObject({ stat: { st_mode: 0o40555, st_nlink: 9 } })
    expect(s.call(1, 'chmod', '/proc/2', 0o700)).toEqual({ errno: 'EPERM' })
    expect(s.call(1, 'chown', '/proc/2', 1, 1)).toEqual({ errno: 'EPERM' })
    expect(s.call(1, 'rmdir', '/proc/2/fd')).toEqual({ errno: 'EPERM' })
    expect(s.call(1, 'unlink', '/proc/self')).toEqual({ errno: 'EPERM' })
    expect(s.call(1, 'chmod', '/proc', 0o555)).toEqual({ ret: 0 })
    expect(s.call(1, 'chmod', '/proc/self/fd/3', 0o700)).toEqual({ ret: 0 })
  })

  it.each(['/proc/0', '/proc/3', '/proc/01', '/proc/4294967297', '/proc/99999999999'])(
    '%s is no task',
    async (path) => {
      const s = await shell()
      expect(s.call(1, 'open', path, 'O_RDONLY')).toEqual({ errno: 'ENOENT' })
      expect(s.call(1, 'mkdir', path, 0o755)).toEqual({ errno: 'ENOENT' })
    },
  )

  it.each([
    ['/proc/meminfo', '"/meminfo" of proc'],
    ['/proc/thread-self', '"/thread-self" of proc'],
    ['/proc/self/mem', '"/<pid>/mem" of proc'],
    ['/proc/1/task/1', '"/<pid>/task" of proc'],
    ['/proc/self/exe', 'the exe in proc of task 1, which has run no file,'],
  ])('%s is refused by its name', async (path, what) => {
    const s = await shell()
    for (const flags of ['O_RDONLY', 'O_WRONLY|O_CREAT'])
      expect(s.call(1, 'open', path, flags, 0o644)).toEqual({ error: `${what} is not modelled` })
  })

  it.each([
    ['stat', '/proc', 'the number of links of the root of proc'],
    ['readlink', '/proc/self/fd/0', 'the path in proc of a descriptor that a task begins with'],
    ['lchown', '/proc/self/fd/3', 'an owner for /1/fd/3 of proc'],
  ])('%s %s is refused', async (call, path, what) => {
    const s = await shell()
    const args = call === 'lchown' ? [5, 5] : []
    expect(s.call(1, call, path, ...args)).toEqual({ error: `${what} is not modelled` })
  })

  it('the path of a file without a name has a number of the kernel in it', async () => {
    const s = await shell()
    s.call(1, 'open', '/', 'O_RDWR|O_TMPFILE', 0o600)
    expect(s.call(1, 'readlink', '/proc/self/fd/4').error).toContain(
      'the path in proc of a file without a name',
    )
  })

  it('cwd and root lead where the task stands, until it ends', async () => {
    const s = await shell()
    s.call(1, 'mkdir', '/d', 0o755)
    s.call(1, 'chdir', '/d')
    expect(s.data(2, 'readlink', '/proc/1/cwd')).toBe('/d')
    expect(s.data(2, 'readlink', '/proc/1/root')).toBe('/')
    expect(s.call(2, 'open', '/proc/1/cwd/x', 'O_WRONLY|O_CREAT', 0o600)).toEqual({ ret: 3 })
    expect(s.call(1, 'stat', '/d/x')).toMatchObject({ ret: 0 })
    s.call(1, 'exit', 0)
    for (const name of ['cwd', 'root', 'exe', 'fd/3'])
      expect(s.call(2, 'open', `/proc/1/${name}`, 'O_RDONLY')).toEqual({ errno: 'ENOENT' })
  })

  it('exe leads to the program, by the name that was run, and it is denied to writers', async () => {
    const s = await shell()
    s.call(2, 'open', '/prog', 'O_WRONLY|O_CREAT', 0o755)
    s.call(2, 'write', 3, '\x7fELF')
    s.call(2, 'close', 3)
    s.call(2, 'execve', '/prog', ['x'], null)
    expect(s.data(1, 'readlink', '/proc/2/exe')).toBe('/prog')
    expect(s.call(1, 'open', '/proc/2/exe', 'O_WRONLY')).toEqual({ errno: 'ETXTBSY' })
    expect(s.call(1, 'open', '/proc/2/exe', 'O_RDONLY')).toEqual({ ret: 4 })
    s.call(1, 'rename', '/prog', '/moved')
    expect(s.data(1, 'readlink', '/proc/2/exe')).toBe('/moved')
  })
})

describe('who may', () => {
  const program = (mode: number, uid = 0) => ({ file: '\x7fELF', mode, uid })
  const tree = { plain: program(0o755), unreadable: program(0o711), setuid: program(0o4755, 1001) }

  /** What another task of the same user sees of one that runs a program. */
  async function seen(path: string): Promise<unknown[]> {
    const s = new JsonShell()
    const setup = {
      filesystems: { root: { type: 'tmpfs', tree: { ...tree, proc: { dir: {} } } }, proc: { type: 'proc' } },
      mounts: [
        { at: '/', filesystem: 'root' },
        { at: '/proc', filesystem: 'proc' },
      ],
    }
    await s.ask({ id: 1, setup })
    for (const task of [2, 3]) await s.ask({ id: task, spawn: { task, uid: 1000, gid: 1000 } })
    s.call(2, 'execve', path, ['x'], null)
    const { stat } = s.call(3, 'lstat', '/proc/2/fd')
    const { ret, errno } = s.call(3, 'open', '/proc/2/exe', 'O_RDONLY')
    return [stat!.st_uid, ret ?? errno]
  }

  it('looks into a program that its user may read and that has his ids', async () => {
    expect(await seen('/plain')).toEqual([1000, 3])
  })
  it('not into one that may not be read, which is shown as root’s', async () => {
    expect(await seen('/unreadable')).toEqual([0, 'EACCES'])
  })
  it('not into one that has become somebody else', async () => {
    expect(await seen('/setuid')).toEqual([0, 'EACCES'])
  })
})

describe('a set-up', () => {
  const world = (filesystems: object, mounts: object[], task: object = {}) =>
    message_of(() =>
      case_system(
        scenario_case((s) => {
          for (const [name, form] of Object.entries(filesystems)) s.filesystem(name, form)
          s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
          for (const each of mounts) s.mount(...(each as [string, string]))
          s.task('task', task).chdir('/')
        }),
      ).boot(new FastStore()),
    )
  const proc = { type: 'proc' }

  it('mounts it anywhere, more than once', () => {
    expect(world({ p: proc }, [['/p', 'p'] as never, ['/q/r', 'p'] as never])).toBe('nothing was thrown')
  })
  it('has one, without a tree, and nothing is mounted in it', () => {
    expect(world({ p: proc, q: proc }, [])).toContain(
      'there is a file system of type proc already; mount p again',
    )
    expect(world({ p: { ...proc, tree: { f: 'x' } } }, [])).toContain(
      'what is in proc is not for a set-up to say',
    )
    expect(
      world({ p: proc, t: { type: 'tmpfs' } }, [['/p', 'p'] as never, ['/p/1', 't'] as never]),
    ).toContain('nothing can be made or mounted in proc')
    expect(world({ p: proc }, [['/p', 'p'] as never], { cwd: '/p/1' })).toContain('there is no /p/1')
  })
})

/** Root with `f`, which only its owner may write, and proc. */
function with_proc(s: CaseBuilder): void {
  s.profile('6.18')
  const tree = { f: { file: 'good', mode: 0o755 }, d: { dir: {} }, proc: { dir: {} } }
  s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
  s.mount('/proc', s.filesystem('proc', { type: 'proc' }))
}

describe('races', () => {
  const outcomes = (build: (victim: Task, attacker: Task) => void, reaches: readonly string[]) =>
    explore_case(
      one_case((s) => {
        with_proc(s)
        const victim = s.task('victim')
        const attacker = s.attacker('attacker')
        build(victim, attacker)
        for (const each of reaches) s.reaches({ 'attacker.w': each as 'ok' }, each)
      }).cases[0]!,
    ).unreached

  test('a descriptor that is closed before the link is followed, or after', () => {
    const build = (victim: Task, attacker: Task) => {
      const fd = victim.open('/f', 'O_RDONLY')
      victim.close(fd)
      attacker.open('/proc/1/fd/3', 'O_WRONLY').as('w').may_fail()
    }
    expect(outcomes(build, ['ok', 'ENOENT', 'EACCES'])).toEqual(['EACCES'])
  })

  test('what is read of a name that was found before is read as it is then', () => {
    const build = (victim: Task, attacker: Task) => {
      victim.close(victim.open('/f', 'O_RDONLY'))
      const at = attacker.open('/proc/1/fd/3', 'O_PATH|O_NOFOLLOW')
      attacker.readlinkat(at, '').as('w').may_fail()
    }
    expect(outcomes(build, ['ok', 'ENOENT'])).toEqual([])
  })

  test('a task that has ended has no descriptors, though nothing else tells of its end', () => {
    const build = (victim: Task, attacker: Task) => {
      victim.open('/f', 'O_RDONLY')
      attacker.open('/proc/1/fd/3', 'O_RDONLY').may_fail()
      attacker.open('/proc/1/fd/0', 'O_RDONLY').as('w').may_fail()
    }
    expect(outcomes(build, ['ok', 'ENOENT'])).toEqual([])
  })

  test('the program that a task begins with is none that the model has: an order that asks for it is refused', () => {
    const { cases } = one_case((s) => {
      with_proc(s)
      s.victim('runtime').execve('/f', ['f'], null).may_fail()
      s.attacker('inside').open('/proc/1/exe', 'O_RDONLY').may_fail()
    })
    expect(message_of(() => explore_case(cases[0]!))).toContain('the exe in proc of task 1')
  })
})

// --- soundness -----------------------------------------------------------------------------------------------

const paths = ['/proc/self/fd/3', '/proc/1/fd/3', '/proc/2/fd/3', '/proc/2/fd/4', '/proc/self/cwd/f', '/f']
type Act = (task: Task, path: string) => void
const acts: Readonly<Record<string, Act>> = {
  open: (task, path) => void task.open(path, 'O_RDONLY').may_fail(),
  reopen: (task, path) => void task.open(path, 'O_WRONLY|O_TRUNC').may_fail(),
  lstat: (task, path) => void task.lstat(path).may_fail(),
  readlink: (task, path) => void task.readlink(path).may_fail(),
  close: (task) => void task.close(3).may_fail(),
  dup: (task) => void task.dup2(3, 4).may_fail(),
  move: (task) => void task.rename('/f', '/d/f').may_fail(),
  chdir: (task) => void task.chdir('/d').may_fail(),
}
const act = fc.tuple(fc.constantFrom(...Object.keys(acts)), fc.constantFrom(...paths))
const programs = fc.tuple(
  fc.array(act, { minLength: 1, maxLength: 3 }),
  fc.array(act, { minLength: 1, maxLength: 2 }),
)

test('the search finds what the judge finds, where tasks look at each other', () => {
  const compare = fc.property(programs, (of_tasks) => {
    const of = scenario_case((s) => {
      with_proc(s)
      for (const [i, program] of of_tasks.entries()) {
        const task = s.task(`t${i}`)
        task.open('/f', 'O_RDONLY').may_fail()
        for (const [name, path] of program) acts[name]!(task, path)
      }
    })
    const system = case_system(of)
    const expected = judge(system, new FastStore())
    const found = depth_first(system)
    expect(found.outcomes).toEqual(expected.outcomes)
    expect(decide(system).verdict).not.toBe('incomplete')
  })
  fc.assert(compare, { numRuns: 15, seed: 6 })
}, 120_000)

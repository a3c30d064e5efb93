/** Whatever a call is given, it answers with a result, an errno or a signal, or says which argument is wrong. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { garbage_arguments } from '../../src/fast-check.js'
import { ArgumentError, decode_arguments } from '../../src/kernel/decode.js'
import { errno_name } from '../../src/kernel/errno.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { attempt, fn, local } from '../../src/kernel/fn.js'
import type { Fn, Kernel } from '../../src/kernel/kernel.js'
import { ASLEEP, ended, start, step } from '../../src/kernel/machine.js'
import { NotModelled } from '../../src/kernel/not_modelled.js'
import { table, type Value, value } from '../../src/kernel/schema.js'
import { all_syscalls, type Syscall } from '../../src/kernel/syscall.js'
import { make_kernel } from '../../src/model.js'
import type { SetupForm } from '../../src/scenario/form.js'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { boot_setup, make_modules, make_task, parse_profile } from '../../src/scenario/setup.js'
import { task_struct } from '../../src/vfs/tasks/task.js'

const given: { fn: Fn; locals: object } = { fn: undefined as never, locals: {} }
const answer = table('garbage_answer', { answer: { ret: value() } }, { owned: true })

/** Makes one call and keeps what it gave. */
const garbage_call = fn('garbage_call', { source: 'test' }, [
  attempt(
    () => given.fn,
    () => given.locals,
    (k, _, ret: Value) => {
      answer(k, k.task).ret = ret
    },
    'syscall',
  ),
  local('end', () => undefined),
])

const setup: SetupForm = {
  profile: '7.2',
  filesystems: {
    root: {
      type: 'tmpfs',
      tree: {
        f: { file: '#!/e\n', mode: 0o755 },
        e: { file: '\x7fELF', mode: 0o755 },
        d: { dir: { f: 'below' } },
        s: { symlink: 'f' },
        loop: { symlink: 'loop' },
      },
    },
    low: { type: 'erofs', tree: { f: { file: 'low', mode: 0o755 }, d: { dir: { f: 'deep' } } } },
    up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
  ],
  lsm: { ipe: { policy: 'policy_name=p policy_version=0.0.0\nDEFAULT action=ALLOW\n' } },
}

/** A task with a file, a directory, an O_PATH descriptor and an overlay file open, and a mapping. */
function boot(uid: number): Kernel {
  const k = make_kernel(new FastStore(), parse_profile('7.2', ''), make_modules(setup.lsm!, new Map(), ''))
  const env = boot_setup(k, setup, 'setup')
  make_task(k, 1, { name: 'task', uid, gid: uid }, env, 'task')
  answer.create_at(k, 1, {})
  const make = (name: string, ...args: unknown[]) =>
    run(k, all_syscalls().find((each) => each.name === name)!, args)
  make('open', '/f', uid === 0 ? 'O_RDWR' : 'O_RDONLY')
  make('open', '/d', 'O_DIRECTORY')
  make('open', '/m/f', 'O_RDONLY')
  make('open', '/s', 'O_PATH|O_NOFOLLOW')
  make('mmap', 0x10000, 8192, 3, 'MAP_PRIVATE|MAP_FIXED', 3, 0)
  return k
}

/** What the call gave; `asleep` where it waits for somebody who does not exist. */
function run(k: Kernel, call: Syscall, args: readonly unknown[]): Value | 'asleep' {
  given.fn = call.fn
  given.locals = decode_arguments(call, args)
  start(k, 1, garbage_call, {})
  for (let stages = 0; !ended(k, 1); stages++) {
    if (stages > 20_000) throw new Error('it does not end')
    const was_exec = call.name.startsWith('exec')
    if (step(k, 1) === ASLEEP) return 'asleep'
    if (was_exec && k.store.depth(1) === 0) break
  }
  return answer(k, 1).ret
}

/** What is wrong with an answer, or null. */
function wrong(ret: Value | 'asleep'): string | null {
  if (typeof ret !== 'number') return null
  if (!Number.isSafeInteger(ret) && ret !== 2 ** 63 - 1) return `returned ${ret}`
  return ret < 0 && /^(errno|signal) /.test(errno_name(ret)) ? `no errno or signal: ${ret}` : null
}

describe.each([0, 1000])('uid %i', (uid) => {
  test.each(all_syscalls().map((call) => [call.name, call] as const))('%s', (_, call) => {
    const start_over = boot(uid)
    const mark = start_over.store.mark()
    let answered = 0
    const refused = new Set<string>()
    fc.assert(
      fc.property(garbage_arguments(call), garbage_arguments(call), (first, second) => {
        const k = start_over
        try {
          for (const args of [first, second]) {
            const ret = run(k, call, args)
            expect(wrong(ret)).toBeNull()
            expect(broken_invariant(k)).toBeNull()
            answered++
            // What a task does after its end, or while it sleeps, is nobody's business.
            if (ret === 'asleep' || !alive(k)) break
          }
        } catch (error) {
          if (error instanceof NotModelled) return
          if (!(error instanceof ArgumentError)) throw error
          const names = [...call.params.map(({ name }) => name), call.name]
          expect(names.some((name) => error.message.startsWith(name))).toBe(true)
          refused.add(error.message)
        } finally {
          k.store.undo(mark)
          start_over.store.mark()
        }
      }),
      { numRuns: 250, seed: 23 + uid },
    )
    if (call.params.length > 0) {
      expect(answered).toBeGreaterThan(10)
      expect(refused.size).toBeGreaterThan(0)
    }
  })
})

const alive = (k: Kernel): boolean => task_struct(k, 1).exit_code === 0

/** IPE's record and its properties for what a scenario can make: names that are not ASCII, memory without a file. */
import { expect, test } from 'vitest'
import { run_in_order } from '../../../src/explore/replay.js'
import { FastStore } from '../../../src/kernel/fast_store.js'
import type { CaseBuilder } from '../../../src/scenario/builder.js'
import { case_system } from '../../../src/scenario/case_system.js'
import { case_of } from '../../scenario/support.js'

const HEADER = 'policy_name=test policy_version=1.0.0\n'
const DENY = `${HEADER}DEFAULT action=DENY\n`
const hex = (text: string) => Buffer.from(text).toString('hex').toUpperCase()

/** Records of the task called `name`, that runs `program` on a file system of the initramfs or not. */
function records(build: (s: CaseBuilder) => void, policy = DENY): string[] {
  const k = case_system(
    case_of((s) => {
      s.profile('7.2')
      s.ipe({ policy, success_audit: true })
      build(s)
    }),
  ).boot(new FastStore())
  k.events = []
  run_in_order(k)
  return k.events.filter(({ kind }) => kind === 'audit').map(({ text }) => text)
}

const root = (s: CaseBuilder, initramfs = false) =>
  s.mount(
    '/',
    s.filesystem('root', {
      type: 'tmpfs',
      initramfs,
      tree: { é: { file: 'x', mode: 0o755 }, f: { file: 'x', mode: 0o755 } },
    }),
  )

test('names are bytes: those of a path as they are, and of the task the first fifteen', () => {
  const [record] = records((s) => {
    root(s)
    s.victim('äöüäöüäöü').execveat('AT_FDCWD', '/é', null, null, 'AT_EXECVE_CHECK').may_fail()
  })
  expect(record).toContain(` comm=${hex('äöüäöüäöü').slice(0, 30)} path=${hex('/é')} dev="tmpfs" `)
})

test('the name of a file without one is its number', () => {
  const [record] = records((s) => {
    root(s)
    const t = s.victim('t')
    const fd = t.open('/', 'O_TMPFILE|O_RDWR', 0o755)
    t.mmap(0, 4096, 'PROT_READ|PROT_EXEC', 'MAP_PRIVATE', fd, 0).may_fail()
  })
  const path = Buffer.from(/ path=([0-9A-F]+) /.exec(record!)![1]!, 'hex').toString()
  expect(path).toMatch(/^\/#\d+ \(deleted\)$/)
})

test('shared anonymous memory is of the kernel, and not of the initramfs that the task stands in', () => {
  const policy = `${DENY}op=EXECUTE boot_verified=TRUE action=ALLOW\n`
  const found = records((s) => {
    root(s, true)
    const t = s.victim('t')
    t.execveat('AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK')
    const at = t.mmap(0, 4096, 'PROT_READ|PROT_WRITE', 'MAP_SHARED|MAP_ANONYMOUS', -1, 0)
    t.mprotect(at, 4096, 'PROT_READ|PROT_EXEC').may_fail()
  }, policy)
  expect(found).toEqual([
    expect.stringMatching(/ path="\/f" dev="rootfs" .*rule="op=EXECUTE boot_verified=TRUE action=ALLOW"/),
    expect.stringMatching(
      new RegExp(
        ` ipe_hook=MPROTECT .* path=${hex('/dev/zero (deleted)')} dev="tmpfs" .*rule="DEFAULT action=DENY"`,
      ),
    ),
  ])
})

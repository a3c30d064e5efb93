/** What a trace tells is worked out from what happened: inputs whose story once was wrong, and their kind. */
import { describe, expect, it } from 'vitest'
import {
  type CaseBuilder,
  counterexample_trace,
  explore_case,
  type Scenario,
  scenario,
} from '../../src/index.ts'
import { explain } from '../../src/trace/render/explain.ts'
import { to_text } from '../../src/trace/render/text.ts'
import type { Trace } from '../../src/trace/trace.ts'
import access_then_open from '../cases/scenarios/access-then-open.ts'
import names_the_wrong_file from '../cases/scenarios/names-the-wrong-file.ts'
import shared_position from '../cases/scenarios/shared-position-after-fork.ts'

const CHECK = 'AT_EMPTY_PATH|AT_EXECVE_CHECK'

function trace_of(of: Scenario): Trace {
  return counterexample_trace(of, of.cases[0]!, explore_case(of.cases[0]!))!
}

const mine = (build: (s: CaseBuilder) => void) => trace_of(scenario({ name: 'mine', summary: 'mine', build }))

/** A script that anybody may write; somebody checks its descriptor, and then reads and uses it. */
function checked_and_read(s: CaseBuilder): void {
  s.mount('/', s.filesystem('root', { type: 'ext4', tree: { script: { file: 'good', mode: 0o777 } } }))
  const t = s.victim('reader')
  const fd = t.open('/script', 'O_RDONLY')
  const check = t.execveat(fd, '', null, null, CHECK)
  t.use(t.read(fd, 100), { relies: check })
}

describe('the story', () => {
  it('names the file that was checked, whatever else was opened before', () => {
    const trace = trace_of(names_the_wrong_file)
    const told = explain(trace).join(' ')
    expect(told).toContain('sh asks whether /script may be executed')
    expect(told).not.toContain('/log')
    expect(to_text(trace)).toContain('switch: sh is preempted between two calls')
  })

  it('names it through a copy of the descriptor, and by the path of a check of a path', () => {
    const by_copy = mine((s) => {
      const tree = { a: 'x', script: { file: 'good', mode: 0o777 } }
      s.mount('/', s.filesystem('root', { type: 'ext4', tree }))
      const t = s.victim('reader')
      const fd = t.dup(t.open('/script', 'O_RDONLY'))
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 100), { relies: check })
      s.attacker('writer').truncate('/script', 0)
    })
    expect(explain(by_copy)[0]).toContain('reader asks whether /script may be executed')
    const by_path = mine((s) => {
      const tree = { d: { dir: { script: { file: 'good', mode: 0o777 } } } }
      s.mount('/', s.filesystem('root', { type: 'ext4', tree }))
      const t = s.victim('reader')
      const check = t.execveat(t.open('/d', 'O_RDONLY'), 'script', null, null, 'AT_EXECVE_CHECK')
      t.use(t.read(t.open('/d/script', 'O_RDONLY'), 100), { relies: check })
      s.attacker('writer').truncate('/d/script', 0)
    })
    expect(explain(by_path)[0]).toContain('reader asks whether script in /d may be executed')
  })

  it('says that a shared position has moved', () => {
    const trace = trace_of(shared_position)
    expect(trace.cause!.kind).toBe('moved position')
    expect(trace.tasks.map(({ role }) => role)).toEqual(['victim', 'victim'])
    const told = explain(trace).join(' ')
    expect(told).toMatch(
      /child of parent has the same open file, and moves the position in it, which they share, with read \(\w+, step \d+\): from 0 to 5/,
    )
    expect(told).not.toContain('with other content')
  })

  it('tells a write through a shared position from one that only moves it', () => {
    const trace = mine((s) => {
      checked_and_read(s)
      const a = s.attacker('writer')
      a.write(a.open('/script', 'O_RDWR'), 'evil')
    })
    expect(trace.cause!.kind).toBe('write in place')
  })

  it('of a name that was taken away and made anew tells both', () => {
    const trace = mine((s) => {
      const tree = { d: { dir: { script: { file: 'good', mode: 0o777 } }, mode: 0o777 } }
      s.mount('/', s.filesystem('root', { type: 'ext4', tree }))
      const t = s.victim('reader')
      const check = t.execveat('AT_FDCWD', '/d/script', null, null, 'AT_EXECVE_CHECK')
      t.use(t.read(t.open('/d/script', 'O_RDONLY'), 100), { relies: check })
      const a = s.attacker('other')
      a.unlink('/d/script')
      a.open('/d/script', 'O_CREAT|O_EXCL|O_WRONLY', 0o777)
    })
    expect(trace.cause!.kind).toBe('path switch')
    expect(explain(trace).join(' ')).toMatch(
      /other makes the path lead elsewhere with open \(\w+, step \d+\); the name had been free since unlink\("\/d\/script"\) in step \d+/,
    )
  })

  it('of an outcome tells all its parts, in their order, and who caused the last', () => {
    const trace = trace_of(access_then_open)
    expect(trace.cause).toMatchObject({ kind: 'path switch' })
    expect(trace.cause!.text).toContain('symlink("secret", "/etc/app.conf")')
    expect(trace.outcome.map(({ result, wanted }) => [result, wanted])).toEqual([
      ['checked', 'ok'],
      ['fd', 'EACCES'],
    ])
    const told = explain(trace).join(' ')
    expect(told).toMatch(
      /daemon's access\("\/etc\/app.conf", R_OK\) returned 0 in step \d+; then daemon's open\("\/etc\/app.conf", O_RDONLY\) returned -1 EACCES in step \d+/,
    )
    expect(told).toContain('What must never happen, checked-yet-refused, happens in this interleaving')
    expect(told).toContain('attacker makes the path lead elsewhere with symlink')
  })

  it('of an outcome that a writer brings about says that he holds write access', () => {
    const trace = mine((s) => {
      s.mount('/', s.filesystem('root', { type: 'ext4', tree: { script: { file: 'good', mode: 0o777 } } }))
      const t = s.victim('reader')
      t.execveat('AT_FDCWD', '/script', null, null, 'AT_EXECVE_CHECK').as('check').may_fail()
      s.attacker('writer').open('/script', 'O_WRONLY')
      s.never({ 'reader.check': 'ETXTBSY' })
    })
    expect(trace.cause!.kind).toBe('write access')
    expect(explain(trace).join(' ')).toContain('writer has it open for writing from then on, with open')
  })
})

describe('switches', () => {
  it('are drawn between calls where they could as well lie there', () => {
    const trace = trace_of(shared_position)
    const switches = trace.steps.filter(({ preempts }) => preempts)
    expect(switches.length).toBeGreaterThan(0)
    for (const { n, task } of switches) {
      const before = trace.steps[n - 2]!
      expect(before.task).not.toBe(task)
      expect(before.result, `step ${n}`).not.toBeNull()
    }
  })
})

describe('numbers', () => {
  it('of modes are octal, whichever way they are given', () => {
    const trace = mine((s) => {
      checked_and_read(s)
      const a = s.attacker('writer')
      a.chmod('/script', 0o640)
      a.truncate('/script', 0)
      s.never({ 'writer.chmod': 'ok' })
    })
    const text = to_text(trace)
    expect(text).toContain('chmod("/script", 0640)')
    expect(text).not.toContain('416')
  })
})

/** The end of a program is the end of its process: what it held is free again. */
import { describe, expect, test } from 'vitest'
import { run_in_order } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { CaseBuilder, Scenario, Task } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { case_name } from '../../src/scenario/form.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { file } from '../../src/vfs/file.js'
import { inode } from '../../src/vfs/inode.js'
import exec_ends from '../cases/scenarios/exec-ends.js'
import falls_off_the_end from '../cases/scenarios/falls-off-the-end.js'
import selfexe from '../cases/scenarios/selfexe-safe.js'
import { case_of, one_case, run } from './support.js'

const verdicts = (scenario: Scenario) =>
  Object.fromEntries(scenario.cases.map((each) => [case_name(each.form), explore_case(each).verdict]))

/** A writer whose program is `write`, and somebody who executes the file. */
function writer_and_check(s: CaseBuilder, write: (writer: Task) => void, again = ''): void {
  s.profile('6.18')
  const tree = { f: { file: '#!/x\n', mode: 0o777 }, d: { dir: {} } }
  s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
  const writer = s.task('writer')
  writer.open('/f', 'O_WRONLY')
  write(writer)
  const checker = s.task('checker')
  checker.execveat('AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK').as('check').may_fail()
  if (again === '') return
  checker.execveat('AT_FDCWD', '/f', null, null, 'AT_EXECVE_CHECK').as('again').may_fail()
}

const errnos = (write: (writer: Task) => void) => {
  const of = case_of((s) => writer_and_check(s, write))
  const report = explore_case(of)
  expect(report.search.deadlock).toBeNull()
  return run(of).ret('checker', 'check')
}

describe('write access is given back', () => {
  test.each([
    ['at the end of the program', () => {}],
    ['by stop', (w: Task) => w.stop()],
    ['by exit', (w: Task) => w.exit(3)],
    ['when a call fails that may not', (w: Task) => w.unlink('/nothing')],
    ['at a signal', (w: Task) => w.poke(8, 'x')],
    ['when a branch leads to the end', (w: Task) => w.if(w.chdir('/d').ok(), () => w.stop())],
  ] as const)('%s', (_, write) => {
    expect(errnos(write)).toBe(0)
  })

  test('not by a task that pauses: it keeps all that it has, and that is no deadlock', () => {
    expect(errnos((w) => w.pause())).toBe(-26)
  })

  test('by the last of those who share the description', () => {
    const reached = (write: (writer: Task) => void) =>
      explore_case(
        case_of((s) => {
          writer_and_check(s, write, 'then again')
          s.reaches({ 'checker.check': 'ETXTBSY', 'checker.again': 'ok' }, 'given back')
        }),
      ).unreached
    expect(reached((w) => void w.fork())).toEqual([])
    expect(reached((w) => void w.fork((c) => c.chdir('/d')))).toEqual([])
    expect(reached((w) => void w.fork((c) => c.pause()))).toEqual(['given back'])
  })

  test('of a mapping that outlives its descriptor', () => {
    const map = (then: (w: Task) => void) =>
      errnos((w) => {
        const fd = w.open('/f', 'O_RDWR')
        w.mmap(0, 4096, 'PROT_READ', 'MAP_PRIVATE', fd)
        w.close(fd)
        then(w)
      })
    expect(map(() => {})).toBe(0)
    expect(map((w) => w.pause())).toBe(-26)
  })
})

test('a program that falls off its end closes as one that says so', () => {
  expect(verdicts(falls_off_the_end)).toEqual({
    'end=falls off': 'race',
    'end=close': 'race',
    'end=exit': 'race',
  })
})

test('results and uses stay readable when the task is gone', () => {
  const of = case_of((s) => writer_and_check(s, (w) => w.write(3 as never, 'x').as('wrote')))
  expect(run(of).ret('writer', 'wrote')).toBe(1)
})

test('nothing is left open where somebody looks at the whole state', () => {
  const of = one_case((s) => {
    writer_and_check(s, (w) => void w.open('/f', 'O_RDONLY'))
    s.property({ name: 'never', violated: () => false })
  }).cases[0]!
  const k = case_system(of).boot(new FastStore())
  run_in_order(k)
  expect(file.rows(k)).toEqual([])
  expect(inode.rows(k).every(({ i_writecount }) => i_writecount === 0)).toBe(true)
})

describe('a program that was run', () => {
  test('denies writes while it runs, and ends by itself', () => {
    const report = explore_case(exec_ends.cases[0]!)
    expect(report).toMatchObject({ verdict: 'safe', unreached: [] })
  })

  test('can be written after its last run, whichever way it is reached', () => {
    expect(verdicts(selfexe)).toEqual({
      'fix=none profile=6.11': 'hole',
      'fix=none profile=6.18': 'hole',
      'fix=copy profile=6.11': 'hole',
      'fix=copy profile=6.18': 'hole',
      'fix=ro-bind profile=6.11': 'safe',
      'fix=ro-bind profile=6.18': 'safe',
    })
  })
})

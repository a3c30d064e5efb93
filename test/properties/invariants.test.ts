/** The machine's own books hold after every stage, whatever programs do; and a cooked book is found. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { depth_first } from '../../src/explore/depth_first.js'
import { case_of, cases, follow, schedules } from '../../src/fast-check.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { case_system } from '../../src/scenario/case_system.js'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { dentry } from '../../src/vfs/dentry.js'
import { file } from '../../src/vfs/file.js'
import { inode, is_dir, is_reg } from '../../src/vfs/inode.js'
import { fd_slot } from '../../src/vfs/tasks/task.js'
import { case_named, shipped } from './support.js'

test('after every stage of random runs of random cases', () => {
  let stages = 0
  fc.assert(
    fc.property(
      cases({ program: { min: 3, max: 10 }, max_tasks: 3 }),
      schedules(400, 200),
      (form, wishes) => {
        const system = case_system(case_of(form))
        follow(system, new FastStore(), wishes, (k) => {
          stages++
          const broken = broken_invariant(k)
          if (broken !== null) throw new Error(broken)
        })
      },
    ),
    { numRuns: 400, seed: 5 },
  )
  expect(stages).toBeGreaterThan(20_000)
})

test.each(shipped.map((each) => [each.name, each] as const))('in every state of %s', (_, scenario) => {
  const chosen = scenario.cases.filter((_, i) => i % Math.ceil(scenario.cases.length / 3) === 0)
  for (const each of chosen) {
    const report = depth_first(case_system(each), { invariant: broken_invariant })
    expect(report.complete).toBe(true)
  }
})

/** The world of the first scenario in the midst of a copy-up, with a write to the upper file open. */
function midway(): Kernel {
  const system = case_system(case_named(shipped[0]!, 'access=read mitigation=none profile=7.2'))
  const store = new FastStore()
  let k!: Kernel
  const schedule = follow(system, store, Array(60).fill(1), (now) => {
    k = now
  })
  expect(schedule.length).toBeGreaterThan(20)
  expect(broken_invariant(k)).toBeNull()
  return k
}

describe('a breach is told', () => {
  const breaches: Record<string, [(k: Kernel) => void, RegExp]> = {
    'a write count that nobody holds': [
      (k) => {
        inode.rows(k).find((row) => is_reg(row.i_mode))!.i_writecount += 1
      },
      /i_writecount is \d+, but writers minus deniers are \d+/,
    ],
    'a link too many': [
      (k) => {
        inode.rows(k).find((row) => is_dir(row.i_mode))!.i_nlink += 1
      },
      /i_nlink is \d+, but it has \d+/,
    ],
    'a lock without an owner': [
      (k) => {
        inode.rows(k).find((row) => row.i_rwsem === 0)!.i_rwsem = 2
      },
      /i_rwsem is held by task 2, but by frames of task 0/,
    ],
    'a reference to nothing': [
      (k) => {
        fd_slot.rows(k)[0]!.file = 77
      },
      /file is file 77, which does not exist/,
    ],
    'a descriptor of no task': [
      (k) => {
        fd_slot.create_at(k, (9 << 18) | 3, { file: file.rows(k)[0]!.id })
      },
      /belongs to no task/,
    ],
  }
  test.each(Object.entries(breaches))('%s', (_, [breach, message]) => {
    const k = midway()
    k.task = 0
    breach(k)
    expect(broken_invariant(k)).toMatch(message)
  })

  /** Reference counts are only compared while no task is inside the kernel. */
  const counted: Record<string, [(k: Kernel) => void, RegExp]> = {
    'a reference to a file too many': [
      (k) => {
        file.rows(k)[0]!.f_count += 1
      },
      /f_count is \d+, but \d+ refer to it/,
    ],
    'a name that somebody stands on unnoticed': [
      (k) => {
        dentry(k, file.rows(k)[0]!.f_dentry).d_count -= 1
      },
      /d_count is \d+, but \d+ stand on it/,
    ],
  }
  test.each(Object.entries(counted))('%s', (_, [breach, message]) => {
    const k = case_system(shipped[0]!.cases[0]!).boot(new FastStore())
    expect(broken_invariant(k)).toBeNull()
    breach(k)
    expect(broken_invariant(k)).toMatch(message)
  })
})

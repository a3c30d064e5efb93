/** How far a task is in its program. */
import { expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { step } from '../../src/kernel/machine.js'
import type { CaseBuilder } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { case_of } from './support.js'

/** The phases in which a task is, one after another. */
function phases(task: number, build: (s: CaseBuilder) => void): number[] {
  const system = case_system(case_of(build))
  const k = system.boot(new FastStore())
  const seen: number[] = []
  while (k.store.depth(task) > 0) {
    const phase = system.phase(k, task)
    if (phase !== seen.at(-1)) seen.push(phase)
    step(k, task)
  }
  expect(system.phase(k, 99)).toBe(0)
  return seen
}

test('is counted from where its program begins, and only grows, in loops and branches too', () => {
  const two = (s: CaseBuilder) => {
    const a = s.task('a')
    a.repeat(3, () => a.stat('/').as('st'))
    const b = s.task('b')
    const found = b.stat('/')
    b.if(found.ok(), () => b.stat('/'))
    b.stat('/')
  }
  for (const task of [1, 2]) {
    const seen = phases(task, two)
    expect(seen[0]).toBe(0)
    expect(seen.length).toBeGreaterThanOrEqual(3)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  }
})

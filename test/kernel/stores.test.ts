import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Footprint } from '../../src/kernel/footprint.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Kernel, Store } from '../../src/kernel/kernel.js'
import { ended, step } from '../../src/kernel/machine.js'
import { conflict } from '../../src/kernel/notes.js'
import { boot, moves, programs } from './worlds.js'

const runs = { numRuns: 400 }

/** Everything about a state that both stores must agree on. */
function view(store: Store) {
  return {
    state: JSON.stringify(store.snapshot()),
    lo: store.hash_lo,
    hi: store.hash_hi,
    tasks: store.tasks(),
  }
}

function noted_step(k: Kernel, task: number, choice: number): [number, Footprint] {
  k.store.note()
  const result = step(k, task, choice)
  return [result, k.store.footprint()]
}

/** The tasks that can be asked to step, by a number modulo their count. */
function task_of(k: Kernel, number: number): number | undefined {
  const tasks = k.store.tasks()
  return tasks[number % tasks.length]
}

test('both stores agree on states, hashes, results and footprints after every step', () => {
  fc.assert(
    fc.property(programs, moves, (tasks, wanted) => {
      const fast = boot(new FastStore(), tasks)
      const immer = boot(new ImmerStore(), tasks)
      expect(view(fast.store)).toEqual(view(immer.store))
      for (const [number, choice] of wanted) {
        const task = task_of(fast, number)
        if (task === undefined) break
        const expected = noted_step(immer, task, choice)
        immer.store.commit()
        expect(noted_step(fast, task, choice)).toEqual(expected)
        expect(fast.choices).toBe(immer.choices)
        expect(view(fast.store)).toEqual(view(immer.store))
      }
    }),
    runs,
  )
})

describe.each([
  ['fast', () => new FastStore()],
  ['immer', () => new ImmerStore()],
] as const)('%s store', (_, make) => {
  test('undo restores everything, however marks are nested', () => {
    fc.assert(
      fc.property(programs, moves, fc.array(fc.nat(59)), (tasks, wanted, back) => {
        const k = boot(make(), tasks)
        const marks: number[] = []
        const views: ReturnType<typeof view>[] = []
        wanted.forEach(([number, choice], i) => {
          views.push(view(k.store))
          marks.push(k.store.mark())
          const task = task_of(k, number)
          if (task !== undefined) step(k, task, choice)
          if (!back.includes(i)) return
          const to = (i * 7) % marks.length
          k.store.undo(marks[to]!)
          expect(view(k.store)).toEqual(views[to])
          marks.length = views.length = to
        })
        if (marks.length > 0) k.store.undo(marks[0]!)
        expect(view(k.store)).toEqual(view(boot(make(), tasks).store))
      }),
      runs,
    )
  })

  test('a step that sleeps changes nothing', () => {
    fc.assert(
      fc.property(programs, moves, (tasks, wanted) => {
        const k = boot(make(), tasks)
        for (const [number, choice] of wanted) {
          const task = task_of(k, number)
          if (task === undefined) break
          const before = view(k.store)
          if (step(k, task, choice) !== 0) expect(view(k.store)).toEqual(before)
          k.store.commit()
        }
      }),
      runs,
    )
  })
})

/** The state after two steps in this order, or null if one of them sleeps. */
function both_orders(k: Kernel, a: [number, number], b: [number, number]): string | null {
  const mark = k.store.mark()
  const slept = step(k, ...a) !== 0 || ended(k, b[0]) || step(k, ...b) !== 0
  const state = slept ? null : JSON.stringify(view(k.store))
  k.store.undo(mark)
  return state
}

function footprint_of(k: Kernel, task: number, choice: number): Footprint {
  const mark = k.store.mark()
  const [, footprint] = noted_step(k, task, choice)
  k.store.undo(mark)
  return footprint
}

test('steps of different tasks whose footprints do not conflict commute', () => {
  let commuted = 0
  fc.assert(
    fc.property(programs, moves, (tasks, wanted) => {
      const k = boot(new FastStore(), tasks)
      for (const [number, choice] of wanted) {
        const task = task_of(k, number)
        if (task === undefined) break
        for (const other of k.store.tasks()) {
          if (other === task) continue
          if (conflict(footprint_of(k, task, choice), footprint_of(k, other, choice))) continue
          const one = both_orders(k, [task, choice], [other, choice])
          expect(both_orders(k, [other, choice], [task, choice])).toBe(one)
          commuted++
        }
        step(k, task, choice)
      }
    }),
    runs,
  )
  expect(commuted).toBeGreaterThan(1000)
})

test('steps that write what another reads conflict', () => {
  const names = (ops: number[][]) => boot(new FastStore(), ops)
  const k = names([
    [1, 0, 5],
    [0, 0, 0],
  ])
  for (const task of [1, 2]) step(k, task)
  expect(conflict(footprint_of(k, 1, 0), footprint_of(k, 2, 0))).toBe(true)
})

/** What a recorder keeps of a state is what the store has, after every step and before it. */
import { expect, it } from 'vitest'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import { run_in_order } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Snapshot } from '../../src/kernel/footprint.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import { step } from '../../src/kernel/machine.js'
import { all_tables } from '../../src/kernel/schema.js'
import { case_system } from '../../src/scenario/case_system.js'
import { Moment, type Rows } from '../../src/trace/record/moment.js'

const rows_of = (state: Rows): object =>
  Object.fromEntries(
    all_tables()
      .map(({ name }) => [name, Object.fromEntries(state.rows(name))] as const)
      .filter(([, rows]) => Object.keys(rows).length > 0),
  )

/** Of every inode, the first dentry of a snapshot that leads to it. */
function dentries_of({ tables }: Snapshot): Map<number, number> {
  const first = new Map<number, number>()
  for (const [id, { d_inode }] of Object.entries(tables.dentry ?? {}))
    if (!first.has(Number(d_inode))) first.set(Number(d_inode), Number(id))
  return first
}

function must_be(state: Rows, snapshot: Snapshot): void {
  expect(rows_of(state)).toEqual(snapshot.tables)
  for (const [ino, id] of dentries_of(snapshot)) expect(state.dentry_of(ino)).toBe(id)
}

it.each([
  ['fast', () => new FastStore()],
  ['reference', () => new ImmerStore()],
])('a moment follows the %s store', (_, make_store) => {
  for (const of of overlay_copy_up.cases.slice(0, 6)) {
    const system = case_system(of)
    const schedule = run_in_order(system.boot(new FastStore()), 2)
    const k = system.boot(make_store())
    k.store.commit()
    const moment = new Moment(k.store)
    let before = k.store.snapshot()
    must_be(moment, before)
    for (const { task, choice } of schedule) {
      k.store.note()
      step(k, task, choice)
      const was = moment.after(k.store.footprint())
      k.store.commit()
      const now = k.store.snapshot()
      must_be(moment, now)
      must_be(was, before)
      before = now
    }
  }
})

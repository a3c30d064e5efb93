import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { in_range, int, table } from '../../src/kernel/schema.js'

const seat = table('lowest_free_seat', { all: { value: int() } })

test('the lowest free number, whatever was made, removed and taken back', () => {
  const act = fc.tuple(fc.constantFrom('make', 'remove', 'mark', 'undo'), fc.nat(7), fc.nat(1))
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const store = new FastStore()
      let taken = new Set<number>()
      const marks: { mark: number; taken: Set<number> }[] = []
      for (const [what, place, range] of acts) {
        const id = in_range(range, place)
        if (what === 'make' && id !== 0 && !taken.has(id)) {
          store.create(seat.info, id, {})
          taken.add(id)
        } else if (what === 'remove' && taken.delete(id)) store.remove(seat.info, id)
        else if (what === 'mark') marks.push({ mark: store.mark(), taken: new Set(taken) })
        else if (what === 'undo' && marks.length > 0) {
          const back = marks.pop()!
          store.undo(back.mark)
          taken = back.taken
        }
        for (const from of [0, 1, 3]) {
          let free = from
          while (taken.has(in_range(range, free))) free++
          expect(store.lowest_free(seat.info, range, from)).toBe(in_range(range, free))
        }
      }
    }),
    { numRuns: 500 },
  )
})

/** Rows that have a flag instead of a key: nobody finds them, and two of them may have the same values. */
import { describe, expect, it } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import { int, str, table } from '../../src/kernel/schema.js'

const leaf = table(
  'test_leaf',
  { name: { above: int(), name: str(), off: int() } },
  { unique: ['above', 'name'], unkeyed: 'off' },
)

describe.each([
  ['fast', () => new FastStore()],
  ['reference', () => new ImmerStore()],
] as const)('on the %s store', (_, make) => {
  const world = () => {
    const k = { store: make(), task: 0 }
    leaf.create(k, { above: 1, name: 'a' })
    leaf.create(k, { above: 1, name: 'b', off: 1 })
    leaf.create(k, { above: 1, name: 'b', off: 1 })
    return k
  }
  const found = (k: ReturnType<typeof world>) => [
    leaf.find(k, 1, 'a')?.id,
    leaf.find(k, 1, 'b')?.id,
    leaf.where(k, 1).map(({ id }) => id),
    leaf.rows(k).map(({ id }) => id),
  ]

  it('they are not found, but they are there', () => {
    expect(found(world())).toEqual([1, undefined, [1], [1, 2, 3]])
  })

  it('with the flag a row leaves its key, to another row too, and without it comes back', () => {
    const k = world()
    leaf(k, 1).off = 1
    expect(found(k)).toEqual([undefined, undefined, [], [1, 2, 3]])
    leaf(k, 2).name = 'a'
    leaf(k, 2).off = 0
    expect(found(k)).toEqual([2, undefined, [2], [1, 2, 3]])
    leaf.remove(k, 3)
    expect(found(k)).toEqual([2, undefined, [2], [1, 2]])
  })

  it('taking back brings the key back', () => {
    const k = world()
    const mark = k.store.mark()
    leaf(k, 1).off = 1
    leaf(k, 3).off = 0
    expect(found(k)).toEqual([undefined, 3, [3], [1, 2, 3]])
    k.store.undo(mark)
    expect(found(k)).toEqual([1, undefined, [1], [1, 2, 3]])
  })

  it('who looks for a key is touched by a row that gets or leaves it, not by one that has none', () => {
    const k = world()
    const touched = (act: () => void) => {
      k.store.note()
      act()
      return k.store
        .footprint()
        .filter(({ row, write }) => write && row.startsWith('='))
        .map(({ row }) => row)
    }
    expect(touched(() => (leaf(k, 2).name = 'c'))).toEqual([])
    expect(touched(() => (leaf(k, 1).off = 1))).toEqual(['=1:a', '=1:*'])
    expect(touched(() => (leaf(k, 2).off = 0))).toEqual(['=1:c', '=1:*'])
    expect(touched(() => leaf.remove(k, 3))).toEqual([])
  })
})

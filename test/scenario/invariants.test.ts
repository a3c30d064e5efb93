/** The machine's own books, where programs run and locks are held. */
import { expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { take } from '../../src/kernel/fn.js'
import type { Frame, Kernel } from '../../src/kernel/kernel.js'
import { step } from '../../src/kernel/machine.js'
import type { Release } from '../../src/kernel/profile.js'
import { case_system } from '../../src/scenario/case_system.js'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { inode, is_reg } from '../../src/vfs/inode.js'
import { inode_rwsem } from '../../src/vfs/lock.js'
import { mm_struct } from '../../src/vfs/memory/mm.js'
import { case_of } from './support.js'

/** One task runs /p, another looks on. */
const boot = (release: Release): Kernel =>
  case_system(
    case_of((s) => {
      s.profile(release)
      const tree = { p: { file: '\x7fELF', mode: 0o755 }, q: { file: 'q' } }
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
      s.task('runner').execve('/p', ['p'], null)
      s.task('other').stat('/q')
    }),
  ).boot(new FastStore())

test.each([
  ['6.11', 0],
  ['6.18', -1],
] as const)(
  'in %s a running program counts as %i writers of its file, and the books agree',
  (release, writers) => {
    const k = boot(release)
    const counts: number[] = []
    while (k.store.depth(1) > 0) {
      step(k, 1)
      expect(broken_invariant(k)).toBeNull()
      const program = mm_struct.rows(k).find(({ exe_file }) => exe_file !== 0)?.exe_file
      if (program !== undefined) counts.push(inode(k, program).i_writecount)
    }
    // While the exec is not over yet it denies writes itself too.
    expect([Math.max(...counts), Math.min(...counts)]).toEqual([writers, 2 * writers])
  },
)

/** Documentation/filesystems/directory-locking.rst: of two that are no directories the order is that of their addresses. */
test('a lock out of its turn is told, of one task, not of two', () => {
  const locked = (...by: readonly (readonly [task: number, place: number])[]) => {
    const k = boot('6.18')
    const files = inode.rows(k).filter(({ i_mode }) => is_reg(i_mode))
    for (const [task, place] of by) {
      files[place]!.i_rwsem = task
      take(k.store.frame(task, 0) as Frame, inode_rwsem, files[place]!.id)
    }
    return broken_invariant(k)?.replaceAll(/inode \d+/g, 'inode')
  }
  expect(locked([1, 0], [1, 1])).toBeUndefined()
  expect(locked([1, 1], [2, 0])).toBeUndefined()
  expect(locked([2, 1], [2, 0])).toBe('task 2: i_rwsem of inode was taken while i_rwsem of inode was held')
  expect(locked([1, 0], [2, 1], [1, 1])).toMatch('is held by task 1')
})

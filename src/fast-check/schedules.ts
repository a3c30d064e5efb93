/** Random schedules: wishes that make a schedule of any system. */
import fc from 'fast-check'
import type { Move, Schedule, System } from '../explore/system.js'
import type { Kernel, Store } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'

/**
 * Which task goes on at each stage, and with which answer, as numbers taken modulo what there is: so every
 * list means something to every system (`follow`), and a shorter list of smaller numbers is a simpler run.
 * Tasks are switched now and then rather than at every stage.
 *
 * @param max_stages no wish is made after so many
 * @param min_stages about as many are made at least
 */
export function schedules(max_stages = 200, min_stages = 0): fc.Arbitrary<readonly number[]> {
  const stretch = fc
    .tuple(fc.nat(5), fc.integer({ min: 1, max: 12 }))
    .map(([wish, length]) => Array.from({ length }, () => wish))
  return fc
    .array(stretch, { minLength: Math.ceil(min_stages / 6), maxLength: Math.ceil(max_stages / 6) })
    .map((stretches) => stretches.flat().slice(0, max_stages))
}

/** Makes the move that a wish stands for, or the next one after it that can be made. @returns null if none can */
function wished(k: Kernel, wish: number): Move | null {
  const tasks = k.store.tasks()
  for (let i = 0; i < tasks.length; i++) {
    const task = tasks[(wish + i) % tasks.length]!
    let choices = 1
    for (let turn = 0; turn < choices; turn++) {
      const choice = (wish + turn) % choices
      const mark = k.store.mark()
      const stepped = step(k, task, choice) === STEPPED
      if (stepped) return { task, choice }
      choices = k.choices
      k.store.undo(mark)
    }
  }
  return null
}

/**
 * Boots a system and lets it go as wished, until the wishes or the moves end.
 *
 * @param watch called after every stage
 * @returns the schedule that was made, for `replay`
 */
export function follow(
  system: System,
  store: Store,
  wishes: readonly number[],
  watch?: (k: Kernel, move: Move) => void,
): Schedule {
  const k = system.boot(store)
  store.commit()
  const made: Move[] = []
  for (const wish of wishes) {
    const move = wished(k, wish)
    if (move === null) break
    store.commit()
    made.push(move)
    watch?.(k, move)
  }
  return made
}

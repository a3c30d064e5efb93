/**
 * The shortest counterexamples by the plainest means, as the judge of `shortest`: breadth first over pairs of
 * the exact serialised state and the running task, every stage yielding, nothing reduced or hashed.
 */
import { count_preemptions } from '../../src/explore/replay.js'
import type { Move, Schedule, System } from '../../src/explore/system.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { STEPPED, step } from '../../src/kernel/machine.js'

interface Node {
  readonly from: Node | null
  readonly move: Move | null
  readonly stages: number
}

function way_to(node: Node): Move[] {
  const moves: Move[] = []
  for (let at: Node | null = node; at?.move; at = at.from) moves.push(at.move)
  return moves.reverse()
}

/** Nodes with as many preemptions, by their number of stages. */
type Level = Node[][]

function put(level: Level, node: Node): void {
  level[node.stages] ??= []
  level[node.stages]!.push(node)
}

/** The moves there are from where the machine stands. */
function moves_from(k: Kernel): Move[] {
  const moves: Move[] = []
  for (const task of k.store.tasks()) {
    for (let choice = 0, choices = 1; choice < choices; choice++) {
      const mark = k.store.mark()
      if (step(k, task, choice) === STEPPED) moves.push({ task, choice })
      choices = k.choices
      k.store.undo(mark)
    }
  }
  return moves
}

class Search {
  private readonly store = new FastStore()
  private readonly k: Kernel
  private readonly seen = new Set<string>()
  private later: Level = []

  constructor(
    system: System,
    private readonly holds: (k: Kernel) => boolean,
  ) {
    this.k = system.boot(this.store)
  }

  run(): Schedule | null {
    put(this.later, { from: null, move: null, stages: 0 })
    while (this.later.length > 0) {
      const level = this.later
      this.later = []
      const found = this.work_off(level)
      if (found !== null) return way_to(found)
    }
    return null
  }

  private work_off(level: Level): Node | null {
    for (let stages = 0; stages < level.length; stages++) {
      for (const node of level[stages] ?? []) {
        const start = this.store.mark()
        for (const { task, choice } of way_to(node)) step(this.k, task, choice)
        const found = this.look(level, node)
        this.store.undo(start)
        if (found) return node
      }
    }
    return null
  }

  /** Whether this is it; if not, what can be reached from here is put down. */
  private look(level: Level, node: Node): boolean {
    const running = node.move?.task ?? 0
    const key = `${running} ${JSON.stringify(this.store.snapshot())}`
    if (this.seen.has(key)) return false
    this.seen.add(key)
    if (this.holds(this.k)) return true
    const moves = moves_from(this.k)
    const goes_on = moves.some(({ task }) => task === running)
    for (const move of moves) {
      const preempts = goes_on && move.task !== running
      put(preempts ? this.later : level, { from: node, move, stages: node.stages + 1 })
    }
    return false
  }
}

/**
 * A counterexample with the fewest preemptions, and of those with the fewest stages.
 *
 * @param holds what is looked for, in every state
 */
export function exact_shortest(system: System, holds: (k: Kernel) => boolean): Schedule | null {
  return new Search(system, holds).run()
}

/** What a schedule costs: preemptions, then stages. */
export function cost(system: System, schedule: Schedule): readonly [number, number] {
  return [count_preemptions(system, new FastStore(), schedule), schedule.length]
}

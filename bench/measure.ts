/**
 * What is measured, each in a process of its own: `node measure.mjs NAME ARGUMENT…` prints one line of JSON. So
 * peak memory is that of one search, and no measurement runs on code that another has warmed up.
 */
import { type DepthFirstOptions, depth_first } from '../src/explore/depth_first.js'
import { judge } from '../src/explore/judge.js'
import { replay, run_in_order } from '../src/explore/replay.js'
import { FastStore } from '../src/kernel/fast_store.js'
import { ImmerStore } from '../src/kernel/immer_store.js'
import type { Store } from '../src/kernel/kernel.js'
import { step } from '../src/kernel/machine.js'
import { case_system } from '../src/scenario/case_system.js'
import { family } from './family.js'

/**
 * What is left out of a search: nothing; orders of local stages; also of those that are found to be local; also who of
 * tasks that are alike is where; also orders of those who meet nobody any more.
 */
export type Reduction = 'none' | 'fused' | 'inferred' | 'symmetric' | 'ordered'
const options_of: Readonly<Record<Reduction, DepthFirstOptions>> = {
  none: { fusion: false, symmetry: false },
  fused: { inferred: false, symmetry: false },
  inferred: { symmetry: false, order: false },
  symmetric: { order: false },
  ordered: {},
}

/** A search of the family. */
export interface SearchFigures {
  readonly complete: boolean
  readonly states: number
  readonly transitions: number
  readonly stages: number
  readonly seconds: number
  /** Processor time of all threads of the process while it searched. */
  readonly cpu_seconds: number
  /** Largest resident set of the process. */
  readonly peak_bytes: number
}

/** Two ways to do the same, in turns; the best time of each. */
export interface RatioFigures {
  /** How often each does it in a second. */
  readonly first: number
  readonly second: number
}

const ROUNDS = 5

const seconds_of = (work: () => void): number => {
  const began = performance.now()
  work()
  return (performance.now() - began) / 1000
}

function search(n: number, reduction: Reduction, max_states: number): SearchFigures {
  const system = case_system(family(n))
  const before = process.cpuUsage()
  const began = performance.now()
  const { complete, states, transitions, stages } = depth_first(system, {
    ...options_of[reduction],
    max_states,
  })
  const seconds = (performance.now() - began) / 1000
  const { user, system: kernel } = process.cpuUsage(before)
  const peak_bytes = process.resourceUsage().maxRSS * 1024
  return { complete, states, transitions, stages, seconds, cpu_seconds: (user + kernel) / 1e6, peak_bytes }
}

/** Runs both in turns, and divides what each did by its best time. */
function in_turns(first: () => number, second: () => number): RatioFigures {
  const best = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, work] of [first, second].entries()) {
      let done = 0
      const seconds = seconds_of(() => {
        done = work()
      })
      best[i] = Math.max(best[i]!, done / seconds)
    }
  }
  return { first: best[0]!, second: best[1]! }
}

/** Stages that a store runs forward and takes back: all tasks of N = 2, one after the other. */
function stepping(make: () => Store, times: number): () => number {
  const system = case_system(family(2))
  const schedule = run_in_order(replay(system, new FastStore(), []))
  return () => {
    const k = system.boot(make())
    for (let i = 0; i < times; i++) {
      const mark = k.store.mark()
      for (const { task, choice } of schedule) step(k, task, choice)
      k.store.undo(mark)
    }
    return schedule.length * times
  }
}

const measurements: Record<string, (...args: string[]) => object> = {
  search: (n, reduction, max_states) => search(Number(n), reduction as Reduction, Number(max_states)),
  stores: () =>
    in_turns(
      stepping(() => new FastStore(), 500),
      stepping(() => new ImmerStore(), 25),
    ),
  keys: () => {
    const system = case_system(family(1))
    return in_turns(
      () => depth_first(system, { fusion: false, symmetry: false }).transitions,
      () => judge(system, new FastStore()).transitions,
    )
  },
  fusion: () => {
    const system = case_system(family(1))
    const complete = (fusion: boolean) => () => {
      depth_first(system, { fusion })
      return 1
    }
    return in_turns(complete(true), complete(false))
  },
}

const [name, ...args] = process.argv.slice(2)
console.log(JSON.stringify(measurements[name!]!(...args)))

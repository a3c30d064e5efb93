/** Short ways to write cases in tests. */

import { run_in_order } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { type Case, type CaseBuilder, make_scenario, type Scenario } from '../../src/scenario/builder.js'
import { type CaseSystem, case_system } from '../../src/scenario/case_system.js'
import { result } from '../../src/scenario/code.js'

/** A scenario of one case. */
export function one_case(build: (s: CaseBuilder) => void): Scenario {
  return make_scenario({ name: 'test', summary: 'a test', build })
}

export const case_of = (build: (s: CaseBuilder) => void): Case => one_case(build).cases[0]!

export interface Ran {
  readonly k: Kernel
  readonly system: CaseSystem
  /** What a named result of a task was; undefined if the program did not come to it. */
  ret(task: string, name: string): number | undefined
  data(task: string, name: string): string | undefined
}

/** Runs the tasks one after another. */
export function run(of: Case): Ran {
  const system = case_system(of)
  const k = system.boot(new FastStore())
  run_in_order(k)
  const row = (task: string, name: string) => {
    const number = system.code.programs.findIndex((program) => program.name === task) + 1
    return result.find(k, number, system.code.programs[number - 1]!.slots.indexOf(name))
  }
  return { k, system, ret: (task, name) => row(task, name)?.ret, data: (task, name) => row(task, name)?.data }
}

/** What a function throws, as a message. */
export function message_of(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

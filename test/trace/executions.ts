/** Counterexamples and runs of the shipped scenarios, as the command line would show them. */
import mapping_size from '../../scenarios/mapping-size.ts'
import overlay_copy_up from '../../scenarios/overlay-copy-up.ts'
import path_or_descriptor from '../../scenarios/path-or-descriptor.ts'
import plain_write from '../../scenarios/plain-write-after-check.ts'
import writer_at_check from '../../scenarios/writer-at-check.ts'
import type { Scenario } from '../../src/index.ts'
import { case_name } from '../../src/scenario/form.ts'
import type { Execution } from '../../src/trace/record/execution.ts'
import { explore_case } from '../../src/verdict/explore_case.ts'

export const scenarios = {
  'mapping-size': mapping_size,
  'overlay-copy-up': overlay_copy_up,
  'path-or-descriptor': path_or_descriptor,
  'plain-write-after-check': plain_write,
  'writer-at-check': writer_at_check,
} as const satisfies Record<string, Scenario>

export function index_of(scenario: Scenario, name: string): number {
  const index = scenario.cases.findIndex(({ form }) => case_name(form) === name)
  if (index < 0) throw new Error(`${scenario.name} has no case ${name}`)
  return index
}

/** The counterexample of a case. */
export function counterexample(scenario: Scenario, name: string): Execution {
  const index = index_of(scenario, name)
  return { scenario, index, explained: explore_case(scenario.cases[index]!).explained! }
}

export const READ_RACE = 'access=read mitigation=none profile=7.2'

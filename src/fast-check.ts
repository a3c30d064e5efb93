/**
 * Arbitraries for property tests with fast-check: random file trees, set-ups, IPE policies, programs, cases,
 * schedules, and arguments that make no sense. What they make is data in the JSON form (docs/scenarios.md),
 * so a failing example can be printed, saved and explored; they shrink to less and simpler data.
 *
 *     import fc from 'fast-check'
 *     import { explore_case } from 'toctoscope'
 *     import { cases } from 'toctoscope/fast-check'
 *
 *     fc.assert(fc.property(cases(), (form) => explore_case(case_of(form)).verdict !== 'deadlock'))
 */
export { type CaseOptions, case_of, cases } from './fast-check/cases.js'
export { garbage, garbage_arguments } from './fast-check/garbage.js'
export { policies } from './fast-check/policies.js'
export { operations, type ProgramOptions, programs } from './fast-check/programs.js'
export { follow, schedules } from './fast-check/schedules.js'
export { type SetupOptions, setups } from './fast-check/setups.js'
export { file_trees, type TreeOptions } from './fast-check/trees.js'
export { FastStore } from './kernel/fast_store.js'
export { case_system } from './scenario/case_system.js'

/** What the test bundles: a scenario arrives as JSON, is searched, and the counterexample is played on both stores. */
import { replay } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_name } from '../../src/scenario/form.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { explore_case } from '../../src/verdict/explore_case.js'

const chosen = ['access=read mitigation=none profile=7.2', 'access=mmap-after mitigation=none profile=7.2']

/** @param json a scenario in its JSON form @returns JSON of what was found in the cases chosen */
export function search_in_browser(json: string): string {
  const reports = scenario_from_form(validate_scenario(JSON.parse(json)))
    .cases.filter(({ form }) => chosen.includes(case_name(form)))
    .map((each) => explore_case(each))
  return JSON.stringify(
    reports.map(({ counterexample, system, whole: _, explained: __, search: ___, ...report }) => {
      const schedule = counterexample?.schedule ?? []
      const [fast, immer] = [new FastStore(), new ImmerStore()].map((store) =>
        replay(system, store, schedule),
      )
      if (fast!.store.hash_lo !== immer!.store.hash_lo) throw new Error('the stores disagree')
      return { ...report, schedule, end: immer!.store.snapshot() }
    }),
  )
}

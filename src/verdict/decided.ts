/**
 * Cases of a scenario often differ in the kernel's release alone. A machine learns of its release by asking for
 * features (`Kernel.has`) and in no other way. So if a search has asked for some features only, and another
 * release has the same answers to these, then the search of the other case would do the same, step by step.
 */
import type { Verdict } from '../explore/decide.js'
import type { Feature } from '../kernel/profile.js'
import type { Case } from '../scenario/builder.js'
import type { CaseSystem } from '../scenario/case_system.js'
import type { CaseForm } from '../scenario/form.js'

interface Decision {
  readonly verdict: Verdict
  /** What was asked for, and what the answer was. */
  readonly asked: ReadonlyMap<Feature, boolean>
}

/** Verdicts of searches with the same bounds, to be asked before another search is begun. */
export class Decided {
  private readonly decisions = new Map<string, Decision[]>()

  /** The verdict on a case, from an equal search if there was one, else by `decide`. */
  of(of: Case, system: CaseSystem, decide: () => Verdict): Verdict {
    // Code of a scenario's own may look at anything.
    if (of.code.modules.size > 0 || of.code.properties.size > 0) return decide()
    const key = JSON.stringify(without_release(of.form))
    const known = this.decisions.get(key) ?? []
    const { features } = system.config.profile
    const equal = known.find(({ asked }) => [...asked].every(([name, had]) => features.has(name) === had))
    if (equal !== undefined) return equal.verdict
    const verdict = decide()
    const asked = new Map([...system.config.asked].map((name) => [name, features.has(name)]))
    // A bound of time or memory is hit at one moment in one search, and at another in the next.
    if (verdict.bounds.length === 0) this.decisions.set(key, [...known, { verdict, asked }])
    return verdict
  }
}

/** All that can matter to a search but the release. */
function without_release({ setup, tasks, properties }: CaseForm): Partial<CaseForm> {
  return { setup: { ...setup, profile: undefined }, tasks, properties }
}

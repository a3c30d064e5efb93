/** `explore --paranoid`: the unreduced search is asked about every case, too. */

import { case_hash } from '../trace/record/token.js'
import { printable } from '../trace/render/printable.js'
import { ask_judge } from '../verdict/judged.js'
import { type BoundOptions, bounds_of, say_bound } from './bounds.js'
import { type Explored, what_is_left } from './explored.js'
import { thousands } from './progress.js'
import type { Terminal } from './terminal.js'

/** What judges said. */
export interface Doubts {
  /** Disagreements. */
  readonly doubts: readonly string[]
  /** Cases of which it said nothing, and why. */
  readonly not_judged: readonly string[]
}

/** Asks the judge about every case that was searched completely, within the time that is left. */
export function ask_judges(explored: readonly Explored[], options: BoundOptions, terminal: Terminal): Doubts {
  const doubts: string[] = []
  const not_judged: string[] = []
  const began = terminal.now()
  const bounds = () => {
    const { now, max_time, interrupted } = bounds_of(what_is_left(options, terminal, began), terminal)
    return { now, max_time, interrupted }
  }
  for (const { loaded, index, report } of explored) {
    if (!report.search.complete) continue
    const of = loaded.cases[index]!
    const name = printable(`${loaded.name} ${report.case}`.trim())
    const { broken, agrees, bound, states } = ask_judge(of, report, bounds, `cases[${index}]`)
    if (broken !== null) doubts.push(`this is a bug in toctoscope: ${name}: ${broken}`)
    if (bound !== null) not_judged.push(`not judged: ${name}: ${say_bound(bound, options)}`)
    else if (agrees !== true)
      doubts.push(
        `this is a bug in toctoscope: search and judge disagree about ${name} (${case_hash(of.form)})`,
      )
    else terminal.err(`judge agrees: ${name}: ${thousands(states)} states without reduction\n`)
  }
  return { doubts, not_judged }
}

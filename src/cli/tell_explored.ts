/** What `explore` and `merge` say at their end, and what they exit with. */
import { printable, printable_json } from '../trace/render/printable.js'
import { verdicts_json } from '../trace/render/verdicts_json.js'
import { type Failed, worst } from './errors.js'
import { exit } from './exit_codes.js'
import { explore_report, type Reported, type ReportOptions, say_unwitnessed } from './explore_report.js'
import type { Judged } from './explored.js'
import type { Terminal } from './terminal.js'

/** A scenario whose cases are judged. */
export interface JudgedScenario {
  readonly of: Reported
  readonly cases: readonly Judged[]
}

/** All that is to be said. */
export interface ToTell {
  /** In the order in which they are told. */
  readonly scenarios: readonly JudgedScenario[]
  /** Each case as JSON has it. */
  readonly documents: () => readonly object[]
  readonly failed: readonly Failed[]
  /** What nobody need worry about. */
  readonly notices?: readonly string[]
  /** Why something is not complete. */
  readonly incomplete: readonly string[]
  /** Bugs. */
  readonly doubts: readonly string[]
  /** Milliseconds that it took. */
  readonly ms: number
}

/**
 * Prints a report on each scenario, or one document of JSON, and then what is to be said beside.
 *
 * @returns the worst exit code
 */
export function tell_explored(
  told: ToTell,
  options: ReportOptions & { readonly json?: boolean },
  terminal: Terminal,
): number {
  const { scenarios, failed, incomplete, doubts } = told
  if (options.json === true) tell_json(told, terminal)
  else {
    for (const { of, cases } of scenarios)
      if (cases.length > 0) terminal.out(explore_report(of, cases, options, terminal, told.ms))
  }
  const beside = [...failed.map(({ text }) => text), ...(told.notices ?? []), ...incomplete, ...doubts]
  for (const each of beside) terminal.err(`toctoscope: ${each}\n`)
  const judged = scenarios.flatMap(({ cases }) => cases)
  return worst([
    exit_code(judged, options),
    ...failed.map(({ code }) => code),
    ...(incomplete.length > 0 ? [exit.incomplete] : []),
    ...(doubts.length > 0 ? [exit.bug] : []),
  ])
}

function tell_json({ scenarios, documents, failed }: ToTell, terminal: Terminal): void {
  terminal.out(`${printable_json(JSON.stringify(verdicts_json(documents(), failed), null, 2))}\n`)
  // The document has no place for it, and the exit code alone says nothing.
  for (const { of, cases } of scenarios) {
    for (const { report } of cases) {
      if (report.unwitnessed !== null)
        terminal.err(`toctoscope: ${printable(`${of.name}: ${say_unwitnessed(report)}`)}\n`)
    }
  }
}

/** 1 if a verdict was not expected, as `unwitnessed` never is; else 4 if a search was not complete; else 0. */
function exit_code(judged: readonly Judged[], { strict }: Pick<ReportOptions, 'strict'>): number {
  const wrong = ({ report }: Judged) =>
    (report.verdict !== 'incomplete' && !report.as_expected) || (strict === true && report.lints.length > 0)
  if (judged.some(wrong)) return exit.unexpected
  return judged.some(({ report }) => report.verdict === 'incomplete') ? exit.incomplete : exit.ok
}

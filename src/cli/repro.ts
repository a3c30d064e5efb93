/** `toctoscope repro`: a C program that plays it on any Linux. */
import { existsSync } from 'node:fs'
import { Player, run_to_end } from '../explore/replay.js'
import type { Schedule } from '../explore/system.js'
import { FastStore } from '../kernel/fast_store.js'
import { OracleError } from '../oracle/agent/play.js'
import {
  call_order,
  equivalent,
  fit_case,
  follow_calls,
  type Machine,
  most_telling,
  policed_run,
} from '../oracle/confirm/confirm.js'
import { kernel_run, NotPlayable, playable_runs } from '../oracle/confirm/stops.js'
import { to_c } from '../oracle/repro/repro.js'
import type { Case } from '../scenario/builder.js'
import { type CaseSystem, case_system } from '../scenario/case_system.js'
import { case_profile } from '../scenario/form.js'
import { execution_of, trace_execution } from '../trace/record/execution.js'
import { decode_token, find_case, looks_like_token } from '../trace/record/token.js'
import { shell_word } from '../trace/render/command.js'
import { to_text } from '../trace/render/text.js'
import { type CaseReport, explore_case } from '../verdict/explore_case.js'
import { without_calls } from '../verdict/removal.js'
import { tidy } from '../verdict/tidy.js'
import type { LoadOptions } from './bounds.js'
import { choose_cases, pattern_of } from './choose_cases.js'
import { LoadError } from './errors.js'
import { exit } from './exit_codes.js'
import { type Loaded, load_scenario, shipped_names } from './load.js'
import type { Terminal } from './terminal.js'
import { write_file } from './write_file.js'

export interface ReproOptions extends LoadOptions {
  output: string
  case?: readonly string[]
}

/** @param what a token, the name of a scenario, or its file */
export async function repro(
  what: string,
  file: string | undefined,
  options: ReproOptions,
  terminal: Terminal,
): Promise<number> {
  const token = looks_like_token(what) && !existsSync(what) ? decode_token(what) : null
  if (token !== null && file === undefined && !shipped_names().includes(token.scenario))
    throw new LoadError(
      `the token is of the scenario ${token.scenario}: give its file too, toctoscope repro TOKEN FILE`,
    )
  const loaded = await load_scenario(token === null ? what : (file ?? token.scenario), options.loadTime)
  const form = { toctoscope: 1 as const, ...loaded, cases: loaded.cases.map((each) => each.form) }
  const chosen =
    token === null
      ? first_counterexample(loaded, options.case ?? [])
      : { index: find_case(token, form), removed: token.removed, schedule: token.schedule }
  const text = program(loaded, chosen)
  if (options.output === '-') terminal.out(text)
  else {
    write_file(options.output, text)
    const binary = options.output.replace(/\.c$/, '') || 'race'
    const [source, made] = [
      shell_word(options.output),
      shell_word(binary.includes('/') ? binary : `./${binary}`),
    ]
    terminal.err(
      `${options.output}: ${loaded.name} ${pattern_of(loaded, chosen.index)}\n  cc -Wall -Wextra -Werror -O2 ${source} -o ${shell_word(binary)} && ${made}\n`,
    )
  }
  return exit.ok
}

interface Chosen {
  readonly index: number
  readonly removed: ReturnType<typeof decode_token>['removed']
  /** Null: what the case claims. */
  readonly schedule: Schedule | null
}

/** The first case that fails; the first of all where none does. */
function first_counterexample(loaded: Loaded, patterns: readonly string[]): Chosen {
  const chosen = choose_cases(loaded, patterns)
  const failing = chosen.find((at) => {
    const { fitted } = fit_anywhere(loaded.cases[at]!)
    return fitted.unplayable === null && explored(fitted.policed ?? fitted.of).found !== null
  })
  return { index: failing ?? chosen[0]!, removed: [], schedule: null }
}

/** A case with all its calls: a reader of the program has the scenario beside it. */
const explored = (of: Case): CaseReport => explore_case(of, { remove_calls: false })

/** As any kernel of the case's profile would have it, without policies. */
function fit_anywhere(of: Case) {
  const profile = case_profile(of.form).split('+')[0]!
  const machine: Machine = { release: profile, profile, modules: null, privilege: 'root' }
  return { fitted: fit_case(of, machine), profile }
}

function program(loaded: Loaded, { index, removed, schedule }: Chosen): string {
  const whole = loaded.cases[index]!
  const of =
    removed.length === 0 ? whole : without_calls(whole, removed, case_system(whole, `cases[${index}]`))
  const { fitted } = fit_anywhere(of)
  if (fitted.unplayable !== null) throw new OracleError('kernel', fitted.unplayable)
  const system = case_system(fitted.of)
  const played = between_calls(
    system,
    schedule === null ? claimed(system, fitted) : known(of, system, schedule),
  )
  const run = kernel_run(system, played)
  const { name, summary } = loaded
  const as_played = { name, summary, cases: [fitted.of] }
  const trace = trace_execution(execution_of({ removed: [], schedule: played }, as_played, 0))
  const text = to_text({ ...trace, token: null }, { color: false })
  const notes = fitted.unconfirmed.map((each) => `Not in this program: ${each.split(':')[0]}.`)
  return to_c(run, [...text.trimEnd().split('\n'), '', ...new Set(notes)])
}

/** What shows the case's verdict. */
function claimed(system: CaseSystem, { of, policed }: ReturnType<typeof fit_anywhere>['fitted']): Schedule {
  if (policed !== null) {
    const { run } = policed_run(system, policed)
    if (run !== undefined) return run.schedule
  }
  const { explained } = explored(of)
  if (explained !== null) return run_to_end(system, () => new FastStore(), explained.schedule)
  const run = most_telling(playable_runs(system, { stops: false, limit: 1000 }))
  if (run === undefined) throw new OracleError('kernel', 'no run of this case comes to its end')
  return run.schedule
}

/** The schedule of a token, without the policies that the case may have. */
function known(of: Case, system: CaseSystem, schedule: Schedule): Schedule {
  const own = case_system(of)
  const whole = run_to_end(own, () => new FastStore(), tidy(new Player(own), schedule))
  const followed = follow_calls(system, call_order(own, whole))
  return followed ?? whole
}

/** A schedule with the same results whose switches lie between calls. */
function between_calls(system: CaseSystem, schedule: Schedule): Schedule {
  try {
    const { steps } = kernel_run(system, schedule)
    if (steps.every(({ kind }) => kind === 'call')) return schedule
  } catch (error) {
    if (!(error instanceof NotPlayable)) throw error
  }
  const twin = equivalent(system, schedule, false)
  if (twin !== undefined) return twin.schedule
  throw new OracleError(
    'kernel',
    'this race needs a switch inside a call, which a plain C program cannot force; "toctoscope confirm" plays it where the kernel can be stopped',
  )
}

/** `toctoscope confirm`: the kernel of this machine plays it, and is compared with the model, step by step. */

import { existsSync } from 'node:fs'
import { syscall_named } from '../kernel/syscall.js'
import { Agent } from '../oracle/agent/agent.js'
import type { Answer } from '../oracle/agent/play.js'
import {
  type Claim,
  type Confirmation,
  confirm_case,
  confirm_schedule,
  type Fitted,
  fit_case,
  type Machine,
  machine_of,
  type Observed,
} from '../oracle/confirm/confirm.js'
import { type PlayStep, said_stop, stopped_by } from '../oracle/confirm/stops.js'
import { case_system } from '../scenario/case_system.js'
import type { ScenarioError } from '../scenario/error.js'
import { case_profile } from '../scenario/form.js'
import { quote, show_address } from '../scenario/strace.js'
import { case_hash, decode_token, find_case, looks_like_token } from '../trace/record/token.js'
import { command } from '../trace/render/command.js'
import { count, cut, pad, type Theme, theme, width_of, wrap } from '../trace/render/layout.js'
import { printable } from '../trace/render/printable.js'
import { without_calls } from '../verdict/removal.js'
import { type BoundOptions, bounds_of, type LoadOptions } from './bounds.js'
import { case_words, choose_cases, parameters, pattern_of } from './choose_cases.js'
import { LoadError } from './errors.js'
import { exit } from './exit_codes.js'
import { about, type Loaded, load_scenario, shipped_names } from './load.js'
import type { Terminal } from './terminal.js'

export interface ConfirmCommandOptions extends BoundOptions, LoadOptions {
  case?: readonly string[]
  /** Every step of every case. */
  all?: boolean
}

/** Cases that are one and the same to this kernel. */
interface Group {
  readonly fitted: Fitted
  readonly indices: readonly number[]
}

interface Put extends Group {
  /** Null where it cannot be played. */
  readonly result: Confirmation | null
}

/** @param what a token, the name of a scenario, or its file */
export async function confirm(
  what: string,
  file: string | undefined,
  options: ConfirmCommandOptions,
  terminal: Terminal,
): Promise<number> {
  const token = looks_like_token(what) && !existsSync(what) ? decode_token(what) : null
  if (token !== null && file === undefined && !shipped_names().includes(token.scenario)) {
    const help = 'give its file too, toctoscope confirm TOKEN FILE'
    throw new LoadError(
      `the token is of the scenario ${token.scenario}, which is not among the shipped ones: ${help}`,
    )
  }
  const loaded = await load_scenario(token === null ? what : (file ?? token.scenario), options.loadTime)
  const agent = await Agent.start()
  try {
    const machine = await machine_of(agent)
    const report = new Report(loaded, machine, terminal, options.all === true)
    const put =
      token === null
        ? await put_cases(agent, loaded, machine, options, terminal)
        : [await put_token(agent, loaded, machine, token)]
    terminal.out(report.text(put))
    const interrupted = terminal.interrupted?.() === true
    if (interrupted) terminal.err('toctoscope: interrupted: this is what there is\n')
    if (put.some(({ result }) => result !== null && differs(result))) return exit.disagreement
    if (interrupted) return exit.incomplete
    const lacking = put.every(({ fitted }) => fitted.unplayable !== null && fitted.needs_root)
    return lacking ? exit.lacking : exit.ok
  } finally {
    agent.close()
  }
}

const differs = ({ claims, differing }: Confirmation): boolean =>
  differing.length > 0 || claims.some(({ standing }) => standing === 'differs')

function group_cases(loaded: Loaded, chosen: readonly number[], machine: Machine): Group[] {
  const groups = new Map<string, { fitted: Fitted; indices: number[] }>()
  for (const index of chosen) {
    const of = loaded.cases[index]!
    const fitted = fit_case(of, machine)
    const { params: _, ...form } = fitted.of.form
    const policed = fitted.policed === null ? '' : case_hash({ ...fitted.policed.form, params: {} })
    // What code does may depend on the parameters, whatever its source says.
    const of_its_own = of.code.modules.size + of.code.properties.size > 0 ? index : ''
    const key = `${case_hash(form)} ${policed} ${fitted.unplayable ?? ''} ${of_its_own}`
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { fitted, indices: [index] })
    else known.indices.push(index)
  }
  return [...groups.values()]
}

async function put_cases(
  agent: Agent,
  loaded: Loaded,
  machine: Machine,
  options: ConfirmCommandOptions,
  terminal: Terminal,
): Promise<Put[]> {
  const groups = group_cases(loaded, choose_cases(loaded, options.case ?? []), machine)
  const put: Put[] = []
  const played = new Set<string>()
  for (const [at, group] of groups.entries()) {
    if (terminal.interactive)
      terminal.err(`\r\x1b[K${at + 1}/${groups.length} ${pattern_of(loaded, group.indices[0]!)}`)
    const { fitted } = group
    // Cases that differ in their policy alone are the same runs to this kernel.
    const runs = case_hash({ ...fitted.of.form, params: {} })
    const playing = { ...bounds_of(options, terminal), ...(played.has(runs) ? { most_runs: 0 } : {}) }
    played.add(runs)
    const result = fitted.unplayable === null ? await confirm_case(agent, fitted, playing) : null
    // What was being played is not whole, and says nothing.
    if (terminal.interrupted?.() === true) break
    put.push({ ...group, result })
  }
  if (terminal.interactive) terminal.err('\r\x1b[K')
  return put
}

async function put_token(
  agent: Agent,
  loaded: Loaded,
  machine: Machine,
  token: ReturnType<typeof decode_token>,
): Promise<Put> {
  const index = find_case(token, { toctoscope: 1, ...loaded, cases: loaded.cases.map(({ form }) => form) })
  const of = loaded.cases[index]!
  const whole = case_system(of, `cases[${index}]`)
  const reduced = token.removed.length === 0 ? of : without_calls(of, token.removed, whole)
  const fitted = fit_case(reduced, machine)
  const group = { fitted, indices: [index] }
  if (fitted.unplayable !== null) return { ...group, result: null }
  const system = about(loaded, () => case_system(fitted.of, `cases[${index}]`))
  try {
    const claim = await confirm_schedule(agent, system, token.schedule, 'the execution of the token')
    return { ...group, result: { claims: [claim], runs: 0, stopped_runs: 0, differing: [], bounded: false } }
  } catch (error) {
    if ((error as Error).name === 'ScenarioError') throw error as ScenarioError
    throw new LoadError(
      `with the profile and modules of this kernel the schedule is another: ${(error as Error).message}`,
    )
  }
}

// --- the report ------------------------------------------------------------------------------------------------------

class Report {
  private readonly theme: Theme
  private readonly lines: string[] = []

  constructor(
    private readonly loaded: Loaded,
    private readonly machine: Machine,
    private readonly terminal: Terminal,
    private readonly all: boolean,
  ) {
    this.theme = theme(terminal.color)
  }

  text(put: readonly Put[]): string {
    const { release, profile, modules, privilege } = this.machine
    const who = privilege === 'root' ? 'root' : 'a user namespace'
    this.say(this.theme.strong(printable(this.loaded.name)))
    this.wrapped(
      `Linux ${release}, played as ${who}; predicted with profile ${profile}, security modules ${modules?.join(', ') ?? 'unknown'}`,
    )
    const shown = new Set<string>()
    for (const each of put) this.group(each, shown)
    this.unconfirmed(put)
    this.end(put)
    return `${this.lines.join('\n')}\n`
  }

  private say(line = ''): void {
    this.lines.push(line)
  }

  private wrapped(text: string, hanging = 0): void {
    for (const line of wrap(printable(text), this.terminal.width, hanging)) this.say(line)
  }

  /** `access=read mitigation=none profile=6.18,7.2` */
  private name({ indices }: Group): string {
    const all = parameters(this.loaded)
    const parts = [...all].map(([name, values]) => {
      const here = new Set(indices.map((index) => String(this.loaded.cases[index]!.form.params?.[name])))
      return here.size > 1 && here.size === values.length ? null : `${name}=${[...here].join(',')}`
    })
    return printable(parts.filter((part) => part !== null).join(' ')) || '(one case)'
  }

  private group(put: Put, shown: Set<string>): void {
    const { result } = put
    if (result === null) return
    this.say()
    this.say(this.theme.strong(cut(this.name(put), this.terminal.width)))
    for (const claim of result.claims) this.claim(put, claim, shown)
    if (result.runs > 0) this.runs(result)
    for (const each of result.differing.slice(0, 1)) this.table(each)
  }

  private runs({ runs, stopped_runs, differing, bounded }: Confirmation): void {
    const stopped = stopped_runs === 0 ? '' : `, ${stopped_runs} of them with stops inside calls`
    const outcome = differing.length === 0 ? 'all as predicted' : `${differing.length} NOT as predicted`
    const more = bounded ? '; there are more than were looked for' : ''
    this.wrapped(`  and ${count(runs, 'run')} in other orders${stopped}: ${outcome}${more}`, 2)
  }

  private claim(put: Put, { text, standing, note, shown: observed }: Claim, shown: Set<string>): void {
    const style = { confirmed: this.theme.good, differs: this.theme.bad, unconfirmed: this.theme.note }[
      standing
    ]
    this.say(`  ${style(printable(`${standing === 'differs' ? 'DIFFERS' : standing}: ${text}`))}`)
    if (note !== null) this.wrapped(`    ${note}`, 2)
    const first = Object.values(this.loaded.cases[put.indices[0]!]!.form.params ?? {})[0]
    const key = `${String(first)} ${text}`
    if (observed === null || (standing === 'confirmed' && shown.has(key) && !this.all)) return
    shown.add(key)
    this.table(observed)
  }

  private table({ run, answers, differences }: Observed): void {
    const name_of = (task: number) => printable(run.names.get(task) ?? String(task))
    const task = Math.min(Math.max(...[...run.names.keys()].map((each) => width_of(name_of(each))), 4), 14)
    const answer = 20
    const call = this.terminal.width - task - 2 * answer - 11
    const row = (n: string, who: string, what: string, predicted: string, observed: string) =>
      `  ${n.padStart(3)}  ${pad(cut(who, task), task)}  ${pad(cut(what, call), call)}  ${pad(cut(predicted, answer - 1), answer)}${cut(observed, answer)}`
    this.say(this.theme.dim(row('', 'task', 'call', 'predicted', 'observed').trimEnd()))
    for (const [i, step] of run.steps.entries()) {
      const different = differences.find((each) => each.call === step.call && step.kind !== 'stop')
      const predicted = step.kind === 'stop' ? { stopped: true as const } : run.predicted[step.call]!
      const line = row(
        String(i + 1),
        name_of(step.task),
        said_step(step),
        said_answer(predicted, step, run.play.calls[step.call]!.call),
        said_answer(answers[i] ?? {}, step, run.play.calls[step.call]!.call),
      ).trimEnd()
      this.say(different === undefined ? line : this.theme.bad(line))
      if (different !== undefined) this.say(this.theme.bad(`       ✗ they differ in ${different.what}`))
      for (const { text } of run.notes.filter(({ after }) => after === i))
        this.say(
          `       ${' '.repeat(task)}${this.theme.note(cut(printable(text), this.terminal.width - task - 7))}`,
        )
    }
  }

  /** What this kernel does not judge, each with the cases that it is about. */
  private unconfirmed(put: readonly Put[]): void {
    const reasons = new Map<string, Put[]>()
    for (const each of put) {
      const { unplayable, unconfirmed } = each.fitted
      const all = unplayable === null ? unconfirmed : [`not played: ${unplayable}`]
      for (const reason of all) reasons.set(reason, [...(reasons.get(reason) ?? []), each])
    }
    if (reasons.size === 0) return
    this.say()
    this.say(this.theme.note('Unconfirmed: this kernel cannot judge'))
    for (const [reason, of] of reasons) {
      const cases = of.reduce((sum, { indices }) => sum + indices.length, 0)
      const all = this.loaded.cases.length
      this.wrapped(`  - ${reason} (${cases === all ? 'every case' : count(cases, 'case')})`, 2)
    }
  }

  /** A case of a profile that this kernel has not: what is confirmed is what this kernel's own profile says. */
  private is_elsewhere(index: number): boolean {
    return case_profile(this.loaded.cases[index]!.form).split('+')[0] !== this.machine.profile
  }

  private end(put: readonly Put[]): void {
    const claims = put.flatMap(({ result }) => result?.claims ?? [])
    const of = (standing: Claim['standing']) => claims.filter((each) => each.standing === standing).length
    const runs = put.reduce((sum, { result }) => sum + (result?.runs ?? 0), 0)
    const differing = put.reduce((sum, { result }) => sum + (result?.differing.length ?? 0), 0)
    const unplayed = put.filter(({ result }) => result === null).length
    const elsewhere = put
      .filter(({ indices }) => indices.every((index) => this.is_elsewhere(index)))
      .flatMap(({ result }) => result?.claims ?? [])
      .filter(({ standing }) => standing === 'confirmed').length
    const apart =
      elsewhere === 0
        ? ''
        : ` (of these ${elsewhere} of other profiles, as this kernel's ${this.machine.profile} has them)`
    this.say()
    this.wrapped(
      [
        `${of('confirmed')} confirmed${apart}, ${of('differs')} differ, ${of('unconfirmed') + unplayed} unconfirmed`,
        ...(runs > 0 ? [`${count(runs, 'other run')} played, ${differing} differ`] : []),
      ].join('; '),
    )
    this.say()
    const index = put[0]?.indices[0] ?? 0
    this.say('Every step of every case: add --all. As the model has it:')
    this.say(`  ${command('explore', ...case_words(this.loaded, index))}`)
  }
}

function said_step({ kind, text, stop }: PlayStep): string {
  if (kind === 'go') return `… ${text.split('(')[0]} goes on`
  return kind === 'stop' ? `${text.split('(')[0]}(…) stops ${said_stop[stop!]}` : text
}

/** An answer in a few columns. */
function said_answer(answer: Answer, step: PlayStep, call: string): string {
  if (answer.stopped) return stopped_by[step.stop!]
  if (answer.errno !== undefined) return `-1 ${answer.errno}`
  if (answer.signal !== undefined) return answer.signal
  if (answer.exec) return 'runs it'
  if (answer.dead) return 'ends'
  if (answer.blocked) return 'blocks'
  if (answer.fields?.st_size !== undefined) return `0 st_size=${answer.fields.st_size}`
  if (syscall_named(call)?.returns === 'address' && answer.ret !== undefined) return 'an address'
  if (answer.data !== undefined) return `${show_address(answer.ret!)} ${quote(answer.data, 60)}`
  return answer.ret === undefined ? '?' : show_address(answer.ret)
}

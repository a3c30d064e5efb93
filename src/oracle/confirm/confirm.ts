/**
 * Puts the cases of a scenario to the kernel of this machine. The model predicts with that kernel's profile and
 * without the policies that it does not have; then the kernel plays the counterexample, or runs that must be
 * safe, and every answer is compared. What this kernel cannot judge is said, and never counted as confirmed.
 */
import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { ReplayError, replay, run_to_end } from '../../explore/replay.js'
import type { Bounds, Schedule } from '../../explore/system.js'
import { FastStore } from '../../kernel/fast_store.js'
import { STEPPED, step } from '../../kernel/machine.js'
import { type Feature, release_names } from '../../kernel/profile.js'
import { mutable_lsms } from '../../model.js'
import type { Case } from '../../scenario/builder.js'
import { type CaseSystem, case_system } from '../../scenario/case_system.js'
import {
  type CaseForm,
  case_profile,
  type FileSystemForm,
  type LsmForm,
  type SetupForm,
  type TreeForm,
} from '../../scenario/form.js'
import { parse_profile } from '../../scenario/setup.js'
import { explore_case } from '../../verdict/explore_case.js'
import type { Agent } from '../agent/agent.js'
import { type Answer, OracleError } from '../agent/play.js'
import { needs_root as what_needs_root } from '../agent/privilege.js'
import { with_real_programs } from '../agent/real_programs.js'
import { check_case } from '../agent/stage.js'
import { compare, type Difference } from '../conform/compare.js'
import {
  encode_run,
  type KernelRun,
  kernel_run,
  NotPlayable,
  type Playable,
  playable_runs,
  stopped_by,
} from './stops.js'

// --- the machine -------------------------------------------------------------------------------------------------

export interface Machine {
  /** As `uname -r` says it. */
  readonly release: string
  /** The nearest profile that is not newer. */
  readonly profile: string
  /** Names of the active security modules; null where the kernel does not tell. */
  readonly modules: readonly string[] | null
  readonly privilege: Agent['privilege']
}

/** include/uapi/linux/lsm.h: LSM_ID_CAPABILITY and what follows it. */
const module_names =
  'capability selinux smack tomoyo apparmor yama loadpin safesetid lockdown bpf landlock ima evm ipe'.split(
    ' ',
  )
const FIRST_MODULE = 100

/** What the kernel of this machine is. @throws OracleError `kernel` where no profile is as old as it */
export async function machine_of(agent: Agent): Promise<Machine> {
  const [answer] = await agent.request('lsm\nend\n')
  const modules =
    answer?.data === undefined
      ? null
      : answer.data.split(',').map((id) => module_names[Number(id) - FIRST_MODULE] ?? `module ${id}`)
  return { release: release(), profile: profile_for(release()), modules, privilege: agent.privilege }
}

const version = (text: string): number => {
  const [major = 0, minor = 0] = text.split(/[^0-9]+/).map(Number)
  return major * 1000 + minor
}

/** The profile that predicts for a release. @throws OracleError `kernel` */
export function profile_for(running: string): string {
  const found = [...release_names].reverse().find((name) => version(name) <= version(running))
  if (found === undefined)
    throw new OracleError(
      'kernel',
      `this is Linux ${running}, and the oldest kernel that is modelled is ${release_names[0]}`,
    )
  return found
}

/**
 * What the profile must say of the machine besides: whether its processor has protection keys, which the kernel
 * uses for memory that may only be executed; and whether links of others are followed in sticky directories.
 */
function machine_features(): string {
  const has_pkeys = existsSync('/proc/cpuinfo') && /\bospke\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
  const sysctl = '/proc/sys/fs/protected_symlinks'
  const protects_symlinks = existsSync(sysctl) && readFileSync(sysctl, 'utf8').trim() === '1'
  return `${has_pkeys ? '+pkeys' : ''}${protects_symlinks ? '+protected_symlinks' : ''}`
}

/** The profile that predicts for the kernel of this machine. @throws OracleError `kernel` */
export const running_profile = (): string => `${profile_for(release())}${machine_features()}`

// --- a case as this kernel can run it --------------------------------------------------------------------------------

export interface Fitted {
  readonly of: Case
  /** The same with the scenario's policies; null where it has none. What it claims can be played where they allow everything. */
  readonly policed: Case | null
  /** What of the case this kernel does not judge. */
  readonly unconfirmed: readonly string[]
  /** Why it cannot be played at all; null where it can. */
  readonly unplayable: string | null
  /** It could be played as root. */
  readonly needs_root: boolean
}

/**
 * The case with the running kernel's profile, and without what that kernel lacks.
 *
 * @throws HostRefused, ScenarioError where playing it would reach the host
 */
export function fit_case(of: Case, machine: Machine): Fitted {
  check_case(of.form)
  const form = with_real_programs(of.form)
  const unconfirmed: string[] = []
  if (form !== of.form) unconfirmed.push('a file that only begins as an ELF does: played as a whole program')
  const setup = form.setup ?? {}
  const { profile: _, lsm, ...rest } = setup
  unconfirmed.push(...what_modules_judge(lsm ?? {}, machine))
  for (const { name } of lsm?.rules ?? [])
    unconfirmed.push(`the rules of ${name}: no module of a real kernel`)
  for (const { code } of lsm?.modules ?? [])
    unconfirmed.push(`the module ${code}: it is code of the scenario`)
  const properties = form.properties?.filter((each) => each !== 'policy')
  if (properties?.length !== form.properties?.length)
    unconfirmed.push('the property policy: without a policy there is nothing to judge by')
  const filesystems = Object.fromEntries(
    Object.entries(setup.filesystems ?? {}).map(([name, fs]) => [
      name,
      fit_file_system(name, fs, setup, unconfirmed),
    ]),
  )
  const fitted: CaseForm = {
    ...form,
    profile: machine.profile,
    setup: { ...rest, filesystems },
    ...(properties === undefined ? {} : { properties }),
    expect: undefined,
  }
  const policed = lsm === undefined ? null : { ...of, form: with_policies(form, fitted, machine) }
  const root = machine.privilege === 'root' ? null : what_needs_root(form)
  const unplayable = why_not(form, setup) ?? (root === null ? null : `needs root: ${root}`)
  const built_again = of.again
  if (built_again === undefined)
    return { of: { ...of, form: fitted }, policed, unconfirmed, unplayable, needs_root: root !== null }
  const again = () => fit_case(built_again(), machine)
  return {
    of: { ...of, form: fitted, again: () => again().of },
    policed: policed === null ? null : { ...policed, again: () => again().policed! },
    unconfirmed,
    unplayable,
    needs_root: root !== null,
  }
}

/** The kernel's modules of a set-up: this kernel does not judge by what they are told. */
function what_modules_judge(lsm: LsmForm, machine: Machine): string[] {
  return mutable_lsms().flatMap(({ name, in_kernels, idle_without }) => {
    const options = lsm[name]
    if (options === undefined || (idle_without !== undefined && options[idle_without] === undefined))
      return []
    return [in_kernels ? said_policy(name, machine) : `the module ${name}: no kernel has it`]
  })
}

/** The running kernel's profile, but with the case's own of what is about a module alone. */
function with_policies(form: CaseForm, fitted: CaseForm, machine: Machine): CaseForm {
  const own = parse_profile(case_profile(form), 'profile').features
  const here = parse_profile(machine.profile, 'profile').features
  const of_modules = mutable_lsms().flatMap(({ features = {} }) => Object.keys(features) as Feature[])
  const changes = of_modules
    .filter((name) => own.has(name) !== here.has(name))
    .map((name) => (own.has(name) ? `+${name}` : `+-${name}`))
  const { lsm, filesystems } = form.setup ?? {}
  return {
    ...fitted,
    profile: `${machine.profile}${changes.join('')}`,
    setup: { ...fitted.setup, filesystems, lsm },
  }
}

function said_policy(name: string, { modules, release }: Machine): string {
  if (modules === null)
    return `the policy of ${name}: which modules are active, Linux ${release} does not tell`
  if (!modules.includes(name))
    return `the policy of ${name}: not among the active modules (${modules.join(', ')})`
  return `the policy of ${name}: this kernel has its own policy, not the scenario's`
}

function fit_file_system(
  name: string,
  fs: FileSystemForm,
  setup: SetupForm,
  unconfirmed: string[],
): FileSystemForm {
  const { dmverity, initramfs, ...rest } = fs
  if (dmverity !== undefined) unconfirmed.push(`dm-verity below ${name}: played as a read-only tmpfs`)
  else if (fs.type === 'erofs') unconfirmed.push(`the erofs image ${name}: played as a read-only tmpfs`)
  if (initramfs === true) unconfirmed.push(`${name} as the initramfs`)
  if (fs.type === 'ext4') unconfirmed.push(`ext4 below ${name}: played as a tmpfs`)
  if (!has_verity(fs.tree)) return played_as(rest, dmverity !== undefined)
  if (only_lower(name, setup))
    unconfirmed.push(`fs-verity of files of ${name}: a lower layer, played without`)
  return played_as({ ...rest, tree: without_verity(fs.tree ?? {}) }, dmverity !== undefined)
}

/** An image is a read-only tmpfs to the agent; the model takes the image, which is not written to either. */
function played_as(fs: FileSystemForm, on_verity: boolean): FileSystemForm {
  return on_verity ? { ...fs, read_only: true } : fs
}

function has_verity(tree: TreeForm = {}): boolean {
  return Object.values(tree).some((node) => {
    if (typeof node === 'string') return false
    if ('dir' in node) return has_verity(node.dir)
    return 'verity' in node && node.verity !== undefined
  })
}

function without_verity(tree: TreeForm): TreeForm {
  return Object.fromEntries(
    Object.entries(tree).map(([name, node]) => {
      if (typeof node === 'string') return [name, node]
      if ('dir' in node) return [name, { ...node, dir: without_verity(node.dir) }]
      if (!('verity' in node)) return [name, node]
      const { verity: _, ...rest } = node
      return [name, rest]
    }),
  )
}

/** Nobody reaches the file system but through an overlay that has it as a lower layer. */
function only_lower(name: string, { mounts = [] }: SetupForm): boolean {
  const of = (layer: string | undefined) => layer?.split(':')[0]
  return mounts.every((each) => {
    if ('filesystem' in each) return each.filesystem !== name
    return !('overlay' in each) || of(each.overlay.upper) !== name
  })
}

function why_not(form: CaseForm, setup: SetupForm): string | null {
  const [, ...changes] = case_profile(form).split('+')
  if (changes.length > 0) return `no kernel has ${changes.join(' and ')}`
  for (const [name, fs] of Object.entries(setup.filesystems ?? {}))
    if (has_verity(fs.tree) && !only_lower(name, setup))
      return `a tmpfs has no fs-verity, and files of ${name} have it`
  return null
}

// --- what is played ----------------------------------------------------------------------------------------------------

/** A run beside the kernel's answers. */
export interface Observed {
  readonly run: KernelRun
  /** One per step. */
  readonly answers: readonly Answer[]
  readonly differences: readonly Difference[]
  /** The kernel did not stop where it was to: nothing is known then. */
  readonly did_not_stop: string | null
}

/** Milliseconds after which a kernel that has not answered to a run is given up. */
const PATIENCE = 30_000

async function in_time<T>(agent: Agent, answers: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      agent.close()
      reject(new OracleError('agent', `a run has not ended within ${PATIENCE / 1000} s; it was killed`))
    }, PATIENCE)
  })
  try {
    return await Promise.race([answers, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Plays a run. @throws SetupRefused, OracleError */
export async function observe(agent: Agent, run: KernelRun): Promise<Observed> {
  const answers = await in_time(agent, agent.request(encode_run(run)))
  const missed = run.steps.find(({ kind }, i) => kind === 'stop' && answers[i]?.stopped !== true)
  if (missed !== undefined) {
    const did_not_stop = `${missed.text} did not stop (${stopped_by[missed.stop!]})`
    return { run, answers, differences: [], did_not_stop }
  }
  const of_call = run.play.calls.map((_, call) => {
    const at = run.steps.findIndex((each) => each.call === call && each.kind !== 'stop')
    return answers[at] ?? {}
  })
  return { run, answers, differences: compare(run.play, run.predicted, of_call), did_not_stop: null }
}

/** One thing that a case claims, and how the kernel answered. */
export interface Claim {
  /** `race check-use`, `safe`, `reached the writer came inside the check`. */
  readonly text: string
  readonly standing: 'confirmed' | 'differs' | 'unconfirmed'
  /** Why it is unconfirmed, or how it was played where that is not as the search found it. */
  readonly note: string | null
  readonly shown: Observed | null
}

export interface Confirmation {
  readonly claims: readonly Claim[]
  /** Runs that were played besides, and those among them that differ. */
  readonly runs: number
  readonly stopped_runs: number
  readonly differing: readonly Observed[]
  /** The searches ended at their bounds: there are more runs. */
  readonly bounded: boolean
}

export interface ConfirmOptions extends Bounds {
  /** Runs of a case that are played besides those that are shown. */
  readonly most_runs?: number
}

const MOST_RUNS = 24
const MOST_FOUND = 1000

/** Explores a fitted case and puts what it claims to the kernel. @throws OracleError, ScenarioError, SetupRefused */
export async function confirm_case(
  agent: Agent,
  { of, policed }: Fitted,
  options: ConfirmOptions = {},
): Promise<Confirmation> {
  const whole = case_system(of)
  if (policed !== null) {
    const claims = [await confirm_policed(agent, whole, policed, options)]
    const most = options.most_runs ?? MOST_RUNS
    const { interrupted } = options
    const grain = { stops: agent.privilege === 'root', limit: MOST_FOUND, interrupted }
    const runs = most === 0 ? [] : playable_runs(whole, grain)
    const rest = await play_rest(agent, whole, runs, most, interrupted)
    return { claims, ...rest, bounded: runs.length >= MOST_FOUND }
  }
  const report = explore_case(of, options)
  const stops = agent.privilege === 'root'
  const { interrupted } = options
  const runs = playable_runs(whole, { stops, limit: MOST_FOUND, interrupted })
  const claims: Claim[] = []
  const told = report.property === null ? report.verdict : `${report.verdict}: ${report.property}`
  if (report.verdict === 'incomplete')
    claims.push({ text: told, standing: 'unconfirmed', note: 'the search hit a bound', shown: null })
  else if (report.verdict === 'unwitnessed')
    claims.push({ text: 'not witnessed', standing: 'unconfirmed', note: report.unwitnessed, shown: null })
  else if (report.verdict === 'deadlock')
    claims.push({
      text: told,
      standing: 'unconfirmed',
      note: 'no kernel is driven into a deadlock',
      shown: null,
    })
  else if (report.explained !== null) {
    const { system, schedule } = report.explained
    claims.push(await confirm_schedule(agent, system, schedule, told))
  } else claims.push(...(await confirm_safe(agent, whole, runs, report.unreached)))
  const rest = await play_rest(agent, whole, runs, options.most_runs ?? MOST_RUNS, interrupted)
  return { claims, ...rest, bounded: runs.length >= MOST_FOUND }
}

/**
 * What a case claims with its policies, in a run in which they allow everything: then a kernel without them must
 * answer the same.
 */
async function confirm_policed(
  agent: Agent,
  fitted: CaseSystem,
  policed: Case,
  options: ConfirmOptions,
): Promise<Claim> {
  const { text, run } = policed_run(fitted, policed, {
    ...options,
    stops: agent.privilege === 'root',
  })
  if (run === undefined) {
    const note = 'no run that can be played shows it without the policy saying no'
    return { text, standing: 'unconfirmed', note, shown: null }
  }
  const note = 'the policy part is unconfirmed; in this run the policy allows everything'
  return claim(text, await observe(agent, kernel_run(fitted, run.schedule)), note)
}

/** What the case claims with its policies, and a run of the case without them that shows it. */
export function policed_run(
  fitted: CaseSystem,
  policed: Case,
  options: Bounds & { readonly stops?: boolean } = {},
): { text: string; run: Playable | undefined } {
  const { verdict, property } = explore_case(policed, options)
  const text = property === null ? verdict : `${verdict}: ${property}`
  if (verdict === 'incomplete') return { text, run: undefined }
  if (verdict === 'unwitnessed') return { text: 'not witnessed', run: undefined }
  const system = case_system(policed)
  const runs = playable_runs(system, { stops: options.stops ?? false, limit: MOST_FOUND })
  const shows = runs.filter(({ violations }) => (property === null ? true : violations.includes(property)))
  const allowed = shows.flatMap((run) => {
    const schedule = run.stops > 0 ? run.schedule : follow_calls(fitted, call_order(system, run.schedule))
    return schedule !== null && ends_alike(fitted, schedule, run.outcome) ? [{ ...run, schedule }] : []
  })
  return { text, run: property === null ? most_telling(allowed) : allowed[0] }
}

/** Whether a schedule fits a case, and all its calls give this. */
function ends_alike(system: CaseSystem, schedule: Schedule, outcome: string): boolean {
  try {
    return outcome_of(system, schedule) === outcome
  } catch (error) {
    if (error instanceof ReplayError) return false
    throw error
  }
}

/** Which task returns from a call, one after another. */
export function call_order(system: CaseSystem, schedule: Schedule): number[] {
  const order: number[] = []
  replay(system, new FastStore(), schedule, {
    before: (k) => {
      k.events = []
    },
    after: (_, { task }, __, events) => {
      if (events.some(({ kind }) => kind === 'return')) order.push(task)
    },
  })
  return order
}

/** The schedule in which tasks make whole calls in this order; null where one cannot. */
export function follow_calls(system: CaseSystem, order: readonly number[]): Schedule | null {
  const k = system.boot(new FastStore())
  const moves: { task: number; choice: number }[] = []
  for (const task of order) {
    let returned = false
    while (!returned && k.store.depth(task) > 0) {
      k.events = []
      if (step(k, task) !== STEPPED) return null
      moves.push({ task, choice: 0 })
      returned = k.events.some(({ kind }) => kind === 'return')
    }
    if (!returned) return null
  }
  return moves
}

/** Plays a schedule, or one with the same outcome that a kernel can be made to play. */
export async function confirm_schedule(
  agent: Agent,
  system: CaseSystem,
  schedule: Schedule,
  text: string,
): Promise<Claim> {
  const whole = run_to_end(system, () => new FastStore(), schedule)
  try {
    const run = kernel_run(system, whole)
    const as_is = !run.steps.some(({ kind }) => kind === 'stop')
    return claim(text, await observe(agent, run), as_is ? null : 'with stops inside calls')
  } catch (error) {
    if (!(error instanceof NotPlayable)) throw error
    const twin = equivalent(system, whole, agent.privilege === 'root')
    if (twin === undefined)
      return { text, standing: 'unconfirmed', note: `not confirmable here: ${error.message}`, shown: null }
    const note = `played through an equivalent schedule: ${error.message}`
    return claim(text, await observe(agent, kernel_run(system, twin.schedule)), note)
  }
}

/** A run with the same results of all calls, whose switches lie where a kernel can be stopped. */
export function equivalent(system: CaseSystem, schedule: Schedule, stops: boolean): Playable | undefined {
  const wanted = outcome_of(system, schedule)
  return playable_runs(system, { stops, limit: MOST_FOUND }).find(({ outcome }) => outcome === wanted)
}

const outcome_of = (system: CaseSystem, schedule: Schedule): string =>
  system.outcome(replay(system, new FastStore(), schedule))

function claim(text: string, shown: Observed, note: string | null): Claim {
  if (shown.did_not_stop !== null)
    return { text, standing: 'unconfirmed', note: `not confirmable here: ${shown.did_not_stop}`, shown: null }
  return { text, standing: shown.differences.length === 0 ? 'confirmed' : 'differs', note, shown }
}

/** A safe case: each outcome that it must reach, or else the run that shows most. */
async function confirm_safe(
  agent: Agent,
  system: CaseSystem,
  runs: readonly Playable[],
  unreached: readonly string[],
): Promise<Claim[]> {
  const claims: Claim[] = []
  for (const { name } of system.properties.reaches) {
    const run = runs.find(({ witness }) => witness.includes(`reached ${name}`))
    if (run === undefined) {
      const note = unreached.includes(name)
        ? 'nothing to play: no run of the model reaches it'
        : 'not confirmable here: it needs a switch where the kernel cannot be stopped, or runs what is no whole ELF'
      claims.push({ text: `reached: ${name}`, standing: 'unconfirmed', note, shown: null })
    } else {
      const note = run.stops > 0 ? 'with a stop inside a call' : null
      claims.push(claim(`reached: ${name}`, await observe(agent, kernel_run(system, run.schedule)), note))
    }
  }
  if (claims.length > 0) return claims
  const run = most_telling(runs)
  if (run === undefined)
    return [{ text: 'safe', standing: 'unconfirmed', note: 'no run that ends', shown: null }]
  return [claim('safe', await observe(agent, kernel_run(system, run.schedule)), null)]
}

/** The run that shows most: a check that said yes, an attack. Of these one in which others come in between. */
export function most_telling(runs: readonly Playable[]): Playable | undefined {
  const worth = ({ witness, switches, stops }: Playable) =>
    witness.length * 100 + (switches === 3 ? 10 : 0) - stops * 1000
  return runs.reduce<Playable | undefined>(
    (best, each) => (best === undefined || worth(each) > worth(best) ? each : best),
    undefined,
  )
}

/** Plays one run of each outcome, and more, up to so many. */
async function play_rest(
  agent: Agent,
  system: CaseSystem,
  runs: readonly Playable[],
  most: number,
  interrupted: Bounds['interrupted'],
) {
  const seen = new Set<string>()
  const first = runs.filter(({ outcome }) => !seen.has(outcome) && seen.add(outcome))
  const others = runs.filter((run) => !first.includes(run))
  const every = Math.max(1, Math.ceil(others.length / Math.max(most - first.length, 1)))
  const chosen = most === 0 ? [] : [...first.slice(0, most), ...others.filter((_, i) => i % every === 0)]
  const differing: Observed[] = []
  let stopped_runs = 0
  let played = 0
  for (const { schedule, stops } of chosen) {
    if (interrupted?.() === true) break
    const kinds = stops > 0 ? (['copy_up_read', 'copy_up_open'] as const) : [undefined]
    for (const prefer of kinds) {
      const run = kernel_run(system, schedule, prefer)
      if (prefer === 'copy_up_open' && !run.steps.some(({ stop }) => stop === prefer)) continue
      const observed = await observe(agent, run)
      if (observed.did_not_stop !== null) continue
      played++
      if (stops > 0) stopped_runs++
      if (observed.differences.length > 0) differing.push(observed)
    }
  }
  return { runs: played, stopped_runs, differing }
}

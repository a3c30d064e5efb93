/** `toctoscope run`: one schedule of one case, and its trace. */
import { Random, random_run } from '../explore/random_run.js'
import { run_in_order } from '../explore/replay.js'
import type { Move, Schedule } from '../explore/system.js'
import { FastStore } from '../kernel/fast_store.js'
import type { Kernel } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import { type CaseSystem, case_system } from '../scenario/case_system.js'
import { nearest } from '../scenario/error.js'
import { trace_execution } from '../trace/record/execution.js'
import { shell_word } from '../trace/render/command.js'
import { explain_run } from '../verdict/explained.js'
import { most_telling } from '../verdict/most_telling.js'
import type { LoadOptions } from './bounds.js'
import { choose_cases, pattern_of } from './choose_cases.js'
import { type DrawOptions, draw, file_of } from './draw.js'
import { UsageError } from './errors.js'
import { search } from './explored.js'
import { about, type Loaded } from './load.js'
import type { Terminal } from './terminal.js'

export interface RunOptions extends DrawOptions, LoadOptions {
  case?: readonly string[]
  seed?: number
  schedule?: string
}

/** Stages after which a run is given up. */
const MOST_STEPS = 100_000

export function run(loaded: Loaded, options: RunOptions, terminal: Terminal): number {
  if (options.seed !== undefined && options.schedule !== undefined) {
    throw new UsageError('--seed and --schedule exclude each other')
  }
  const index =
    options.case === undefined ? shown_case(loaded, terminal) : one_case(loaded, options.case, terminal)
  const of = loaded.cases[index]!
  const path = `cases[${index}]`
  const system = about(loaded, () => case_system(of, path))
  const explained = explain_run(of, [], schedule_of(system, options), path)
  const trace = trace_execution({ scenario: loaded, index, explained })
  draw(trace, options, terminal, file_of(loaded))
  return 0
}

/** States of each case that are looked at to find the one to run: a run must not wait for a search without end. */
const LOOKED_AT = 20_000

/** The case that `show` shows where none is named: that of the counterexample to be shown, else the first. */
function shown_case(loaded: Loaded, terminal: Terminal): number {
  if (loaded.cases.length === 1) return 0
  const explored = search(loaded, choose_cases(loaded, []), { maxStates: LOOKED_AT }, terminal)
  const { index } = most_telling(explored) ?? explored[0]!
  const other = loaded.cases.length - 1 - (index === loaded.cases.length - 1 ? 1 : 0)
  terminal.err(
    `toctoscope: this is one of ${loaded.cases.length} cases, ${pattern_of(loaded, index)}; choose another with --case, e.g. --case ${shell_word(pattern_of(loaded, other))}\n`,
  )
  return index
}

/** The case that is meant; the first, and a word about it, where several are. */
export function one_case(loaded: Loaded, patterns: readonly string[], terminal: Terminal): number {
  const chosen = choose_cases(loaded, patterns)
  if (chosen.length > 1) {
    terminal.err(
      `toctoscope: this is the first of ${chosen.length} cases; choose one with --case, e.g. --case ${shell_word(pattern_of(loaded, chosen[chosen.length - 1]!))}\n`,
    )
  }
  return chosen[0]!
}

function schedule_of(system: CaseSystem, { seed, schedule }: RunOptions): Schedule {
  const k = system.boot(new FastStore())
  if (seed !== undefined) return random_run(k, new Random(seed), MOST_STEPS, () => false)
  const moves = schedule === undefined ? [] : follow(k, system, schedule)
  return [...moves, ...run_in_order(k, moves.at(-1)?.task ?? 0, MOST_STEPS)]
}

/**
 * Follows a schedule as people write it: parts joined by commas, each a task's name or number, and until when
 * it runs: `interpreter:check,attacker,interpreter` lets the interpreter run until the call named `check`
 * returns (or one of that system call), then the attacker until it ends or sleeps. `interpreter:12` is twelve
 * stages. What is left is run in order.
 */
function follow(k: Kernel, system: CaseSystem, text: string): Move[] {
  const moves: Move[] = []
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const [who = '', until] = part.trim().split(':')
    const task = task_named(system, who)
    const stages = until !== undefined && /^\d+$/.test(until) ? Number(until) : Number.POSITIVE_INFINITY
    if (until !== undefined && stages === Number.POSITIVE_INFINITY) must_name_call(system, task, until)
    run_part(k, task, stages, until, moves)
  }
  return moves
}

function run_part(k: Kernel, task: number, stages: number, until: string | undefined, moves: Move[]): void {
  for (let i = 0; i < stages && k.store.depth(task) > 0 && moves.length < MOST_STEPS; i++) {
    const mark = k.store.mark()
    const call = name_of_call(k, task)
    k.events = []
    if (step(k, task) !== STEPPED) {
      k.store.undo(mark)
      return
    }
    moves.push({ task, choice: 0 })
    const returned = k.events.some(({ kind }) => kind === 'return')
    if (returned && until !== undefined && call.includes(until)) return
  }
}

/** Names of the call that a task is in: of its result, and of the system call. */
function name_of_call(k: Kernel, task: number): string[] {
  const { pc } = k.store.frame(task, 0) as unknown as { pc?: number }
  const { code } = k.config as unknown as Pick<CaseSystem, 'code'>
  const call = pc === undefined ? undefined : code.instructions[pc]
  if (call?.op !== 'call') return []
  return [call.syscall.name, code.programs[code.program_of[pc!]!]!.slots[call.slot]!]
}

function task_named(system: CaseSystem, who: string): number {
  const { programs } = system.code
  const by_name = programs.findIndex(({ name }) => name === who)
  if (by_name >= 0) return by_name + 1
  const number = Number(who)
  if (Number.isInteger(number) && number >= 1 && number <= programs.length) return number
  const names = programs.map(({ name }) => name)
  const near = nearest(who, names)
  const hint = near === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${near}?`
  throw new UsageError(`--schedule: there is no task ${JSON.stringify(who)}${hint}`)
}

function must_name_call(system: CaseSystem, task: number, until: string): void {
  const { calls, slots, name } = system.code.programs[task - 1]!
  const known = [...new Set([...slots, ...calls.map((call) => call.syscall.name)])]
  if (known.includes(until)) return
  throw new UsageError(
    `--schedule: ${name} has no call ${JSON.stringify(until)}; there are ${known.join(', ')}`,
  )
}

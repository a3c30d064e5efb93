/**
 * The command line. One file per verb; what a verb needs is loaded when it is asked for, since the program must
 * have explored a scenario before a second is over.
 */

import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Scenario } from '../scenario/builder.js'
import { nearest } from '../scenario/error.js'
import { VERSION } from '../version.js'
import { add_bounds, add_load_time, type LoadOptions, parse_count, several } from './bounds.js'
import { CASE_HELP } from './choose_cases.js'
import type { ConfirmCommandOptions } from './confirm.js'
import type { ConformCommandOptions } from './conform.js'
import { type Failed, tell_error, UsageError } from './errors.js'
import { exit } from './exit_codes.js'
import type { ExploreCommandOptions } from './explore.js'
import { formats } from './formats.js'
import type { Loaded } from './load.js'
import { parse_reductions, reduction_names } from './reductions.js'
import type { ReplayOptions } from './replay.js'
import type { ReproOptions } from './repro.js'
import type { RunOptions } from './run.js'
import { add_shard } from './shard.js'
import type { MergeOptions } from './shard_report.js'
import type { ShellOptions } from './shell.js'
import type { ShowOptions } from './show.js'
import { last_words, process_terminal, screened, type Terminal } from './terminal.js'

// A search is over before V8 has compiled it: with less inlining the compiler takes a fifth less of the whole
// time (measured on overlay-copy-up), and long searches lose nothing. Before anything large is loaded.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=400')

const ABOUT = `Searches every interleaving of what tasks do to a checked file, on a model of the Linux kernel:
may what a program uses differ from what the kernel approved of?`

const EXIT_CODES = `
Exit codes: 0 every expectation met, 1 a verdict that was not expected or is not witnessed, 2 wrong usage,
3 a scenario, policy, token or trace that cannot be loaded, 4 incomplete (a bound was hit), 5 the model and this
kernel differ, 6 this machine lacks what was asked for, 70 a bug in toctoscope.

Colour: on a terminal, unless NO_COLOR is set; elsewhere too where FORCE_COLOR is (NO_COLOR counts more).
Ctrl-C or SIGTERM ends explore with what there is, and a second one at once.

Begin with:
  npx toctoscope explore overlay-copy-up`

/** Files that the user brought: an error that comes from them is not ours. */
type Files = string[]
type Finish = (code: number | Promise<number>) => Promise<void>

/**
 * Runs the command line.
 *
 * @param args without the program's name: `['explore', 'overlay-copy-up']`
 * @returns the exit code
 */
export async function run_command_line(
  args: readonly string[],
  given: Terminal = process_terminal(),
): Promise<number> {
  const terminal = screened(given)
  const files: Files = []
  let code: number = exit.ok
  const program = make_program(terminal, files, async (result) => {
    code = await result
  })
  try {
    if (args[0] === 'help' && args[1] !== undefined) must_be_verb(program, args[1])
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage
    const told = tell_error(error, files)
    terminal.err(`toctoscope: ${told.text}\n`)
    return told.code
  }
}

/** What commander says of a wrong command line, and what to type next where a scenario is missing. */
function usage_error(text: string): string {
  const told = text.replace(/^error: /, 'toctoscope: ')
  if (!/argument '(scenario|what)'/.test(text)) return told
  return `${told.trimEnd()}: the name of a scenario ("toctoscope list" lists the shipped ones), or a file (mine.ts, mine.json)\n`
}

/** Asked for help on a verb that there is not, commander shows the help on all. */
function must_be_verb(program: Command, word: string): void {
  const verbs = [...program.commands.map((each) => each.name()), 'help']
  if (word.startsWith('-') || verbs.includes(word)) return
  const near = nearest(word, verbs)
  const hint = near === undefined ? `There are ${verbs.join(', ')}` : `Did you mean ${near}?`
  throw new UsageError(`unknown command ${JSON.stringify(word)}\n(${hint})`)
}

function make_program(terminal: Terminal, files: Files, finish: Finish): Command {
  const program = new Command('toctoscope')
  program
    .description(ABOUT)
    .version(VERSION, '-V, --version', 'the version')
    .helpOption('-h, --help', 'help')
    .helpCommand('help [verb]', 'help on a verb')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: (text, write) => write(usage_error(text)),
    })
  add_list(program, terminal, finish)
  add_explore(program, terminal, files, finish)
  add_run(program, terminal, files, finish)
  add_replay(program, terminal, files, finish)
  add_show(program, terminal, files, finish)
  add_shell(program, terminal, files, finish)
  add_confirm(program, terminal, files, finish)
  add_repro(program, terminal, files, finish)
  add_conform(program, terminal, finish)
  add_merge(program, terminal, finish)
  return program
}

const stages_option = () =>
  new Option('-v, --stages', 'every stage on a line of its own, with what it touches')
const format_option = () => new Option('--format <format>', 'how').choices([...formats]).default('text')
const width_option = () =>
  new Option('--width <columns>', 'columns of the report').argParser((text) => {
    const width = Number(text)
    if (!Number.isInteger(width) || width < 60 || width > 1000)
      throw new InvalidArgumentError('Expected a number from 60 to 1000.')
    return width
  })

interface Width {
  width?: number
}

const with_width = (terminal: Terminal, { width }: Width): Terminal =>
  width === undefined ? terminal : { ...terminal, width }

async function load(called: string, { loadTime }: LoadOptions, files: Files): Promise<Loaded> {
  const { load_scenario } = await import('./load.js')
  const loaded = await load_scenario(called, loadTime)
  if (loaded.file !== null) files.push(loaded.file)
  return loaded
}

/** One that cannot be loaded does not void the others, nor a document of JSON. */
async function load_all(
  called: readonly string[],
  options: ExploreCommandOptions,
  files: Files,
): Promise<{ scenarios: Loaded[]; failed: Failed[] }> {
  const scenarios: Loaded[] = []
  const failed: Failed[] = []
  for (const each of called) {
    try {
      scenarios.push(await load(each, options, files))
    } catch (error) {
      if (called.length === 1 && options.json !== true) throw error
      failed.push({ called: each, ...tell_error(error, files) })
    }
  }
  return { scenarios, failed }
}

function add_list(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('list')
    .description('the shipped scenarios, and what each shows')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) =>
      finish((await import('./list.js')).list(options, terminal)),
    )
}

const reduce_option = () =>
  new Option(
    '--reduce <names>',
    `what the search may leave out: ${reduction_names.join(',')}, or none; all unless given`,
  ).argParser(parse_reductions)

/** How cases are searched and reported, whoever names the scenario. */
const add_explore_options = (command: Command): Command =>
  add_bounds(
    command
      .option('--case <pattern>', CASE_HELP, several)
      .option('--json', 'one JSON document')
      .option('--trace', 'with --json: the trace of each counterexample, as show --format json prints it'),
  )
    .option('--no-timing', 'leave out times: the same output on every machine')
    .option('--exact', 'compare states themselves, not their 64-bit hashes (slow)')
    .addOption(reduce_option())
    .option('--strict', 'a lint is a failure: exit code 1')
    .option('--count', 'how many interleavings there are, and how many of them race')
    .option('--paranoid', 'ask the unreduced search too, and compare (slow)')
    .addOption(stages_option())
    .addOption(width_option())

function add_explore(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('explore')
    .argument('<scenario...>', 'names (see list) or files (.ts, .js, .json)')
    .description(
      'search all interleavings of every case: a verdict per case, and the shortest counterexample',
    )
  add_load_time(add_explore_options(command))
  add_shard(command, 'the cases').action(async (called: string[], options: ExploreCommandOptions & Width) => {
    const began = terminal.now()
    const { scenarios, failed } = await load_all(called, options, files)
    const { explore } = await import('./explore.js')
    await finish(explore(scenarios, options, with_width(terminal, options), failed, began))
  })
}

function add_merge(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('merge')
    .argument('<folder>', 'where --report has written to')
    .description('the reports of shards as one, as if one run had done all of it')
    .option('--json', 'one JSON document')
    .option('--trace', 'with --json: the trace of each counterexample')
    .option('--no-timing', 'leave out times: the same output on every machine')
    .option('--strict', 'a lint is a failure: exit code 1')
    .option('--sites', 'of conform: also lists the errno sites that were not reached')
    .addOption(stages_option())
    .addOption(width_option())
    .action(async (folder: string, options: MergeOptions & Width) => {
      const { merge } = await import('./merge.js')
      await finish(merge(folder, options, with_width(terminal, options)))
    })
}

function add_run(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('run')
    .argument('<scenario>', 'a name (see list) or a file')
    .description(
      'one schedule: in order, or as told; prints the trace. Of several cases that which show shows',
    )
    .option('--case <pattern>', CASE_HELP, several)
    .addOption(new Option('--seed <n>', 'a random schedule').argParser(parse_seed))
    .option(
      '--schedule <parts>',
      'who runs until when: interpreter:check,attacker,interpreter (until a call returns, for so many stages, or to the end)',
    )
    .addOption(format_option())
  add_load_time(command)
    .addOption(stages_option())
    .addOption(width_option())
    .action(async (called: string, options: RunOptions & Width) => {
      const loaded = await load(called, options, files)
      const { run } = await import('./run.js')
      await finish(run(loaded, options, with_width(terminal, options)))
    })
}

function parse_seed(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

const parse_seed_or_random = (text: string): number | 'random' =>
  text === 'random' ? text : parse_seed(text)

function parse_index(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number, 0 or more.')
  return Number(text)
}

function add_replay(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('replay')
    .argument('<token>', 'a replay token, or a trace file')
    .argument('[file]', 'the scenario, where it is not a shipped one')
    .description('repeat one execution exactly')
    .option('--step', 'stop at each stage: Enter goes on, q ends')
  add_load_time(command)
    .addOption(stages_option())
    .addOption(width_option())
    .action(async (token: string, file: string | undefined, options: ReplayOptions & Width) => {
      if (file !== undefined) files.push(file)
      const { replay } = await import('./replay.js')
      await finish(replay(token, file, options, with_width(terminal, options)))
    })
}

function add_show(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('show')
    .argument('<what>', 'a trace file, a token, or a scenario whose counterexample is to be shown')
    .argument('[file]', 'with a token: the scenario, where it is not a shipped one')
    .description('draw a trace')
    .option('--case <pattern>', CASE_HELP, several)
    .addOption(format_option())
  add_load_time(add_bounds(command))
    .addOption(stages_option())
    .addOption(width_option())
    .action(async (what: string, file: string | undefined, options: ShowOptions & Width) => {
      files.push(what, ...(file === undefined ? [] : [file]))
      const { show } = await import('./show.js')
      await finish(show(what, file, options, with_width(terminal, options)))
    })
}

function add_confirm(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('confirm')
    .argument('<what>', 'a token, the name of a scenario (see list), or its file')
    .argument('[file]', 'with a token: the scenario, where it is not a shipped one')
    .description('play it on the kernel of this machine, and compare with the model step by step')
    .option('--case <pattern>', CASE_HELP, several)
    .option('--all', 'every step of every case')
  add_load_time(add_bounds(command))
    .addOption(width_option())
    .action(async (what: string, file: string | undefined, options: ConfirmCommandOptions & Width) => {
      files.push(what, ...(file === undefined ? [] : [file]))
      const { confirm } = await import('./confirm.js')
      await finish(confirm(what, file, options, with_width(terminal, options)))
    })
}

function add_repro(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('repro')
    .argument('<what>', 'a token, the name of a scenario (see list), or its file')
    .argument('[file]', 'with a token: the scenario, where it is not a shipped one')
    .description('write a C program without dependencies that plays it on any Linux')
    .requiredOption('-o, --output <file.c>', 'where to; - is standard output')
    .option('--case <pattern>', CASE_HELP, several)
  add_load_time(command).action(async (what: string, file: string | undefined, options: ReproOptions) => {
    files.push(what, ...(file === undefined ? [] : [file]))
    const { repro } = await import('./repro.js')
    await finish(repro(what, file, options, terminal))
  })
}

function add_conform(program: Command, terminal: Terminal, finish: Finish): void {
  const command = program
    .command('conform')
    .description('random programs on the model and on the kernel of this machine, compared call by call')
    .addOption(new Option('--count <n>', 'how many programs').argParser(parse_count).default(1000))
    .addOption(
      new Option('--seed <n>', 'each seed has programs of its own; random: any, which is printed first')
        .argParser(parse_seed_or_random)
        .default(1),
    )
    .addOption(
      new Option('--from <n>', 'index of the first program of the seed').argParser(parse_index).default(0),
    )
    .option(
      '--only <area>',
      'what programs are mostly about: open, exec, data, memory, attributes, names, tasks',
    )
    .option('--save <directory>', 'where differences are saved as cases')
    .option('--sites', 'also lists the errno sites of the model that were not reached')
  add_shard(command, 'the programs').action(async (options: ConformCommandOptions) => {
    const { conform } = await import('./conform.js')
    await finish(conform(options, terminal))
  })
}

function add_shell(program: Command, terminal: Terminal, files: Files, finish: Finish): void {
  const command = program
    .command('shell')
    .argument('[scenario]', 'a name (see list) or a file: its set-up and tasks; without it an empty world')
    .description('type system calls at the model: openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644)')
    .option('--json', 'requests and answers as lines of JSON, for programs (docs/shell.md)')
    .option('--kernel', 'the calls go to the kernel of this machine instead')
    .option('--both', 'they go to both; stops where the answers differ')
    .option('--profile <release>', 'which kernel the model is, e.g. 6.18; with --both the running one')
    .option('--case <pattern>', CASE_HELP, several)
  add_load_time(command).action(async (called: string | undefined, options: ShellOptions) => {
    const loaded = called === undefined ? null : await load(called, options, files)
    const { shell } = await import('./shell.js')
    await finish(shell(loaded, options, terminal))
  })
}

/**
 * `npx tsx my-scenario.ts`: a scenario file that is run as a program explores itself.
 *
 * @param args options of `explore`, e.g. `--json`
 * @returns the exit code
 */
export async function explore_itself(
  scenario: Scenario,
  args: readonly string[],
  given: Terminal = process_terminal(),
): Promise<number> {
  const terminal = screened(given)
  const files: Files = process.argv[1] === undefined ? [] : [process.argv[1]]
  let code: number = exit.ok
  const program = new Command(scenario.name).exitOverride().showSuggestionAfterError()
  program.configureOutput({
    writeOut: (text) => terminal.out(text),
    writeErr: (text) => terminal.err(text),
    outputError: (text, write) => write(usage_error(text)),
  })
  program.description(scenario.summary)
  add_explore_options(program).action(async (options: ExploreCommandOptions & Width) => {
    const { explore } = await import('./explore.js')
    const { name, summary, teaches, cases } = scenario
    const file = files[0] ?? null
    code = await explore(
      [{ name, summary, teaches, cases, called: file ?? name, file }],
      options,
      with_width(terminal, options),
    )
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage
    const told = tell_error(error, files)
    terminal.err(`toctoscope: ${told.text}\n`)
    return told.code
  }
}

/** Whether Node was told to run this file, by its name or through a link to it. */
function is_program(): boolean {
  const program = process.argv[1]
  if (program === undefined) return false
  try {
    return realpathSync(program) === fileURLToPath(import.meta.url)
  } catch {
    return false
  }
}

/** The program: what its arguments say, on the terminal that it runs in. */
export async function main(): Promise<void> {
  const last_resort = (error: unknown) => {
    const told = tell_error(error, process.argv.slice(2))
    last_words(`toctoscope: ${told.text}\n`)
    process.exit(told.code)
  }
  process.on('uncaughtException', last_resort)
  process.on('unhandledRejection', last_resort)
  // At once: a scenario's own code may have left behind what would keep the program from ending.
  process.exit(await run_command_line(process.argv.slice(2)))
}

if (is_program()) await main()

/**
 * `npm run bench`: how fast the search is, and how long a cold start takes. Nothing here is a test: figures depend
 * on the machine and on what else it does. Ratios are of things that ran in turns, so they depend on it less.
 *
 *     npm run bench              tables
 *     npm run bench -- --json    one JSON document
 *     npm run bench -- --max-states 200000
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildSync } from 'esbuild'
import { OracleError } from '../src/oracle/agent/play.js'
import { conform, type Pace } from '../src/oracle/conform/conform.js'
import type { RatioFigures, Reduction, SearchFigures } from './measure.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** More than N = 3 has, fused. */
const MAX_STATES = 800_000
const SIZES = [1, 2, 3, 4, 5]
/** Beyond this the search without reduction shows nothing more: it stops at the bound. */
const UNREDUCED_SIZES = [1, 2, 3, 4]
/** In the order in which they are added, each to those before it. */
const reductions: readonly Reduction[] = ['none', 'fused', 'inferred', 'symmetric', 'ordered']
const COLD_STARTS = 7
const PROGRAMS = 4_000
const SHELL_CALLS = 200_000

interface Row extends SearchFigures {
  readonly n: number
  readonly reduction: Reduction
}

interface Ratio {
  readonly what: string
  readonly first: string
  readonly second: string
  readonly unit: string
  readonly figures: RatioFigures
}

interface ColdStart {
  readonly command: string
  /** Seconds from start to exit, sorted. */
  readonly seconds: readonly number[]
}

/** What SPIN takes for a sketch of the same race, compiling included. */
interface SpinRow {
  readonly n: number
  readonly states: number
  readonly transitions: number
  readonly seconds: number
}

/** Random programs on the model and on this kernel; null where none can be played here. */
interface ConformFigures {
  readonly programs_per_second: number
  readonly calls_per_program: number
  readonly pace: Pace
}

interface Result {
  readonly conform: ConformFigures | null
  /** Calls that `shell --json` answers per second of processor time; null where dist/ could not be built. */
  readonly shell: number | null
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly load: number
  readonly max_states: number
  readonly family: readonly Row[]
  /** Null where there is no `spin` or no `gcc`. */
  readonly spin: readonly SpinRow[] | null
  readonly ratios: readonly Ratio[]
  /** Null where dist/ could not be built. */
  readonly cold_start: readonly ColdStart[] | null
}

// --- measuring -----------------------------------------------------------------------------------------------

/** Bundles what children run, so that they need no loader; its memory would count as theirs. */
function bundle_measurements(folder: string): string {
  const outfile = join(folder, 'measure.mjs')
  buildSync({
    entryPoints: [join(root, 'bench/measure.ts')],
    alias: { toctoscope: join(root, 'src/index.ts') },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
  })
  return outfile
}

function measure<T>(program: string, ...args: readonly (string | number)[]): T {
  const out = execFileSync(process.execPath, [program, ...args.map(String)], { encoding: 'utf8' })
  return JSON.parse(out) as T
}

function search_rows(program: string, max_states: number): Row[] {
  return SIZES.flatMap((n) =>
    reductions
      .filter((reduction) => reduction !== 'none' || UNREDUCED_SIZES.includes(n))
      .map((reduction) => {
        const figures = measure<SearchFigures>(program, 'search', n, reduction, max_states)
        return { n, reduction, ...figures }
      }),
  )
}

/** Sizes of which SPIN's search ends within a minute on a slow machine. */
const SPIN_SIZES = [1, 2, 3, 4]

/** From the sketch to the complete search: `spin -a`, `gcc -O2`, `pan`. */
function spin_rows(folder: string): SpinRow[] | null {
  const missing = ['spin', 'gcc'].filter((each) => spawnSync('which', [each]).status !== 0)
  if (missing.length > 0) {
    process.stderr.write(`bench: SPIN IS NOT MEASURED: there is no ${missing.join(' and no ')} here\n`)
    return null
  }
  return SPIN_SIZES.map((n) => {
    const began = performance.now()
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    run('spin', `-DN=${n}`, '-a', join(root, 'bench/many_writers.pml'))
    run('gcc', '-O2', '-o', 'pan', 'pan.c')
    const told = run('./pan', '-c0', '-m1000000')
    const number = (what: RegExp) => Number(what.exec(told)?.[1])
    const seconds = (performance.now() - began) / 1000
    return { n, states: number(/(\d+) states, stored/), transitions: number(/(\d+) transitions/), seconds }
  })
}

function ratios(program: string): Ratio[] {
  return [
    {
      what: 'complete search, N = 1',
      first: 'fused',
      second: 'unfused',
      unit: 'searches/s',
      figures: measure(program, 'fusion'),
    },
    {
      what: 'stages forward and back',
      first: 'fast store',
      second: 'immer store',
      unit: 'stages/s',
      figures: measure(program, 'stores'),
    },
    {
      what: 'visited set, unfused, N = 1',
      first: '64-bit hash',
      second: 'exact key',
      unit: 'transitions/s',
      figures: measure(program, 'keys'),
    },
  ]
}

const run_once = (args: readonly string[]): number => {
  const began = performance.now()
  spawnSync(process.execPath, args, { cwd: root, stdio: 'ignore' })
  return (performance.now() - began) / 1000
}

/** The compiled program and, in turns with it, a Node that does nothing: what no program can be faster than. */
function cold_start(): ColdStart[] | null {
  const built = spawnSync(process.execPath, [join(root, 'tools/build.mjs'), '--if-stale'], {
    stdio: 'ignore',
  })
  if (built.status !== 0) return null
  const commands = [
    ['dist/src/cli/main.js', 'explore', 'overlay-copy-up'],
    ['-e', '0'],
  ]
  const seconds: number[][] = commands.map(() => [])
  for (let i = 0; i < COLD_STARTS; i++) {
    for (const [c, args] of commands.entries()) seconds[c]!.push(run_once(args))
  }
  return commands.map((args, c) => ({
    command: ['node', ...args].join(' '),
    seconds: seconds[c]!.sort((a, b) => a - b),
  }))
}

/** Programs of about a dozen calls, in which the kernel has as many processes and mounts as they ask for. */
async function conformance(): Promise<ConformFigures | null> {
  try {
    const { plays, calls, ms, pace } = await conform({ count: PROGRAMS, seed: Date.now() >>> 0 })
    return { programs_per_second: plays / (ms / 1000), calls_per_program: calls / plays, pace }
  } catch (error) {
    if (error instanceof OracleError) return null
    throw error
  }
}

/** The same five calls on a thousand files, through a pipe; processor time as the shell's `times` has it. */
function shell_calls(folder: string): number {
  const requests = (i: number) =>
    [
      { task: 1, call: 'openat', args: ['AT_FDCWD', `/f${i % 1000}`, 'O_RDWR|O_CREAT', 0o644] },
      { task: 1, call: 'write', args: [3, 'hello'] },
      { task: 1, call: 'pread', args: [3, 5, 0] },
      { task: 1, call: 'fstat', args: [3] },
      { task: 1, call: 'close', args: [3] },
    ].map((each) => `${JSON.stringify(each)}\n`)
  const input = join(folder, 'calls.jsonl')
  writeFileSync(input, Array.from({ length: SHELL_CALLS / 5 }, (_, i) => requests(i).join('')).join(''))
  const command = `"${process.execPath}" dist/src/cli/main.js shell --json < "${input}" > /dev/null; times`
  const { stdout } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' })
  const spent = [...stdout.split('\n')[1]!.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  )
  return SHELL_CALLS / spent.reduce((sum, each) => sum + each, 0)
}

async function measure_all(max_states: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'toctoscope-bench-'))
  try {
    const program = bundle_measurements(folder)
    const { model = 'unknown' } = cpus()[0] ?? {}
    const cold = cold_start()
    return {
      conform: await conformance(),
      shell: cold === null ? null : shell_calls(folder),
      node: process.version,
      cpu: model,
      cores: cpus().length,
      load: loadavg()[0]!,
      max_states,
      cold_start: cold,
      family: search_rows(program, max_states),
      spin: spin_rows(folder),
      ratios: ratios(program),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// --- showing -------------------------------------------------------------------------------------------------

const thousands = (n: number): string =>
  Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
const megabytes = (bytes: number): string => `${thousands(bytes / 2 ** 20)} MiB`
const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!
const per_second = (row: Row): number => row.transitions / row.seconds

/** Columns as wide as their widest cell; the first `left` of them flush left, the others flush right. */
function table(rows: readonly (readonly string[])[], left: number): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  const [head, ...body] = rows
  return [line(head!), widths.map((width) => '─'.repeat(width)).join('  '), ...body.map(line)]
    .map((each) => each.trimEnd())
    .join('\n')
}

function show_family({ family }: Result): string {
  const head = [
    'N',
    'reduction',
    'result',
    'states',
    'transitions',
    'seconds',
    'transitions/s',
    'per CPU s',
    'peak memory',
  ]
  const rows = family.map((row) => [
    String(row.n),
    row.reduction,
    row.complete ? 'complete' : 'incomplete',
    thousands(row.states),
    thousands(row.transitions),
    row.seconds.toFixed(2),
    thousands(per_second(row)),
    thousands(row.transitions / row.cpu_seconds),
    megabytes(row.peak_bytes),
  ])
  return table([head, ...rows], 3)
}

function show_reductions({ family }: Result): string {
  const of = (n: number, reduction: Reduction) =>
    family.find((row) => row.n === n && row.reduction === reduction && row.complete)
  const compared = (n: number, less: Reduction, more: Reduction) => {
    const [reduced, whole] = [of(n, less), of(n, more)]
    if (reduced === undefined || whole === undefined) return []
    const states = (whole.states / reduced.states).toFixed(1)
    const time = (whole.cpu_seconds / reduced.cpu_seconds).toFixed(1)
    return `N = ${n}: of ${states} states (${more}) one is left (${less}), and of ${time} s of processor time one second.`
  }
  return SIZES.flatMap((n) =>
    reductions.flatMap((more, i) => (i === 0 ? [] : compared(n, more, reductions[i - 1]!))),
  ).join('\n')
}

function show_spin({ spin }: Result): string {
  if (spin === null) return 'not measured: it takes spin and gcc (apt-get install spin gcc)'
  const rows = spin.map(({ n, states, transitions, seconds }) => [
    String(n),
    thousands(states),
    thousands(transitions),
    seconds.toFixed(2),
  ])
  return table([['N', 'states', 'transitions', 'seconds'], ...rows], 1)
}

function show_ratios({ ratios }: Result): string {
  const rows = ratios.map(({ what, first, second, unit, figures }) => [
    what,
    `${first} : ${second}`,
    `${thousands(figures.first)} : ${thousands(figures.second)}`,
    unit,
    `${(figures.first / figures.second).toFixed(1)} : 1`,
  ])
  return table([['what', 'in turns', 'best of each', '', 'ratio'], ...rows], 4)
}

function show_cold_start({ cold_start }: Result): string {
  if (cold_start === null) return 'not measured: dist/ could not be built (npm run build says why)'
  const rows = cold_start.map(({ command, seconds }) => [
    command,
    median(seconds).toFixed(2),
    seconds[0]!.toFixed(2),
    seconds.at(-1)!.toFixed(2),
    String(seconds.length),
  ])
  return table([['command', 'median s', 'fastest', 'slowest', 'runs'], ...rows], 1)
}

function show_conform({ conform }: Result): string {
  if (conform === null) return 'not measured: no kernel can be played on here (toctoscope conform says why)'
  const { programs_per_second, calls_per_program, pace } = conform
  return [
    `${thousands(programs_per_second)} programs of ${calls_per_program.toFixed(0)} calls per second: ${(programs_per_second / pace.forks).toFixed(2)} per fork and wait`,
    `This machine: ${thousands(pace.forks)} forks and waits, ${thousands(pace.mounts)} mounts per second.`,
  ].join('\n')
}

function show_shell({ shell }: Result): string {
  return shell === null
    ? 'not measured'
    : `${thousands(shell)} calls per second of processor time, the start included`
}

function show(result: Result): string {
  const { node, cpu, cores, load, max_states } = result
  return [
    `Node ${node}, ${cores} × ${cpu}, load ${load.toFixed(1)} when it began`,
    '',
    'Cold start of the compiled program (aim: below 1 s)',
    '',
    show_cold_start(result),
    '',
    'Random programs on model and kernel (aim: 3 programs per fork and wait)',
    '',
    show_conform(result),
    '',
    'shell --json (aim: 100,000 calls per second of processor time)',
    '',
    show_shell(result),
    '',
    'One interpreter, N identical writers on the overlay (aim: 300,000 transitions/s). Each row is a',
    `process of its own; a search stops, incomplete, at ${thousands(max_states)} states.`,
    '',
    show_family(result),
    '',
    show_reductions(result),
    '',
    'SPIN on a sketch of the same race (bench/many_writers.pml): spin -a, gcc -O2, and the complete search',
    '',
    show_spin(result),
    '',
    'Side by side',
    '',
    show_ratios(result),
    '',
  ].join('\n')
}

// --- the command ---------------------------------------------------------------------------------------------

const USAGE = 'usage: npm run bench -- [--json] [--max-states N]\n'

async function main(): Promise<number> {
  let values: { json?: boolean; 'max-states'?: string }
  try {
    ;({ values } = parseArgs({ options: { json: { type: 'boolean' }, 'max-states': { type: 'string' } } }))
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${USAGE}`)
    return 2
  }
  const max_states = Number(values['max-states'] ?? MAX_STATES)
  if (!Number.isSafeInteger(max_states) || max_states < 1) {
    process.stderr.write(`bench: --max-states: expected a whole number above 0\n${USAGE}`)
    return 2
  }
  process.stderr.write('bench: about a minute on a quiet machine\n')
  const result = await measure_all(max_states)
  process.stdout.write(values.json === true ? `${JSON.stringify(result, null, 2)}\n` : show(result))
  return 0
}

process.exitCode = await main()

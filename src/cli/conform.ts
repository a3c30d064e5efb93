/** `toctoscope conform`: random programs on the model and on the kernel of this machine. */
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import type { Area } from '../kernel/syscall.js'
import type { Answer, PlayCall } from '../oracle/agent/play.js'
import { running_profile } from '../oracle/confirm/confirm.js'
import {
  type ConformResult,
  conform as compare_random,
  type Disagreement,
  type Progress,
} from '../oracle/conform/conform.js'
import { areas } from '../oracle/conform/generate.js'
import { save_case } from '../oracle/conform/saved_cases.js'
import type { Site, SiteReport } from '../oracle/conform/sites.js'
import { quote } from '../scenario/strace.js'
import { cut, wrap } from '../trace/render/layout.js'
import { UsageError } from './errors.js'
import { exit } from './exit_codes.js'
import { thousands } from './progress.js'
import type { Terminal } from './terminal.js'

export interface ConformCommandOptions {
  count: number
  seed: number | 'random'
  from: number
  sites?: boolean
  only?: string
  /** Unless told that of the tests, where there is one, else one here. */
  save?: string
}

const TEST_CASES = 'test/conformance/cases'
/** Milliseconds between two lines of progress: on a terminal, and where nobody watches. */
const OFTEN = 500
const RARELY = 10_000
/** What agrees by construction, so that nobody takes it for confirmed. */
const NOT_COMPARED =
  'Not compared: numbers of inodes and devices themselves (each machine has its own; which files share one is compared), and the size of a directory (each file system decides for itself).'
/** A signal stops it after the program that is being compared. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Options of a run whose seed has been drawn. */
type Drawn = ConformCommandOptions & { readonly seed: number }

export async function conform(asked: ConformCommandOptions, terminal: Terminal): Promise<number> {
  if (asked.count < 1) throw new UsageError('--count: expected at least 1')
  const only = area_of(asked.only)
  const options: Drawn = { ...asked, seed: asked.seed === 'random' ? randomInt(2 ** 32) : asked.seed }
  if (asked.seed === 'random') terminal.out(`seed ${options.seed}\n`)
  let stop = false
  const interrupt = () => {
    stop = true
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    const running = running_profile()
    const { count, seed, from } = options
    const result = await compare_random({
      count,
      seed,
      from,
      watch_sites: true,
      ...(running === '6.18' ? {} : { release: running }),
      ...(only === undefined ? {} : { only }),
      interrupted: () => stop,
      on_progress: progress(terminal, count),
    })
    if (terminal.interactive) terminal.err('\r\x1b[K')
    return report(result, options, terminal, running)
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

function area_of(text: string | undefined): Area | undefined {
  const found = areas.find((area) => area === text)
  if (text !== undefined && found === undefined)
    throw new UsageError(`--only: there is no area ${JSON.stringify(text)}; there are ${areas.join(', ')}`)
  return found
}

function progress(terminal: Terminal, count: number): (seen: Progress) => void {
  let last = terminal.now()
  return (seen) => {
    const now = terminal.now()
    if (now - last < (terminal.interactive ? OFTEN : RARELY)) return
    last = now
    const rate = seen.plays / Math.max(seen.ms / 1000, 0.001)
    const left = Math.ceil((count - seen.plays) / Math.max(rate, 0.001))
    const line = `${thousands(seen.plays)} of ${thousands(count)} programs, ${thousands(Math.round(rate))}/s, about ${left} s left`
    terminal.err(terminal.interactive ? `\r\x1b[K${line}` : `${line}\n`)
  }
}

function report(result: ConformResult, options: Drawn, terminal: Terminal, running: string): number {
  const { plays, calls, ms, disagreements, reach, sites, next, pace } = result
  const { width } = terminal
  for (const each of disagreements) terminal.out(told(each, options, width))
  const rate = Math.round(plays / Math.max(ms / 1000, 0.001))
  const lines = [
    `${thousands(plays)} programs, ${thousands(calls)} calls, ${thousands(rate)} programs/s; Linux ${release()}, profile ${running}`,
    `this machine: ${thousands(pace.forks)} forks and waits, ${thousands(pace.mounts)} mounts per second`,
    disagreements.length === 0 ? 'no difference' : `${disagreements.length} differ`,
    '',
    `Reached: ${thousands(reach.size)} combinations of call, result and kind of object (result how often/in how many kinds)`,
    ...reach.lines().flatMap((line) => wrap(`  ${line}`, width, 15)),
    '',
    ...(sites === undefined ? [] : site_lines(sites, options.sites === true, width)),
    '',
    ...wrap(NOT_COMPARED, width, 2),
    '',
    `Go on with: npx toctoscope conform --count ${options.count - plays || options.count} --seed ${options.seed} --from ${next}${options.only === undefined ? '' : ` --only ${options.only}`}`,
  ]
  if (plays < options.count && disagreements.length === 0)
    lines.unshift(`Interrupted after ${thousands(plays)} of ${thousands(options.count)} programs.`)
  terminal.out(`${lines.join('\n')}\n`)
  if (disagreements.length > 0) return exit.disagreement
  return plays < options.count ? exit.incomplete : exit.ok
}

/** How many of the errno sites were reached; with `all`, which were not, and which cannot be. */
function site_lines({ reached, missed, beyond }: SiteReport, all: boolean, width: number): string[] {
  const total = reached.length + missed.length
  const share = Math.floor((100 * reached.length) / Math.max(total, 1))
  const line = `errno sites reached: ${reached.length} of ${total} (${share} %)`
  const told = ({ file, within, text }: Site) => wrap(`  ${file}, ${within}: ${text}`, width, 4)
  if (!all) return [`${line}; --sites lists the others`]
  const reasons = new Set(beyond.map(({ why }) => why))
  return [
    line,
    '',
    'Not reached:',
    ...missed.flatMap(told),
    ...[...reasons].flatMap((why) => [
      '',
      ...wrap(`Not counted (${why}):`, width, 2),
      ...beyond.filter((each) => each.why === why).flatMap(told),
    ]),
  ]
}

/** A difference as a scenario: its calls, both answers beside each other, and where it is saved. */
export function told(
  { seed, index, play, model, kernel, difference }: Disagreement,
  { save: given, only }: Pick<ConformCommandOptions, 'save' | 'only'>,
  width: number,
): string {
  const name = play.calls[difference.call]!.call
  const save = given ?? (existsSync(TEST_CASES) ? TEST_CASES : 'toctoscope-cases')
  const column = 18
  const room = width - 2 * column - 8
  const rows = play.calls.map((call, i) => {
    const texts = [cut(said_call(call), room).padEnd(room), cut(said(model[i]!), column - 1).padEnd(column)]
    const mark = i === difference.call ? ` ✗ ${difference.what}` : ''
    return `  ${texts.join(' ')}${cut(said(kernel[i]!), column)}${mark}`.trimEnd()
  })
  const lines = [
    `DIFFERENCE in ${name} (${difference.what}), in program ${index} of seed ${seed}, shrunk to ${play.calls.length} calls`,
    `  the program itself: npx toctoscope conform --count 1 --seed ${seed} --from ${index}${only === undefined ? '' : ` --only ${only}`}`,
    ...wrap(`  set-up ${JSON.stringify(play.setup)}`, width, 2),
    ...wrap(`  tasks ${JSON.stringify(play.tasks)}`, width, 2),
    `  ${'call'.padEnd(room)} ${'model'.padEnd(column)}kernel`,
    ...rows,
  ]
  try {
    lines.push(`Saved as ${save_case(save, name, release(), play, kernel)}`)
  } catch (error) {
    lines.push(`It could not be saved in ${save}: ${(error as Error).message}`)
  }
  return `${lines.join('\n')}\n\n`
}

const said_call = ({ task, call, args = [], as }: PlayCall): string =>
  `${task}: ${as === undefined ? '' : `${as} = `}${call}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`

function said({ ret, errno, signal, exec, dead, blocked, data, fields }: Answer): string {
  if (errno !== undefined) return errno
  if (signal !== undefined) return signal
  if (exec || dead || blocked) return exec ? 'exec' : dead ? 'ends' : 'blocks'
  return `${ret}${data === undefined ? '' : ` ${quote(data)}`}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`
}

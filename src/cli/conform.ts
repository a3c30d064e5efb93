/** `toctoscope conform`: random programs on the model and on the kernel of this machine. */
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import type { Area } from '../kernel/syscall.js'
import type { Answer, PlayCall } from '../oracle/agent/play.js'
import { running_profile } from '../oracle/confirm/confirm.js'
import { conform as compare_random, type Disagreement, type Progress } from '../oracle/conform/conform.js'
import { areas } from '../oracle/conform/generate.js'
import { save_case } from '../oracle/conform/saved_cases.js'
import { quote } from '../scenario/strace.js'
import { cut, wrap } from '../trace/render/layout.js'
import { type Conformed, type Drawn, tell_conformed } from './conform_report.js'
import { conform_report, part_of } from './conform_shard.js'
import { UsageError } from './errors.js'
import { thousands } from './progress.js'
import { type ShardOptions, whole } from './shard.js'
import { write_report } from './shard_report.js'
import type { Terminal } from './terminal.js'

export interface ConformCommandOptions extends ShardOptions {
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
/** A signal stops it after the program that is being compared. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export async function conform(asked: ConformCommandOptions, terminal: Terminal): Promise<number> {
  const { shard = whole } = asked
  if (asked.count < 1) throw new UsageError('--count: expected at least 1')
  if (asked.seed === 'random' && shard.of > 1)
    throw new UsageError('--seed random: each shard would draw its own; give all of them one number')
  const { seed, only, ...rest } = asked
  const area = area_of(only)
  const drawn: Drawn = {
    count: rest.count,
    from: rest.from,
    only,
    seed: seed === 'random' ? randomInt(2 ** 32) : seed,
  }
  if (seed === 'random') terminal.out(`seed ${drawn.seed}\n`)
  const part = { ...drawn, ...part_of(drawn, shard) }
  const conformed = await conform_part(part, area, asked, terminal)
  if (asked.report !== undefined) write_report(asked.report, conform_report(shard, drawn, conformed))
  return tell_conformed(conformed, part, asked.sites === true, terminal)
}

/** Compares so many programs, unless somebody wants it to end before. */
async function conform_part(
  drawn: Drawn,
  only: Area | undefined,
  { save }: Pick<ConformCommandOptions, 'save'>,
  terminal: Terminal,
): Promise<Conformed> {
  let stop = false
  const interrupt = () => {
    stop = true
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    const profile = running_profile()
    const { count, seed, from } = drawn
    const result = await compare_random({
      count,
      seed,
      from,
      watch_sites: true,
      ...(profile === '6.18' ? {} : { release: profile }),
      ...(only === undefined ? {} : { only }),
      interrupted: () => stop,
      on_progress: progress(terminal, count),
    })
    if (terminal.interactive) terminal.err('\r\x1b[K')
    const { pace, disagreements } = result
    return {
      ...result,
      release: release(),
      profile,
      machine: `this machine: ${thousands(pace.forks)} forks and waits, ${thousands(pace.mounts)} mounts per second`,
      disagreements: disagreements.map((each) => told(each, { save, only }, terminal.width)),
    }
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

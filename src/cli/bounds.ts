/** Options that bound a search, and how their values are written. */
import { type Command, InvalidArgumentError } from 'commander'
import { LEAST_MEMORY } from '../explore/decide.js'
import type { Bound, Bounds } from '../explore/system.js'
import { thousands } from './progress.js'
import type { Terminal } from './terminal.js'

export interface BoundOptions {
  maxStates?: number
  maxSteps?: number
  maxTime?: number
  maxMemory?: number
  preemptions?: number
}

export function add_bounds(command: Command): Command {
  return command
    .option('--max-states <n>', 'distinct states that are kept, e.g. 2M; no bound unless given', parse_count)
    .option('--max-steps <n>', 'stages on one path; no bound unless given', parse_count)
    .option(
      '--max-time <time>',
      'of all cases together: 30s, 5m; a bare number is seconds; no bound unless given',
      parse_time,
    )
    .option(
      '--max-memory <bytes>',
      'what a search keeps, e.g. 512M, 2G, at least 64M; no bound unless given',
      parse_memory,
    )
    .option(
      '--preemptions <n>',
      'only interleavings with at most so many preemptions; all unless given',
      parse_count,
    )
}

export interface LoadOptions {
  loadTime?: number
}

export const add_load_time = (command: Command): Command =>
  command.option(
    '--load-time <time>',
    'a scenario file that is code must be loaded by then, e.g. 5m; 30s unless given',
    parse_time,
  )

/** `500 ms`, `30 s`. */
export const say_time = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`)

/** The bounds that were asked for, and that of who wants the search to end. */
export function bounds_of(options: BoundOptions, terminal: Pick<Terminal, 'now' | 'interrupted'>): Bounds {
  const { now, interrupted } = terminal
  const { maxStates, maxSteps, maxTime, maxMemory, preemptions } = options
  return {
    ...(maxStates === undefined ? {} : { max_states: maxStates }),
    ...(maxSteps === undefined ? {} : { max_steps: maxSteps }),
    ...(maxTime === undefined ? {} : { max_time: maxTime, now }),
    ...(maxMemory === undefined ? {} : { max_memory: maxMemory }),
    ...(preemptions === undefined ? {} : { preemptions }),
    ...(interrupted === undefined ? {} : { interrupted }),
  }
}

/** Which option raises a bound. */
export const bound_options: Readonly<Record<Bound, string>> = {
  states: '--max-states',
  steps: '--max-steps',
  time: '--max-time',
  memory: '--max-memory',
  preemptions: '--preemptions',
  stopped: '',
}

/** `10 states`, `500 ms`, `0 preemptions`: a bound that was hit, with its value. */
export function say_bound(bound: Bound, options: BoundOptions): string {
  const { maxStates, maxSteps, maxTime, maxMemory, preemptions } = options
  switch (bound) {
    case 'states':
      return of(maxStates, 'state', bound)
    case 'steps':
      return of(maxSteps, 'step', bound)
    case 'preemptions':
      return of(preemptions, 'preemption', bound)
    case 'time':
      return maxTime === undefined ? bound : say_time(maxTime)
    case 'memory':
      return maxMemory === undefined ? bound : `${maxMemory} bytes of memory`
    case 'stopped':
      return 'the search was interrupted'
  }
}

const of = (n: number | undefined, noun: string, bound: Bound): string =>
  n === undefined ? bound : `${thousands(n)} ${noun}${n === 1 ? '' : 's'}`

/** `12`, `10k`, `2M`. */
export function parse_count(text: string): number {
  const parsed = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text)
  const value =
    parsed === null ? Number.NaN : Number(parsed[1]) * 1000 ** ' kmg'.indexOf(parsed[2]!.toLowerCase() || ' ')
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError('Expected a whole number, such as 5000, 10k or 2M.')
  return value
}

/** `30`, `30s`, `500ms`, `5m`, `2h`, in milliseconds. */
export function parse_time(text: string): number {
  const parsed = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  if (parsed === null) throw new InvalidArgumentError('Expected a time, such as 500ms, 30s, 5m or 2h.')
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return Number(parsed[1]) * units[(parsed[2] ?? 's') as keyof typeof units]
}

/** `1000000`, `512M`, `2G`, in bytes: units of 1024. */
export function parse_bytes(text: string): number {
  const parsed = /^(\d+(?:\.\d+)?)([kKmMgG]?)i?[bB]?$/.exec(text)
  if (parsed === null) throw new InvalidArgumentError('Expected an amount of memory, such as 512M or 2G.')
  return Math.round(Number(parsed[1]) * 1024 ** ' kmg'.indexOf(parsed[2]!.toLowerCase() || ' '))
}

/** A bound on memory. What is less than every search may take cannot be kept, and is refused. */
function parse_memory(text: string): number {
  const bytes = parse_bytes(text)
  if (bytes >= LEAST_MEMORY) return bytes
  throw new InvalidArgumentError('Expected at least 64M: a search may take so much to say anything.')
}

/** Collects the values of an option that may be given several times. */
export const several = (value: string, before: readonly string[] = []): string[] => [...before, value]

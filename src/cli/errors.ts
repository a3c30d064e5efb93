/** What a user did that cannot work, and how it is told. */

import { ReplayError } from '../explore/replay.js'
import { NotModelled } from '../kernel/not_modelled.js'
import { TooMany } from '../kernel/schema.js'
import { LsmModuleError } from '../lsm/hooks.js'
import { ScenarioError } from '../scenario/error.js'
import { TokenError } from '../trace/record/token.js'
import { printable_lines } from '../trace/render/printable.js'
import { exit } from './exit_codes.js'

const severity: readonly number[] = [
  exit.bug,
  exit.lacking,
  exit.cannot_load,
  exit.usage,
  exit.disagreement,
  exit.unexpected,
  exit.incomplete,
  exit.ok,
]

/** Of several exit codes that which says most: what went wrong before what was found. */
export const worst = (codes: readonly number[]): number =>
  severity.find((code) => codes.includes(code)) ?? exit.ok

/** The command line does not say what to do. */
export class UsageError extends Error {
  readonly exit_code = exit.usage
}

/** What was asked for cannot be written where it was asked for. */
export class OutputError extends Error {
  readonly exit_code = exit.lacking
}

/** A scenario, policy, token or trace that cannot be loaded. */
export class LoadError extends Error {
  readonly exit_code = exit.cannot_load

  /** @param next what to type or read next */
  constructor(
    message: string,
    readonly next = '',
  ) {
    super(message)
  }
}

/** A scenario that could not be loaded or searched. */
export interface Failed {
  readonly called: string
  readonly text: string
  readonly code: number
}

/** What to tell a user about an error, without a stack trace, and what to exit with. */
export function tell_error(
  error: unknown,
  user_files: readonly string[] = [],
): { text: string; code: number } {
  const { text, code } = tell(error, user_files)
  return { text: printable_lines(text), code }
}

function tell(error: unknown, user_files: readonly string[]): { text: string; code: number } {
  if (error instanceof UsageError || error instanceof OutputError)
    return { text: error.message, code: error.exit_code }
  if (error instanceof LoadError) {
    const text = error.next === '' ? error.message : `${error.message}\n  ${error.next}`
    return { text, code: error.exit_code }
  }
  if (error instanceof ScenarioError) return { text: error.message, code: exit.cannot_load }
  if (error instanceof NotModelled) return { text: error.message, code: exit.cannot_load }
  if (error instanceof TooMany) return { text: `the scenario has ${error.message}`, code: exit.cannot_load }
  if (error instanceof TokenError) return { text: error.message, code: exit.cannot_load }
  if (error instanceof ReplayError)
    return { text: `the schedule does not fit this scenario: ${error.message}`, code: exit.cannot_load }
  if (error instanceof LsmModuleError)
    return { text: `a security module of the scenario: ${first_line(error)}`, code: exit.cannot_load }
  if (error instanceof Error && error.name === 'OracleError')
    return { text: error.message, code: exit.lacking }
  if (error instanceof Error && error.name === 'SetupRefused')
    return { text: `this kernel refuses the set-up: ${error.message}`, code: exit.lacking }
  if (is_out_of_files(error))
    return {
      text: 'too few files may be open at once: allow more, e.g. ulimit -n 256',
      code: exit.lacking,
    }
  const place = user_files.map((file) => place_in(error, file)).find((each) => each !== null)
  if (place !== undefined)
    return { text: `${place}: the scenario's code throws ${first_line(error)}`, code: exit.cannot_load }
  return { text: `this is a bug in toctoscope: ${first_line(error)}`, code: exit.bug }
}

/** This process, or the whole machine, may open no more files. A thread that cannot be started says it in its message only. */
export function is_out_of_files(error: unknown): boolean {
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException
  return (
    /^(EMFILE|ENFILE)$/.test(String(code)) ||
    /^Worker initialization failure: E[MN]FILE\b/.test(String(message))
  )
}

/** `TypeError: x is not a function`: what an error says, in one line. Anything can be thrown. */
export function first_line(error: unknown): string {
  try {
    if (!(error instanceof Error)) return shown(error)
    const { name, message } = error
    const text = message === '' ? String(name) : `${String(name)}: ${String(message)}`
    return text.split('\n')[0]!.trim()
  } catch {
    return 'what cannot be shown'
  }
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}

/** `file.ts:3:7`, where an error's stack passes through this file; null if it does not. */
export function place_in(error: unknown, file: string): string | null {
  for (const line of stack_of(error).split('\n')) {
    const at = line.indexOf(file)
    const place = at < 0 ? null : /^(?:\?[^:)]*)?:(\d+)(?::(\d+))?/.exec(line.slice(at + file.length))
    if (place !== null) return `${file}:${place[1]}${place[2] === undefined ? '' : `:${place[2]}`}`
  }
  return null
}

/** Whoever throws an error may give it any stack. */
function stack_of(error: unknown): string {
  try {
    return error instanceof Error && typeof error.stack === 'string' ? error.stack : ''
  } catch {
    return ''
  }
}

/**
 * `shell --json`: requests as lines of JSON, and their answers (`docs/shell.md`).
 *
 * Nothing that stands in a request throws: what cannot be played is answered with an `error` that names the
 * field or the argument, and the next request is as if it had not been.
 */
import { ArgumentError } from '../kernel/decode.js'
import { all_syscalls, type Syscall, syscall_named } from '../kernel/syscall.js'
import { readable } from '../scenario/characters.js'
import { ScenarioError, suggestion } from '../scenario/error.js'
import type { SetupForm } from '../scenario/form.js'
import { type Answer, MAX_TASK, RequestError } from './answer.js'
import type { Completed, TaskSpec } from './session.js'

/** What requests are played on: the model's `Session`, or a kernel. */
export interface Player {
  spawn(task: number, spec: TaskSpec): Answer | Promise<Answer>
  exit(task: number): Answer | Promise<Answer>
  setup(form: SetupForm): Answer | Promise<Answer>
  call(task: number, syscall: Syscall, args: readonly unknown[], id: unknown): Answer | Promise<Answer>
  /** Calls that have returned meanwhile. */
  completed(): readonly Completed[] | Promise<readonly Completed[]>
}

export type Request =
  | { readonly id: unknown; readonly task: number; readonly call: string; readonly args: readonly unknown[] }
  | { readonly id: unknown; readonly spawn: readonly [number, TaskSpec] }
  | { readonly id: unknown; readonly exit: number }
  | { readonly id: unknown; readonly setup: unknown }

// --- requests ----------------------------------------------------------------------------------------------

const kinds = ['call', 'spawn', 'exit', 'setup'] as const
const fields_of = {
  call: new Set(['id', 'task', 'call', 'args']),
  spawn: new Set(['id', 'spawn']),
  exit: new Set(['id', 'exit']),
  setup: new Set(['id', 'setup']),
} as const

/** What a word may have been meant to be; the question is not worth asking of a long one. */
const hint = (word: string, known: readonly string[]): string =>
  word.length > 64 ? '' : suggestion(word, known)

/** A value as people see it, cut short. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 40 ? `${text.slice(0, 37)}…` : text
}

/** @throws RequestError */
function integer(value: unknown, name: string, from: number, to: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value
  throw new RequestError(`${name}: expected a whole number from ${from} to ${to}, not ${show(value)}`)
}

const MAX_ID = 2 ** 32 - 2

const spec_checks: Readonly<Record<string, (value: unknown, name: string) => unknown>> = {
  task: (value, name) => integer(value, name, 1, MAX_TASK),
  name: (value, name) => text(value, name),
  uid: (value, name) => integer(value, name, 0, MAX_ID),
  gid: (value, name) => integer(value, name, 0, MAX_ID),
  groups: (value, name) => list(value, name).map((each, i) => integer(each, `${name}[${i}]`, 0, MAX_ID)),
  umask: (value, name) => integer(value, name, 0, 0o777),
  cwd: (value, name) => {
    if (text(value, name).startsWith('/')) return value
    throw new RequestError(`${name}: expected an absolute path, not ${show(value)}`)
  },
  capabilities: (value, name) =>
    value === 'all' ? value : list(value, name).map((each, i) => text(each, `${name}[${i}]`)),
  securebits: (value, name) => (typeof value === 'string' ? value : integer(value, name, 0, 2 ** 32 - 1)),
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new RequestError(`${name}: expected a string, not ${show(value)}`)
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= 65536) return value
  throw new RequestError(`${name}: expected a list, not ${show(value)}`)
}

function is_object(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Checks who a new task is to be. @throws RequestError naming the field */
export function task_spec(given: unknown): readonly [number, TaskSpec] {
  if (!is_object(given)) throw new RequestError(`spawn: expected an object, not ${show(given)}`)
  const spec: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(given)) {
    if (!Object.hasOwn(spec_checks, field)) {
      const known = Object.keys(spec_checks)
      throw new RequestError(`spawn: has no field ${show(field)}${hint(field, known)}`)
    }
    spec[field] = spec_checks[field]!(value, `spawn.${field}`)
  }
  if (spec.task === undefined) throw new RequestError('spawn.task is missing')
  const { task, ...rest } = spec
  return [task as number, { name: `task ${task}`, ...rest } as TaskSpec]
}

/** @throws RequestError naming the field */
function request_of(given: Record<string, unknown>, id: unknown): Request {
  const kind = kinds.find((each) => given[each] !== undefined)
  if (kind === undefined) throw new RequestError(`a request has one of the fields ${kinds.join(', ')}`)
  const known = fields_of[kind]
  for (const field in given) {
    if (known.has(field)) continue
    throw new RequestError(`a request with "${kind}" has no field ${show(field)}${hint(field, [...known])}`)
  }
  switch (kind) {
    case 'call': {
      const { call, args = [] } = given
      if (typeof call !== 'string') throw new RequestError(`call: expected a name, not ${show(call)}`)
      if (!Array.isArray(args)) throw new RequestError(`args: expected a list, not ${show(args)}`)
      return { id, task: task_number(given.task), call, args }
    }
    case 'spawn':
      return { id, spawn: task_spec(given.spawn) }
    case 'exit':
      return { id, exit: integer(given.exit, 'exit', 1, MAX_TASK) }
    default:
      return { id, setup: given.setup }
  }
}

function task_number(given: unknown): number {
  if (given === undefined) throw new RequestError('task is missing')
  return integer(given, 'task', 1, MAX_TASK)
}

/** The call of this name. @throws RequestError with the nearest one that there is */
function known_call(name: string): Syscall {
  const found = syscall_named(name)
  if (found !== undefined) return found
  const names = all_syscalls().map((each) => each.name)
  throw new RequestError(`call: no system call ${show(name)} is modelled${hint(name, names)}`)
}

// --- answers -----------------------------------------------------------------------------------------------

/** One line, without its end. */
function encode_answer(id: unknown, answer: Answer | { readonly error: string }): string {
  const head = `{"id":${typeof id === 'number' ? id : JSON.stringify(id)},`
  if ('error' in answer) return `${head}"error":${JSON.stringify(answer.error)}}`
  const { kernel } = answer
  if (kernel === undefined) return `${head}${encode_fields_of(answer)}}`
  return `${head}${encode_fields_of(answer)},"kernel":{${encode_fields_of(kernel)}}}`
}

function encode_fields_of({ ret, data, stat, errno, signal, exec }: Answer): string {
  if (ret !== undefined) {
    if (data !== undefined) return `"ret":${ret},"data":"${btoa(data)}"`
    if (stat !== undefined) return `"ret":${ret},"stat":${encode_fields(stat)}`
    return `"ret":${ret}`
  }
  if (errno !== undefined) return `"errno":"${errno}"`
  if (signal !== undefined) return `"signal":"${signal}"`
  if (exec !== undefined) return `"exec":${JSON.stringify(readable(exec))}`
  return '"blocked":true'
}

function encode_fields(fields: Readonly<Record<string, number>>): string {
  let text = ''
  for (const name in fields) text += `${text === '' ? '{' : ','}"${name}":${fields[name]}`
  return `${text}}`
}

// --- one line after another ----------------------------------------------------------------------------------

/** Checks a set-up; loaded when there is one, since it is slow to load. */
export type CheckSetup = (given: unknown) => Promise<SetupForm>

export class Protocol {
  constructor(
    private readonly player: Player,
    private readonly check_setup: CheckSetup,
  ) {}

  /**
   * Answers a line.
   *
   * @returns one line, and a line more for each call that has slept and returned now, each with its end;
   *   nothing for a line of blanks
   */
  answer(line: string): string | Promise<string> {
    let id: unknown = null
    try {
      const given = parse(line)
      if (given === null) return ''
      id = id_of(given)
      const request = request_of(given, id)
      const answer = this.play(request)
      if (answer instanceof Promise) return this.later(id, answer)
      const more = this.player.completed()
      const first = `${encode_answer(id, answer)}\n`
      return more instanceof Promise ? more.then((each) => first + lines(each)) : first + lines(more)
    } catch (error) {
      return `${encode_answer(id, { error: message_of(error) })}\n`
    }
  }

  private async later(id: unknown, answer: Promise<Answer>): Promise<string> {
    try {
      return `${encode_answer(id, await answer)}\n${lines(await this.player.completed())}`
    } catch (error) {
      return `${encode_answer(id, { error: message_of(error) })}\n`
    }
  }

  private play(request: Request): Answer | Promise<Answer> {
    const { player } = this
    if ('call' in request)
      return player.call(request.task, known_call(request.call), request.args, request.id)
    if ('spawn' in request) return player.spawn(...request.spawn)
    if ('exit' in request) return player.exit(request.exit)
    return this.check_setup(request.setup).then((form) => player.setup(form))
  }
}

/** The object on a line; null where there is nothing. @throws RequestError */
function parse(line: string): Record<string, unknown> | null {
  let given: unknown
  try {
    given = JSON.parse(line)
  } catch (error) {
    if (line.trim() === '') return null
    throw new RequestError(`not JSON: ${(error as Error).message.split('\n')[0]}`)
  }
  if (!is_object(given)) throw new RequestError(`expected an object, not ${show(given)}`)
  return given
}

function id_of({ id = null }: Record<string, unknown>): unknown {
  if (id === null || typeof id === 'string') return id
  if (typeof id !== 'number' || !Number.isFinite(id))
    throw new RequestError('id: expected a number or a string')
  if (Number.isInteger(id) && !Number.isSafeInteger(id))
    throw new RequestError(
      `id: ${id} is beyond 2^53 - 1, so it could not be given back as it was; write a string`,
    )
  return id
}

function lines(completed: readonly Completed[]): string {
  let text = ''
  for (const { call, answer } of completed) text += `${encode_answer(call.id, answer)}\n`
  return text
}

function message_of(error: unknown): string {
  if (error instanceof RequestError || error instanceof ArgumentError || error instanceof ScenarioError)
    return error.message
  return `this is a bug in toctoscope: ${error instanceof Error ? `${error.name}: ${error.message}`.split('\n')[0] : error}`
}

/**
 * The replay token: one word that repeats an execution. It holds the version of the program, the scenario and
 * its case, the calls that were left out, and the schedule, and it notices damage.
 *
 *     toct1.<base64url of: checksum, version, scenario, hash of the case, its place, removed calls, moves>
 *
 * A schedule is written as runs of one task, since tasks are rarely switched: usually some sixty characters.
 */
import type { Move, Schedule } from '../../explore/system.js'
import { utf8_bytes } from '../../kernel/decode.js'
import { sha256 } from '../../kernel/sha256.js'
import type { CaseForm, ScenarioForm } from '../../scenario/form.js'
import type { Removal } from '../../verdict/removal.js'
import { VERSION } from '../../version.js'

const PREFIX = 'toct1.'

export interface Token {
  /** Version of the program that made it. */
  readonly version: string
  readonly scenario: string
  /** `case_hash` of the case. */
  readonly hash: string
  /** Place of the case in the scenario when the token was made, from 0. */
  readonly index: number
  /** Calls that were left out of the case. */
  readonly removed: readonly Removal[]
  readonly schedule: Schedule
}

/** A token that cannot be used. The message is for the person who typed it. */
export class TokenError extends Error {
  constructor(
    readonly reason: 'not a token' | 'damaged' | 'other version' | 'other scenario' | 'changed scenario',
    message: string,
  ) {
    super(message)
    this.name = 'TokenError'
  }
}

/**
 * What a schedule means depends on this: set-up, programs and properties, but not what is expected of them.
 * 40 bits of SHA-256, in hexadecimal: it tells whether a scenario has changed by mistake. Who makes two cases
 * with one hash on purpose gains nothing, for he could as well have made the token: what is shown of it is what
 * the case does that is at hand.
 */
export function case_hash(form: CaseForm): string {
  const { expect: _, ...rest } = form
  return sha256(utf8_bytes(canonical(rest))).slice(0, HASH_DIGITS)
}

const HASH_DIGITS = 10
const SUM_DIGITS = 6

/** JSON with the keys of every object in order, so that it does not depend on how the form was built. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`
}

// --- bytes -----------------------------------------------------------------------------------------------

class Writer {
  bytes = ''

  number(value: number): void {
    while (value > 0x7f) {
      this.bytes += String.fromCharCode((value % 0x80) | 0x80)
      value = Math.floor(value / 0x80)
    }
    this.bytes += String.fromCharCode(value)
  }

  text(value: string): void {
    let utf8 = ''
    for (const byte of new TextEncoder().encode(value)) utf8 += String.fromCharCode(byte)
    this.number(utf8.length)
    this.bytes += utf8
  }

  /** A number that may be negative. */
  signed(value: number): void {
    this.number(value < 0 ? -value * 2 - 1 : value * 2)
  }

  hash(digits: string): void {
    this.bytes += from_hex(digits)
  }
}

class Reader {
  private at = 0
  constructor(private readonly bytes: string) {}

  private byte(): number {
    if (this.at >= this.bytes.length) throw damaged()
    return this.bytes.charCodeAt(this.at++)
  }

  number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      if (scale > 2 ** 42) throw damaged()
    }
  }

  private take(length: number): string {
    if (length > this.bytes.length - this.at) throw damaged()
    this.at += length
    return this.bytes.slice(this.at - length, this.at)
  }

  text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.take(this.number()), (char) => char.charCodeAt(0)))
  }

  signed(): number {
    const value = this.number()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** As many items as the number that comes next says. */
  list<T>(item: () => T): T[] {
    const length = this.number()
    if (length > this.bytes.length) throw damaged()
    return Array.from({ length }, item)
  }

  hash(): string {
    return to_hex(this.take(HASH_DIGITS / 2))
  }

  get ended(): boolean {
    return this.at === this.bytes.length
  }
}

const damaged = () =>
  new TokenError(
    'damaged',
    'the token is damaged or cut short: copy it again, whole, from "toct1." to its end',
  )

const checksum = (bytes: string): string => sha256(bytes).slice(0, SUM_DIGITS)

const from_hex = (digits: string): string =>
  digits.replace(/../g, (hex) => String.fromCharCode(Number.parseInt(hex, 16)))

const to_hex = (bytes: string): string =>
  [...bytes].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')

// --- the token -------------------------------------------------------------------------------------------

/** The token of an execution: one word of letters, digits, `-`, `_` and one dot. */
export function encode_token(token: Omit<Token, 'version'> & { readonly version?: string }): string {
  const writer = new Writer()
  writer.text(token.version ?? VERSION)
  writer.text(token.scenario)
  writer.hash(token.hash)
  writer.number(token.index)
  write_removals(writer, token.removed)
  write_schedule(writer, token.schedule)
  const summed = from_hex(checksum(writer.bytes)) + writer.bytes
  return PREFIX + btoa(summed).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}

/** Calls that were left out and gave the same, one after the other in a program: forwards or backwards. */
interface Run {
  readonly first: Removal
  length: number
  step: number
}

function runs_of(removed: readonly Removal[]): Run[] {
  const runs: Run[] = []
  for (const removal of removed) {
    const last = runs[runs.length - 1]
    if (last !== undefined && goes_on(last, removal)) {
      last.step = removal.op - (last.first.op + last.step * (last.length - 1))
      last.length++
    } else runs.push({ first: removal, length: 1, step: 0 })
  }
  return runs
}

function goes_on({ first, length, step }: Run, next: Removal): boolean {
  const by = next.op - (first.op + step * (length - 1))
  if (next.task !== first.task || Math.abs(by) !== 1 || (length > 1 && by !== step)) return false
  const same_fields = (first.fields ?? []).join() === (next.fields ?? []).join()
  return next.ret === first.ret && next.data === first.data && same_fields
}

/** Runs of calls; a token is short because most of them gave nothing that anybody asks for. */
function write_removals(writer: Writer, removed: readonly Removal[]): void {
  const runs = runs_of(removed)
  writer.number(runs.length)
  for (const { first, length, step } of runs) {
    writer.number(first.task)
    writer.number(first.op)
    writer.signed(step < 0 ? -length : length)
    write_given(writer, first)
  }
}

/** Which of the following there is, as a sum. */
const RET = 1
const DATA = 2
const FIELDS = 4

/** What a call had given; of a structure's fields only those that are not 0. */
function write_given(writer: Writer, { ret, data, fields }: Removal): void {
  const known = (fields ?? []).flatMap((value, at) => (value === 0 ? [] : [{ at, value }]))
  writer.number((ret === 0 ? 0 : RET) | (data === undefined ? 0 : DATA) | (known.length === 0 ? 0 : FIELDS))
  if (ret !== 0) writer.signed(ret)
  if (data !== undefined) writer.text(data)
  if (known.length === 0) return
  writer.number(known.length)
  for (const { at, value } of known) {
    writer.number(at)
    writer.signed(value)
  }
}

/** No program has more calls; a damaged token must not fill the memory. */
const MOST_REMOVED = 1_000_000

function read_removals(reader: Reader): Removal[] {
  const removed: Removal[] = []
  for (let runs = reader.number(); runs > 0; runs--) {
    const [task, op, length] = [reader.number(), reader.number(), reader.signed()]
    const given = read_given(reader)
    if (removed.length + Math.abs(length) > MOST_REMOVED || op + length < -1) throw damaged()
    for (let i = 0; i < Math.abs(length); i++)
      removed.push({ task, op: op + Math.sign(length) * i, ...given })
  }
  return removed
}

function read_given(reader: Reader): Omit<Removal, 'task' | 'op'> {
  const which = reader.number()
  const ret = (which & RET) === 0 ? 0 : reader.signed()
  const data = (which & DATA) === 0 ? '' : reader.text()
  if (/[\u0100-\uffff]/.test(data)) throw damaged()
  return {
    ret,
    ...(data === '' ? {} : { data }),
    ...((which & FIELDS) === 0 ? {} : { fields: read_fields(reader) }),
  }
}

function read_fields(reader: Reader): number[] {
  const fields: number[] = []
  for (const { at, value } of reader.list(() => ({ at: reader.number(), value: reader.signed() }))) {
    if (at > 1000) throw damaged()
    while (fields.length <= at) fields.push(0)
    fields[at] = value
  }
  return fields
}

/** Runs of one task; then the moves that got another answer than 0. */
function write_schedule(writer: Writer, schedule: Schedule): void {
  const runs: { task: number; length: number }[] = []
  for (const { task } of schedule) {
    const last = runs[runs.length - 1]
    if (last?.task === task) last.length++
    else runs.push({ task, length: 1 })
  }
  writer.number(runs.length)
  for (const { task, length } of runs) {
    writer.number(task)
    writer.number(length)
  }
  const chosen = schedule.flatMap(({ choice }, at) => (choice === 0 ? [] : [{ at, choice }]))
  writer.number(chosen.length)
  for (const { at, choice } of chosen) {
    writer.number(at)
    writer.number(choice)
  }
}

/** No schedule that a search finds is longer; a few bytes of a damaged token must not fill the memory. */
const LONGEST = 1_000_000

function read_schedule(reader: Reader): Move[] {
  const moves: Move[] = []
  for (let runs = reader.number(); runs > 0; runs--) {
    const task = reader.number()
    const length = reader.number()
    if (moves.length + length > LONGEST) throw damaged()
    const move = { task, choice: 0 }
    for (let i = 0; i < length; i++) moves.push(move)
  }
  for (let chosen = reader.number(); chosen > 0; chosen--) {
    const at = reader.number()
    const move = moves[at]
    if (move === undefined) throw damaged()
    moves[at] = { ...move, choice: reader.number() }
  }
  return moves
}

/** Whether a word is meant to be a token, whole or not. */
export function looks_like_token(word: string): boolean {
  return word.startsWith('toct') && !/[/\\]/.test(word) && !/\.(json|[cm]?[jt]s)$/.test(word)
}

/**
 * Reads a token. Blanks and line ends that a mail program put into it do no harm.
 *
 * @throws TokenError, in order: not a token, damaged, other version
 */
export function decode_token(given: string): Token {
  const word = given.replace(/\s+/g, '')
  if (!word.startsWith(PREFIX)) {
    const other = /^toct(\d+)\./.exec(word)
    if (other !== null) {
      throw new TokenError(
        'other version',
        `the token has format ${other[1]}, which this version of toctoscope (${VERSION}) does not read`,
      )
    }
    throw new TokenError('not a token', `not a replay token: a token begins with "${PREFIX}"`)
  }
  const reader = new Reader(checked(word.slice(PREFIX.length)))
  const version = reader.text()
  if (version !== VERSION) {
    // Whoever made the token up must not choose what is typed next.
    if (!/^\d{1,9}(\.\d{1,9}){2}$/.test(version)) throw damaged()
    throw new TokenError(
      'other version',
      `the token was made by toctoscope ${version}, and this is ${VERSION}: the same schedule need not mean the same there; run "npx toctoscope@${version} replay …", or explore again`,
    )
  }
  const token = {
    version,
    scenario: reader.text(),
    hash: reader.hash(),
    index: reader.number(),
    removed: read_removals(reader),
    schedule: read_schedule(reader),
  }
  if (!reader.ended) throw damaged()
  return token
}

/** The bytes behind the checksum. */
function checked(text: string): string {
  if (!/^[\w-]+$/.test(text)) throw damaged()
  let bytes: string
  try {
    bytes = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
  } catch {
    throw damaged()
  }
  const sum = SUM_DIGITS / 2
  if (bytes.length <= sum || to_hex(bytes.slice(0, sum)) !== checksum(bytes.slice(sum))) throw damaged()
  return bytes.slice(sum)
}

/**
 * The place in a scenario of the case that a token means.
 *
 * @returns the index into `form.cases`
 * @throws TokenError if the scenario is another one, or has changed since
 */
export function find_case(
  token: Token,
  form: ScenarioForm,
  hash: (form: CaseForm) => string = case_hash,
): number {
  if (form.name !== token.scenario) {
    throw new TokenError(
      'other scenario',
      `the token is of the scenario ${token.scenario}, and this one is ${form.name}`,
    )
  }
  const there = form.cases[token.index]
  if (there !== undefined && hash(there) === token.hash) return token.index
  const found = form.cases.findIndex((each) => hash(each) === token.hash)
  if (found >= 0) return found
  throw new TokenError(
    'changed scenario',
    `the scenario ${form.name} has changed since the token was made: its case is no longer among the ${form.cases.length}; explore it again`,
  )
}

/** Arguments as people write them, and as the functions of calls get them. */
import { nearest } from './spelling.js'
import {
  type Argument,
  argument_kinds,
  holds,
  NULL_POINTER,
  type Parameter,
  place_of_count,
  type ResultKind,
  type Syscall,
} from './syscall.js'

/** What is wrong with an argument, for people: which, what was expected. */
export class ArgumentError extends Error {}

/** Beyond this a number is not exact here, and is none of those that C has. */
function beyond(param: Parameter, given: number | string): ArgumentError {
  return new ArgumentError(`${param.name}: ${given} is beyond 2^53 - 1, the largest that the model carries`)
}

function decode_number(param: Parameter, given: unknown): number {
  if (typeof given === 'boolean') return given ? 1 : 0
  if (given === null) return 0
  if (typeof given === 'string') return decode_words(param, given)
  if (typeof given !== 'number')
    throw new ArgumentError(`${param.name}: expected a number or constants joined by |`)
  if (!Number.isFinite(given)) throw new ArgumentError(`${param.name}: ${given} is not a number that C has`)
  const whole = Math.trunc(given)
  // What is not safe has been rounded already, by JSON.parse: nobody knows any more what was meant.
  if (!Number.isSafeInteger(whole)) throw beyond(param, given)
  return argument_kinds[param.kind].wide ? whole : whole | 0
}

/** Numbers as C writes them, and names of constants, joined by |. */
function decode_words(param: Parameter, given: string): number {
  let constants = 0
  let numbers = 0n
  for (const word of given.split('|').map((part) => part.trim())) {
    const number = literal(word)
    if (number !== null) numbers |= number
    else if (param.constants !== undefined && Object.hasOwn(param.constants, word))
      constants |= param.constants[word]!
    else
      throw new ArgumentError(
        `${param.name}: ${JSON.stringify(word)} is not a constant that ${param.name} knows${meant(word, param)}`,
      )
  }
  if (numbers !== BigInt.asUintN(64, numbers) && numbers !== BigInt.asIntN(64, numbers))
    throw beyond(param, given)
  const value = BigInt.asIntN(argument_kinds[param.kind].wide ? 64 : 32, numbers | BigInt(constants))
  if (!Number.isSafeInteger(Number(value))) throw beyond(param, given)
  return Number(value)
}

/** The value of a number of C: decimal, octal with a 0 before it, hexadecimal; null for another word. */
function literal(word: string): bigint | null {
  const parts = /^(-?)(?:(0x[0-9a-f]+)|0o?([0-7]+)|(0|[1-9]\d*))$/i.exec(word)
  if (parts === null) return null
  const [, sign, hex, octal, decimal] = parts
  const value = BigInt(hex ?? (octal !== undefined ? `0o${octal}` : decimal!))
  return sign === '' ? value : -value
}

/** Only the nearest: a call may know twenty. */
function meant(word: string, { constants = {} }: Parameter): string {
  const near = nearest(word, Object.keys(constants))
  return near === undefined ? '' : `; did you mean ${near}?`
}

function decode_bytes(param: Parameter, given: object | string | number | boolean): string {
  if (typeof given === 'string') return utf8_bytes(given)
  const { base64 } = given as { base64?: unknown }
  if (typeof base64 === 'string') {
    try {
      return atob(base64)
    } catch {
      throw new ArgumentError(`${param.name}: not base64`)
    }
  }
  throw new ArgumentError(`${param.name}: expected a string or {"base64": "…"}`)
}

/** An address as C writes it: a negative number is one near the end of 64 bits. */
export const hex_address = (at: number): string => `0x${BigInt.asUintN(64, BigInt(at)).toString(16)}`

/** Bits of an `int` as C writes them. */
export const hex_flags = (bits: number): string => `0x${(bits >>> 0).toString(16)}`

/** A string's UTF-8 bytes as a byte string: one character below 256 per byte. */
export function utf8_bytes(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
  if (/^[\x00-\x7f]*$/.test(text)) return text
  let bytes = ''
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte)
  return bytes
}

/** The text of a byte string; what is not UTF-8 in it becomes U+FFFD. */
export function utf8_text(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)))
}

/** Decodes one argument. @throws ArgumentError naming it and what was expected */
export function decode_argument(param: Parameter, given: unknown): Argument {
  if (given === undefined) {
    if (param.missing !== undefined) return param.missing
    throw new ArgumentError(`${param.name} is missing`)
  }
  switch (holds(param)) {
    case 'number':
      return decode_number(param, given)
    case 'string':
      if (given === null) return NULL_POINTER
      if (typeof given !== 'string') throw new ArgumentError(`${param.name}: expected a string or null`)
      return utf8_bytes(given.split('\0')[0]!)
    case 'bytes':
      return given === null ? null : decode_bytes(param, given)
    case 'strings':
      if (given === null) return []
      if (!Array.isArray(given) || given.some((each) => typeof each !== 'string')) {
        throw new ArgumentError(`${param.name}: expected a list of strings or null`)
      }
      return given
  }
}

/**
 * Arguments at the places of their parameters: where there is one less than may be, and a count of bytes does not stand
 * last, it is the count that was left out.
 */
export function at_places<T>(syscall: Syscall, given: readonly T[]): readonly (T | undefined)[] {
  const { params } = syscall
  const count = place_of_count(syscall)
  if (given.length !== params.length - 1 || count < 0 || count === params.length - 1) return given
  return [...given.slice(0, count), undefined, ...given.slice(count)]
}

/**
 * Decodes arguments as people write them: one for each parameter of the call.
 *
 * @throws ArgumentError naming the argument and what was expected
 */
export function decode_each(call: Syscall, given: readonly unknown[]): Argument[] {
  if (given.length > call.params.length) {
    throw new ArgumentError(`${call.name} takes ${call.params.length} arguments, not ${given.length}`)
  }
  const placed = at_places(call, given)
  return call.params.map((param, i) => decode_argument(param, placed[i]))
}

/** Turns arguments as people write them into the locals of the call's function. @throws ArgumentError */
export function decode_arguments(call: Syscall, given: readonly unknown[]): object {
  return call.locals(...decode_each(call, given))
}

/** What a call gives if it succeeds, by its arguments as people write them. */
export function kind_of_result(syscall: Syscall, given: readonly unknown[]): ResultKind {
  const { returns, returns_with } = syscall
  if (returns_with === undefined) return returns
  const { flag } = returns_with
  const is_set = syscall.params.some(
    (param, i) =>
      param.constants?.[flag] !== undefined && (number_of(param, given[i]) & param.constants[flag]) !== 0,
  )
  return is_set ? returns_with.returns : returns
}

/** The value of an argument that may be written wrongly, or be known later only: then 0. */
function number_of(param: Parameter, given: unknown): number {
  try {
    return Number(decode_argument(param, given))
  } catch (error) {
    if (error instanceof ArgumentError) return 0
    throw error
  }
}

/**
 * System calls by name, with the arguments of the C library's functions in their order.
 *
 * Two liberties are taken, the same for scenarios and the shell: where C passes a buffer to be filled only
 * its length is given, and what was put into it comes back with the result (`user_buffer`); bytes to be
 * written are a string, and their length follows as in C or may be left out.
 */
import type { Fn } from './kernel.js'
import { nearest } from './spelling.js'

/** Names of constants that an argument may be given by, joined by `|`. */
export type Constants = Readonly<Record<string, number>>

export interface Parameter {
  readonly name: string
  /**
   * `int`: a number or constants. `string`: a path or name (null is a bad pointer). `bytes`: data to write.
   * `strings`: an argument vector (null is an empty one). `struct`: an object with the C field names.
   */
  readonly kind: 'int' | 'string' | 'bytes' | 'strings' | 'struct'
  readonly constants?: Constants
  /** A number of 64 bits in C (off_t, size_t, unsigned long, a pointer). Others have 32: what does not fit wraps. */
  readonly wide?: true
  /** What a left-out argument means; without it the argument must be given. */
  readonly missing?: Argument
}

/** An argument as the call gets it: constants are resolved; a null string is `NULL_POINTER`. */
export type Argument = number | string | readonly string[] | null | Readonly<Record<string, number>>

export interface Syscall {
  readonly name: string
  readonly params: readonly Parameter[]
  readonly fn: Fn
  /** Values of the function's locals, from decoded arguments in the order of `params`. */
  readonly locals: (...args: any[]) => object
  /**
   * What a success gives: a plain number, a new descriptor, bytes (their count is the result, the bytes
   * stand in the task's `user_buffer`), an address, a task, or a structure (the function returns the list
   * of its fields in this order; the result is 0).
   */
  readonly returns: 'int' | 'fd' | 'bytes' | 'address' | 'task' | { readonly struct: readonly string[] }
}

const syscalls = new Map<string, Syscall>()

export function define_syscall(call: Syscall): void {
  if (syscalls.has(call.name)) throw new Error(`system call ${call.name} is defined twice`)
  syscalls.set(call.name, call)
}

export function syscall_named(name: string): Syscall | undefined {
  return syscalls.get(name)
}

export function all_syscalls(): readonly Syscall[] {
  return [...syscalls.values()]
}

/** A string argument of NULL, as functions see it: no file name contains a NUL byte. */
export const NULL_POINTER = '\0'
/** A buffer to be written that is NULL: no byte string has this character, and "\0" is a fine byte to write. */
export const NULL_BYTES = '\u0100'

/** What is wrong with an argument, for people: which, what was expected. */
export class ArgumentError extends Error {}

/** Beyond this a number is not exact here, and is none of those that C has. */
function beyond(param: Parameter, given: number | string): ArgumentError {
  return new ArgumentError(`${param.name}: ${given} is beyond 2^53 - 1, the largest that the model carries`)
}

function decode_int(param: Parameter, given: unknown): number {
  if (typeof given === 'boolean') return given ? 1 : 0
  if (given === null) return 0
  if (typeof given === 'string') return decode_words(param, given)
  if (typeof given !== 'number')
    throw new ArgumentError(`${param.name}: expected a number or constants joined by |`)
  if (!Number.isFinite(given)) throw new ArgumentError(`${param.name}: ${given} is not a number that C has`)
  const whole = Math.trunc(given)
  // What is not safe has been rounded already, by JSON.parse: nobody knows any more what was meant.
  if (!Number.isSafeInteger(whole)) throw beyond(param, given)
  return param.wide ? whole : whole | 0
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
  if (numbers === 0n) return constants
  if (numbers !== BigInt.asUintN(64, numbers) && numbers !== BigInt.asIntN(64, numbers))
    throw beyond(param, given)
  const value = BigInt.asIntN(param.wide ? 64 : 32, numbers | BigInt(constants))
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

function decode_bytes(param: Parameter, given: unknown): string {
  if (typeof given === 'string') return utf8_bytes(given)
  if (
    typeof given === 'object' &&
    given !== null &&
    typeof (given as { base64?: unknown }).base64 === 'string'
  ) {
    try {
      return atob((given as { base64: string }).base64)
    } catch {
      throw new ArgumentError(`${param.name}: not base64`)
    }
  }
  throw new ArgumentError(`${param.name}: expected a string or {"base64": "…"}`)
}

/** An address as C writes it: a negative number is one near the end of 64 bits. */
export const hex_address = (at: number): string => `0x${BigInt.asUintN(64, BigInt(at)).toString(16)}`

/** Bits of an `int` as C writes them. */
export const hex_flags = (bits: number): string => `0x${(bits < 0 ? bits >>> 0 : bits).toString(16)}`

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
  switch (param.kind) {
    case 'int':
      return decode_int(param, given)
    case 'string':
      if (given === null) return NULL_POINTER
      if (typeof given !== 'string') throw new ArgumentError(`${param.name}: expected a string or null`)
      return utf8_bytes(given.split('\0')[0]!)
    case 'bytes':
      return given === null ? NULL_BYTES : decode_bytes(param, given)
    case 'strings':
      if (given === null) return []
      if (!Array.isArray(given) || given.some((each) => typeof each !== 'string')) {
        throw new ArgumentError(`${param.name}: expected a list of strings or null`)
      }
      return given
    case 'struct':
      if (typeof given !== 'object' || given === null)
        throw new ArgumentError(`${param.name}: expected an object`)
      return given as Readonly<Record<string, number>>
  }
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
  return call.params.map((param, i) => decode_argument(param, given[i]))
}

/** Turns arguments as people write them into the locals of the call's function. @throws ArgumentError */
export function decode_arguments(call: Syscall, given: readonly unknown[]): object {
  return call.locals(...decode_each(call, given))
}

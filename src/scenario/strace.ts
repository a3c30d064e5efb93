/** System calls in the notation that people read: strace's. */

import { hex_address, hex_flags, utf8_bytes } from '../kernel/decode.js'
import type { Kernel } from '../kernel/kernel.js'
import {
  type Constants,
  holds,
  NULL_POINTER,
  type Parameter,
  place_of_count,
  type Syscall,
} from '../kernel/syscall.js'
import { characters_of, escape_byte, is_seen } from './characters.js'
import { type CallInstruction, is_ref, value_of } from './code.js'

/** Bytes of a string that are shown before `...`, as strace -s 32 does. */
const SHOWN_BYTES = 32

/**
 * `openat(AT_FDCWD, "/m/s", O_RDONLY)`: the call with the arguments that it has in this run. Where C passes a buffer
 * its name stands, where it passes a structure nothing.
 */
export function show_call(k: Kernel, task: number, { syscall, args }: CallInstruction): string {
  const values = args.map((arg, i) => (is_ref(arg) ? value_of(k, task, arg, syscall.params[i]!) : arg))
  return show_values(syscall, values)
}

/**
 * As `show_call`, of arguments that are known.
 *
 * @param args   at the places of their parameters; those at the end may be left out
 * @param filled what stands where the kernel fills something
 */
export function show_values(syscall: Syscall, args: readonly unknown[], filled?: string): string {
  const { name, prototype } = syscall
  const count = place_of_count(syscall)
  // Left out is a count of bytes only where there are bytes.
  const given = Math.max(args.length, count >= 0 && args.length >= count ? count + 1 : 0)
  let at = -1
  const shown = prototype.flatMap((each) => {
    if (each.kind === 'filled') {
      const shows = filled ?? (each.struct === undefined ? each.name : undefined)
      return shows === undefined || at >= given ? [] : [shows]
    }
    if (++at >= given) return []
    if (at === count && args[at] === undefined) return [String(number_of_bytes(args[count - 1]))]
    return [show_argument(args[at], each)]
  })
  return `${name}(${shown.join(', ')})`
}

/** Bytes of an argument, whatever form it has. */
function bytes_of(arg: unknown): string {
  if (typeof arg === 'string') return utf8_bytes(arg)
  return arg === null || arg === undefined ? '' : atob((arg as { base64: string }).base64)
}

const number_of_bytes = (arg: unknown): number => bytes_of(arg).length

function show_argument(arg: unknown, param: Parameter): string {
  if (arg === null || arg === undefined || arg === NULL_POINTER) return 'NULL'
  switch (holds(param)) {
    case 'number':
      return typeof arg === 'number' ? show_number(arg, param) : String(arg)
    case 'strings':
      return Array.isArray(arg)
        ? `[${arg.map((each) => quote(utf8_bytes(String(each)))).join(', ')}]`
        : 'NULL'
    default:
      return quote(bytes_of(arg))
  }
}

/** Addresses of mappings are the only numbers as large as this. */
const LOWEST_ADDRESS = 2 ** 40

/** An address as C prints it; other numbers as they are. */
export const show_address = (value: number): string =>
  value >= LOWEST_ADDRESS ? hex_address(value) : String(value)

function show_number(value: number, param: Parameter): string {
  const { kind, constants } = param
  if (kind === 'mode') return value === 0 ? '0' : `0${value.toString(8)}`
  if (value >= LOWEST_ADDRESS) return show_address(value)
  if (kind === 'address' && value === 0) return 'NULL'
  return constants === undefined ? String(value) : by_names(value, constants)
}

/**
 * A number as an or of constants, in the order in which the call has them. Constants of several bits are looked for
 * before those that they consist of.
 */
function by_names(value: number, constants: Constants): string {
  const exact = Object.entries(constants).find(([, constant]) => constant === value)
  if (exact !== undefined) return exact[0]
  const found = new Set<string>()
  let rest = value
  const sorted = Object.entries(constants).sort(([, a], [, b]) => b - a)
  for (const [name, constant] of sorted) {
    if (constant <= 0 || (rest & constant) !== constant) continue
    found.add(name)
    rest &= ~constant
  }
  const names = Object.keys(constants).filter((name) => found.has(name))
  if (names.length === 0) return String(value)
  return rest === 0 ? names.join('|') : [...names, hex_flags(rest)].join('|')
}

/** A string of bytes as C would write it, with its UTF-8 as it is, cut after `limit` bytes. */
export function quote(bytes: string, limit = SHOWN_BYTES): string {
  let text = ''
  let at = 0
  for (const { bytes: taken, char } of characters_of(bytes)) {
    if (at + taken.length > limit) return `"${text}"...`
    at += taken.length
    text += taken.length > 1 && is_seen(char!) ? char : escaped(taken, bytes.charCodeAt(at))
  }
  return `"${text}"`
}

function escaped(bytes: string, next: number): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++)
    text += escape_byte(bytes.charCodeAt(i), i + 1 < bytes.length ? bytes.charCodeAt(i + 1) : next)
  return text
}

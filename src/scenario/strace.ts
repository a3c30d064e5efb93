/** System calls in the notation that people read: strace's. */
import type { Kernel } from '../kernel/kernel.js'
import {
  type Constants,
  hex_address,
  hex_flags,
  NULL_POINTER,
  type Parameter,
  utf8_bytes,
} from '../kernel/syscall.js'
import { characters_of, escape_byte, is_seen } from './characters.js'
import { type CallInstruction, is_ref, result } from './code.js'

const AT_FDCWD = -100
/** Bytes of a string that are shown before `...`, as strace -s 32 does. */
const SHOWN_BYTES = 32

/** `openat(AT_FDCWD, "/m/s", O_RDONLY)`: the call with the arguments that it has in this run. */
export function show_call(k: Kernel, task: number, call: CallInstruction): string {
  const { params, name } = call.syscall
  const args = call.args.map((arg, i) => {
    const param = params[i]!
    if (is_ref(arg)) return show_argument(value_of(k, task, arg as never, param), param)
    return show_argument(typeof arg === 'string' && param.kind !== 'int' ? utf8_bytes(arg) : arg, param)
  })
  return `${name}(${as_in_c(call, args).join(', ')})`
}

/** The buffer and the length of bytes, which stand in C's functions and may be left out here. */
function as_in_c(call: CallInstruction, args: readonly string[]): readonly string[] {
  const { params, returns } = call.syscall
  const count = params.findIndex(({ name }) => /^(count|bufsiz|size|nbytes)$/.test(name))
  if (returns === 'bytes' && count > 0) return [...args.slice(0, count), 'buf', ...args.slice(count)]
  const data = params.findIndex(({ kind }) => kind === 'bytes')
  const given = call.args[data]
  if (data < 0 || args.length === params.length || is_ref(given)) return args
  const bytes = typeof given === 'string' ? utf8_bytes(given) : atob((given as { base64: string }).base64)
  return [...args.slice(0, data + 1), String(bytes.length), ...args.slice(data + 1)]
}

/** The value of a symbolic argument: what C would have in the variable; a failed call leaves -1. */
function value_of(k: Kernel, task: number, ref: { slot: number; field: number }, param: Parameter): unknown {
  const row = result.find(k, task, ref.slot)
  if (ref.field >= 0) return row?.fields[ref.field] ?? 0
  if (param.kind === 'bytes' || param.kind === 'string') return row?.data ?? ''
  return row === undefined || row.ret < 0 ? -1 : row.ret
}

function show_argument(arg: unknown, param: Parameter): string {
  if (arg === null || arg === undefined || arg === NULL_POINTER) return 'NULL'
  switch (param.kind) {
    case 'int':
      return typeof arg === 'number' ? show_number(arg, param) : String(arg)
    case 'strings':
      return Array.isArray(arg)
        ? `[${arg.map((each) => quote(utf8_bytes(String(each)))).join(', ')}]`
        : 'NULL'
    case 'string':
    case 'bytes':
      if (typeof arg === 'string') return quote(arg)
      return quote(atob((arg as { base64: string }).base64))
    case 'struct':
      return JSON.stringify(arg)
  }
}

/** Addresses of mappings are the only numbers as large as this. */
const LOWEST_ADDRESS = 2 ** 40

/** An address as C prints it; other numbers as they are. */
export const show_address = (value: number): string =>
  value >= LOWEST_ADDRESS ? hex_address(value) : String(value)

function show_number(value: number, param: Parameter): string {
  if (value >= LOWEST_ADDRESS) return show_address(value)
  if (param.name === 'mode' || param.name === 'umask') return value === 0 ? '0' : `0${value.toString(8)}`
  if (param.name === 'addr' && value === 0) return 'NULL'
  if (value === AT_FDCWD && /^(dirfd|dfd|olddirfd|newdirfd)$/.test(param.name)) return 'AT_FDCWD'
  return param.constants === undefined ? String(value) : by_names(value, param.constants)
}

/** A number as an or of constants. Constants of several bits come before those that they consist of. */
function by_names(value: number, constants: Constants): string {
  const exact = Object.entries(constants).find(([, constant]) => constant === value)
  if (exact !== undefined) return exact[0]
  const names: string[] = []
  let rest = value
  const sorted = Object.entries(constants).sort(([, a], [, b]) => b - a)
  for (const [name, constant] of sorted) {
    if (constant <= 0 || (rest & constant) !== constant) continue
    names.unshift(name)
    rest &= ~constant
  }
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

/**
 * System calls as people type them, in the notation of C and strace:
 *
 *     openat(AT_FDCWD, "/m/s", O_RDWR|O_CREAT, 0644)
 *     2: execveat(3, "", ["s"], NULL, AT_EMPTY_PATH|AT_EXECVE_CHECK)
 *
 * A buffer that C fills (`buf`, `&st`) may be typed where it stands in C, and means nothing here.
 */
import { all_syscalls, holds, type Parameter, type Syscall, syscall_named } from '../kernel/syscall.js'
import { suggestion } from '../scenario/error.js'
import { RequestError } from './answer.js'

export interface TypedCall {
  /** The task that makes it, where one is named. */
  readonly task: number | null
  readonly syscall: Syscall
  /** As `decode_arguments` takes them. */
  readonly args: readonly unknown[]
}

type Token =
  | { readonly kind: 'punct' | 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly bytes: string; readonly text: string; readonly at: number }

const token_pattern =
  /\s*(?:("(?:[^"\\]|\\[\s\S])*")|(-?[A-Za-z0-9_&.][\w.]*(?:\s*\|\s*[\w]+)*)|([(),[\]{}=;:]))/y

/** @throws RequestError with the place */
function tokens_of(line: string): Token[] {
  const tokens: Token[] = []
  token_pattern.lastIndex = 0
  let at = 0
  while (line.slice(at).trim() !== '') {
    token_pattern.lastIndex = at
    const found = token_pattern.exec(line)
    const start = at + (/^\s*/.exec(line.slice(at))?.[0].length ?? 0)
    if (found === null) throw new RequestError(problem_at(line, start))
    const [, string, word, punct] = found
    if (string !== undefined)
      tokens.push({ kind: 'string', bytes: unescape_c(string), text: string, at: start })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word.replace(/\s+/g, ''), at: start })
    else tokens.push({ kind: 'punct', text: punct!, at: start })
    at = token_pattern.lastIndex
  }
  return tokens
}

function problem_at(line: string, at: number): string {
  const what = line[at] === '"' ? 'a string that does not end' : `${JSON.stringify(line[at])} is not expected`
  return `column ${at + 1}: ${what}`
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  e: '\x1b',
}

/** The bytes of a string of C: its text is UTF-8, escapes are bytes. */
function unescape_c(literal: string): string {
  let bytes = ''
  const pattern = /\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})|\\([\s\S])|([^\\]+)/g
  for (const [, hex, octal, char, plain] of literal.slice(1, -1).matchAll(pattern)) {
    if (hex !== undefined) bytes += String.fromCharCode(Number.parseInt(hex, 16))
    else if (octal !== undefined) bytes += String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
    else if (char !== undefined) bytes += escapes[char] ?? utf8(char)
    else bytes += utf8(plain!)
  }
  return bytes
}

const utf8 = (text: string): string =>
  [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join('')

/** Reads tokens one after another. */
class Reader {
  private at = 0
  constructor(
    private readonly line: string,
    private readonly tokens: readonly Token[],
  ) {}

  peek(): Token | undefined {
    return this.tokens[this.at]
  }

  next(expected: string): Token {
    const token = this.tokens[this.at++]
    if (token === undefined) throw new RequestError(`column ${this.line.length + 1}: expected ${expected}`)
    return token
  }

  /** Takes this sign, if it comes. */
  took(text: string): boolean {
    const token = this.peek()
    if (token?.kind !== 'punct' || token.text !== text) return false
    this.at++
    return true
  }

  expect(text: string): void {
    const token = this.next(text)
    if (token.kind !== 'punct' || token.text !== text) throw this.unexpected(token, text)
  }

  unexpected(token: Token, expected: string): RequestError {
    return new RequestError(`column ${token.at + 1}: expected ${expected}, not ${token.text}`)
  }
}

/** A typed value, before it is known what it is to be. */
type Value = Token | readonly Value[]

function read_value(reader: Reader): Value {
  if (reader.took('[')) return read_list(reader, ']')
  if (reader.took('{')) return read_list(reader, '}')
  const token = reader.next('an argument')
  if (token.kind === 'punct') throw reader.unexpected(token, 'an argument')
  return token
}

function read_list(reader: Reader, end: string): Value[] {
  const values: Value[] = []
  while (!reader.took(end)) {
    if (values.length > 0) reader.expect(',')
    values.push(read_value(reader))
  }
  return values
}

/** What C fills: it stands there, and is not an argument here. */
const is_buffer = (value: Value): boolean =>
  'kind' in value && value.kind === 'word' && /^(&\w+|buf|buffer|st|statbuf|sb)$/.test(value.text)

const is_null = (value: Value): boolean => 'kind' in value && value.kind === 'word' && value.text === 'NULL'

/** What the value of a parameter is, as JSON would have it. @throws RequestError */
function argument(param: Parameter, value: Value): unknown {
  if (is_null(value)) return null
  if (!('kind' in value)) {
    if (param.kind !== 'strings') throw new RequestError(`${param.name}: a list is not expected here`)
    // An argument vector may end with NULL, as in C.
    return value.filter((each) => !is_null(each)).map((each) => string_of(param, each))
  }
  if (holds(param) === 'number') {
    if (value.kind === 'string')
      throw new RequestError(`${param.name}: expected a number or constants, not a string`)
    return value.text
  }
  if (param.kind === 'bytes' && value.kind === 'string') return { base64: btoa(value.bytes) }
  return string_of(param, value)
}

function string_of(param: Parameter, value: Value): string {
  if (!('kind' in value) || value.kind !== 'string')
    throw new RequestError(`${param.name}: expected a string in double quotes, or NULL`)
  const bytes = Uint8Array.from(value.bytes, (char) => char.charCodeAt(0))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new RequestError(`${param.name}: names are UTF-8, and these bytes are not`)
  }
}

/** Whether a line is meant to be a call, and not a command of the shell. */
export const looks_like_call = (line: string): boolean => /^\s*(\d+\s*:\s*)?[A-Za-z_]\w*\s*\(/.test(line)

/**
 * Reads a call. What stands behind it is skipped if it is a result (`= 3`) or a semicolon, so that lines of
 * strace can be pasted.
 *
 * @throws RequestError with the column or the argument
 */
export function parse_call(line: string): TypedCall {
  const reader = new Reader(line, tokens_of(without_result(line)))
  let first = reader.next('a system call')
  let task: number | null = null
  if (/^\d+$/.test(first.text)) {
    task = Number(first.text)
    reader.expect(':')
    first = reader.next('a system call')
  }
  const syscall = call_named(first)
  reader.expect('(')
  const values = read_list(reader, ')').filter((value) => !is_buffer(value))
  reader.took(';')
  const rest = reader.peek()
  if (rest !== undefined) throw reader.unexpected(rest, 'the end of the line')
  if (values.length > syscall.params.length)
    throw new RequestError(`${syscall.name} takes ${syscall.params.length} arguments, not ${values.length}`)
  return { task, syscall, args: values.map((value, i) => argument(syscall.params[i]!, value)) }
}

function call_named(token: Token): Syscall {
  const found = syscall_named(token.text)
  if (found !== undefined) return found
  const names = all_syscalls().map(({ name }) => name)
  const hint = token.text.length > 64 ? '' : suggestion(token.text, names)
  throw new RequestError(`no system call ${token.text} is modelled${hint}`)
}

/** A line of strace without what stands behind the call's last parenthesis: ` = -1 ENOENT (No such file…)`. */
function without_result(line: string): string {
  const result = /\)\s*=\s*(-?\d|0x|\?)[^"]*$/.exec(line)
  return result === null ? line : line.slice(0, result.index + 1)
}

/** `openat(dirfd, pathname, flags, mode)`: how a call is typed. */
export function prototype({ name, params }: Syscall): string {
  const names = params.map((param) => (param.missing === undefined ? param.name : `[${param.name}]`))
  return `${name}(${names.join(', ')})`
}

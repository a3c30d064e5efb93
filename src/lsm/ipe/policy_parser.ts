/**
 * The IPE policy language: every text is accepted or refused as the kernel does it, with the kernel's errno.
 * Beyond the kernel, which only gives the errno, an error says where it is and what was expected.
 *
 * The kernel reads bytes; a string stands for its UTF-8 bytes. The one byte beyond ASCII that has a meaning,
 * 0xA0 at a line's end (isspace of lib/ctype.c), can in UTF-8 only be the rest of a longer character, and a
 * line that ends in such a character is refused with the same errno whether or not the byte is cut off.
 */

import {
  IPE_OPS,
  type IpeAction,
  type IpeDigest,
  type IpeDigestName,
  type IpeFlagName,
  type IpeOp,
  type IpePolicy,
  type IpeProp,
  type IpeRule,
} from './policy.js'

export type { IpeAction, IpeDigest, IpeOp, IpeOpTable, IpePolicy, IpeProp, IpeRule } from './policy.js'

/** Why a policy is refused. */
export interface PolicyError {
  /** what the kernel's loader returns */
  readonly errno: 'EBADMSG' | 'EINVAL' | 'ERANGE'
  /** from 1; CR LF counts as one line end */
  readonly line: number
  /** from 1, in UTF-16 units, as editors count; one past the last character where something is missing */
  readonly column: number
  /** what is wrong and what was expected; control characters of the policy are escaped */
  readonly message: string
}

interface Position {
  readonly line: number
  readonly column: number
}

interface Token extends Position {
  readonly text: string
}

/** One line that is not empty, without its comment and trailing white space. */
interface Line {
  readonly tokens: readonly Token[]
  readonly last: Token
  readonly end: Position
}

/** The policy while it is being read, and the lines on which defaults were given. */
interface Draft {
  name: string
  version: [number, number, number]
  readonly rules: Record<IpeOp, { default_action: IpeAction | null; rules: IpeRule[] }>
  global_default_action: IpeAction | null
  readonly default_lines: Map<IpeOp | null, number>
}

const ACTIONS: readonly IpeAction[] = ['ALLOW', 'DENY']
const FLAGS: readonly IpeFlagName[] = ['boot_verified', 'dmverity_signature', 'fsverity_signature']
const DIGESTS: readonly IpeDigestName[] = ['dmverity_roothash', 'fsverity_digest']

const ACTION_WORDS = ACTIONS.map((action) => `action=${action}`)
const OP_WORDS = IPE_OPS.map((op) => `op=${op}`)
const FLAG_WORDS = FLAGS.flatMap((name) => [`${name}=TRUE`, `${name}=FALSE`])
const PROP_WORDS = [...FLAG_WORDS, ...DIGESTS.map((name) => `${name}=ALG:HEX`)]
const WORDS = ['DEFAULT', ...ACTION_WORDS, ...OP_WORDS, ...FLAG_WORDS]

const U16_MAX = 0xffffn
const U64_MAX = 0xffff_ffff_ffff_ffffn

function refuse(errno: PolicyError['errno'], at: Position, message: string): PolicyError {
  return { errno, line: at.line, column: at.column, message }
}

function is_error(value: object): value is PolicyError {
  return 'errno' in value
}

/** `count` characters further on in the same line. */
function shift(at: Position, count: number): Position {
  return { line: at.line, column: at.column + count }
}

/** A piece of the policy in an error message: short, and without anything that could upset a terminal. */
function show(text: string): string {
  const characters = [...text.slice(0, 100)]
  const cut = characters.length > 40 || text.length > 100
  const safe = characters
    .slice(0, 40)
    .map((c) => (/[\p{C}\p{Z}]/u.test(c) ? `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}` : c))
  return `'${safe.join('')}${cut ? '…' : ''}'`
}

/** Says so where a word only fails for its case, which is the commonest slip. */
function case_hint(text: string): string {
  const meant = WORDS.find((word) => word !== text && word.toUpperCase() === text.toUpperCase())
  return meant === undefined ? '' : `; case matters: ${meant}`
}

/**
 * lib/kstrtox.c: kstrtou16 with base 10. One leading '+' and leading zeros are allowed, '-', '0x' and spaces
 * are not. What does not fit 64 bits is out of range even with rubbish behind it; what fits 64 but not 16
 * only without.
 */
function parse_u16(text: string, at: Position): { value: number } | PolicyError {
  const digits = /^\+?([0-9]*)/.exec(text)?.[1] ?? ''
  const significant = digits.replace(/^0+/, '')
  // twenty digits hold every 64-bit number; no need to convert a megabyte of them
  const value = significant.length > 20 ? U64_MAX + 1n : BigInt(significant)
  const range = () => refuse('ERANGE', at, `version part ${show(text)} is greater than 65535`)
  if (value > U64_MAX) return range()
  if (digits === '') {
    return refuse(
      'EINVAL',
      at,
      `expected a number from 0 to 65535, found ${text === '' ? 'nothing' : show(text)}`,
    )
  }
  if (digits.length + (text.startsWith('+') ? 1 : 0) !== text.length) {
    return refuse('EINVAL', at, `expected a decimal number, found ${show(text)}`)
  }
  return value > U16_MAX ? range() : { value: Number(value) }
}

/** security/ipe/policy_parser.c: parse_version. Part after part, so an early bad part hides a wrong count. */
function parse_version(text: string, at: Position): { version: [number, number, number] } | PolicyError {
  const version: number[] = []
  let rest: string | null = text
  let here = at
  while (rest !== null) {
    if (version.length === 3)
      return refuse('EBADMSG', here, 'a version has three parts, MAJOR.MINOR.REVISION; found more')
    const dot: number = rest.indexOf('.')
    const part: string = dot < 0 ? rest : rest.slice(0, dot)
    const number = parse_u16(part, here)
    if (is_error(number)) return number
    version.push(number.value)
    here = shift(here, part.length + 1)
    rest = dot < 0 ? null : rest.slice(dot + 1)
  }
  const [major, minor, revision] = version
  if (major === undefined || minor === undefined || revision === undefined) {
    const message = `a version has three parts, MAJOR.MINOR.REVISION; ${show(text)} has ${version.length}`
    return refuse('EBADMSG', shift(at, text.length), message)
  }
  return { version: [major, minor, revision] }
}

/** The value of `key=VALUE`, or null: a key without a value is no match (lib/parser.c: match_one). */
function value_of(token: Token, key: string): string | null {
  const prefix = `${key}=`
  return token.text.startsWith(prefix) && token.text.length > prefix.length
    ? token.text.slice(prefix.length)
    : null
}

const HEADER_KEYS = ['policy_name', 'policy_version'] as const
const HEADER = 'policy_name=NAME policy_version=MAJOR.MINOR.REVISION'

/** security/ipe/policy_parser.c: parse_header. Exactly two words in this order. */
function parse_header(line: Line, draft: Draft): PolicyError | null {
  for (const [index, token] of line.tokens.entries()) {
    const key = HEADER_KEYS[index]
    if (key === undefined) {
      return refuse(
        'EBADMSG',
        token,
        `nothing may follow the version in the header, found ${show(token.text)}`,
      )
    }
    const value = value_of(token, key)
    if (value === null) {
      const message = `expected ${key}=…, found ${show(token.text)}; the first line is the header: ${HEADER}`
      return refuse('EBADMSG', token, message)
    }
    if (key === 'policy_name') {
      draft.name = value
    } else {
      const version = parse_version(value, shift(token, key.length + 1))
      if (is_error(version)) return version
      draft.version = version.version
    }
  }
  const missing = HEADER_KEYS[line.tokens.length]
  return missing === undefined
    ? null
    : refuse('EBADMSG', line.end, `the header lacks ${missing}=…; expected ${HEADER}`)
}

/**
 * security/ipe/digest.c: ipe_digest_parse. Name and length are free, either may be empty; digits are of
 * either case. An odd last digit is refused because the kernel rounds the length up and meets the string's
 * end (lib/hexdump.c: hex2bin).
 */
function parse_digest(text: string, at: Position): IpeDigest | PolicyError {
  const colon = text.indexOf(':')
  if (colon < 0) return refuse('EBADMSG', at, `a digest is written ALG:HEX; there is no ':' in ${show(text)}`)
  const hex = text.slice(colon + 1)
  const start = shift(at, colon + 1)
  const bad = hex.search(/[^0-9a-fA-F]/)
  if (bad >= 0) {
    const found = String.fromCodePoint(hex.codePointAt(bad) ?? 0)
    return refuse('EINVAL', shift(start, bad), `expected hexadecimal digits, found ${show(found)}`)
  }
  if (hex.length % 2 === 1) {
    const message = `a digest has two hexadecimal digits a byte; found ${hex.length} digits`
    return refuse('EINVAL', shift(start, hex.length), message)
  }
  return { alg: text.slice(0, colon), hex: hex.toLowerCase() }
}

/** What stands where a property should: words that have their place elsewhere are told where that is. */
function refuse_property(token: Token): PolicyError {
  const { text } = token
  if (text.startsWith('op='))
    return refuse('EBADMSG', token, `a rule has one op=, found a second: ${show(text)}`)
  if (text.startsWith('action='))
    return refuse('EBADMSG', token, `${show(text)} must be the last word of the rule`)
  if (text === 'DEFAULT') return refuse('EBADMSG', token, 'DEFAULT must be the first word of the line')
  const message = `unknown property ${show(text)}${case_hint(text)}; expected one of ${PROP_WORDS.join(', ')}`
  return refuse('EBADMSG', token, message)
}

/** security/ipe/policy_parser.c: parse_property. */
function parse_property(token: Token): IpeProp | PolicyError {
  for (const name of FLAGS) {
    if (token.text === `${name}=TRUE`) return { name, value: true }
    if (token.text === `${name}=FALSE`) return { name, value: false }
  }
  for (const name of DIGESTS) {
    const text = value_of(token, name)
    if (text === null) continue
    const value = parse_digest(text, shift(token, name.length + 1))
    return is_error(value) ? value : { name, value }
  }
  return refuse_property(token)
}

/** security/ipe/policy_parser.c: parse_operation. */
function parse_operation(token: Token): { op: IpeOp } | PolicyError {
  const { text } = token
  const op = IPE_OPS.find((name) => text === `op=${name}`)
  if (op !== undefined) return { op }
  if (HEADER_KEYS.some((key) => text.startsWith(`${key}=`))) {
    return refuse(
      'EBADMSG',
      token,
      `${show(text)} belongs in the header, which is the first line and stands once`,
    )
  }
  const what = text.startsWith('op=') ? 'unknown operation' : 'expected the operation first, found'
  const message = `${what} ${show(text)}${case_hint(text)}; expected one of ${OP_WORDS.join(', ')}`
  return refuse('EBADMSG', token, message)
}

/** security/ipe/policy_parser.c: parse_action. Whatever word is the last must be the action. */
function parse_action(token: Token): { action: IpeAction } | PolicyError {
  const action = ACTIONS.find((name) => token.text === `action=${name}`)
  if (action !== undefined) return { action }
  const message = `a line must end in ${ACTION_WORDS.join(' or ')}, found ${show(token.text)}${case_hint(token.text)}`
  return refuse('EBADMSG', token, message)
}

/** A DEFAULT may stand once per operation and once for all (security/ipe/policy_parser.c: parse_rule). */
function add_default(draft: Draft, at: Position, op: IpeOp | null, action: IpeAction): PolicyError | null {
  const before = draft.default_lines.get(op)
  if (before !== undefined) {
    const which = op === null ? 'global DEFAULT' : `DEFAULT for op=${op}`
    return refuse('EBADMSG', at, `a second ${which}; the first is on line ${before}`)
  }
  draft.default_lines.set(op, at.line)
  if (op === null) draft.global_default_action = action
  else draft.rules[op].default_action = action
  return null
}

/**
 * security/ipe/policy_parser.c: parse_rule. Every word but the last is judged from left to right, then the
 * last as the action, and only then whether a DEFAULT has properties or stands twice: of several errors the
 * kernel's first is given.
 */
function parse_rule(line: Line, draft: Draft): PolicyError | null {
  const words = line.tokens.slice(0, -1)
  const first = words[0]
  const is_default = first?.text === 'DEFAULT'
  const props: IpeProp[] = []
  let op: IpeOp | null = null
  for (const token of is_default ? words.slice(1) : words) {
    const parsed: { op: IpeOp } | IpeProp | PolicyError =
      op === null ? parse_operation(token) : parse_property(token)
    if (is_error(parsed)) return parsed
    if ('op' in parsed) op = parsed.op
    else props.push(parsed)
  }
  const last = parse_action(line.last)
  if (is_error(last)) return last
  if (is_default) {
    const extra = words[2]
    if (extra !== undefined)
      return refuse('EBADMSG', extra, `a DEFAULT has no properties, found ${show(extra.text)}`)
    return add_default(draft, first, op, last.action)
  }
  if (op === null) {
    return refuse(
      'EBADMSG',
      line.last,
      `a rule begins with its operation; expected one of ${OP_WORDS.join(', ')}`,
    )
  }
  draft.rules[op].rules.push({ op, props, action: last.action })
  return null
}

/**
 * security/ipe/policy_parser.c: remove_comment, remove_trailing_spaces, and the splitting at
 * IPE_POLICY_DELIM. A vertical tab or form feed is cut off at the line's end but separates nothing within it.
 * Null when nothing is left.
 */
function read_line(text: string, line: number): Line | null {
  const comment = text.indexOf('#')
  let end = comment < 0 ? text.length : comment
  while (end > 0 && ' \t\v\f'.includes(text.charAt(end - 1))) end--
  const tokens: Token[] = []
  for (const found of text.slice(0, end).matchAll(/[^ \t]+/g)) {
    tokens.push({ text: found[0], line, column: found.index + 1 })
  }
  const last = tokens[tokens.length - 1]
  return last === undefined ? null : { tokens, last, end: { line, column: end + 1 } }
}

function new_draft(): Draft {
  const rules = {} as Draft['rules']
  for (const op of IPE_OPS) rules[op] = { default_action: null, rules: [] }
  return { name: '', version: [0, 0, 0], rules, global_default_action: null, default_lines: new Map() }
}

/** security/ipe/policy_parser.c: validate_policy. What is missing is missed at the end of the text. */
function validate_policy(draft: Draft, end: Position, note: string): PolicyError | null {
  if (draft.global_default_action !== null) return null
  const without = IPE_OPS.filter((op) => draft.rules[op].default_action === null)
  if (without.length === 0) return null
  const message = `no default for ${without.join(', ')}: add DEFAULT action=… or a DEFAULT op=… for each${note}`
  return refuse('EBADMSG', end, message)
}

/**
 * Reads a policy as the kernel does when it is loaded.
 *
 * @param text the policy; what follows a NUL is not looked at
 * @returns `{ policy }`, or `{ error }` with the first error in the kernel's order: line by line; in the
 *   header word by word; in a rule its words, then the action, then the DEFAULT's own conditions; at the end
 *   a missing header or default. EBADMSG: the form is wrong. EINVAL: a version part is no decimal number, or
 *   a digest no hexadecimal. ERANGE: a version part is above 65535. Nothing is thrown, whatever the text.
 * Source: security/ipe/policy_parser.c: ipe_parse_policy.
 */
export function parse_policy(text: string): { policy: IpePolicy } | { error: PolicyError } {
  const nul = text.indexOf('\0')
  const lines = (nul < 0 ? text : text.slice(0, nul)).split(/\r\n|\n|\r/)
  const end = { line: lines.length, column: (lines[lines.length - 1] ?? '').length + 1 }
  const note = nul < 0 ? '' : ' (the text ends here for the kernel: a NUL follows)'
  const draft = new_draft()
  let header_parsed = false
  for (const [index, content] of lines.entries()) {
    const line = read_line(content, index + 1)
    if (line === null) continue
    const error = header_parsed ? parse_rule(line, draft) : parse_header(line, draft)
    if (error !== null) return { error }
    header_parsed = true
  }
  if (!header_parsed)
    return { error: refuse('EBADMSG', end, `the policy is empty; expected a header: ${HEADER}${note}`) }
  const error = validate_policy(draft, end, note)
  if (error !== null) return { error }
  const { name, version, rules, global_default_action } = draft
  return { policy: { name, version, rules, global_default_action } }
}

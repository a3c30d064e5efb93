/** Bytes and characters as people can see them, and those that nobody can. */

/**
 * Characters that act instead of being seen: controls (C0, DEL, C1), those that change the direction of text, join
 * or have no width, line and paragraph separators, and halves of characters. By Unicode's own properties, since
 * lists of them grow.
 */
export const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

const ASCII = /^[ -~]*$/

/** Whether all characters of a line can be seen. Most lines are ASCII, and looking at properties takes time. */
export const is_seen = (text: string): boolean => ASCII.test(text) || text.search(HIDDEN) < 0

const short_escapes: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}

/** A byte as C writes it in a string. @param next the byte behind it: a shorter octal escape would swallow a digit */
export function escape_byte(byte: number, next: number): string {
  const short = short_escapes[byte]
  if (short !== undefined) return short
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte)
  const digit = next >= 0x30 && next <= 0x39
  return `\\${digit ? byte.toString(8).padStart(3, '0') : byte.toString(8)}`
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** How many bytes a character has that begins with this one (RFC 3629); 1 where none begins with it. */
function length_by(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2
  if (first >= 0xe0 && first <= 0xef) return 3
  return first >= 0xf0 && first <= 0xf4 ? 4 : 1
}

/** The character that these bytes are; null where they are no UTF-8. */
function decoded(bytes: string): string | null {
  try {
    return utf8.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)))
  } catch {
    return null
  }
}

export interface Character {
  /** Its bytes, one below 256 each. */
  readonly bytes: string
  /** Where they are UTF-8, else null. */
  readonly char: string | null
}

/** The characters of a string of bytes; a byte that belongs to none stands alone. */
export function* characters_of(bytes: string): Generator<Character> {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!
    const length = length_by(first.charCodeAt(0))
    const char = length > 1 ? decoded(bytes.slice(at, at + length)) : first < '\x80' ? first : null
    const taken = char === null ? first : bytes.slice(at, at + length)
    yield { bytes: taken, char }
    at += taken.length
  }
}

/**
 * A name of the model, which is a string of bytes, as text: UTF-8 as the characters that it is, other bytes as C
 * would write them.
 */
export function readable(bytes: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes
  let text = ''
  let at = 0
  for (const { bytes: taken, char } of characters_of(bytes)) {
    at += taken.length
    text += char ?? escape_byte(taken.charCodeAt(0), bytes.charCodeAt(at))
  }
  return text
}

/** A message of the model, in which names may stand beside other text: the UTF-8 in it as the characters that it is. */
export function readable_message(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
  if (!/[\x80-\xff]/.test(text) || /[^\x00-\xff]/.test(text)) return text
  return [...characters_of(text)].map(({ bytes, char }) => char ?? bytes).join('')
}

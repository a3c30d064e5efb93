/**
 * Lines from stdin to stdout as fast as a pipe goes. Both ends are read and written synchronously: a program
 * that waits for each answer gets it without a turn of the event loop. What has been read is answered before
 * more is waited for.
 */
import { StringDecoder } from 'node:string_decoder'
import { read_some, write_all } from './terminal.js'

/** Bytes read at once. */
const CHUNK = 1 << 16
/** Characters of answers that are kept before they are written. */
const OUTPUT = 1 << 16
/** Characters of the longest line: what is longer is answered by `too_long` and skipped. */
export const MAX_LINE = 1 << 26

/** Cuts text that comes in pieces into lines. */
class LineCutter {
  private rest = ''
  private skips = false

  /** @param too_long stands for a line that is longer than MAX_LINE */
  constructor(private readonly too_long: string) {}

  /** @returns the lines that end in this piece */
  cut(piece: string): string[] {
    const lines = piece.split('\n')
    lines[0] = this.rest + lines[0]!
    this.rest = lines.pop()!
    if (this.skips && lines.length > 0) {
      lines[0] = this.too_long
      this.skips = false
    }
    if (this.rest.length > MAX_LINE) this.skips = true
    if (this.skips) this.rest = ''
    return lines
  }

  /** What stands behind the last line end. */
  last(): string[] {
    if (this.skips) return [this.too_long]
    return this.rest === '' ? [] : [this.rest]
  }
}

/**
 * Answers every line of stdin on stdout, in order, until there are no more.
 *
 * @param answer what is written for a line, with its line ends; null ends it all
 * @param over   asked after each line: whether it was the last that is answered
 */
export async function answer_lines(
  answer: (line: string) => string | null | Promise<string | null>,
  too_long: string,
  over: () => boolean = () => false,
): Promise<void> {
  const buffer = new Uint8Array(CHUNK)
  const decoder = new StringDecoder('utf8')
  const cutter = new LineCutter(too_long)
  let output = ''
  for (let more = true; more; ) {
    const size = read_some(buffer)
    more = size > 0
    const piece = more ? decoder.write(Buffer.from(buffer.buffer, 0, size)) : `${decoder.end()}`
    const lines = more ? cutter.cut(piece) : [...cutter.cut(piece), ...cutter.last()]
    for (const line of lines) {
      const given = answer(line)
      const text = given instanceof Promise ? await given : given
      if (text === null) return void write_all(output)
      output += text
      if (over()) return void write_all(output)
      if (output.length < OUTPUT) continue
      if (!write_all(output)) return
      output = ''
    }
    if (output !== '' && !write_all(output)) return
    output = ''
  }
}

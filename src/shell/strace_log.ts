/**
 * Logs of strace, as its options write them (`-f`, `-t`, `-tt`, `-r`, `-T`, `-y`, `-yy`): a line of a log becomes a
 * call as people type it, so that a real program can be played at the model.
 *
 *     1234  12:00:01.5 read(3</etc/passwd>, "root:x:0:0"..., 4096) = 2871 <0.000012>
 *
 * What strace adds is taken away: who and when, paths of descriptors, buffers and structures that C fills, comments.
 * A call that was interrupted by others (`<unfinished ...>`) is put together again. Numbers that the kernel of the
 * log has given, of descriptors, addresses and processes, are replaced by those that the model gives.
 */
import { kind_of_result } from '../kernel/decode.js'
import { all_syscalls, type Syscall, syscall_named } from '../kernel/syscall.js'

/** A call of a log, ready to be played. */
export interface LoggedCall {
  readonly pid: number | null
  /** As `parse_call` takes it. */
  readonly text: string
  readonly syscall: Syscall
  /** What the log says that it returned: a number, the name of an errno, or nothing. */
  readonly returned: number | string | null
}

export type LogLine =
  | { readonly call: LoggedCall }
  /** Nothing is played, for this reason; empty where nothing need be said. */
  | { readonly skipped: string; readonly pid: number | null; readonly gives?: number }
  /** A process has ended by itself or by a signal. */
  | { readonly ended: number | null }

/** Who and when: `1234 `, `[pid 1234] `, a time of day, seconds since 1970, or since the line before. */
const prefix_pattern =
  /^\s*(?:\[pid\s+(\d+)\]\s+|(\d+)\s+(?=\S))?(?:\d\d:\d\d:\d\d(?:\.\d+)?\s+|\d+\.\d+\s+)?/

/** What strace writes behind a call: the result, its meaning, the time that it took. */
const result_pattern =
  /\s+=\s+(\?|-?\d+|0x[0-9a-f]+)(?:<[^>]*>)?(?:\s+(E[A-Z0-9]+|\?[A-Z]+))?(?:\s+\([^)]*\))?(?:\s+<[\d.]+>)?\s*$/

/** Calls that make a task, whatever else they can do. */
const forks = /^(clone3?|v?fork)$/

/** The model's name of a call: strace writes that of the kernel, or one of 32 bits. */
function known_name(name: string): string {
  if (forks.test(name)) return 'fork'
  if (syscall_named(name) !== undefined) return name
  return all_syscalls().find((each) => is_just(each, name))?.name ?? name.replace(/64$/, '')
}

/** Whether a call is this system call of the kernel, with all of its arguments. */
function is_just({ as, prototype }: Syscall, name: string): boolean {
  const [number, ...args] = as ?? []
  return number === name && args.join() === prototype.map((each) => each.name).join()
}

/** Flags that the kernel ignores (man page of mmap), and one that is always there where files can be large. */
const ignored_flags = /\b(MAP_DENYWRITE|MAP_EXECUTABLE|MAP_NORESERVE|MAP_STACK|O_LARGEFILE)\b/g

/** Whether a line is one of a log, and not typed: somebody or some time stands before it, or a result behind it. */
export function is_log_line(line: string): boolean {
  const prefix = prefix_pattern.exec(line)![0].trim()
  const rest = line.slice(prefix_pattern.exec(line)![0].length)
  if (/^(\+\+\+|---|<\.\.\. )/.test(rest) || /<unfinished \.\.\.>\s*$/.test(rest)) return true
  if (!/^[a-z_]\w*\(/.test(rest)) return false
  return prefix !== '' || result_pattern.test(rest)
}

/** Reads a log line by line; it remembers the calls that are not finished. */
export class StraceLog {
  private readonly unfinished: Map<number | null, string>

  constructor(from?: StraceLog) {
    this.unfinished = new Map(from?.unfinished)
  }

  /** Pids of which a call that makes a child has begun and not returned. */
  forking(): readonly (number | null)[] {
    return [...this.unfinished].flatMap(([pid, text]) => (/^(clone3?|v?fork)\(/.test(text) ? [pid] : []))
  }

  /** @param line one for which `is_log_line` holds */
  read(line: string): LogLine {
    const [prefix, bracketed, bare] = prefix_pattern.exec(line)!
    const number = bracketed ?? bare
    const pid = number === undefined ? null : Number(number)
    const rest = line.slice(prefix.length).trimEnd()
    if (rest.startsWith('+++')) return { ended: pid }
    if (rest.startsWith('---')) return { skipped: '', pid }
    const interrupted = /^(.*?)\s*<unfinished \.\.\.>$/.exec(rest)
    if (interrupted !== null) {
      this.unfinished.set(pid, interrupted[1]!)
      return { skipped: '', pid }
    }
    const resumed = /^<\.\.\. (\w+) resumed>\s*(.*)$/.exec(rest)
    if (resumed === null) return call_of(rest, pid)
    const begun = this.unfinished.get(pid)
    this.unfinished.delete(pid)
    if (begun === undefined) return { skipped: `${resumed[1]} had begun before the log`, pid }
    return call_of(`${begun}${resumed[2]}`, pid)
  }
}

function call_of(text: string, pid: number | null): LogLine {
  const [, name = '', behind = ''] = /^(\w+)\((.*)$/s.exec(text) ?? []
  const known = known_name(name)
  const result = result_pattern.exec(behind)
  const returned = result === null ? null : returned_of(result)
  const gives = typeof returned === 'number' && returned >= 0 ? { gives: returned } : {}
  const syscall = syscall_named(known)
  if (syscall === undefined) return { skipped: `${name} is not modelled`, pid, ...gives }
  const inside = result === null ? behind : behind.slice(0, result.index)
  const args = split_arguments(inside.replace(/\)\s*$/, '')).map(without_annotations)
  if (kind_of_result(syscall, args) === 'exec' && returned === 0)
    return { skipped: `${name}: what the program does follows; the task goes on as it is`, pid }
  const kept = syscall.returns === 'task' ? [] : without_filled(syscall, args)
  const abbreviated = kept.find((arg) => /(^|[^.])\.\.\.$/.test(arg))
  if (abbreviated !== undefined)
    return { skipped: `${name}: strace has cut ${abbreviated} (its option -s shows more)`, pid, ...gives }
  const shown = kept.map((arg, i) =>
    syscall.params[i]?.kind === 'strings' && /^0x/.test(arg) ? 'NULL' : arg,
  )
  return { call: { pid, text: `${known}(${shown.join(', ')})`, syscall, returned } }
}

function returned_of([, value, errno]: RegExpExecArray): number | string | null {
  if (errno !== undefined) return errno
  if (value === '?') return null
  return /^0[0-7]/.test(value!) ? Number.parseInt(value!, 8) : Number(value)
}

/** Arguments between the commas that stand outside of strings and brackets. */
function split_arguments(text: string): string[] {
  const args: string[] = []
  let from = 0
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') at = end_of_string(text, at)
    else if ('[{('.includes(char)) depth++
    else if (']})'.includes(char)) depth--
    else if (char === '<') at = end_of_annotation(text, at)
    else if (char === ',' && depth === 0) {
      args.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  const last = text.slice(from).trim()
  return last === '' && args.length === 0 ? [] : [...args, last]
}

function end_of_string(text: string, at: number): number {
  for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++
  return at
}

const end_of_annotation = (text: string, at: number): number => {
  const end = text.indexOf('>', at)
  return end < 0 ? at : end
}

/** Without comments, and without the path that `-y` writes behind a descriptor. */
function without_annotations(arg: string): string {
  if (arg.startsWith('"')) return arg
  return arg
    .replace(/\s*\/\*.*?\*\//g, '')
    .replace(/^(-?\d+|AT_FDCWD)<.*>(\(deleted\))?$/, '$1')
    .replace(ignored_flags, '0')
}

/** Without the buffer or structure that the call fills. */
function without_filled({ params, prototype }: Syscall, args: readonly string[]): readonly string[] {
  if (args.length <= params.filter(({ missing }) => missing === undefined).length) return args
  const place = prototype.findIndex(({ kind }) => kind === 'filled')
  return place < 0 ? args : args.filter((_, i) => i !== place)
}

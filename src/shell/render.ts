/** Calls and their answers as strace prints them. */
import type { Kernel } from '../kernel/kernel.js'
import { ArgumentError, type Syscall } from '../kernel/syscall.js'
import { readable } from '../scenario/characters.js'
import type { CallInstruction } from '../scenario/code.js'
import { quote, show_address, show_call } from '../scenario/strace.js'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../vfs/inode.js'
import type { Answer, StatFields } from './answer.js'

/** Bytes that a call gave, shown before `...`. */
const SHOWN_DATA = 64

const types: Readonly<Record<number, string>> = {
  [S_IFREG]: 'S_IFREG',
  [S_IFDIR]: 'S_IFDIR',
  [S_IFLNK]: 'S_IFLNK',
  [S_IFIFO]: 'S_IFIFO',
  [S_IFSOCK]: 'S_IFSOCK',
  [S_IFCHR]: 'S_IFCHR',
  [S_IFBLK]: 'S_IFBLK',
}

/** What is shown of constants' names where they were typed as such, and of numbers else. */
function typed(args: readonly unknown[], { params }: Syscall): readonly unknown[] {
  return args.map((arg, i) => (params[i]!.kind === 'int' && typeof arg === 'string' ? number_of(arg) : arg))
}

/** A number that was typed as one, in any base; names of constants stay. */
function number_of(text: string): unknown {
  if (/^-?\d+$/.test(text) && !/^-?0\d/.test(text)) return Number(text)
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text)
  return text
}

/** Asked only for the values of symbolic arguments, of which a shell has none. */
const no_kernel = null as unknown as Kernel

/** `openat(AT_FDCWD, "/m/s", O_RDWR)`, with what it gave in place of the buffers. */
export function render_call(syscall: Syscall, args: readonly unknown[], answer: Answer): string {
  let text: string
  try {
    text = show_call(no_kernel, 0, { syscall, args: typed(args, syscall) } as CallInstruction)
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    text = `${syscall.name}(…)`
  }
  if (answer.data !== undefined) return with_data(text, syscall, answer.data)
  return answer.stat === undefined ? text : with_stat(text, syscall, answer.stat)
}

function with_data(text: string, { params }: Syscall, data: string): string {
  const shown = quote(data, SHOWN_DATA)
  const at = text.lastIndexOf(', buf, ')
  if (at >= 0) return `${text.slice(0, at)}, ${shown}${text.slice(at + ', buf'.length)}`
  return params.length > 0 ? `${text.slice(0, -1)}, ${shown})` : text
}

/** The structure stands where C passes its address: last, or before the flags. */
function with_stat(text: string, syscall: Syscall, stat: StatFields): string {
  const shown = render_stat(stat)
  if (syscall.params.at(-1)?.name !== 'flags') return `${text.slice(0, -1)}, ${shown})`
  const flags = text.lastIndexOf(', ')
  const has_flags = (text.match(/, /g)?.length ?? 0) >= syscall.params.length - 1
  return has_flags
    ? `${text.slice(0, flags)}, ${shown}${text.slice(flags)}`
    : `${text.slice(0, -1)}, ${shown})`
}

export function render_stat(stat: StatFields): string {
  const mode = stat.st_mode ?? 0
  const fields = Object.entries(stat).map(([name, value]) =>
    name === 'st_mode'
      ? `st_mode=${types[mode & S_IFMT] ?? '0'}|0${(mode & 0o7777).toString(8)}`
      : `${name}=${value}`,
  )
  return `{${fields.join(', ')}}`
}

/** `3`, `-1 EACCES (the mount is noexec)`, `+++ killed by SIGSEGV +++` … */
export function render_result(answer: Answer, why: string): string {
  const { ret, errno, signal, exec } = answer
  const because = why === '' ? '' : ` (${why})`
  if (ret !== undefined) return `= ${show_address(ret)}`
  if (errno !== undefined) return `= -1 ${errno}${because}`
  if (signal !== undefined) return `+++ ${signal} +++${because}`
  if (exec !== undefined) return `= 0  the task runs ${readable(exec)} now`
  return '<unfinished ...>'
}

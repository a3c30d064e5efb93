/** Calls and their answers as strace prints them. */

import { ArgumentError, at_places } from '../kernel/decode.js'
import { holds, type Syscall } from '../kernel/syscall.js'
import { readable } from '../scenario/characters.js'
import { quote, show_address, show_values } from '../scenario/strace.js'
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
  return args.map((arg, i) =>
    holds(params[i]!) === 'number' && typeof arg === 'string' ? number_of(arg) : arg,
  )
}

/** A number that was typed as one, in any base; names of constants stay. */
function number_of(text: string): unknown {
  if (/^-?\d+$/.test(text) && !/^-?0\d/.test(text)) return Number(text)
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text)
  return text
}

/** `openat(AT_FDCWD, "/m/s", O_RDWR)`, with what it gave in place of the buffers. */
export function render_call(syscall: Syscall, args: readonly unknown[], answer: Answer): string {
  const { data, stat } = answer
  const filled =
    data !== undefined ? quote(data, SHOWN_DATA) : stat === undefined ? undefined : render_stat(stat)
  try {
    const text = show_values(syscall, typed(at_places(syscall, args), syscall), filled)
    const stands = filled === undefined || syscall.prototype.some(({ kind }) => kind === 'filled')
    // What is no system call has no buffer.
    return stands ? text : `${text.slice(0, -1)}, ${filled})`
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    return `${syscall.name}(…)`
  }
}

function render_stat(stat: StatFields): string {
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

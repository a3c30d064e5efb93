/** Arguments that many system calls have. */
import type { Parameter } from '../kernel/syscall.js'
import { AT_FDCWD } from './namei/namei.js'

export const fd = { name: 'fd', kind: 'fd' } as const

/** Where a relative path begins. */
export const dirfd = (
  name = 'dirfd',
  says = "where a relative path begins: an open directory, or `'AT_FDCWD'`",
): Parameter => ({ name, kind: 'dirfd', constants: { AT_FDCWD }, says })

/** A path that is walked. */
export const path = (name = 'pathname', says?: string): Parameter => ({
  name,
  kind: 'path',
  ...(says === undefined ? {} : { says }),
})

/** Permission bits of what is made. */
export const new_mode = (says: string): Parameter => ({ name: 'mode', kind: 'mode', says })

/** What nearly every call answers. */
export const gives_zero = { returns: 'int', gives: '0' } as const

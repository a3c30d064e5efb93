/** Counting and copying the strings of an exec (fs/exec.c: count, bprm_stack_limits, copy_strings). */

import { utf8_bytes } from '../kernel/decode.js'
import { E2BIG, EFAULT } from '../kernel/errno.js'
import { NULL_POINTER } from '../kernel/syscall.js'

/** The longest string with its NUL, in bytes (include/uapi/linux/binfmts.h: MAX_ARG_STRLEN). */
const MAX_ARG_STRLEN = 131072
/** A quarter of the usual stack limit of 8 MiB (RLIMIT_STACK is not modelled). */
const ARGUMENT_LIMIT = 2 * 1024 * 1024
const POINTER_SIZE = 8

/**
 * What copying the strings comes to. It depends on nothing but them, so it is worked out with the call's
 * arguments and the strings are not kept.
 *
 * @param filename the name under which the file is run
 * @param argv     strings of up to the first NUL; `NULL_POINTER` in place of one is a pointer to nowhere
 * @param envp     likewise
 * @returns 0, or in the kernel's order: -E2BIG (too many pointers), then from the last string of `envp`
 *   backwards to the first of `argv` -EFAULT (bad pointer), -E2BIG (a string over 131072 bytes, or all
 *   together over 2 MiB, NULs and pointers counted)
 */
export function copy_strings(filename: string, argv: readonly string[], envp: readonly string[]): number {
  // A call without arguments gets one empty string, whose pointer and NUL are counted.
  const pointers = (Math.max(argv.length, 1) + envp.length) * POINTER_SIZE
  let left = ARGUMENT_LIMIT - pointers - (filename.length + 1)
  if (left < 0) return -E2BIG
  for (const each of [...argv, ...envp].reverse()) {
    if (each === NULL_POINTER) return -EFAULT
    const length = utf8_bytes(each.split('\0')[0]!).length + 1
    left -= length
    if (length > MAX_ARG_STRLEN || left < 0) return -E2BIG
  }
  return argv.length === 0 && left < 1 ? -E2BIG : 0
}

/** The first line of a script (fs/binfmt_script.c). */

/** How much of a file an exec looks at (include/uapi/linux/binfmts.h: BINPRM_BUF_SIZE). */
export const BINPRM_BUF_SIZE = 256

/**
 * The interpreter that a script names.
 *
 * @param buf the file's first 256 bytes or fewer; what is missing counts as NULs
 * @returns its path, '' if a NUL stands in its place; null if this is no script that the kernel runs
 */
export function script_interpreter(buf: string): string | null {
  if (!buf.startsWith('#!')) return null
  const line = first_line(buf)
  if (line === null) return null
  const rest = line.slice(2).replace(/^[ \t]+/, '')
  return rest === '' ? null : rest.split(/[ \t\0]/)[0]!
}

/**
 * The line without its end. Where it does not end within what was read, it counts only if the interpreter's
 * name does: else the name may have been cut off.
 */
function first_line(buf: string): string | null {
  const cut = buf.slice(0, BINPRM_BUF_SIZE)
  const nul = cut.indexOf('\0')
  const newline = cut.indexOf('\n')
  if (newline >= 0 && (nul < 0 || newline < nul)) return cut.slice(0, newline)
  // The last byte is not looked at: it stands where the terminator would.
  const whole = cut.padEnd(BINPRM_BUF_SIZE, '\0').slice(0, BINPRM_BUF_SIZE)
  const name = whole.slice(2).replace(/^[ \t]+/, '')
  if (name === '') return null
  return /[ \t\0]/.test(name) ? whole.slice(0, BINPRM_BUF_SIZE - 1) : null
}

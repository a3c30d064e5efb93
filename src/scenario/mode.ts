/** Permission bits that somebody has written in decimal digits, where octal ones were meant. */

/** Nobody may do what those before may not, nobody may write and not read, and special bits come with an execute bit. */
function is_usual(mode: number): boolean {
  const [owner, group, other] = [(mode >> 6) & 7, (mode >> 3) & 7, mode & 7] as const
  const special = mode >> 9
  if ((group & ~owner) !== 0 || (other & ~group) !== 0) return false
  if ([owner, group, other].some((bits) => (bits & 6) === 2)) return false
  return special === 0 || (mode & 0o111) !== 0
}

/**
 * What is wrong with a mode that is a number: `755` is 01363, which nobody wants, and looks like 0755.
 *
 * @returns undefined where it can have been meant
 */
export function octal_was_meant(mode: number): string | undefined {
  const digits = String(mode)
  if (!/^[0-7]{3,4}$/.test(digits) || is_usual(mode) || !is_usual(Number.parseInt(digits, 8)))
    return undefined
  const bits = mode.toString(8)
  return `expected permission bits; ${digits} is 0${bits} in octal: was 0o${digits} meant ("0${digits}" in JSON)? ("0${bits}" says that it was not)`
}

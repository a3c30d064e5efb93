/** `--case PATTERN`: which cases of a scenario are meant. */

import { nearest } from '../scenario/error.js'
import { case_name } from '../scenario/form.js'
import { UsageError } from './errors.js'
import type { Loaded } from './load.js'

export const CASE_HELP = 'only cases that match, e.g. access=read,profile=7.* (several: any of them)'

/** A glob: `*` is anything, `?` one character. */
function matcher(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${escaped}$`)
}

/** `access=read,profile=7.*`, also with blanks between; a word without `=` is a value of any parameter. */
function matches(pattern: string, params: Readonly<Record<string, unknown>>): boolean {
  return pattern
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .every((part) => {
      const [name, ...rest] = part.split('=')
      if (rest.length > 0)
        return Object.hasOwn(params, name!) && matcher(rest.join('=')).test(String(params[name!]))
      return Object.values(params).some((value) => matcher(name!).test(String(value)))
    })
}

/**
 * Places of the cases that some pattern matches; all without a pattern.
 *
 * @throws UsageError where nothing matches, naming what there is
 */
export function choose_cases(loaded: Loaded, patterns: readonly string[]): number[] {
  const all = loaded.cases.map((_, index) => index)
  if (patterns.length === 0) return all
  const chosen = all.filter((index) =>
    patterns.some((each) => matches(each, loaded.cases[index]!.form.params ?? {})),
  )
  if (chosen.length > 0) return chosen
  throw new UsageError(
    `no case of ${loaded.name} matches ${patterns.map((each) => JSON.stringify(each)).join(' or ')}${choice(loaded, patterns)}`,
  )
}

/** What could have been meant: the nearest parameter or value, or all that there are. */
function choice(loaded: Loaded, patterns: readonly string[]): string {
  const values = parameters(loaded)
  if (values.size === 0) return ': it has no parameters'
  for (const part of patterns.flatMap((each) => each.split(/[\s,]+/))) {
    const [name = '', value] = part.split('=')
    const known = values.get(name)
    if (value !== undefined && known === undefined) {
      return `: there is no parameter ${JSON.stringify(name)}${hint(name, [...values.keys()])}`
    }
    if (value !== undefined && !known!.some((each) => matcher(value).test(each))) {
      return `: ${name} has no value ${JSON.stringify(value)}${hint(value, known!)}`
    }
  }
  return `: ${[...values].map(([name, each]) => `${name} is ${each.join(', ')}`).join('; ')}`
}

function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === undefined ? `; there are ${known.join(', ')}` : `; did you mean ${near}?`
}

/** Names of the parameters, and the values that each takes, in the order of the cases. */
export function parameters(loaded: Pick<Loaded, 'cases'>): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const { form } of loaded.cases) {
    for (const [name, value] of Object.entries(form.params ?? {})) {
      const known = values.get(name) ?? []
      if (!known.includes(String(value))) known.push(String(value))
      values.set(name, known)
    }
  }
  return values
}

/** What to type after `--case` for one case: `access=read,mitigation=none,profile=7.2`. */
export function pattern_of(loaded: Pick<Loaded, 'cases'>, index: number): string {
  return case_name(loaded.cases[index]!.form).replace(/ /g, ',')
}

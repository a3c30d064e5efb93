/** `--case PATTERN`: which cases of a scenario are meant. */

import { nearest } from '../scenario/error.js'
import type { CaseForm } from '../scenario/form.js'
import { UsageError } from './errors.js'
import type { Loaded } from './load.js'

export const CASE_HELP = 'only cases that match, e.g. access=read,profile=7.* (several: any of them)'

/** A scenario as far as its cases are chosen and named. */
export interface WithCases {
  readonly cases: readonly { readonly form: Pick<CaseForm, 'params'> }[]
}

type Params = Readonly<Record<string, unknown>>

/** A glob: `*` is anything, `?` one character; behind a backslash each is itself. */
function matcher(pattern: string): RegExp {
  const parts = pattern.match(/\\[\s\S]|[\s\S]/g) ?? []
  const source = parts.map((part) => {
    if (part === '*') return '[\\s\\S]*'
    if (part === '?') return '[\\s\\S]'
    return part.slice(-1).replace(/[.*+?^${}()|[\]\\/]/, '\\$&')
  })
  return new RegExp(`^${source.join('')}$`)
}

/** `access=read`, or a value of any parameter. */
function part_matches(part: string, params: Params): boolean {
  const [, name, value] = /^([^=]*)=([\s\S]*)$/.exec(part) ?? []
  if (name !== undefined) return Object.hasOwn(params, name) && matcher(value!).test(String(params[name]))
  return Object.values(params).some((each) => matcher(part).test(String(each)))
}

/** Parts of a pattern, at commas and blanks that no backslash stands before. */
const parts_of = (pattern: string): string[] => pattern.match(/(?:\\[\s\S]|[^\\\s,])+/g) ?? []

/** Parts of a pattern whose values may hold commas and blanks: each begins with a parameter that there is. */
function long_parts_of(pattern: string, params: Params): string[] {
  const words = pattern.trim().split(/([\s,]+)/)
  const parts: string[] = []
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i]!.split('=')[0]!
    const begins = words[i]!.includes('=') && Object.hasOwn(params, name)
    if (begins || parts.length === 0) parts.push(words[i]!)
    else parts[parts.length - 1] += words[i - 1]! + words[i]!
  }
  return parts
}

/** `access=read,profile=7.*`, also with blanks between; a word without `=` is a value of any parameter. */
function matches(pattern: string, params: Params): boolean {
  return (
    parts_of(pattern).every((part) => part_matches(part, params)) ||
    long_parts_of(pattern, params).every((part) => part_matches(part, params))
  )
}

/** Places of the cases that some pattern matches; all without a pattern. */
export function matching_cases(loaded: WithCases, patterns: readonly string[]): number[] {
  const all = loaded.cases.map((_, index) => index)
  if (patterns.length === 0) return all
  return all.filter((index) => patterns.some((each) => matches(each, loaded.cases[index]!.form.params ?? {})))
}

/**
 * Places of the cases that some pattern matches; all without a pattern.
 *
 * @throws UsageError where nothing matches, naming what there is
 */
export function choose_cases(loaded: Loaded, patterns: readonly string[]): number[] {
  const chosen = matching_cases(loaded, patterns)
  if (chosen.length > 0) return chosen
  throw new UsageError(
    `no case of ${loaded.name} matches ${patterns.map((each) => JSON.stringify(each)).join(' or ')}${choice(loaded, patterns)}`,
  )
}

/** That of some scenarios which has the most of the parameters that patterns name: its values may have been meant. */
export function most_fitting(scenarios: readonly Loaded[], patterns: readonly string[]): Loaded {
  const names = patterns.flatMap(parts_of).map((part) => part.split('=')[0]!)
  const fits = (each: Loaded) => names.filter((name) => parameters(each).has(name)).length
  return scenarios.reduce((best, each) => (fits(each) > fits(best) ? each : best))
}

/** What could have been meant: the nearest parameter or value, or all that there are. */
function choice(loaded: Loaded, patterns: readonly string[]): string {
  const values = parameters(loaded)
  if (values.size === 0) return ': it has no parameters'
  for (const part of patterns.flatMap(parts_of)) {
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
export function parameters(loaded: WithCases): Map<string, string[]> {
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
export const pattern_of = (loaded: WithCases, index: number): string =>
  Object.entries(loaded.cases[index]!.form.params ?? {})
    .map(([name, value]) => `${name}=${String(value).replace(/[\\\s,*?]/g, '\\$&')}`)
    .join(',')

/** The words of a command for one case: what is called, and its pattern. */
export function case_words(loaded: WithCases & Pick<Loaded, 'called'>, index: number): string[] {
  const pattern = pattern_of(loaded, index)
  return pattern === '' ? [loaded.called] : [loaded.called, '--case', pattern]
}

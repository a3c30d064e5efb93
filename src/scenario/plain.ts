/**
 * What somebody has written, as data of its own: later changes of theirs do not reach it, and there is nothing in
 * it that JSON could not carry. So a scenario that was built is the same as the one that is loaded from its form.
 */
import { ScenarioError } from './error.js'

/** Values in values in values: more than any scenario has, and less than what a stack can take. */
const DEEPEST = 200
const MOST_VALUES = 1_000_000

/** `tasks[0].program`, and `tree["a b"]` where a name is no word. */
export function inside(path: string, part: PropertyKey): string {
  if (typeof part === 'number') return `${path}[${part}]`
  const word = String(part)
  if (!/^[$\w-]+$/.test(word)) return `${path}[${JSON.stringify(word)}]`
  return path === '' ? word : `${path}.${word}`
}

class Copy {
  private values = 0

  of(value: unknown, path: string, depth: number): unknown {
    if (++this.values > MOST_VALUES)
      throw new ScenarioError(path, `more than ${MOST_VALUES} values; a scenario is smaller`)
    if (depth > DEEPEST)
      throw new ScenarioError('', `nested too deeply: more than ${DEEPEST} levels at ${path.slice(0, 60)}…`)
    switch (typeof value) {
      case 'string':
      case 'boolean':
      case 'number':
        return value
      case 'object':
        if (value === null) return null
        return Array.isArray(value) ? this.list(value, path, depth) : this.object(value, path, depth)
      case 'undefined':
        throw new ScenarioError(path, 'is missing; undefined stands there')
      default:
        throw new ScenarioError(path, `expected data, not a ${typeof value}`)
    }
  }

  private list(values: readonly unknown[], path: string, depth: number): unknown[] {
    const copied: unknown[] = []
    for (let i = 0; i < values.length; i++) copied.push(this.of(values[i], inside(path, i), depth + 1))
    return copied
  }

  /** Entries that are undefined are not there. */
  private object(value: object, path: string, depth: number): object {
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      throw new ScenarioError(path, `expected data, not ${kind_of(value)}`)
    const copied = {}
    for (const [name, entry] of Object.entries(value)) {
      if (entry === undefined) continue
      const made = this.of(entry, inside(path, name), depth + 1)
      // Not assigned: `__proto__` is a name like any other.
      Object.defineProperty(copied, name, {
        value: made,
        enumerable: true,
        configurable: true,
        writable: true,
      })
    }
    return copied
  }
}

const kind_of = (value: object) =>
  value instanceof Promise ? 'a promise' : `a ${value.constructor?.name || 'value of a class'}`

/**
 * Copies data.
 *
 * @param path where it stands, for messages
 * @returns the same values; entries of objects that are undefined are left out
 * @throws ScenarioError naming the place of what is no data (a function, a promise, undefined in a list), and for
 *   what is nested too deeply, goes in a circle, or is too much
 */
export function plain(value: unknown, path = ''): unknown {
  return new Copy().of(value, path, 0)
}

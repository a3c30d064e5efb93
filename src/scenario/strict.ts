/**
 * Objects that tell of a property that they do not have. To JavaScript it is undefined, which is an argument like
 * any other: a misspelt parameter, result or field would be left out in silence.
 */
import { ScenarioError, suggestion } from './error.js'

/** Properties that languages and tools look for on any object. */
const looked_for = new Set(['then', 'toJSON', 'asymmetricMatch', '$$typeof', 'nodeType', 'tagName'])

/** Names of all properties that an object has, itself and by its class. */
function properties_of(object: object): string[] {
  const names = Object.getOwnPropertyNames(object)
  const above: unknown = Object.getPrototypeOf(object)
  if (typeof above !== 'object' || above === null || above === Object.prototype) return names
  return [...names, ...properties_of(above).filter((name) => name !== 'constructor')]
}

/**
 * The same object, strict about names.
 *
 * @param what what it is, for messages: `task victim`
 * @throws ScenarioError (its properties do) naming the nearest property
 */
export function strict<T extends object>(object: T, what: string): T {
  return new Proxy(object, {
    get(target, name, receiver) {
      if (typeof name === 'string' && !(name in target) && !looked_for.has(name))
        throw new ScenarioError(
          '',
          `${what} has no ${JSON.stringify(name)}${suggestion(name, properties_of(target))}`,
        )
      return Reflect.get(target, name, receiver)
    },
  })
}

/**
 * Makes methods refuse arguments that they do not take, which JavaScript leaves out in silence.
 *
 * @param most by the name of a method, how many it takes
 */
export function count_arguments(prototype: object, most: Readonly<Record<string, number>>): void {
  for (const [name, takes] of Object.entries(most)) {
    const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown
    const counted = function (this: unknown, ...args: unknown[]) {
      if (args.length > takes)
        throw new ScenarioError(
          '',
          `${name} takes ${takes} argument${takes === 1 ? '' : 's'}, not ${args.length}`,
        )
      return method.apply(this, args)
    }
    Object.defineProperty(prototype, name, { value: counted, configurable: true, writable: true })
  }
}

/** @throws ScenarioError where there is a key that is not known, naming the nearest */
export function check_keys(object: object, known: readonly string[], path: string): void {
  for (const key of Object.keys(object)) {
    if (!known.includes(key))
      throw new ScenarioError(path, `has no field ${JSON.stringify(key)}${suggestion(key, known)}`)
  }
}

/** What a function of the scenario gives at once. @throws ScenarioError where it gives a promise */
export function at_once<T>(value: T, what: string): T {
  const then: unknown =
    typeof value === 'object' && value !== null ? (value as { then?: unknown }).then : undefined
  if (typeof then !== 'function') return value
  // Whatever becomes of it: it is told here that it is not waited for.
  Promise.resolve(value).catch(() => {})
  throw new ScenarioError(
    what,
    'is asynchronous; expected a function that is done when it returns (no async, no await)',
  )
}

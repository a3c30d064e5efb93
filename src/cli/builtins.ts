/**
 * The built-in objects of JavaScript, which a scenario file that is code shares with this program: whoever replaces
 * `JSON` or `Map` there replaces it here, and what the search then says nobody knows. Those that Node makes when they
 * are first asked for (`TextEncoder`, `fetch`) are not looked at.
 */

const NAMES = [
  ...[
    'Object',
    'Function',
    'Array',
    'String',
    'Number',
    'Boolean',
    'Symbol',
    'BigInt',
    'Math',
    'JSON',
    'Reflect',
  ],
  ...[
    'Map',
    'Set',
    'WeakMap',
    'WeakSet',
    'WeakRef',
    'Promise',
    'Proxy',
    'Date',
    'RegExp',
    'Atomics',
    'DataView',
  ],
  ...['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ArrayBuffer', 'SharedArrayBuffer', 'Uint8Array'],
  ...[
    'Int32Array',
    'Uint32Array',
    'BigUint64Array',
    'Float64Array',
    'parseInt',
    'isNaN',
    'process',
    'globalThis',
  ],
]

/** On `Error` tools set what traces of errors look like; of Node's own objects only a few are looked at. */
const NOT_LOOKED_AT: readonly string[] = ['Error', 'process', 'globalThis']

// Kept from the beginning: these may be replaced too.
const { defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect
const every_object = Object.prototype
const to_text = String
const is_value = Object.is

interface Property {
  readonly key: PropertyKey
  readonly is: PropertyDescriptor
}

interface Remembered {
  readonly name: string
  readonly object: object
  readonly properties: readonly Property[]
}

const is_object = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

function remember(name: string, object: object, keys: readonly PropertyKey[] = ownKeys(object)): Remembered {
  const properties = keys.flatMap((key) => {
    const is = getOwnPropertyDescriptor(object, key)
    return is === undefined ? [] : [{ key, is }]
  })
  return { name, object, properties }
}

function remember_all(): Remembered[] {
  const all = [remember('', globalThis, NAMES), remember('process', process, ['exit', 'on', 'off'])]
  for (const name of NAMES) {
    const object: unknown = Reflect.get(globalThis, name)
    if (!is_object(object)) continue
    if (!NOT_LOOKED_AT.includes(name)) all.push(remember(name, object))
    const prototype: unknown = getOwnPropertyDescriptor(object, 'prototype')?.value
    if (is_object(prototype)) all.push(remember(`${name}.prototype`, prototype))
  }
  return [...all, remember('the iterator of lists', getPrototypeOf([][Symbol.iterator]()) as object)]
}

/**
 * Remembers what the built-in objects are like.
 *
 * @returns puts back what has been changed since, and names it: `JSON.parse`, `Object.prototype.x`
 */
export function remember_builtins(): () => readonly string[] {
  const before = remember_all()
  return () => {
    const changed: string[] = []
    for (let i = 0; i < before.length; i++) put_back(before[i]!, changed)
    return changed
  }
}

/** Loops as C has them: methods of lists, and how lists are gone through, may be what is broken. */
function put_back({ name, object, properties }: Remembered, changed: string[]): void {
  const say = (key: PropertyKey) => {
    changed[changed.length] = name === '' ? to_text(key) : `${name}.${to_text(key)}`
  }
  for (let i = 0; i < properties.length; i++) {
    const { key, is } = properties[i]!
    const now = getOwnPropertyDescriptor(object, key)
    if (now !== undefined && is_value(now.value, is.value) && now.get === is.get && now.set === is.set)
      continue
    say(key)
    defineProperty(object, key, is)
  }
  if (object === every_object) take_away(object, properties, say)
}

/** What is added to the prototype of all objects every object has. */
function take_away(object: object, known: readonly Property[], say: (key: PropertyKey) => void): void {
  const keys = ownKeys(object)
  for (let i = 0; i < keys.length; i++) {
    let is_known = false
    for (let j = 0; j < known.length; j++) if (known[j]!.key === keys[i]) is_known = true
    if (is_known) continue
    say(keys[i]!)
    deleteProperty(object, keys[i]!)
  }
}

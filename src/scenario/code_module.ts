/** Security modules of a user's own, known in saved scenarios by name and source. */

import { utf8_bytes } from '../kernel/decode.js'
import type { SecurityModule } from '../kernel/kernel.js'
import { sha256 } from '../kernel/sha256.js'
import { hook_names, is_hook_name, LsmModuleError } from '../lsm/hooks.js'
import { define_module as define, type ModuleDefinition } from '../lsm/module.js'
import { suggestion } from './error.js'

const hashes = new WeakMap<SecurityModule, string>()

/** What code is known by in saved scenarios: 64 bits of the SHA-256 of its source, in hexadecimal. */
export function source_hash(sources: readonly string[]): string {
  return sha256(utf8_bytes(JSON.stringify(sources))).slice(0, 16)
}

/** Each hook with its name: the same code in another place is another module. */
const said_hooks = (hooks: object): string[] =>
  Object.entries(hooks).map(([hook, code]) => `${hook}: ${code}`)

/**
 * Makes a security module from its hooks (see `lsm/module.ts`), and notes what its source is.
 *
 * @throws LsmModuleError at once for a name that is no hook
 */
export function define_module(definition: ModuleDefinition): SecurityModule {
  check_words(definition)
  const module = define(definition)
  hashes.set(module, source_hash(said_hooks(definition.hooks)))
  return module
}

/** The nearest of the words that were meant; all else is checked where the module is made. */
function check_words(definition: ModuleDefinition): void {
  const other = Object.keys(definition ?? {}).find((key) => key !== 'name' && key !== 'hooks')
  if (other !== undefined)
    throw new LsmModuleError(
      `a security module has no field ${JSON.stringify(other)}${suggestion(other, ['name', 'hooks'])}`,
    )
  const unknown = Object.keys(definition?.hooks ?? {}).find((hook) => !is_hook_name(hook))
  const meant = unknown === undefined ? '' : suggestion(unknown, hook_names)
  if (meant !== '') throw new LsmModuleError(`${definition.name}: there is no hook ${unknown}${meant}`)
}

/** Whether a module was made by `define_module`. */
export const is_defined = (module: SecurityModule): boolean => hashes.has(module)

/** The hash of a module's source. */
export function module_source(module: SecurityModule): string {
  return hashes.get(module) ?? source_hash(said_hooks(module.hooks))
}

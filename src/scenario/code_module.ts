/** Security modules of a user's own, known in saved scenarios by name and source. */

import type { SecurityModule } from '../kernel/security.js'
import { sha256 } from '../kernel/sha256.js'
import { utf8_bytes } from '../kernel/syscall.js'
import { define_module as define, type ModuleDefinition } from '../lsm/module.js'

const hashes = new WeakMap<SecurityModule, string>()

/** What code is known by in saved scenarios: 64 bits of the SHA-256 of its source, in hexadecimal. */
export function source_hash(sources: readonly string[]): string {
  return sha256(utf8_bytes(JSON.stringify(sources))).slice(0, 16)
}

/**
 * Makes a security module from its hooks (see `lsm/module.ts`), and notes what its source is.
 *
 * @throws LsmModuleError at once for a name that is no hook
 */
export function define_module(definition: ModuleDefinition): SecurityModule {
  const module = define(definition)
  hashes.set(module, source_hash(Object.values(definition.hooks).map(String)))
  return module
}

/** The hash of a module's source. */
export function module_source(module: SecurityModule): string {
  return hashes.get(module) ?? source_hash(Object.values(module.hooks).map(String))
}

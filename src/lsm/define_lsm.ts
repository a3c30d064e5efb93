/**
 * The security modules that the model has (include/linux/lsm_hooks.h: DEFINE_LSM). A module registers itself when
 * its file is imported; `model.ts` lists them, in the order in which they are asked. All else that must know a
 * module follows from what it registers: the field of a set-up and its schema, the method of the builder, the order,
 * what `confirm` says of it, the list in docs/modules.md. So a new module is a folder, and a line in that list.
 */
import type { SecurityModule } from '../kernel/kernel.js'
import type { Feature } from '../kernel/profile.js'

/**
 * What a set-up can tell each module, by its name. A module adds itself where it is defined:
 *
 *     declare module '../define_lsm.js' {
 *       interface LsmOptions { readonly mine?: MyOptions }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: each module's file adds its own line
export interface LsmOptions {}

/** Name of a module that a set-up can have. */
export type LsmName = keyof LsmOptions

/** What an option may be: a text, or true and false. */
type OptionType<T> = T extends boolean ? 'flag' : T extends string ? 'text' : never

/** An option as plain data, of which the schema of the form is made. */
export interface OptionKind<T = boolean | string> {
  readonly type: OptionType<T>
  /** What it does, for the schema and the documents. */
  readonly says: string
}

/** The options of a module that the builder and the form take; each can be left out. */
export type OptionsOf<N extends LsmName> = NonNullable<LsmOptions[N]>

interface Described {
  /** What it does, in one sentence. */
  readonly says: string
  /** Whether a kernel can have it; of none that cannot is anything confirmed. */
  readonly in_kernels: boolean
  /** Features of profiles that are about this module alone, and what it does not do on a kernel without. */
  readonly features?: { readonly [F in Feature]?: string }
}

/** A module that is always there, before all others (enum lsm_order: LSM_ORDER_FIRST). */
export interface FirstLsm extends Described {
  readonly name: string
  readonly order: 'first'
  make(): SecurityModule
}

/** A module that is there where a set-up names it (LSM_ORDER_MUTABLE). */
export interface MutableLsm<N extends LsmName = LsmName> extends Described {
  readonly name: N
  readonly order: 'mutable'
  readonly options: { readonly [O in keyof OptionsOf<N>]-?: OptionKind<NonNullable<OptionsOf<N>[O]>> }
  /** The option without which it judges nothing. */
  readonly idle_without?: keyof OptionsOf<N>
  /** @throws LsmOptionError for what an option may not be */
  make(options: OptionsOf<N>): SecurityModule
}

/** What people must mend in an option. */
export class LsmOptionError extends Error {
  constructor(
    readonly option: string,
    message: string,
  ) {
    super(message)
    this.name = 'LsmOptionError'
  }
}

const first: FirstLsm[] = []
const mutable: MutableLsm[] = []

/** Fields of a set-up's `lsm` that are no module's. */
const taken: readonly string[] = ['rules', 'modules', 'order']

/** Makes a module known to everything that asks for modules. */
export function define_lsm<N extends LsmName>(lsm: FirstLsm | MutableLsm<N>): void {
  const known = [...first, ...mutable].map(({ name }) => name as string)
  if ([...known, ...taken].includes(lsm.name)) throw new Error(`${lsm.name} is there already`)
  if (lsm.order === 'first') first.push(lsm)
  else mutable.push(lsm as unknown as MutableLsm)
}

/** Those that are always there. */
export const first_lsms = (): readonly FirstLsm[] => first

/** Those that a set-up can have, in the order in which they are asked unless it says another. */
export const mutable_lsms = (): readonly MutableLsm[] => mutable

/** All of them, in the order in which they are asked. */
export const all_lsms = (): readonly (FirstLsm | MutableLsm)[] => [...first, ...mutable]

/** A security module of a user's own, written in TypeScript. */
import { type ErrnoName, errno_value } from '../kernel/errno.js'
import type { Hook, Hooks, Kernel, SecurityModule } from '../kernel/kernel.js'
import type { HookName } from '../kernel/lsm_hook_defs.js'
import { Answers, type Question } from './answers.js'
import { hook_names, is_hook_name, LsmModuleError } from './hooks.js'
import { type HookContext, hook_context } from './view.js'

/** 0 allows; a negative errno or its name refuses. */
export type HookAnswer = number | ErrnoName

/** What `define_module` makes a security module of. */
export interface ModuleDefinition {
  /** How traces and `order` call it; not the name of a module of the kernel. */
  readonly name: string
  /** By the kernel's names. A hook must answer by what it is given alone: no clock, no memory, no randomness. */
  readonly hooks: { readonly [N in HookName]?: (ctx: HookContext<N>) => HookAnswer }
}

/**
 * Makes a security module:
 *
 *     define_module({
 *       name: 'only-root-runs',
 *       hooks: {
 *         bprm_creds_for_exec(ctx) {
 *           return ctx.file.uid === 0 ? 0 : 'EACCES'
 *         },
 *       },
 *     })
 *
 * @throws LsmModuleError at once for a name that is no hook; when a hook runs, for an answer that is neither 0
 *   nor an errno, and for what the hook throws
 */
export function define_module(definition: ModuleDefinition): SecurityModule {
  const name = definition?.name
  if (typeof name !== 'string' || name === '') throw new LsmModuleError('a security module needs a name')
  if (typeof definition.hooks !== 'object' || definition.hooks === null) {
    throw new LsmModuleError(`${name}: hooks: expected an object with a function per hook`)
  }
  const hooks: Record<string, Hook<HookName>> = {}
  const told = { answers: new Answers() }
  for (const [hook, run] of Object.entries(definition.hooks)) {
    if (!is_hook_name(hook))
      throw new LsmModuleError(`${name}: there is no hook ${hook}; hooks are ${hook_names.join(', ')}`)
    if (typeof run !== 'function') throw new LsmModuleError(`${name}: ${hook}: expected a function`)
    hooks[hook] = (k, args) => {
      const question = told.answers.ask(name, hook)
      return ask(k, name, hook, run as (ctx: HookContext) => unknown, args, question)
    }
  }
  const module = { name, hooks: hooks as Hooks }
  tellings.set(module, told)
  return module
}

/** What each module has been told and has answered. */
const tellings = new WeakMap<SecurityModule, { answers: Answers }>()

/** From now on a module that was made anew must answer as the first has answered. */
export function share_answers(first: SecurityModule, anew: SecurityModule): void {
  const [of_first, of_anew] = [tellings.get(first), tellings.get(anew)]
  if (of_first !== undefined && of_anew !== undefined) of_anew.answers = of_first.answers
}

function ask(
  k: Kernel,
  module: string,
  hook: HookName,
  run: (ctx: HookContext) => unknown,
  args: object,
  question: Question,
): number {
  let answer: unknown
  try {
    const about = (args as { file?: number }).file ?? 0
    const looked = (ino: number) => about !== 0 && k.config.monitor?.looked?.(k, ino, about, module)
    const context = hook_context(k, hook, args as never, looked)
    answer = run(guarded(context, 'ctx', `${module}: ${hook}`, question))
  } catch (error) {
    if (error instanceof LsmModuleError) throw error
    throw new LsmModuleError(
      `${module}: ${hook} failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    )
  }
  const errno = errno_of(answer)
  if (errno === undefined) {
    throw new LsmModuleError(
      `${module}: ${hook} returned ${describe(answer)}; expected 0, or an errno such as 'EACCES' or -13`,
    )
  }
  question.answer(errno)
  return errno === 0 ? 0 : k.refuse(errno, () => `${module}: ${hook}`)
}

/** Properties that languages and tools look for on any object. */
const looked_for = ['toJSON', 'then']

/**
 * A context, and the views in it, that tell of a property that they do not have: undefined would be an answer
 * like any other to a hook that is mistaken in a name, and make it refuse or allow everything. All that a hook
 * reads of it is noted, since nothing else may decide its answer.
 */
function guarded<T extends object>(view: T, place: string, hook: string, question: Question | null): T {
  const read = (name: string | symbol): unknown => {
    if (!(name in view) && typeof name === 'string' && !looked_for.includes(name))
      throw new LsmModuleError(
        `${hook}: ${place} has no property ${JSON.stringify(name)}; it has ${properties_of(view)}`,
      )
    const at = `${place}.${String(name)}`
    const value: unknown = Reflect.get(view, name, view)
    if (typeof value === 'function')
      return (...given: unknown[]) => {
        const given_back = value.apply(view, given) as unknown
        question?.read(`${at}()`, given_back)
        return given_back
      }
    const is_data =
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    question?.read(at, is_data ? JSON.stringify(value) : value)
    const inside = typeof value === 'object' && value !== null && !Array.isArray(value)
    return inside ? guarded(value, at, hook, is_data ? null : question) : value
  }
  return new Proxy({} as T, {
    get: (_, name) => read(name),
    has: (_, name) => name in view,
    ownKeys: () => Reflect.ownKeys(view),
    getOwnPropertyDescriptor: (_, name) => {
      const own = Reflect.getOwnPropertyDescriptor(view, name)
      return own && { ...own, configurable: true, value: read(name) }
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(view),
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  })
}

/** What a view has: its own properties and the getters of its class. */
function properties_of(view: object): string {
  const own = Object.keys(view)
  const { prototype } = view.constructor
  const inherited = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype)
  const names = [...own, ...inherited.filter((name) => name !== 'constructor')]
  return [...new Set(names)].join(', ')
}

const MAX_ERRNO = 4095

/** The number that an answer stands for, or undefined where it stands for none. */
export function errno_of(answer: unknown): number | undefined {
  if (answer === 0) return 0
  if (typeof answer === 'string') return answer.startsWith('E') ? errno_value(answer) : undefined
  if (typeof answer !== 'number' || !Number.isInteger(answer)) return undefined
  return answer < 0 && answer >= -MAX_ERRNO ? answer : undefined
}

function describe(answer: unknown): string {
  if (typeof answer === 'string') return JSON.stringify(answer)
  if (typeof answer === 'number' && answer > 0) return `${answer} (errnos are negative: -${answer}?)`
  if (answer instanceof Promise) return 'a promise (a hook must answer at once)'
  return typeof answer === 'object' && answer !== null ? 'an object' : String(answer)
}

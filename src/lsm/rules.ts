/**
 * A security module as a table of rules, which is pure data: it can be saved, sent and turned into a BPF
 * program. The first rule of a hook whose conditions all hold decides; where none does, 0.
 *
 *     [{ hook: 'file_open', when: { path_prefix: '/srv', uid: 1000 }, answer: 'EACCES' }]
 */
import { type ErrnoName, errno_names } from '../kernel/errno.js'
import type { Hooks, Kernel, SecurityModule } from '../kernel/kernel.js'
import type { HookArguments, HookName } from '../kernel/lsm_hook_defs.js'
import { nearest } from '../kernel/spelling.js'
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../vfs/memory/mm.js'
import { MAY_APPEND, MAY_EXEC, MAY_OPEN, MAY_READ, MAY_WRITE } from '../vfs/namei/permission.js'
import { hook_arguments, hook_names, is_hook_name, LsmModuleError } from './hooks.js'
import { errno_of } from './module.js'
import { DentryView, FileView, type HookContext, hook_context, InodeView, PathView, VmaView } from './view.js'

/** Conditions of a rule; all that are given must hold. */
export interface RuleConditions {
  /** The path of the open file, or of what a hook about a path is asked of, as the running task sees it. */
  readonly path?: string
  /** That path, or a directory above it. */
  readonly path_prefix?: string
  /** The name that is made, linked or renamed to; of hooks that are told one. */
  readonly name?: string
  /** Effective user of the running task. */
  readonly uid?: number
  /** Effective group of the running task. */
  readonly gid?: number
  /** The name of the running task, as the kernel keeps it: 15 bytes. */
  readonly comm?: string
  /** Name that the set-up gave to the file system of the object (of an overlay file: the overlay). */
  readonly sb?: string
  /** Type of that file system. */
  readonly fs_type?: string
  /** AT_EXECVE_CHECK. */
  readonly is_check?: boolean
  /** All these bits are asked for: a number, or names joined by `|` (MAY_EXEC, MAY_READ …). */
  readonly mask?: number | string
  /** All these bits are in effect: a number, or names joined by `|` (PROT_EXEC …). */
  readonly prot?: number | string
  /** The data lie on a dm-verity device with a verified signature. */
  readonly dmverity_signature?: boolean
  /** The data have fs-verity with a verified signature. */
  readonly fsverity_signature?: boolean
}

/** When a hook gives which answer. */
export interface Rule {
  /** The kernel's name of the hook that is asked. */
  readonly hook: HookName
  /** Conditions that must all hold; without any the rule always decides. */
  readonly when?: RuleConditions
  /** `ALLOW`, or the name of an errno. */
  readonly answer: 'ALLOW' | ErrnoName
}

type Condition = keyof RuleConditions

const bit_names: Readonly<Record<string, number>> = {
  MAY_EXEC,
  MAY_WRITE,
  MAY_READ,
  MAY_APPEND,
  MAY_OPEN,
  PROT_READ,
  PROT_WRITE,
  PROT_EXEC,
}

/** The bits that a number or names joined by `|` stand for; undefined where a name is unknown. */
function bits(prefix: string, given: number | string): number | undefined {
  if (typeof given === 'number') return Number.isInteger(given) && given >= 0 ? given : undefined
  let all = 0
  for (const word of given.split('|').map((each) => each.trim())) {
    if (!word.startsWith(prefix) || !Object.hasOwn(bit_names, word)) return undefined
    all |= bit_names[word]!
  }
  return all
}

interface ConditionKind {
  /** Arguments of which the hook must have one. */
  readonly needs: readonly string[]
  readonly expected: string
  accepts(given: unknown): boolean
}

const objects = ['file', 'vma', 'inode', 'dentry', 'old_dentry', 'parent', 'path', 'dir']
/** What has a path; of a name in a directory it is both together. */
const with_path = ['file', 'vma', 'path', 'dir']
const is_text = (given: unknown) => typeof given === 'string' && given !== ''
const is_path = (given: unknown) => typeof given === 'string' && given.startsWith('/')
const is_id = (given: unknown) => typeof given === 'number' && Number.isInteger(given) && given >= 0
const is_boolean = (given: unknown) => typeof given === 'boolean'
const is_bits = (prefix: string) => (given: unknown) =>
  (typeof given === 'number' || typeof given === 'string') && bits(prefix, given) !== undefined

const conditions: { readonly [C in Condition]: ConditionKind } = {
  path: { needs: with_path, expected: 'a path that begins with /', accepts: is_path },
  path_prefix: { needs: with_path, expected: 'a path that begins with /', accepts: is_path },
  name: { needs: ['name'], expected: 'a name', accepts: is_text },
  uid: { needs: [], expected: 'a user id', accepts: is_id },
  gid: { needs: [], expected: 'a group id', accepts: is_id },
  comm: { needs: [], expected: 'the name of a task', accepts: is_text },
  sb: { needs: objects, expected: 'the name of a file system', accepts: is_text },
  fs_type: { needs: objects, expected: 'a type of file systems', accepts: is_text },
  is_check: { needs: ['is_check'], expected: 'true or false', accepts: is_boolean },
  mask: {
    needs: ['mask'],
    expected: 'a number, or MAY_EXEC and the like joined by |',
    accepts: is_bits('MAY_'),
  },
  prot: {
    needs: ['prot'],
    expected: 'a number, or PROT_EXEC and the like joined by |',
    accepts: is_bits('PROT_'),
  },
  dmverity_signature: { needs: ['file', 'vma', 'inode'], expected: 'true or false', accepts: is_boolean },
  fsverity_signature: { needs: ['file', 'vma', 'inode'], expected: 'true or false', accepts: is_boolean },
}

/** Names of conditions. */
const rule_conditions = Object.keys(conditions) as Condition[]

/**
 * What is wrong with a table of rules, for people: one line for each mistake, with its place.
 *
 * @param rules anything
 * @param where the name of the table in messages
 * @returns an empty list where the table is right
 */
export function check_rules(rules: unknown, where = 'rules'): string[] {
  if (!Array.isArray(rules)) return [`${where}: expected a list of rules`]
  return rules.flatMap((rule: unknown, index) => check_rule(rule, `${where}[${index}]`))
}

const fields_of_rule = ['hook', 'when', 'answer']

function meant(word: unknown, known: readonly string[]): string {
  const near = typeof word === 'string' ? nearest(word, known) : undefined
  return near === undefined ? '' : `; did you mean ${near}?`
}

function check_rule(rule: unknown, at: string): string[] {
  if (typeof rule !== 'object' || rule === null) return [`${at}: expected { hook, when, answer }`]
  const wrong = Object.keys(rule)
    .filter((key) => !fields_of_rule.includes(key))
    .map((key) => `${at}.${key}: unknown; a rule has hook, when and answer${meant(key, fields_of_rule)}`)
  const { hook, when, answer } = rule as Record<string, unknown>
  if (!is_hook_name(hook)) {
    const all = `; hooks are ${hook_names.join(', ')}`
    wrong.push(`${at}.hook: ${JSON.stringify(hook)} is no hook${meant(hook, hook_names) || all}`)
  } else if (when !== undefined) wrong.push(...check_conditions(hook, when, `${at}.when`))
  if (answer !== 'ALLOW' && (typeof answer !== 'string' || errno_of(answer) === undefined)) {
    wrong.push(
      `${at}.answer: expected ALLOW or the name of an errno, such as EACCES, not ${JSON.stringify(answer)}${meant(answer, ['ALLOW', ...errno_names])}`,
    )
  }
  return wrong
}

function check_conditions(hook: HookName, when: unknown, at: string): string[] {
  if (typeof when !== 'object' || when === null || Array.isArray(when)) return [`${at}: expected conditions`]
  const told: readonly string[] = hook_arguments[hook]
  return Object.entries(when).flatMap(([name, given]) => {
    const kind = Object.hasOwn(conditions, name) ? conditions[name as Condition] : undefined
    if (kind === undefined)
      return [
        `${at}.${name}: no such condition; there are ${rule_conditions.join(', ')}${meant(name, rule_conditions)}`,
      ]
    if (kind.needs.length > 0 && !kind.needs.some((need) => told.includes(need))) {
      return [`${at}.${name}: ${hook} is not told of it (only of ${told.join(', ')})`]
    }
    return kind.accepts(given)
      ? []
      : [`${at}.${name}: expected ${kind.expected}, not ${JSON.stringify(given)}`]
  })
}

/**
 * Makes a security module of a table of rules.
 *
 * @throws LsmModuleError with a line for each mistake (those of `check_rules`)
 */
export function rules_module(name: string, rules: readonly Rule[]): SecurityModule {
  const wrong = check_rules(rules, name)
  if (wrong.length > 0) throw new LsmModuleError(wrong.join('\n'))
  const hooks: Record<string, (k: Kernel, args: never) => number> = {}
  for (const hook of new Set(rules.map((rule) => rule.hook))) {
    const own = rules.flatMap((rule, index) => (rule.hook === hook ? [{ rule, index }] : []))
    hooks[hook] = (k, args) => {
      const ctx = hook_context(k, hook, args as HookArguments[typeof hook])
      const found = own.find(({ rule }) => matches(rule.when ?? {}, ctx))
      if (found === undefined || found.rule.answer === 'ALLOW') return 0
      return k.refuse(errno_of(found.rule.answer)!, () => `${name}: rule ${found.index + 1}, ${hook}`)
    }
  }
  return { name, hooks: hooks as Hooks }
}

/** What a hook's context may hold, whichever hook it is. */
type AnyContext = Pick<HookContext, 'task'> & Readonly<Record<string, unknown>>

function matches(when: RuleConditions, given: HookContext): boolean {
  const ctx = given as unknown as AnyContext
  const object = object_of(ctx)
  const opened = object instanceof FileView ? object : null
  const stored = opened?.data ?? (object instanceof InodeView ? object : null)
  const has = (wanted: number | string, prefix: string, bits_given: unknown) =>
    (bits(prefix, wanted)! & ~(bits_given as number)) === 0
  const holds: { readonly [C in Condition]: (wanted: NonNullable<RuleConditions[C]>) => boolean } = {
    path: (wanted) => path_of(ctx, opened) === wanted,
    path_prefix: (wanted) => is_below(path_of(ctx, opened) ?? '', wanted),
    name: (wanted) => ctx.name === wanted,
    uid: (wanted) => ctx.task.euid === wanted,
    gid: (wanted) => ctx.task.egid === wanted,
    comm: (wanted) => ctx.task.comm === wanted,
    sb: (wanted) => object?.sb === wanted,
    fs_type: (wanted) => object?.filesystem === wanted,
    is_check: (wanted) => ctx.is_check === wanted,
    mask: (wanted) => has(wanted, 'MAY_', ctx.mask),
    prot: (wanted) => has(wanted, 'PROT_', ctx.prot),
    dmverity_signature: (wanted) => (stored?.dmverity?.signed ?? false) === wanted,
    fsverity_signature: (wanted) => (stored?.fsverity?.signed ?? false) === wanted,
  }
  return Object.entries(when).every(([name, wanted]) => holds[name as Condition](wanted as never))
}

/** The path of what the hook is about; undefined where it is told of none. */
function path_of({ path, dir, dentry, name }: AnyContext, opened: FileView | null): string | undefined {
  if (opened !== null) return opened.path
  if (path instanceof PathView) return path.path
  if (!(dir instanceof PathView)) return undefined
  const last = dentry instanceof DentryView ? dentry.name : String(name)
  return `${dir.path.replace(/\/$/, '')}/${last}`
}

/** What the hook is about: its file, or the inode or name. */
function object_of(ctx: AnyContext): FileView | InodeView | DentryView | PathView | null {
  for (const argument of objects) {
    const value = ctx[argument]
    if (value instanceof VmaView) return value.file
    if (value instanceof FileView || value instanceof InodeView) return value
    if (value instanceof DentryView || value instanceof PathView) return value
  }
  return null
}

function is_below(path: string, prefix: string): boolean {
  const directory = prefix.replace(/\/+$/, '')
  return path === directory || path.startsWith(`${directory}/`)
}

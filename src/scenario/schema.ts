/**
 * The schema of the JSON form: what stands where, for documents that come from outside. It is also published
 * as a JSON Schema (`docs/scenario.schema.json`). Whoever only runs scenarios that were built in TypeScript
 * need not load it, nor zod.
 */
import { z } from 'zod'
import { RLIMIT_NOFILE } from '../vfs/task.js'
import { nearest, ScenarioError, suggestion } from './error.js'
import type { Json, NodeForm, OpForm, ScenarioForm, SetupForm } from './form.js'

const name = z
  .string()
  .regex(/^[A-Za-z_][\w-]*$/, 'expected a name: letters, digits, _ and -')
  .describe('letters, digits, _ and -')
const count = z.number().int().nonnegative()
/** Of a user or group: 32 bits, of which the last number means nobody (`(uid_t) -1`). */
const owner_id = count.max(2 ** 32 - 2)
const path = z.string().regex(/^\//, 'expected an absolute path')
const json: z.ZodType<Json> = z.json()

const bytes = z.union([z.string(), z.strictObject({ base64: z.string() })])
const mode = z.union([
  count,
  z.string().regex(/^0?[0-7]{1,4}$/, 'expected octal digits') as unknown as z.ZodType<`0${number}`>,
])
const owner = { mode: mode.optional(), uid: owner_id.optional(), gid: owner_id.optional() }
const digest = z.string().regex(/^[^:]+:[0-9a-f]*$/i, 'expected algorithm:hex')

const node: z.ZodType<NodeForm> = z.union([
  z.string(),
  z.strictObject({
    file: bytes,
    ...owner,
    verity: z.strictObject({ digest: digest.optional(), signed: z.boolean().optional() }).optional(),
    immutable: z.boolean().optional(),
    append: z.boolean().optional(),
  }),
  z.strictObject({
    get dir() {
      return tree
    },
    ...owner,
    opaque: z.boolean().optional(),
  }),
  z.strictObject({ symlink: z.string().min(1), uid: owner_id.optional(), gid: owner_id.optional() }),
  z.strictObject({ device: z.enum(['char', 'block', 'fifo']), rdev: count.optional(), ...owner }),
  z.strictObject({ link: z.string().min(1) }),
  z.strictObject({ whiteout: z.literal(true) }),
])
const tree = z.record(z.string().min(1), node)

const file_system = z.strictObject({
  type: z.enum(['tmpfs', 'ext4', 'erofs']),
  read_only: z.boolean().optional(),
  initramfs: z.boolean().optional(),
  dmverity: z.strictObject({ roothash: digest.optional(), signed: z.boolean().optional() }).optional(),
  tree: tree.optional(),
})

const mount_base = {
  at: path,
  options: z.array(z.enum(['ro', 'noexec', 'nosuid', 'nodev', 'nosymfollow'])).optional(),
}
const layer = z.string().min(1).describe('name or name:/path of a file system')
const mount = z.union([
  z.strictObject({ ...mount_base, filesystem: name, root: path.optional() }),
  z.strictObject({ ...mount_base, bind: path }),
  z.strictObject({
    ...mount_base,
    overlay: z.strictObject({
      lower: z.array(layer).min(1),
      upper: layer.optional(),
      work: layer.optional(),
    }),
  }),
])

const code = z.strictObject({ code: z.string(), source: z.string() })
const lsm = z.strictObject({
  ipe: z
    .strictObject({
      policy: z.string().optional(),
      enforce: z.boolean().optional(),
      success_audit: z.boolean().optional(),
    })
    .optional(),
  rules: z.array(z.strictObject({ name, rules: z.array(json) })).optional(),
  modules: z.array(code).optional(),
  order: z.array(z.string()).optional(),
})

/** The part that the shell takes too. */
export const setup_schema = z.strictObject({
  profile: z.string().optional(),
  filesystems: z.record(name, file_system).optional(),
  mounts: z.array(mount).optional(),
  lsm: lsm.optional(),
})

const reference = z.strictObject({ $: z.string().min(1) })
const argument = z.union([reference, json])
const result_name = name.describe('name of a result')

const condition = z.strictObject({
  result: z.string(),
  ok: z.literal(true).optional(),
  failed: z.literal(true).optional(),
  errno: z.string().optional(),
  equals: z.number().optional(),
})

const op: z.ZodType<OpForm> = z.lazy(() => z.union(operations))
const operations = [
  z.strictObject({
    call: z.string(),
    args: z.array(argument).optional(),
    as: result_name.optional(),
    on_error: z.enum(['exit', 'continue']).optional(),
    child: z.array(op).optional(),
  }),
  z.strictObject({
    use: z.union([
      z.string(),
      z.array(z.union([z.string(), z.strictObject({ of: z.string(), at: count.optional() })])).min(1),
    ]),
    relies: z.string().optional(),
    part: z.boolean().optional(),
  }),
  // biome-ignore lint/suspicious/noThenProperty: it is data, nobody awaits it
  z.strictObject({ if: condition, then: z.array(op), else: z.array(op).optional() }),
  z.strictObject({ repeat: count.max(1000), body: z.array(op) }),
  z.strictObject({ exit: z.literal(true) }),
] as const

const task = z.strictObject({
  name,
  role: z.enum(['victim', 'attacker', 'other']).optional(),
  uid: owner_id.optional(),
  gid: owner_id.optional(),
  groups: z.array(owner_id).optional(),
  capabilities: z.union([z.literal('all'), z.array(z.string())]).optional(),
  umask: count.optional(),
  rlimit_nofile: count.min(3).max(RLIMIT_NOFILE).optional(),
  cwd: path.optional(),
  securebits: z.union([count, z.string()]).optional(),
  program: z.array(op),
})

const outcome = z.record(z.string(), z.union([z.string(), z.number()]))
const named_properties = ['check-use', 'policy'] as const
const kinds_of_property = ['never', 'reaches', 'code']
const property = z.union([
  z.enum(named_properties),
  z.strictObject({ never: outcome, name: z.string().optional() }),
  z.strictObject({ reaches: outcome, name: z.string().optional() }),
  code,
])

const one_case = z.strictObject({
  params: z.record(name, z.union([z.string(), z.number(), z.boolean()])).optional(),
  profile: z.string().optional(),
  setup: setup_schema.optional(),
  tasks: z.array(task).min(1).max(16),
  properties: z.array(property).optional(),
  expect: z
    .strictObject({
      verdict: z.enum(['hole', 'race', 'deadlock', 'incomplete', 'safe']),
      property: z.string().optional(),
    })
    .optional(),
})

/** The whole document. */
export const scenario_schema = z.strictObject({
  $schema: z.string().optional().describe('for editors'),
  toctoscope: z.literal(1).describe('version of this form'),
  name,
  summary: z.string(),
  teaches: z.string().optional(),
  cases: z.array(one_case).min(1),
})

/** The published JSON Schema. */
export function json_schema(): object {
  const { $schema, ...schema } = z.toJSONSchema(scenario_schema, { io: 'input', reused: 'ref' })
  return { $schema, $id: 'toctoscope:scenario', title: 'A Toctoscope scenario', ...schema }
}

/**
 * Checks a document from outside.
 *
 * @returns the same document, known to have the form
 * @throws ScenarioError naming the first field that is wrong, and what was expected there
 */
export function validate_scenario(document: unknown): ScenarioForm {
  const checked = scenario_schema.safeParse(document)
  if (checked.success) return checked.data as ScenarioForm
  throw error_of(checked.error.issues, document)
}

const setup_document = z.strictObject({ setup: setup_schema })

/**
 * Checks a set-up that comes alone, as the shell takes it.
 *
 * @throws ScenarioError naming the first field that is wrong, as `setup.…`
 */
export function validate_setup(setup: unknown): SetupForm {
  const checked = setup_document.safeParse({ setup })
  if (checked.success) return checked.data.setup as SetupForm
  throw error_of(checked.error.issues, { setup })
}

type Issue = z.core.$ZodIssue

function error_of(issues: readonly Issue[], document: unknown): ScenarioError {
  const { at, text } = deepest(issues[0]!, document)
  const unknown = issues.slice(1).filter((each) => each.code === 'unrecognized_keys')
  const more = unknown.map((each) => new ScenarioError(show_path(each.path), text_of(each, document)).message)
  return new ScenarioError(show_path(at), [text, ...more].join('\n'))
}

function show_path(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join('')
}

function value_at(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part]
  return value
}

/** Of a choice between forms, the form that was meant is the one whose check came furthest. */
function deepest(issue: Issue, document: unknown): { at: readonly PropertyKey[]; text: string } {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0)
    return { at: issue.path, text: text_of(issue, document) }
  const none = meant_no_property(issue, document) ?? meant_none(issue, document)
  if (none !== undefined) return { at: issue.path, text: none }
  const tried = issue.errors
    .filter((branch) => branch.length > 0)
    .map((branch) => {
      const inner = deepest({ ...branch[0]!, path: [...issue.path, ...branch[0]!.path] } as Issue, document)
      return { ...inner, score: score(branch, issue, inner.at.length) }
    })
    .sort((a, b) => b.score - a.score)
  const best = tried[0]!
  if (best.at.length > issue.path.length || best.score > 0) return best
  return {
    at: issue.path,
    text: `expected one of: ${expectations(tried.map((each) => each.text))}, not ${show(value_at(document, issue.path))}`,
  }
}

/** What stands in the place of a property, and is none of the kinds. */
function meant_no_property(issue: Issue, document: unknown): string | undefined {
  const value = value_at(document, issue.path)
  if (issue.path.at(-2) !== 'properties') return undefined
  if (typeof value === 'object' && value !== null && kinds_of_property.some((kind) => kind in value))
    return undefined
  if (value === 'parity') return 'parity is not modelled yet'
  const hint = typeof value === 'string' ? nearest(value, named_properties) : undefined
  const meant = hint === undefined ? '' : `; did you mean ${hint}?`
  const named = named_properties.map((each) => JSON.stringify(each)).join(', ')
  return `expected ${named}, or an object with never or reaches, not ${show(value)}${meant}`
}

/** An object that lacks what each of the forms is known by (`call`, `use`, `if` …). */
function meant_none(issue: Extract<Issue, { code: 'invalid_union' }>, document: unknown): string | undefined {
  const value = value_at(document, issue.path)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const lacking = issue.errors.map((branch) =>
    branch
      .filter((each) => each.path.length === 1 && !Object.hasOwn(value, each.path[0]!))
      .map((each) => String(each.path[0])),
  )
  const kinds = lacking.filter((_, i) =>
    issue.errors[i]!.every((each) => each.code !== 'invalid_type' || each.path.length > 0),
  )
  if (kinds.some((keys) => keys.length === 0)) return undefined
  const keys = [...new Set(kinds.map((each) => each[0]!))]
  const given = Object.keys(value)[0]
  const hint = given === undefined ? undefined : nearest(given, keys)
  if (keys.length < 2) return undefined
  return `expected one of the fields ${keys.join(', ')}${hint === undefined ? '' : `; did you mean ${hint}?`}`
}

/** A branch whose first complaint is a wrong kind of value, or a key that it does not have, was not meant. */
function score(branch: readonly Issue[], issue: Issue, depth: number): number {
  const here = branch.filter((each) => each.path.length === 0)
  if (here.some((each) => each.code === 'invalid_type' || each.code === 'invalid_value')) return -1
  const missing = branch.filter(
    (each) => each.path.length === 1 && each.code === 'invalid_type' && each.input === undefined,
  )
  const unknown = here.flatMap((each) => (each.code === 'unrecognized_keys' ? each.keys : []))
  return depth - issue.path.length - missing.length * 2 - unknown.length
}

const expectations = (texts: readonly string[]) =>
  [...new Set(texts.map((text) => text.replace(/^expected /, '').replace(/, not .*/, '')))].join('; ')

function text_of(issue: Issue, document: unknown): string {
  const value = value_at(document, issue.path)
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined
        ? `is missing; expected ${issue.expected}`
        : `expected ${issue.expected}, not ${show(value)}`
    case 'invalid_value':
      if (value === undefined)
        return `is missing; expected ${issue.values.map((each) => JSON.stringify(each)).join(' or ')}`
      return `expected ${issue.values.map((each) => JSON.stringify(each)).join(' or ')}, not ${show(value)}${
        typeof value === 'string'
          ? suggestion(
              value,
              issue.values.filter((each) => typeof each === 'string'),
            ).replace(/; expected.*/, '')
          : ''
      }`
    case 'unrecognized_keys':
      return `has no ${issue.keys.length === 1 ? 'field' : 'fields'} ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
    default:
      return `${issue.message[0]!.toLowerCase()}${issue.message.slice(1)}, not ${show(value)}`
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

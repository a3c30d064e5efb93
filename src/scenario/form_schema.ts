/**
 * The schema of the form: what stands where, for documents that come from outside and for what the builder
 * makes. It is also published as a JSON Schema (`docs/scenario.schema.json`). A word that it does not know is
 * refused wherever it stands, with the known one that is nearest: a misspelt option that were ignored would make
 * another scenario of it, and its verdict would be believed.
 */
import { z } from 'zod'
import { all_syscalls } from '../kernel/syscall.js'
import type { MutableLsm, OptionKind } from '../lsm/define_lsm.js'
import { mutable_lsms, overlay_options } from '../model.js'
import { filesystem_types } from '../vfs/filesystems/filesystems.js'
import { RLIMIT_NOFILE } from '../vfs/tasks/task.js'
import { nearest, ScenarioError, suggestion } from './error.js'
import type { Json, NodeForm, OpForm, ScenarioForm, SetupForm } from './form.js'
import { octal_was_meant } from './mode.js'
import { inside, plain } from './plain.js'

/** An object with these fields and no others. */
function closed<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? has_no(issue.keys, Object.keys(shape)) : undefined,
  })
}

function has_no(keys: readonly string[], known: readonly string[]): string {
  if (keys.length === 1) return `has no field ${JSON.stringify(keys[0])}${suggestion(keys[0]!, known)}`
  const each = keys.map((key) => {
    const near = nearest(key, known)
    return `${JSON.stringify(key)}${near === undefined ? '' : ` (did you mean ${near}?)`}`
  })
  return `has no fields ${each.join(', ')}`
}

/** Names that stand in references and on command lines. */
const name = z
  .string()
  .regex(/^[A-Za-z_][\w-]*$/, 'expected a name: letters, digits, _ and -')
  .describe('letters, digits, _ and -')
/** Names that people only read, of whatever characters: what acts on a terminal is escaped where it is printed. */
const title = z.string().min(1, 'expected a name').max(200, 'expected a name of at most 200 characters')
const count = z.number().int().nonnegative()
/** What a result is compared with: none is beyond what the model carries. */
const result_value = () =>
  z
    .number()
    .refine(
      (value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER,
      'no result is beyond 2^53 - 1, the largest that the model carries',
    )
/** Of a user or group: 32 bits, of which the last number means nobody (`(uid_t) -1`). */
const owner_id = count.max(2 ** 32 - 2)
/** PATH_MAX, without the NUL. */
const path = z
  .string()
  .max(4095, 'expected a path of at most 4095 bytes')
  .regex(/^\//, 'expected an absolute path')
const json: z.ZodType<Json> = z.json()

const bytes = z.union([z.string(), closed({ base64: z.string() })])
const mode = z.union([
  count.superRefine((given, context) => {
    const message = octal_was_meant(given)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  }),
  z.string().regex(/^0?[0-7]{1,4}$/, 'expected octal digits') as unknown as z.ZodType<`0${number}`>,
])
const owner = { mode: mode.optional(), uid: owner_id.optional(), gid: owner_id.optional() }
const digest = z.string().regex(/^[^:]+:[0-9a-f]*$/i, 'expected algorithm:hex')

const node: z.ZodType<NodeForm> = z.union([
  z.string(),
  closed({
    file: bytes,
    ...owner,
    verity: closed({ digest: digest.optional(), signed: z.boolean().optional() }).optional(),
    immutable: z.boolean().optional(),
    append: z.boolean().optional(),
  }),
  closed({
    get dir() {
      return tree
    },
    ...owner,
    opaque: z.boolean().optional(),
  }),
  closed({ symlink: z.string().min(1), uid: owner_id.optional(), gid: owner_id.optional() }),
  closed({ device: z.enum(['char', 'block', 'fifo']), rdev: count.optional(), ...owner }),
  closed({ link: z.string().min(1) }),
  closed({ whiteout: z.literal(true) }),
])
const tree = z.record(z.string().min(1), node)

const file_system = closed({
  type: z.enum(filesystem_types),
  read_only: z.boolean().optional(),
  initramfs: z.boolean().optional(),
  dmverity: closed({ roothash: digest.optional(), signed: z.boolean().optional() }).optional(),
  tree: tree.optional(),
})

/** What stands before the colon of a layer. */
const file_system_name = title
  .regex(/^[^:/\0]+$/, 'expected a name without : and /')
  .regex(/^(?!\.{1,2}$)/, 'expected a name')
const mount_base = {
  at: path,
  options: z.array(z.enum(['ro', 'noexec', 'nosuid', 'nodev', 'nosymfollow'])).optional(),
}
const layer = z
  .string()
  .min(1)
  .max(4095, 'expected a path of at most 4095 bytes')
  .describe('name or name:/path of a file system, or /path of a directory that an earlier mount shows')
/** What the kernel knows is in the form; what of it is modelled, the mount says. */
const overlay_mount_options = closed(
  Object.fromEntries(
    Object.entries(overlay_options).map(([name, { modelled, others }]) => [
      name,
      z.literal([...modelled, ...others]).optional(),
    ]),
  ),
)
const mount = z.union([
  closed({ ...mount_base, filesystem: file_system_name, root: path.optional() }),
  closed({ ...mount_base, bind: path }),
  closed({
    ...mount_base,
    overlay: closed({
      lower: z.array(layer).min(1),
      upper: layer.optional(),
      work: layer.optional(),
      options: overlay_mount_options.optional(),
    }),
  }),
])

const code = closed({ code: title, source: z.string() })
/** The options of a module of the kernel, as it describes them. */
const lsm_options = ({ options }: MutableLsm) =>
  closed(
    Object.fromEntries(
      Object.entries<OptionKind>(options).map(([name, { type, says }]) => [
        name,
        (type === 'flag' ? z.boolean() : z.string()).optional().describe(says),
      ]),
    ),
  )

const lsm = closed({
  ...Object.fromEntries(
    mutable_lsms().map((each) => [each.name, lsm_options(each).optional().describe(each.says)]),
  ),
  rules: z.array(closed({ name: title, rules: z.array(json) })).optional(),
  modules: z.array(code).optional(),
  order: z.array(z.string()).optional(),
})

/** The part that the shell takes too. */
export const setup_schema = closed({
  profile: z.string().optional(),
  filesystems: z.record(file_system_name, file_system).optional(),
  mounts: z.array(mount).optional(),
  lsm: lsm.optional(),
})

const reference = closed({ $: z.string().min(1) })
const argument = z.union([reference, json])
const result_name = name.describe('name of a result')

const condition = closed({
  result: z.string(),
  ok: z.literal(true).optional(),
  failed: z.literal(true).optional(),
  errno: z.string().optional(),
  equals: result_value().optional(),
})

const op: z.ZodType<OpForm> = z.lazy(() => z.union(operations))
/** Which calls there are, the compiler knows, and says which was meant; an editor learns it from the JSON Schema. */
const call_name = z.string().describe('name of a system call')
const operations = [
  closed({
    call: call_name,
    args: z.array(argument).optional(),
    as: result_name.optional(),
    on_error: z.enum(['exit', 'continue']).optional(),
    child: z.array(op).optional(),
  }),
  closed({
    use: z.union([
      z.string(),
      z.array(z.union([z.string(), closed({ of: z.string(), at: count.optional() })])).min(1),
    ]),
    relies: z.string().optional(),
    part: z.boolean().optional(),
  }),
  // biome-ignore lint/suspicious/noThenProperty: it is data, nobody awaits it
  closed({ if: condition, then: z.array(op), else: z.array(op).optional() }),
  closed({ repeat: count.max(1000), body: z.array(op) }),
  closed({ exit: z.literal(true) }),
] as const

const task = closed({
  name: title,
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

const outcome = z.record(z.string(), z.union([z.string(), result_value()]))
const named_properties = ['check-use', 'policy'] as const
const kinds_of_property = ['never', 'reaches', 'code']
const property = z.union([
  z.enum(named_properties),
  closed({ never: outcome, name: z.string().optional() }),
  closed({ reaches: outcome, name: z.string().optional() }),
  code,
])

const one_case = closed({
  params: z.record(name, z.union([z.string(), z.number(), z.boolean()])).optional(),
  profile: z.string().optional(),
  setup: setup_schema.optional(),
  tasks: z.array(task).min(1).max(16),
  properties: z.array(property).optional(),
  expect: closed({
    verdict: z.enum(['hole', 'race', 'deadlock', 'incomplete', 'safe']),
    property: z.string().optional(),
  }).optional(),
})

/** The whole document. */
const scenario_schema = closed({
  $schema: z.string().optional().describe('for editors'),
  toctoscope: z.literal(1).describe('version of this form'),
  name: title,
  summary: z.string(),
  teaches: z.string().optional(),
  cases: z.array(one_case).min(1, 'expected at least one case'),
})

/** The published JSON Schema; the names of calls in it are those of the model that is loaded. */
export function json_schema(): object {
  const { $schema, ...schema } = z.toJSONSchema(scenario_schema, {
    io: 'input',
    reused: 'ref',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === call_name)
        jsonSchema.enum = all_syscalls()
          .map((each) => each.name)
          .sort()
    },
  })
  return { $schema, $id: 'toctoscope:scenario', title: 'A Toctoscope scenario', ...schema }
}

/**
 * Checks a document, from outside or from the builder.
 *
 * @returns the same as data of its own, known to have the form
 * @throws ScenarioError naming the first field that is wrong, and what was expected there
 */
export function validate_scenario(document: unknown): ScenarioForm {
  return check(scenario_schema, document) as ScenarioForm
}

const setup_document = closed({ setup: setup_schema })

/**
 * Checks a set-up that comes alone, as the shell takes it.
 *
 * @throws ScenarioError naming the first field that is wrong, as `setup.…`
 */
export function validate_setup(setup: unknown): SetupForm {
  return (check(setup_document, { setup }) as { setup: SetupForm }).setup
}

/** A schema skips entries that are named `__proto__`. So they are shown to it under another name. */
const PROTO = '__proto__which_schemas_skip__'

function check(schema: z.ZodType, document: unknown): unknown {
  const data = plain(document)
  const shown = without_proto(data)
  const checked = schema.safeParse(shown)
  if (checked.success) return data
  const { path, problem } = error_of(checked.error.issues, shown)
  throw new ScenarioError(path.replaceAll(PROTO, '__proto__'), problem.replaceAll(PROTO, '__proto__'))
}

/** The same data, which is copied only where something is named `__proto__`. */
function without_proto(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const shown = value.map(without_proto)
    return shown.every((each, i) => each === value[i]) ? value : shown
  }
  const entries = Object.entries(value)
  const shown = entries.map(
    ([name, each]) => [name === '__proto__' ? PROTO : name, without_proto(each)] as const,
  )
  return shown.every(([name, each], i) => name === entries[i]![0] && each === entries[i]![1])
    ? value
    : Object.fromEntries(shown)
}

type Issue = z.core.$ZodIssue

function error_of(issues: readonly Issue[], document: unknown): ScenarioError {
  const { at, text } = deepest(issues[0]!, document)
  const unknown = issues.slice(1).filter((each) => each.code === 'unrecognized_keys')
  const more = unknown.map((each) => new ScenarioError(show_path(each.path), text_of(each, document)).message)
  return new ScenarioError(show_path(at), [text, ...more].join('\n'))
}

const show_path = (path: readonly PropertyKey[]): string => path.reduce<string>(inside, '')

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
      const first = telling(branch)
      const inner = deepest({ ...first, path: [...issue.path, ...first.path] } as Issue, document)
      return { ...inner, score: score(branch, issue, inner.at.length) }
    })
    .sort((a, b) => b.score - a.score)
  const [best, second] = tried
  const meant = best!.score > Number.NEGATIVE_INFINITY && best!.score !== second?.score
  if (best!.at.length > issue.path.length || meant) return best!
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
  const hint = meant_property(value)
  const meant = hint === undefined ? '' : `; did you mean ${hint}?`
  const named = named_properties.map((each) => JSON.stringify(each)).join(', ')
  return `expected ${named}, or an object with never or reaches, not ${show(value)}${meant}`
}

function meant_property(value: unknown): string | undefined {
  if (typeof value === 'string') return nearest(value, named_properties)
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
  return keys.map((key) => nearest(key, kinds_of_property)).find((near) => near !== undefined)
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

/** Of a field that is missing and one that is unknown, the unknown one tells more: what it was to be. */
function telling(branch: readonly Issue[]): Issue {
  const missing = branch.some((each) => each.code === 'invalid_type' && each.path.length === 1)
  const unknown = branch.find((each) => each.code === 'unrecognized_keys' && each.path.length === 0)
  return (missing ? unknown : undefined) ?? branch[0]!
}

/** A branch whose first complaint is a wrong kind of value was not meant; one that lacks fields perhaps. */
function score(branch: readonly Issue[], issue: Issue, depth: number): number {
  const here = branch.filter((each) => each.path.length === 0)
  if (here.some((each) => each.code === 'invalid_type' || each.code === 'invalid_value'))
    return Number.NEGATIVE_INFINITY
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
      return issue.message
    case 'invalid_key':
      return `${issue.issues[0]!.message}, not ${show(issue.path.at(-1))}`
    default:
      return `${issue.message[0]!.toLowerCase()}${issue.message.slice(1)}, not ${show(value)}`
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

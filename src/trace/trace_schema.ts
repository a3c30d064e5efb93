/** What a trace file must look like: for files that come from outside. */
import { z } from 'zod'
import { TRACE_FORMAT, type Trace } from './trace.js'

const count = z.number().int().nonnegative()
const bytes = z.union([z.string(), z.strictObject({ base64: z.string() })])
const verdict = z.enum(['hole', 'race', 'deadlock', 'incomplete', 'safe'])

const call_result = z.object({
  task: count,
  step: count,
  name: z.string(),
  call: z.string(),
  text: z.string(),
  failed: z.boolean(),
  data: bytes.nullable(),
  fields: z.record(z.string(), z.number()).nullable(),
})

const step = z.object({
  n: count,
  task: count,
  choice: count,
  preempts: z.boolean(),
  local: z.boolean(),
  call: z.string().nullable(),
  stack: z.array(z.object({ fn: z.string(), source: z.string(), about: z.record(z.string(), z.string()) })),
  stage: z.string(),
  touched: z.array(
    z.object({ write: z.boolean(), table: z.string(), row: z.string(), name: z.string(), group: z.string() }),
  ),
  changes: z.array(
    z.object({
      table: z.string(),
      row: z.string(),
      name: z.string(),
      field: z.string(),
      kind: z.enum(['made', 'removed', 'set']),
      from: z.string(),
      to: z.string(),
    }),
  ),
  events: z.array(z.object({ kind: z.string(), text: z.string() })),
  result: call_result.nullable(),
  ended: z.boolean(),
})

export const trace_schema = z.object({
  toctoscope_trace: z.literal(TRACE_FORMAT),
  version: z.string(),
  scenario: z.string(),
  summary: z.string(),
  case: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  profile: z.string(),
  verdict: verdict.nullable(),
  property: z.string().nullable(),
  cause: z.object({ step: count, kind: z.string(), text: z.string() }).nullable(),
  outcome: z.array(
    z.object({
      task: z.string(),
      result: z.string(),
      wanted: z.union([z.string(), z.number()]),
      step: count,
    }),
  ),
  preemptions: count,
  removed: z.array(z.string()),
  token: z.string().nullable(),
  tasks: z.array(
    z.object({
      task: count,
      name: z.string(),
      role: z.enum(['victim', 'attacker', 'other']),
      uid: count,
      cwd: z.string(),
    }),
  ),
  binds: z.array(z.object({ at: z.string(), of: z.string(), read_only: z.boolean() })),
  steps: z.array(step),
  approvals: z.array(
    z.object({
      step: count,
      task: count,
      check: z.string(),
      object: z.string(),
      inode: count,
      bytes,
      approved: z.boolean(),
    }),
  ),
  uses: z.array(
    z.object({
      step: count,
      task: count,
      calls: z.array(z.string()),
      relies: z.string().nullable(),
      at: count,
      bytes,
      from: z.array(z.object({ object: z.string(), inode: count, bytes: count, approved: z.boolean() })),
    }),
  ),
  results: z.array(call_result),
})

/** @returns the trace, or what is wrong with the document: the path of the field and what was expected */
export function validate_trace(document: unknown): { trace: Trace } | { problem: string } {
  const checked = trace_schema.safeParse(document)
  if (checked.success) return { trace: checked.data as Trace }
  const [issue] = checked.error.issues
  const path = issue!.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
  return { problem: `${path.replace(/^\./, '') || 'the document'}: ${issue!.message}` }
}

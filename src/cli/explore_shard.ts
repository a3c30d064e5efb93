/**
 * What a shard of `explore` has found, as data. It names every case that was to be searched by any shard, so that what a
 * lost one would have said is known to be missing.
 */

import { z } from 'zod'
import { verdict_names } from '../explore/decide.js'
import type { Bound } from '../explore/system.js'
import { case_name, case_profile } from '../scenario/form.js'
import { case_hash } from '../trace/record/token.js'
import { case_json } from '../trace/render/verdicts_json.js'
import { trace_schema } from '../trace/trace_schema.js'
import { VERSION } from '../version.js'
import { type BoundOptions, bound_options } from './bounds.js'
import type { Failed } from './errors.js'
import type { Explored } from './explored.js'
import type { Loaded } from './load.js'
import { type ReductionName, reduction_names } from './reductions.js'
import type { Shard } from './shard.js'

const place = z.number().int().nonnegative()
const params = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const decimals = z.string().regex(/^\d+$/)
const text_list = z.array(z.string())
const bounds = z.array(z.enum(Object.keys(bound_options) as [Bound, ...Bound[]]))
const expected = z
  .strictObject({
    verdict: z.enum(['hole', 'race', 'deadlock', 'incomplete', 'safe']),
    property: z.string().optional(),
  })
  .nullable()

/** A case that some shard was to search. */
const case_schema = z.strictObject({
  index: place,
  hash: z.string(),
  case: z.string(),
  params,
  profile: z.string(),
  expected,
})

const scenario_schema = z.strictObject({
  called: z.string(),
  file: z.string().nullable(),
  name: z.string(),
  summary: z.string(),
  cases: z.array(case_schema),
})

/** What `explore --json --trace` prints of a case. */
const document_schema = z.looseObject({
  verdict: z.enum(verdict_names),
  property: z.string().nullable(),
  states: place,
  transitions: place,
  preemptions: place.nullable(),
  as_expected: z.boolean(),
  unwitnessed: z.string().nullable(),
  witnesses: text_list,
  lints: text_list,
  trace: trace_schema.nullable(),
})

const result_schema = z.strictObject({
  /** Place of the scenario in `scenarios`. */
  scenario: place,
  index: place,
  document: document_schema,
  properties: text_list,
  unreached: text_list,
  found_steps: place.nullable(),
  counted: z.strictObject({ all: decimals, racy: decimals, deadlocked: decimals }).optional(),
  /** Of the search, and of the counterexample that is shown. */
  bounds,
  shown_bounds: bounds,
})

const options_schema = z.strictObject({
  case: text_list.optional(),
  exact: z.boolean().optional(),
  reduce: z.array(z.enum(reduction_names)).readonly().optional(),
  paranoid: z.boolean().optional(),
  count: z.boolean().optional(),
  maxStates: z.number().optional(),
  maxSteps: z.number().optional(),
  maxTime: z.number().optional(),
  maxMemory: z.number().optional(),
  preemptions: z.number().optional(),
})

export const report_schema = z.strictObject({
  toctoscope_report: z.literal('explore'),
  version: z.string(),
  shard: place.min(1),
  of: place.min(1),
  options: options_schema,
  /** That the command took. */
  ms: z.number(),
  interrupted: z.boolean(),
  scenarios: z.array(scenario_schema),
  results: z.array(result_schema),
  failed: z.array(z.strictObject({ called: z.string(), text: z.string(), code: place })),
  /** Where `--paranoid` was asked for. */
  doubts: text_list,
  not_judged: text_list,
})

export type ShardReport = z.infer<typeof report_schema>
export type ShardResult = z.infer<typeof result_schema>

/** Options that every shard must be given alike. */
interface GivenOptions extends BoundOptions {
  readonly case?: readonly string[]
  readonly exact?: boolean
  readonly reduce?: readonly ReductionName[]
  readonly paranoid?: boolean
  readonly count?: boolean
}

/** A scenario, and the places of its cases that all shards together search. */
export interface Chosen {
  readonly loaded: Loaded
  readonly cases: readonly number[]
}

/** What a run of a shard has come to. */
export interface Found {
  readonly explored: readonly Explored[]
  readonly failed: readonly Failed[]
  readonly doubts: readonly string[]
  readonly not_judged: readonly string[]
  /** Milliseconds that it took. */
  readonly ms: number
  readonly interrupted: boolean
}

/** What a shard found, to be written down. */
export function shard_report(
  { shard, of }: Shard,
  options: GivenOptions,
  chosen: readonly Chosen[],
  { explored, ms, interrupted, failed, doubts, not_judged }: Found,
): ShardReport {
  return {
    toctoscope_report: 'explore',
    version: VERSION,
    shard,
    of,
    options: shared_options(options),
    ms,
    interrupted,
    scenarios: chosen.map(({ loaded, cases }) => {
      const { called, file, name, summary } = loaded
      return { called, file, name, summary, cases: cases.map((index) => case_of(loaded, index)) }
    }),
    results: explored.map((each) => ({
      scenario: chosen.findIndex(({ loaded }) => loaded === each.loaded),
      ...result_of(each),
    })),
    failed: [...failed],
    doubts: [...doubts],
    not_judged: [...not_judged],
  }
}

/** Those of the options that are alike in all shards. */
const shared_options = (given: GivenOptions): ShardReport['options'] =>
  z.object(options_schema.shape).parse(given)

function case_of({ cases }: Loaded, index: number): z.infer<typeof case_schema> {
  const { form } = cases[index]!
  return {
    index,
    hash: case_hash(form),
    case: case_name(form),
    params: { ...form.params },
    profile: case_profile(form),
    expected: form.expect ?? null,
  }
}

function result_of(each: Explored): Omit<ShardResult, 'scenario'> {
  const { index, report, counted } = each
  const execution = { scenario: each.loaded, index, report, ms: each.ms, counted }
  return {
    index,
    document: case_json(execution, { trace: true }) as ShardResult['document'],
    properties: [...report.properties],
    unreached: [...report.unreached],
    found_steps: report.found_steps,
    ...(counted === undefined ? {} : { counted }),
    bounds: [...report.bounds],
    shown_bounds: [...(report.explained?.bounds ?? [])],
  }
}

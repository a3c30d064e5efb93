/** What a shard of `conform` has found, as data: sums of which the sums of all are made. */
import { z } from 'zod'
import { VERSION } from '../version.js'
import type { Conformed, Drawn } from './conform_report.js'
import type { Shard } from './shard.js'

const count = z.number().int().nonnegative()
const text = z.string()
const site = z.strictObject({ file: text, within: text, errno: text, text, nth: count })
const sites_schema = z.strictObject({
  reached: z.array(site),
  missed: z.array(site),
  beyond: z.array(z.strictObject({ ...site.shape, why: text })),
})

export const report_schema = z.strictObject({
  toctoscope_report: z.literal('conform'),
  version: text,
  shard: count.min(1),
  of: count.min(1),
  /** Of the run that all shards are of. */
  options: z.strictObject({ count, seed: z.number().int(), from: count, only: text.optional() }),
  /** The kernel, and the profile that the model had. */
  release: text,
  profile: text,
  plays: count,
  calls: count,
  ms: z.number(),
  /** Each as it is told. */
  disagreements: z.array(text),
  /** How often, by call, ending and kind of object. */
  reach: z.array(z.tuple([text, text, text, count])),
  sites: sites_schema.optional(),
})

export type ConformShardReport = z.infer<typeof report_schema>

/** Programs of a shard: neighbours, since each is as random as any other. */
export function part_of(
  { count: all, from }: Pick<Drawn, 'count' | 'from'>,
  { shard, of }: Shard,
): Pick<Drawn, 'count' | 'from'> {
  const [begin, end] = [Math.floor((all * (shard - 1)) / of), Math.floor((all * shard) / of)]
  return { from: from + begin, count: end - begin }
}

/** What a shard found, to be written down. */
export function conform_report(
  { shard, of }: Shard,
  { count, seed, from, only }: Drawn,
  { release, profile, plays, calls, ms, disagreements, reach, sites }: Conformed,
): ConformShardReport {
  return {
    toctoscope_report: 'conform',
    version: VERSION,
    shard,
    of,
    options: { count, seed, from, ...(only === undefined ? {} : { only }) },
    ...{ release, profile, plays, calls, ms },
    disagreements: [...disagreements],
    reach: [...reach.entries()],
    ...(sites === undefined
      ? {}
      : { sites: { reached: [...sites.reached], missed: [...sites.missed], beyond: [...sites.beyond] } }),
  }
}

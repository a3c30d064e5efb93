/** Reports of shards of `conform` as one. */
import { Reach } from '../oracle/conform/reach.js'
import type { Site } from '../oracle/conform/sites.js'
import { type Conformed, tell_conformed } from './conform_report.js'
import { type ConformShardReport, part_of, report_schema } from './conform_shard.js'
import { worst } from './errors.js'
import { exit } from './exit_codes.js'
import { say_shard } from './shard.js'
import { fitting, lost_shards, type MergeOptions } from './shard_report.js'
import type { Terminal } from './terminal.js'

/**
 * Reports on all programs as `conform` does. Those of a shard that is lost were not played.
 *
 * @param read what the files hold, by their path
 * @returns the exit code that one run would have had
 * @throws LoadError where a report is not one, or does not belong to the others
 */
export function merge_conform(
  read: ReadonlyMap<string, unknown>,
  { sites }: MergeOptions,
  terminal: Terminal,
): number {
  const reports = fitting<ConformShardReport>(read, { schema: report_schema, misplaced, what_differs })
  const { options } = reports[0]!
  const code = tell_conformed(sum_of(reports), options, sites === true, terminal)
  const lost = lost_shards(reports)
  for (const shard of lost)
    terminal.err(
      `toctoscope: shard ${say_shard(shard)} is lost, and its programs were not played: run it again\n`,
    )
  return worst([code, ...(lost.length > 0 ? [exit.incomplete] : [])])
}

function misplaced({ plays, options, ...shard }: ConformShardReport): string | null {
  const { count } = part_of(options, shard)
  return plays > count ? `${plays} programs, and the shard has ${count}` : null
}

function what_differs(one: ConformShardReport, other: ConformShardReport): string | null {
  const of = ({ options, release, profile }: ConformShardReport) =>
    JSON.stringify({ ...options, kernel: release, profile })
  return of(one) === of(other) ? null : `${of(one)} and ${of(other)}`
}

function sum_of(reports: readonly ConformShardReport[]): Conformed {
  const { release, profile, options } = reports[0]!
  const reach = new Reach()
  for (const report of reports) for (const entry of report.reach) reach.count(...entry)
  const sum = (field: 'plays' | 'calls') => reports.reduce((total, each) => total + each[field], 0)
  return {
    release,
    profile,
    plays: sum('plays'),
    calls: sum('calls'),
    ms: Math.max(...reports.map(({ ms }) => ms)),
    disagreements: reports.flatMap((each) => each.disagreements),
    reach,
    sites: all_sites(reports),
    machine: null,
    next: options.from + options.count,
  }
}

/** A site that one shard has reached is reached. */
function all_sites(reports: readonly ConformShardReport[]): Conformed['sites'] {
  const key = ({ file, within, errno, text, nth }: Site) => JSON.stringify([file, within, errno, text, nth])
  const of = (field: 'reached' | 'missed') =>
    new Map(reports.flatMap((each) => each.sites?.[field] ?? []).map((each) => [key(each), each]))
  const reached = of('reached')
  const missed = [...of('missed')].filter(([site]) => !reached.has(site)).map(([, each]) => each)
  const beyond = new Map(reports.flatMap((each) => each.sites?.beyond ?? []).map((each) => [key(each), each]))
  return { reached: [...reached.values()], missed, beyond: [...beyond.values()] }
}

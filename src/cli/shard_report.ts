/** Files that shards report in, and which of them belong together. */
import { mkdirSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { VERSION } from '../version.js'
import { LoadError, OutputError } from './errors.js'
import { read_json } from './load.js'
import { type Shard, say_shard } from './shard.js'
import { write_file } from './write_file.js'

/** How the reports of shards are merged. */
export interface MergeOptions {
  json?: boolean
  trace?: boolean
  /** False with --no-timing. */
  timing?: boolean
  strict?: boolean
  stages?: boolean
  sites?: boolean
}

/** What the report of every verb begins with. */
export interface AnyReport extends Shard {
  readonly toctoscope_report: string
  readonly version: string
}

const file_name = ({ toctoscope_report, shard, of }: AnyReport): string =>
  `${toctoscope_report}-${shard}-of-${of}.json`

const FILE = /^(explore|conform)-[1-9]\d*-of-[1-9]\d*\.json$/
const NEXT = 'Reports are written by: npx toctoscope explore … --shard 1/2 --report FOLDER'

/** @throws OutputError */
export function write_report(folder: string, report: AnyReport): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw new OutputError(`${folder} cannot be made: ${(error as NodeJS.ErrnoException).code}`)
  }
  write_file(join(folder, file_name(report)), `${JSON.stringify(report)}\n`)
}

/** What the files in a folder hold whose names are those of reports, by their path. @throws LoadError */
export function read_reports(folder: string): Map<string, unknown> {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    throw new LoadError(`${folder}: cannot be read: ${(error as NodeJS.ErrnoException).code}`, NEXT)
  }
  const paths = names
    .filter((name) => FILE.test(name))
    .sort()
    .map((name) => join(folder, name))
  if (paths.length === 0) throw new LoadError(`${folder}: no report of a shard is in it`, NEXT)
  return new Map(paths.map((path) => [path, read_json(path)]))
}

/** What reports of one verb look like, and when they are of one run. */
export interface ReportKind<Report extends AnyReport> {
  readonly schema: z.ZodType
  /** What of a report cannot be the shard's; null where all can. */
  readonly misplaced: (report: Report) => string | null
  /** In what two reports differ that one run would have alike. */
  readonly what_differs: (one: Report, other: Report) => string | null
}

/**
 * Reports of one run.
 *
 * @param read what the files hold, by their path; at least one
 * @throws LoadError where one is no such report, or of another run or version
 */
export function fitting<Report extends AnyReport>(
  read: ReadonlyMap<string, unknown>,
  kind: ReportKind<Report>,
): Report[] {
  const reports = [...read].map(([path, document]) => ({ path, report: checked(path, document, kind) }))
  const first = reports[0]!
  for (const { path, report } of reports) {
    const differs =
      report.of === first.report.of
        ? kind.what_differs(first.report, report)
        : `one is of ${first.report.of} shards, the other of ${report.of}`
    if (differs !== null) {
      throw new LoadError(
        `${path} and ${first.path} are not of one run: ${differs}`,
        'Give each run a folder of its own',
      )
    }
  }
  return reports.map(({ report }) => report)
}

function checked<Report extends AnyReport>(
  path: string,
  document: unknown,
  { schema, misplaced }: ReportKind<Report>,
): Report {
  const version = (document as { version?: unknown } | null)?.version
  if (typeof version === 'string' && version !== VERSION)
    throw new LoadError(`${path}: version ${version} of toctoscope wrote it, and this is ${VERSION}`)
  const parsed = schema.safeParse(document)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new LoadError(`${path}: ${issue!.path.map(String).join('.') || 'the document'}: ${issue!.message}`)
  }
  // As it was written: what is printed again has its fields in their order.
  const report = document as Report
  if (basename(path) !== file_name(report))
    throw new LoadError(`${path}: this is the report of shard ${say_shard(report)}, ${file_name(report)}`)
  const problem = report.shard > report.of ? `there is no shard ${say_shard(report)}` : misplaced(report)
  if (problem !== null) throw new LoadError(`${path}: ${problem}`)
  return report
}

/** Shards without a report. */
export function lost_shards(reports: readonly Shard[]): Shard[] {
  const of = reports[0]?.of ?? 0
  const there = new Set(reports.map(({ shard }) => shard))
  const all = Array.from({ length: of }, (_, at) => ({ shard: at + 1, of }))
  return all.filter(({ shard }) => !there.has(shard))
}

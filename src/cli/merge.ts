/** `toctoscope merge`: the reports of shards as one, as if one run had done all of it. */
import { LoadError } from './errors.js'
import { type MergeOptions, read_reports } from './shard_report.js'
import type { Terminal } from './terminal.js'

/**
 * Reads the reports in a folder, and reports on all that was done, as one run would have.
 *
 * @returns the exit code that one run would have had; where a shard is lost, `incomplete` or what is worse
 * @throws LoadError where a report cannot be read, or does not belong to the others
 */
export async function merge(folder: string, options: MergeOptions, terminal: Terminal): Promise<number> {
  const read = read_reports(folder)
  const kinds = new Set([...read.values()].map(kind_of))
  if (kinds.size > 1) throw new LoadError(`${folder}: reports of explore and of conform: merge them apart`)
  if (kinds.has('conform')) return (await import('./merge_conform.js')).merge_conform(read, options, terminal)
  return (await import('./merge_explore.js')).merge_explore(read, options, terminal)
}

/** Whatever else is wrong with it, its schema says. */
const kind_of = (document: unknown): 'explore' | 'conform' =>
  (document as { toctoscope_report?: unknown } | null)?.toctoscope_report === 'conform'
    ? 'conform'
    : 'explore'

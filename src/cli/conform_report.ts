/** What `conform` tells people: how much was compared, what it reached, and what differed. */
import type { Reach } from '../oracle/conform/reach.js'
import type { Site, SiteReport } from '../oracle/conform/sites.js'
import { wrap } from '../trace/render/layout.js'
import { exit } from './exit_codes.js'
import { thousands } from './progress.js'
import type { Terminal } from './terminal.js'

/** Options of a run whose seed has been drawn. */
export interface Drawn {
  readonly count: number
  readonly seed: number
  readonly from: number
  readonly only?: string
}

/** What a run has come to, or several together. */
export interface Conformed {
  readonly release: string
  readonly profile: string
  readonly plays: number
  readonly calls: number
  /** Milliseconds. */
  readonly ms: number
  /** Each as it is told. */
  readonly disagreements: readonly string[]
  readonly reach: Reach
  readonly sites?: Pick<SiteReport, 'reached' | 'missed' | 'beyond'>
  /** A line on the machine; null where there were several. */
  readonly machine: string | null
  /** Index of the next program. */
  readonly next: number
}

/** What agrees by construction, so that nobody takes it for confirmed. */
const NOT_COMPARED =
  'Not compared: numbers of inodes and devices themselves (each machine has its own; which files share one is compared), and the size of a directory (each file system decides for itself).'

/** @param all_sites whether the errno sites that were not reached are listed */
export function tell_conformed(
  told: Conformed,
  { count, seed, only }: Drawn,
  all_sites: boolean,
  terminal: Terminal,
): number {
  const { plays, calls, ms, disagreements, reach, sites, machine, next } = told
  const { width } = terminal
  for (const each of disagreements) terminal.out(each)
  const rate = Math.round(plays / Math.max(ms / 1000, 0.001))
  const lines = [
    `${thousands(plays)} programs, ${thousands(calls)} calls, ${thousands(rate)} programs/s; Linux ${told.release}, profile ${told.profile}`,
    ...(machine === null ? [] : [machine]),
    disagreements.length === 0 ? 'no difference' : `${disagreements.length} differ`,
    '',
    `Reached: ${thousands(reach.size)} combinations of call, result and kind of object (result how often/in how many kinds)`,
    ...reach.lines().flatMap((line) => wrap(`  ${line}`, width, 15)),
    '',
    ...(sites === undefined ? [] : site_lines(sites, all_sites, width)),
    '',
    ...wrap(NOT_COMPARED, width, 2),
    '',
    `Go on with: npx toctoscope conform --count ${count - plays || count} --seed ${seed} --from ${next}${only === undefined ? '' : ` --only ${only}`}`,
  ]
  if (plays < count && disagreements.length === 0)
    lines.unshift(`Interrupted after ${thousands(plays)} of ${thousands(count)} programs.`)
  terminal.out(`${lines.join('\n')}\n`)
  if (disagreements.length > 0) return exit.disagreement
  return plays < count ? exit.incomplete : exit.ok
}

/** How many of the errno sites were reached; with `all`, which were not, and which cannot be. */
function site_lines(
  { reached, missed, beyond }: NonNullable<Conformed['sites']>,
  all: boolean,
  width: number,
): string[] {
  const total = reached.length + missed.length
  const share = Math.floor((100 * reached.length) / Math.max(total, 1))
  const line = `errno sites reached: ${reached.length} of ${total} (${share} %)`
  const told = ({ file, within, text }: Site) => wrap(`  ${file}, ${within}: ${text}`, width, 4)
  if (!all) return [`${line}; --sites lists the others`]
  const reasons = new Set(beyond.map(({ why }) => why))
  return [
    line,
    '',
    'Not reached:',
    ...missed.flatMap(told),
    ...[...reasons].flatMap((why) => [
      '',
      ...wrap(`Not counted (${why}):`, width, 2),
      ...beyond.filter((each) => each.why === why).flatMap(told),
    ]),
  ]
}

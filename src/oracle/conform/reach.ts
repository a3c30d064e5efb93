/** What plays have reached: call × how it ended × kind of object. */
import { syscall_named } from '../../kernel/syscall.js'
import type { Answer, Play, PlayCall } from '../agent/play.js'

/** How a call ended: `ok`, an errno, a signal. */
function ending(answer: Answer): string {
  return answer.errno ?? answer.signal ?? (answer.blocked ? 'blocked' : answer.exec ? 'exec' : 'ok')
}

/** Where the object of a call is, as far as its arguments tell: a plain file, through an overlay, in a layer. */
function object_kind(play: Play, { args = [] }: PlayCall): string {
  const path = args.find((arg): arg is string => typeof arg === 'string' && arg.startsWith('/'))
  if (path === undefined) return 'descriptor'
  const at = path.split('/')[1]!
  const mount = play.setup.mounts?.find((each) => each.at === `/${at}`)
  if (mount === undefined) return 'root'
  if ('bind' in mount) return `bind ${mount.options?.join(',') ?? ''}`.trim()
  if ('overlay' in mount) {
    const options = mount.options?.join(',')
    return `overlay${mount.overlay.upper === undefined ? ' no-upper' : ''}${options ? ` ${options}` : ''}`
  }
  if (mount.filesystem === 'low') return 'lower layer'
  if (mount.filesystem === 'up') return 'upper layer'
  const fs = play.setup.filesystems?.[mount.filesystem]
  return `${fs?.type ?? 'tmpfs'}${fs?.read_only ? ' read-only' : ''}${mount.options ? ` ${mount.options.join(',')}` : ''}`
}

export class Reach {
  /** How often, by call, ending and kind of object. */
  readonly counts = new Map<string, Map<string, Map<string, number>>>()

  add(play: Play, answers: readonly Answer[]): void {
    for (const [i, call] of play.calls.entries()) {
      const answer = answers[i]!
      if (answer.dead && syscall_named(call.call)?.returns !== 'never') continue
      this.count(call.call, ending(answer), object_kind(play, call), 1)
    }
  }

  /** Counts a combination so many times. */
  count(call: string, end: string, kind: string, times: number): void {
    const endings = get(this.counts, call, () => new Map<string, Map<string, number>>())
    const kinds = get(endings, end, () => new Map<string, number>())
    kinds.set(kind, (kinds.get(kind) ?? 0) + times)
  }

  /** Every combination, and how often it was met. */
  *entries(): Generator<[call: string, end: string, kind: string, times: number]> {
    for (const [call, endings] of this.counts)
      for (const [end, kinds] of endings) for (const [kind, times] of kinds) yield [call, end, kind, times]
  }

  /** Number of different combinations. */
  get size(): number {
    let n = 0
    for (const endings of this.counts.values()) for (const kinds of endings.values()) n += kinds.size
    return n
  }

  /** Lines of a table: per call its endings, each with how often, and in how many kinds of objects. */
  lines(): string[] {
    return [...this.counts.keys()].sort().map((call) => {
      const endings = [...this.counts.get(call)!.entries()].map(([name, kinds]) => {
        const total = [...kinds.values()].reduce((sum, n) => sum + n, 0)
        return { name, total, kinds: kinds.size }
      })
      endings.sort((a, b) => b.total - a.total)
      return `${call.padEnd(12)} ${endings.map((each) => `${each.name} ${each.total}/${each.kinds}`).join(', ')}`
    })
  }
}

function get<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key)
  if (there !== undefined) return there
  const made = make()
  map.set(key, made)
  return made
}

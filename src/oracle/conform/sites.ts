/**
 * Errno sites: the places in the model's code that answer an errno, and which of them plays have reached.
 *
 * V8 counts for us which blocks of the code have run, so the rules carry nothing for it. A site is a negative errno
 * in the text of a kernel function's module (`-EACCES`), and is reached when the innermost block around it has run. Modules of
 * which nothing has run (IPE, ext4, proc) are not counted.
 */
import { type Profiler, Session } from 'node:inspector'
import { errno_value } from '../../kernel/errno.js'

export interface Site {
  /** `vfs/open/open`. */
  readonly file: string
  /** The function or stage in which it stands. */
  readonly within: string
  readonly errno: string
  /** The line. */
  readonly text: string
  /** Which of those that are alike in all this, from 0. */
  readonly nth: number
}

export interface SiteReport {
  readonly reached: readonly Site[]
  readonly missed: readonly Site[]
  /** Those that no play can reach, with the reason; they are not among the others. */
  readonly beyond: readonly (Site & { readonly why: string })[]
  /** Those of them that were reached all the same: the reason is wrong. */
  readonly unexpected: readonly Site[]
  /** Reasons that no site has any more. */
  readonly unused: readonly string[]
}

const modules = /\/(?:vfs|overlay|exec|lsm|integrity)\/.*\.[jt]s$/

interface Beyond {
  readonly file: string
  readonly within?: string
  readonly text: RegExp
  readonly why: string
}

/** Which sites no play can reach, by file and line, and why. */
const beyond_plays: readonly Beyond[] = [
  { file: 'overlay/super', text: /./, why: 'the set-up is refused, so nothing is played' },
  { file: 'vfs/attributes/attr', text: /fs-verity/, why: 'fs-verity: ext4 is played as tmpfs' },
  {
    file: 'vfs/namei/unlink',
    text: /parent_of_victim\(/,
    why: 'entries of a table, which are read when the module is loaded: which of them was used is not seen',
  },
  {
    file: 'vfs/namei/path_openat',
    text: /-EOPNOTSUPP/,
    why: 'the file system types that are played have unnamed files',
  },
  {
    file: 'vfs/namei/link',
    within: 'may_link',
    text: /return -EXDEV/,
    why: 'one mount has one superblock, as in the kernel',
  },
  { file: 'vfs/memory/fault', text: /return -EINVAL/, why: 'peek and poke are not calls of the kernel' },
  { file: 'vfs/tasks/fork_exit', text: /-EAGAIN/, why: "the model's own bound of children" },
  {
    file: 'vfs/namei/directory',
    text: /directory is append-only/,
    why: 'no set-up makes a directory append-only',
  },
  {
    file: 'exec/securebits',
    text: /there is no prctl option/,
    why: 'options that there are not are not asked for',
  },
  {
    file: 'exec/arguments',
    text: /argv\.length === 0/,
    why: 'needs megabytes of arguments, more than the agent is sent',
  },
  {
    file: 'exec/arguments',
    text: /-EFAULT/,
    why: 'a vector with a bad pointer in it cannot be written down',
  },
  {
    file: 'overlay/dir',
    text: /-ESTALE/,
    why: 'a layer is changed behind the overlay, which is undefined (worlds.ts)',
  },
  {
    file: 'overlay/file',
    text: /upper file was replaced/,
    why: 'a layer is changed behind the overlay, which is undefined (worlds.ts)',
  },
  {
    file: 'overlay/copy_up',
    text: /was made in the upper/,
    why: 'a layer is changed behind the overlay, which is undefined (worlds.ts)',
  },
  { file: 'vfs/memory/mmap', within: 'do_mmap', text: /return -ENOMEM/, why: 'needs 65,530 mappings' },
  {
    file: 'vfs/attributes/attr',
    text: /-EFBIG/,
    why: 'only of a file system with a limit that can be reached, ext4',
  },
  {
    file: 'vfs/files/read_write',
    text: /-EFBIG/,
    why: 'only of a file system with a limit that can be reached, ext4',
  },
  {
    file: 'overlay/copy_up',
    text: /has no upper layer/,
    why: 'the superblock is read-only then, which is said before',
  },
]

/** Watches the code of this process. Functions that were compiled before it starts are seen as wholes only. */
export class SiteWatch {
  private readonly session = new Session()

  constructor() {
    this.session.connect()
    this.ask('Profiler.enable')
    this.ask('Profiler.startPreciseCoverage', { callCount: false, detailed: true })
  }

  private ask<T>(method: string, params: object = {}): T {
    let answer: unknown
    // In the same thread the answer is there when `post` returns.
    this.session.post(method, params, (error: Error | null, result: unknown) => {
      if (error !== null) throw error
      answer = result
    })
    return answer as T
  }

  /** What was reached until now; once only, since V8 then forgets it. */
  report(): SiteReport {
    const { result } = this.ask<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage')
    this.ask('Debugger.enable')
    const reached: Site[] = []
    const missed: Site[] = []
    const beyond: (Site & { why: string })[] = []
    const unexpected: Site[] = []
    const used = new Set<Beyond>()
    for (const script of result.filter(({ url }) => modules.test(url))) {
      const { scriptId } = script
      const { scriptSource } = this.ask<{ scriptSource: string }>('Debugger.getScriptSource', { scriptId })
      for (const { index, ...site } of sites_of(script.url, scriptSource)) {
        const reason = reason_of(site)
        const ran = has_run(script, index)
        if (reason === undefined) (ran ? reached : missed).push(site)
        else {
          beyond.push({ ...site, why: reason.why })
          used.add(reason)
          if (ran && !is_evaluated_at_load(site)) unexpected.push(site)
        }
      }
    }
    this.session.disconnect()
    const unused = beyond_plays.filter((each) => !used.has(each)).map(({ file, why }) => `${file}: ${why}`)
    return { reached, missed, beyond, unexpected, unused }
  }
}

/** Whether the innermost block around this place has run. */
function has_run({ functions }: Profiler.ScriptCoverage, index: number): boolean {
  const around = functions
    .flatMap(({ ranges }) => ranges)
    .filter(({ startOffset, endOffset }) => startOffset <= index && index < endOffset)
  const size = (range: Profiler.CoverageRange) => range.endOffset - range.startOffset
  const innermost = around.reduce<Profiler.CoverageRange | undefined>(
    (least, each) => (least === undefined || size(each) <= size(least) ? each : least),
    undefined,
  )
  return innermost !== undefined && innermost.count > 0
}

/** A constant of a table runs when its module is loaded. */
const is_evaluated_at_load = ({ text }: Site): boolean => /parent_of_victim\(/.test(text)

/** The reason why no play reaches this one, where there is one. */
const reason_of = (site: Site): Beyond | undefined =>
  beyond_plays.find(
    ({ file, within, text }) =>
      site.file.endsWith(file) && (within === undefined || site.within === within) && text.test(site.text),
  )

/** The sites in a module as it was loaded: compiled, with or without its comments. */
function* sites_of(url: string, source: string): Iterable<Site & { readonly index: number }> {
  const file = /\/src\/(.*)\.[jt]s$/.exec(url)?.[1] ?? url
  const seen = new Map<string, number>()
  for (const match of source.matchAll(/-\(?(?:[\w$]+(?:\.|, ))?(E[A-Z0-9]{2,})\b/g)) {
    const { index } = match
    const errno = match[1]!
    const start = source.lastIndexOf('\n', index) + 1
    const end = source.indexOf('\n', index)
    // Loaders write `__module_0__.EACCES`.
    const text = source
      .slice(start, end < 0 ? undefined : end)
      .trim()
      .replace(/\b__\w+__\./g, '')
    if (errno_value(errno) === undefined || /^(?:\*|\/\/|\/\*)/.test(text)) continue
    const within = enclosing(source.slice(0, start))
    const name = `${within} ${errno} ${text}`
    const nth = seen.get(name) ?? 0
    seen.set(name, nth + 1)
    yield { file, within, errno, text, nth, index }
  }
}

/** The name of the last function or stage that begins in this text. */
function enclosing(before: string): string {
  const begins = [
    ...before.matchAll(/(?:\bfunction |\b(?:fn|stage|local)\(["'])([\w$ ./>()-]+?)(?:["']|\()/g),
  ]
  return begins.at(-1)?.[1] ?? ''
}

/**
 * A folder of our own, for the agent's program: what lies there is run, perhaps as root. So nobody else may be able
 * to put anything there: every folder on the way belongs to us or to root, and lets nobody else write.
 */
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, realpathSync, type Stats } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { OracleError } from './play.js'

const STICKY = 0o1000
/** Milliseconds in which a file system answers, else it is not waited for. */
const PATIENCE = 5000

const what_to_do = 'set XDG_CACHE_HOME to a folder of your own'

function unusable(named: string, why: string): OracleError {
  return new OracleError('agent', `no place to keep the compiled agent: ${named} ${why}; ${what_to_do}`)
}

interface Base {
  /** As a user knows it: `HOME (/root)`. */
  readonly named: string
  readonly path: string
  /** Folders below it. */
  readonly below: readonly string[]
}

function base_of(given: string | undefined): Base {
  if (given !== undefined) return { named: given, path: given, below: [] }
  const { XDG_CACHE_HOME = '' } = process.env
  // A relative path is to be ignored: XDG Base Directory Specification.
  if (isAbsolute(XDG_CACHE_HOME))
    return { named: `XDG_CACHE_HOME (${XDG_CACHE_HOME})`, path: XDG_CACHE_HOME, below: ['toctoscope'] }
  const path = homedir()
  return { named: `HOME (${path})`, path, below: ['.cache', 'toctoscope'] }
}

/** Whether a file system answers: one that does not would hold us for ever, so a shell goes there first. */
export function answers(path: string, patience = PATIENCE, shell = '/bin/sh'): boolean {
  const { error } = spawnSync(shell, ['-c', 'cd -- "$1"', 'sh', path], {
    timeout: patience,
    killSignal: 'SIGKILL',
    stdio: 'ignore',
  })
  return (error as NodeJS.ErrnoException | undefined)?.code !== 'ETIMEDOUT'
}

/** In a user namespace folders of the root outside belong to nobody (kernel/user_namespace.c: overflowuid). */
function roots(): readonly number[] {
  const every_user = /^\s*0\s+0\s+4294967295\s*$/
  return every_user.test(readFileSync('/proc/self/uid_map', 'utf8')) ? [0] : [0, 65534]
}

/** Why somebody else could put something there; null if nobody can. */
export function open_to_others(
  stats: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  uid: number,
  gid: number,
  trusted: readonly number[] = [0],
): string | null {
  if (stats.uid !== uid && !trusted.includes(stats.uid)) return `belongs to the user ${stats.uid}`
  if ((stats.mode & STICKY) !== 0) return null
  if ((stats.mode & 0o002) !== 0) return 'can be written to by everybody'
  // Many systems give each user a group of the same number, and let it write.
  if ((stats.mode & 0o020) !== 0 && stats.gid !== gid && stats.gid !== 0)
    return `can be written to by the group ${stats.gid}`
  return null
}

function check_way(named: string, folder: string): void {
  const [uid, gid] = [process.geteuid!(), process.getegid!()]
  const trusted = roots()
  for (let path = folder; ; path = dirname(path)) {
    const stats = lstatSync(path)
    if (!stats.isDirectory()) throw unusable(named, `is no folder (${path})`)
    const open = open_to_others(stats, uid, gid, trusted)
    if (open !== null) throw unusable(named, `is not safe: ${path} ${open}`)
    if (path === dirname(path)) return
  }
}

/** The folder itself is ours alone. */
function check_own(named: string, folder: string): void {
  const stats = lstatSync(folder)
  if (!stats.isDirectory()) throw unusable(named, `is not safe: ${folder} is no folder`)
  if (stats.uid !== process.geteuid!())
    throw unusable(named, `is not safe: ${folder} belongs to the user ${stats.uid}`)
  if ((stats.mode & 0o077) !== 0)
    throw unusable(named, `is not safe: others can go into ${folder} (chmod 700 helps)`)
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

const said: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is no folder',
  EACCES: 'is not yours to write to',
  EPERM: 'is not yours to write to',
  EROFS: 'is on a read-only file system',
  ENOSPC: 'is on a full disk',
  ELOOP: 'is a symbolic link that leads nowhere',
}

/**
 * Makes the folder where it is missing.
 *
 * @param given instead of the user's cache folder
 * @throws OracleError `agent`: why it is not usable, and what to set
 */
export function own_folder(given?: string): string {
  const base = base_of(given)
  if (!isAbsolute(base.path)) throw unusable(base.named, 'is no absolute path')
  if (!answers(base.path)) throw unusable(base.named, `has not answered within ${PATIENCE / 1000} s`)
  try {
    if (base.path === given || base.below.length === 1) make_base(base.path)
    let folder = realpathSync(base.path)
    check_way(base.named, folder)
    for (const name of base.below) {
      folder = join(folder, name)
      make(folder)
      check_way(base.named, folder)
    }
    check_own(base.named, folder)
    return folder
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof OracleError || code === undefined) throw error
    throw unusable(base.named, said[code] ?? `cannot be used (${code})`)
  }
}

/** A folder that was named for the purpose is made; a home is not. */
function make_base(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 })
}

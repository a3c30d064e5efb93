/**
 * The host's side of the agent: compiles it on first use, starts it, sends it plays and reads its answers.
 *
 * One agent stays alive for any number of plays. Plays may be sent before earlier ones are answered.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { call_table } from './call_table.js'
import { decode_answer, encode_play } from './encode.js'
import { own_folder } from './own_folder.js'
import { type Answer, OracleError, type Play, SetupRefused } from './play.js'
import { HostRefused } from './stage.js'

const source = fileURLToPath(new URL('./agent.c', import.meta.url))
const compiler_flags = ['-Wall', '-Wextra', '-Werror', '-O2']

export interface AgentOptions {
  /** The C compiler; unless told `$CC` or `cc`. */
  readonly cc?: string
  /** Where compiled agents are kept, a folder of the user's own; unless told in the user's cache folder. */
  readonly cache?: string
  /** In a user namespace even where there is root. */
  readonly user_ns?: boolean
  /** The processor that all of its processes have, by number; unless told the one on which it starts. */
  readonly processor?: number
}

/** Milliseconds within which one hears of the end of a process. */
const EXIT_IS_TOLD = 2_000
/** Milliseconds that a compiler may take. */
const COMPILING = 120_000

/** A program that is open: what was looked at is what will run, whatever happens to its name. */
export interface OpenProgram {
  readonly fd: number
  readonly path: string
}

/**
 * Opens the compiled agent; compiles it where our folder does not have it. Its name tells what it was made from and
 * the hash of its bytes: what was not made by us, or not wholly, is not run.
 *
 * @throws OracleError `agent`: there is no place of our own to keep it; `compiler`: there is none, or it fails
 */
export function open_agent(options: AgentOptions = {}): OpenProgram {
  const cc = options.cc ?? process.env.CC ?? 'cc'
  const folder = own_folder(options.cache)
  const made_from = [process.arch, cc, ...compiler_flags, readFileSync(source, 'utf8'), call_table()].join(
    '\0',
  )
  const name = `agent-${sha256(made_from)}`
  const kept = readdirSync(folder).find((file) => file.startsWith(`${name}-`))
  const found = kept === undefined ? null : open_whole(join(folder, kept))
  return found ?? compile(cc, folder, name)
}

const sha256 = (bytes: string | Buffer): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 32)

/** Opens a program that is ours and has the hash that its name ends in; else takes it away. */
function open_whole(path: string): OpenProgram | null {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    const ours = stats.isFile() && stats.uid === process.geteuid!() && (stats.mode & 0o022) === 0
    if (ours && path.endsWith(`-${sha256(readFileSync(fd))}`)) return { fd, path }
    closeSync(fd)
  } catch {
    // What cannot be opened is no program of ours.
  }
  rmSync(path, { recursive: true, force: true })
  return null
}

/** A static program is tried first, since it forks faster. */
function compile(cc: string, folder: string, name: string): OpenProgram {
  const making = mkdtempSync(join(folder, 'making-'))
  const unfinished = join(making, 'agent')
  try {
    writeFileSync(join(making, 'calls.h'), call_table())
    let errors = ''
    for (const flags of [[...compiler_flags, '-static'], compiler_flags]) {
      const run = spawnSync(cc, [...flags, '-I', making, '-o', unfinished, source], {
        encoding: 'utf8',
        timeout: COMPILING,
        killSignal: 'SIGKILL',
        // A compiler keeps parts of the program in there.
        env: { ...process.env, TMPDIR: making },
      })
      if (run.error !== undefined) throw no_compiler(cc, run.error)
      if (run.status === 0) {
        chmodSync(unfinished, 0o700)
        const path = join(folder, `${name}-${sha256(readFileSync(unfinished))}`)
        renameSync(unfinished, path)
        const opened = open_whole(path)
        if (opened !== null) return opened
      }
      errors = run.stderr
    }
    const [first = ''] = errors.trim().split('\n')
    throw new OracleError('compiler', `${cc} cannot compile the agent: ${first || 'it says nothing'}`)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

function no_compiler(cc: string, error: NodeJS.ErrnoException): OracleError {
  if (error.code === 'ETIMEDOUT')
    return new OracleError('compiler', `${cc} has not compiled the agent within ${COMPILING / 1000} s`)
  return new OracleError('compiler', `no C compiler: cannot run ${cc} (${error.message}); set CC`)
}

interface Waiting {
  readonly lines: string[]
  /** How many answers there will be, where no `end` is sent. */
  readonly count?: number
  readonly resolve: (answers: Answer[]) => void
  readonly reject: (error: Error) => void
}

/** A running agent. */
export class Agent {
  private readonly waiting: Waiting[] = []
  private partial = ''
  private ended: Error | undefined
  private said_last = ''

  private constructor(
    private readonly child: ChildProcess,
    /** Root, or an ordinary user in a user namespace: one user id, no set-up that needs more. */
    readonly privilege: 'root' | 'user-ns',
  ) {
    child.stdout!.on('data', (chunk: string) => this.receive(chunk))
    child.on('exit', (code, signal) => this.fail(`the agent ended (${signal ?? `status ${code}`})`))
    // Mostly it has ended, and how it did is told a moment later.
    child.stdin!.on('error', () => {
      setTimeout(() => this.fail('the agent takes no more requests'), EXIT_IS_TOLD).unref()
    })
  }

  /**
   * Starts an agent.
   *
   * @throws OracleError `compiler`, `privilege` (neither root nor user namespaces), `kernel` (no Linux)
   */
  static async start(options: AgentOptions = {}): Promise<Agent> {
    if (process.platform !== 'linux')
      throw new OracleError('kernel', `plays run on Linux, and this is ${process.platform}`)
    const { fd, path } = open_agent(options)
    // In a group of its own: an interrupt from the terminal is for us, who then say what there is so far.
    const child = spawn(
      existsSync('/proc/self/fd') ? '/proc/self/fd/3' : path,
      [
        ...(options.user_ns ? ['--user-ns'] : []),
        ...(options.processor === undefined ? [] : [String(options.processor)]),
      ],
      {
        argv0: path,
        detached: true,
        stdio: ['pipe', 'pipe', 'inherit', fd],
      },
    )
    closeSync(fd)
    child.stdout!.setEncoding('utf8')
    const first = await new Promise<string>((resolve) => {
      let text = ''
      const done = (line: string) => {
        child.stdout!.removeAllListeners('data')
        child.removeAllListeners()
        resolve(line)
      }
      child.stdout!.on('data', (chunk: string) => {
        text += chunk
        if (text.includes('\n')) done(text.split('\n')[0]!)
      })
      child.on('error', (error) => done(`E ${error.message}`))
      child.on('exit', (code) => done(text || `E it ended with status ${code}`))
    })
    if (!first.startsWith('ready'))
      throw new OracleError('privilege', `nothing can be played here: ${first.replace(/^E /, '')}`)
    return new Agent(child, first === 'ready root' ? 'root' : 'user-ns')
  }

  /**
   * Plays on the kernel. Every call has an answer.
   *
   * @throws SetupRefused where the kernel refuses a part of the set-up, or a task
   * @throws HostRefused where a call would have reached the host
   * @throws OracleError `agent` where the agent has ended
   */
  play(play: Play): Promise<Answer[]> {
    return this.request(encode_play(play))
  }

  /** Sends requests up to an `end` (agent/agent.c has their grammar), and gives their answers. Throws as `play`. */
  request(text: string): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.ended)
      this.waiting.push({ lines: [], resolve, reject })
      this.send(text)
    })
  }

  /**
   * Sends requests of a play that goes on, call by call: the caller knows how many of them are answered. Once
   * all is over `request('end\n')` takes everything down. Throws as `play`.
   *
   * @param text  requests, a line each
   * @param count how many answers they have
   */
  converse(text: string, count: number): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.ended)
      this.waiting.push({ lines: [], count, resolve, reject })
      this.send(text)
    })
  }

  /** What is sent in one turn of the event loop goes out together: each write wakes the agent. */
  private send(text: string): void {
    const stdin = this.child.stdin!
    if (stdin.writableCorked === 0) {
      stdin.cork()
      queueMicrotask(() => stdin.uncork())
    }
    stdin.write(text)
  }

  /** Ends the agent; everything that it has made is gone with it. */
  close(): void {
    this.ended ??= new OracleError('agent', 'the agent is closed')
    this.child.stdin!.end()
    this.child.kill('SIGKILL')
  }

  /** Process number of the agent's outer process. */
  get pid(): number {
    return this.child.pid!
  }

  private receive(chunk: string): void {
    const lines = (this.partial + chunk).split('\n')
    this.partial = lines.pop()!
    for (const line of lines) {
      const now = this.waiting[0]
      if (now === undefined) continue
      if (line === '.') {
        this.waiting.shift()
        settle(now)
      } else {
        now.lines.push(line)
        this.said_last = line
        if (now.count === undefined || now.lines.filter(is_answer).length < now.count) continue
        this.waiting.shift()
        settle(now)
      }
    }
  }

  private fail(why: string): void {
    const last =
      this.said_last === '' ? '' : `; its last answer was ${JSON.stringify(this.said_last.slice(0, 80))}`
    this.ended ??= new OracleError('agent', `${why}${last}`)
    for (const each of this.waiting.splice(0)) each.reject(this.ended)
  }
}

/** A complaint about the set-up stands beside the answers. */
const is_answer = (line: string): boolean => !line.startsWith('E ')

function settle({ lines, resolve, reject }: Waiting): void {
  try {
    resolve(lines.map(decode_answer))
  } catch (error) {
    const known = error instanceof SetupRefused || error instanceof HostRefused
    reject(known ? error : new OracleError('agent', String(error)))
  }
}

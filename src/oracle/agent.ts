/**
 * The host's side of the agent: compiles it on first use, starts it, sends it plays and reads its answers.
 *
 * One agent stays alive for any number of plays. Plays may be sent before earlier ones are answered.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode_answer, encode_play } from './encode.js'
import { type Answer, OracleError, type Play, SetupRefused } from './play.js'
import { HostRefused } from './stage.js'

const source = fileURLToPath(new URL('./agent/agent.c', import.meta.url))
const compiler_flags = ['-Wall', '-Wextra', '-Werror', '-O2']

export interface AgentOptions {
  /** The C compiler; unless told `$CC` or `cc`. */
  readonly cc?: string
  /** Where compiled agents are kept; unless told the user's cache directory. */
  readonly cache?: string
  /** In a user namespace even where there is root. */
  readonly user_ns?: boolean
}

function cache_directories(): string[] {
  const { XDG_CACHE_HOME } = process.env
  return [
    join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'toctoscope'),
    join(tmpdir(), `toctoscope-${process.getuid?.() ?? 0}`),
  ]
}

function writable_directory(given: string | undefined): string {
  for (const dir of given === undefined ? cache_directories() : [given]) {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 })
      return dir
    } catch {
      // the next one
    }
  }
  throw new OracleError('agent', 'no directory to keep the compiled agent in; set XDG_CACHE_HOME')
}

/**
 * The path of the compiled agent; compiles it where the cache does not have it. A static program is tried
 * first, since it forks faster.
 *
 * @throws OracleError `compiler`: there is none, or it fails
 */
export function compile_agent(options: AgentOptions = {}): string {
  const cc = options.cc ?? process.env.CC ?? 'cc'
  const text = readFileSync(source)
  const hash = createHash('sha256').update(text).update(cc).update(compiler_flags.join(' ')).digest('hex')
  const program = join(writable_directory(options.cache), `agent-${hash.slice(0, 24)}`)
  if (existsSync(program)) return program
  const unfinished = `${program}.${process.pid}`
  let errors = ''
  for (const flags of [[...compiler_flags, '-static'], compiler_flags]) {
    const run = spawnSync(cc, [...flags, '-o', unfinished, source], { encoding: 'utf8' })
    if (run.error !== undefined)
      throw new OracleError('compiler', `no C compiler: cannot run ${cc} (${run.error.message}); set CC`)
    if (run.status === 0) {
      chmodSync(unfinished, 0o755)
      renameSync(unfinished, program)
      return program
    }
    errors = run.stderr
  }
  rmSync(unfinished, { force: true })
  throw new OracleError(
    'compiler',
    `${cc} cannot compile the agent: ${errors.trim().split('\n')[0] || 'it says nothing'}`,
  )
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
    child.stdin!.on('error', () => this.fail('the agent takes no more requests'))
  }

  /**
   * Starts an agent.
   *
   * @throws OracleError `compiler`, `privilege` (neither root nor user namespaces), `kernel` (no Linux)
   */
  static async start(options: AgentOptions = {}): Promise<Agent> {
    if (process.platform !== 'linux')
      throw new OracleError('kernel', `plays run on Linux, and this is ${process.platform}`)
    const program = compile_agent(options)
    // In a group of its own: an interrupt from the terminal is for us, who then say what there is so far.
    const child = spawn(program, options.user_ns ? ['--user-ns'] : [], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
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
      this.child.stdin!.write(text)
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
      this.child.stdin!.write(text)
    })
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

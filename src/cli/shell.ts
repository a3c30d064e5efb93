/** `toctoscope shell`: system calls, typed at the model one by one. */
import type { SetupForm } from '../scenario/form.js'
import { Console } from '../shell/console.js'
import { Protocol } from '../shell/protocol.js'
import { Session } from '../shell/session.js'
import { answer_lines, MAX_LINE } from './lines.js'
import type { Loaded } from './load.js'
import { one_case } from './run.js'
import type { Terminal } from './terminal.js'

export interface ShellOptions {
  case?: readonly string[]
  json?: boolean
  profile?: string
}

const check_setup = async (given: unknown): Promise<SetupForm> =>
  (await import('../scenario/schema.js')).validate_setup(given)

/** @param loaded the scenario whose set-up and tasks there are; null for an empty world */
export async function shell(
  loaded: Loaded | null,
  options: ShellOptions,
  terminal: Terminal,
): Promise<number> {
  const session = open_session(loaded, options, terminal)
  if (options.json) {
    const protocol = new Protocol(session, check_setup)
    await answer_lines((line) => protocol.answer(line), `"a line of more than ${MAX_LINE} characters"`)
    return 0
  }
  const console = new Console(session)
  if (process.stdin.isTTY) return interactive(console, terminal)
  await answer_lines((line) => {
    const shown = console.line(line)
    return shown === null ? null : shown.map((each) => `${each}\n`).join('')
  }, `# a line of more than ${MAX_LINE} characters`)
  return 0
}

function open_session(loaded: Loaded | null, options: ShellOptions, terminal: Terminal): Session {
  const undo = options.json !== true
  if (loaded === null) return new Session({ undo, profile: options.profile })
  const { form } = loaded.cases[one_case(loaded, options.case ?? [], terminal)]!
  const tasks = form.tasks.map(({ program: _, role: __, ...spec }) => spec)
  return new Session({ undo, setup: form.setup ?? {}, profile: options.profile ?? form.profile, tasks })
}

const GREETING = `System calls as in C, e.g. openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644); "help" lists calls and commands.`
const HISTORY = 1000

/** A person at a terminal: history and completion. */
async function interactive(console: Console, terminal: Terminal): Promise<number> {
  const { createInterface } = await import('node:readline')
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    historySize: HISTORY,
    removeHistoryDuplicates: true,
    completer: (line: string) => console.complete(line),
  })
  const prompt = () => {
    lines.setPrompt(`${console.current}> `)
    lines.prompt()
  }
  terminal.err(`${GREETING}\n`)
  prompt()
  lines.on('SIGINT', () => {
    // As a shell does: the line is given up, not the session.
    terminal.out('\n')
    lines.write(null, { ctrl: true, name: 'u' })
    prompt()
  })
  await new Promise<void>((resolve) => {
    lines.on('close', resolve)
    lines.on('line', (line) => {
      const shown = console.line(line)
      if (shown === null) return lines.close()
      for (const each of shown) terminal.out(`${each}\n`)
      prompt()
    })
  })
  return 0
}

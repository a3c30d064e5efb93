/** `toctoscope shell`: system calls, typed one by one at the model, at the kernel of this machine, or at both. */
import type { SetupForm } from '../scenario/form.js'
import { Console } from '../shell/console.js'
import { type Player, Protocol } from '../shell/protocol.js'
import { Session, type TaskSpec } from '../shell/session.js'
import { printable_json } from '../trace/render/printable.js'
import type { LoadOptions } from './bounds.js'
import { UsageError } from './errors.js'
import { exit } from './exit_codes.js'
import { answer_lines, MAX_LINE } from './lines.js'
import type { Loaded } from './load.js'
import { one_case } from './run.js'
import { is_typed, line_editor, type Terminal } from './terminal.js'

export interface ShellOptions extends LoadOptions {
  case?: readonly string[]
  json?: boolean
  profile?: string
  kernel?: boolean
  both?: boolean
}

interface World {
  readonly setup: SetupForm | null
  readonly profile: string | undefined
  readonly tasks: readonly TaskSpec[] | undefined
}

/** What lines are given to, where people type them. */
interface Lines {
  line(text: string): readonly string[] | null | Promise<readonly string[] | null>
}

const check_setup = async (given: unknown): Promise<SetupForm> =>
  (await import('../scenario/form_schema.js')).validate_setup(given)

/**
 * Runs a shell until its input ends.
 *
 * @param loaded the scenario whose set-up and tasks there are; null for an empty world
 * @returns the exit code: 5 where `--both` has found a difference, 6 where a kernel was lost
 * @throws LoadError where the kernel refuses the set-up
 */
export async function shell(
  loaded: Loaded | null,
  options: ShellOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.kernel && options.both) throw new UsageError('--kernel and --both exclude each other')
  const world = world_of(loaded, options, terminal)
  if (options.kernel || options.both) return kernel_shell(world, options, terminal)
  const session = new Session({ ...world, undo: options.json !== true })
  if (options.json) await json(session)
  else await text(new Console(session), terminal)
  return 0
}

function world_of(loaded: Loaded | null, options: ShellOptions, terminal: Terminal): World {
  if (loaded === null) return { setup: null, profile: options.profile, tasks: undefined }
  const { form } = loaded.cases[one_case(loaded, options.case ?? [], terminal)]!
  const tasks = form.tasks.map(({ program: _, role: __, ...spec }) => spec)
  return { setup: form.setup ?? {}, profile: options.profile ?? form.profile, tasks }
}

async function kernel_shell(world: World, options: ShellOptions, terminal: Terminal): Promise<number> {
  const { BothConsole, BothPlayer, KernelConsole, open_kernel } = await import('./shell_kernel.js')
  const { running_profile } = await import('../oracle/confirm/confirm.js')
  const { setup, tasks } = world
  const profile = options.profile ?? running_profile()
  const session = options.both ? new Session({ setup: setup && { ...setup, profile }, profile, tasks }) : null
  const kernel = await open_kernel(setup, tasks)
  if (typeof kernel === 'string') {
    terminal.err(`toctoscope: ${kernel}\n`)
    return exit.lacking
  }
  let judge: { readonly difference: string | null } | null = null
  const over = () => kernel.lost !== undefined || (judge?.difference ?? null) !== null
  try {
    if (options.json) {
      const both = session === null ? null : new BothPlayer(session, kernel)
      judge = both
      await json(both ?? kernel, over)
    } else {
      const both = session === null ? null : new BothConsole(new Console(session), kernel)
      judge = both
      await text(both ?? new KernelConsole(kernel), terminal, over)
    }
  } finally {
    kernel.close()
  }
  return verdict(judge?.difference ?? null, kernel.lost, terminal)
}

function verdict(difference: string | null, lost: Error | undefined, terminal: Terminal): number {
  if (lost !== undefined) terminal.err(`toctoscope: ${lost.message}\n`)
  else if (difference !== null) terminal.err(`toctoscope: the model and the kernel differ: ${difference}\n`)
  else return 0
  return lost === undefined ? exit.disagreement : exit.lacking
}

/** Answers are lines of JSON, in which every character can be seen. */
const answered = (answer: string | Promise<string>): string | Promise<string> =>
  answer instanceof Promise ? answer.then(printable_json) : printable_json(answer)

async function json(player: Player, over?: () => boolean): Promise<void> {
  const protocol = new Protocol(player, check_setup)
  await answer_lines(
    (line) => answered(protocol.answer(line)),
    `"a line of more than ${MAX_LINE} characters"`,
    over,
  )
}

async function text(lines: Lines, terminal: Terminal, over: () => boolean = () => false): Promise<void> {
  if (is_typed()) return interactive(lines, terminal, over)
  const show = (shown: readonly string[] | null) =>
    shown === null ? null : shown.map((each) => `${each}\n`).join('')
  await answer_lines(
    (line) => {
      const shown = lines.line(line)
      return shown instanceof Promise ? shown.then(show) : show(shown)
    },
    `# a line of more than ${MAX_LINE} characters`,
    over,
  )
}

const GREETING = `System calls as in C, e.g. openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644); "help" lists calls and commands.`

/** A person at a terminal: history and completion. */
async function interactive(lines: Lines, terminal: Terminal, over: () => boolean): Promise<void> {
  const console = lines instanceof Console ? lines : null
  const editor = await line_editor((line) => console?.complete(line) ?? [[], line])
  const prompt = () => {
    editor.setPrompt(console === null ? '> ' : `${console.current}> `)
    editor.prompt()
  }
  terminal.err(`${GREETING}\n`)
  prompt()
  editor.on('SIGINT', () => {
    // As a shell does: the line is given up, not the session.
    terminal.out('\n')
    editor.write(null, { ctrl: true, name: 'u' })
    prompt()
  })
  for await (const line of editor) {
    const shown = await lines.line(line)
    if (shown === null) break
    for (const each of shown) terminal.out(`${each}\n`)
    if (over()) break
    prompt()
  }
  editor.close()
}

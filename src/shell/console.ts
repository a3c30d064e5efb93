/**
 * The shell for people: a line in, lines out. Calls are typed as in C; everything else is a command. What
 * changes the state can be undone and done again.
 */

import { utf8_bytes } from '../kernel/decode.js'
import { hold_kind } from '../kernel/fn.js'
import type { Touch } from '../kernel/footprint.js'
import type { Event, Kernel } from '../kernel/kernel.js'
import { RETURNING } from '../kernel/kernel.js'
import { place_in_range, show_id } from '../kernel/schema.js'
import { all_syscalls, type Syscall, syscall_named } from '../kernel/syscall.js'
import { is_seen, readable, readable_message } from '../scenario/characters.js'
import { suggestion } from '../scenario/error.js'
import { printable } from '../trace/render/printable.js'
import { dentry } from '../vfs/dentry.js'
import { find_place, type Place } from '../vfs/filesystems/populate.js'
import { inode, is_dir } from '../vfs/inode.js'
import { task_struct } from '../vfs/tasks/task.js'
import { type Answer, MAX_TASK, RequestError } from './answer.js'
import { show_fds, show_inode, show_mounts, show_stack, show_tasks } from './inspect.js'
import { task_spec } from './protocol.js'
import { render_call, render_result } from './render.js'
import { ReplayedLog } from './replayed_log.js'
import type { Completed, Session, TaskSpec } from './session.js'
import { is_log_line, type LoggedCall, StraceLog } from './strace_log.js'
import { looks_like_call, parse_call, prototype, type TypedCall } from './syntax.js'

/** A message of the model as it can be seen. */
const seen = (text: string): string => printable(readable_message(text))

/** Whether a name is shown as it is typed. */
const can_be_typed = (name: string): boolean => utf8_bytes(readable(name)) === name && is_seen(readable(name))

interface Command {
  readonly usage: string
  readonly help: string
  /** It changes the state: it can be undone. */
  readonly changes?: true
  readonly run: (c: Console, rest: string) => readonly string[]
}

const commands: Readonly<Record<string, Command>> = {
  help: {
    usage: 'help [CALL]',
    help: 'this text; how a call is typed',
    run: (_, rest) => (rest === '' ? help_text() : help_on(rest)),
  },
  stages: {
    usage: 'stages on|off',
    help: 'shows the kernel stages that a call runs, and what they write',
    run: (c, rest) => c.set_stages(rest),
  },
  fds: {
    usage: 'fds [TASK]',
    help: 'open descriptors',
    run: (c, rest) => show_fds(c.session.k, c.task_of(rest)),
  },
  mounts: {
    usage: 'mounts',
    help: 'what is mounted where',
    run: (c) => show_mounts(c.session.k, c.task_of('')),
  },
  inode: {
    usage: 'inode PATH',
    help: 'the inode of a path (links are not followed), and its layers',
    run: (c, rest) => show_inode(c.session.k, c.place(rest), rest),
  },
  tasks: { usage: 'tasks', help: 'who there is, and who makes the calls (*)', run: (c) => c.tasks() },
  task: {
    usage: 'task N',
    help: 'makes the calls from now on; "2: close(3)" does so for one call',
    changes: true,
    run: (c, rest) => c.become(rest),
  },
  spawn: {
    usage: 'spawn N [uid=1000] [gid=1000] [groups=1,2] [umask=022] [cwd=/m]',
    help: 'a new task',
    changes: true,
    run: (c, rest) => c.spawn(rest),
  },
  end: { usage: 'end N', help: 'ends a task', changes: true, run: (c, rest) => c.end(rest) },
  begin: {
    usage: 'begin CALL',
    help: 'begins a call and stops before its first stage: others can come between',
    changes: true,
    run: (c, rest) => c.begin(rest),
  },
  step: {
    usage: 'step [TASK]',
    help: 'one stage of a call that was begun',
    changes: true,
    run: (c, rest) => c.step(rest),
  },
  finish: {
    usage: 'finish [TASK]',
    help: 'the rest of a call that was begun',
    changes: true,
    run: (c, rest) => c.finish(rest),
  },
  stack: {
    usage: 'stack [TASK]',
    help: 'what a task is doing inside the kernel',
    run: (c, rest) => c.stack(rest),
  },
  undo: { usage: 'undo', help: 'takes the last call or change back', run: (c) => c.undo() },
  redo: { usage: 'redo', help: 'does again what was undone', run: (c) => c.redo() },
  quit: { usage: 'quit', help: 'ends the shell (so does Ctrl-D)', run: () => [] },
}

function help_text(): string[] {
  const width = Math.max(...Object.values(commands).map(({ usage }) => Math.min(usage.length, 16)))
  const lines = Object.values(commands).map(({ usage, help }) =>
    usage.length > width ? `  ${usage}\n  ${''.padEnd(width)}  ${help}` : `  ${usage.padEnd(width)}  ${help}`,
  )
  const names = all_syscalls().map(({ name }) => name)
  return [
    'Type a system call as in C:',
    '  openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644)',
    '  write(3, "hello\\n", 6)',
    '  2: execveat(AT_FDCWD, "/x", NULL, NULL, AT_EXECVE_CHECK)',
    'Where C passes a buffer to be filled only its length is given: read(3, 100), stat("/x").',
    'Calls:',
    ...wrap(names.sort(), 78),
    'Commands:',
    ...lines.flatMap((line) => line.split('\n')),
  ]
}

function wrap(words: readonly string[], width: number): string[] {
  const lines = [' ']
  for (const word of words) {
    if (lines[lines.length - 1]!.length + word.length + 1 > width) lines.push(' ')
    lines[lines.length - 1] += ` ${word}`
  }
  return lines
}

function help_on(name: string): string[] {
  const syscall = syscall_named(name.replace(/\(.*/, ''))
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return [command.usage, `  ${command.help}`]
  if (syscall === undefined) {
    const known = [...all_syscalls().map((each) => each.name), ...Object.keys(commands)]
    throw new RequestError(
      `there is no call or command ${name.slice(0, 64)}${suggestion(name.slice(0, 64), known)}`,
    )
  }
  const lines = [prototype(syscall), `  ${syscall.says}`]
  for (const { name: param, says, constants } of syscall.params) {
    if (says !== undefined) lines.push(`  ${param}: ${says}`)
    if (constants !== undefined) lines.push(`  ${param}: ${Object.keys(constants).join(' | ')}`)
  }
  return [...lines, `  gives: ${syscall.gives}`]
}

/** What a line has done, for who does the same elsewhere. */
export type Played =
  | {
      readonly task: number
      readonly syscall: Syscall
      readonly args: readonly unknown[]
      readonly answer: Answer
    }
  | { readonly spawn: readonly [number, TaskSpec] }
  | { readonly end: number }

export class Console {
  /** The task that makes calls, unless a line names another. */
  current = 1
  /** What the last line has done. */
  played: Played[] = []
  private stages = false
  private readonly done: { readonly line: string; readonly restore: () => void }[] = []
  private undone: string[] = []
  private events: Event[] = []
  private stage_lines: string[] = []
  private strace = new StraceLog()
  private replayed = new ReplayedLog()

  constructor(readonly session: Session) {}

  /**
   * Plays a line.
   *
   * @returns what to show, without line ends; null where the line ends the shell
   */
  line(text: string): readonly string[] | null {
    const line = text.trim()
    if (line === '' || line.startsWith('#')) return []
    if (/^(quit|q)$/.test(line)) return null
    this.played = []
    try {
      const changes =
        is_log_line(line) || looks_like_call(line) || (command_of(line)?.command.changes ?? false)
      if (!changes) return this.run(line)
      this.undone = []
      return this.change(line)
    } catch (error) {
      return [`error: ${printable((error as Error).message)}`]
    }
  }

  private change(line: string): readonly string[] {
    const back = this.session.mark()
    const { current, strace, replayed } = this
    this.strace = new StraceLog(strace)
    this.replayed = new ReplayedLog(replayed)
    const shown = this.run(line)
    this.done.push({
      line,
      restore: () => {
        back()
        this.current = current
        this.strace = strace
        this.replayed = replayed
      },
    })
    return shown
  }

  private run(line: string): readonly string[] {
    if (is_log_line(line)) return this.logged(line)
    if (looks_like_call(line)) return this.call(parse_call(line))
    const found = command_of(line)
    if (found !== null) return found.command.run(this, found.rest)
    const word = line.split(/\s/)[0]!.slice(0, 64)
    throw new RequestError(
      `${word} is no command${suggestion(word, Object.keys(commands))}; a call has parentheses; "help" lists all`,
    )
  }

  // --- calls -----------------------------------------------------------------------------------------------

  call({ task, syscall, args }: TypedCall): readonly string[] {
    const who = task ?? this.current
    return this.watched(who, syscall, args, () => {
      const answer = this.session.call(who, syscall, args, { syscall, args })
      this.played.push({ task: who, syscall, args, answer })
      return answer
    })
  }

  /** A line of a log of strace: its call is played, or it is said why not. */
  private logged(line: string): readonly string[] {
    const read = this.strace.read(line)
    if ('ended' in read) return this.log_ended(read.ended)
    if ('skipped' in read) {
      this.replayed.note_skipped(read)
      return read.skipped === '' ? [] : [`skipped: ${printable(read.skipped)}`]
    }
    const { call } = read
    const met = this.meet(call.pid)
    try {
      return [...met, ...this.play_logged(call)]
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.replayed.note_skipped({ skipped: '', pid: call.pid, gives: given(call.returned) })
      return [...met, `skipped: ${call.syscall.name}: ${printable(error.message)}`]
    }
  }

  private play_logged(call: LoggedCall): readonly string[] {
    const task = this.replayed.task_of(call.pid)!
    // A child that ran before its parent's call had returned was made then.
    const child = call.syscall.returns === 'task' ? given(call.returned) : undefined
    if (child !== undefined && this.replayed.task_of(child) !== undefined) return []
    const args = this.replayed.translated(call, parse_call(call.text))
    const shown = this.call({ task, syscall: call.syscall, args })
    const { answer } = this.played.at(-1) as Extract<Played, { answer: Answer }>
    this.replayed.note_result(call, args, answer.ret)
    if (child !== undefined && answer.ret !== undefined) this.replayed.meets(child, answer.ret, call.pid)
    const other = differs(call, answer)
    return other === '' ? shown : [...shown, other]
  }

  /** The first process is the current task; a child is met with its fork; others were there before the log. */
  private meet(pid: number | null): readonly string[] {
    if (this.replayed.task_of(pid) !== undefined) return []
    if (this.replayed.is_empty) {
      this.replayed.meets(pid, this.current)
      return []
    }
    const [parent] = this.strace.forking()
    if (parent !== undefined && this.replayed.task_of(parent) !== undefined) {
      const shown = this.call({
        task: this.replayed.task_of(parent)!,
        syscall: syscall_named('fork')!,
        args: [],
      })
      const { answer } = this.played.at(-1) as Extract<Played, { answer: Answer }>
      if (answer.ret !== undefined) this.replayed.meets(pid, answer.ret, parent)
      return shown
    }
    const task = Math.max(this.replayed.last_task, ...this.session.tasks()) + 1
    const shown = this.spawn(String(task))
    this.replayed.meets(pid, task)
    return [...shown, `it stands for process ${pid}, which was there before the log began`]
  }

  private log_ended(pid: number | null): readonly string[] {
    const task = this.replayed.task_of(pid)
    const alive = task !== undefined && this.session.tasks().includes(task)
    return alive ? this.end(String(task)) : []
  }

  begin(rest: string): readonly string[] {
    const { task, syscall, args } = parse_call(rest)
    const who = task ?? this.current
    const shown = this.watched(who, syscall, args, () =>
      this.session.hold(who, syscall, args, { syscall, args }),
    )
    return this.session.pending_of(who) === undefined ? shown : [...shown, ...show_stack(this.session.k, who)]
  }

  step(rest: string): readonly string[] {
    const who = this.task_of(rest)
    const pending = this.session.pending_of(who)
    this.listen()
    const answer = this.session.step(who)
    const shown = this.heard()
    if (answer === 'asleep') return [...shown, `task ${who} sleeps: another task holds what it waits for`]
    if (answer === 'inside') return [...shown, ...show_stack(this.session.k, who)]
    return [...shown, this.shown(who, pending!.id as Asked, answer), ...this.later()]
  }

  finish(rest: string): readonly string[] {
    const who = this.task_of(rest)
    const asked = this.session.pending_of(who)?.id as Asked
    return this.watched(who, asked?.syscall, asked?.args, () => this.session.finish(who))
  }

  private watched(
    who: number,
    syscall: Syscall,
    args: readonly unknown[],
    play: () => Answer,
  ): readonly string[] {
    this.listen()
    try {
      const answer = play()
      return [...this.heard(), this.shown(who, { syscall, args }, answer), ...this.later()]
    } finally {
      this.session.k.events = null
      this.session.watcher = null
    }
  }

  /** `2: close(3) = 0`. */
  private shown(who: number, { syscall, args }: Asked, answer: Answer): string {
    const refused = this.events.filter(({ kind }) => kind === 'refused').at(-1)
    const why = answer.ret === undefined ? seen(refused?.text ?? '') : ''
    const prefix = who === this.current ? '' : `${who}: `
    return `${prefix}${render_call(syscall, args, answer)} ${render_result(answer, why)}`
  }

  /** Calls that slept and have returned now. */
  private later(): string[] {
    this.events = []
    return this.session.completed().map(({ call, answer }: Completed) => {
      if ('error' in answer) return `${call.task}: error: ${answer.error}`
      return this.shown(call.task, call.id as Asked, answer)
    })
  }

  // --- stages ----------------------------------------------------------------------------------------------

  set_stages(rest: string): readonly string[] {
    if (rest !== '' && rest !== 'on' && rest !== 'off') throw new RequestError('stages: expected on or off')
    this.stages = rest === '' ? !this.stages : rest === 'on'
    return [`stages are ${this.stages ? 'shown' : 'not shown'}`]
  }

  private listen(): void {
    const { session } = this
    this.events = []
    this.stage_lines = []
    session.k.events = this.events
    session.watcher = this.stages ? (k, task) => this.watch(k, task) : null
  }

  private heard(): string[] {
    this.session.k.events = null
    this.session.watcher = null
    return this.stage_lines
  }

  private watch(k: Kernel, task: number): () => void {
    const frame = k.store.top(task)
    const step = frame.stage === RETURNING ? null : frame.fn.steps[frame.stage]!
    if (step?.kind === 'call') return () => {}
    const held = frame.holds[frame.holds.length - 2]
    const name = step?.name ?? (held === undefined ? 'return' : hold_kind(held).name)
    const indent = '  '.repeat(k.store.depth(task))
    const before = this.events.length
    const { fn } = frame
    k.store.note()
    return () => {
      const changed = [...new Set(k.store.footprint().filter(is_news).map(show_touch))]
      const told = this.events.slice(before).map(({ text }) => seen(text))
      const notes = [...told, ...(changed.length === 0 ? [] : [`writes ${changed.join(', ')}`])]
      this.stage_lines.push(
        `${indent}${fn.name}: ${name}  [${fn.source}]${notes.length === 0 ? '' : `  ${notes.join('; ')}`}`,
      )
    }
  }

  // --- tasks -----------------------------------------------------------------------------------------------

  /** The task of a number, or the current one. @throws RequestError where there is none */
  task_of(text: string): number {
    if (text === '') return this.task_of(String(this.current))
    const task = Number(text)
    if (!/^\d{1,5}$/.test(text) || task < 1 || task > MAX_TASK)
      throw new RequestError(`expected the number of a task, not ${text.slice(0, 64)}`)
    if (!task_struct.has(this.session.k, task)) throw new RequestError(`there is no task ${task}`)
    return task
  }

  become(rest: string): readonly string[] {
    if (rest === '') throw new RequestError('task: expected the number of a task')
    this.current = this.task_of(rest)
    return [`task ${this.current} makes the calls now`]
  }

  tasks(): readonly string[] {
    const { session } = this
    const lines = session.tasks().map((task) => {
      const pending = session.pending_of(task)
      if (session.runs_other_program(task)) return { task, note: 'runs another program' }
      if (pending === undefined) return { task, note: '' }
      return { task, note: `inside ${pending.syscall.name}${pending.held ? '' : ', asleep'}` }
    })
    return show_tasks(session.k, lines, this.current)
  }

  spawn(rest: string): readonly string[] {
    const [task, spec] = parse_spawn(rest)
    this.session.spawn(task, spec)
    this.played.push({ spawn: [task, spec] })
    return [`task ${task} is there`]
  }

  end(rest: string): readonly string[] {
    if (rest === '') throw new RequestError('end: expected the number of a task')
    const task = this.task_of(rest)
    this.session.exit(task)
    this.played.push({ end: task })
    return [`task ${task} has ended`, ...this.later()]
  }

  stack(rest: string): readonly string[] {
    const task = this.task_of(rest)
    const lines = show_stack(this.session.k, task)
    return lines.length > 0 ? lines : [`task ${task} is inside no call; "begin CALL" stops in one`]
  }

  // --- state -----------------------------------------------------------------------------------------------

  /** @throws RequestError where the path leads nowhere */
  place(path: string): Place {
    if (!path.startsWith('/')) throw new RequestError('inode: expected an absolute path')
    const { k } = this.session
    const place = find_place(k, task_struct(k, this.task_of('')).root_mnt, utf8_bytes(path))
    if (place === undefined) throw new RequestError(`inode: nothing is at ${path}`)
    return place
  }

  undo(): readonly string[] {
    const last = this.done.pop()
    if (last === undefined) throw new RequestError('there is nothing to undo')
    last.restore()
    this.undone.push(last.line)
    return [`undone: ${printable(last.line)}`]
  }

  redo(): readonly string[] {
    const line = this.undone.pop()
    if (line === undefined) throw new RequestError('there is nothing to do again')
    return this.change(line)
  }

  // --- completion --------------------------------------------------------------------------------------------

  /**
   * What the last word of a line may become: calls, commands, constants; within quotes, paths.
   *
   * @returns the choices, and the part of the line that they would replace
   */
  complete(line: string): [string[], string] {
    const quoted = /^(?:[^"]*"[^"]*")*[^"]*"([^"]*)$/.exec(line)
    if (quoted !== null) return [this.paths(quoted[1]!), quoted[1]!]
    const path = /^\s*inode\s+(\S*)$/.exec(line)
    if (path !== null) return [this.paths(path[1]!), path[1]!]
    const word = /[A-Za-z_]\w*$/.exec(line)?.[0] ?? ''
    const begins = line.slice(0, line.length - word.length)
    const choices = /^\s*(\d+\s*:\s*|begin\s+|help\s+)?$/.test(begins)
      ? first_words(begins)
      : constants_of(line)
    return [choices.filter((each) => each.startsWith(word)).sort(), word]
  }

  private paths(typed: string): string[] {
    const { k } = this.session
    const slash = typed.lastIndexOf('/')
    if (!typed.startsWith('/') || !task_struct.has(k, this.current)) return []
    const place = find_place(k, task_struct(k, this.current).root_mnt, utf8_bytes(typed.slice(0, slash + 1)))
    if (place === undefined) return []
    return dentry
      .where(k, place.dentry)
      .filter(
        ({ id, d_name }) =>
          id !== place.dentry &&
          d_name.startsWith(utf8_bytes(typed.slice(slash + 1))) &&
          can_be_typed(d_name),
      )
      .map(
        ({ d_name, d_inode }) =>
          `${typed.slice(0, slash + 1)}${readable(d_name)}${is_dir(inode(k, d_inode).i_mode) ? '/' : ''}`,
      )
  }
}

const given = (returned: number | string | null): number | undefined =>
  typeof returned === 'number' && returned >= 0 ? returned : undefined

/** Where the log says otherwise than the model: an error against a success, or another error or count. */
function differs({ syscall, returned }: LoggedCall, { ret, errno, signal }: Answer): string {
  if (returned === null) return ''
  const chosen = syscall.returns === 'fd' || syscall.returns === 'address' || syscall.returns === 'task'
  const here = errno ?? signal ?? ret
  if (here === undefined || here === returned) return ''
  if (chosen && typeof here === 'number' && typeof returned === 'number') return ''
  return `  the log says ${typeof returned === 'number' ? returned : `-1 ${returned}`}`
}

/** A write of a row; lists and free numbers change along with rows. */
const is_news = ({ write, row }: Touch): boolean => write && !/^[*@=]/.test(row)

function show_touch({ table, row, group }: Touch): string {
  if (table === 'fd_slot') return `fd ${place_in_range(Number(row))}`
  const name = /^\d+$/.test(row) ? show_id(Number(row)) : row
  return `${table} ${name}${group === 'exists' ? '' : ` ${group}`}`
}

interface Asked {
  readonly syscall: Syscall
  readonly args: readonly unknown[]
}

function command_of(line: string): { command: Command; rest: string } | null {
  const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? []
  return Object.hasOwn(commands, word) ? { command: commands[word]!, rest } : null
}

/** `2 uid=1000 gid=1000`: who a new task is to be. @throws RequestError */
export function parse_spawn(text: string): readonly [number, TaskSpec] {
  const [number = '', ...fields] = text.trim().split(/\s+/)
  const given: Record<string, unknown> = { task: Number(number) }
  for (const field of fields) {
    const [name = '', value = ''] = field.split('=')
    if (value === '') throw new RequestError(`spawn: expected NAME=VALUE, not ${field}`)
    given[name] = spawn_value(name, value)
  }
  return task_spec(given)
}

function spawn_value(name: string, value: string): unknown {
  if (name === 'groups') return value.split(',').map(Number)
  if (name === 'umask') return Number.parseInt(value, 8)
  return /^\d+$/.test(value) ? Number(value) : value
}

function first_words(begins: string): string[] {
  const calls = all_syscalls().map(({ name }) => `${name}(`)
  if (/^\s*help/.test(begins)) return [...calls.map((name) => name.slice(0, -1)), ...Object.keys(commands)]
  return begins.trim() === '' ? [...calls, ...Object.keys(commands)] : calls
}

/** Constants of the parameter that is being typed; of all, where that is not clear. */
function constants_of(line: string): string[] {
  const called = /([A-Za-z_]\w*)\s*\(([^()]*)$/.exec(line)
  const params = called === null ? [] : (syscall_named(called[1]!)?.params ?? [])
  const typed = (called?.[2] ?? '').replace(/"[^"]*"/g, '').split(',').length
  const here = params[typed - 1]?.constants ?? params.at(-1)?.constants
  return here === undefined ? [] : Object.keys(here)
}

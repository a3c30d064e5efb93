/** The agent's language: a play as lines of requests, and its answers back. See `agent/agent.c` for the grammar. */

import { at_places, decode_argument, utf8_bytes } from '../../kernel/decode.js'
import { errno_name, raise } from '../../kernel/errno.js'
import { holds, type Parameter, place_of_count, syscall_named } from '../../kernel/syscall.js'
import { mount_option } from '../../model.js'
import type {
  ArgumentForm,
  MountOption,
  NodeForm,
  OwnerForm,
  ResultRef,
  SetupForm,
} from '../../scenario/form.js'
import { capabilities_of, securebits_of } from '../../scenario/setup.js'
import { bytes_of } from '../../scenario/tree.js'
import { PROC_BLKSIZE } from '../../vfs/filesystems/proc.js'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../../vfs/inode.js'
import { RLIMIT_NOFILE } from '../../vfs/tasks/task.js'
import { type Answer, type Play, type PlayCall, type PlayTask, SetupRefused } from './play.js'
import { Shown } from './shown.js'
import { check_call, check_setup, HostRefused } from './stage.js'

/** Bytes that stand for themselves in a word of text. */
const plain = /^[!-$&-)+-~]*$/
/** A byte that stands at least so often is written once, with how often more. */
const RUN = 5

/** A byte string as a word. */
export function text_word(bytes: string): string {
  if (plain.test(bytes) && bytes.length < 16) return `"${bytes}`
  let word = '"'
  for (let i = 0; i < bytes.length; i++) {
    const char = bytes[i]!
    let same = 1
    while (bytes[i + same] === char) same++
    word += plain.test(char) ? char : `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`
    if (same < RUN) continue
    word += `*${same - 1};`
    i += same - 1
  }
  return word
}

/** The byte string of a word. */
export function word_text(word: string): string {
  if (!/[%*]/.test(word)) return word.slice(1)
  return word
    .slice(1)
    .replace(/(%..|[^%*])\*(\d+);/g, (_, char: string, more: string) => char.repeat(Number(more) + 1))
    .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

// --- set-up --------------------------------------------------------------------------------------------------

/** include/uapi/linux/mount.h */
const mount_option_flags: Readonly<Record<MountOption, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  nosymfollow: 256,
}
/** include/uapi/linux/fs.h */
const FS_IMMUTABLE_FL = 0x10
const FS_APPEND_FL = 0x20

function owner(form: OwnerForm, type: number, missing: number): string {
  const { mode = missing, uid = 0, gid = 0 } = form
  const bits = typeof mode === 'string' ? Number.parseInt(mode, 8) : mode
  return `${type | bits} ${uid} ${gid}`
}

/** `flags` come when the tree is whole: an immutable file takes no more links. */
function encode_node(fs: string, path: string, node: NodeForm, lines: string[], flags: string[]): void {
  const at = text_word(utf8_bytes(`${fs}${path}`))
  if (typeof node === 'string') encode_node(fs, path, { file: node }, lines, flags)
  else if ('file' in node) {
    lines.push(`file ${at} ${owner(node, S_IFREG, 0o644)} ${text_word(bytes_of(node.file, path))}`)
    const bits = (node.immutable ? FS_IMMUTABLE_FL : 0) | (node.append ? FS_APPEND_FL : 0)
    if (bits !== 0) flags.push(`flag ${at} ${bits}`)
  } else if ('dir' in node) {
    lines.push(`dir ${at} ${owner(node, S_IFDIR, 0o755)}`)
    if (node.opaque) lines.push(`opaque ${at}`)
    for (const [name, each] of Object.entries(node.dir))
      encode_node(fs, `${path}/${name}`, each, lines, flags)
  } else if ('symlink' in node)
    lines.push(`sym ${at} ${owner(node, S_IFLNK, 0o777)} ${text_word(utf8_bytes(node.symlink))}`)
  else if ('device' in node) {
    const type = { char: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO }[node.device]
    lines.push(`node ${at} ${owner(node, type, 0o644)} ${node.rdev ?? 0}`)
  } else if ('link' in node) lines.push(`hard ${at} ${layer_word(fs, node.link)}`)
  else lines.push(`white ${at}`)
}

/** `name:/path` of a scenario, as the agent has it. */
function layer_word(fs: string, path: string): string {
  const inside = path.split('/').filter((part) => part !== '')
  return text_word(utf8_bytes([fs, ...inside].join('/')))
}

/** A directory of a file system, or one that mounts show. */
function layer(text: string): string {
  if (text.startsWith('/')) return layer_word('', text)
  const [fs, path = '/'] = text.split(':')
  return layer_word(fs!, path)
}

/**
 * What builds a set-up. Security modules are not in it: a kernel has those that it has.
 *
 * @throws HostRefused, ScenarioError where it would reach the host
 */
export function encode_setup(setup: SetupForm): string[] {
  check_setup(setup)
  const lines: string[] = []
  for (const [name, fs] of Object.entries(setup.filesystems ?? {})) {
    lines.push(`${fs.type === 'proc' ? 'proc' : 'fs'} ${name}`)
    const flags: string[] = []
    for (const [path, node] of Object.entries(fs.tree ?? {}))
      encode_node(name, `/${path}`, node, lines, flags)
    lines.push(...flags)
  }
  const mounts = setup.mounts ?? []
  if (mounts.length === 0) lines.push('fs root', 'at "/ 0 fs "root')
  // Mount points that are missing are made, so superblocks become read-only after that.
  for (const each of mounts) {
    const flags = (each.options ?? []).reduce((bits, option) => bits | mount_option_flags[option], 0)
    const at = `at ${text_word(utf8_bytes(each.at))} ${flags}`
    if ('filesystem' in each) lines.push(`${at} fs ${layer_word(each.filesystem, each.root ?? '/')}`)
    else if ('bind' in each) lines.push(`${at} bind ${text_word(utf8_bytes(each.bind))}`)
    else {
      const { upper, work, lower, options = {} } = each.overlay
      const words = [upper, work].map((dir) => (dir === undefined ? '-' : layer(dir)))
      words.push(
        Object.entries(options)
          .map(([name, value]) => mount_option(name, value))
          .join(',') || '-',
      )
      lines.push(`${at} overlay ${words.join(' ')} ${lower.map(layer).join(' ')}`)
    }
  }
  for (const [name, fs] of Object.entries(setup.filesystems ?? {})) {
    if (fs.read_only || fs.type === 'erofs' || fs.dmverity !== undefined) lines.push(`fsro ${name}`)
  }
  return lines
}

export function encode_task(number: number, task: PlayTask): string {
  const { uid = 0, gid = 0, umask = 0o022, rlimit_nofile = RLIMIT_NOFILE, cwd = '/', groups = [] } = task
  const bits = securebits_of(task.securebits ?? 0, 'securebits')
  const all = task.capabilities === undefined || (task.capabilities === 'all' && uid === 0)
  const caps = all ? '-' : String(capabilities_of(task, ''))
  const words = [number, uid, gid, umask, rlimit_nofile, bits, caps, text_word(utf8_bytes(cwd)), ...groups]
  return `task ${words.join(' ')}`
}

// --- calls ---------------------------------------------------------------------------------------------------

/** Numbers of earlier calls by the name of their result. */
export type ResultNumbers = ReadonlyMap<string, number>

const is_ref = (arg: unknown): arg is ResultRef => typeof arg === 'object' && arg !== null && '$' in arg

function ref_word(ref: ResultRef, known: ResultNumbers): string {
  const [name, field] = ref.$.split('.')
  const number = known.get(name!)
  if (number === undefined) throw new Error(`no earlier call is named ${name}`)
  return field === undefined ? `$${number}` : `$${number}.${field}`
}

function argument_word(param: Parameter, arg: ArgumentForm | undefined, known: ResultNumbers): string {
  if (is_ref(arg)) return ref_word(arg, known)
  const given = arg === undefined ? (param.missing as ArgumentForm | undefined) : arg
  switch (holds(param)) {
    case 'number':
      return String(decode_argument(param, given ?? 0))
    case 'string':
      return given === null ? '@' : text_word(utf8_bytes((given as string).split('\0')[0]!))
    case 'bytes':
      return given === null ? '@' : text_word(bytes_of(given as string, param.name))
    case 'strings':
      if (given === null) return '@'
      return ['(', ...(given as string[]).map((each) => text_word(utf8_bytes(each))), ')'].join(' ')
  }
}

/** The request that makes a call. @throws HostRefused where it would reach the host */
export function encode_call(form: PlayCall, known: ResultNumbers): string {
  check_call(form, form.call)
  if (form.call === 'fork') return `call ${form.task} fork ${form.child ?? 0}`
  const syscall = syscall_named(form.call)
  if (syscall === undefined) throw new Error(`there is no system call ${form.call}`)
  const args = at_places(syscall, form.args ?? [])
  const count = place_of_count(syscall)
  const words = syscall.params.map((param, i) =>
    i === count && args[i] === undefined ? '#' : argument_word(param, args[i], known),
  )
  return ['call', form.task, form.call, ...words].join(' ')
}

/** A whole play; its answers are followed by a line with a dot. */
export function encode_play(play: Play): string {
  const known = new Map<string, number>()
  const shown = new Shown(play.setup)
  const lines = encode_setup(play.setup)
  for (const [i, task] of play.tasks.entries())
    lines.push(encode_task(i + 1, task), ...shown.request(i + 1, i + 1))
  for (const [i, call] of play.calls.entries()) {
    lines.push(encode_call(shown.call(call, call.task), known))
    if (call.child !== undefined) lines.push(...shown.request(call.child, call.child))
    if (call.as !== undefined) known.set(call.as, i)
  }
  lines.push('end', '')
  return lines.join('\n')
}

/** As the model says it of what proc computes (`vfs/filesystems/proc.ts`: stat_ino). */
const without_passing_number = (fields: Readonly<Record<string, number>>) =>
  fields.st_blksize === PROC_BLKSIZE ? { ...fields, st_ino: 0 } : fields

/** What one line of the agent says. */
export function decode_answer(line: string): Answer {
  switch (line[0]) {
    case 'X':
      return { exec: true }
    case 'D':
      return { dead: true }
    case 'B':
      return { blocked: true }
    case 'S':
      return { stopped: true }
    case 'E':
      throw new SetupRefused(line.slice(2))
    case 'R':
      throw new HostRefused('', `refused: ${line.slice(2)}`)
    case '-':
      return { errno: errno_name(Number(line.slice(1))) }
    case '!':
      return { signal: errno_name(raise(Number(line.slice(1)))) }
  }
  const [ret, ...rest] = line.split(' ')
  if (rest.length === 0) return { ret: Number(ret) }
  if (rest[0]![0] === '"') return { ret: Number(ret), data: word_text(rest[0]!) }
  const fields = rest.map((word) => word.split('=')).map(([name, value]) => [name, Number(value)])
  return { ret: Number(ret), fields: without_passing_number(Object.fromEntries(fields)) }
}

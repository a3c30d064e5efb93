/**
 * A run as one C file without dependencies: it sets everything up in a mount namespace of its own, plays the calls
 * in the order of the schedule, one process per task, and prints what was predicted beside what it observes.
 */
import { at_places, hex_address, kind_of_result, utf8_bytes } from '../../kernel/decode.js'
import {
  type ArgumentKind,
  holds,
  type Parameter,
  place_of,
  place_of_count,
  type Syscall,
  syscall_named,
} from '../../kernel/syscall.js'
import { mount_option } from '../../model.js'
import type {
  ArgumentForm,
  MountForm,
  NodeForm,
  OwnerForm,
  ResultRef,
  SetupForm,
} from '../../scenario/form.js'
import { capabilities_of, securebits_of } from '../../scenario/setup.js'
import { bytes_of } from '../../scenario/tree.js'
import { printable } from '../../trace/render/printable.js'
import { type Answer, OracleError, type PlayCall, type PlayTask } from '../agent/play.js'
import { check_call, check_setup, HostRefused } from '../agent/stage.js'
import type { KernelRun } from '../confirm/stops.js'
import { c_footer, c_header } from './c_template.js'

const no_repro = (why: string) => new OracleError('kernel', `this cannot be written as a C program: ${why}`)

/** A byte string as a C string literal. */
export function c_string(bytes: string): string {
  let text = ''
  for (const char of bytes) {
    const code = char.charCodeAt(0)
    if (char === '\n') text += '\\n'
    else if (char === '"' || char === '\\') text += `\\${char}`
    // Trigraphs are warned about.
    else if (char === '?') text += '\\?'
    else if (code >= 0x20 && code < 0x7f) text += char
    else text += `\\${code.toString(8).padStart(3, '0')}`
  }
  return `"${text}"`
}

/** A text within a comment, which it must not end; compilers warn of comments in it, of trigraphs, and of hidden characters. */
const in_comment = (text: string): string =>
  printable(text)
    .replace(/\*(?=\/)/g, '* ')
    .replace(/\/(?=\*)/g, '/ ')
    .replace(/\?(?=\?)/g, '? ')

const name_of_c = (name: string): string => {
  const word = name.replace(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(word) ? word : `t_${word}`
}

// --- set-up --------------------------------------------------------------------------------------------------------

const mount_flags: Readonly<Record<string, string>> = {
  ro: 'MS_RDONLY',
  nosuid: 'MS_NOSUID',
  nodev: 'MS_NODEV',
  noexec: 'MS_NOEXEC',
  nosymfollow: '256 /* MS_NOSYMFOLLOW */',
}

function mode_of({ mode }: OwnerForm, missing: number): string {
  const bits = mode === undefined ? missing : typeof mode === 'string' ? Number.parseInt(mode, 8) : mode
  return `0${bits.toString(8)}`
}

function node_lines(fs: string, path: string, node: NodeForm): string[] {
  const at = c_string(utf8_bytes(`${STAGE}/f/${fs}${path}`))
  if (typeof node === 'string') return node_lines(fs, path, { file: node })
  if ('file' in node) {
    if (node.immutable || node.append) throw no_repro(`${path} is immutable or append-only`)
    const bytes = bytes_of(node.file, path)
    const { uid = 0, gid = 0 } = node
    return [`make_file(${at}, ${mode_of(node, 0o644)}, ${uid}, ${gid}, ${c_string(bytes)}, ${bytes.length});`]
  }
  if ('dir' in node) {
    const { uid = 0, gid = 0, opaque } = node
    return [
      `make_dir(${at}, ${mode_of(node, 0o755)}, ${uid}, ${gid});`,
      ...(opaque ? [`must(setxattr(${at}, "trusted.overlay.opaque", "y", 1, 0), ${at});`] : []),
      ...Object.entries(node.dir).flatMap(([name, each]) => node_lines(fs, `${path}/${name}`, each)),
    ]
  }
  if ('symlink' in node) {
    const { uid = 0, gid = 0, symlink } = node
    return [
      `make_parents(${at});`,
      `must(symlink(${c_string(utf8_bytes(symlink))}, ${at}), ${at});`,
      ...(uid === 0 && gid === 0 ? [] : [`must(lchown(${at}, ${uid}, ${gid}), ${at});`]),
    ]
  }
  if ('link' in node) {
    const old = c_string(utf8_bytes(`${STAGE}/f/${fs}/${node.link.replace(/^\/+/, '')}`))
    return [`make_parents(${at});`, `must(link(${old}, ${at}), ${at});`]
  }
  if ('device' in node) {
    const type = { char: 'S_IFCHR', block: 'S_IFBLK', fifo: 'S_IFIFO' }[node.device]
    return [`make_node(${at}, ${type} | ${mode_of(node, 0o644)}, ${node.rdev ?? 0});`]
  }
  return [`make_node(${at}, S_IFCHR, makedev(0, 0)); /* a whiteout */`, `must(lchown(${at}, 0, 0), ${at});`]
}

/** Where everything is built: the root is a tmpfs that only this program sees, and nothing else. */
const STAGE = ''

/** A directory of a file system, or one that mounts show. */
function layer_path(text: string): string {
  if (text.startsWith('/')) return `${STAGE}/r${text === '/' ? '' : text}`
  const [fs, path = ''] = text.split(':')
  return `${STAGE}/f/${fs}${path === '/' ? '' : path}`
}

function mount_lines(each: MountForm): string[] {
  const at = c_string(utf8_bytes(`${STAGE}/r${each.at === '/' ? '' : each.at}`))
  const flags = (each.options ?? []).map((option) => mount_flags[option]!).join(' | ')
  if ('overlay' in each) {
    const { upper, work, lower, options = {} } = each.overlay
    // What separates options and layers is escaped in their names (fs/overlayfs/params.c: ovl_next_opt, ovl_unescape).
    const option = (layer: string) => layer_path(layer).replace(/[\\:,]/g, '\\$&')
    const words = [
      `lowerdir=${lower.map(option).join(':')}`,
      ...(upper === undefined ? [] : [`upperdir=${option(upper)}`]),
      ...(work === undefined ? [] : [`workdir=${option(work)}`]),
      ...Object.entries(options).map(([name, value]) => mount_option(name, value)),
    ]
    return [
      `make_dir(${at}, 0755, 0, 0);`,
      `must(mount("overlay", ${at}, "overlay", ${flags || '0'},\n\t           ${c_string(utf8_bytes(words.join(',')))}), "overlay");`,
    ]
  }
  const from =
    'filesystem' in each
      ? layer_path(`${each.filesystem}:${each.root ?? ''}`)
      : `${STAGE}/r${each.bind === '/' ? '' : each.bind}`
  return [
    `make_dir(${at}, 0755, 0, 0);`,
    `must(mount(${c_string(utf8_bytes(from))}, ${at}, NULL, MS_BIND, NULL), ${at});`,
    ...(flags === ''
      ? []
      : [`must(mount(NULL, ${at}, NULL, MS_REMOUNT | MS_BIND | ${flags}, NULL), ${at});`]),
  ]
}

function setup_function(setup: SetupForm): string[] {
  check_setup(setup)
  const body: string[] = [`make_dir("${STAGE}/f", 0755, 0, 0);`, `make_dir("${STAGE}/r", 0755, 0, 0);`]
  const systems = Object.entries(setup.filesystems ?? {})
  for (const [name, fs] of systems) {
    if (fs.type === 'proc')
      throw new HostRefused(
        `setup.filesystems.${name}`,
        'proc is not written as C: it would show more than the tasks; `toctoscope confirm` plays it',
      )
    const at = c_string(`${STAGE}/f/${name}`)
    body.push(
      '',
      `make_dir(${at}, 0755, 0, 0);`,
      `must(mount("tmpfs", ${at}, "tmpfs", 0, "mode=0755"), ${at});`,
      ...Object.entries(fs.tree ?? {}).flatMap(([path, node]) => node_lines(name, `/${path}`, node)),
    )
  }
  body.push('', ...(setup.mounts ?? []).flatMap(mount_lines))
  for (const [name, fs] of systems)
    if (fs.read_only || fs.type === 'erofs')
      body.push(`must(mount(NULL, "${STAGE}/f/${name}", NULL, MS_REMOUNT | MS_RDONLY, NULL), "read-only");`)
  return ['static void set_up(void)', '{', ...body.map((line) => (line === '' ? '' : `\t${line}`)), '}']
}

// --- calls -----------------------------------------------------------------------------------------------------------

const is_ref = (arg: unknown): arg is ResultRef => typeof arg === 'object' && arg !== null && '$' in arg

class Writer {
  private readonly variables = new Map<string, string>()
  private readonly taken = new Set<string>(['st', 'buf'])

  constructor(private readonly run: KernelRun) {}

  /** Name of the variable that holds what a call returned. */
  private variable(form: PlayCall): string {
    const wanted = name_of_c(this.run.results.get(form.as!) ?? form.as!)
    let name = /^(int|long|char|if|for|do|read|write|open|check_|errno)$/.test(wanted) ? `${wanted}_` : wanted
    if (syscall_named(name) !== undefined) name = `${name}_result`
    while (this.taken.has(name)) name += '_'
    this.taken.add(name)
    this.variables.set(form.as!, name)
    return name
  }

  private argument(param: Parameter, arg: ArgumentForm | undefined): string {
    if (is_ref(arg)) {
      const [name, field] = arg.$.split('.')
      const variable = this.variables.get(name!) ?? '-1'
      if (field !== undefined) return `${variable}_stat.${field}`
      if (param.kind === 'address') return `(void *)${variable}`
      return ['fd', 'newfd', 'dirfd'].includes(param.kind) ? `(int)${variable}` : variable
    }
    if (arg === null) return 'NULL'
    switch (holds(param)) {
      case 'number':
        return this.number(param, arg ?? (param.missing as ArgumentForm | undefined) ?? 0)
      case 'string':
        return c_string(utf8_bytes(String(arg)))
      case 'bytes':
        return c_string(bytes_of(arg as string, param.name))
      case 'strings':
        return `(char *[]){ ${[...(arg as string[]).map((each) => c_string(utf8_bytes(each))), 'NULL'].join(', ')} }`
    }
  }

  private number({ kind }: Parameter, arg: ArgumentForm): string {
    if (typeof arg === 'string') return arg.split('|').join(' | ')
    if (kind === 'address') return Number(arg) === 0 ? 'NULL' : `(void *)${hex_address(Number(arg))}`
    return kind === 'mode' ? `0${Number(arg).toString(8)}` : String(Math.trunc(Number(arg)))
  }

  /** The statements that make a call and compare. */
  call(at: number, n: number, text: string): string[] {
    const form = this.run.play.calls[at]!
    const predicted = this.run.predicted[at]!
    const syscall = syscall_named(form.call)!
    must_stay(form, syscall)
    const args = this.arguments_of(form, syscall)
    const name = this.variable(form)
    const { struct } = syscall
    const structures = struct === undefined ? [] : [`struct ${struct.name} ${name}_stat = { 0 };`]
    return [
      `my_turn();`,
      ...structures,
      `long ${name} = ${expression(syscall, args, name)};`,
      expectation(n, text, name, predicted, syscall),
      ...after(name, predicted, syscall),
      `done();`,
    ]
  }

  /** What stands in C for each argument that is given, by its name. */
  private arguments_of(form: PlayCall, syscall: Syscall): ReadonlyMap<string, string> {
    const given = at_places(syscall, form.args ?? [])
    const count = place_of_count(syscall)
    return new Map(
      syscall.params.map((param, i) => {
        const all = i === count && given[i] === undefined
        return [param.name, all ? number_of_bytes(given[i - 1]) : this.argument(param, given[i])]
      }),
    )
  }
}

/** Of bytes that are written: what is written has been read before, where it is the result of a call. */
function number_of_bytes(given: ArgumentForm | undefined): string {
  if (is_ref(given)) throw no_repro(`how many bytes of ${given.$} there are is known only as it runs`)
  return String(given === null ? 0 : bytes_of(given as string, 'bytes').length)
}

/** The call in C: a function of the library, or by its number. */
function expression(syscall: Syscall, args: ReadonlyMap<string, string>, name: string): string {
  const { prototype, returns, library } = syscall
  const sizes = prototype.flatMap((each) => (each.kind === 'filled' ? [each.size] : []))
  const words = new Map<string, string>(
    prototype.map((each) => {
      if (each.kind === 'filled') return [each.name, each.struct === undefined ? 'buf' : `&${name}_stat`]
      const arg = args.get(each.name)!
      return [each.name, sizes.includes(each.name) ? limited(arg) : arg]
    }),
  )
  if (syscall.as === null) {
    // Ours: it fills the buffer, as read does.
    if (syscall.name === 'peek') return `peek(${args.get('addr')}, ${limited(args.get('length')!)})`
    throw no_repro(`${syscall.name} is not among the calls that it knows`)
  }
  if (library !== false) {
    const made = `${syscall.name}(${[...words.values()].join(', ')})`
    return returns === 'address' ? `(long)${made}` : made
  }
  const [number, ...rest] = syscall.as ?? [syscall.name, ...words.keys()]
  return `syscall(SYS_${[number, ...rest.map((word) => words.get(word) ?? word)].join(', ')})`
}

/** Nothing of the host: no device that is known only as it runs, no program of the scenario's. */
function must_stay(form: PlayCall, syscall: Syscall): void {
  const { call, args = [] } = form
  check_call(form, call)
  if (
    place_of(syscall, 'device') >= 0 &&
    syscall.params.some(({ kind }, i) => by_type(kind) && is_ref(args[i]))
  )
    throw no_repro(`what ${call} makes is known only as it runs`)
  if (kind_of_result(syscall, args) === 'exec')
    throw no_repro(
      `${call} may run a program of the scenario's; "toctoscope confirm" plays that behind a filter of calls`,
    )
}

const by_type = (kind: ArgumentKind): boolean => kind === 'device' || kind === 'mode'

/** Never more than the buffer holds. */
const limited = (count: string): string =>
  /^\d+$/.test(count) && Number(count) <= 4096 ? count : `at_most(${count})`

function expectation(n: number, text: string, name: string, predicted: Answer, syscall: Syscall): string {
  const said = c_string(utf8_bytes(text.length > 60 ? `${text.slice(0, 59)}…` : text))
  if (predicted.errno !== undefined)
    return `expect_error(${n}, ${said}, ${name}, ${predicted.errno}, "${predicted.errno}");`
  if (predicted.exec || predicted.dead) return `expect_end(${n}, ${said}, ${name});`
  if (predicted.signal !== undefined)
    return `expect_signal(${n}, ${said}, ${name}, ${predicted.signal}, "${predicted.signal}");`
  if (syscall.returns === 'address') return `expect_address(${n}, ${said}, ${name});`
  return `expect(${n}, ${said}, ${name}, ${predicted.ret});`
}

function after(name: string, { ret, data, fields }: Answer, { returns }: Syscall): string[] {
  const lines: string[] = []
  if (data !== undefined && returns === 'bytes' && (ret ?? 0) > 0)
    lines.push(`expect_bytes(buf, ${name}, ${c_string(data)}, ${data.length});`)
  for (const field of ['st_size', 'st_mode', 'st_uid', 'st_gid'])
    if (fields?.[field] !== undefined)
      lines.push(`expect_field("${field}", ${name}_stat.${field}, ${fields[field]});`)
  return lines
}

// --- the file ----------------------------------------------------------------------------------------------------------

function task_function(run: KernelRun, number: number): string[] {
  const task = run.play.tasks[number - 1]!
  const name = run.names.get(number)!
  const writer = new Writer(run)
  const body = run.steps.flatMap((step, i) =>
    step.task === number ? ['', ...writer.call(step.call, i + 1, step.text)] : [],
  )
  const { uid = 0, gid = 0, umask = 0o022, cwd = '/' } = task
  return [
    `/* ${in_comment(name)}: uid ${uid} */`,
    `static void task_${name_of_c(name)}(void)`,
    '{',
    `\tbecome(${c_string(name)}, ${uid}, ${gid}, 0${umask.toString(8)}, ${c_string(utf8_bytes(cwd))});`,
    ...privileges(task),
    ...body.map((line) => (line === '' ? '' : `\t${line}`)),
    '}',
    '',
  ]
}

function privileges(task: PlayTask): string[] {
  if (securebits_of(task.securebits ?? 0, 'securebits') !== 0) throw no_repro('a task has securebits')
  if (
    task.capabilities !== undefined &&
    capabilities_of(task, '') !== capabilities_of({ ...task, capabilities: undefined }, '')
  )
    throw no_repro('a task has capabilities of its own')
  if (task.rlimit_nofile !== undefined) throw no_repro('a task has a limit of descriptors of its own')
  if ((task.groups ?? []).length > 0) throw no_repro('a task has supplementary groups')
  return []
}

/**
 * The C program that plays a run.
 *
 * @param head  lines of the comment at its top
 * @throws OracleError where C cannot say it: fork, structures, stops inside calls
 */
export function to_c(run: KernelRun, head: readonly string[]): string {
  if (run.steps.some(({ kind }) => kind !== 'call')) throw no_repro('it stops a task inside a call')
  if (run.names.size > run.play.tasks.length) throw no_repro('a task forks')
  const comment = head.map((line) => ` * ${in_comment(line)}`.trimEnd())
  const numbers = run.play.tasks.map((_, i) => i + 1)
  const order = run.steps.map(({ task, call }) => {
    const { exec, dead } = run.predicted[call]!
    return `{ ${task - 1}, ${exec || dead ? 1 : 0} }`
  })
  return [
    '/*',
    ...comment,
    ' */',
    c_header,
    '/* ---- what is set up ---- */',
    '',
    ...setup_function(run.play.setup),
    '',
    '/* ---- what the tasks do ---- */',
    '',
    ...numbers.flatMap((number) => task_function(run, number)),
    `static void (*const tasks[])(void) = { ${numbers.map((n) => `task_${name_of_c(run.names.get(n)!)}`).join(', ')} };`,
    '',
    '/* The schedule: which task makes its next call, and whether the call is to be its last. */',
    `static const struct { int task, ends; } order[] = {\n\t${order.join(', ')}\n};`,
    '',
    c_footer,
  ].join('\n')
}

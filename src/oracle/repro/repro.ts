/**
 * A run as one C file without dependencies: it sets everything up in a mount namespace of its own, plays the calls
 * in the order of the schedule, one process per task, and prints what was predicted beside what it observes.
 */
import { AT_EXECVE_CHECK } from '../../exec/open_execat.js'
import { hex_address, type Parameter, syscall_named, utf8_bytes } from '../../kernel/syscall.js'
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
import { check_call, check_setup } from '../agent/stage.js'
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
    const { upper, work, lower } = each.overlay
    // What separates options and layers is escaped in their names (fs/overlayfs/params.c: ovl_next_opt, ovl_unescape).
    const option = (layer: string) => layer_path(layer).replace(/[\\:,]/g, '\\$&')
    const words = [
      `lowerdir=${lower.map(option).join(':')}`,
      ...(upper === undefined ? [] : [`upperdir=${option(upper)}`]),
      ...(work === undefined ? [] : [`workdir=${option(work)}`]),
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

/** Functions of the C library that take the model's arguments as they are. */
const plain =
  'open openat creat close dup dup2 dup3 fcntl lseek truncate ftruncate fallocate access faccessat chmod fchmod fchmodat chown lchown fchown fchownat mkdir mkdirat mknod mknodat symlink symlinkat link linkat unlink unlinkat rmdir rename renameat renameat2 chdir fchdir chroot umask munmap mprotect msync memfd_create getuid setresuid setresgid umount2'
const plain_calls = new Set(plain.split(' '))
const stat_calls = new Set(['stat', 'lstat', 'fstat', 'fstatat'])
const reading_calls = new Set(['read', 'pread', 'readlink', 'readlinkat'])
/** Parameters that are pointers, and numbers in the model. */
const addresses = new Set(['addr', 'buf'])

const is_ref = (arg: unknown): arg is ResultRef => typeof arg === 'object' && arg !== null && '$' in arg

class Writer {
  private readonly variables = new Map<string, string>()
  private readonly taken = new Set<string>(['st', 'buf'])

  constructor(private readonly run: KernelRun) {}

  /** Name of the variable that holds what a call returned. */
  private variable(form: PlayCall): string {
    const wanted = name_of_c(this.run.results.get(form.as!) ?? form.as!)
    let name = /^(int|long|char|if|for|do|read|write|open|check_|errno)$/.test(wanted) ? `${wanted}_` : wanted
    if (plain_calls.has(name) || reading_calls.has(name) || stat_calls.has(name)) name = `${name}_result`
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
      return addresses.has(param.name)
        ? `(void *)${variable}`
        : param.name.endsWith('fd')
          ? `(int)${variable}`
          : variable
    }
    if (arg === null) return 'NULL'
    switch (param.kind) {
      case 'int':
        return this.number(param, arg ?? 0)
      case 'string':
        return c_string(utf8_bytes(String(arg)))
      case 'bytes':
        return c_string(bytes_of(arg as string, param.name))
      case 'strings':
        return `(char *[]){ ${[...(arg as string[]).map((each) => c_string(utf8_bytes(each))), 'NULL'].join(', ')} }`
      default:
        throw no_repro(`${param.name} is a structure`)
    }
  }

  private number(param: Parameter, arg: ArgumentForm): string {
    if (typeof arg === 'string') return arg.split('|').join(' | ')
    if (addresses.has(param.name)) return Number(arg) === 0 ? 'NULL' : `(void *)${hex_address(Number(arg))}`
    return /mode|umask/.test(param.name) ? `0${Number(arg).toString(8)}` : String(Math.trunc(Number(arg)))
  }

  /** The statements that make a call and compare. */
  call(at: number, n: number, text: string): string[] {
    const form = this.run.play.calls[at]!
    const predicted = this.run.predicted[at]!
    const syscall = syscall_named(form.call)!
    const { params } = syscall
    const args = params.map((param, i) => this.argument(param, form.args?.[i]))
    const name = this.variable(form)
    const made = this.expression(form, args, name)
    return [
      `my_turn();`,
      ...made.before,
      `long ${name} = ${made.expression};`,
      expectation(n, text, name, predicted, form),
      ...after(name, predicted, made.bytes),
      `done();`,
    ]
  }

  private expression(
    form: PlayCall,
    args: readonly string[],
    name: string,
  ): { before: string[]; expression: string; bytes?: string } {
    const { call } = form
    must_stay(form)
    const data = form.args?.find((arg, i) => i > 0 && (typeof arg === 'string' || typeof arg === 'object'))
    if (plain_calls.has(call)) return { before: [], expression: `${call}(${args.join(', ')})` }
    if (stat_calls.has(call)) {
      const [first, ...rest] = call === 'fstatat' ? [args.slice(0, 2).join(', '), args[2] ?? '0'] : [args[0]!]
      const list = [first, `&${name}_stat`, ...rest]
      return { before: [`struct stat ${name}_stat = { 0 };`], expression: `${call}(${list.join(', ')})` }
    }
    if (reading_calls.has(call)) {
      const at = call === 'readlinkat' ? 2 : 1
      const list = [...args.slice(0, at), 'buf', limited(args[at] ?? '4096'), ...args.slice(at + 1)]
      return { before: [], expression: `${call}(${list.join(', ')})`, bytes: 'buf' }
    }
    if (call === 'write' || call === 'pwrite') {
      const length =
        typeof data === 'string' || (data !== null && typeof data === 'object')
          ? bytes_of(data as string, 'buf').length
          : 0
      const count = form.args?.length === (call === 'write' ? 3 : 4) ? args[2]! : String(length)
      const list = [args[0]!, args[1]!, count, ...(call === 'pwrite' ? [args[args.length - 1]!] : [])]
      return { before: [], expression: `${call}(${list.join(', ')})` }
    }
    if (call === 'mmap') return { before: [], expression: `(long)mmap(${args.join(', ')})` }
    if (call === 'peek')
      return { before: [], expression: `peek(${args[0]}, ${limited(args[1] ?? '0')})`, bytes: 'buf' }
    if (
      call === 'execveat' ||
      call === 'execve' ||
      call === 'prctl' ||
      call === 'exit' ||
      call === 'exit_group'
    )
      return {
        before: [],
        expression: `syscall(SYS_${call === 'exit' ? 'exit_group' : call}, ${args.join(', ')})`,
      }
    throw no_repro(`${call} is not among the calls that it knows`)
  }
}

/** Nothing of the host: no device that is known only as it runs, no program of the scenario's. */
function must_stay(form: PlayCall): void {
  const { call, args = [] } = form
  check_call(form, call)
  if (call.startsWith('mknod') && args.slice(call === 'mknod' ? 1 : 2).some(is_ref))
    throw no_repro(`what ${call} makes is known only as it runs`)
  if (call === 'execve' || (call === 'execveat' && !is_check(args[4])))
    throw no_repro(
      `${call} may run a program of the scenario's; "toctoscope confirm" plays that behind a filter of calls`,
    )
}

function is_check(flags: ArgumentForm | undefined): boolean {
  if (typeof flags === 'number') return (flags & AT_EXECVE_CHECK) !== 0
  return typeof flags === 'string' && flags.split('|').includes('AT_EXECVE_CHECK')
}

/** Never more than the buffer holds. */
const limited = (count: string): string =>
  /^\d+$/.test(count) && Number(count) <= 4096 ? count : `at_most(${count})`

function expectation(n: number, text: string, name: string, predicted: Answer, form: PlayCall): string {
  const said = c_string(utf8_bytes(text.length > 60 ? `${text.slice(0, 59)}…` : text))
  if (predicted.errno !== undefined)
    return `expect_error(${n}, ${said}, ${name}, ${predicted.errno}, "${predicted.errno}");`
  if (predicted.exec || predicted.dead) return `expect_end(${n}, ${said}, ${name});`
  if (predicted.signal !== undefined)
    return `expect_signal(${n}, ${said}, ${name}, ${predicted.signal}, "${predicted.signal}");`
  if (form.call === 'mmap') return `expect_address(${n}, ${said}, ${name});`
  return `expect(${n}, ${said}, ${name}, ${predicted.ret});`
}

function after(name: string, { ret, data, fields }: Answer, bytes: string | undefined): string[] {
  const lines: string[] = []
  if (data !== undefined && bytes !== undefined && (ret ?? 0) > 0)
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

/**
 * Random plays, with weight on what matters: write counts, copy-up and what sees it, mappings that outlive
 * their descriptors, the order of refusals, names that move, layers that are written behind an overlay's
 * back, and checks of every kind of object.
 *
 * What neither side promises is left out: directory changes in a layer of a mounted overlay, bytes behind the
 * end of a file in its last page, calls that sleep.
 */
import * as fc from 'fast-check'
import type { BytesForm, MountForm, NodeForm, TreeForm } from '../scenario/form.js'
import { ModelPlay } from './model_runner.js'
import type { Answer, Play, PlayCall, PlayTask } from './play.js'
import { sleeping_program } from './program.js'
import { Random } from './random.js'

// --- files -----------------------------------------------------------------------------------------------------

const file_modes = [
  0o644, 0o755, 0o755, 0o755, 0o777, 0o666, 0o600, 0o700, 0o444, 0o555, 0o111, 0o4755, 0o2755, 0,
]
const dir_modes = [0o755, 0o755, 0o755, 0o777, 0o777, 0o700, 0o555, 0o1777, 0o1777, 0o1777, 0o711, 0o2777]
const contents: readonly BytesForm[] = [
  '',
  'a',
  'hello\n',
  '#!/t/f\n',
  '#!/m/g arg\n',
  'x'.repeat(4096),
  'y'.repeat(5000),
  { base64: sleeping_program(globalThis.process?.arch ?? 'x64') },
]
const owners = [0, 0, 1000]
/** Names below each directory; what they are is left to chance. */
const names = ['f', 'g', 'h', 'd', 's'] as const
const targets = ['f', 'g', '/t/f', '/m/f', 'd', 's', 'missing', '../t/g', 'd/f', '.']

function random_file(r: Random): NodeForm {
  const flags = r.chance(0.04) ? { immutable: true } : r.chance(0.04) ? { append: true } : {}
  return {
    file: r.pick(contents),
    mode: r.pick(file_modes),
    uid: r.pick(owners),
    gid: r.pick(owners),
    ...flags,
  }
}

function random_tree(r: Random, depth: number, layer: 'plain' | 'lower' | 'upper'): TreeForm {
  const tree: Record<string, NodeForm> = {}
  for (const name of ['f', 'g', 'h']) {
    if (r.chance(layer === 'upper' ? 0.25 : 0.7)) tree[name] = random_file(r)
  }
  if (tree.f !== undefined && layer !== 'upper' && r.chance(0.15)) tree.h = { link: 'f' }
  if (r.chance(0.5)) tree.s = { symlink: r.pick(targets) }
  if (depth > 0 && r.chance(layer === 'upper' ? 0.3 : 0.7)) {
    const dir = random_tree(r, depth - 1, layer)
    tree.d = { dir: without_links(dir), mode: r.pick(dir_modes), uid: r.pick(owners), gid: r.pick(owners) }
    if (layer === 'upper' && r.chance(0.2)) tree.d = { ...tree.d, opaque: true }
  }
  if (layer === 'upper' && r.chance(0.2)) tree[r.pick(names)] = { whiteout: true }
  if (layer === 'plain' && r.chance(0.1)) tree.p = { device: 'fifo', mode: 0o755 }
  if (layer === 'plain' && r.chance(0.1)) tree.c = { device: 'char', rdev: 0x103, mode: 0o777 }
  return tree
}

/** Links of a directory within a tree would need their path from the root. */
function without_links(tree: TreeForm): TreeForm {
  return Object.fromEntries(
    Object.entries(tree).filter(([, node]) => typeof node === 'string' || !('link' in node)),
  )
}

// --- worlds ----------------------------------------------------------------------------------------------------

interface World {
  readonly setup: Play['setup']
  /** Places of which everything may be asked. */
  readonly free: readonly string[]
  /** Places of layers: their files may be opened, written and checked, their names stay. */
  readonly layers: readonly string[]
}

const bind_options = [['ro'], ['noexec'], ['ro'], ['nosuid'], ['nodev'], ['nosymfollow']] as const

function random_bind(r: Random, from: string): MountForm {
  return { at: '/b', bind: from, options: r.pick(bind_options) }
}

/** A plain tmpfs on /t; perhaps the same again on /b with options. */
function plain_world(r: Random): World {
  const mounts: MountForm[] = [
    { at: '/', filesystem: 'root' },
    { at: '/t', filesystem: 'plain', ...(r.chance(0.1) ? { options: r.pick(bind_options) } : {}) },
  ]
  const bound = r.chance(0.4)
  if (bound) mounts.push(random_bind(r, '/t'))
  const read_only = r.chance(0.08)
  return {
    setup: {
      filesystems: {
        root: { type: 'tmpfs' },
        plain: { type: 'tmpfs', tree: random_tree(r, 1, 'plain'), ...(read_only ? { read_only } : {}) },
      },
      mounts,
    },
    free: bound ? ['/t', '/t', '/b'] : ['/t'],
    layers: [],
  }
}

/** An overlay on /m, its layers on /l and /u; sometimes without an upper, read-only or noexec. */
function overlay_world(r: Random): World {
  const upper = r.chance(0.85)
  const second_lower = !upper || r.chance(0.2)
  const options = r.chance(0.15) ? { options: r.pick([['ro'], ['noexec'], ['nosymfollow']] as const) } : {}
  const lower = second_lower ? ['low', 'deep'] : ['low']
  const mounts: MountForm[] = [
    { at: '/', filesystem: 'root' },
    { at: '/l', filesystem: 'low' },
    { at: '/t', filesystem: 'plain' },
    { at: '/m', overlay: upper ? { lower, upper: 'up:/u', work: 'up:/w' } : { lower }, ...options },
  ]
  if (upper) mounts.push({ at: '/u', filesystem: 'up', root: '/u' })
  const bound = r.chance(0.25)
  if (bound) mounts.push(random_bind(r, '/m'))
  return {
    setup: {
      filesystems: {
        root: { type: 'tmpfs' },
        low: { type: 'tmpfs', tree: random_tree(r, 1, 'lower') },
        ...(second_lower ? { deep: { type: 'tmpfs' as const, tree: random_tree(r, 1, 'lower') } } : {}),
        plain: { type: 'tmpfs', tree: random_tree(r, 0, 'plain') },
        ...(upper
          ? {
              up: {
                type: 'tmpfs' as const,
                tree: { u: { dir: random_tree(r, 1, 'upper') }, w: { dir: {} } },
              },
            }
          : {}),
      },
      mounts,
    },
    free: ['/m', '/m', '/m', '/m', '/t', ...(bound ? ['/b'] : [])],
    layers: upper ? ['/l', '/u'] : ['/l'],
  }
}

/** Paths of files of the set-up, where they are first seen. */
function known_paths({ setup }: World): string[] {
  const trees = (name: string): TreeForm => setup.filesystems?.[name]?.tree ?? {}
  return (setup.mounts ?? []).flatMap((mount): string[] => {
    if ('bind' in mount) return []
    if ('overlay' in mount) {
      const { u } = trees('up')
      const upper = typeof u === 'object' && 'dir' in u ? paths_of(u.dir, mount.at) : []
      return [...upper, ...mount.overlay.lower.flatMap((name) => paths_of(trees(name), mount.at))]
    }
    return mount.filesystem === 'up' ? [] : paths_of(trees(mount.filesystem), mount.at)
  })
}

function paths_of(tree: TreeForm, at: string): string[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    const path = `${at}/${name}`
    if (typeof node === 'object' && 'device' in node && node.device === 'fifo') return []
    return typeof node === 'object' && 'dir' in node ? [path, ...paths_of(node.dir, path)] : [path]
  })
}

/** The same world for one user: as a user namespace has it, with no device that could be opened. */
function of_one_user({ setup, ...places }: World): World {
  const filesystems = Object.entries(setup.filesystems ?? {}).map(([name, fs]) => {
    return [name, { ...fs, tree: tree_of_one_user(fs.tree ?? {}) }] as const
  })
  const mounts = (setup.mounts ?? []).map((mount) => {
    const options = [...new Set([...(mount.options ?? []), 'nodev' as const])]
    return { ...mount, options }
  })
  return { setup: { filesystems: Object.fromEntries(filesystems), mounts }, ...places }
}

function tree_of_one_user(tree: TreeForm): TreeForm {
  const nodes = Object.entries(tree).flatMap(([name, node]): [string, NodeForm][] => {
    if (typeof node === 'string') return [[name, node]]
    if ('device' in node && node.device !== 'fifo') return []
    const { uid: _, gid: _gid, immutable: _i, append: _a, ...rest } = node as unknown as Record<string, never>
    const left = rest as unknown as Exclude<NodeForm, string>
    if ('mode' in left) Object.assign(left, { mode: Number(left.mode) & ~SET_ID_BITS })
    if ('dir' in left) return [[name, { ...left, dir: tree_of_one_user(left.dir) }]]
    return [[name, left]]
  })
  return Object.fromEntries(nodes)
}

/** A file loses them when it is written, unless its writer is root of the machine. */
const SET_ID_BITS = 0o6000

/** The same call where there is no uid 1000, and devices cannot be made. */
function call_of_one_user(call: PlayCall): PlayCall {
  const args = call.args ?? []
  if (call.call.includes('chown')) return { ...call, args: args.map((arg) => (arg === 1000 ? 0 : arg)) }
  if (call.call.includes('chmod'))
    return {
      ...call,
      args: args.map((arg) => (typeof arg === 'number' && arg > 0o1777 ? arg & ~SET_ID_BITS : arg)),
    }
  const no_device = (arg: (typeof args)[number]) =>
    typeof arg === 'string' ? arg.replace(/S_IF(CHR|BLK)/, 'S_IFREG') : arg
  return call.call === 'mknod' ? { ...call, args: args.map(no_device) } : call
}

// --- tasks -----------------------------------------------------------------------------------------------------

const capability_sets = [
  ['CAP_DAC_OVERRIDE'],
  ['CAP_DAC_READ_SEARCH'],
  ['CAP_FOWNER'],
  ['CAP_CHOWN'],
  ['CAP_FSETID'],
]

function random_task(r: Random, name: string, world: World, one_user: boolean): PlayTask {
  const id = one_user ? 0 : r.pick([0, 0, 0, 1000, 1000, 1001])
  return {
    name,
    ...(id === 0 ? {} : { uid: id, gid: id }),
    ...(id !== 0 && r.chance(0.15) ? { groups: [r.pick([0, 1000])] } : {}),
    ...(id !== 0 && r.chance(0.1) ? { capabilities: r.pick(capability_sets) } : {}),
    ...(r.chance(0.2) ? { umask: r.pick([0, 0o077]) } : {}),
    ...(r.chance(0.4) ? { cwd: world.free[0]! } : {}),
  }
}

// --- calls -----------------------------------------------------------------------------------------------------

/** What a task has by now, as the model says: calls that have nothing to work on are asked for less often. */
interface Holdings {
  readonly number: number
  readonly fds: number[]
  /** Those of them that are files of a layer. */
  readonly layer_fds: Set<number>
  /** Addresses of its pages. */
  readonly pages: number[]
}

/** Where mappings are placed: addresses that no program has by itself. */
const map_places = [0x20000000, 0x20010000]
const PAGE = 4096

class Calls {
  private readonly tasks: Holdings[]
  readonly made: PlayCall[] = []
  /** The highest number of a task. */
  private forked: number
  /** The task that makes the next call. */
  private task: Holdings
  /** Paths of files that the set-up has. */
  private readonly known: readonly string[]
  /** A name that is asked for more often than others, so that calls meet on one file. */
  private readonly focus: string

  constructor(
    private readonly r: Random,
    private readonly world: World,
    private readonly model: ModelPlay,
    tasks: number,
    private readonly options: GenerateOptions,
  ) {
    this.tasks = Array.from({ length: tasks }, (_, i) => ({
      number: i + 1,
      fds: [],
      layer_fds: new Set<number>(),
      pages: [],
    }))
    this.task = this.tasks[0]!
    this.forked = tasks
    this.known = known_paths(world)
    const [place] = world.free
    const files = this.known.filter((path) => path.startsWith(`${place}/`))
    this.focus = files.length === 0 ? 'n' : r.pick(files).slice(place!.length + 1)
  }

  /** Makes `count` calls, or a few more. */
  make(count: number): PlayCall[] {
    const choices = this.choices(this.options)
    while (this.made.length < count) {
      this.task = this.r.pick(this.tasks)
      this.r.weighted(choices)
    }
    return this.made
  }

  private add(call: string, ...args: NonNullable<PlayCall['args']>): Answer {
    return this.play({ task: this.task.number, call, args })
  }

  private play(form: PlayCall): Answer {
    const call = this.options.one_user ? call_of_one_user(form) : form
    this.made.push(call)
    return this.model.call(call)
  }

  // Paths and descriptors.

  /** A path below one of these places. */
  private below(places: readonly string[]): string {
    const { r } = this
    const place = r.pick(places)
    if (r.chance(0.35)) return `${place}/${this.focus}`
    const there = this.known.filter((path) => path.startsWith(`${place}/`))
    if (there.length > 0 && r.chance(0.5)) return r.pick(there)
    const name = r.weighted([
      [12, () => r.pick(['f', 'f', 'g', 'h'])],
      [6, () => r.pick(['d/f', 'd/g'])],
      [5, () => 's'],
      [4, () => 'd'],
      [6, () => r.pick(['n', 'n', 'd/n'])],
      [2, () => r.pick(['f/', 's/', 'd/', '.', '..', 'f/g', 'd/../f', 's/f', 'd/s', 'c'])],
    ])
    const relative = place === this.world.free[0] && r.chance(0.1)
    return relative ? name : `${place}/${name}`
  }

  /** Anything. */
  private path(): string {
    return this.below(this.world.free)
  }

  /** Anything whose content may be changed: layers too. */
  private content_path(): string {
    const { free, layers } = this.world
    return this.r.chance(0.25) && layers.length > 0 ? this.layer_path() : this.below(free)
  }

  private layer_path(): string {
    const { r } = this
    const name = r.chance(0.5) ? this.focus : r.pick(['f', 'f', 'g', 'h', 'd/f', 'd'])
    return `${r.pick(this.world.layers)}/${name}`
  }

  /** A descriptor that is open; where there is none, mostly one is opened first. */
  private fd(): number {
    const { r, task } = this
    if (r.chance(0.02)) return r.pick([3, 4, 99, -1])
    for (let tries = 0; task.fds.length === 0 && tries < 3 && r.chance(0.9); tries++) this.open()
    return task.fds.length === 0 ? 3 : r.pick(task.fds)
  }

  /** A descriptor of a file whose attributes may be changed: not in a layer, which an overlay knows by heart. */
  private free_fd(): number {
    const fd = this.fd()
    return this.task.layer_fds.has(fd) ? 99 : fd
  }

  private opened({ ret }: Answer, in_layer = false): void {
    if (ret === undefined) return
    if (!this.task.fds.includes(ret)) this.task.fds.push(ret)
    if (in_layer) this.task.layer_fds.add(ret)
    else this.task.layer_fds.delete(ret)
  }

  /** The address of a page that is mapped; where there is none, mostly one is mapped first. */
  private address(): number {
    const { pages } = this.task
    for (let tries = 0; pages.length === 0 && tries < 3 && this.r.chance(0.9); tries++) this.map()
    return pages.length > 0 && this.r.chance(0.97) ? this.r.pick(pages) : map_places[0]!
  }

  // Calls, by what they are good for.

  private open(): void {
    const { r } = this
    const mode = r.pick(['O_RDONLY', 'O_RDONLY', 'O_RDWR', 'O_WRONLY'])
    if (this.world.layers.length > 0 && r.chance(0.2)) {
      const more = r.chance(0.15) ? '|O_TRUNC' : ''
      this.opened(this.add('open', this.layer_path(), `${mode}${more}`), true)
      return
    }
    const more = r.pick([
      '',
      '',
      '',
      '',
      '',
      '|O_TRUNC',
      '|O_CREAT',
      '|O_CREAT|O_EXCL',
      '|O_APPEND',
      '|O_CREAT|O_TRUNC',
    ])
    const rare = r.chance(0.12)
      ? r.pick(['|O_NOFOLLOW', '|O_DIRECTORY', '|O_PATH', '|O_CLOEXEC', '|O_NONBLOCK'])
      : ''
    const flags = `${mode}${more}${rare}|O_NONBLOCK`
    const permissions = more.includes('CREAT') ? [r.pick([0o644, 0o755, 0o666, 0o444])] : []
    this.opened(this.add('open', this.path(), flags, ...permissions))
  }

  private openat(): void {
    const { r } = this
    const dir = r.chance(0.7) ? this.opened_directory() : this.fd()
    const name = r.pick(['f', 'g', 'd/f', '', '.', '..', 's', '/t/f'])
    this.opened(this.add('openat', dir, name, r.pick(['O_RDONLY', 'O_RDWR|O_CREAT', 'O_PATH']), 0o644), true)
  }

  private opened_directory(): number {
    const place = this.r.pick(this.world.free)
    const answer = this.add('open', this.r.chance(0.5) ? place : `${place}/d`, 'O_RDONLY|O_DIRECTORY')
    this.opened(answer)
    return answer.ret ?? -1
  }

  private check(): void {
    const { r } = this
    const flags = 'AT_EXECVE_CHECK'
    r.weighted([
      [5, () => this.add('execveat', 'AT_FDCWD', this.content_path(), [], [], flags)],
      [1, () => this.add('execveat', 'AT_FDCWD', '/t/p', [], [], flags)],
      [4, () => this.add('execveat', this.fd(), '', [], [], `${flags}|AT_EMPTY_PATH`)],
      [1, () => this.add('execveat', 'AT_FDCWD', this.path(), [], [], `${flags}|AT_SYMLINK_NOFOLLOW`)],
      [1, () => this.add('execveat', this.fd(), 'f', [], [], flags)],
    ])
  }

  private change_size(): void {
    const { r } = this
    const length = r.pick([0, 0, 3, 4096, 5000, 8192, -1])
    if (r.chance(0.5)) this.add('ftruncate', this.fd(), length)
    else this.add('truncate', this.content_path(), length)
  }

  /** A page that was looked at through a mapping is no hole of a tmpfs any more, which the model does not know. */
  private seek(): void {
    const mapped = this.made.some(({ call }) => call === 'mmap')
    this.add('lseek', this.fd(), this.r.pick([0, -1, 2, 10000]), this.r.int(mapped ? 3 : 5))
  }

  private map(): void {
    const { r } = this
    const at = r.pick(map_places)
    const prot = r.pick([1, 1, 1, 3, 3, 2, 5, 0])
    const shared = r.pick([1, 1, 2])
    const offset = r.chance(0.1) ? PAGE : 0
    const length = r.pick([PAGE, 2 * PAGE])
    this.map_at(at, length, prot, shared, this.fd(), offset)
  }

  private map_at(at: number, length: number, prot: number, shared: number, fd: number, offset: number): void {
    if (this.add('mmap', at, length, prot, shared | 0x10, fd, offset).ret === undefined) return
    const { pages } = this.task
    for (let page = at; page < at + length; page += PAGE) if (!pages.includes(page)) pages.push(page)
  }

  private protect(): void {
    this.add('mprotect', this.address(), this.r.pick([PAGE, PAGE, 2 * PAGE]), this.r.pick([0, 1, 3, 5, 7]))
  }

  private unmap(): void {
    const at = this.address()
    this.add('munmap', at, PAGE)
    const index = this.task.pages.indexOf(at)
    if (index >= 0 && this.r.chance(0.8)) this.task.pages.splice(index, 1)
  }

  private close(): void {
    this.close_fd(this.fd())
  }

  private close_fd(fd: number): void {
    this.add('close', fd)
    const index = this.task.fds.indexOf(fd)
    if (index >= 0) this.task.fds.splice(index, 1)
  }

  private attributes(): void {
    const { r } = this
    r.weighted([
      [4, () => this.add('chmod', this.path(), r.pick(file_modes))],
      [2, () => this.add('fchmod', this.free_fd(), r.pick(file_modes))],
      [1, () => this.add('chown', this.path(), r.pick([-1, 0, 1000]), r.pick([-1, 0, 1000]))],
      [1, () => this.add('fchown', this.free_fd(), r.pick([-1, 1000]), r.pick([-1, 1000]))],
      [1, () => this.add('lchown', this.path(), r.pick([-1, 0, 1000]), -1)],
    ])
  }

  private rename(): void {
    const { r } = this
    const [from, to] = [this.path(), this.path()]
    if (r.chance(0.8)) this.add('rename', from, to)
    else this.add('renameat2', -100, from, -100, to, r.pick(['RENAME_NOREPLACE', 'RENAME_EXCHANGE']))
  }

  private names(): void {
    const { r } = this
    r.weighted([
      [4, () => this.add('unlink', this.path())],
      [2, () => this.add('link', this.path(), this.path())],
      [2, () => this.add('symlink', r.pick(targets), this.path())],
      [2, () => this.add('mkdir', this.path(), r.pick([0o755, 0o700, 0o777]))],
      [2, () => this.add('rmdir', this.path())],
    ])
  }

  private look(): void {
    const { r } = this
    r.weighted([
      [4, () => this.add('stat', this.content_path())],
      [3, () => this.add('fstat', this.fd())],
      [2, () => this.add('lstat', this.path())],
      [1, () => this.add('readlink', this.path())],
      [1, () => this.add('access', this.path(), r.int(8))],
    ])
  }

  private descriptors(): void {
    const { r } = this
    const [from, to] = [this.fd(), r.pick([3, 4, 5])]
    const in_layer = this.task.layer_fds.has(from)
    r.weighted([
      [3, () => this.opened(this.add('dup', from), in_layer)],
      [1, () => this.opened(this.add('dup2', from, to), in_layer)],
      [1, () => this.opened(this.add('dup3', from, to, r.pick(['O_CLOEXEC', 0])), in_layer)],
    ])
  }

  private self(): void {
    const { r } = this
    r.weighted([
      [3, () => this.add('prctl', 'PR_SET_SECUREBITS', r.int(16) << 8)],
      [1, () => this.add('prctl', 'PR_GET_SECUREBITS')],
      [2, () => this.add('chdir', this.path())],
      [1, () => this.add('fchdir', this.fd())],
      [1, () => this.add('umask', r.pick([0, 0o022, 0o077]))],
      [1, () => this.exit()],
    ])
  }

  /** The last task stays. */
  private exit(): void {
    if (this.tasks.length < 2) return
    this.add('exit')
    this.tasks.splice(this.tasks.indexOf(this.task), 1)
  }

  /** Running another program: the task's last call. */
  private run(): void {
    if (this.tasks.length < 2) return
    const { r } = this
    const { exec } = r.weighted([
      [3, () => this.add('execve', this.content_path(), [], [])],
      [1, () => this.add('execveat', this.fd(), '', [], [], 'AT_EMPTY_PATH')],
    ])
    if (exec) this.tasks.splice(this.tasks.indexOf(this.task), 1)
  }

  private fork(): void {
    if (this.forked >= 4) return
    const child = this.forked + 1
    const { number, fds, layer_fds, pages } = this.task
    if (this.play({ task: number, call: 'fork', args: [], child }).ret === undefined) return
    this.forked = child
    this.tasks.push({ number: child, fds: [...fds], layer_fds: new Set(layer_fds), pages: [...pages] })
  }

  /** The calls that take a directory's descriptor. */
  private relative(): void {
    const { r } = this
    const at = r.chance(0.8) ? this.opened_directory() : this.fd()
    const name = () => r.pick(['f', 'f', 'g', 'd', 's', 'n', 'd/f', '..', '', '/t/f'])
    r.weighted([
      [1, () => this.add('mkdirat', at, name(), r.pick([0o755, 0o777]))],
      [2, () => this.add('unlinkat', at, name(), r.pick([0, 0, 'AT_REMOVEDIR', 1]))],
      [1, () => this.add('symlinkat', r.pick(targets), at, name())],
      [2, () => this.add('linkat', at, name(), at, name(), r.pick([0, 0, 'AT_SYMLINK_FOLLOW']))],
      [1, () => this.add('renameat', at, name(), at, name())],
      [1, () => this.add('readlinkat', at, name(), r.pick([1, 99]))],
      [2, () => this.add('fstatat', at, name(), r.pick([0, 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH']))],
      [1, () => this.add('fchmodat', at, name(), r.pick(file_modes), r.pick([0, 'AT_SYMLINK_NOFOLLOW']))],
      [1, () => this.add('fchownat', at, name(), -1, r.pick([-1, 1000]), r.pick([0, 'AT_SYMLINK_NOFOLLOW']))],
      [1, () => this.add('faccessat', at, name(), r.int(8), 0)],
    ])
  }

  private make_node(): void {
    const { r } = this
    const type = r.pick(['S_IFREG', 'S_IFCHR', 'S_IFSOCK', 'S_IFDIR', '0'])
    // Nobody opens /t/p: the model's fifos have no other end to wait for.
    if (r.chance(0.2)) this.add('mknod', '/t/p', 'S_IFIFO|0755')
    else this.add('mknod', this.path(), `${type}|0755`, r.pick([0, 0x103]))
  }

  /**
   * Somebody has a file open, perhaps mapped; somebody changes it by its path; what does the first see? All of
   * this comes about by chance too, but too seldom.
   */
  private reader_and_writer(): void {
    const { r } = this
    const path = this.path()
    const fd = this.open_as(r.pick(['O_RDONLY', 'O_RDONLY', 'O_RDWR']), path)
    if (fd === undefined) return
    const reader = this.task
    const at = r.pick(map_places)
    if (r.chance(0.4)) this.map_at(at, PAGE, r.pick([1, 3]), r.pick([1, 2]), fd, 0)
    this.task = r.pick(this.tasks)
    if (r.chance(0.85)) this.change(path)
    else this.write_to(this.layer_path_of(path))
    this.task = reader
    if (r.chance(0.4)) this.map_at(at, PAGE, 1, r.pick([1, 2]), fd, 0)
    if (r.chance(0.6)) this.add('pread', fd, 9, 0)
    if (reader.pages.includes(at)) this.add('peek', at, 3)
  }

  /** Opens a file and writes to it, or changes it by its path. */
  private change(path: string): void {
    const { r } = this
    r.weighted([
      [6, () => this.write_to(path)],
      [1, () => this.add('truncate', path, r.pick([0, 2, 5000]))],
      [1, () => this.add('chmod', path, r.pick(file_modes))],
      [1, () => this.add('unlink', path)],
      [1, () => this.add('rename', this.path(), path)],
    ])
  }

  private write_to(path: string): void {
    const { r } = this
    const flags = r.pick(['O_WRONLY', 'O_RDWR', 'O_WRONLY|O_TRUNC', 'O_RDWR|O_APPEND'])
    const fd = this.open_as(flags, path)
    if (fd === undefined) return
    this.add('write', fd, r.pick(['NEW', 'longer than before\n']))
    if (r.chance(0.5)) this.close_fd(fd)
  }

  private open_as(flags: string, path: string): number | undefined {
    const answer = this.add('open', path, `${flags}|O_NONBLOCK`)
    this.opened(
      answer,
      this.world.layers.some((layer) => path.startsWith(`${layer}/`)),
    )
    return answer.ret
  }

  /** The file in a layer that a path of the overlay may stand for. */
  private layer_path_of(path: string): string {
    const { layers } = this.world
    return layers.length === 0 || !path.startsWith('/m/') ? path : `${this.r.pick(layers)}${path.slice(2)}`
  }

  private unnamed_file(): void {
    const { r } = this
    // Not in an overlay: the model has no unnamed files there.
    const answer = this.add(
      'open',
      r.pick(['/t', '/t', '/t/d', '/t/f']),
      `${r.pick(['O_RDWR', 'O_WRONLY', 'O_RDONLY'])}|O_TMPFILE${r.chance(0.2) ? '|O_EXCL' : ''}`,
      0o755,
    )
    this.opened(answer)
    if (answer.ret !== undefined && r.chance(0.5))
      this.add('linkat', answer.ret, '', 'AT_FDCWD', this.path(), 'AT_EMPTY_PATH')
  }

  /** How often each kind is chosen; the area that it belongs to, for `only`. */
  private readonly kinds: readonly (readonly [number, Area, () => void])[] = [
    [26, 'open', () => this.open()],
    [2, 'open', () => this.openat()],
    [7, 'open', () => this.close()],
    [2, 'open', () => this.descriptors()],
    [1, 'open', () => this.unnamed_file()],
    [5, 'data', () => this.reader_and_writer()],
    [10, 'exec', () => this.check()],
    [2, 'exec', () => this.run()],
    [6, 'data', () => this.add('read', this.fd(), this.r.pick([1, 10, 5000]))],
    [5, 'data', () => this.add('pread', this.fd(), this.r.pick([3, 9000]), this.r.pick([0, 0, 2, 4096]))],
    [6, 'data', () => this.add('write', this.fd(), this.r.pick(['NEW', '', 'longer\n']))],
    [4, 'data', () => this.add('pwrite', this.fd(), 'PW', this.r.pick([0, 0, 4095, 6000]))],
    [2, 'data', () => this.seek()],
    [5, 'data', () => this.change_size()],
    [8, 'memory', () => this.map()],
    [6, 'memory', () => this.add('peek', this.address(), this.r.pick([1, 4, 8]))],
    [4, 'memory', () => this.add('poke', this.address(), this.r.pick(['P', 'Q']))],
    [2, 'memory', () => this.protect()],
    [3, 'memory', () => this.unmap()],
    [6, 'attributes', () => this.attributes()],
    [8, 'names', () => this.look()],
    [4, 'names', () => this.rename()],
    [7, 'names', () => this.names()],
    [4, 'names', () => this.relative()],
    [1, 'names', () => this.make_node()],
    [2, 'tasks', () => this.self()],
    [1, 'tasks', () => this.fork()],
  ]

  /** With `only`, the kinds of that area, and opening and closing. */
  private choices({ only }: GenerateOptions): (readonly [number, () => void])[] {
    const wanted = this.kinds.filter(([, area]) => only === undefined || area === only || area === 'open')
    return wanted.map(([weight, area, make]) => [area === only ? weight * 4 : weight, make])
  }
}

export const areas = ['open', 'exec', 'data', 'memory', 'attributes', 'names', 'tasks'] as const
/** What a play is mostly about. */
export type Area = (typeof areas)[number]

export interface GenerateOptions {
  /** About how many calls; 12 unless told. */
  readonly calls?: number
  readonly only?: Area
  /** The model's kernel profile. */
  readonly release?: string
  /** There is one user, root, as in a user namespace: nobody else owns files or runs, and nothing is a device. */
  readonly one_user?: boolean
}

/**
 * A random play, and what the model answers to it: it is made along the model.
 *
 * @param next a source of random 32-bit numbers
 */
export function random_play(
  next: () => number,
  options: GenerateOptions = {},
): { play: Play; model: Answer[] } {
  const { calls = 12, only, release, one_user = false } = options
  const r = new Random(next)
  const some_world = r.chance(0.35) ? plain_world(r) : overlay_world(r)
  const world = one_user ? of_one_user(some_world) : some_world
  const tasks = Array.from({ length: r.pick([1, 1, 2, 2, 3]) }, (_, i) =>
    random_task(r, `task${i + 1}`, world, one_user),
  )
  const model = new ModelPlay(world.setup, tasks, release)
  const made = new Calls(r, world, model, tasks.length, { only, one_user }).make(calls)
  return { play: { setup: world.setup, tasks, calls: made }, model: model.answers }
}

/** Plays without one stretch of calls, the longest stretch first. */
function* with_fewer_calls(play: Play): Iterable<Play> {
  for (let size = play.calls.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < play.calls.length; at += size) {
      yield { ...play, calls: play.calls.filter((_, i) => i < at || i >= at + size) }
    }
  }
}

class PlayArbitrary extends fc.Arbitrary<Play> {
  constructor(private readonly length: number) {
    super()
  }
  override generate(mrng: fc.Random): fc.Value<Play> {
    return new fc.Value(random_play(() => mrng.nextInt(), { calls: this.length }).play, undefined)
  }
  override canShrinkWithoutContext(value: unknown): value is Play {
    return typeof value === 'object' && value !== null && 'calls' in value
  }
  override shrink(value: Play): fc.Stream<fc.Value<Play>> {
    return fc.stream(
      (function* () {
        for (const fewer of with_fewer_calls(value)) yield new fc.Value(fewer, undefined)
      })(),
    )
  }
}

/** Plays of about `calls` calls, as a fast-check arbitrary; it shrinks to fewer calls. */
export function play(calls = 12): fc.Arbitrary<Play> {
  return new PlayArbitrary(calls)
}

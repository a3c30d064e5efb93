/**
 * Random plays, with weight on what matters: write counts, copy-up and what sees it, mappings that outlive
 * their descriptors, the order of refusals, names that move, layers that are written behind an overlay's
 * back, and checks of every kind of object.
 *
 * What neither side promises is left out: changes of a layer that the overlay documentation leaves undefined
 * (worlds.ts), bytes behind the end of a file in its last page. So are calls that would sleep, as the model says.
 */
import * as fc from 'fast-check'
import { type Area, all_syscalls, type Parameter, type Syscall } from '../../kernel/syscall.js'
import type { ArgumentForm } from '../../scenario/form.js'
import type { Answer, Play, PlayCall, PlayTask } from '../agent/play.js'
import { Random } from './choices.js'
import { ModelPlay } from './model_runner.js'
import {
  call_of_one_user,
  file_modes,
  known_paths,
  layers_of,
  random_world,
  targets,
  type World,
} from './worlds.js'

// --- tasks -----------------------------------------------------------------------------------------------------

/** Each by itself; root without any now and then. */
const capability_sets = [
  ['CAP_DAC_OVERRIDE'],
  ['CAP_DAC_READ_SEARCH'],
  ['CAP_FOWNER'],
  ['CAP_CHOWN'],
  ['CAP_FSETID'],
  ['CAP_MKNOD'],
  ['CAP_SETPCAP'],
  ['CAP_SYS_RAWIO'],
  ['CAP_LINUX_IMMUTABLE'],
  ['CAP_SYS_ADMIN'],
]

function random_task(r: Random, name: string, world: World, one_user: boolean): PlayTask {
  const id = one_user ? 0 : r.pick([0, 0, 0, 1000, 1000, 1001])
  return {
    name,
    ...(id === 0 ? {} : { uid: id, gid: id }),
    ...(id !== 0 && r.chance(0.15) ? { groups: [r.pick([0, 1000])] } : {}),
    ...(r.chance(id === 0 ? 0.05 : 0.15) && !one_user ? { capabilities: r.pick(capability_sets) } : {}),
    ...(r.chance(0.2) ? { umask: r.pick([0, 0o077, 0o027, 0o777]) } : {}),
    ...(r.chance(0.05) ? { rlimit_nofile: r.pick([3, 4, 6, 9]) } : {}),
    ...(r.chance(0.4) ? { cwd: world.free[0]! } : {}),
  }
}

// --- calls -----------------------------------------------------------------------------------------------------

/** What a task has by now, as the model says: calls that have nothing to work on are asked for less often. */
interface Holdings {
  readonly number: number
  /** How many forks lie between it and a task of the play. */
  readonly forks: number
  readonly fds: number[]
  /** Addresses of its pages. */
  readonly pages: number[]
}

/** Where mappings are placed: addresses that no program has by itself. */
const map_places = [0x20000000, 0x20010000]
const PAGE = 4096
/** Children of children, so deep: the model has no numbers for deeper ones of every task. */
const MAX_FORKS = 3
const rename_flags = [
  'RENAME_NOREPLACE',
  'RENAME_EXCHANGE',
  'RENAME_EXCHANGE',
  'RENAME_WHITEOUT',
  'RENAME_WHITEOUT|RENAME_NOREPLACE',
  'RENAME_NOREPLACE|RENAME_EXCHANGE',
  8,
]
/** Nothing (a whiteout, as a character device), null, zero and full: the devices that are made. */
const device_numbers = [0, 0x103, 0x103, 0x105, 0x107]
/** Added to an access mode they ask for what is refused, or for neither reading nor writing. */
const odd_open_flags = ['|O_ACCMODE', '|O_ACCMODE|O_TRUNC', '|O_DIRECT', '|O_CREAT|O_DIRECTORY']

/** Names of the file systems in which an overlay has layers. */
function layer_filesystems({ setup }: World): ReadonlySet<string> {
  const mounts = setup.mounts ?? []
  const layers = mounts.flatMap((mount) => ('overlay' in mount ? layers_of(mount.overlay) : []))
  const at_path = (path: string) => mounts.find(({ at }) => at !== '/' && `${path}/`.startsWith(`${at}/`))
  return new Set(
    layers.map((layer) => {
      if (!layer.startsWith('/')) return layer.split(':')[0]!
      const mount = at_path(layer)!
      return 'filesystem' in mount ? mount.filesystem : `overlay${mount.at.replaceAll('/', '-')}`
    }),
  )
}

/** Calls that are made by the kinds of their arguments, in an order that no import changes. */
const plain_calls = all_syscalls()
  .filter(({ random }) => random !== undefined)
  .sort((a, b) => (a.name < b.name ? -1 : 1))

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
  /** File systems in which layers lie. */
  private readonly layers: ReadonlySet<string>

  constructor(
    private readonly r: Random,
    private readonly world: World,
    private readonly model: ModelPlay,
    private readonly played_by: readonly PlayTask[],
    private readonly options: GenerateOptions,
  ) {
    this.tasks = played_by.map((_, i) => ({
      number: i + 1,
      forks: 0,
      fds: [],
      pages: [],
    }))
    this.task = this.tasks[0]!
    this.forked = played_by.length
    this.known = known_paths(world)
    this.layers = layer_filesystems(world)
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
    const answer = this.model.call_without_sleep(call)
    if (answer === undefined) return { blocked: true }
    this.made.push(call)
    return answer
  }

  // Paths and descriptors.

  /** A path below one of these places. */
  private below(places: readonly string[]): string {
    const { r } = this
    const place = r.pick(places)
    if (r.chance(0.015)) return this.long_path(place)
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
      [1, () => r.pick(['e', 'e/f', 'n/', 'd/c', 'd/n/f', 'e/..'])],
    ])
    const relative = place === this.world.free[0] && r.chance(0.1)
    return relative ? name : `${place}/${name}`
  }

  /** Names and paths as long as may be, and a byte longer. */
  private long_path(place: string): string {
    const { r } = this
    if (r.chance(0.6)) return `${place}/${'n'.repeat(r.pick([255, 256]))}`
    const length = r.pick([4095, 4096])
    const name = length % 2 === place.length % 2 ? '/f' : '/ff'
    return `${place}${'/.'.repeat((length - place.length - name.length) / 2)}${name}`
  }

  /** Anything. */
  private path(): string {
    return this.shown((fd) => !this.is_of_layer(fd)) ?? this.below(this.world.free)
  }

  /** Now and then, where there is a proc, the name of a descriptor: one of this task, or perhaps one of another. */
  private shown(may: (fd: number) => boolean): string | undefined {
    const { r } = this
    const { proc } = this.world
    if (proc === undefined || !r.chance(0.25)) return undefined
    const own = this.task.fds.filter(may)
    return own.length > 0 && r.chance(0.9)
      ? `${proc}/self/fd/${r.pick(own)}`
      : `${proc}/self/fd/${r.pick([3, 77, 1024])}`
  }

  /** The same of any task. */
  private shown_of_others(): string | undefined {
    const { r } = this
    const { proc } = this.world
    const there = this.tasks.filter(({ number }) => number <= this.played_by.length)
    if (proc === undefined || there.length === 0 || !r.chance(0.5)) return undefined
    const { number, fds } = r.pick(there)
    return `${proc}/${number}/fd/${fds.length === 0 ? 3 : r.pick(fds)}`
  }

  /** Descriptors by their names in proc: looked at, read, opened afresh, given a name. */
  private descriptors_by_name(): void {
    const { r } = this
    if (this.world.proc === undefined) return
    const fd = this.fd()
    const name = this.shown_of_others() ?? `${this.world.proc}/self/fd/${fd}`
    r.weighted([
      [3, () => this.add('lstat', name)],
      [3, () => this.add('readlink', name, r.pick([99, 99, 4]))],
      [2, () => this.add('access', name, r.int(8))],
      [
        4,
        () =>
          this.opened(
            this.add(
              'open',
              name,
              r.pick(['O_RDONLY', 'O_WRONLY', 'O_RDWR|O_CREAT', 'O_RDWR|O_TRUNC']),
              0o644,
            ),
          ),
      ],
      [
        1,
        () =>
          this.add(
            'open',
            name,
            r.pick(['O_RDONLY|O_NOFOLLOW', 'O_PATH|O_NOFOLLOW', 'O_RDWR|O_CREAT|O_EXCL']),
            0o644,
          ),
      ],
      [
        2,
        () =>
          this.add(
            'linkat',
            -100,
            name,
            -100,
            this.below(this.world.free),
            r.pick([0, 'AT_SYMLINK_FOLLOW', 'AT_SYMLINK_FOLLOW']),
          ),
      ],
      [1, () => this.add('unlink', name)],
      [1, () => this.add('execveat', -100, name, [], [], 'AT_EXECVE_CHECK')],
      [1, () => this.add('lstat', `${this.world.proc}/self/fd`)],
      [1, () => this.add('chmod', `${this.world.proc}/self/fd`, 0o700)],
    ])
  }

  /** Anything, or a pointer to nowhere. */
  private path_argument(): string | null {
    return this.r.chance(0.02) ? null : this.path()
  }

  /** Anything whose content may be changed: layers too. */
  private content_path(): string {
    const { free, layer_files } = this.world
    const shown = this.shown(() => true)
    if (shown !== undefined) return shown
    return this.r.chance(0.25) && layer_files.length > 0 ? this.layer_path() : this.below(free)
  }

  private layer_path(): string {
    const { layer_files } = this.world
    const focused = layer_files.find(({ in_overlay }) => in_overlay === `/m/${this.focus}`)
    return focused !== undefined && this.r.chance(0.5) ? focused.path : this.r.pick(layer_files).path
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
    return this.is_of_layer(fd) ? 99 : fd
  }

  private is_of_layer(fd: number): boolean {
    const filesystem = this.model.filesystem_of(this.task.number, fd)
    return filesystem !== undefined && this.layers.has(filesystem)
  }

  private opened({ ret }: Answer): void {
    if (ret !== undefined && !this.task.fds.includes(ret)) this.task.fds.push(ret)
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
    if (this.world.layer_files.length > 0 && r.chance(0.2)) {
      const more = r.chance(0.15) ? '|O_TRUNC' : ''
      this.opened(this.add('open', this.layer_path(), `${mode}${more}`))
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
      ? r.pick([
          '|O_NOFOLLOW',
          '|O_DIRECTORY',
          '|O_PATH',
          '|O_CLOEXEC',
          '|O_NOATIME',
          '|O_NOCTTY|O_SYNC',
          ...odd_open_flags,
        ])
      : ''
    const flags = `${mode}${more}${rare}${r.chance(0.7) ? '|O_NONBLOCK' : ''}`
    const permissions = more.includes('CREAT') ? [r.pick([0o644, 0o755, 0o666, 0o444, 0o2755, 0o4711])] : []
    this.opened(this.add('open', this.path_argument(), flags, ...permissions))
  }

  private create(): void {
    this.opened(this.add('creat', this.path_argument(), this.r.pick([0o644, 0o755, 0o600, 0])))
  }

  private openat(): void {
    const { r } = this
    const dir = r.chance(0.7) ? this.opened_directory() : this.fd()
    const name = r.pick(['f', 'g', 'd/f', '', '.', '..', 's', '/t/f'])
    this.opened(this.add('openat', dir, name, r.pick(['O_RDONLY', 'O_RDWR|O_CREAT', 'O_PATH']), 0o644))
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
      [1, () => this.add('execveat', 'AT_FDCWD', r.pick(['/t/p', '/t/c', '/t/missing']), [], [], flags)],
      [
        1,
        () =>
          this.add(
            'execveat',
            'AT_FDCWD',
            this.path_argument(),
            this.arguments(),
            [],
            r.pick([flags, `${flags}|1`]),
          ),
      ],
      [4, () => this.add('execveat', this.fd(), '', [], [], `${flags}|AT_EMPTY_PATH`)],
      [1, () => this.add('execveat', 'AT_FDCWD', this.path(), [], [], `${flags}|AT_SYMLINK_NOFOLLOW`)],
      [1, () => this.add('execveat', this.fd(), 'f', [], [], flags)],
    ])
  }

  /** Strings of an exec: mostly few, now and then one that is a byte too long. */
  private arguments(): (string | null)[] {
    return this.r.pick([['a', 'b'], ['a'.repeat(131071)], ['a'.repeat(131072)], ['a'.repeat(131072)], ['']])
  }

  private change_size(): void {
    const { r } = this
    const length = r.pick([0, 0, 3, 4096, 5000, 8192, -1])
    if (r.chance(0.5)) this.add('ftruncate', this.fd(), length)
    else this.add('truncate', this.content_path(), length)
  }

  /** Counts and positions that no buffer and no file has. */
  private odd_transfer(): void {
    const { r } = this
    const fd = this.fd()
    r.weighted([
      [1, () => this.add('read', fd, r.pick([-1, 2 ** 46]))],
      [1, () => this.add('read', fd, 0)],
      [1, () => this.add('pread', fd, 3, -1)],
      [1, () => this.add('pwrite', fd, 'x', -1)],
      [1, () => this.add('write', fd, null, r.pick([0, 5]))],
      [1, () => this.add('pwrite', fd, null, r.pick([0, 5]), 0)],
    ])
  }

  /**
   * A page that was looked at through a mapping, or that a write without bytes was to fill, is no hole of a tmpfs any
   * more, which the model does not know.
   */
  private seek(): void {
    const filled = this.made.some(
      ({ call, args }) => call === 'mmap' || (/write$/.test(call) && args?.[1] === null),
    )
    const whence = this.r.chance(0.05) ? this.r.pick([5, -1]) : this.r.int(filled ? 3 : 5)
    this.add('lseek', this.fd(), this.r.pick([0, -1, 2, 4096, 10000]), whence)
  }

  private map(): void {
    const { r } = this
    const at = r.pick(map_places)
    const prot = r.pick([1, 1, 1, 3, 3, 2, 5, 4, 0])
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

  /** Memory without a file. */
  private map_anonymous(): void {
    const { r } = this
    const flags = r.pick(['MAP_PRIVATE', 'MAP_SHARED'])
    const at = r.pick(map_places)
    if (
      this.add('mmap', at, PAGE, r.pick([1, 3, 3, 4, 0]), `${flags}|MAP_ANONYMOUS|MAP_FIXED`, -1, 0).ret ===
      undefined
    )
      return
    if (!this.task.pages.includes(at)) this.task.pages.push(at)
  }

  /** What a mapping may not be: each of these is refused, or placed by the kernel where nobody looks at it. */
  private odd_mapping(): void {
    const { r } = this
    const at = r.pick(map_places)
    const file = this.fd()
    const shapes: readonly (readonly (string | number)[])[] = [
      [at + 1, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED', file, 0],
      [at, 0, 1, 'MAP_PRIVATE|MAP_FIXED', file, 0],
      [at, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED', file, 7],
      [at, PAGE, 1, 'MAP_FIXED', file, 0],
      [at, PAGE, 1, 'MAP_FIXED|MAP_ANONYMOUS', -1, 0],
      [at, PAGE, 1, 'MAP_SHARED_VALIDATE|MAP_FIXED|MAP_SYNC', file, 0],
      [at, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED_NOREPLACE', file, 0],
      [at, -1, 1, 'MAP_PRIVATE', file, 0],
      [at, 2 ** 48, 1, 'MAP_PRIVATE', file, 0],
      [at, 2 ** 47 - 2 * PAGE, 1, 'MAP_PRIVATE', file, 0],
      [2 ** 47, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED', file, 0],
      // Whoever may map the page at 0 does not: a pointer to nowhere would be one to somewhere.
      ...(this.may_map_anything() ? [] : [[0, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED', file, 0]]),
      [at, PAGE, 1, 'MAP_PRIVATE|MAP_FIXED', file, -PAGE],
      [0, PAGE, r.pick([1, 3]), 'MAP_PRIVATE', file, 0],
    ]
    const [addr, ...rest] = r.pick(shapes)
    const { ret } = this.add('mmap', addr!, ...rest)
    if (ret !== undefined && ret === at && !this.task.pages.includes(at)) this.task.pages.push(at)
  }

  private may_map_anything(): boolean {
    const who = this.played_by[this.task.number - 1]
    return who === undefined || (who.uid ?? 0) === 0 || who.capabilities !== undefined
  }

  private protect(): void {
    const { r } = this
    const at = this.address()
    if (r.chance(0.85)) this.add('mprotect', at, r.pick([PAGE, PAGE, 2 * PAGE]), r.pick([0, 1, 3, 4, 5, 7]))
    else
      r.weighted([
        [1, () => this.add('mprotect', at + 1, PAGE, 1)],
        [1, () => this.add('mprotect', at, PAGE, 0x40)],
        [1, () => this.add('mprotect', at, PAGE, 'PROT_READ|PROT_GROWSDOWN|PROT_GROWSUP')],
        [1, () => this.add('mprotect', at, -1, 1)],
        [1, () => this.add('mprotect', at, 0, 1)],
        [1, () => this.add('mprotect', at, PAGE, 'PROT_READ|PROT_GROWSDOWN')],
      ])
  }

  private unmap(): void {
    const at = this.address()
    if (this.r.chance(0.1)) {
      const [from, length] = this.r.pick([
        [at + 1, PAGE],
        [at, 0],
        [2 ** 47 + PAGE, PAGE],
        [at, 2 ** 48],
      ] as const)
      this.add('munmap', from, length)
      return
    }
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
      [4, () => this.add('chmod', this.path_argument(), r.pick(file_modes))],
      [2, () => this.add('fchmod', this.free_fd(), r.pick(file_modes))],
      [1, () => this.add('chown', this.path(), r.pick([-1, 0, 1000]), r.pick([-1, 0, 1000]))],
      [1, () => this.add('fchown', this.free_fd(), r.pick([-1, 1000]), r.pick([-1, 1000]))],
      [1, () => this.add('lchown', this.path(), r.pick([-1, 0, 1000]), -1)],
    ])
  }

  private rename(): void {
    const { r } = this
    const slash = () => (r.chance(0.08) ? '/' : '')
    const [from, to] = [`${this.path()}${slash()}`, `${this.path()}${slash()}`]
    if (r.chance(0.7)) this.add('rename', from, to)
    else this.add('renameat2', -100, from, -100, to, r.pick(rename_flags))
  }

  /** One directory takes the place of another, which may have entries. */
  private rename_over_directory(): void {
    const { r } = this
    const place = r.pick(this.world.free)
    const [from, to] = r.pick([
      ['n', 'd'],
      ['d', 'e'],
      ['e', 'd'],
      ['d/n', 'd'],
      ['n', 'n/.'],
    ] as const)
    if (r.chance(0.7)) this.add('mkdir', `${place}/${from}`, 0o755)
    const flags = r.pick([0, 0, 0, 'RENAME_NOREPLACE', 'RENAME_EXCHANGE'])
    this.add('renameat2', -100, `${place}/${from}`, -100, `${place}/${to}`, flags)
  }

  /** Mount points stay. */
  private mount_points(): void {
    const { r } = this
    const places = (this.world.setup.mounts ?? []).map(({ at }) => at).filter((at) => at !== this.world.proc)
    const place = r.pick(places)
    r.weighted([
      [2, () => this.add('unlink', place)],
      [2, () => this.add('rmdir', place)],
      [1, () => this.add('rename', place, r.pick(['/x', '/t/x', '/m']))],
      [1, () => this.add('mkdir', place, 0o755)],
    ])
  }

  /** A directory that somebody stands in or has open, and that is removed: nothing can be made in it. */
  private removed_directory(): void {
    const { r } = this
    const path = `${r.pick(this.world.free)}/${r.pick(['n', 'd', 'e'])}`
    if (r.chance(0.7)) this.add('mkdir', path, 0o777)
    const answer = this.add('open', path, 'O_RDONLY|O_DIRECTORY')
    this.opened(answer)
    if (answer.ret === undefined) return
    if (r.chance(0.3)) this.add('fchdir', answer.ret)
    this.add('rmdir', path)
    this.relative_to(answer.ret)
    if (r.chance(0.5))
      this.opened(this.add('openat', answer.ret, r.pick(['x', 'f', '.']), 'O_RDWR|O_CREAT', 0o644))
  }

  /** A file that is open and has lost its last name. */
  private removed_file(): void {
    const { r } = this
    const path = this.path()
    const fd = this.open_as(r.pick(['O_RDONLY', 'O_RDWR', 'O_PATH']), path)
    if (fd === undefined) return
    this.add(r.pick(['unlink', 'unlink', 'rmdir']), path)
    r.weighted([
      [2, () => this.add('linkat', fd, '', -100, this.path(), 'AT_EMPTY_PATH')],
      [1, () => this.add('fstat', fd)],
      [1, () => this.add('pread', fd, 9, 0)],
      [1, () => this.add('execveat', fd, '', [], [], 'AT_EXECVE_CHECK|AT_EMPTY_PATH')],
    ])
  }

  private names(): void {
    const { r } = this
    r.weighted([
      [4, () => this.add('unlink', this.path_argument())],
      [1, () => this.add('unlink', `${this.path()}/`)],
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
      [1, () => this.add('readlinkat', -100, this.path_argument(), r.pick([0, -1, 1, 99]))],
      [3, () => this.add('fstat', this.fd())],
      [2, () => this.add('lstat', this.path())],
      [1, () => this.add('readlink', this.path())],
      [2, () => this.add('access', this.content_path(), r.chance(0.05) ? 8 : r.int(8))],
    ])
  }

  private descriptors(): void {
    const { r } = this
    const [from, to] = [this.fd(), r.pick([3, 4, 5, 5, 1024, -1])]
    r.weighted([
      [3, () => this.opened(this.add('dup', from))],
      [1, () => this.opened(this.add('dup2', from, to))],
      [1, () => this.opened(this.add('dup3', from, to, r.pick(['O_CLOEXEC', 0, 1])))],
    ])
  }

  private self(): void {
    const { r } = this
    r.weighted([
      [3, () => this.add('prctl', 'PR_SET_SECUREBITS', r.int(16) << 8)],
      [1, () => this.add('prctl', 'PR_GET_SECUREBITS')],
      [
        1,
        () =>
          this.add(
            'prctl',
            r.pick(['PR_GET_NO_NEW_PRIVS', 'PR_SET_NO_NEW_PRIVS']),
            r.int(2),
            r.chance(0.9) ? 0 : 1,
          ),
      ],
      [1, () => this.exit()],
    ])
  }

  /** A call that says itself how often it is made: its arguments are nothing but what their kinds say. */
  private plain(syscall: Syscall): void {
    const answer = this.add(syscall.name, ...syscall.params.map((param) => this.argument(param)))
    if (syscall.returns === 'fd') this.opened(answer)
  }

  private argument({ kind, constants = {} }: Parameter): ArgumentForm {
    const { r } = this
    switch (kind) {
      case 'fd':
        return this.fd()
      case 'dirfd':
        return r.chance(0.5) ? 'AT_FDCWD' : this.opened_directory()
      case 'path':
        return this.path_argument()
      case 'text':
        return r.pick(targets)
      case 'flags':
      case 'choice':
        return r.chance(0.05) ? 0x8000 : r.chance(0.3) ? 0 : r.pick(Object.keys(constants))
      case 'mode':
        return r.pick(file_modes)
      case 'id':
        return r.pick([-1, 0, 1000])
      case 'device':
        return r.pick(device_numbers)
      case 'address':
        return this.address()
      case 'pages':
        return r.pick([0, PAGE, PAGE, 2 * PAGE, -1])
      case 'size':
        return r.pick([0, 1, 10, 5000, -1])
      case 'offset':
        return r.pick([0, 0, 2, 4096, -1])
      case 'bytes':
        return r.pick(['NEW', '', 'longer\n'])
      case 'strings':
        return this.arguments()
      default:
        return r.pick([0, 1, 3, 5, 1024, -1])
    }
  }

  /** The last task stays. */
  private exit(): void {
    if (this.tasks.length < 2) return
    this.add(this.r.pick(['exit', 'exit_group']), this.r.int(3))
    this.tasks.splice(this.tasks.indexOf(this.task), 1)
  }

  /** Running another program: the task's last call. */
  private run(): void {
    if (this.tasks.length < 2) return
    const { r } = this
    const { exec } = r.weighted([
      [3, () => this.add('execve', this.content_path(), [], [])],
      [1, () => this.add('execve', this.path_argument(), this.arguments(), r.pick([[], this.arguments()]))],
      [1, () => this.add('execveat', this.fd(), '', [], [], 'AT_EMPTY_PATH')],
    ])
    if (exec) this.tasks.splice(this.tasks.indexOf(this.task), 1)
  }

  private fork(): void {
    const { number, forks, fds, pages } = this.task
    if (this.forked >= 6 || forks >= MAX_FORKS) return
    const child = this.forked + 1
    if (this.play({ task: number, call: 'fork', args: [], child }).ret === undefined) return
    this.forked = child
    this.tasks.push({ number: child, forks: forks + 1, fds: [...fds], pages: [...pages] })
  }

  /** The calls that take a directory's descriptor. */
  private relative(): void {
    this.relative_to(this.r.chance(0.8) ? this.opened_directory() : this.fd())
  }

  private relative_to(at: number): void {
    const { r } = this
    const name = () => r.pick(['f', 'f', 'g', 'd', 's', 'n', 'd/f', '..', '', '/t/f'])
    /** One that the call knows, or now and then one that it does not. */
    const flags = (...known: (number | string)[]) => (r.chance(0.05) ? 0x8000 : r.pick(known))
    const owned = (): number => (this.is_of_layer(at) ? -100 : at)
    r.weighted([
      [1, () => this.add('mkdirat', at, name(), r.pick([0o755, 0o777, 0o2777]))],
      [1, () => this.add('mknodat', at, name(), this.node_mode(), r.pick(device_numbers))],
      [2, () => this.add('unlinkat', at, name(), flags(0, 0, 'AT_REMOVEDIR'))],
      [1, () => this.add('symlinkat', r.pick(targets), at, name())],
      [
        2,
        () => this.add('linkat', at, name(), at, name(), flags(0, 0, 'AT_SYMLINK_FOLLOW', 'AT_EMPTY_PATH')),
      ],
      [1, () => this.add('renameat', at, name(), at, name())],
      [1, () => this.add('readlinkat', at, name(), r.pick([1, 99]))],
      [2, () => this.add('fstatat', at, name(), flags(0, 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'))],
      [
        1,
        () =>
          this.add(
            'fchmodat',
            owned(),
            name(),
            r.pick(file_modes),
            flags(0, 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'),
          ),
      ],
      [
        1,
        () =>
          this.add(
            'fchownat',
            owned(),
            name(),
            r.pick([-1, 1000]),
            r.pick([-1, 1000]),
            flags(0, 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'),
          ),
      ],
      [
        1,
        () =>
          this.add(
            r.pick(['faccessat', 'faccessat2']),
            at,
            name(),
            r.int(8),
            flags(0, 'AT_EACCESS', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'),
          ),
      ],
    ])
  }

  private node_mode(): string {
    return `${this.r.pick(['S_IFREG', 'S_IFCHR', 'S_IFCHR', 'S_IFSOCK', 'S_IFDIR', '0', '0170000'])}|0755`
  }

  private make_node(): void {
    const { r } = this
    if (r.chance(0.2)) this.add('mknod', this.path(), `S_IFIFO|0${r.pick(['755', '666'])}`, 0)
    else this.add('mknod', this.path_argument(), this.node_mode(), r.pick(device_numbers))
  }

  /** Makes what is no regular file, and uses it as if it were one. */
  private node_and_use(): void {
    const { r } = this
    const path = r.chance(0.5) ? '/t/d/n' : this.path()
    const type = r.pick(['S_IFSOCK', 'S_IFCHR', 'S_IFCHR', 'S_IFCHR', 'S_IFREG'])
    this.add('mknod', path, `${type}|0777`, r.pick(device_numbers))
    this.task = r.pick(this.tasks)
    const fd = this.open_as(
      r.pick(['O_RDONLY', 'O_RDWR', 'O_RDWR|O_CREAT', 'O_WRONLY|O_TRUNC', 'O_PATH']),
      path,
    )
    if (fd === undefined) return
    r.weighted([
      [2, () => this.add('read', fd, 7)],
      [2, () => this.add('write', fd, 'x')],
      [1, () => this.add('lseek', fd, 3, r.int(5))],
      [1, () => this.add('ftruncate', fd, 0)],
      [1, () => this.add('pread', fd, 3, 1)],
      [1, () => this.map_at(map_places[0]!, PAGE, r.pick([1, 3]), r.pick([1, 2]), fd, 0)],
      [1, () => this.add('execveat', fd, '', [], [], 'AT_EXECVE_CHECK|AT_EMPTY_PATH')],
    ])
  }

  /** Somebody opens a fifo, perhaps waits for nobody, and uses it, as whoever has the other end does. */
  private fifo(): void {
    const { r } = this
    const path = r.chance(0.6) ? '/t/p' : `${r.pick(this.world.free)}/${r.pick(['p', 'p', 'd/p', 'n'])}`
    if (r.chance(0.5)) this.add('mknod', path, 'S_IFIFO|0777', 0)
    const modes = ['O_RDONLY|O_NONBLOCK', 'O_RDONLY|O_NONBLOCK', 'O_RDWR', 'O_RDONLY', 'O_WRONLY', 'O_PATH']
    for (let turns = r.pick([1, 2, 3]); turns > 0; turns--) {
      this.task = r.pick(this.tasks)
      const flags = `${r.pick(modes)}${r.chance(0.3) ? '|O_NONBLOCK' : ''}${r.chance(0.1) ? '|O_TRUNC' : ''}`
      const fd = this.open_as(flags, path) ?? this.fd()
      this.use_fifo(fd)
      if (r.chance(0.3)) this.use_fifo(fd)
    }
  }

  private use_fifo(fd: number): void {
    const { r } = this
    r.weighted([
      [4, () => this.add('write', fd, r.pick(['bytes', 'b', 'x'.repeat(5000), 'x'.repeat(4096)]))],
      [4, () => this.add('read', fd, r.pick([1, 3, 9, 6000]))],
      [1, () => this.add('pread', fd, 3, 0)],
      [1, () => this.add('pwrite', fd, 'x', 0)],
      [1, () => this.add('lseek', fd, 0, 0)],
      [1, () => this.add('ftruncate', fd, 0)],
      [1, () => this.add('fstat', fd)],
      [1, () => this.opened(this.add('dup', fd))],
      [2, () => this.close_fd(fd)],
      [1, () => this.map_at(map_places[0]!, PAGE, 1, r.pick([1, 2]), fd, 0)],
    ])
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
    const answer = this.add('open', path, flags)
    this.opened(answer)
    return answer.ret
  }

  /** Whoever writes to a layer's file stands in the way of nobody who runs it through the overlay. */
  private check_what_a_layer_writes(): void {
    const { r } = this
    const { layer_files } = this.world
    if (layer_files.length === 0) return
    const { path, in_overlay } = r.pick(layer_files)
    this.open_as(r.pick(['O_RDWR', 'O_WRONLY']), path)
    this.add('execveat', 'AT_FDCWD', r.pick([in_overlay, in_overlay, path]), [], [], 'AT_EXECVE_CHECK')
  }

  /** The file in a layer that a path of the overlay may stand for. */
  private layer_path_of(path: string): string {
    const { layer_files } = this.world
    const there = layer_files.filter(({ in_overlay }) => in_overlay === path)
    return there.length === 0 ? path : this.r.pick(there).path
  }

  /** What moves a file into the upper layer without writing to it, and what it is there. */
  private copy_up_and_look(): void {
    const { r } = this
    const files = this.known.filter((path) => path.startsWith('/m/'))
    if (files.length === 0) return
    const path = r.pick(files)
    r.weighted<unknown>([
      [3, () => this.open_as(r.pick(['O_RDWR', 'O_WRONLY', 'O_RDWR|O_APPEND']), path)],
      [1, () => this.add('link', path, '/m/n')],
      [1, () => this.add('chown', path, -1, -1)],
      [1, () => this.add('chmod', path, r.pick(file_modes))],
    ])
    this.add(r.pick(['stat', 'lstat']), path)
    this.look_below(path)
  }

  /** A name goes, or another comes to it: what is in the upper layer then, a whiteout perhaps? */
  private remove_and_look_below(): void {
    const { r } = this
    const files = this.known.filter((path) => path.startsWith('/m/'))
    if (files.length === 0) return
    const path = r.pick(files)
    r.weighted([
      [3, () => this.add('unlink', path)],
      [1, () => this.add('rmdir', path)],
      [2, () => this.add('rename', path, r.pick(['/m/n', r.pick(files)]))],
      [1, () => this.add('renameat2', -100, path, -100, r.pick(files), r.pick(rename_flags))],
    ])
    this.look_below(path)
    if (r.chance(0.3)) this.look_below(r.pick(files))
  }

  /** The same name in the layers, where they can be seen. */
  private look_below(path: string): void {
    const view = this.world.free.find((place) => place === '/v') ?? '/y'
    if (this.world.free.includes(view)) this.add('lstat', path.replace(/^\/m/, view))
  }

  /** In a sticky directory nobody but its owner removes what is somebody else's. */
  private sticky_directory(): void {
    const { r } = this
    const place = r.pick(this.world.free)
    const directory = r.pick([place, `${place}/n`, `${place}/d`])
    if (directory.endsWith('n')) this.add('mkdir', directory, 0o777)
    this.add('chmod', directory, 0o1777)
    const path = `${directory}/${r.pick(['f', 'n'])}`
    this.task = r.pick(this.tasks)
    this.open_as('O_RDWR|O_CREAT', path)
    this.task = r.pick(this.tasks)
    r.weighted([
      [2, () => this.add('unlink', path)],
      [1, () => this.add('rename', path, `${directory}/o`)],
      [1, () => this.add('rename', this.path(), path)],
    ])
  }

  private unnamed_file(): void {
    const { r } = this
    const answer = this.add(
      'open',
      `${r.pick(this.world.free)}${r.pick(['', '', '/d', '/d', '/f'])}`,
      `${r.pick(['O_RDWR', 'O_WRONLY', 'O_RDONLY'])}|O_TMPFILE${r.chance(0.2) ? '|O_EXCL' : ''}`,
      0o755,
    )
    this.opened(answer)
    const { ret: fd } = answer
    if (fd === undefined) return
    if (r.chance(0.4)) this.add('write', fd, 'NEW')
    if (r.chance(0.3)) this.add('fstat', fd)
    if (r.chance(0.6)) this.add('linkat', fd, '', 'AT_FDCWD', this.path(), 'AT_EMPTY_PATH')
    if (r.chance(0.1)) this.add('linkat', fd, '', 'AT_FDCWD', this.path(), 'AT_EMPTY_PATH')
    if (r.chance(0.3)) this.add('fstat', fd)
  }

  /** How often each kind is chosen; the area that it belongs to, for `only`. */
  private readonly kinds: readonly (readonly [number, Area, () => void])[] = [
    [26, 'open', () => this.open()],
    [1, 'open', () => this.create()],
    [2, 'open', () => this.openat()],
    [7, 'open', () => this.close()],
    [2, 'open', () => this.descriptors()],
    [2, 'open', () => this.unnamed_file()],
    [5, 'data', () => this.reader_and_writer()],
    [10, 'exec', () => this.check()],
    [2, 'exec', () => this.run()],
    [2, 'exec', () => this.check_what_a_layer_writes()],
    [6, 'data', () => this.add('read', this.fd(), this.r.pick([1, 10, 5000]))],
    [5, 'data', () => this.add('pread', this.fd(), this.r.pick([3, 9000]), this.r.pick([0, 0, 2, 4096]))],
    [6, 'data', () => this.add('write', this.fd(), this.r.pick(['NEW', '', 'longer\n']))],
    [4, 'data', () => this.add('pwrite', this.fd(), 'PW', this.r.pick([0, 0, 4095, 6000]))],
    [2, 'data', () => this.seek()],
    [1, 'data', () => this.odd_transfer()],
    [6, 'data', () => this.change_size()],
    [8, 'memory', () => this.map()],
    [6, 'memory', () => this.add('peek', this.address(), this.r.pick([1, 4, 8]))],
    [4, 'memory', () => this.add('poke', this.address(), this.r.pick(['P', 'Q']))],
    [1, 'memory', () => this.map_anonymous()],
    [1, 'memory', () => this.odd_mapping()],
    [2, 'memory', () => this.protect()],
    [3, 'memory', () => this.unmap()],
    [6, 'attributes', () => this.attributes()],
    [2, 'attributes', () => this.copy_up_and_look()],
    [8, 'names', () => this.look()],
    [4, 'names', () => this.rename()],
    [7, 'names', () => this.names()],
    [4, 'names', () => this.relative()],
    [1, 'names', () => this.make_node()],
    [1, 'names', () => this.node_and_use()],
    [1, 'names', () => this.fifo()],
    [2, 'names', () => this.remove_and_look_below()],
    [1, 'names', () => this.sticky_directory()],
    [1, 'names', () => this.rename_over_directory()],
    [1, 'names', () => this.mount_points()],
    [1, 'names', () => this.removed_directory()],
    [1, 'names', () => this.removed_file()],
    [4, 'names', () => this.descriptors_by_name()],
    [2, 'tasks', () => this.self()],
    [1, 'tasks', () => this.fork()],
    ...plain_calls.map(
      (syscall) => [syscall.random!.weight, syscall.random!.area, () => this.plain(syscall)] as const,
    ),
  ]

  /** With `only`, the kinds of that area, and opening and closing. */
  private choices({ only }: GenerateOptions): (readonly [number, () => void])[] {
    const wanted = this.kinds.filter(([, area]) => only === undefined || area === only || area === 'open')
    return wanted.map(([weight, area, make]) => [area === only ? weight * 4 : weight, make])
  }
}

/** What a play can be mostly about. */
export const areas: readonly Area[] = ['open', 'exec', 'data', 'memory', 'attributes', 'names', 'tasks']

export interface GenerateOptions {
  /** About how many calls; 12 unless told, and now and then up to 200. */
  readonly calls?: number
  readonly only?: Area
  /** The model's kernel profile. */
  readonly release?: string
  /** There is one user, root, as in a user namespace: nobody else owns files or runs, and nothing is a device. */
  readonly one_user?: boolean
}

/** So many of the plays are long. */
const LONG = 0.01

/**
 * A random play, and what the model answers to it: it is made along the model.
 *
 * @param next a source of random 32-bit numbers
 */
export function random_play(
  next: () => number,
  options: GenerateOptions = {},
): { play: Play; model: Answer[] } {
  const { only, release, one_user = false } = options
  const r = new Random(next)
  const calls = options.calls ?? (r.chance(LONG) ? 12 + r.int(188) : 12)
  const world = random_world(r, one_user)
  const tasks = Array.from({ length: r.pick([1, 1, 2, 2, 3]) }, (_, i) =>
    random_task(r, `task${i + 1}`, world, one_user),
  )
  const model = new ModelPlay(world.setup, tasks, release)
  const made = new Calls(r, world, model, tasks, { only, one_user }).make(calls)
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

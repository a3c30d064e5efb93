/**
 * Random plays, with weight on what matters: write counts, copy-up and what sees it, mappings that outlive
 * their descriptors, the order of refusals, names that move, layers that are written behind an overlay's
 * back, and checks of every kind of object.
 *
 * What neither side promises is left out: directory changes in a layer of a mounted overlay, bytes behind the
 * end of a file in its last page, calls that sleep.
 */
import * as fc from 'fast-check'
import type { MountForm, NodeForm, TreeForm } from '../scenario/form.js'
import type { Play, PlayCall, PlayTask } from './play.js'
import { Random } from './random.js'

// --- files -----------------------------------------------------------------------------------------------------

const file_modes = [
  0o644, 0o755, 0o755, 0o755, 0o777, 0o666, 0o600, 0o700, 0o444, 0o555, 0o111, 0o4755, 0o2755, 0,
]
const dir_modes = [0o755, 0o755, 0o755, 0o777, 0o777, 0o700, 0o555, 0o1777, 0o711]
const contents = ['', 'a', 'hello\n', '#!/t/f\n', 'x'.repeat(4096), 'y'.repeat(5000)]
const owners = [0, 0, 1000]
/** Names below each directory; what they are is left to chance. */
const names = ['f', 'g', 'h', 'd', 's'] as const
const targets = ['f', 'g', '/t/f', '/m/f', 'd', 's', 'missing', '../t/g', 'd/f', '.']

function random_file(r: Random): NodeForm {
  return { file: r.pick(contents), mode: r.pick(file_modes), uid: r.pick(owners), gid: r.pick(owners) }
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
    tree.d = { dir: without_links(dir), mode: r.pick(dir_modes), uid: r.pick(owners), gid: 0 }
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

// --- tasks -----------------------------------------------------------------------------------------------------

const capability_sets = [
  ['CAP_DAC_OVERRIDE'],
  ['CAP_DAC_READ_SEARCH'],
  ['CAP_FOWNER'],
  ['CAP_CHOWN'],
  ['CAP_FSETID'],
]

function random_task(r: Random, name: string, world: World): PlayTask {
  const id = r.pick([0, 0, 0, 1000, 1000, 1001])
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

/** What a task is thought to have: good enough to ask for what is there more often than not. */
interface Guess {
  readonly number: number
  /** Descriptors it may have, with 0 for reading only, 1 and 2 for writing. */
  readonly fds: number[]
  /** Those of them that are files of a layer. */
  readonly layer_fds: Set<number>
  /** Addresses of its mappings. */
  readonly maps: number[]
}

/** Where mappings are placed: addresses that no program has by itself. */
const map_places = [0x20000000, 0x20010000]
const PAGE = 4096

class Calls {
  private readonly tasks: Guess[]
  readonly made: PlayCall[] = []
  private guess: Guess

  constructor(
    private readonly r: Random,
    private readonly world: World,
    tasks: number,
  ) {
    this.tasks = Array.from({ length: tasks }, (_, i) => ({
      number: i + 1,
      fds: [],
      layer_fds: new Set(),
      maps: [],
    }))
    this.guess = this.tasks[0]!
  }

  /** Makes `count` calls, or a few more. */
  make(count: number): PlayCall[] {
    while (this.made.length < count) {
      this.guess = this.r.pick(this.tasks)
      this.r.weighted(this.kinds)
    }
    return this.made
  }

  private add(call: string, ...args: NonNullable<PlayCall['args']>): void {
    this.made.push({ task: this.guess.number, call, args })
  }

  // Paths and descriptors.

  /** A path below one of these places. */
  private below(places: readonly string[]): string {
    const { r } = this
    const place = r.pick(places)
    const name = r.weighted([
      [20, () => r.pick(['f', 'f', 'g', 'h'])],
      [6, () => r.pick(['d/f', 'd/g'])],
      [5, () => 's'],
      [4, () => 'd'],
      [4, () => r.pick(['n', 'd/n'])],
      [1, () => r.pick(['f/', 's/', 'd/', '.', '..', 'f/g', 'd/../f', 's/f', 'd/s', 'c'])],
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
    return `${this.r.pick(this.world.layers)}/${this.r.pick(['f', 'f', 'g', 'h', 'd/f', 'd'])}`
  }

  private fd(): number {
    const { fds } = this.guess
    if (fds.length === 0 || this.r.chance(0.03)) return this.r.pick([3, 4, 99, -1])
    return this.r.pick(fds)
  }

  /** A descriptor of a file whose attributes may be changed: not in a layer, which an overlay knows by heart. */
  private free_fd(): number {
    const fd = this.fd()
    return this.guess.layer_fds.has(fd) ? 99 : fd
  }

  private opened(in_layer = false): void {
    const { fds, layer_fds } = this.guess
    let fd = 3
    while (fds.includes(fd)) fd++
    fds.push(fd)
    // If the guess is wrong, so may be all those after it.
    if (in_layer) for (const each of [fd, ...fds]) layer_fds.add(each)
    else if (layer_fds.size > 0) layer_fds.add(fd)
  }

  private closed(fd: number): void {
    const at = this.guess.fds.indexOf(fd)
    if (at >= 0) this.guess.fds.splice(at, 1)
  }

  private address(): number {
    const { maps } = this.guess
    const place = maps.length > 0 && this.r.chance(0.95) ? this.r.pick(maps) : map_places[0]!
    return place + (this.r.chance(0.25) ? PAGE : 0)
  }

  // Calls, by what they are good for.

  private open(): void {
    const { r } = this
    const mode = r.pick(['O_RDONLY', 'O_RDONLY', 'O_RDWR', 'O_WRONLY'])
    if (this.world.layers.length > 0 && r.chance(0.2)) {
      const more = r.chance(0.15) ? '|O_TRUNC' : ''
      this.add('open', this.layer_path(), `${mode}${more}`)
      this.opened(true)
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
    if (more.includes('CREAT')) this.add('open', this.path(), flags, r.pick([0o644, 0o755, 0o666, 0o444]))
    else this.add('open', this.path(), flags)
    this.opened()
  }

  private openat(): void {
    const { r } = this
    this.add(
      'openat',
      this.fd(),
      r.pick(['f', 'g', 'd/f', '', '.', 's', '/t/f']),
      r.pick(['O_RDONLY', 'O_RDWR|O_CREAT', 'O_PATH']),
      0o644,
    )
    this.opened()
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

  private map(): void {
    const { r } = this
    const at = r.pick(map_places)
    const prot = r.pick([1, 1, 1, 3, 3, 2, 5, 0])
    const shared = r.pick([1, 1, 2])
    const offset = r.chance(0.1) ? PAGE : 0
    this.add('mmap', at, r.pick([PAGE, 2 * PAGE]), prot, shared | 0x10, this.fd(), offset)
    if (!this.guess.maps.includes(at)) this.guess.maps.push(at)
  }

  private protect(): void {
    this.add('mprotect', this.address(), this.r.pick([PAGE, 2 * PAGE]), this.r.pick([0, 1, 3, 5, 7]))
  }

  private unmap(): void {
    this.add('munmap', this.address(), this.r.pick([PAGE, 2 * PAGE]))
  }

  private close(): void {
    const fd = this.fd()
    this.add('close', fd)
    this.closed(fd)
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
    r.weighted([
      [3, () => this.dup()],
      [1, () => this.add('dup2', this.fd(), this.fd())],
      [1, () => this.add('dup3', this.fd(), r.pick([3, 4, 5]), r.pick(['O_CLOEXEC', 0]))],
    ])
  }

  private dup(): void {
    this.add('dup', this.fd())
    this.opened()
  }

  private self(): void {
    const { r } = this
    r.weighted([
      [3, () => this.add('prctl', 'PR_SET_SECUREBITS', r.int(16) << 8)],
      [1, () => this.add('prctl', 'PR_GET_SECUREBITS')],
      [2, () => this.add('chdir', this.path())],
      [1, () => this.add('fchdir', this.fd())],
      [1, () => this.add('umask', r.pick([0, 0o022, 0o077]))],
      [1, () => this.add('exit')],
    ])
  }

  private fork(): void {
    if (this.tasks.length >= 4) return
    const child = this.tasks.length + 1
    this.made.push({ task: this.guess.number, call: 'fork', args: [], child })
    this.tasks.push({
      number: child,
      fds: [...this.guess.fds],
      layer_fds: new Set(this.guess.layer_fds),
      maps: [...this.guess.maps],
    })
  }

  private readonly kinds: readonly (readonly [number, () => void])[] = [
    [26, () => this.open()],
    [2, () => this.openat()],
    [7, () => this.close()],
    [10, () => this.check()],
    [6, () => this.add('read', this.fd(), this.r.pick([1, 10, 5000]))],
    [5, () => this.add('pread', this.fd(), this.r.pick([3, 9000]), this.r.pick([0, 0, 2, 4096]))],
    [6, () => this.add('write', this.fd(), this.r.pick(['NEW', '', 'longer\n']))],
    [4, () => this.add('pwrite', this.fd(), 'PW', this.r.pick([0, 0, 4095, 6000]))],
    [2, () => this.add('lseek', this.fd(), this.r.pick([0, -1, 2, 10000]), this.r.int(5))],
    [5, () => this.change_size()],
    [8, () => this.map()],
    [6, () => this.add('peek', this.address(), this.r.pick([1, 4, 8]))],
    [4, () => this.add('poke', this.address(), this.r.pick(['P', 'Q']))],
    [2, () => this.protect()],
    [3, () => this.unmap()],
    [8, () => this.look()],
    [6, () => this.attributes()],
    [4, () => this.rename()],
    [7, () => this.names()],
    [2, () => this.descriptors()],
    [2, () => this.self()],
    [1, () => this.fork()],
  ]
}

/**
 * A random play.
 *
 * @param next a source of random 32-bit numbers
 * @param calls about how many calls
 */
export function random_play(next: () => number, calls = 12): Play {
  const r = new Random(next)
  const world = r.chance(0.35) ? plain_world(r) : overlay_world(r)
  const tasks = Array.from({ length: r.pick([1, 1, 2, 2, 3]) }, (_, i) =>
    random_task(r, `task${i + 1}`, world),
  )
  return { setup: world.setup, tasks, calls: new Calls(r, world, tasks.length).make(calls) }
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
    return new fc.Value(
      random_play(() => mrng.nextInt(), this.length),
      undefined,
    )
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

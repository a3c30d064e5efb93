/**
 * Random worlds: the file systems, mounts and overlays in which random programs are played (generate.ts).
 *
 * What the overlay documentation leaves undefined does not occur, by construction. Layers are not to be changed
 * while an overlay is mounted on them. New contents of a layer's file stay defined in all that a program can see,
 * and scenarios are about them. New names, owners, modes and links are not: the kernel reads them when it first
 * looks at a file through the overlay, and when that is depends on what it has kept in memory.
 *
 * So no directory of a layer stands in the tree of a program but read-only (/v, /y): there whiteouts and links can be
 * seen, and nothing is changed. Besides there are single files of layers, each mounted by itself below /l or /u.
 * Whatever a program does with its working directory or a descriptor, it can make or remove no name in a layer. A
 * file with set-id bits is mounted read-only, since writing to it would take them off. What is left is chmod and
 * chown by descriptor, and generate.ts asks the model whose file it is.
 *
 * An overlay that is a lower layer of another is a layer too: it stands at /k, which no path of a program leads to.
 */
import { type Parameter, syscall_named } from '../../kernel/syscall.js'
import type {
  ArgumentForm,
  BytesForm,
  FileSystemForm,
  MountForm,
  MountOption,
  NodeForm,
  OverlayForm,
  TreeForm,
} from '../../scenario/form.js'
import type { Play, PlayCall } from '../agent/play.js'
import { sleeping_program } from '../agent/sleeping_program.js'
import type { Random } from './choices.js'

// --- files -----------------------------------------------------------------------------------------------------

export const file_modes = [
  0o644, 0o755, 0o755, 0o755, 0o777, 0o666, 0o600, 0o700, 0o444, 0o555, 0o111, 0o4755, 0o2755, 0,
]
const dir_modes = [
  0o755, 0o755, 0o755, 0o777, 0o777, 0o700, 0o555, 0o1777, 0o1777, 0o1777, 0o711, 0o2777, 0o2777,
]
const contents: readonly BytesForm[] = [
  '',
  'a',
  'hello\n',
  '#!/t/f\n',
  '#!/m/g arg\n',
  '#!/missing\n',
  'x'.repeat(4096),
  'y'.repeat(5000),
  { base64: sleeping_program(globalThis.process?.arch ?? 'x64') },
]
const owners = [0, 0, 1000]
/** Names below each directory; what they are is left to chance. */
const names = ['f', 'g', 'h', 'd', 's'] as const
export const targets = ['f', 'g', '/t/f', '/m/f', 'd', 's', 'missing', '../t/g', 'd/f', '.']

/** A file loses them when it is written, unless its writer may keep them. */
const SET_ID_BITS = 0o6000

function random_file(r: Random): NodeForm {
  const flags = r.chance(0.05) ? { immutable: true } : r.chance(0.04) ? { append: true } : {}
  return {
    file: r.pick(contents),
    mode: r.pick(file_modes),
    uid: r.pick(owners),
    gid: r.pick(owners),
    ...flags,
  }
}

type Part = 'plain' | 'lower' | 'upper'

function random_tree(r: Random, depth: number, part: Part): TreeForm {
  const tree: Record<string, NodeForm> = {}
  for (const name of ['f', 'g', 'h']) {
    if (r.chance(part === 'upper' ? 0.25 : 0.7)) tree[name] = random_file(r)
  }
  if (tree.f !== undefined && part !== 'upper' && r.chance(0.15)) tree.h = { link: 'f' }
  if (r.chance(0.5)) tree.s = { symlink: r.pick(targets) }
  if (depth > 0 && r.chance(part === 'upper' ? 0.3 : 0.7)) tree.d = random_directory(r, depth - 1, part)
  if (depth > 0 && r.chance(0.1)) tree.e = random_directory(r, 0, part)
  if (part === 'upper' && r.chance(0.2)) tree[r.pick(names)] = { whiteout: true }
  if (r.chance(part === 'plain' ? 0.15 : 0.05)) tree.p = { device: 'fifo', mode: r.pick([0o755, 0o666]) }
  if (part === 'plain' && r.chance(depth === 0 ? 0.3 : 0.15)) tree.c = random_device(r)
  return tree
}

function random_directory(r: Random, depth: number, part: Part): NodeForm {
  const dir = {
    dir: without_links(random_tree(r, depth, part)),
    mode: r.pick(dir_modes),
    uid: r.pick(owners),
    gid: r.pick(owners),
  }
  return part === 'upper' && r.chance(0.2) ? { ...dir, opaque: true } : dir
}

/** The devices that a kernel may be asked to open: null, zero, full. */
function random_device(r: Random): NodeForm {
  return {
    device: 'char',
    rdev: r.pick([0x103, 0x103, 0x105, 0x107]),
    mode: r.pick([0o777, 0o666, 0o644]),
    uid: r.pick(owners),
  }
}

/** Links of a directory within a tree would need their path from the root. */
function without_links(tree: TreeForm): TreeForm {
  return Object.fromEntries(
    Object.entries(tree).filter(([, node]) => typeof node === 'string' || !('link' in node)),
  )
}

// --- worlds ----------------------------------------------------------------------------------------------------

export interface World {
  readonly setup: Play['setup']
  /** Places of which everything may be asked. */
  readonly free: readonly string[]
  /** Files of layers, each mounted by itself, and the path at which an overlay has them unless they are hidden. */
  readonly layer_files: readonly LayerFile[]
  /** Where proc is mounted, if it is. */
  readonly proc?: string
}

export interface LayerFile {
  readonly path: string
  readonly in_overlay: string
}

export function random_world(r: Random, one_user: boolean): World {
  const world = r.chance(0.35) ? plain_world(r) : overlay_world(r)
  const played = one_user ? of_one_user(world) : world
  return r.chance(0.12) ? with_proc(played) : played
}

/** Tasks see their descriptors, at /p. */
function with_proc(world: World): World {
  const { filesystems, mounts = [] } = world.setup
  const setup = {
    ...world.setup,
    filesystems: { ...filesystems, proc: { type: 'proc' as const } },
    mounts: [...mounts, { at: '/p', filesystem: 'proc' }],
  }
  return { ...world, setup, proc: '/p' }
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
    layer_files: [],
  }
}

/** Where the layers of an overlay are, as `name:/path`, and what stands in them. */
interface Layers {
  readonly filesystems: Readonly<Record<string, FileSystemForm>>
  readonly lower: readonly string[]
  readonly upper?: string
  readonly work?: string
  readonly trees: readonly (readonly [string, TreeForm])[]
}

/** Each layer on a file system of its own, or all on one. */
function random_layers(r: Random, on_one = r.chance(0.2)): Layers {
  const has_upper = r.chance(0.85)
  const lowers = Array.from(
    { length: has_upper ? r.pick([1, 1, 1, 1, 2, 3]) : r.pick([2, 2, 3]) },
    (_, i) => ({
      name: ['low', 'deep', 'base'][i]!,
      tree: random_tree(r, 1, 'lower'),
    }),
  )
  const upper = random_tree(r, 1, 'upper')
  if (on_one) return on_one_filesystem(lowers, has_upper ? upper : undefined)
  const read_only = r.chance(0.15)
  const filesystems: Record<string, FileSystemForm> = Object.fromEntries(
    lowers.map(({ name, tree }) => [name, { type: 'tmpfs', tree, ...(read_only ? { read_only } : {}) }]),
  )
  if (has_upper) filesystems.up = { type: 'tmpfs', tree: { u: { dir: upper }, w: { dir: {} } } }
  return {
    filesystems,
    lower: lowers.map(({ name }) => name),
    ...(has_upper ? { upper: 'up:/u', work: 'up:/w' } : {}),
    trees: [
      ...lowers.map(({ name, tree }) => [`${name}:`, tree] as const),
      ...(has_upper ? [['up:/u', upper] as const] : []),
    ],
  }
}

function on_one_filesystem(
  lowers: readonly { readonly name: string; readonly tree: TreeForm }[],
  upper: TreeForm | undefined,
): Layers {
  const all: Record<string, NodeForm> = {}
  for (const { name, tree } of lowers) all[name] = { dir: without_links(tree) }
  if (upper !== undefined) Object.assign(all, { u: { dir: upper }, w: { dir: {} } })
  const parts = lowers.map(({ name }) => `all:/${name}`)
  return {
    filesystems: { all: { type: 'tmpfs', tree: all } },
    lower: parts,
    ...(upper === undefined ? {} : { upper: 'all:/u', work: 'all:/w' }),
    trees: [
      ...lowers.map(({ tree }, i) => [parts[i]!, without_links(tree)] as const),
      ...(upper === undefined ? [] : [['all:/u', upper] as const]),
    ],
  }
}

/**
 * An overlay on /m; files of its layers below /l and /u; sometimes without an upper, read-only or noexec. Perhaps
 * a second overlay on /n that shares its lowers.
 */
function overlay_world(r: Random): World {
  const layers = random_stack(r)
  const { lower, upper, work, trees, below } = layers
  const options = random_options(r)
  const files = trees.flatMap(([layer, tree]) => layer_mounts(r, layer, tree, layer === upper ? '/u' : '/l'))
  const shared = r.chance(0.15)
  const mounts: MountForm[] = [
    { at: '/', filesystem: 'root' },
    { at: '/t', filesystem: 'plain' },
    ...below,
    { at: '/m', overlay: { lower, upper, work }, ...options },
    ...(shared ? [{ at: '/n', overlay: second_overlay(r, lower) }] : []),
    ...files.map(({ mount }) => mount),
  ]
  const views = random_views(r, layers)
  mounts.push(...views)
  const bound = r.chance(0.25)
  if (bound) mounts.push(random_bind(r, '/m'))
  const filesystems: Record<string, FileSystemForm> = {
    root: { type: 'tmpfs', tree: mount_points(files) },
    ...layers.filesystems,
    plain: { type: 'tmpfs', tree: random_tree(r, r.int(2), 'plain') },
  }
  if (shared)
    filesystems.other = { type: 'tmpfs', tree: { u: { dir: random_tree(r, 1, 'upper') }, w: { dir: {} } } }
  const layer_files = files.map(({ mount, root }) => ({
    path: mount.at,
    in_overlay: `/m${root.replace(/^\/(k\/)?(u|low|deep|base)\//, '/').replace(/^\/k\//, '/')}`,
  }))
  return {
    setup: { filesystems, mounts },
    free: [
      ...['/m', '/m', '/m', '/m', '/t'],
      ...(shared ? ['/n', '/n'] : []),
      ...(bound ? ['/b'] : []),
      ...views.map(({ at }) => at),
    ],
    layer_files,
  }
}

const random_options = (r: Random): { readonly options?: readonly MountOption[] } =>
  r.chance(0.15) ? { options: r.pick([['ro'], ['noexec'], ['nosymfollow']] as const) } : {}

/** Layers of an overlay, and what is to be mounted before it. */
interface Stack extends Layers {
  readonly below: readonly MountForm[]
}

function random_stack(r: Random): Stack {
  if (r.chance(0.3)) return overlay_on_overlay(r)
  const layers = random_layers(r)
  return r.chance(0.1) ? named_by_path(r, layers) : { ...layers, below: [] }
}

/** The topmost lower layer is mounted at /z, and named so. */
function named_by_path(r: Random, layers: Layers): Stack {
  const [topmost, ...others] = layers.lower
  const [filesystem, root = '/'] = topmost!.split(':') as [string, string?]
  const below: MountForm[] = [{ at: '/z', filesystem, root, ...random_options(r) }]
  return { ...layers, lower: ['/z', ...others], below }
}

/**
 * An overlay at /k, and what has it as a lower layer. The layers of that at /k are on one file system: an inode
 * number that it takes from one of several is told on without which of them that was, so that two files may have
 * one number, and that depends on the numbers themselves (fs/overlayfs/inode.c: ovl_map_dev_ino; seen on 6.18).
 */
function overlay_on_overlay(r: Random): Stack {
  const { lower, upper, work, filesystems, trees } = random_layers(r, true)
  const side = random_tree(r, 1, 'lower')
  const top = random_tree(r, 1, 'upper')
  const has_upper = r.chance(0.9)
  const lowers: readonly (readonly string[])[] = has_upper
    ? [['/k'], ['/k'], ['/k'], ['/k', 'side'], ['side', '/k'], ['/k', lower[0]!], [below_k(trees)]]
    : [
        ['/k', 'side'],
        ['side', '/k'],
      ]
  return {
    filesystems: {
      ...filesystems,
      side: { type: 'tmpfs', tree: side },
      top: { type: 'tmpfs', tree: { u: { dir: top }, w: { dir: {} } } },
    },
    lower: r.pick(lowers),
    ...(has_upper ? { upper: 'top:/u', work: 'top:/w' } : {}),
    trees: [...trees, ['/k', shown_files(trees)], ...(has_upper ? [['top:/u', top] as const] : [])],
    below: [{ at: '/k', overlay: { lower, upper, work }, ...random_options(r) }],
  }
}

/** The directory d of the overlay at /k, where it surely has one. */
function below_k(trees: Layers['trees']): string {
  const is_dir = (tree: TreeForm) => typeof tree.d === 'object' && 'dir' in tree.d
  return trees.every(([, tree]) => is_dir(tree)) ? '/k/d' : '/k'
}

/** Files that the overlay at /k surely shows: each is in one layer, and no other has its name. */
function shown_files(trees: Layers['trees']): TreeForm {
  const names = ['f', 'g', 'h'].filter((name) => trees.filter(([, tree]) => name in tree).length === 1)
  const files = names.flatMap((name) => {
    const node = trees.map(([, tree]) => tree[name]).find((each) => each !== undefined)!
    return typeof node === 'object' && 'file' in node ? [[name, node] as const] : []
  })
  return Object.fromEntries(files)
}

/** Layers as they are by themselves, where nobody changes them: the upper on /v, the topmost lower on /y. */
function random_views(r: Random, { upper, lower }: Layers): MountForm[] {
  const view = (at: string, layer: string): MountForm => {
    if (layer.startsWith('/')) return { at, bind: layer, options: ['ro'] }
    const [filesystem, root = '/'] = layer.split(':') as [string, string?]
    return { at, filesystem, root, options: ['ro'] }
  }
  return [
    ...(upper !== undefined && r.chance(0.3) ? [view('/v', upper)] : []),
    ...(r.chance(0.1) ? [view('/y', lower[0]!)] : []),
  ]
}

/** An upper of its own, or none where the lowers are enough. */
function second_overlay(r: Random, lower: readonly string[]) {
  return lower.length > 1 && r.chance(0.3) ? { lower } : { lower, upper: 'other:/u', work: 'other:/w' }
}

/** A file of a layer that is mounted by itself; its path in the file system of the layer, or at the mount that shows it. */
interface FileMount {
  readonly mount: MountForm
  readonly root: string
}

/** So many files of one layer are mounted. */
const FILES_OF_A_LAYER = 2

/** Some files of a layer, each mounted by itself. */
function layer_mounts(r: Random, layer: string, tree: TreeForm, below: string): FileMount[] {
  const [filesystem, inside = ''] = layer.startsWith('/')
    ? ['k', layer]
    : (layer.split(':') as [string, string?])
  const files = regular_files(tree, '')
  const chosen =
    files.length <= FILES_OF_A_LAYER ? files : [r.pick(files.slice(0, 1)), r.pick(files.slice(1))]
  return chosen.map(([path, mode]) => {
    const options: readonly MountOption[] =
      (mode & SET_ID_BITS) !== 0 ? ['ro'] : r.chance(0.1) ? r.pick([['ro'], ['noexec']] as const) : []
    const name = `${filesystem === 'up' || filesystem === 'low' ? '' : `${filesystem}_`}${path.slice(1).replace('/', '_')}`
    const root = `${inside}${path}`
    const of = layer.startsWith('/') ? { bind: root } : { filesystem, root }
    return { mount: { at: `${below}/${name}`, ...of, ...(options.length === 0 ? {} : { options }) }, root }
  })
}

/** Paths of the regular files of a tree, and their modes. */
function regular_files(tree: TreeForm, at: string): (readonly [string, number])[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    if (typeof node === 'string') return [[`${at}/${name}`, 0o644] as const]
    if ('dir' in node) return regular_files(node.dir, `${at}/${name}`)
    return 'file' in node ? [[`${at}/${name}`, Number(node.mode ?? 0o644)] as const] : []
  })
}

/** Empty files on which files of layers are mounted. */
function mount_points(files: readonly FileMount[]): TreeForm {
  const directories: Record<string, Record<string, NodeForm>> = {}
  for (const { mount } of files) {
    const [, dir, name] = mount.at.split('/') as [string, string, string]
    directories[dir] = { ...directories[dir], [name]: '' }
  }
  return Object.fromEntries(Object.entries(directories).map(([name, dir]) => [name, { dir }]))
}

/** Paths of files of the set-up, where they are first seen. */
export function known_paths({ setup }: World): string[] {
  const trees_of = (layer: string): TreeForm[] => {
    if (layer.startsWith('/')) return trees_at(layer)
    return [tree_of(layer)]
  }
  const trees_at = (path: string): TreeForm[] =>
    (setup.mounts ?? []).flatMap((mount) => {
      if (mount.at === '/' || !`${path}/`.startsWith(`${mount.at}/`)) return []
      if ('overlay' in mount) return layers_of(mount.overlay).flatMap(trees_of)
      return 'filesystem' in mount ? [tree_of(`${mount.filesystem}:${mount.root ?? '/'}`)] : []
    })
  const tree_of = (layer: string): TreeForm => {
    const [name, inside = '/'] = layer.split(':')
    const tree = setup.filesystems?.[name!]?.tree ?? {}
    const part = tree[inside.slice(1)]
    return inside === '/' ? tree : typeof part === 'object' && 'dir' in part ? part.dir : {}
  }
  return (setup.mounts ?? []).flatMap((mount): string[] => {
    if ('bind' in mount || mount.at === '/') return []
    if ('overlay' in mount) {
      return layers_of(mount.overlay)
        .flatMap(trees_of)
        .flatMap((tree) => paths_of(tree, mount.at))
    }
    return paths_of(tree_of(`${mount.filesystem}:${mount.root ?? '/'}`), mount.at)
  })
}

/** The layers of an overlay, the topmost first. */
export const layers_of = ({ lower, upper }: OverlayForm): readonly string[] =>
  upper === undefined ? lower : [upper, ...lower]

function paths_of(tree: TreeForm, at: string): string[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    const path = `${at}/${name}`
    return typeof node === 'object' && 'dir' in node ? [path, ...paths_of(node.dir, path)] : [path]
  })
}

// --- one user --------------------------------------------------------------------------------------------------

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

/** The same call where there is no uid 1000, and devices cannot be made. */
export function call_of_one_user(call: PlayCall): PlayCall {
  const params = syscall_named(call.call)?.params ?? []
  return call.args === undefined
    ? call
    : {
        ...call,
        args: call.args.map((arg, i) =>
          params[i] === undefined ? arg : argument_of_one_user(params[i], arg),
        ),
      }
}

function argument_of_one_user({ kind }: Parameter, arg: ArgumentForm): ArgumentForm {
  if (kind === 'id') return arg === 1000 ? 0 : arg
  if (kind !== 'mode') return arg
  if (typeof arg === 'string') return arg.replace(/S_IF(CHR|BLK)/, 'S_IFREG')
  return typeof arg === 'number' && arg > 0o1777 ? arg & ~SET_ID_BITS : arg
}

/** Random set-ups: a tmpfs or ext4 at the root, perhaps an overlay at `/m` and a bind of it, perhaps a policy. */
import fc from 'fast-check'
import { type Release, release_names } from '../kernel/profile.js'
import type { FileSystemForm, MountForm, MountOption, SetupForm, TreeForm } from '../scenario/form.js'
import { policies } from './policies.js'
import { file_trees, type TreeOptions } from './trees.js'

/** What random set-ups are made of. */
export interface SetupOptions {
  /** What their file systems hold. */
  readonly trees?: TreeOptions
  /** Kernels to choose from; all unless told. */
  readonly profiles?: readonly Release[]
}

const options_of = (wide: boolean) =>
  fc.option(fc.subarray<MountOption>(wide ? ['ro', 'noexec', 'nosuid', 'nodev', 'nosymfollow'] : ['ro']), {
    nil: undefined,
    freq: 3,
  })

interface Parts {
  readonly profile: Release
  readonly type: 'tmpfs' | 'ext4'
  readonly tree: TreeForm
  readonly overlay: 'none' | 'upper' | 'no upper'
  readonly lower: TreeForm
  readonly upper: TreeForm
  readonly image: 'tmpfs' | 'ext4' | 'erofs' | 'signed'
  readonly mount_options: readonly MountOption[] | undefined
  readonly bind_options: readonly MountOption[] | undefined
  readonly bind: boolean
  readonly policy: string | undefined
}

const lower_form = (image: Parts['image'], tree: TreeForm): FileSystemForm =>
  image === 'signed' ? { type: 'erofs', dmverity: { signed: true }, tree } : { type: image, tree }

function setup_of(parts: Parts): SetupForm {
  const { overlay, profile, policy } = parts
  const filesystems: Record<string, FileSystemForm> = { root: { type: parts.type, tree: parts.tree } }
  const mounts: MountForm[] = [{ at: '/', filesystem: 'root' }]
  if (overlay !== 'none') {
    const { m: _, ...tree } = parts.tree
    filesystems.root = { type: parts.type, tree: { ...tree, m: { dir: {} } } }
    filesystems.low = lower_form(parts.image, parts.lower)
    const options = parts.mount_options
    if (overlay === 'upper') {
      filesystems.up = { type: 'tmpfs', tree: { u: { dir: parts.upper }, w: { dir: {} } } }
      mounts.push({ at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' }, options })
    } else {
      filesystems.deep = { type: 'erofs', tree: parts.upper }
      mounts.push({ at: '/m', overlay: { lower: ['low', 'deep'] }, options })
    }
  }
  if (parts.bind)
    mounts.push({ at: '/b', bind: overlay === 'none' ? '/' : '/m', options: parts.bind_options })
  return { profile, filesystems, mounts, ...(policy === undefined ? {} : { lsm: { ipe: { policy } } }) }
}

/** A set-up; its files are at `/`, and where there is an overlay at `/m` too. */
export function setups(options: SetupOptions = {}): fc.Arbitrary<SetupForm> {
  const { trees, profiles = release_names } = options
  const tree = file_trees(trees)
  return fc
    .record<Parts>({
      profile: fc.constantFrom(...profiles),
      type: fc.constantFrom('tmpfs', 'ext4'),
      tree,
      overlay: fc.constantFrom('none', 'upper', 'upper', 'upper', 'no upper'),
      lower: tree,
      upper: file_trees({ ...trees, depth: 0 }),
      image: fc.constantFrom('tmpfs', 'ext4', 'erofs', 'signed'),
      mount_options: options_of(false),
      bind: fc.boolean(),
      bind_options: options_of(true),
      policy: fc.oneof(
        { weight: 3, arbitrary: fc.constant(undefined) },
        { weight: 2, arbitrary: policies() },
      ),
    })
    .map((parts) => without_undefined(setup_of(parts)))
}

/** JSON has no undefined. */
const without_undefined = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

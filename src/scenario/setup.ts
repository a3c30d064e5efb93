/**
 * Boots a set-up: file systems, mounts, security modules, tasks. Everything is made in the range of task 0,
 * so the numbers that a reader meets first are small.
 */

import { securebits } from '../exec/securebits.js'
import { utf8_bytes } from '../kernel/decode.js'
import { errno_name } from '../kernel/errno.js'
import { file_system } from '../kernel/fs.js'
import type { Kernel, SecurityModule } from '../kernel/kernel.js'
import {
  features,
  features_without_rule,
  type Profile,
  profile_named,
  type Release,
  release_names,
} from '../kernel/profile.js'
import { is_computed } from '../kernel/schema.js'
import { LsmOptionError } from '../lsm/define_lsm.js'
import { check_rules, type Rule } from '../lsm/rules.js'
import { all_lsms, first_lsms, is_inside, mount_overlay, mutable_lsms, rules_module } from '../model.js'
import { dentry, dget } from '../vfs/dentry.js'
import { FMODE_READ, FMODE_WRITE, file } from '../vfs/file.js'
import { fd_install } from '../vfs/files/file_table.js'
import {
  add_node,
  attach_mount,
  find_place,
  lookup_path,
  make_super_block,
  type Place,
  populate,
} from '../vfs/filesystems/populate.js'
import { inode, is_dir } from '../vfs/inode.js'
import { mm_struct } from '../vfs/memory/mm.js'
import { O_RDWR } from '../vfs/open/open_flags.js'
import { super_block } from '../vfs/super_block.js'
import { CAP_FULL_SET, first_cred, RLIMIT_NOFILE, task_struct, user_buffer } from '../vfs/tasks/task.js'
import { type CapabilityName, capability_names } from './capabilities.js'
import { ScenarioError, suggestion } from './error.js'
import type { FileSystemForm, LsmForm, MountForm, SetupForm, TaskForm } from './form.js'
import { check_inside, convert_tree, digest_of } from './tree.js'

// --- profile and modules -----------------------------------------------------------------------------------

/** `6.19`, `6.19+ovl_read_pinned+-ipe_execve_check`. @throws ScenarioError */
export function parse_profile(text: string, path: string): Profile {
  const known = profile_named(text)
  if (known !== undefined) return known
  throw new ScenarioError(path, what_is_wrong_with(text))
}

/** Why there is no profile of this name. */
function what_is_wrong_with(profile: string): string {
  const [release, ...changes] = profile.split('+')
  if (!release_names.includes(release as Release))
    return `there is no kernel profile ${JSON.stringify(release)}; expected one of ${release_names.join(', ')}`
  const names = changes.map((change) => change.replace(/^-/, ''))
  const wrong = names.find((name) => !Object.hasOwn(features, name)) ?? ''
  if (Object.hasOwn(features_without_rule, wrong))
    return `${wrong} is not modelled yet: no rule of the model asks for it`
  const all = [...Object.keys(features), ...Object.keys(features_without_rule)]
  return `there is no feature ${JSON.stringify(wrong)}${suggestion(wrong, all)}`
}

/**
 * The security modules of a set-up, in the order in which they are asked: those that are always there, then as
 * `order` says, or the kernel's as they are registered, tables of rules and code.
 */
export function make_modules(
  form: LsmForm,
  code: ReadonlyMap<string, SecurityModule>,
  path: string,
): readonly SecurityModule[] {
  const made = [...kernel_modules(form, path), ...users_modules(form, code, path)]
  return [...first_lsms().map((each) => each.make()), ...in_order(made, form.order, `${path}.order`)]
}

function kernel_modules(form: LsmForm, path: string): SecurityModule[] {
  return mutable_lsms().flatMap(({ name, make }) => {
    const options = form[name]
    if (options === undefined) return []
    try {
      return [make(options)]
    } catch (error) {
      if (!(error instanceof LsmOptionError)) throw error
      throw new ScenarioError(`${path}.${name}.${error.option}`, error.message)
    }
  })
}

/** Tables of rules, and code. */
function users_modules(
  form: LsmForm,
  code: ReadonlyMap<string, SecurityModule>,
  path: string,
): SecurityModule[] {
  const made: SecurityModule[] = []
  for (const [i, { name, rules }] of (form.rules ?? []).entries()) {
    const [wrong] = check_rules(rules, `${path}.rules[${i}].rules`)
    if (wrong !== undefined) throw new ScenarioError('', wrong)
    made.push(rules_module(name, rules as unknown as readonly Rule[]))
  }
  for (const [i, named] of (form.modules ?? []).entries()) {
    const module = code.get(named.code)
    if (module === undefined) {
      throw new ScenarioError(
        `${path}.modules[${i}]`,
        `the module ${JSON.stringify(named.code)} is code, which a scenario that is data does not carry`,
      )
    }
    made.push(module)
  }
  check_names_of_modules(made, path)
  return made
}

/** Two of one name could not be told apart, in an order, in a trace, by a property. */
function check_names_of_modules(users: readonly SecurityModule[], path: string): void {
  const own: readonly string[] = all_lsms().map(({ name }) => name)
  const names = users.map(({ name }) => name)
  const taken = names.find((name, i) => own.includes(name) || names.indexOf(name) !== i)
  if (taken !== undefined)
    throw new ScenarioError(
      path,
      own.includes(taken)
        ? `${taken} is a module of the kernel; a module of your own needs another name`
        : `two modules are named ${JSON.stringify(taken)}`,
    )
}

function in_order(
  modules: readonly SecurityModule[],
  order: readonly string[] | undefined,
  path: string,
): readonly SecurityModule[] {
  if (order === undefined) return modules
  const names = modules.map((module) => module.name)
  const unknown = order.find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new ScenarioError(
      path,
      `there is no module ${JSON.stringify(unknown)}${suggestion(unknown, names)}`,
    )
  const twice = order.find((name, i) => order.indexOf(name) !== i)
  if (twice !== undefined) throw new ScenarioError(path, `${twice} is named twice`)
  const left_out = names.find((name) => !order.includes(name))
  if (left_out !== undefined)
    throw new ScenarioError(path, `${left_out} is missing; the order names every module`)
  return order.map((name) => modules.find((module) => module.name === name)!)
}

// --- file systems ------------------------------------------------------------------------------------------

/** Whether what is in a file system of this type is computed. */
const is_computing = (type: string): boolean => file_system(type).computed !== undefined

interface Made {
  readonly root: number
  /** Dentries of the directories that hide what lies below them in an overlay. */
  readonly opaque: readonly number[]
}

function make_filesystem(k: Kernel, name: string, form: FileSystemForm, path: string): Made {
  const { type, dmverity, initramfs } = form
  const sb = make_super_block(k, {
    id: name,
    type,
    initramfs,
    // What dm-verity vouches for cannot be written.
    read_only: form.read_only === true || dmverity !== undefined,
    bdev: dmverity && {
      roothash: dmverity.roothash ?? digest_of(utf8_bytes(JSON.stringify(form.tree ?? {}))),
      signed: dmverity.signed,
    },
  })
  const { fill_super } = file_system(type)
  if (fill_super !== undefined) {
    if (form.tree !== undefined)
      throw new ScenarioError(`${path}.tree`, `what is in ${type} is not for a set-up to say`)
    return { root: fill_super(k, sb), opaque: [] }
  }
  const tree = convert_tree(form.tree ?? {}, `${path}.tree`)
  const root = populate(k, sb, tree.root)
  return { root, opaque: tree.opaque.map((inside) => lookup_path(k, root, inside)) }
}

/** Boots the mounts of one set-up, in their order. */
class Mounts {
  private root_mnt = 0
  private readonly filesystems = new Map<string, Made>()
  /** Directories in which an overlay writes: its upper layer, its work directory. */
  private readonly written: number[] = []
  /** Layers of overlays, whose names are known from the mount of the overlay on. */
  private readonly layers = new Set<number>()

  constructor(
    private readonly k: Kernel,
    form: SetupForm,
    path: string,
  ) {
    this.check_one_of_computed(form, path)
    for (const [name, fs] of Object.entries(form.filesystems ?? {})) {
      this.filesystems.set(name, make_filesystem(k, name, fs, `${path}.filesystems.${name}`))
    }
    const mounts = form.mounts ?? []
    for (const [i, each] of mounts.entries()) this.mount(each, `${path}.mounts[${i}]`)
    if (mounts.length > 0) return
    const { root } = make_filesystem(k, 'root', { type: 'tmpfs' }, path)
    this.root_mnt = attach_mount(k, { root })
  }

  /** Numbers of computed names say nothing of a superblock. @throws ScenarioError */
  private check_one_of_computed({ filesystems = {} }: SetupForm, path: string): void {
    const [first, second] = Object.entries(filesystems).filter(([, { type }]) => is_computing(type))
    if (second === undefined) return
    throw new ScenarioError(
      `${path}.filesystems.${second[0]}`,
      `there is a file system of type ${second[1].type} already; mount ${first![0]} again`,
    )
  }

  get root(): Place {
    return find_place(this.k, this.root_mnt, '/')!
  }

  private mount(form: MountForm, path: string): void {
    const { root, inherited } = this.tree_of(form, path)
    const { options } = form
    if (this.root_mnt === 0) {
      if (form.at !== '/') throw new ScenarioError(`${path}.at`, `the first mount is at /, not ${form.at}`)
      this.root_mnt = attach_mount(this.k, { root, options })
      return
    }
    const on = this.walk(form.at, `${path}.at`, true)
    if (this.is_directory(on.dentry) !== this.is_directory(root)) {
      throw new ScenarioError(
        `${path}.at`,
        `${form.at} and what is mounted there must both be directories, or both not`,
      )
    }
    attach_mount(this.k, { root, parent: on.mnt, mountpoint: on.dentry, options, inherited })
  }

  /** The dentry that shows at the mount point, and of a bind the mount that it is a copy of. */
  private tree_of(form: MountForm, path: string): { readonly root: number; readonly inherited?: number } {
    if ('filesystem' in form)
      return { root: this.inside(`${form.filesystem}:${form.root ?? '/'}`, `${path}.filesystem`) }
    if ('bind' in form) {
      const { mnt, dentry } = this.walk(form.bind, `${path}.bind`)
      return { root: dentry, inherited: mnt }
    }
    return { root: this.overlay(form, `${path}.overlay`) }
  }

  private is_directory(at: number): boolean {
    return is_dir(inode(this.k, dentry(this.k, at).d_inode).i_mode)
  }

  private overlay(form: Extract<MountForm, { overlay: unknown }>, path: string): number {
    const lower = form.overlay.lower.map((each, i) => this.layer(each, `${path}.lower[${i}]`))
    const upper = form.overlay.upper === undefined ? null : this.layer(form.overlay.upper, `${path}.upper`)
    const work = form.overlay.work === undefined ? null : this.layer(form.overlay.work, `${path}.work`)
    const lowers = lower.map((each) => each.dentry)
    const made = mount_overlay(this.k, {
      id: form.at === '/' ? 'overlay' : `overlay${form.at.replaceAll('/', '-')}`,
      lower: lowers,
      ...(upper === null ? {} : { upper: upper.dentry, upper_mnt: upper.mnt }),
      ...(work === null ? {} : { work: work.dentry, work_mnt: work.mnt }),
      read_only: form.options?.includes('ro'),
      options: form.overlay.options,
      opaque: [...this.filesystems.values()].flatMap((each) => each.opaque),
    })
    if ('errno' in made) throw new ScenarioError(path, `${errno_name(made.errno)}: ${made.why}`)
    const written = [upper, work].flatMap((each) => (each === null ? [] : [each.dentry]))
    this.check_defined(lowers, written, path)
    this.written.push(...written)
    for (const each of [...lowers, ...written]) this.layers.add(each)
    return super_block(this.k, made.sb).s_root
  }

  /**
   * A kernel mounts these too, and warns, or answers ELOOP once a name is looked up: what is seen through them is
   * defined by nobody (fs/overlayfs/super.c: ovl_check_layer, ovl_report_in_use; namei.c: ovl_lookup, overlapping
   * layers; seen on 6.18).
   *
   * @throws ScenarioError
   */
  private check_defined(lower: readonly number[], written: readonly number[], path: string): void {
    const inside = (one: number, other: number) => is_inside(this.k, one, other)
    for (const other of this.written) {
      if (written.some((each) => inside(each, other) || inside(other, each)))
        throw new ScenarioError(
          path,
          'another overlay writes to upper or work already (on a kernel the behaviour is undefined); each overlay needs its own',
        )
      const i = lower.findIndex((each) => inside(each, other))
      if (i >= 0)
        throw new ScenarioError(
          `${path}.lower[${i}]`,
          'another overlay writes to this directory (on a kernel the behaviour is undefined); name a directory of that overlay as the layer, as in "/m"',
        )
    }
    const i = lower.findIndex((each) => written.some((other) => inside(other, each)))
    if (i >= 0)
      throw new ScenarioError(
        `${path}.lower[${i}]`,
        'upper or work lies inside this layer (there the kernel answers ELOOP); give the layers directories beside each other',
      )
  }

  /** A layer: a directory of a file system, or what an earlier mount shows at a path, with that mount. */
  private layer(text: string, path: string): Place {
    if (!text.startsWith('/')) return { mnt: 0, dentry: this.inside(text, path) }
    if (this.root_mnt === 0)
      throw new ScenarioError(
        path,
        `${text} is a path, and nothing is mounted before this overlay; a layer of the first mount is name or name:/path`,
      )
    return this.walk(text, path)
  }

  /** The directory that `name:/path` stands for. */
  private inside(text: string, path: string): number {
    const [name, inside = '/'] = text.split(':')
    const made = this.filesystems.get(name!)
    if (made === undefined) {
      const names = [...this.filesystems.keys()]
      throw new ScenarioError(
        path,
        `there is no file system ${JSON.stringify(name)}${suggestion(name!, names)}`,
      )
    }
    check_inside(inside, path)
    const found = lookup_path(this.k, made.root, inside)
    if (found === 0) throw new ScenarioError(path, `there is no ${inside} in the file system ${name}`)
    return found
  }

  /** What a path stands for, without following symbolic links. A missing directory is made where that is simple. */
  walk(name: string, path: string, make = false): Place {
    check_inside(name, path)
    const found = find_place(this.k, this.root_mnt, name)
    if (found !== undefined && !is_computed(found.dentry)) return found
    const bare = name.replace(/\/+$/, '')
    const slash = bare.lastIndexOf('/')
    if (!make || slash < 0)
      throw new ScenarioError(path, `there is no ${name} (symbolic links are not followed here)`)
    const above = this.walk(bare.slice(0, slash), path, true)
    const { s_type } = super_block(this.k, dentry(this.k, above.dentry).d_sb)
    if (is_computing(s_type))
      throw new ScenarioError(path, `there is no ${name}, and nothing can be made or mounted in ${s_type}`)
    if (s_type === 'overlay')
      throw new ScenarioError(path, `there is no ${name}, and the overlay above it must have it from a layer`)
    if ([...this.layers].some((layer) => is_inside(this.k, above.dentry, layer)))
      throw new ScenarioError(
        path,
        `there is no ${name}, and an overlay that is mounted already has the directory above it as a layer; put ${name} into the tree of its file system`,
      )
    const made = add_node(this.k, above.dentry, bare.slice(slash + 1), { type: 'dir' })
    return { mnt: above.mnt, dentry: made }
  }
}

// --- tasks -------------------------------------------------------------------------------------------------

export function capabilities_of(form: Omit<TaskForm, 'program'>, path: string): number {
  const given = form.capabilities ?? ((form.uid ?? 0) === 0 ? 'all' : [])
  if (given === 'all') return CAP_FULL_SET
  let set = 0
  for (const name of new Set(given)) {
    const number = capability_names.indexOf(name as CapabilityName)
    if (number < 0)
      throw new ScenarioError(
        `${path}.capabilities`,
        `there is no capability ${JSON.stringify(name)}${suggestion(name, capability_names)}`,
      )
    set += 2 ** number
  }
  return set
}

export function securebits_of(given: number | string, path: string): number {
  if (typeof given === 'number') return given
  return given.split('|').reduce((bits, name) => {
    if (!Object.hasOwn(securebits, name))
      throw new ScenarioError(
        `${path}.securebits`,
        `there is no securebit ${JSON.stringify(name)}${suggestion(name, Object.keys(securebits))}`,
      )
    return bits | securebits[name]!
  }, 0)
}

/** Where a task starts, and /dev/null for its first three descriptors. */
export interface Environment {
  readonly root: Place
  walk(name: string, path: string): Place
  /** Dentry of a null device that stands on no mount that a task could reach. */
  readonly null_device: Place
}

/** Makes a task with descriptors 0, 1 and 2 open on /dev/null. It runs nothing yet. */
export function make_task(
  k: Kernel,
  task: number,
  form: Omit<TaskForm, 'program'>,
  env: Environment,
  path: string,
): void {
  const pwd = form.cwd === undefined ? env.root : env.walk(form.cwd, `${path}.cwd`)
  const { uid = 0, gid = 0 } = form
  task_struct.create_at(k, task, {
    comm: utf8_bytes(form.name),
    uid,
    gid,
    euid: uid,
    egid: gid,
    groups: [...(form.groups ?? [])],
    cap_effective: capabilities_of(form, path),
    cred: first_cred(task),
    securebits: securebits_of(form.securebits ?? 0, path),
    umask: form.umask ?? 0o022,
    rlimit_nofile: form.rlimit_nofile ?? RLIMIT_NOFILE,
    pwd_mnt: pwd.mnt,
    pwd: pwd.dentry,
    root_mnt: env.root.mnt,
    root: env.root.dentry,
  })
  dget(k, pwd.dentry)
  user_buffer.create_at(k, task, {})
  const runner = k.task
  k.task = task
  task_struct(k, task).mm = mm_struct.create(k, {}).id
  open_null(k, env.null_device)
  k.task = runner
}

function open_null(k: Kernel, { mnt, dentry: at }: Place): void {
  const f_inode = dentry(k, at).d_inode
  const f_mode = FMODE_READ | FMODE_WRITE
  const opened = file.create(k, { f_mnt: mnt, f_dentry: at, f_inode, f_flags: O_RDWR, f_mode, f_count: 3 })
  dget(k, at)
  for (const fd of [0, 1, 2]) fd_install(k, fd, opened.id, false)
}

function make_null_device(k: Kernel): Place {
  const sb = make_super_block(k, { id: 'stdio', type: 'tmpfs' })
  const root = populate(k, sb, {
    type: 'dir',
    entries: { null: { type: 'char', mode: 0o666, rdev: DEV_NULL } },
  })
  return { mnt: attach_mount(k, { root, mountpoint: root }), dentry: lookup_path(k, root, 'null') }
}

const DEV_NULL = 0x103

/**
 * Boots a set-up into an empty kernel.
 *
 * @param path where the set-up stands in its document, for messages
 * @throws ScenarioError naming the field
 */
export function boot_setup(k: Kernel, form: SetupForm, path: string): Environment {
  const mounts = new Mounts(k, form, path)
  const null_device = make_null_device(k)
  return { root: mounts.root, walk: (name, at) => mounts.walk(name, at), null_device }
}

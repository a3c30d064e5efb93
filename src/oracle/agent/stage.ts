/**
 * What may be put to a kernel: the stage is what a set-up builds, and nothing of the host is reached from it. What
 * would reach it is refused before anything is made: devices that have a driver, paths that lead out. The agent and
 * the C programs see to the same themselves, where arguments are known only as the calls are made.
 */
import { decode_argument } from '../../kernel/decode.js'
import { type ArgumentKind, place_of, syscall_named } from '../../kernel/syscall.js'
import '../../model.js'
import { ScenarioError } from '../../scenario/error.js'
import type {
  ArgumentForm,
  CallForm,
  CaseForm,
  MountForm,
  NodeForm,
  OpForm,
  SetupForm,
  TreeForm,
} from '../../scenario/form.js'
import { check_inside } from '../../scenario/tree.js'
import { S_IFBLK, S_IFCHR, S_IFMT } from '../../vfs/inode.js'

/** A play that would reach the host; it is not made. The message names the field, or the call. */
export class HostRefused extends ScenarioError {}

/** Devices that do no harm: a whiteout, null, zero, full (drivers/char/mem.c). */
const harmless_devices: ReadonlySet<number> = new Set([0, 0x103, 0x105, 0x107])

const only_harmless =
  'on a kernel only whiteouts (0:0), null (1:3), zero (1:5), full (1:7) and fifos are made, no device of the host'

/** As ls shows it (include/linux/kdev_t.h: new_decode_dev). */
const said_device = (dev: number): string =>
  `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`

function refused_device(mode: number, dev: number): string | null {
  const type = mode & S_IFMT
  if (type === S_IFBLK) return `the block device ${said_device(dev)}: ${only_harmless}`
  if (type !== S_IFCHR || harmless_devices.has(dev)) return null
  return `the device ${said_device(dev)}: ${only_harmless}`
}

// --- set-ups -----------------------------------------------------------------------------------------------

const fs_name = /^[A-Za-z_][\w-]*$/

function check_node(node: NodeForm, at: string): void {
  if (typeof node === 'string') return
  if ('dir' in node) check_tree(node.dir, `${at}.dir`)
  else if ('link' in node) check_inside(node.link, `${at}.link`)
  else if ('device' in node && node.device !== 'fifo') {
    const refused = refused_device(node.device === 'block' ? S_IFBLK : S_IFCHR, node.rdev ?? 0)
    if (refused !== null) throw new HostRefused(`${at}.rdev`, refused)
  }
  if ('mode' in node && typeof node.mode === 'number' && (node.mode & ~0o7777) !== 0)
    throw new HostRefused(`${at}.mode`, 'expected permission bits')
}

function check_tree(tree: TreeForm, at: string): void {
  for (const [name, node] of Object.entries(tree)) {
    const here = `${at}[${JSON.stringify(name)}]`
    check_inside(name, here)
    check_node(node, here)
  }
}

/** A path is looked up below the root of what is played, as those of binds are; the agent follows no link there. */
function check_layer(text: string | undefined, at: string): void {
  if (text === undefined) return
  if (text.startsWith('/')) {
    check_inside(text, at)
    return
  }
  const [name, ...inside] = text.split(':')
  if (!fs_name.test(name!) || inside.length > 1)
    throw new HostRefused(at, 'expected the name of a file system, name:/path, or the path of a directory')
  check_inside(inside[0] ?? '', at)
}

function check_mount(mount: MountForm, at: string): void {
  check_inside(mount.at, `${at}.at`)
  if ('filesystem' in mount && mount.filesystem.startsWith('/'))
    throw new HostRefused(`${at}.filesystem`, 'expected the name of a file system')
  if ('filesystem' in mount) check_layer(`${mount.filesystem}:${mount.root ?? '/'}`, `${at}.filesystem`)
  else if ('bind' in mount) check_inside(mount.bind, `${at}.bind`)
  else {
    const { lower, upper, work } = mount.overlay
    for (const [i, each] of lower.entries()) check_layer(each, `${at}.overlay.lower[${i}]`)
    check_layer(upper, `${at}.overlay.upper`)
    check_layer(work, `${at}.overlay.work`)
  }
}

/** @throws HostRefused, ScenarioError naming the field that would reach the host */
export function check_setup(setup: SetupForm, at = 'setup'): void {
  for (const [name, { type, read_only, tree = {} }] of Object.entries(setup.filesystems ?? {})) {
    if (!fs_name.test(name))
      throw new HostRefused(
        `${at}.filesystems`,
        `${JSON.stringify(name)} is no name that can be played: letters, digits, - and _; rename the file system`,
      )
    check_tree(tree, `${at}.filesystems.${name}.tree`)
    if (type === 'proc' && read_only)
      throw new HostRefused(
        `${at}.filesystems.${name}.read_only`,
        'a proc is played read-write; make its mount ro',
      )
  }
  for (const [i, mount] of (setup.mounts ?? []).entries()) check_mount(mount, `${at}.mounts[${i}]`)
}

// --- calls ---------------------------------------------------------------------------------------------------

const is_constant = (arg: ArgumentForm | undefined): boolean => typeof arg !== 'object' || arg === null

/**
 * A call whose device is known. Results of other calls are known as it is made only: then the agent refuses.
 *
 * @throws HostRefused
 */
export function check_call({ call, args = [] }: Pick<CallForm, 'call' | 'args'>, at: string): void {
  const syscall = syscall_named(call)
  if (syscall === undefined || place_of(syscall, 'device') < 0) return
  const told = (kind: ArgumentKind): number | undefined => {
    const place = place_of(syscall, kind)
    const given = args[place]
    return is_constant(given) ? Number(decode_argument(syscall.params[place]!, given)) : undefined
  }
  const mode = told('mode')
  const device = told('device')
  const refused = mode === undefined || device === undefined ? null : refused_device(mode, device)
  if (refused !== null) throw new HostRefused(`${at}.args`, refused)
}

function check_program(program: readonly OpForm[], at: string): void {
  for (const [i, op] of program.entries()) {
    const here = `${at}[${i}]`
    if ('call' in op) {
      check_call(op, here)
      check_program(op.child ?? [], `${here}.child`)
    } else if ('if' in op) {
      check_program(op.then, `${here}.then`)
      check_program(op.else ?? [], `${here}.else`)
    } else if ('repeat' in op) check_program(op.body, `${here}.body`)
  }
}

/** Everything of a case that is known before it is played. @throws HostRefused, ScenarioError */
export function check_case(form: CaseForm): void {
  check_setup(form.setup ?? {})
  for (const [i, task] of form.tasks.entries()) {
    check_inside(task.cwd ?? '/', `tasks[${i}].cwd`)
    check_program(task.program, `tasks[${i}].program`)
  }
}

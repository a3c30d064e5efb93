/** What only root can play: a user namespace of an ordinary user has one user, and makes no devices. */
import { decode_each } from '../../kernel/decode.js'
import { type ArgumentKind, place_of, syscall_named } from '../../kernel/syscall.js'
import '../../model.js'
import type {
  CallForm,
  CaseForm,
  MountForm,
  NodeForm,
  OpForm,
  TaskForm,
  TreeForm,
} from '../../scenario/form.js'

function of_task({ uid = 0, gid = 0, groups = [] }: TaskForm): string | null {
  if (uid !== 0) return `it plays uid ${uid}`
  if (gid !== 0) return `it plays gid ${gid}`
  return groups.length === 0 ? null : 'a task has supplementary groups'
}

function of_node(node: NodeForm, name: string): string | null {
  if (typeof node === 'string') return null
  if ('uid' in node && (node.uid ?? 0) !== 0) return `${name} belongs to uid ${node.uid}`
  if ('gid' in node && (node.gid ?? 0) !== 0) return `${name} belongs to gid ${node.gid}`
  if ('dir' in node) return of_tree(node.dir)
  if ('device' in node && node.device !== 'fifo' && (node.rdev ?? 0) !== 0) return `${name} is a device`
  const flagged = 'file' in node && (node.immutable === true || node.append === true)
  return flagged ? `${name} is immutable or append-only` : null
}

/** The overlay of a user namespace has userxattr, with which other options do not go. */
function of_mount(mount: MountForm): string | null {
  if (!('overlay' in mount) || Object.keys(mount.overlay.options ?? {}).length === 0) return null
  return `the overlay on ${mount.at} has options`
}

function of_tree(tree: TreeForm): string | null {
  return first(Object.entries(tree), ([name, node]) => of_node(node, name))
}

/** Files can be given to nobody else, and only whiteouts are made (fs/namei.c: vfs_mknod). */
function of_call({ call, args = [] }: CallForm): string | null {
  const syscall = syscall_named(call)
  if (syscall === undefined || place_of(syscall, 'id', 'device') < 0) return null
  const constant = args.map((arg) => (typeof arg === 'object' && arg !== null ? 0 : arg))
  const values = decode_each(syscall, constant)
  const given = (wanted: ArgumentKind) =>
    syscall.params.map(({ kind }, i) => (kind === wanted ? Number(values[i]) : 0)).find((value) => value > 0)
  const id = given('id')
  if (id !== undefined) return `${call} gives a file to ${id}`
  return given('device') === undefined ? null : `${call} makes a device`
}

function of_program(program: readonly OpForm[]): string | null {
  return first(program, (op) => {
    if ('call' in op) return of_call(op) ?? of_program(op.child ?? [])
    if ('if' in op) return of_program(op.then) ?? of_program(op.else ?? [])
    return 'repeat' in op ? of_program(op.body) : null
  })
}

function first<T>(all: readonly T[], reason: (each: T) => string | null): string | null {
  for (const each of all) {
    const found = reason(each)
    if (found !== null) return found
  }
  return null
}

/** Why a case can be played as root only; null where a user namespace will do. */
export function needs_root({ setup = {}, tasks }: CaseForm): string | null {
  return (
    first(tasks, of_task) ??
    first(setup.mounts ?? [], of_mount) ??
    first(Object.values(setup.filesystems ?? {}), ({ tree }) => of_tree(tree ?? {})) ??
    first(tasks, ({ program }) => of_program(program))
  )
}

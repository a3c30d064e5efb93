/** Makes a play that shows a difference as small as can be. */
import type { ResultRef, TreeForm } from '../../scenario/form.js'
import type { Play } from '../agent/play.js'

/** Whether a play still shows what is looked for. */
export type Shows = (play: Play) => Promise<boolean>

/** Names of results that the arguments of these calls refer to. */
function refers(play: Play): Set<string> {
  const names = play.calls.flatMap((call) =>
    (call.args ?? []).flatMap((arg) =>
      typeof arg === 'object' && arg !== null && '$' in arg ? [(arg as ResultRef).$.split('.')[0]!] : [],
    ),
  )
  return new Set(names)
}

/** Whether every name that is referred to has a call. */
function is_whole(play: Play): boolean {
  const named = new Set(play.calls.map((call) => call.as))
  return [...refers(play)].every((name) => named.has(name))
}

/** Plays with less: stretches of calls, the longest first; then tasks, mounts and files. */
function* smaller(play: Play): Iterable<Play> {
  for (let size = Math.ceil(play.calls.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
    for (let at = play.calls.length - 1; at >= 0; at -= size) {
      const calls = play.calls.filter((_, i) => i <= at - size || i > at)
      if (calls.length < play.calls.length) yield { ...play, calls }
    }
  }
  const last = play.tasks.length
  if (last > 1 && play.calls.every((call) => call.task !== last && call.child === undefined))
    yield { ...play, tasks: play.tasks.slice(0, -1) }
  yield* with_simpler_tasks(play)
  yield* with_smaller_setup(play)
}

function* with_simpler_tasks(play: Play): Iterable<Play> {
  for (const [i, task] of play.tasks.entries()) {
    for (const key of [
      'capabilities',
      'groups',
      'umask',
      'rlimit_nofile',
      'cwd',
      'uid',
      'gid',
      'securebits',
    ] as const) {
      if (task[key] === undefined) continue
      const { [key]: _, ...rest } = task
      yield { ...play, tasks: play.tasks.with(i, rest) }
    }
  }
}

function* with_smaller_setup(play: Play): Iterable<Play> {
  const { mounts = [], filesystems = {} } = play.setup
  for (const [i, mount] of mounts.entries()) {
    if (i > 0) yield { ...play, setup: { ...play.setup, mounts: mounts.filter((each) => each !== mount) } }
    if (mount.options !== undefined) {
      const { options: _, ...rest } = mount
      yield { ...play, setup: { ...play.setup, mounts: mounts.with(i, rest as typeof mount) } }
    }
  }
  for (const [name, fs] of Object.entries(filesystems)) {
    const { [name]: _, ...without } = filesystems
    yield { ...play, setup: { ...play.setup, filesystems: without } }
    for (const tree of smaller_trees(fs.tree ?? {}))
      yield { ...play, setup: { ...play.setup, filesystems: { ...filesystems, [name]: { ...fs, tree } } } }
  }
}

function* smaller_trees(tree: TreeForm): Iterable<TreeForm> {
  for (const [name, node] of Object.entries(tree)) {
    const { [name]: _, ...without } = tree
    yield without
    if (typeof node === 'string') continue
    for (const key of ['mode', 'uid', 'gid', 'opaque']) {
      if (!(key in node) || ('device' in node && key === 'mode')) continue
      const { [key as never]: _gone, ...rest } = node as never as Record<string, never>
      yield { ...tree, [name]: rest as never }
    }
    if ('file' in node && node.file !== '' && node.file !== 'a') {
      yield { ...tree, [name]: { ...node, file: '' } }
      yield { ...tree, [name]: { ...node, file: 'a' } }
    }
    if ('dir' in node) for (const dir of smaller_trees(node.dir)) yield { ...tree, [name]: { ...node, dir } }
  }
}

/** A smallest play that `shows` still holds of: no single part can be left out. */
export async function shrink(play: Play, shows: Shows): Promise<Play> {
  for (;;) {
    let found: Play | undefined
    for (const candidate of smaller(play)) {
      if (!is_whole(candidate) || !(await shows(candidate))) continue
      found = candidate
      break
    }
    if (found === undefined) return play
    play = found
  }
}

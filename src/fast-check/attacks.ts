/** One task uses a file on the strength of a check while another changes it: what random programs seldom hit upon. */
import fc from 'fast-check'
import type { ArgumentForm, CallForm, FileSystemForm, NodeForm, OpForm, SetupForm } from '../scenario/form.js'

/** How a file is used and attacked. */
export interface Aim {
  readonly victim: (path: string) => readonly OpForm[]
  readonly attacker: (path: string) => readonly OpForm[]
  /** Off: without the policy, which mostly refuses. */
  readonly policy: boolean
}

/** A name that no random tree has. */
const NAME = 'target'
const target: NodeForm = { file: 'good', mode: 0o777 }

const call = (name: string, as: string, ...args: ArgumentForm[]): CallForm => ({
  call: name,
  args,
  as,
  on_error: 'continue',
})

const check = (...args: ArgumentForm[]) => call('execveat', 'check', ...args)
const by_descriptor = check({ $: 'fd' }, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
const open = (path: string) => call('open', 'fd', path, 'O_RDONLY')
const read = call('read', 'bytes', { $: 'fd' }, 64)
// biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
const use: OpForm = { if: { result: 'check', ok: true }, then: [{ use: 'bytes', relies: 'check' }] }

/** They shrink to the first. */
const victims: Aim['victim'][] = [
  (path) => [open(path)],
  (path) => [open(path), by_descriptor, read, use],
  (path) => [open(path), by_descriptor, read, use],
  (path) => [open(path), read, by_descriptor, use],
  (path) => [check('AT_FDCWD', path, null, null, 'AT_EXECVE_CHECK'), open(path), read, use],
]

const attackers: Aim['attacker'][] = [
  (path) => [call('truncate', 'attack', path, 0)],
  (path) => [call('open', 'out', path, 'O_RDWR'), call('pwrite', 'attack', { $: 'out' }, 'XY', 2, 0)],
  (path) => [call('truncate', 'attack', path, 1)],
  (path) => [call('open', 'out', path, 'O_WRONLY'), call('write', 'attack', { $: 'out' }, 'evil')],
  (path) => [call('open', 'attack', path, 'O_WRONLY|O_TRUNC')],
  (path) => [call('unlink', 'attack', path)],
  (path) => [call('chmod', 'attack', path, 0o600)],
]

/** `undefined`, which is where it shrinks to, or an aim. */
export const aims: fc.Arbitrary<Aim | undefined> = fc.option(
  fc.record({
    victim: fc.constantFrom(...victims),
    attacker: fc.constantFrom(...attackers),
    policy: fc.constantFrom(false, false, true),
  }),
  { nil: undefined, freq: 6 },
)

/** Operations of the longest of these programs. */
export const AIM_LENGTH = 4

/** The set-up with the file that is attacked: below the overlay if there is one. @returns its path too */
export function with_target(setup: SetupForm, policy: boolean): { setup: SetupForm; path: string } {
  const name = setup.filesystems?.low === undefined ? 'root' : 'low'
  const system = setup.filesystems![name] as FileSystemForm
  const filesystems = {
    ...setup.filesystems,
    [name]: { ...system, tree: { ...system.tree, [NAME]: target } },
  }
  const { lsm, ...rest } = setup
  const made = { ...rest, filesystems, ...(policy && lsm !== undefined ? { lsm } : {}) }
  return { setup: made, path: name === 'low' ? `/m/${NAME}` : `/${NAME}` }
}

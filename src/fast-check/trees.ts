/** Random file trees, small on purpose: the fewer names there are, the more often two tasks meet. */
import fc from 'fast-check'
import type { NodeForm, TreeForm } from '../scenario/form.js'

/** What random trees are made of. */
export interface TreeOptions {
  /** Names in each directory; every one is there or not. */
  readonly names?: readonly string[]
  /** How deep directories go below the root; 1 unless told. */
  readonly depth?: number
  /** Contents of files. */
  readonly contents?: readonly string[]
}

/** Names of files unless told. */
export const NAMES = ['f', 'g', 'd', 's'] as const
/** Contents of files unless told: nothing, text, a script, a minimal ELF. */
const CONTENTS = ['', 'good', '#!/f\nprint\n', '\x7fELF'] as const

const file_modes = [0o755, 0o755, 0o777, 0o644, 0o600, 0o4755, 0o111]
const directory_modes = [0o755, 0o777, 0o1777, 0o700]
const owners = fc.constantFrom(0, 1000)

function file_node(contents: readonly string[]): fc.Arbitrary<NodeForm> {
  return fc.record({
    file: fc.constantFrom(...contents),
    mode: fc.constantFrom(...file_modes),
    uid: owners,
  })
}

const link_node = fc.constantFrom('f', 'g', 'd', 's', 'missing', '/f', 'd/f').map((symlink) => ({ symlink }))

/** A tree of files, directories and symbolic links. */
export function file_trees(options: TreeOptions = {}): fc.Arbitrary<TreeForm> {
  const { names = NAMES, depth = 1, contents = CONTENTS } = options
  const leaf = file_node(contents)
  const nodes: fc.Arbitrary<NodeForm>[] = [leaf, leaf, leaf, link_node]
  if (depth > 0) {
    const below = file_trees({ ...options, depth: depth - 1 })
    const directory = fc.record({ dir: below, mode: fc.constantFrom(...directory_modes), uid: owners })
    nodes.push(directory, directory)
  }
  const maybe = fc.option(fc.oneof(...nodes), { nil: undefined, freq: 4 })
  return fc
    .record(Object.fromEntries(names.map((name) => [name, maybe])))
    .map(
      (tree) => Object.fromEntries(Object.entries(tree).filter(([, node]) => node !== undefined)) as TreeForm,
    )
}

/** From the tree that a set-up describes to the one that the vfs populates. */

import { utf8_bytes } from '../kernel/decode.js'
import { sha256 } from '../kernel/sha256.js'
import type { TreeNode } from '../vfs/filesystems/populate.js'
import { S_APPEND, S_IMMUTABLE } from '../vfs/inode.js'
import { ScenarioError } from './error.js'
import type { BytesForm, NodeForm, OwnerForm, TreeForm } from './form.js'

/** Bytes of a form as a byte string. */
export function bytes_of(form: BytesForm, path: string): string {
  if (typeof form === 'string') return utf8_bytes(form)
  try {
    return atob(form.base64)
  } catch {
    throw new ScenarioError(path, 'expected base64')
  }
}

/** A digest that stands for these bytes; the model compares digests and never recomputes them. */
export const digest_of = (bytes: string): string => `sha256:${sha256(bytes)}`

type Directory = TreeNode & { readonly entries: Record<string, TreeNode> }

const directory = (values: Partial<TreeNode> = {}): Directory => ({
  type: 'dir',
  ...values,
  // Without a prototype: `__proto__` and `constructor` are names of files like any others.
  entries: Object.create(null) as Record<string, TreeNode>,
})

function owner_of(form: OwnerForm, path: string): Pick<TreeNode, 'mode' | 'uid' | 'gid'> {
  const { uid, gid } = form
  if (form.mode === undefined) return { uid, gid }
  const mode = typeof form.mode === 'string' ? Number.parseInt(form.mode, 8) : form.mode
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o7777) return { mode, uid, gid }
  throw new ScenarioError(`${path}.mode`, `expected permission bits, not ${JSON.stringify(form.mode)}`)
}

/**
 * Set-ups name places by the way down from a root: nothing leads up, and no name ends in its middle.
 *
 * @throws ScenarioError where a path has `.`, `..` or a NUL
 */
export function check_inside(name: string, path: string): void {
  const wrong = name.split('/').find((part) => part === '.' || part === '..' || part.includes('\0'))
  if (wrong !== undefined)
    throw new ScenarioError(path, `expected a path without ., .. and NUL, not ${JSON.stringify(name)}`)
}

/** Bytes of a name, and directories in each other: no path is longer (include/uapi/linux/limits.h). */
const NAME_MAX = 255
const DEEPEST = 4096 / 2

/** The names of a path; `..` has no place in a tree. */
function names_of(name: string, path: string): string[] {
  check_inside(name, path)
  // The kernel's names are bytes, as the paths of calls are.
  const names = utf8_bytes(name)
    .split('/')
    .filter((part) => part !== '')
  if (names.length === 0) throw new ScenarioError(path, 'expected the name of a file')
  const long = names.find((each) => each.length > NAME_MAX)
  if (long !== undefined)
    throw new ScenarioError(path, `a name has at most ${NAME_MAX} bytes, and this one ${long.length}`)
  return names
}

class Converter {
  readonly root = directory()
  /** Paths of the directories that hide what lies below them in an overlay. */
  readonly opaque: string[] = []

  tree(into: Directory, form: TreeForm, inside: string, path: string): void {
    for (const [name, node] of Object.entries(form)) {
      const at = `${path}[${JSON.stringify(name)}]`
      const names = names_of(name, at)
      const last = names.pop()!
      if (inside.split('/').length + names.length > DEEPEST)
        throw new ScenarioError(path, `no path leads to a file below more than ${DEEPEST} directories`)
      const dir = names.reduce((above, part) => this.below(above, part, at), into)
      if (Object.hasOwn(dir.entries, last)) throw new ScenarioError(at, 'the name is there already')
      this.node(dir, last, node, [inside, ...names, last].join('/'), at)
    }
  }

  /** A directory on the way, made where it is missing. */
  private below(above: Directory, name: string, path: string): Directory {
    if (!Object.hasOwn(above.entries, name)) above.entries[name] = directory()
    const found = above.entries[name]!
    if (found.type !== 'dir') throw new ScenarioError(path, `${name} is not a directory`)
    return found as Directory
  }

  private node(dir: Directory, name: string, form: NodeForm, inside: string, path: string): void {
    if (typeof form === 'object' && 'dir' in form) {
      const made = directory(owner_of(form, path))
      dir.entries[name] = made
      if (form.opaque === true) this.opaque.push(inside)
      this.tree(made, form.dir, inside, `${path}.dir`)
    } else dir.entries[name] = this.leaf(form, path)
  }

  private leaf(form: Exclude<NodeForm, { dir: unknown }>, path: string): TreeNode {
    if (typeof form === 'string') return { type: 'file', data: utf8_bytes(form) }
    if ('file' in form) return file_node(form, path)
    if ('symlink' in form) {
      return { type: 'symlink', target: utf8_bytes(form.symlink), uid: form.uid, gid: form.gid }
    }
    if ('device' in form) return { type: form.device, rdev: form.rdev, ...owner_of(form, path) }
    if ('link' in form) return this.link(form.link, path)
    // A whiteout is a character device 0:0 (fs/overlayfs: ovl_is_whiteout).
    if ('whiteout' in form) return { type: 'char', mode: 0 }
    throw new ScenarioError(path, 'expected one of the fields file, dir, symlink, device, link, whiteout')
  }

  private link(target: string, path: string): TreeNode {
    let at: TreeNode | undefined = this.root
    for (const name of names_of(target, path)) at = at?.entries?.[name]
    if (at === undefined || at.type === 'dir') {
      throw new ScenarioError(path, `there is no file ${target} in the tree before this`)
    }
    return { type: 'hardlink', target: utf8_bytes(target) }
  }
}

function file_node(form: Extract<NodeForm, { file: unknown }>, path: string): TreeNode {
  const data = bytes_of(form.file, `${path}.file`)
  const { verity } = form
  return {
    type: 'file',
    data,
    flags: (form.immutable === true ? S_IMMUTABLE : 0) | (form.append === true ? S_APPEND : 0),
    ...(verity && { verity: { digest: verity.digest ?? digest_of(data), signed: verity.signed } }),
    ...owner_of(form, path),
  }
}

/** A set-up is booted several times, and its trees stay as they are. */
const converted = new WeakMap<TreeForm, Converter>()

/**
 * @returns the tree as the vfs wants it, and the paths of its opaque directories
 * @throws ScenarioError naming the field
 */
export function convert_tree(form: TreeForm, path: string): { root: TreeNode; opaque: readonly string[] } {
  const known = converted.get(form)
  if (known !== undefined) return known
  const converter = new Converter()
  converter.tree(converter.root, form, '', path)
  converted.set(form, converter)
  return converter
}

/**
 * How proc is played: of each task the directory of its descriptors is shown, and nothing else. A whole procfs would
 * lead to the program that plays, and to the machine. What calls name below a mount of proc is therefore looked at
 * before they are made: `self` becomes the task's own number, and all but descriptors is refused.
 */
import { at_places } from '../../kernel/decode.js'
import { syscall_named } from '../../kernel/syscall.js'
import type { ArgumentForm, SetupForm, TreeForm } from '../../scenario/form.js'
import type { PlayCall } from './play.js'
import { HostRefused } from './stage.js'

const only_descriptors = 'on a kernel, of proc only /<task>/fd and what is in it are shown'

/** Without empty components and `.`, and `..` taken by its word. */
function components(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

export class Shown {
  /** Where proc is mounted, as components. */
  private readonly places: readonly (readonly string[])[]

  constructor(setup: SetupForm) {
    const { filesystems = {}, mounts = [] } = setup
    const proc = mounts.filter(
      (each) => 'filesystem' in each && filesystems[each.filesystem]?.type === 'proc',
    )
    this.places = proc.map(({ at }) => components(at))
    for (const { tree } of Object.values(filesystems)) if (tree !== undefined) this.check_tree(tree)
  }

  /** Whether there is anything to be shown. */
  get any(): boolean {
    return this.places.length > 0
  }

  /** The request that shows a task under its number. */
  request(slot: number, number: number): string[] {
    return this.any ? [`show ${slot} ${number}`] : []
  }

  /**
   * The call as it is made, by the task of this number.
   *
   * @throws HostRefused where it names anything of proc that is not shown
   */
  call<C extends Pick<PlayCall, 'call' | 'args'>>(form: C, number: number): C {
    const syscall = syscall_named(form.call)
    if (!this.any || syscall === undefined) return form
    const args = at_places(syscall, form.args ?? []).map((arg, i) => {
      if (typeof arg !== 'string') return arg
      const { kind } = syscall.params[i]!
      if (kind === 'text') this.check_text(arg, `${form.call}.args`)
      return kind === 'path' ? this.path(arg, number, form.call) : arg
    })
    return { ...form, args: args as ArgumentForm[] }
  }

  private path(path: string, number: number, at: string): string {
    const place = this.place_above(path)
    if (place === undefined) return path
    const [task, fd, , ...more] = components(path).slice(place.length)
    const literal = new RegExp(`^/+${place.join('/+')}/+(self|\\d+)/+fd(/+[^/]*)?/*$`)
    if (!literal.test(path) || task === undefined || fd !== 'fd' || more.length > 0)
      throw new HostRefused(`${at}.args`, `${JSON.stringify(path)}: ${only_descriptors}`)
    return path.replace(/\/self\//, `/${number}/`)
  }

  /** The mount of proc on which a path leads, by its words. */
  private place_above(path: string): readonly string[] | undefined {
    if (!path.startsWith('/')) return undefined
    const names = components(path)
    return this.places.find((place) => place.every((name, i) => names[i] === name))
  }

  private check_tree(tree: TreeForm): void {
    for (const node of Object.values(tree)) {
      if (typeof node === 'string') continue
      if ('dir' in node) this.check_tree(node.dir)
      else if ('symlink' in node) this.check_text(node.symlink, 'setup.filesystems')
    }
  }

  /** What a symbolic link says, it says to every task. */
  private check_text(text: string, at: string): void {
    if (this.place_above(text) !== undefined)
      throw new HostRefused(at, `a symbolic link to ${text}: ${only_descriptors}, to calls that name it`)
  }
}

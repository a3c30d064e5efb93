import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../src/oracle/conform/choices.js'
import { play, random_play } from '../../src/oracle/conform/generate.js'
import { ModelMachine, play_on_model } from '../../src/oracle/conform/model_runner.js'
import { ovl_inode } from '../../src/overlay/ovl_entry.js'
import type { MountForm } from '../../src/scenario/form.js'
import { children, dentry } from '../../src/vfs/dentry.js'
import { lookup_path } from '../../src/vfs/filesystems/populate.js'
import { inode, is_dir } from '../../src/vfs/inode.js'
import { super_block } from '../../src/vfs/super_block.js'

/** As `name:/path` of a superblock, also what is named by the path at which it is mounted. */
function with_superblock(layer: string, mounts: readonly MountForm[]): string {
  if (!layer.startsWith('/')) return layer
  const mount = mounts.find(({ at }) => at !== '/' && `${layer}/`.startsWith(`${at}/`))!
  const inside = layer.slice(mount.at.length)
  if ('filesystem' in mount) return `${mount.filesystem}:${mount.root ?? ''}${inside}`
  return `overlay${mount.at.replaceAll('/', '-')}:${inside}`
}

/** Everything of these layers but the contents of files, and how directories of an overlay are made up. */
function lower_tree({ k }: ModelMachine, mounts: readonly MountForm[], lowers: readonly string[]): string[] {
  const roots = lowers.map((layer) => {
    const [name, inside = '/'] = with_superblock(layer, mounts).split(':')
    return lookup_path(k, super_block.rows(k).find((sb) => sb.s_id === name)!.s_root, inside)
  })
  const below = (at: number): string[] => {
    const { d_name, d_inode } = dentry(k, at)
    const { i_mode, i_uid, i_gid, i_nlink } = inode(k, d_inode)
    const links = ovl_inode.has(k, d_inode) && is_dir(i_mode) ? 0 : i_nlink
    const shown = [d_name, d_inode, i_mode, i_uid, i_gid, links].join(' ')
    return [shown, ...children(k, at).flatMap((child) => below(child.id))]
  }
  return roots.flatMap(below)
}

describe('random plays', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(random_play(seeded(5)).play).toEqual(random_play(seeded(5)).play)
    expect(random_play(seeded(5)).play).not.toEqual(random_play(seeded(6)).play)
  })

  it('of neighbouring seeds are different programs', () => {
    const programs = (seed: number) =>
      Array.from({ length: 300 }, (_, index) => JSON.stringify(random_play(seeded(seed, index)).play))
    const all = [11, 12, 13, 11 + 2 ** 32].flatMap(programs)
    expect(new Set(all).size).toBe(all.length)
  })

  it('come with what the model answers', () => {
    for (let seed = 0; seed < 50; seed++) {
      const made = random_play(seeded(seed))
      expect(made.model).toEqual(play_on_model(made.play))
    }
  })

  it('name descriptors where tasks see them, and nothing else of proc', () => {
    const named = new Map<string, number>()
    for (let index = 0; index < 400; index++) {
      const { setup, calls } = random_play(seeded(8, index)).play
      const shows = setup.mounts!.some(({ at }) => at === '/p')
      for (const { call, args = [] } of calls)
        for (const path of args.filter((arg) => typeof arg === 'string' && /^\/p(\/|$)/.test(arg))) {
          expect(shows).toBe(true)
          expect(path).toMatch(/^\/p\/(self|\d)\/fd(\/-?\d+\/?)?$/)
          named.set(call, (named.get(call) ?? 0) + 1)
        }
    }
    for (const call of ['open', 'lstat', 'readlink', 'linkat'])
      expect(named.get(call) ?? 0, call).toBeGreaterThan(1)
  })

  it('leave the names, owners, modes and links of lower layers alone', () => {
    let overlays = 0
    for (let index = 0; index < 600; index++) {
      const { play } = random_play(seeded(1, index))
      const mounts = play.setup.mounts!
      const lowers = mounts.flatMap((mount) => ('overlay' in mount ? mount.overlay.lower : []))
      if (lowers.length === 0) continue
      overlays++
      const machine = new ModelMachine(play.setup)
      for (const [i, task] of play.tasks.entries()) machine.add_task(i + 1, task)
      const before = lower_tree(machine, mounts, lowers)
      for (const call of play.calls) machine.call(call)
      expect(lower_tree(machine, mounts, lowers), `program ${index}`).toEqual(before)
    }
    expect(overlays).toBeGreaterThan(300)
  })

  it('survive JSON', () => {
    fc.assert(
      fc.property(play(), (made) => {
        expect(JSON.parse(JSON.stringify(made))).toEqual(made)
      }),
    )
  })

  it('shrink as an arbitrary: a failure is reported with its one guilty call', () => {
    const check = fc.check(
      fc.property(play(20), ({ calls }) => !calls.some((each) => each.call === 'rename')),
      { seed: 1 },
    )
    expect(check.failed).toBe(true)
    expect(check.counterexample![0].calls.map((each) => each.call)).toEqual(['rename'])
  })
})

/**
 * Random calls that Linux 6.18.44 has answered: 40 runs of 25 calls each on a tmpfs that is seen once more
 * through a read-only bind (`/ro`) and in part through a writable one (`/bind`), by root and by uid 1000, umask
 * 022. Each line of the file is a run: each call with the result after `=`, and the whole tree at the end: path, mode, uid, gid,
 * links, size of a file, target of a link, and which inode in order of first appearance.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { children, dentry } from '../../src/vfs/dentry.js'
import { inode, is_reg } from '../../src/vfs/inode.js'
import { Machine } from './machine.js'
import { dir, fifo, file, symlink } from './tree.js'

type Call = [uid: number, name: string, ...rest: unknown[]]
interface Run {
  calls: Call[]
  tree: unknown[][]
}

const lines = readFileSync(new URL('seen-6.18.44.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
const runs = lines.map((line) => JSON.parse(line) as Run)

const mine = { uid: 1000, gid: 1000 }
const tree = () =>
  dir({
    a: dir({ c: dir({ f: file({ data: 'x' }) }), f: file({ data: 'hello' }) }),
    b: dir({ d: dir(), f: file({ mode: 0o666 }) }),
    f: file({ data: 'abc' }),
    st: dir({ a: file(), b: file(mine), d: dir({}, { mode: 0o777 }) }, { mode: 0o1777 }),
    pub: dir(
      { f: file(mine), s: file({ ...mine, mode: 0o4755 }), d: dir({}, mine), m: fifo({ mode: 0o666 }) },
      { mode: 0o777 },
    ),
    sg: dir({}, { mode: 0o2777, gid: 777 }),
    l: symlink('/pub'),
    sf: symlink('f'),
    s: symlink('loop'),
    ro: dir(),
    bind: dir(),
    m: file(),
  })

function tree_of(m: Machine): unknown[][] {
  const numbers = new Map<number, number>()
  const rows: unknown[][] = []
  const visit = (d: number, path: string) => {
    const node = inode(m.k, dentry(m.k, d).d_inode)
    if (!numbers.has(node.id)) numbers.set(node.id, numbers.size)
    const { i_mode, i_uid, i_gid, i_nlink, i_link } = node
    const size = is_reg(i_mode) ? node.i_size : 0
    rows.push([path, i_mode, i_uid, i_gid, i_nlink, size, i_link, numbers.get(node.id)])
    const entries = children(m.k, d).sort((a, b) => (a.d_name < b.d_name ? -1 : 1))
    for (const entry of entries) visit(entry.id, `${path}/${entry.d_name}`)
  }
  visit(m.place('/').dentry, '')
  return rows
}

it.each(runs.map((run, i) => [i, run] as const))('run %i', (_, run) => {
  const m = new Machine(tree())
  m.bind('/', '/ro', 'ro')
  m.bind('/a', '/bind')
  for (const [i, [uid, name, ...rest]] of run.calls.entries()) {
    const task = 10 + i
    m.spawn(task, { uid })
    const args = rest.slice(0, rest.indexOf('='))
    const result = m.as(task, name, ...args)
    if (name === 'open' && typeof result === 'number') m.as(task, 'close', result)
    expect(result, `call ${i}: ${name}(${args.join(', ')}) of uid ${uid}`).toBe(rest.at(-1))
  }
  expect(tree_of(m)).toEqual(run.tree)
})

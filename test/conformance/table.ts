/**
 * Tables of cases as text. All play in one world (`world`), with five tasks: 1, 2 and 3 are root, 4 is uid
 * 1000 and 5 is uid 1001.
 *
 *     == name of the case
 *     1 open /m/f O_RDWR = 3            task, call, arguments = what it gives
 *     2 pread 3 9 0 = "old\n"           # comment
 *
 * Arguments: numbers (octal with a leading 0), constants, paths, `"text"`, `[]`, `NULL`. What a call gives:
 * `ok`, a number, an errno, a signal, `exec`, `dead`, `"bytes"`, or a field of a structure (`st_size:0`).
 */

import type { Answer, Play, PlayCall } from '../../src/oracle/agent/play.js'
import { sleeping_program } from '../../src/oracle/agent/sleeping_program.js'

const program = { base64: sleeping_program(process.arch) }
const run = (mode: number) => ({ file: program, mode })
const file = (bytes: string, mode = 0o755) => ({ file: bytes, mode })

/** Where the cases play: a plain tmpfs on /t and a read-only one on /r, an overlay on /m and one without an upper on /n. */
const setup: Play['setup'] = {
  filesystems: {
    root: { type: 'tmpfs' },
    plain: {
      type: 'tmpfs',
      tree: {
        x: run(0o755),
        x2: { link: 'x' },
        f: file('old\n'),
        empty: file(''),
        nox: file('a', 0o644),
        nox_x: run(0o644),
        odd_x: run(0o601),
        x711: run(0o711),
        private: file('a', 0o600),
        open: file('a', 0o666),
        public_x: run(0o777),
        mine: { file: 'a', mode: 0o644, uid: 1000, gid: 1000 },
        script: file('#!/t/x\n'),
        lost_script: file('#!/t/missing\n'),
        nox_script: file('#!/t/nox\n'),
        link: { symlink: 'f' },
        loop: { symlink: 'loop' },
        dangling: { symlink: 'missing' },
        fifo: { device: 'fifo', mode: 0o755 },
        null: { device: 'char', rdev: 0x103, mode: 0o777 },
        d: { dir: { f: file('a') } },
        secret: { dir: { f: file('a') }, mode: 0o700 },
        big: file('b'.repeat(8192)),
        fixed: { file: 'a', mode: 0o777, immutable: true },
        log: { file: 'a', mode: 0o777, append: true },
        set_ids: { file: 'a', mode: 0o6777 },
        set_gid: { file: 'a', mode: 0o2767, gid: 1000 },
        group: { dir: {}, mode: 0o2777, gid: 1000 },
        tmp: { dir: { f: file('a', 0o666), mine: { file: 'a', uid: 1000 } }, mode: 0o1777 },
        deep: { symlink: 'd/../d/./f' },
        out: { symlink: '/t/d' },
      },
    },
    fixed: {
      type: 'tmpfs',
      read_only: true,
      tree: { x: run(0o755), f: file('a'), all: file('a', 0o777), d: { dir: {} } },
    },
    low: {
      type: 'tmpfs',
      tree: {
        x: run(0o755),
        f: file('old\n'),
        g: file('a', 0o644),
        mine: { file: 'a', mode: 0o644, uid: 1000, gid: 1000 },
        ha: file('old\n'),
        hb: { link: 'ha' },
        xa: run(0o755),
        xb: { link: 'xa' },
        link: { symlink: 'f' },
        fifo: { device: 'fifo', mode: 0o644 },
        d: { dir: { f: file('old\n') } },
        empty: { dir: {} },
      },
    },
    deep: { type: 'tmpfs', tree: { deep: file('a') } },
    up: { type: 'tmpfs', tree: { u: { dir: { ux: run(0o755), uf: file('up\n') } }, w: { dir: {} } } },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/t', filesystem: 'plain' },
    { at: '/tro', bind: '/t', options: ['ro'] },
    { at: '/tnx', bind: '/t', options: ['noexec'] },
    { at: '/tnd', bind: '/t', options: ['nodev'] },
    { at: '/tns', bind: '/t', options: ['nosymfollow'] },
    { at: '/r', filesystem: 'fixed' },
    { at: '/l', filesystem: 'low' },
    { at: '/u', filesystem: 'up', root: '/u' },
    { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
    { at: '/mro', bind: '/m', options: ['ro'] },
    { at: '/mnx', bind: '/m', options: ['noexec'] },
    { at: '/n', overlay: { lower: ['low', 'deep'] } },
  ],
}

const tasks: Play['tasks'] = [
  { name: 'one' },
  { name: 'two' },
  { name: 'three' },
  { name: 'user', uid: 1000, gid: 1000 },
  { name: 'other', uid: 1001, gid: 1001 },
]

export interface TableCase {
  readonly name: string
  readonly play: Play
  /** What each call is said to give, as it stands in the table. */
  readonly says: readonly string[]
}

/** Cases of a table's text. @throws Error naming the line */
export function parse_table(text: string): TableCase[] {
  const cases: { name: string; calls: PlayCall[]; says: string[] }[] = []
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^#.*|\s#\s.*/, '').trim()
    if (line === '') continue
    if (line.startsWith('== ')) {
      cases.push({ name: line.slice(3), calls: [], says: [] })
      continue
    }
    const parts = /^(\d) (\w+) ?(.*) = (.+)$/.exec(line)
    const now = cases.at(-1)
    if (parts === null || now === undefined) throw new Error(`line ${i + 1}: ${raw}`)
    const [, task, call, args, says] = parts
    now.calls.push(make_call(Number(task), call!, args!))
    now.says.push(says!)
  }
  return cases.map(({ name, calls, says }) => ({ name, says, play: { setup, tasks, calls } }))
}

function make_call(task: number, call: string, text: string): PlayCall {
  const args = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) => argument(word))
  if (call === 'fork') return { task, call, child: args[0] as number }
  return { task, call, args }
}

function argument(word: string): NonNullable<PlayCall['args']>[number] {
  if (word.startsWith('"')) return JSON.parse(word)
  if (word === '[]') return []
  if (word === 'NULL') return null
  if (/^-?\d+$/.test(word)) return Number(word.replace(/^0(?=[0-7])/, '0o'))
  return /^0x/.test(word) ? Number(word) : word
}

/** Whether an answer is what the table says. */
export function gives(answer: Answer, says: string): boolean {
  const { ret, errno, signal, exec, dead, data, fields } = answer
  if (says === 'ok') return ret !== undefined
  if (says === 'exec') return exec === true
  if (says === 'dead') return dead === true
  if (says.startsWith('"')) return data === JSON.parse(says)
  const field = /^(st_\w+):(\d+)$/.exec(says)
  if (field !== null) return fields?.[field[1]!] === Number(field[2]!.replace(/^0(?=[0-7])/, '0o'))
  return says === (errno ?? signal ?? String(ret))
}

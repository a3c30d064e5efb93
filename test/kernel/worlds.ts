/** Random worlds for tests of the machine: tables of every kind, touched in every way the accessors allow. */
import fc from 'fast-check'
import { attempt, done, fn, hold, jump, local, release, stage, take } from '../../src/kernel/fn.js'
import type { Store } from '../../src/kernel/kernel.js'
import { AGAIN, BLOCKED, Kernel } from '../../src/kernel/kernel.js'
import { choose, start } from '../../src/kernel/machine.js'
import { profile } from '../../src/kernel/profile.js'
import { int, list, ref, str, table } from '../../src/kernel/schema.js'

const thing = table('world_thing', { a: { x: int() }, b: { name: str(), many: list() } })
const entry = table(
  'world_entry',
  { place: { parent: int(), label: str() }, what: { thing: ref('world_thing') } },
  { unique: ['parent', 'label'] },
)
const single = table('world_single', { key: { tag: str() }, n: { n: int() } }, { unique: ['tag'] })
const keyed = table(
  'world_page',
  { key: { of: int(), index: int() }, data: { data: str() } },
  { unique: ['of', 'index'], keyed: true },
)
export const own = table('world_own', { own: { last: int(), seen: list() } }, { owned: true })

const lock = hold('world_unlock', (k, id) => {
  thing(k, id).x = 0
})

/** What an operation does to the world, with two small numbers. Each is one stage. */
const actions: Record<string, (k: Kernel, a: number, b: number) => number | undefined> = {
  read_x: (k, a) => note(k, thing(k, 1 + (a % 2)).x),
  write_x: (k, a, b) => {
    thing(k, 1 + (a % 2)).x = b
    return undefined
  },
  wide: (k, a, b) => {
    thing(k, 1 + (a % 2)).x = b * 2 ** 33 + a
    return undefined
  },
  write_name: (k, a, b) => {
    thing(k, 1 + (a % 2)).name = 'n'.repeat(b)
    return undefined
  },
  append: (k, a, b) => {
    const row = thing(k, 1 + (a % 2))
    row.many = row.many.length > 3 ? [] : [...row.many, b]
    return undefined
  },
  link: (k, a, b) => {
    if (entry.find(k, a, `l${b}`) === undefined) entry.create(k, { parent: a, label: `l${b}`, thing: 1 })
    return undefined
  },
  unlink: (k, a, b) => {
    const found = entry.find(k, a, `l${b}`)
    if (found === undefined) return -2
    entry.remove(k, found.id)
    return undefined
  },
  rename: (k, a, b) => {
    const found = entry.find(k, a, `l${b}`)
    if (found === undefined || entry.find(k, b, `l${a}`) !== undefined) return -2
    found.parent = b
    found.label = `l${a}`
    return undefined
  },
  list_dir: (k, a) =>
    note(
      k,
      entry.where(k, a).reduce((sum, row) => sum * 7 + row.id, 0),
    ),
  list_all: (k) => note(k, entry.rows(k).length),
  has: (k, a) => note(k, entry.has(k, 1 + a) ? 1 : 0),
  tag: (k, a, b) => {
    const found = single.find(k, `t${a}`)
    if (found === undefined) single.create(k, { tag: `t${a}`, n: b })
    else if (found.n === b) single.remove(k, found.id)
    else found.n = b
    return undefined
  },
  page: (k, a, b) => {
    const found = keyed.find(k, a, b)
    if (found === undefined) keyed.create(k, { of: a, index: b, data: `d${k.task}` })
    else if (found.data.length > 3) keyed.remove(k, found.id)
    else found.data += 'x'
    return undefined
  },
  list_pages: (k, a) =>
    note(
      k,
      keyed.where(k, a).reduce((sum, row) => sum * 5 + row.index, 0),
    ),
  all_pages: (k) =>
    note(
      k,
      keyed.rows(k).reduce((sum, row) => sum * 5 + row.of + row.index, 0),
    ),
  random: (k) => note(k, choose(k, 2)),
}
export const action_names = Object.keys(actions)

function note(k: Kernel, value: number): undefined {
  own(k, k.task).last = value
}

const locked = fn('world_locked', { source: 'test', locals: { thing: int(), fails: int() } }, [
  stage('lock', (k, f) => {
    if (thing(k, f.thing).x !== 0) return BLOCKED
    thing(k, f.thing).x = 9
    take(f, lock, f.thing)
  }),
  stage('work', (_, f) => (f.fails === 1 ? -5 : f.fails === 2 ? done(f, [f.thing, 2]) : undefined)),
  stage('unlock', (k, f) => {
    release(k, f, lock)
    return done(f, 'text')
  }),
])

/** Runs the operations in `ops`: index of the action (beyond them: `locked`), and its two numbers. */
export const program = fn(
  'world_program',
  { source: 'test', locals: { ops: list(), at: int(), ticks: int() } },
  [
    local('next', (_, f) => {
      if (f.at === f.ops.length) return done(f)
      if (f.ops[f.at]! >= action_names.length) return jump(f, 'locked')
    }),
    stage('act', (k, f) => {
      const [action, a, b] = f.ops.slice(f.at, f.at + 3)
      const failed = actions[action_names[action!]!]!(k, a!, b!)
      if (failed !== undefined) own(k, k.task).last = failed
      return jump(f, 'tick')
    }),
    attempt(
      locked,
      (_, f) => ({ thing: 1 + (f.ops[f.at + 1]! % 2), fails: f.ops[f.at + 2]! % 3 }),
      (k, f, ret) => {
        own(k, k.task).seen = Array.isArray(ret) ? ret : [typeof ret === 'number' ? ret : 1]
        return jump(f, 'tick')
      },
      'locked',
    ),
    local('tick', (_, f) => {
      f.ticks = 1 - f.ticks
      if (f.ticks === 1) return AGAIN
      f.at += 3
      return jump(f, 'next')
    }),
  ],
)

export type Programs = readonly (readonly number[])[]

/** A world with these programs as tasks 1, 2 … */
export function boot(store: Store, programs: Programs): Kernel {
  const k = new Kernel(store, { profile: profile('7.2'), modules: [] })
  thing.create(k, { name: 'one' })
  thing.create(k, { x: 3, many: [1, 2] })
  entry.create(k, { parent: 1, label: 'l2', thing: 2 })
  entry.create(k, { parent: 0, label: 'l1', thing: 1 })
  entry.create(k, { parent: 0, label: 'l2', thing: 1 })
  keyed.create(k, { of: 1, index: 1, data: 'd' })
  programs.forEach((ops, i) => {
    own.create_at(k, i + 1, {})
    start(k, i + 1, program, { ops })
  })
  return k
}

const op = fc.tuple(fc.nat(action_names.length), fc.nat(2), fc.nat(2))
export const programs: fc.Arbitrary<Programs> = fc.array(
  fc.array(op, { maxLength: 6 }).map((ops) => ops.flat()),
  { minLength: 2, maxLength: 3 },
)
/** Which task and answer to try next, as numbers to be taken modulo what there is. */
export const moves = fc.array(fc.tuple(fc.nat(2), fc.nat(1)), { maxLength: 60 })

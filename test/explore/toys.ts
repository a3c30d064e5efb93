/** Toy systems: small enough to count by hand. */

import type { System } from '../../src/explore/system.js'
import { attempt, call, done, fn, hold, jump, local, stage, take } from '../../src/kernel/fn.js'
import type { Store } from '../../src/kernel/kernel.js'
import { AGAIN, BLOCKED, type Fn, type Frame, Kernel, type Outcome } from '../../src/kernel/kernel.js'
import { choose, start } from '../../src/kernel/machine.js'
import { profile } from '../../src/kernel/profile.js'
import { int, list, table } from '../../src/kernel/schema.js'

export const cell = table('toy_cell', {
  value: { value: int() },
  lock: { holder: int() },
  log: { log: list() },
})
/** What a task has learnt: its number is the task's. */
export const memo = table('toy_memo', { memo: { seen: list(), monitor: int() } }, { owned: true })

export const config = { profile: profile('7.2'), modules: [] }

export interface ToyOptions {
  readonly cells: number
  /** Function and locals of each task, the first being task 1. */
  readonly programs: readonly (readonly [Fn, object])[]
  readonly violations?: System['violations']
  readonly witness?: System['witness']
  readonly witnessed?: System['witnessed']
}

/** A world of cells numbered from 1, a memo for each task, and the tasks. */
export function toy(options: ToyOptions): System {
  return {
    boot(store: Store) {
      const k = new Kernel(store, config)
      for (let i = 0; i < options.cells; i++) cell.create(k, {})
      options.programs.forEach(([program, locals], i) => {
        memo.create_at(k, i + 1, {})
        start(k, i + 1, program, locals)
      })
      return k
    },
    violations: options.violations ?? (() => []),
    outcome: (k) =>
      JSON.stringify([
        cell.rows(k).map((row) => [row.value, row.holder, row.log]),
        memo.rows(k).map((row) => [row.seen, row.monitor]),
      ]),
    witness: options.witness,
    witnessed: options.witnessed,
  }
}

/** Reads the first cell, then writes one more: two stages. */
export const increment = fn('toy_increment', { source: 'toy', locals: { seen: int() } }, [
  stage('read', (k, f) => {
    f.seen = cell(k, 1).value
  }),
  stage('write', (k, f) => {
    cell(k, 1).value = f.seen + 1
  }),
])

const unlock = hold('toy_unlock', (k, id) => {
  cell(k, id).holder = 0
})

/** Takes the lock of the cells `a` and `b` in that order, and gives them back in reverse. */
export const two_locks = fn('toy_two_locks', { source: 'toy', locals: { a: int(), b: int() } }, [
  stage('lock_a', (k, f) => {
    if (cell(k, f.a).holder !== 0) return BLOCKED
    cell(k, f.a).holder = k.task
    take(f, unlock, f.a)
  }),
  stage('lock_b', (k, f) => {
    if (cell(k, f.b).holder !== 0) return BLOCKED
    cell(k, f.b).holder = k.task
    take(f, unlock, f.b)
  }),
])

/** Puts 1, 2 … `count` into the first cell, each when it is empty. */
export const producer = fn('toy_producer', { source: 'toy', locals: { count: int(), made: int() } }, [
  stage('put', (k, f) => {
    if (cell(k, 1).value !== 0) return BLOCKED
    f.made += 1
    cell(k, 1).value = f.made
    return f.made < f.count ? AGAIN : undefined
  }),
])

/** Takes `count` values out of the first cell. */
export const consumer = fn('toy_consumer', { source: 'toy', locals: { count: int() } }, [
  stage('get', (k, f) => {
    if (cell(k, 1).value === 0) return BLOCKED
    const mine = memo(k, k.task)
    mine.seen = [...mine.seen, cell(k, 1).value]
    cell(k, 1).value = 0
    return mine.seen.length < f.count ? AGAIN : undefined
  }),
])

/** A choice that others can see, and one that they cannot. */
export const coin = fn('toy_coin', { source: 'toy', locals: {} }, [
  stage('toss', (k) => {
    cell(k, 1).value = choose(k, 3)
  }),
  local('think', (k) => {
    memo(k, k.task).monitor = choose(k, 2)
  }),
])

/** One operation of a random program: what it does, on which cell, with which number. */
export interface Op {
  readonly kind: (typeof op_kinds)[number]
  readonly cell: number
  readonly number: number
}
export const op_kinds = ['read', 'write', 'think', 'lock', 'unlock', 'log', 'fail', 'choose', 'make'] as const

/** Reads a cell into the memo; a function of its own, so that there are calls and returns. */
const read_cell = fn('toy_read_cell', { source: 'toy', locals: { cell: int() } }, [
  stage('read', (k, f) => done(f, cell(k, f.cell).value)),
])

/** Takes a lock, and fails holding it: the frame gives it back on the way out. */
const failing = fn('toy_failing', { source: 'toy', locals: { cell: int() } }, [
  stage('lock', (k, f) => {
    if (cell(k, f.cell).holder !== 0) return BLOCKED
    cell(k, f.cell).holder = k.task
    take(f, unlock, f.cell)
  }),
  stage('fail', () => -5),
])

const remember = (k: Kernel, seen: number): undefined => {
  const mine = memo(k, k.task)
  mine.seen = [...mine.seen, seen]
}

/** Runs the operations that the list `ops` holds: kind, cell, number, three entries each. */
export const interpreter = fn('toy_interpreter', { source: 'toy', locals: { ops: list(), at: int() } }, [
  local('next', (_, f) => {
    if (f.at >= f.ops.length) return done(f)
    return jump(f, op_kinds[f.ops[f.at]!]!)
  }),
  call(
    read_cell,
    (_, f) => ({ cell: f.ops[f.at + 1]! }),
    (k, f, ret: number) => {
      remember(k, ret)
      return jump(f, 'advance')
    },
    'read',
  ),
  stage('write', (k, f) => {
    cell(k, f.ops[f.at + 1]!).value = f.ops[f.at + 2]!
    return jump(f, 'advance')
  }),
  local('think', (k, f) => {
    memo(k, k.task).monitor = f.ops[f.at + 2]!
    return jump(f, 'advance')
  }),
  stage('lock', (k, f) => {
    const node = cell(k, f.ops[f.at + 1]!)
    if (node.holder === k.task) return jump(f, 'advance')
    if (node.holder !== 0) return BLOCKED
    node.holder = k.task
    return jump(f, 'advance')
  }),
  stage('unlock', (k, f) => {
    const node = cell(k, f.ops[f.at + 1]!)
    if (node.holder === k.task) node.holder = 0
    return jump(f, 'advance')
  }),
  stage('log', (k, f) => {
    const node = cell(k, f.ops[f.at + 1]!)
    node.log = [...node.log, k.task]
    return jump(f, 'advance')
  }),
  attempt(
    failing,
    (_, f) => ({ cell: f.ops[f.at + 1]! }),
    (k, f, ret: number) => {
      remember(k, ret)
      return jump(f, 'advance')
    },
    'fail',
  ),
  local('choose', (k, f) => {
    remember(k, 100 + choose(k, 2))
    return jump(f, 'advance')
  }),
  stage('make', (k, f) => {
    if (f.ops[f.at + 2]! % 2 === 0) cell.create(k, { value: f.ops[f.at + 2]! })
    else remember(k, cell.rows(k).length)
    return jump(f, 'advance')
  }),
  local('advance', (_, f) => {
    f.at += 3
    return jump(f, 'next')
  }),
])

/** A system of random programs. Its properties: no memo saw a 3; the second cell was never 2 while the first is 1. */
export function toy_of(programs: readonly (readonly Op[])[]): System {
  return toy({
    cells: 2,
    programs: programs.map((ops) => [
      interpreter,
      { ops: ops.flatMap((op) => [op_kinds.indexOf(op.kind), op.cell, op.number]) },
    ]),
    violations: (k) => (memo.rows(k).some((row) => row.seen.includes(3)) ? ['three'] : []),
  })
}

/** What an operation does in one stage; undefined for those that only the interpreter knows. */
const in_one_stage: Partial<
  Record<Op['kind'], (k: Kernel, id: number, number: number) => number | undefined>
> = {
  read: (k, id) => remember(k, cell(k, id).value),
  write: (k, id, number) => {
    cell(k, id).value = number
    return undefined
  },
  lock: (k, id) => {
    if (cell(k, id).holder !== 0) return BLOCKED
    cell(k, id).holder = k.task
    return undefined
  },
  unlock: (k, id) => {
    if (cell(k, id).holder === k.task) cell(k, id).holder = 0
    return undefined
  },
  choose: (k, id) => {
    cell(k, id).value = choose(k, 2) * 3
    return undefined
  },
}
export const lean_kinds = [...(Object.keys(in_one_stage) as Op['kind'][]), 'think' as const]

/** Like the interpreter, but with one stage for an operation: for programs of which all runs are enumerated. */
const lean = fn('toy_lean', { source: 'toy', locals: { ops: list(), at: int() } }, [
  stage('act', (k, f) => {
    const [kind, id, number] = f.ops.slice(f.at, f.at + 3)
    if (in_one_stage[op_kinds[kind!]!]!(k, id!, number!) === BLOCKED) return BLOCKED
    return lean_next(f)
  }),
  local('think', (k, f) => {
    remember(k, f.ops[f.at + 2]!)
    return lean_next(f)
  }),
])

function lean_next(f: Frame<{ ops: readonly number[]; at: number }>): Outcome {
  f.at += 3
  if (f.at >= f.ops.length) return done(f)
  return jump(f, op_kinds[f.ops[f.at]!] === 'think' ? 'think' : 'act')
}

/** A system of programs of lean operations, the first of each in a stage of its own kind. */
export function lean_toy_of(programs: readonly (readonly Op[])[]): System {
  return toy({
    cells: 2,
    programs: programs.map((ops) => {
      const numbers = ops.flatMap((op) => [op_kinds.indexOf(op.kind), op.cell, op.number])
      return [lean, { ops: numbers, stage: ops[0]!.kind === 'think' ? 1 : 0 }]
    }),
    violations: (k) => (memo.rows(k).some((row) => row.seen.includes(3)) ? ['three'] : []),
  })
}

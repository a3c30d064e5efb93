/** Where a task stands: before which step of which function, and inside which functions it is. */
import { expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import {
  call,
  done,
  fn,
  is_at,
  is_inside,
  local,
  place,
  place_of,
  stage,
  times_inside,
} from '../../src/kernel/fn.js'
import { type Fn, Kernel } from '../../src/kernel/kernel.js'
import { ended, start, step } from '../../src/kernel/machine.js'
import { profile } from '../../src/kernel/profile.js'
import { int } from '../../src/kernel/schema.js'

const leaf = fn('functions_leaf', { source: 'test' }, [stage('first', () => {}), stage('second', () => {})])
/** Calls itself once, and then another. */
const inner: Fn = fn('functions_inner', { source: 'test', locals: { deep: int() } }, [
  call(
    (_, f): Fn => (f.deep === 0 ? inner : leaf),
    (_, f) => (f.deep === 0 ? { deep: 1 } : {}),
    undefined,
    'below',
  ),
])
const outer = fn('functions_outer', { source: 'test' }, [call(inner, () => ({})), stage('last', () => {})])

function boot(main: Fn): Kernel {
  const k = new Kernel(new FastStore(), { profile: profile('7.2'), modules: [] })
  start(k, 1, main, {})
  return k
}

test('a task is inside each function that it has called and not left, as often as it has', () => {
  const k = boot(outer)
  const inside: number[][] = []
  while (!ended(k, 1)) {
    inside.push([outer, inner, leaf].map((each) => times_inside(k, 1, each)))
    expect([outer, inner, leaf].map((each) => is_inside(k, 1, each))).toEqual(
      inside.at(-1)!.map((times) => times > 0),
    )
    step(k, 1)
  }
  expect(inside).toEqual([
    [1, 0, 0],
    [1, 1, 0],
    [1, 2, 0],
    [1, 2, 1],
    [1, 2, 1],
    [1, 0, 0],
  ])
  expect(is_inside(k, 1, outer)).toBe(false)
})

test('where a task stands is one step of one function', () => {
  const k = boot(outer)
  const stands = () => {
    const here = place_of(k.store.top(1))
    const places = [leaf, outer].flatMap((each) => each.steps.map(({ name }) => place(each, name)))
    return places.filter((each) => is_at(each, here)).map((each) => each.fn.steps[each.stage]!.name)
  }
  const seen: string[][] = []
  while (!ended(k, 1)) {
    seen.push(stands())
    step(k, 1)
  }
  expect(seen).toEqual([['functions_inner'], [], [], ['first'], ['second'], ['last']])
})

test('a step that calls is named after what it calls, unless it chooses what to call or is named itself', () => {
  const choose = () => leaf
  const named = fn('functions_named', { source: 'test' }, [
    call(leaf, () => ({})),
    call(choose, () => ({})),
    call(leaf, () => ({}), undefined, 'again'),
    call(choose, () => ({}), undefined, 'chosen'),
  ])
  expect(named.steps.map(({ name }) => name)).toEqual(['functions_leaf', 'call', 'again', 'chosen'])
})

test('a function says where it comes from, and that it is no program unless it is one', () => {
  const since = fn('functions_since', { source: 'fs/exec.c', since: '6.14' }, [])
  const program = fn('functions_program', { source: 'test', is_program: true }, [])
  expect([since.source, since.since, since.is_program]).toEqual(['fs/exec.c', '6.14', false])
  expect([program.since, program.is_program]).toEqual(['', true])
})

test('a call concerns nobody else, whatever it calls', () => {
  const steps = [call(leaf, () => ({})), stage('shared', () => {}), local('own', (_, f) => done(f))]
  expect(steps.map((each) => each.local)).toEqual([true, false, true])
})

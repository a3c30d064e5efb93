/**
 * The machine: tasks, each with a stack of frames, and one operation, `step`.
 *
 * `step(k, task)` runs the next stage of a task: deterministic, without clock, randomness or I/O. Where the
 * kernel itself is not deterministic a stage asks `choose(k, n)`, and whoever drives the machine enumerates
 * the answers.
 */
import { hold_kind } from './fn.js'
import {
  AGAIN,
  BLOCKED,
  type Call,
  DONE,
  type Fn,
  type Frame,
  JUMPED,
  type Kernel,
  type Outcome,
  RETURNING,
} from './kernel.js'
import type { Value } from './schema.js'

/** One of `n` things happens, and the kernel does not say which: answers 0 to n - 1. At most once in a stage. */
export function choose(k: Kernel, n: number): number {
  k.choices = n
  return k.choice
}

export const STEPPED = 0
export const ASLEEP = 1
export type StepResult = typeof STEPPED | typeof ASLEEP

/** Starts a task in `fn`: its outermost frame. */
export function start(k: Kernel, task: number, fn: Fn, values: object): void {
  k.store.push(task, fn, values)
}

/** Whether the task has nothing left to do. */
export function ended(k: Kernel, task: number): boolean {
  return k.store.depth(task) === 0
}

/**
 * Runs the next stage of `task`.
 *
 * @returns STEPPED, or ASLEEP if the stage would sleep: then nothing has changed
 */
export function step(k: Kernel, task: number, choice = 0): StepResult {
  k.task = task
  k.choice = choice
  k.choices = 1
  const f = k.store.top(task)
  if (f.stage === RETURNING) {
    give_back(k, f)
    return STEPPED
  }
  const next = f.fn.steps[f.stage]!
  if (next.kind === 'call') {
    enter(k, f, next)
    return STEPPED
  }
  return settle(k, f, next.run(k, f))
}

/** Whether the next stage of `task` concerns nobody else, so that no other task need run before it. */
export function is_local(k: Kernel, task: number): boolean {
  const f = k.store.top(task)
  if (f.stage === RETURNING) return f.holds.length === 0 || hold_kind(f.holds[f.holds.length - 2]!).local
  const next = f.fn.steps[f.stage]!
  return next.kind === 'call' || next.local
}

/** Calls a function, or goes on where there is nothing to call. */
function enter(k: Kernel, f: Frame, next: Call<unknown>): void {
  const callee = next.callee(k, f)
  if (callee === null) {
    advance(k, f)
    return
  }
  k.store.push(k.task, callee, next.args(k, f))
}

/** Does what a stage answered. */
function settle(k: Kernel, f: Frame, outcome: Outcome): StepResult {
  if (outcome === BLOCKED) return ASLEEP
  if (!outcome) advance(k, f)
  else if (outcome === DONE) leave(k, f)
  else if (outcome < 0) {
    f.ret = outcome
    leave(k, f)
  } else if (outcome !== AGAIN && outcome !== JUMPED) {
    throw new Error(`${f.fn.name}: a stage answered ${outcome}`)
  }
  return STEPPED
}

function advance(k: Kernel, f: Frame): void {
  const next = f.stage + 1
  if (next < f.fn.steps.length) f.stage = next
  else leave(k, f)
}

/** The function has its result: give back what the frame holds, each as a stage of its own, then return. */
function leave(k: Kernel, f: Frame): void {
  if (f.holds.length > 0) f.stage = RETURNING
  else finish(k, f.ret)
}

function give_back(k: Kernel, f: Frame): void {
  const { holds } = f
  if (holds.length > 0) {
    const kind = hold_kind(holds[holds.length - 2]!)
    kind.release(k, holds[holds.length - 1]!)
    f.holds = holds.slice(0, -2)
  }
  if (f.holds.length === 0) finish(k, f.ret)
}

/** Pops the frame and hands the result to the caller, in the same step. */
function finish(k: Kernel, ret: Value): void {
  k.store.pop(k.task)
  if (k.store.depth(k.task) === 0) {
    k.returned = ret
    return
  }
  const caller = k.store.top(k.task)
  const awaiting = caller.fn.steps[caller.stage] as Call<unknown>
  const failed = typeof ret === 'number' && ret < 0
  const outcome = failed && !awaiting.catches ? ret : awaiting.then?.(k, caller, ret)
  if (settle(k, caller, outcome) === ASLEEP) throw new Error(`${caller.fn.name}: slept on a result`)
}

/**
 * Kernel functions as tables of stages.
 *
 *     export const vfs_truncate = fn('vfs_truncate', { source: 'fs/open.c', locals: { inode: ref('inode'), length: int() } }, [
 *       stage('get_write_access', (k, f) => get_write_access(k, f, f.inode)),
 *       call(do_truncate, (_, f) => ({ inode: f.inode, length: f.length })),
 *     ])
 *
 * A stage is what the kernel does under one lock or in one atomic operation: tasks interleave between
 * stages, never inside one. Stages run in order. A stage answers
 *
 * - nothing (or 0): go on with the next; after the last, the function returns 0;
 * - a negative errno: the function fails with it. What its frame holds is given back in reverse, a stage
 *   each, and the caller gets the errno;
 * - `done(f, value)`: the function returns `value` at once (also after giving back what it holds);
 * - `jump(f, 'name')`: go on at the stage of that name;
 * - `AGAIN`: run this stage once more, as a step of its own (a loop over pages);
 * - `BLOCKED`: it would sleep; nothing may have been written, and it is tried again later.
 *
 * What a task is doing inside the kernel is thus data: its stack of frames { function, stage, locals, holds }.
 */
import {
  type Call,
  DONE,
  type Fn,
  type Frame,
  frame_fields,
  JUMPED,
  type Kernel,
  type Outcome,
  type Run,
  type Stage,
  type Step,
} from './kernel.js'
import { type Fields, make_shape, type Value, type ValuesOf } from './schema.js'

export interface FnInfo<F extends Fields> {
  readonly source: string
  readonly since?: string
  readonly locals?: F
  /** Not of the kernel: the program that a task of a scenario runs. */
  readonly is_program?: boolean
}

const registered: Fn[] = []
const registered_by_name = new Map<string, Fn>()

/** Every kernel function of the loaded model: the fidelity ledger and the documents are made from it. */
export function all_functions(): readonly Fn[] {
  return registered
}

export function function_named(name: string): Fn | undefined {
  return registered_by_name.get(name)
}

/** Defines a kernel function. Its name is the kernel's, or says what part of one it is. */
export function fn<const F extends Fields = Record<never, never>, R extends Value = number>(
  name: string,
  info: FnInfo<F>,
  steps: readonly Step<NoInfer<ValuesOf<F>>>[],
): Fn<ValuesOf<F>, R> {
  const shape = make_shape(`fn ${name}`, { frame: frame_fields, locals: info.locals ?? {} })
  const stage_index = new Map(steps.map((step, index) => [step.name, index]))
  if (stage_index.size !== steps.length) throw new Error(`${name}: two stages have the same name`)
  if (registered_by_name.has(name)) throw new Error(`${name} is defined twice`)
  const made: Fn<ValuesOf<F>, R> = {
    name,
    source: info.source,
    since: info.since ?? '',
    shape,
    steps,
    stage_index,
    is_program: info.is_program ?? false,
    index: registered.length,
  }
  registered.push(made)
  registered_by_name.set(name, made)
  return made
}

/** An atomic stage that touches what others may touch: tasks interleave before it. */
export function stage<L>(name: string, run: Run<L>): Stage<L> {
  return { kind: 'stage', name, local: false, run }
}

/** A stage that touches only the running task's own frames and tables. It does not yield. */
export function local<L>(name: string, run: Run<L>): Stage<L> {
  return { kind: 'stage', name, local: true, run }
}

type Callee<L, C> = Fn<C> | ((k: Kernel, f: Frame<L>) => Fn<C> | null)
/** Values of some of the callee's locals, and of nothing else: a store refuses what the types do not see. */
type Arguments<A, C> = A & Partial<C> & { [K in Exclude<keyof A, keyof C>]: never }
type ResultOf<R> = (k: Kernel, f: any, ret: R) => Outcome

function make_call<L, C>(
  callee: Callee<L, C>,
  args: (k: Kernel, f: Frame<L>) => object,
  then: ResultOf<any> | undefined,
  catches: boolean,
  name: string | undefined,
): Call<L> {
  const fixed = typeof callee === 'function' ? null : callee
  return {
    kind: 'call',
    name: name ?? fixed?.name ?? 'call',
    local: true,
    callee: fixed === null ? (callee as (k: Kernel, f: Frame<L>) => Fn<C> | null) : () => fixed,
    args: args as (k: Kernel, f: Frame<L>) => object,
    then,
    catches,
  }
}

/**
 * Calls another kernel function; if it fails, this one fails with the same errno.
 *
 * @param callee the function, or a choice between functions (null skips the call)
 * @param args   values of the callee's locals; of a name that it does not have, nothing is made
 * @param then   takes the result, and answers as a stage does
 * @param name   name of this step, for `jump`; the callee's name unless told
 */
export function call<L, C = any, A extends object = object>(
  callee: Callee<L, C>,
  args: (k: Kernel, f: Frame<L>) => Arguments<A, C>,
  then?: (k: Kernel, f: Frame<L>, ret: any) => Outcome,
  name?: string,
): Call<L> {
  return make_call(callee, args, then, false, name)
}

/** Like `call`, but `then` sees a failure too (a negative number) and decides. */
export function attempt<L, C = any, A extends object = object>(
  callee: Callee<L, C>,
  args: (k: Kernel, f: Frame<L>) => Arguments<A, C>,
  then: (k: Kernel, f: Frame<L>, ret: any) => Outcome,
  name?: string,
): Call<L> {
  return make_call(callee, args, then, true, name)
}

/** Return `ret` from this function, after giving back what its frame still holds. */
export function done(f: Frame<any>, ret: Value = 0): Outcome {
  f.ret = ret
  return DONE
}

/** A step of a function, where a task can stand. */
export interface Place {
  readonly fn: Fn
  /** Its index among the steps. */
  readonly stage: number
}

/** The step of this name. Made while modules are loaded, so that a step that was renamed is missed at once. */
export function place(fn: Fn, name: string): Place {
  const stage = fn.stage_index.get(name)
  if (stage === undefined) throw new Error(`${fn.name} has no step ${name}`)
  return { fn, stage }
}

/** Where the frame of a task stands: before which step. */
export const place_of = ({ fn, stage }: Frame): Place => ({ fn, stage })

export const is_at = (at: Place, { fn, stage }: Place): boolean => at.fn === fn && at.stage === stage

/** Whether a task runs a function, or has called it and waits for it. */
export function is_inside(k: Kernel, task: number, fn: Fn): boolean {
  return times_inside(k, task, fn) > 0
}

/** How often a function stands on the stack of a task. */
export function times_inside(k: Kernel, task: number, fn: Fn): number {
  let times = 0
  for (let depth = 0; depth < k.store.depth(task); depth++) if (k.store.frame(task, depth).fn === fn) times++
  return times
}

/** Go on at the stage of this name. */
export function jump(f: Frame<any>, name: string): Outcome {
  const index = f.fn.stage_index.get(name)
  if (index === undefined) throw new Error(`${f.fn.name} has no stage ${name}`)
  f.stage = index
  return JUMPED
}

/** A kind of thing that a frame can hold and must give back. */
export interface Hold {
  readonly name: string
  readonly index: number
  /** Gives it back: one atomic stage. */
  readonly release: (k: Kernel, object: number) => void
  /** Giving it back touches only the task's own tables. */
  readonly local: boolean
}

const holds: Hold[] = []
const NO_HOLDS: readonly number[] = []

/** Defines what a frame can hold. `name` is the kernel function that gives it back: `put_write_access`. */
export function hold(name: string, release: Hold['release'], options: { local?: boolean } = {}): Hold {
  const made = { name, index: holds.length, release, local: options.local ?? false }
  holds.push(made)
  return made
}

/** The kind of hold at this place of `frame.holds`. */
export function hold_kind(index: number): Hold {
  return holds[index]!
}

/** Notes that the frame holds `object` from now on. */
export function take(f: Frame<any>, kind: Hold, object: number): void {
  f.holds = [...f.holds, kind.index, object]
}

function drop_last(f: Frame<any>, kind: Hold): number {
  const held = f.holds
  for (let i = held.length - 2; i >= 0; i -= 2) {
    if (held[i] !== kind.index) continue
    const object = held[i + 1]!
    f.holds = held.length === 2 ? NO_HOLDS : [...held.slice(0, i), ...held.slice(i + 2)]
    return object
  }
  throw new Error(`${f.fn.name} does not hold ${kind.name}`)
}

/** Gives back the last held of this kind, as part of the running stage. */
export function release(k: Kernel, f: Frame<any>, kind: Hold): void {
  kind.release(k, drop_last(f, kind))
}

/** The frame no longer answers for the last held of this kind: somebody else does (a file its write access). */
export function hand_over(f: Frame<any>, kind: Hold): number {
  return drop_last(f, kind)
}

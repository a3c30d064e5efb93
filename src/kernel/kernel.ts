/**
 * The machine as its parts see each other. A kernel has a store; the store has frames; a frame runs a function;
 * a function is stages; and a stage, like a hook of a security module, is given the kernel. What is done with
 * these stands elsewhere: `fn` defines functions, `machine` steps, `security` asks the chain, and two files are stores.
 */

import type { Footprint, Snapshot } from './footprint.js'
import type { HookArguments, HookName } from './lsm_hook_defs.js'
import type { Notes } from './notes.js'
import type { Feature, Profile } from './profile.js'
import { int, list, type Row, type Rows, type Shape, type Value, type ValuesOf, value } from './schema.js'

// --- functions ---------------------------------------------------------------------------------------------

/** Fields that every frame has before its locals. */
export const frame_fields = {
  /** Index of the next stage; `RETURNING` once the function only gives back what it holds. */
  stage: int(),
  /** What must be given back: pairs of hold kind and object, the last taken last. */
  holds: list([false, true]),
  /** While returning: what to return. */
  ret: value(),
}

export const RETURNING = -1

interface FrameBase {
  readonly fn: Fn
  readonly task: number
}
export type Frame<L = unknown> = Row<ValuesOf<typeof frame_fields>> & FrameBase & L

export type Outcome = number | undefined | void
/** Answers of stages, above every errno. */
export const AGAIN = 1
export const BLOCKED = 2
export const JUMPED = 3
export const DONE = 4

export type Run<L> = (k: Kernel, f: Frame<L>) => Outcome

export interface Stage<L> {
  readonly kind: 'stage'
  readonly name: string
  /** Touches nothing that another task could touch, so it does not yield. Audited in tests. */
  readonly local: boolean
  readonly run: Run<L>
}

export interface Call<L> {
  readonly kind: 'call'
  readonly name: string
  readonly local: true
  /** The function to call, or null to skip the call and go on. */
  readonly callee: (k: Kernel, f: Frame<L>) => Fn<any> | null
  readonly args: (k: Kernel, f: Frame<L>) => object
  /** Takes the result; without it the result is dropped. */
  readonly then: ((k: Kernel, f: Frame<L>, ret: any) => Outcome) | undefined
  /** `then` sees errors too, instead of this function failing with them. */
  readonly catches: boolean
}

export type Step<L> = Stage<L> | Call<L>

/** A kernel function. */
export interface Fn<L = any, R extends Value = any> {
  readonly name: string
  /** The file that defines it in 6.18, e.g. `fs/open.c`. */
  readonly source: string
  /** The first release with the modelled behaviour, where that is known to matter. */
  readonly since: string
  readonly shape: Shape
  readonly steps: readonly Step<L>[]
  readonly stage_index: ReadonlyMap<string, number>
  /** Not of the kernel: the program that a task of a scenario runs. */
  readonly is_program: boolean
  readonly index: number
  readonly returns?: R
}

// --- the store ---------------------------------------------------------------------------------------------

/**
 * Where the state lives. Two stores stand behind the same accessors:
 *
 * - `FastStore`, for the search: mutable rows and an undo journal. Depth-first search steps forward and
 *   takes back, without copying.
 * - `ImmerStore`, the reference: immutable snapshots and patches, for traces, time travel and the browser.
 *
 * A property test runs random programs on both and wants the same states, events, footprints and hashes.
 */
export interface Store extends Rows {
  /** The two 32-bit words of the state's hash. */
  readonly hash_lo: number
  readonly hash_hi: number

  /** Tasks that have a frame: those that have not ended, by number. */
  tasks(): number[]
  /** Frames of a task, the outermost first. */
  depth(task: number): number
  top(task: number): Frame
  frame(task: number, depth: number): Frame
  push(task: number, fn: Fn, values: object): Frame
  pop(task: number): void

  /** Begins a step; after `commit` its changes stand, after `undo(mark)` they never were. */
  mark(): number
  commit(): void
  undo(mark: number): void

  /** From now on `notes` is told of every touch; null: nobody is. */
  watch(notes: Notes | null): void
  /** From now on every touch is noted in a list of its own, until `footprint()` is asked for it. */
  note(): void
  footprint(): Footprint

  /** The whole state as plain data, rows ordered by identity: the exact key of a state is its JSON. */
  snapshot(): Snapshot
}

// --- security modules --------------------------------------------------------------------------------------

export type Hook<N extends HookName> = (k: Kernel, args: HookArguments[N]) => number
export type Hooks = { readonly [N in HookName]?: Hook<N> }

export interface SecurityModule {
  readonly name: string
  readonly hooks: Hooks
  /**
   * Whether this module's policy approves of executing what this inode holds, whoever asks: what the
   * property `policy` means by "approved". Undefined where the module has no opinion on objects.
   */
  approves?(k: Kernel, inode: number): boolean
}

export type Chain = {
  readonly [N in HookName]?: readonly { readonly module: string; readonly hook: Hook<N> }[]
}

/** The hooks of all modules, sorted by hook: made once when a kernel is made. */
function make_chain(modules: readonly SecurityModule[]): Chain {
  const chain: Record<string, { module: string; hook: Hook<any> }[]> = {}
  for (const module of modules) {
    for (const [name, hook] of Object.entries(module.hooks)) {
      chain[name] ??= []
      chain[name]!.push({ module: module.name, hook: hook as Hook<any> })
    }
  }
  return chain as Chain
}

// --- the kernel --------------------------------------------------------------------------------------------

/** Something that a stage wants the reader of a trace to know. */
export interface Event {
  readonly kind: string
  readonly text: string
  readonly detail?: Readonly<Record<string, Value>>
}

/** What does not change while tasks run, and is therefore not part of any state. */
export interface Config {
  readonly profile: Profile
  /** The chain of security modules, in the order in which they are asked. */
  readonly modules: readonly SecurityModule[]
  /** Told of what properties speak about, inside the stage in which it happens. */
  readonly monitor?: Monitor
  /** Where it is noted which features somebody has asked for. */
  readonly asked?: Set<Feature>
}

/** A deterministic observer: what it must remember it keeps in tables of its own. */
export interface Monitor {
  /**
   * Every security module has said yes to running (or to the check of) an open file.
   *
   * @param data_inode the inode that holds the bytes that were judged, as of now
   */
  approval?(k: Kernel, data_inode: number, file: number, is_check: boolean): void
  /** The running task is given bytes of this inode. */
  copied?(k: Kernel, inode: number): void
  /** A module that is asked about a file has looked at the bytes of this inode. */
  looked?(k: Kernel, inode: number, file: number, module: string): void
  /** An open file has become the program of the running task; `data_inode` holds the bytes that are mapped. */
  loaded?(k: Kernel, file: number, data_inode: number): void
  /** The running task lets go of its memory. */
  unmapped?(k: Kernel): void
}

export class Kernel {
  /** The running task; 0 while a scenario is set up. */
  task = 0
  /** Which answer `choose` gives in this step, and how many there were: set by the driver, read by it after. */
  choice = 0
  choices = 1
  /** What the outermost function of a task has returned, where it did so in this step: read by the driver. */
  returned: Value = 0
  /** Events of the running step, or null where nobody listens. */
  events: Event[] | null = null

  readonly chain: Chain

  constructor(
    readonly store: Store,
    readonly config: Config,
  ) {
    this.chain = make_chain(config.modules)
  }

  /** Whether the kernel that is modelled behaves in this way. */
  has(feature: Feature): boolean {
    const { profile, asked } = this.config
    asked?.add(feature)
    return profile.features.has(feature)
  }

  /** Tells the reader of the trace; `text` is a function where making it costs something. */
  tell(kind: string, text: string | (() => string), detail?: Event['detail']): void {
    if (this.events === null) return
    this.events.push({ kind, text: typeof text === 'string' ? text : text(), detail })
  }

  /** Fails with `errno` (negative), and tells why. */
  refuse(errno: number, why: string | (() => string)): number {
    this.tell('refused', why)
    return errno
  }
}

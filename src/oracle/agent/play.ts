/**
 * What is played on a kernel: a set-up, tasks, and the calls that they make one after another, in the order
 * in which they stand. The model and the agent take the same form, and answer in the same form.
 */
import type { ArgumentForm, SetupForm, TaskForm } from '../../scenario/form.js'

/** Who a task is; task `i` of the list has the number `i + 1`. */
export type PlayTask = Omit<TaskForm, 'program' | 'role'>

export interface PlayCall {
  /** Number of the task that makes it. */
  readonly task: number
  readonly call: string
  readonly args?: readonly ArgumentForm[]
  /** Name of the result, for later arguments: `{ $: 'fd' }`, `{ $: 'st.st_size' }`. */
  readonly as?: string
  /** Of a fork: the number that the child has here. */
  readonly child?: number
}

export interface Play {
  readonly setup: SetupForm
  readonly tasks: readonly PlayTask[]
  readonly calls: readonly PlayCall[]
}

/**
 * What a call gave; exactly one of the first seven.
 *
 * - `ret`: its result. With it `data`, the bytes that it filled in, or `fields`, the structure's.
 * - `errno`, `signal`: by name.
 * - `exec`: the task runs another program now. It makes no more calls.
 * - `dead`: the task is no more.
 * - `blocked`: the call sleeps.
 * - `stopped`: it was made to stop on its way (stops.ts).
 */
export interface Answer {
  readonly ret?: number
  readonly errno?: string
  readonly signal?: string
  readonly exec?: true
  readonly dead?: true
  readonly blocked?: true
  readonly stopped?: true
  /** A byte string: one character below 256 per byte. */
  readonly data?: string
  readonly fields?: Readonly<Record<string, number>>
}

/** What a machine that plays lacks, or why it failed. */
export class OracleError extends Error {
  /** What the command line exits with. */
  readonly exit_code = 6

  /**
   * @param lack what kind of thing is missing
   * @param message one line for people
   */
  constructor(
    readonly lack: 'compiler' | 'privilege' | 'kernel' | 'agent',
    message: string,
  ) {
    super(message)
    this.name = 'OracleError'
  }
}

/** A set-up that the kernel (or the model) refuses: the errno where there is one, and what it said. */
export class SetupRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SetupRefused'
  }
}

/**
 * Results of calls and what calls take, as types: what a call gives is a `Result` of its kind, which later calls take
 * where they take such a value. The calls themselves stand in `calls.ts`.
 */

import type { ErrnoName } from '../kernel/errno.js'
import type { ResultKind } from '../kernel/syscall.js'

/** `S` if it is names of `N` joined by `|`, else never. */
export type Flags<N extends string, S extends string> = S extends N
  ? S
  : S extends `${infer Head}|${infer Rest}`
    ? Head extends N
      ? Flags<N, Rest> extends never
        ? never
        : S
      : never
    : never

/** A number, or names of `N` joined by `|`. */
export type NumberOr<N extends string, S extends string> = number | Flags<N, S>
/** Type and permission bits: `'S_IFIFO|0644'`. */
export type ModeOf<N extends string> = number | N | `${N}|0${number}`

/** What a call gives where a flag decides: of flags that are a number nothing is known, but 0 has none. */
export type Deciding<S extends string | number, Flag extends string, With, Without> = S extends 0
  ? Without
  : S extends number
    ? With
    : string extends S
      ? With
      : S extends `${string}${Flag}${string}`
        ? With
        : Without

/** The name of an error: `EACCES`. */
export type Errno = ErrnoName

/** What kinds of results there are. An approval is what a check gives that says yes. */
export type Kind = ResultKind

/** A test of a result, for `if`. */
export interface Condition {
  /** Of which call. */
  readonly result: Result
  /** What of it; exactly one. */
  readonly test: {
    /** It has not failed. */
    readonly ok?: true
    /** It has failed, with whatever error. */
    readonly failed?: true
    /** It has failed with this one. */
    readonly errno?: Errno
    /** It has given this number. */
    readonly equals?: number
  }
}

/** What a call will give when the program runs. */
export interface Result<K extends Kind = Kind> {
  /** What it stands for. */
  readonly kind: K
  /** Gives the result a name, for properties and traces. */
  as(name: string): this
  /** The program goes on if the call fails; without it the program ends there. */
  may_fail(): this
  /** For `if`: the call has not failed. */
  ok(): Condition
  /** For `if`: the call has failed, with whatever error. */
  failed(): Condition
  /** For `if`: the call has failed with this error. */
  failed_with(errno: Errno): Condition
  /** For `if`: the call has given this number. */
  equals(value: number): Condition
}

/** A descriptor. */
export type Fd = Result<'fd'>
/** Bytes that were read. */
export type Bytes = Result<'bytes'>
/** The address of a mapping. */
export type Address = Result<'address'>
/** The answer of an execution check, on which a `use` relies. */
export type Approval = Result<'approval'>

/** A number of a structure that a call will have filled. */
export interface Field {
  /** The call that fills the structure. */
  readonly of: Result
  /** The field's name in C. */
  readonly field: string
}

/** A number: itself, a field of a structure, or the result of a call that gives a plain number. */
export type Int = number | Field | Result<'int'> | Result<'task'> | Result<'bytes'>
/** Where a descriptor is taken: that of an earlier call, or a number. */
export type FdArg = number | Fd
/** Where a directory is taken: an open one, or the one in which the task stands. */
export type DirFd = FdArg | 'AT_FDCWD'
/** An address: of a mapping, or a number; NULL is 0. */
export type Addr = number | Address
/** A path or name; null is a bad pointer. */
export type Path = string | null
/** Bytes to write: text, base64, or what an earlier call read. */
export type Data = string | { readonly base64: string } | Bytes
/** A vector of strings; null is an empty one. */
export type Vector = readonly string[] | null

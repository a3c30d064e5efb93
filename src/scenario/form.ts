/**
 * The JSON form of a scenario: plain data, so that it can be saved, opened in a browser, hashed into a replay
 * token, and turned into C. Loading it runs no code. `schema.ts` checks it; `docs/scenario.schema.json` is
 * that check as a JSON Schema.
 *
 * Bytes are strings (their UTF-8) or `{ base64 }`. Numbers are numbers; constants of system calls may be
 * names joined by `|`, as in C.
 */

import type { ErrnoName, SignalName } from '../kernel/errno.js'

/** A JSON value: what stands under `params` and in arguments. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Bytes of a file or of a call: text, or any bytes as base64. */
export type BytesForm = string | { readonly base64: string }

export interface OwnerForm {
  /** Permission bits, as a number or in octal (`"0755"`). */
  readonly mode?: number | `0${number}`
  readonly uid?: number
  readonly gid?: number
}

/** What fs-verity knows of a file: its digest (`alg:hex`), and whether its built-in signature was verified. */
export interface VerityForm {
  readonly digest?: string
  readonly signed?: boolean
}

/**
 * A file of a tree. Short forms: a string is a regular file 0644 of root with these bytes. Names may be
 * paths (`usr/bin/sh`): the directories between are 0755 of root.
 */
export type NodeForm =
  | string
  | (OwnerForm & {
      readonly file: BytesForm
      readonly verity?: VerityForm
      readonly immutable?: boolean
      readonly append?: boolean
    })
  | (OwnerForm & { readonly dir: TreeForm; readonly opaque?: boolean })
  | { readonly symlink: string; readonly uid?: number; readonly gid?: number }
  | (OwnerForm & { readonly device: 'char' | 'block' | 'fifo'; readonly rdev?: number })
  /** Another name of a file that stands earlier in the same tree, by its path from the tree's root. */
  | { readonly link: string }
  /** A whiteout: in an upper or middle layer, the name is gone. */
  | { readonly whiteout: true }

export interface TreeForm {
  readonly [name: string]: NodeForm
}

export interface FileSystemForm {
  readonly type: 'tmpfs' | 'ext4' | 'erofs'
  /** The superblock is read-only. An erofs always is. */
  readonly read_only?: boolean
  /** It is what the kernel unpacked at boot: IPE's `boot_verified`. */
  readonly initramfs?: boolean
  /** It lies on a dm-verity device with this root hash (`alg:hex`), signed or not. */
  readonly dmverity?: { readonly roothash?: string; readonly signed?: boolean }
  readonly tree?: TreeForm
}

export type MountOption = 'ro' | 'noexec' | 'nosuid' | 'nodev' | 'nosymfollow'

export interface OverlayForm {
  /** `name` or `name:/path` of a file system, the topmost first. */
  readonly lower: readonly string[]
  readonly upper?: string
  /** Where copies are made before they are published; on the file system of `upper`. */
  readonly work?: string
}

export type MountForm = { readonly at: string; readonly options?: readonly MountOption[] } & (
  | { readonly filesystem: string; readonly root?: string }
  | { readonly bind: string }
  | { readonly overlay: OverlayForm }
)

export interface IpeForm {
  /** The policy's text; without it nothing is asked of IPE. */
  readonly policy?: string
  /** False: decisions are told but not enforced. */
  readonly enforce?: boolean
  readonly success_audit?: boolean
}

/** A module as a table of rules, see `src/lsm/rules.ts`. */
export type RulesForm = { readonly name: string; readonly rules: readonly Json[] }

/** A module that is code: named, and refused where only data can go. */
export interface CodeForm {
  readonly code: string
  /** Hash of its source. */
  readonly source: string
}

export interface LsmForm {
  readonly ipe?: IpeForm
  readonly rules?: readonly RulesForm[]
  readonly modules?: readonly CodeForm[]
  /** Names of modules in the order in which they are asked, after capability; unless told: as above. */
  readonly order?: readonly string[]
}

export interface SetupForm {
  /** Release, with features added by `+name` or left out by `+-name`: `6.19`, `6.19+ovl_read_pinned`. */
  readonly profile?: string
  readonly filesystems?: { readonly [name: string]: FileSystemForm }
  /** In order; the first is at `/`. Without any, an empty tmpfs is. */
  readonly mounts?: readonly MountForm[]
  readonly lsm?: LsmForm
}

/** The value of an earlier result (`fd`) or of a field of it (`st.st_size`). */
export interface ResultRef {
  readonly $: string
}

export type ArgumentForm = Json | ResultRef

export interface CallForm {
  readonly call: string
  readonly args?: readonly ArgumentForm[]
  /** Name of the result, for later arguments, branches, uses and properties. */
  readonly as?: string
  /** `exit` (unless told): the program ends at a failure. */
  readonly on_error?: 'exit' | 'continue'
  /** For `fork`: what the child runs; without it the child ends at once. */
  readonly child?: readonly OpForm[]
}

/** When a branch is taken; exactly one of the four tests. */
export interface ConditionForm {
  readonly result: string
  readonly ok?: true
  readonly failed?: true
  readonly errno?: string
  readonly equals?: number
}

/** A piece of what a task uses: a result that carries bytes, and where in the file they stand. */
export interface PieceForm {
  readonly of: string
  /** Offset in the file; unless told, that of the call (`pread`), or where the piece before ended. */
  readonly at?: number
}

export interface UseForm {
  readonly use: string | readonly (string | PieceForm)[]
  /** The check on whose strength the bytes are used. */
  readonly relies?: string
  /** True: the program knows that this is not the whole file, so its end is not compared. */
  readonly part?: boolean
}

export type OpForm =
  | CallForm
  | UseForm
  | { readonly if: ConditionForm; readonly then: readonly OpForm[]; readonly else?: readonly OpForm[] }
  | { readonly repeat: number; readonly body: readonly OpForm[] }
  | { readonly exit: true }

export interface TaskForm {
  readonly name: string
  /** Who relies on checks, and who acts against it: a safe verdict must be witnessed by both. */
  readonly role?: 'victim' | 'attacker' | 'other'
  readonly uid?: number
  readonly gid?: number
  readonly groups?: readonly number[]
  /** `all`, or names (`CAP_DAC_OVERRIDE`); unless told, all for uid 0 and none else. */
  readonly capabilities?: 'all' | readonly string[]
  readonly umask?: number
  /** Soft limit of descriptors, at most 1024, which it is unless told. */
  readonly rlimit_nofile?: number
  readonly cwd?: string
  readonly securebits?: number | string
  readonly program: readonly OpForm[]
}

/**
 * An outcome, by `task.result`: `ok`, `failed`, an errno's name, or a number. It speaks of the history of a run:
 * it has come once each part has been shown, each by some call of that name, of that task or of a child that it
 * forked, at any moment of the run. What later calls give (in a loop, or by the same name) does not undo it.
 */
export interface OutcomeForm {
  readonly [result: string]: 'ok' | 'failed' | ErrnoName | SignalName | number
}

/** What must hold. `check-use` always must, whether it is said or not: all others are added to it. */
export type PropertyForm =
  /** Bytes that are used on the strength of a check are those that it judged. */
  | 'check-use'
  /** Bytes that are used come from objects that the policy approves. */
  | 'policy'
  | 'parity'
  /** `never`: no run has this outcome. */
  | { readonly never: OutcomeForm; readonly name?: string }
  /** `reaches`: some run has this outcome. */
  | { readonly reaches: OutcomeForm; readonly name?: string }
  /** Code, that looks at the state after every stage. */
  | CodeForm

/** What can be expected of a case. (`unwitnessed` is said of one, and cannot be.) */
export type Verdict = 'hole' | 'race' | 'deadlock' | 'incomplete' | 'safe'

export interface ExpectationForm {
  readonly verdict: Verdict
  /** The property that is violated. */
  readonly property?: string
}

export interface CaseForm {
  readonly params?: { readonly [name: string]: string | number | boolean }
  /** What this case runs on unless `setup.profile` says it. */
  readonly profile?: string
  readonly setup?: SetupForm
  readonly tasks: readonly TaskForm[]
  readonly properties?: readonly PropertyForm[]
  readonly expect?: ExpectationForm
}

export interface ScenarioForm {
  /** Where the JSON Schema is, for editors. */
  readonly $schema?: string
  readonly toctoscope: 1
  readonly name: string
  readonly summary: string
  /** What somebody who has read the trace has learned. */
  readonly teaches?: string
  readonly cases: readonly CaseForm[]
}

/** The profile of a case that names none. */
export const DEFAULT_PROFILE = '7.2'

/** `access=read mitigation=none profile=7.2`: how a case is known in reports and to `--case`. */
export function case_name(form: CaseForm): string {
  return Object.entries(form.params ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

/** The profile that a case runs on, as its set-up or its parameters name it. */
export function case_profile(form: CaseForm): string {
  return form.setup?.profile ?? form.profile ?? DEFAULT_PROFILE
}

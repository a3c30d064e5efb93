/**
 * The JSON form of a scenario: plain data, so that it can be saved, opened in a browser, hashed into a replay
 * token, and turned into C. Loading it runs no code. `form_schema.ts` checks it; `docs/scenario.schema.json` is
 * that check as a JSON Schema.
 *
 * Bytes are strings (their UTF-8) or `{ base64 }`. Numbers are numbers; constants of system calls may be
 * names joined by `|`, as in C.
 */

import type { ErrnoName, SignalName } from '../kernel/errno.js'
import type { LsmOptions } from '../lsm/define_lsm.js'
import type { OverlayOptions } from '../overlay/params.js'
import type { FileSystemType } from '../vfs/filesystems/filesystems.js'

/** A JSON value: what stands under `params` and in arguments. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Bytes of a file or of a call: text, or any bytes as base64. */
export type BytesForm = string | { readonly base64: string }

/** Permission bits and owner of a file; root's unless told. */
export interface OwnerForm {
  /** Permission bits, as a number or in octal (`"0755"`). */
  readonly mode?: number | `0${number}`
  /** User id of the owner. */
  readonly uid?: number
  /** Group id. */
  readonly gid?: number
}

/** What fs-verity knows of a file: its digest (`alg:hex`), and whether its built-in signature was verified. */
export interface VerityForm {
  /** `alg:hex`; unless told, one of the content. */
  readonly digest?: string
  /** The kernel has verified a signature of the digest. */
  readonly signed?: boolean
}

/**
 * A file of a tree. Short forms: a string is a regular file 0644 of root with these bytes. Names may be
 * paths (`usr/bin/sh`): the directories between are 0755 of root.
 */
export type NodeForm =
  | string
  | (OwnerForm & {
      /** A regular file with these bytes. */
      readonly file: BytesForm
      /** fs-verity is on: nobody can open it for writing. */
      readonly verity?: VerityForm
      /** chattr +i. */
      readonly immutable?: boolean
      /** chattr +a: it can only be appended to. */
      readonly append?: boolean
    })
  | (OwnerForm & { readonly dir: TreeForm; readonly opaque?: boolean })
  | { readonly symlink: string; readonly uid?: number; readonly gid?: number }
  | (OwnerForm & { readonly device: 'char' | 'block' | 'fifo'; readonly rdev?: number })
  /** Another name of a file that stands earlier in the same tree, by its path from the tree's root. */
  | { readonly link: string }
  /** A whiteout: in an upper or middle layer, the name is gone. */
  | { readonly whiteout: true }

/** A directory: files by their names. */
export interface TreeForm {
  readonly [name: string]: NodeForm
}

/** A file system and what is in it. */
export interface FileSystemForm {
  /** Of ext4 files can have fs-verity; an erofs is a read-only image; proc shows tasks, and there is one at most. */
  readonly type: FileSystemType
  /** The superblock is read-only. An erofs always is. */
  readonly read_only?: boolean
  /** It is what the kernel unpacked at boot: IPE's `boot_verified`. */
  readonly initramfs?: boolean
  /** It lies on a dm-verity device with this root hash (`alg:hex`), signed or not. */
  readonly dmverity?: { readonly roothash?: string; readonly signed?: boolean }
  /** What is in its root, which is 0755 of root. Of proc nobody says it. */
  readonly tree?: TreeForm
}

/** Options of a mount, as in mount(8). */
export type MountOption = 'ro' | 'noexec' | 'nosuid' | 'nodev' | 'nosymfollow'

/**
 * Layers of an overlay. Each is a directory: of a file system (`name`, `name:/path`), or of what earlier mounts show
 * (`/m/dir`), which may be an overlay.
 */
export interface OverlayForm {
  /** The topmost first. */
  readonly lower: readonly string[]
  /** Where changes go; without it the overlay cannot be written. It cannot be on an overlay. */
  readonly upper?: string
  /** Where copies are made before they are published; on the file system of `upper`. */
  readonly work?: string
  /** Mount options; what is left out is as the kernel has it. */
  readonly options?: OverlayOptions
}

/** A mount: of a file system, of what stands elsewhere already, or of an overlay. */
export type MountForm = { readonly at: string; readonly options?: readonly MountOption[] } & (
  | { readonly filesystem: string; readonly root?: string }
  | { readonly bind: string }
  | { readonly overlay: OverlayForm }
)

/** A module as a table of rules, see docs/scenarios.md. */
export type RulesForm = { readonly name: string; readonly rules: readonly Json[] }

/** A module that is code: named, and refused where only data can go. */
export interface CodeForm {
  /** Its name. */
  readonly code: string
  /** Hash of its source. */
  readonly source: string
}

/** Security modules besides capability: those of the kernel by their names (docs/modules.md), and a user's own. */
export interface LsmForm extends LsmOptions {
  /** Modules that are tables of rules. */
  readonly rules?: readonly RulesForm[]
  /** Modules that are code. */
  readonly modules?: readonly CodeForm[]
  /** Names of modules in the order in which they are asked, after capability; unless told: as above. */
  readonly order?: readonly string[]
}

/** What is there before any task runs. */
export interface SetupForm {
  /** Release, with features added by `+name` or left out by `+-name`: `6.19`, `6.19+ovl_read_pinned`. */
  readonly profile?: string
  /** File systems by their names. */
  readonly filesystems?: { readonly [name: string]: FileSystemForm }
  /** In order; the first is at `/`. Without any, an empty tmpfs is. */
  readonly mounts?: readonly MountForm[]
  /** Security modules and their policies. */
  readonly lsm?: LsmForm
}

/** The value of an earlier result (`fd`) or of a field of it (`st.st_size`). */
export interface ResultRef {
  /** `fd`, or `st.st_size`. */
  readonly $: string
}

/** An argument of a call: a value, or the result of an earlier call. */
export type ArgumentForm = Json | ResultRef

/** A system call. */
export interface CallForm {
  /** Its name. */
  readonly call: string
  /** In the order of the C library; a buffer that C fills is left out. */
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
  /** Name of the result that is tested. */
  readonly result: string
  /** The call has not failed. */
  readonly ok?: true
  /** It has failed, with whatever error. */
  readonly failed?: true
  /** It has failed with this one. */
  readonly errno?: string
  /** It has given this number. */
  readonly equals?: number
}

/** A piece of what a task uses: a result that carries bytes, and where in the file they stand. */
export interface PieceForm {
  /** Name of the result. */
  readonly of: string
  /** Offset in the file; unless told, that of the call (`pread`), or where the piece before ended. */
  readonly at?: number
}

/** The task takes bytes for the content of a file, and acts on them. */
export interface UseForm {
  /** Names of results that carry bytes, in the order of the file. */
  readonly use: string | readonly (string | PieceForm)[]
  /** The check on whose strength the bytes are used. */
  readonly relies?: string
  /** True: the program knows that this is not the whole file, so its end is not compared. */
  readonly part?: boolean
}

/** What a program does next: a call, a use, a branch, a loop, or its end. */
export type OpForm =
  | CallForm
  | UseForm
  | { readonly if: ConditionForm; readonly then: readonly OpForm[]; readonly else?: readonly OpForm[] }
  | { readonly repeat: number; readonly body: readonly OpForm[] }
  | { readonly exit: true }

/** A task and its program. */
export interface TaskForm {
  /** As outcomes and reports call it. */
  readonly name: string
  /** Who relies on checks, and who acts against it: a safe verdict must be witnessed by both. */
  readonly role?: 'victim' | 'attacker' | 'other'
  /** User id, 0 unless told. */
  readonly uid?: number
  /** Group id, 0 unless told. */
  readonly gid?: number
  /** Supplementary groups. */
  readonly groups?: readonly number[]
  /** `all`, or names (`CAP_DAC_OVERRIDE`); unless told, all for uid 0 and none else. */
  readonly capabilities?: 'all' | readonly string[]
  /** 0o022 unless told. */
  readonly umask?: number
  /** Soft limit of descriptors, at most 1024, which it is unless told. */
  readonly rlimit_nofile?: number
  /** Where it stands; `/` unless told. */
  readonly cwd?: string
  /** A number, or names joined by `|`: `SECBIT_EXEC_RESTRICT_FILE`. */
  readonly securebits?: number | string
  /** What it does, one after the other; falling off the end ends the process. */
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

/** What a complete search must find. */
export interface ExpectationForm {
  /** The verdict. */
  readonly verdict: Verdict
  /** The property that is violated. */
  readonly property?: string
}

/** One case. */
export interface CaseForm {
  /** Values of the parameters, by which reports and `--case` know it. */
  readonly params?: { readonly [name: string]: string | number | boolean }
  /** What this case runs on unless `setup.profile` says it. */
  readonly profile?: string
  /** What is there. */
  readonly setup?: SetupForm
  /** Who does what; up to 16. */
  readonly tasks: readonly TaskForm[]
  /** What must hold besides `check-use`. */
  readonly properties?: readonly PropertyForm[]
  /** What the search must find. Without it only `unwitnessed` is unexpected. */
  readonly expect?: ExpectationForm
}

/** A scenario as a document. */
export interface ScenarioForm {
  /** Where the JSON Schema is, for editors. */
  readonly $schema?: string
  /** Version of this form. */
  readonly toctoscope: 1
  /** How it is called on the command line. */
  readonly name: string
  /** One line: what it shows. */
  readonly summary: string
  /** What somebody who has read the trace has learned. */
  readonly teaches?: string
  /** One for each combination of the parameters. */
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

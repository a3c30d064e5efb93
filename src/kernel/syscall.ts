/**
 * System calls: one declaration for each, beside the stages that it runs.
 *
 * All that is known of a call elsewhere follows from its declaration: the typed method of the builder
 * (`scenario/calls.ts` is made from it), the words of the form and the shell, the notation of strace in both
 * directions, what the agent passes to a kernel, the lines of a C program, random calls, and what a change, an
 * approval or a use is.
 *
 * Two liberties are taken, the same for scenarios and the shell: where C passes a buffer to be filled only
 * its length is given, and what was put into it comes back with the result (`user_buffer`); bytes to be
 * written are a string, and their length follows as in C or may be left out.
 */
import type { Fn } from './kernel.js'

/** Names of constants that an argument may be given by, joined by `|`. */
export type Constants = Readonly<Record<string, number>>

const narrow = { holds: 'number', wide: false } as const
const wide = { holds: 'number', wide: true } as const
const string = { holds: 'string', wide: false } as const

/** What each kind of argument holds. A wide number has 64 bits in C; others have 32: what does not fit wraps. */
export const argument_kinds = {
  /** A descriptor. */
  fd: narrow,
  /** The number that a descriptor is to get. */
  newfd: narrow,
  /** Where a relative path begins: a descriptor of a directory, or AT_FDCWD. */
  dirfd: narrow,
  /** A path that is walked; null is a bad pointer. */
  path: string,
  /** Text that is no path yet, such as what a symbolic link is to say; null is a bad pointer. */
  text: string,
  /** Constants joined by `|`. */
  flags: narrow,
  /** One of several constants. */
  choice: narrow,
  /** Permission bits, octal; where there are constants they say the type of a file. */
  mode: narrow,
  /** A user or a group; -1 leaves it as it is. */
  id: narrow,
  /** The number of a device. */
  device: narrow,
  /** A number of no kind of its own. */
  int: narrow,
  long: wide,
  /** How many bytes are moved. */
  size: wide,
  /** A place in a file, or its length. */
  offset: wide,
  /** A length or an offset of memory, of which only whole pages count. */
  pages: wide,
  address: wide,
  /** Bytes to be written; null is a bad pointer. */
  bytes: { holds: 'bytes', wide: false },
  /** A vector of strings; null is an empty one. */
  strings: { holds: 'strings', wide: false },
} as const

export type ArgumentKind = keyof typeof argument_kinds

/** What an argument of this kind is for those who need not know more. */
export const holds = ({ kind }: Parameter) => argument_kinds[kind].holds

export interface Parameter {
  /** As the page of the manual calls it. */
  readonly name: string
  readonly kind: ArgumentKind
  /** What to know of it before one writes it. */
  readonly says?: string
  readonly constants?: Constants
  /** What one of the constants is called in types (`OpenFlag`); without it they are listed where they are taken. */
  readonly constant?: string
  /** What a left-out argument means; without it the argument must be given. Null of a count: all of the bytes. */
  readonly missing?: Argument
}

/** A buffer or a structure that the kernel fills: it stands in C's prototype, and is not among what is given here. */
export interface Filled {
  readonly name: string
  readonly kind: 'filled'
  /** The argument that says how long it is; without it it is a structure, and has a length of its own. */
  readonly size?: string
  readonly struct?: Structure
}

/** A structure of C. */
export interface Structure {
  /** `stat`, of `struct stat`. */
  readonly name: string
  /** Those of its fields that the model has, in the order in which the call's function returns them. */
  readonly fields: readonly string[]
  /** What each is. */
  readonly says: Readonly<Record<string, string>>
}

/** An argument as the call gets it: constants are resolved; a null string is `NULL_POINTER`, null bytes are null. */
export type Argument = number | string | readonly string[] | null

/**
 * What a success gives: a plain number, a new descriptor, bytes (their count is the result, the bytes stand in the
 * task's `user_buffer`), an address, a task, or a structure (the function returns the list of its fields; the result
 * is 0). And what it means: an `approval` of the bytes that were judged, on which a `use` can rely; `exec`, the task
 * runs and uses other bytes from now on; `never`, nothing, for the task is gone.
 */
export type ResultKind =
  | 'int'
  | 'fd'
  | 'bytes'
  | 'address'
  | 'task'
  | 'struct'
  | 'approval'
  | 'exec'
  | 'never'

/**
 * What a call changes if it succeeds, as others meet it: what a file holds, which file a name stands for, who may do
 * what with it. What is the task's own (descriptors, mappings, its directory) is nothing to others.
 */
export type Change = 'nothing' | 'contents' | 'names' | 'attributes'

export interface Declaration {
  readonly name: string
  /** What it does: a sentence or two. */
  readonly says: string
  /** Its arguments in the order of C. With one argument less than there are, it is the count that was left out. */
  readonly prototype: readonly (Parameter | Filled)[]
  readonly fn: Fn
  /** Values of the function's locals, from decoded arguments in the order in which they are given. */
  readonly locals: (...args: any[]) => object
  readonly returns: ResultKind
  /** It gives something else where this flag is set. */
  readonly returns_with?: { readonly flag: string; readonly returns: ResultKind }
  /** What the result is, in words. */
  readonly gives: string
  /** Known from the function's locals, where it depends on flags. */
  readonly changes: Change | ((locals: any) => Change)
  /** The page in section 2 of the manual, where it has another name. */
  readonly man?: string
  /**
   * What the C library makes of it: the name of the system call, and its arguments, as names of the prototype's or as
   * constants of C. Unless told the call itself. Null: no system call at all.
   */
  readonly as?: readonly [name: string, ...args: string[]] | null
  /** Not every C library has a function of its name, or one that does just this: C programs make it by its number. */
  readonly library?: false
  /** How often `conform` makes one by the kinds of its arguments alone, and among which calls. */
  readonly random?: { readonly area: Area; readonly weight: number }
}

/** What random plays can be mostly about. */
export type Area = 'open' | 'exec' | 'data' | 'memory' | 'attributes' | 'names' | 'tasks'

export interface Syscall extends Declaration {
  /** Arguments as they are given here: those of the prototype that are not filled. */
  readonly params: readonly Parameter[]
  /** The structure that it fills, if it fills one. */
  readonly struct: Structure | undefined
  /** Its fields; none where there is no structure. */
  readonly fields: readonly string[]
}

const syscalls = new Map<string, Syscall>()

export function define_syscall(declaration: Declaration): void {
  const { name, prototype } = declaration
  if (syscalls.has(name)) throw new Error(`system call ${name} is defined twice`)
  const params = prototype.filter((each) => each.kind !== 'filled')
  const struct = prototype.find((each) => each.kind === 'filled')?.struct
  syscalls.set(name, { ...declaration, params, struct, fields: struct?.fields ?? [] })
}

export function syscall_named(name: string): Syscall | undefined {
  return syscalls.get(name)
}

export function all_syscalls(): readonly Syscall[] {
  return [...syscalls.values()]
}

/** What a call changes if it succeeds. @param locals those of its function */
export const change_of = ({ changes }: Syscall, locals: object): Change =>
  typeof changes === 'function' ? changes(locals) : changes

/** The place of its first argument of a kind; -1 where it has none. */
export const place_of = ({ params }: Syscall, ...kinds: readonly ArgumentKind[]): number =>
  params.findIndex(({ kind }) => kinds.includes(kind))

/** The place of the count of the bytes that are written; -1 where there is none. */
export function place_of_count(syscall: Syscall): number {
  const bytes = place_of(syscall, 'bytes')
  return bytes >= 0 && syscall.params[bytes + 1]?.kind === 'size' ? bytes + 1 : -1
}

/** A string argument of NULL, as functions see it: no file name contains a NUL byte. */
export const NULL_POINTER = '\0'

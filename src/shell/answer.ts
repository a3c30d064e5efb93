/** What a shell is told, whoever answers: the model or a kernel. */

/** The fields of struct stat that are answered. */
export type StatFields = Readonly<Record<string, number>>

/**
 * What a call gave; exactly one of the first five.
 *
 * - `ret`: its result. With it `data`, the bytes that it filled in, or `stat`, the structure.
 * - `errno`, `signal`: by name. A signal of an exec has ended the task; one of `peek` or `poke` has not.
 * - `exec`: the task runs another program now, under this name (what that finds as AT_EXECFN).
 * - `blocked`: the call sleeps; what it gives comes later.
 */
export interface Answer {
  readonly ret?: number
  readonly errno?: string
  readonly signal?: string
  readonly exec?: string
  readonly blocked?: true
  /** A byte string: one character below 256 per byte. */
  readonly data?: string
  readonly stat?: StatFields
  /** What a kernel gave, beside the model. */
  readonly kernel?: Answer
}

/** A request that cannot be played: one line that names what is wrong with it. Nothing has happened. */
export class RequestError extends Error {}

/** Numbers of tasks are below this: half of the 32 bits of a row's number are its place (`kernel/schema.ts`). */
export const MAX_TASK = (1 << 13) - 1

/** The number of a task's first child; the others follow (`vfs/tasks/fork_exit.ts`). */
export const first_child = (task: number): number => (task + 8) * 8 + 1

/** The number of an inode; file systems may have the same numbers for theirs. */
interface Numbered {
  readonly dev: number
  readonly number: number
  readonly next: Numbered | undefined
}

/**
 * Numbers for inodes and devices, from 1 up in the order in which they are first seen. So the answers of the
 * model and of a kernel are the same where they say the same, and a number is never another file's.
 */
export class Numbering {
  private readonly inodes = new Map<number, Numbered>()
  private readonly devices = new Map<number, number>()
  private last = 0

  inode(dev: number, ino: number): number {
    const first = this.inodes.get(ino)
    for (let each = first; each !== undefined; each = each.next) if (each.dev === dev) return each.number
    const number = ++this.last
    this.inodes.set(ino, { dev, number, next: first })
    return number
  }

  device(dev: number): number {
    let known = this.devices.get(dev)
    if (known === undefined) this.devices.set(dev, (known = this.devices.size + 1))
    return known
  }

  /** The inode of this number is gone; the number may be given to another. */
  forget(ino: number): void {
    this.inodes.delete(ino)
  }
}

/** The thread of the program, where it is one beside that of signals, and what the two tell each other. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'

/** What the program's thread is given. */
export interface Beside {
  /** How many signals have come; and, written by the program, whether it looks at that. */
  readonly signals: SharedArrayBuffer
  /** Columns of the terminal; undefined where standard output is none. */
  readonly columns: number | undefined
}

/** Places in `signals`. */
export const COME = 0
export const LOOKED_AT = 1

/** What the program tells when it begins with code of the user's, and null when it is done with that. */
export interface Begun {
  /** Said if it is not done in time; and if it takes all the memory. */
  readonly too_late: string
  readonly too_large: string
  /** Milliseconds. */
  readonly limit: number
}

/** What this thread is given, where it is one beside that of signals. */
export const beside = (): Beside | null =>
  isMainThread || !(workerData?.signals instanceof SharedArrayBuffer) ? null : (workerData as Beside)

/**
 * Something of the user's begins that may never end. Where this thread is the only one, nobody watches.
 *
 * @returns to be called at its end
 */
export function watched(begun: Begun): () => void {
  if (beside() === null) return () => {}
  parentPort!.postMessage(begun)
  return () => parentPort!.postMessage(null)
}

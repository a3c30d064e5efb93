/**
 * A trace: one execution as plain data, with everything that a reader or a program may want to know of it. It is
 * recorded once (record.ts) and drawn in many ways (text.ts, mermaid.ts, json.ts). Whoever draws needs neither
 * the model nor the scenario.
 */

import type { BytesForm, Verdict } from '../scenario/form.js'
import type { CauseKind } from '../verdict/cause.js'

/** What a trace file begins with, so that it can be told from a scenario. */
export const TRACE_FORMAT = 1

export interface Trace {
  readonly toctoscope_trace: typeof TRACE_FORMAT
  /** Version of the program that recorded it. */
  readonly version: string
  readonly scenario: string
  /** What the scenario is about, in a sentence. */
  readonly summary: string
  /** `access=read mitigation=none profile=7.2` */
  readonly case: string
  readonly params: Readonly<Record<string, string | number | boolean>>
  readonly profile: string
  /** Null for a run that nobody judged. */
  readonly verdict: Verdict | null
  /** The property that is violated at the end, or null. */
  readonly property: string | null
  readonly cause: Cause | null
  /** Of a property that is an outcome: its parts in the order in which they came true. Empty for others. */
  readonly outcome: readonly OutcomePart[]
  /** How often a task was left that could have gone on. */
  readonly preemptions: number
  /** Calls that the counterexample does not need, and that were therefore left out. */
  readonly removed: readonly string[]
  /** Replays this execution; null where it cannot be replayed. */
  readonly token: string | null
  readonly tasks: readonly TraceTask[]
  /** Mounts that show what another mount shows too, under its own path. */
  readonly binds: readonly Bind[]
  readonly steps: readonly TraceStep[]
  readonly approvals: readonly Approval[]
  readonly uses: readonly Use[]
  /** What every call has given, in the order of returning. */
  readonly results: readonly CallResult[]
}

export interface TraceTask {
  /** Number of the task, as in the schedule. */
  readonly task: number
  readonly name: string
  readonly role: 'victim' | 'attacker' | 'other'
  readonly uid: number
  /** Where it stands at first. */
  readonly cwd: string
}

/** `/view` is `/m`, seen once more: files are called by the path of `of`. */
export interface Bind {
  readonly at: string
  readonly of: string
  readonly read_only: boolean
}

/** The step that made what was used another thing than what was judged. */
export interface Cause {
  /** Number of the step, as in `TraceStep.n`; 0 where no single step is to blame. */
  readonly step: number
  readonly kind: CauseKind
  /** One line: who did what, in which kernel function. */
  readonly text: string
}

/** A result that an outcome speaks of, as it was in this run. */
export interface OutcomePart {
  /** Name of the task in the scenario; a forked child makes its parent's calls. */
  readonly task: string
  readonly result: string
  /** What the outcome says of it: `ok`, `failed`, the name of an errno or signal, or a number. */
  readonly wanted: string | number
  /** The step with which the call returned so, for the first time. */
  readonly step: number
}

/** One stage. */
export interface TraceStep {
  /** From 1. */
  readonly n: number
  readonly task: number
  /** Which answer it got where the kernel does not say what happens. */
  readonly choice: number
  /** The task before could have gone on. */
  readonly preempts: boolean
  /** Nobody else can see what this stage does. */
  readonly local: boolean
  /** The system call that begins with this step, as strace writes it up to the closing parenthesis. */
  readonly call: string | null
  /** Kernel functions that the task is in, the outermost first; empty for the program itself. */
  readonly stack: readonly StackFrame[]
  /** Name of the stage; empty where a call begins. */
  readonly stage: string
  readonly touched: readonly TouchedRow[]
  readonly changes: readonly Change[]
  readonly events: readonly TraceEvent[]
  /** The system call that ends with this step. */
  readonly result: CallResult | null
  /** The task has nothing left to do. */
  readonly ended: boolean
}

export interface StackFrame {
  readonly fn: string
  /** The file of the kernel that defines it. */
  readonly source: string
  /** What its arguments and locals refer to, by name: `{ inode: 'lower:/s' }`. */
  readonly about: Readonly<Record<string, string>>
}

/** A group of fields of a row that the step read or wrote. */
export interface TouchedRow {
  readonly write: boolean
  readonly table: string
  readonly row: string
  /** The row as people know it: `upper:/s`. */
  readonly name: string
  readonly group: string
}

/** A field that is another after the step. */
export interface Change {
  readonly table: string
  readonly row: string
  readonly name: string
  /** The field; empty where the row was made or removed. */
  readonly field: string
  readonly kind: 'made' | 'removed' | 'set'
  /** The values as people read them. Bytes are not quoted. */
  readonly from: string
  readonly to: string
}

/** What a stage tells: `refused`, `denied`, `audit`, `approval`, `use`, `violation`, `published` … */
export interface TraceEvent {
  readonly kind: string
  readonly text: string
}

export interface CallResult {
  readonly task: number
  /** The step with which it returned. */
  readonly step: number
  /** Name of the result in the program. */
  readonly name: string
  readonly call: string
  /** As strace writes it: `3`, `-1 EACCES`, `20`. */
  readonly text: string
  readonly failed: boolean
  /** Bytes that it gave, or null. */
  readonly data: BytesForm | null
  /** Fields of a structure that it gave. */
  readonly fields: Readonly<Record<string, number>> | null
}

/** A check that said yes. */
export interface Approval {
  readonly step: number
  readonly task: number
  /** Name of the check's result in the program. */
  readonly check: string
  /** The object whose bytes it judged, and the number of its inode. */
  readonly object: string
  readonly inode: number
  readonly bytes: BytesForm
  /** The policy approves of the object itself. */
  readonly approved: boolean
}

/** Bytes that a task has used. */
export interface Use {
  readonly step: number
  readonly task: number
  /** Calls that gave the bytes. */
  readonly calls: readonly string[]
  /** Name of the check relied on, or null. */
  readonly relies: string | null
  /** Where in the file they stand. */
  readonly at: number
  readonly bytes: BytesForm
  /** Objects that the bytes came from, and how many each. */
  readonly from: readonly Source[]
}

/** A run of bytes that were used. */
export interface Source {
  /** The object that they came from, and the number of its inode; 0 is memory of the task's own. */
  readonly object: string
  readonly inode: number
  /** How many. */
  readonly bytes: number
  /** The policy approves of the object. */
  readonly approved: boolean
}

/** A string of bytes as JSON holds it: text where it is UTF-8 that people can read, else base64. */
export function to_bytes_form(bytes: string): BytesForm {
  if (/^[\t\n\r\x20-\x7e]*$/.test(bytes)) return bytes
  return { base64: btoa(bytes) }
}

/** The string of bytes, one character below 256 each. */
export function from_bytes_form(form: BytesForm): string {
  if (typeof form !== 'string') return atob(form.base64)
  let bytes = ''
  for (const byte of new TextEncoder().encode(form)) bytes += String.fromCharCode(byte)
  return bytes
}

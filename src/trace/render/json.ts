/**
 * The trace as JSON. Its form is the type `Trace` (trace.ts), and `trace_schema` (trace_schema.ts) checks it:
 *
 *     { "toctoscope_trace": 1, "version", "scenario", "summary", "case", "params", "profile",
 *       "verdict", "property", "cause": { "step", "kind", "text" }, "preemptions", "removed", "token",
 *       "tasks":  [ { "task", "name", "role", "uid", "cwd" } ],
 *       "binds":  [ { "at", "of", "read_only" } ],
 *       "steps":  [ { "n", "task", "choice", "preempts", "local", "call",
 *                     "stack":   [ { "fn", "source", "about" } ], "stage",
 *                     "touched": [ { "write", "table", "row", "name", "group" } ],
 *                     "changes": [ { "table", "row", "name", "field", "kind", "from", "to" } ],
 *                     "events":  [ { "kind", "text" } ], "result", "ended" } ],
 *       "approvals": [ { "step", "task", "check", "object", "inode", "bytes", "approved" } ],
 *       "uses":      [ { "step", "task", "calls", "relies", "at", "bytes", "from" } ],
 *       "results":   [ { "task", "step", "name", "call", "text", "failed", "data", "fields" } ] }
 *
 * Bytes are a string where people can read them, else `{ "base64": … }`. Steps count from 1.
 */

import type { Trace } from '../trace.js'
import { printable_json } from './printable.js'

/** One line per step, so that two traces can be compared line by line. */
export function to_json(trace: Trace): string {
  const { steps, ...rest } = trace
  const head = JSON.stringify(rest, null, 1).slice(0, -2)
  const lines = steps.map((step) => `  ${JSON.stringify(step)}`)
  return printable_json(`${head},\n "steps": [\n${lines.join(',\n')}\n ]\n}\n`)
}

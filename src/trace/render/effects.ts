/** Which changes a reader wants to see, and how they are said. */
import type { BytesForm } from '../../scenario/form.js'
import { quote } from '../../scenario/strace.js'
import { type Approval, type Change, from_bytes_form, type Trace, type TraceStep } from '../trace.js'
import { width_of } from './layout.js'

/** Book-keeping: true, but no news. `table.field`, or `table.` for a row that comes or goes. */
const book_keeping = new Set([
  'dentry.d_count',
  'inode.i_count',
  'inode.i_rwsem',
  'ovl_inode.upper_dentry',
  'ovl_inode.ovl_lock',
  'ovl_inode.',
  'file.',
  'file.f_count',
  'file.f_pos',
  'file.f_pos_lock',
  'fd_slot.',
  'fd_slot.file',
  'fd_slot.close_on_exec',
  'mm_struct.',
  'vm_area.',
  'task_struct.',
  'task_struct.children',
  'task_struct.cred',
  'mount.',
])

// A trace names functions in words, and may come from a file: no function can be asked for by reference here. A test
// holds that these are there.

/** The function that only looks: what it makes is a cache. */
export const looking = /^path_lookupat$/
/** The function in which exec opens a file for itself. */
export const checking = /^do_open_execat$/
/** Functions of OverlayFS. */
export const of_overlay = /^ovl_/

/** Changes that are worth a line, of a step. */
export function news(step: TraceStep): Change[] {
  const renames = step.changes.some(({ table, field }) => table === 'dentry' && field === '')
  const checks = step.stack.some(({ fn }) => checking.test(fn))
  const looks = looking.test(step.stack.at(-1)?.fn ?? '')
  return step.changes.filter((change) => {
    if (book_keeping.has(`${change.table}.${change.field}`)) return false
    if (change.table === 'inode' && change.field === '') return false
    // The file that exec opens for itself is gone when the call returns.
    if (checks && change.table === 'file') return false
    // A name that comes or goes tells as much.
    if (renames && change.table === 'inode' && change.field === 'i_nlink') return false
    return !(looks && change.kind !== 'set')
  })
}

/** Whether a stage gets lines of its own where boring ones are folded. */
export function has_kernel_news(trace: Trace, step: TraceStep): boolean {
  if (step.events.some(({ kind }) => kind !== 'violation' && kind !== 'published') || news(step).length > 0)
    return true
  if (trace.cause !== null && trace.cause.step === step.n) return true
  return trace.approvals.some((each) => each.step === step.n)
}

/** One line about a change, without the name of what changed. */
export function say_change(change: Change): string {
  const { table, field, kind, from, to } = change
  if (table === 'page' || table === 'anon_page') return ''
  if (table === 'dentry' && kind === 'made') return 'the name is made'
  if (table === 'dentry' && kind === 'removed') return 'the name is gone'
  if (table === 'dentry' && field === 'd_unhashed') return 'the name leads there no more'
  if (table === 'dentry' && field === 'd_name') return `was ${from}`
  if (table === 'ovl_inode' && field === 'upper') return `now stands for ${to}`
  if (table === 'file' && field === 'realfile') return `real file: ${to.replace(/^open file /, '')}`
  if (table === 'file' && field === 'upperfile')
    return `real file from now on: ${to.replace(/^open file /, '')}`
  if (kind !== 'set') return kind
  return `${field} ${from === '' ? '""' : from} → ${to === '' ? '""' : to}`
}

const violations: Readonly<Record<string, string>> = {
  bytes: 'they are not the bytes that were approved',
  prefix: 'they are only the beginning of what was approved',
  longer: 'they are more than what was approved',
  'no approval': 'no check has approved of them',
  unapproved: 'they come from an object that the policy does not approve',
}

/** What a violation says: `check-use: bytes` in words. */
export function say_violation(text: string): string {
  const [property, kind = ''] = text.split(': ')
  return `${property} is violated: ${violations[kind] ?? `${kind} after an approval`}`
}

/** Old and new bytes of a page, as lines of a difference. */
export function page_difference(change: Change, width: number): string[] {
  const shown = (sign: string, bytes: string) => `${sign} ${quote_to_fit(bytes, width - 2)}`
  const lines: string[] = []
  if (change.from !== '') lines.push(shown('-', change.from))
  if (change.to !== '') lines.push(shown('+', change.to))
  return lines
}

/** A quoted string of bytes that is no wider than `width`. */
export function quote_to_fit(bytes: string, width: number): string {
  for (let limit = Math.min(bytes.length, width); limit > 0; limit--) {
    const text = quote(bytes, limit)
    if (width_of(text) <= width) return text
  }
  return quote(bytes, 0)
}

/** `20 bytes`, `1 byte`, `no bytes`. */
export function how_many(bytes: BytesForm | number): string {
  const n = typeof bytes === 'number' ? bytes : from_bytes_form(bytes).length
  return n === 0 ? 'no bytes' : n === 1 ? '1 byte' : `${n} bytes`
}

/**
 * Whether a policy was asked in a check, denied it, and was permissive, which the audit log tells.
 *
 * @returns the rule that denied, '' where it is not told; null where no policy did so
 */
export function denied_permissively(trace: Trace, approval: Approval): string | null {
  const at = trace.steps[approval.step - 1]
  for (const { kind, text } of at?.events ?? []) {
    if (kind !== 'audit' || !/\benforcing=0\b/.test(text) || !/action=DENY/.test(text)) continue
    return /rule="([^"]*)"/.exec(text)?.[1] ?? ''
  }
  return null
}

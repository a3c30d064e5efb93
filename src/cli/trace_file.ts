/** Traces that were saved: `toctoscope show … --format json > trace.json`. */
import type { Trace } from '../trace/trace.js'
import { LoadError } from './errors.js'
import { read_json } from './load.js'

/** Whether a file of JSON is a trace. Whatever else it is, its loader will say. */
export function is_trace_file(given: string): boolean {
  if (!given.endsWith('.json')) return false
  const document = read_json(given)
  return typeof document === 'object' && document !== null && 'toctoscope_trace' in document
}

/** @throws LoadError with what is wrong with the file */
export async function load_trace(given: string): Promise<Trace> {
  const document = read_json(given)
  const { TraceError, validate_trace } = await import('../trace/library.js')
  try {
    return validate_trace(document)
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    throw new LoadError(`${given}: ${error.message}`, error.next)
  }
}

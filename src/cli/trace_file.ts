/** Traces that were saved: `toctoscope show … --format json > trace.json`. */
import type { Trace } from '../trace/trace.js'
import { VERSION } from '../version.js'
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
  const [{ validate_trace }, { inconsistency }] = await Promise.all([
    import('../trace/schema.js'),
    import('../trace/consistent.js'),
  ])
  const checked = validate_trace(document)
  if ('problem' in checked)
    throw new LoadError(`${given}: not a trace that this version can read: ${checked.problem}`)
  const { trace } = checked
  if (trace.version !== VERSION) {
    throw new LoadError(
      `${given}: the trace was recorded by toctoscope ${trace.version}, and this is ${VERSION}`,
      'Record it anew: npx toctoscope show … --format json',
    )
  }
  const wrong = inconsistency(trace)
  if (wrong !== null) throw new LoadError(`${given}: the trace was edited or is damaged: ${wrong}`)
  return trace
}

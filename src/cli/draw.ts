/** A trace in one of its forms, on a terminal. */
import { to_json } from '../trace/render/json.js'
import { to_mermaid } from '../trace/render/mermaid.js'
import { to_text } from '../trace/render/text.js'
import type { Trace } from '../trace/trace.js'
import type { formats } from './formats.js'
import type { Loaded } from './load.js'
import type { Terminal } from './terminal.js'

export interface DrawOptions {
  format?: (typeof formats)[number]
  stages?: boolean
}

/** @param file the file of the scenario, where the user brought it: the replay command names it */
export function draw(trace: Trace, options: DrawOptions, terminal: Terminal, file: string | null): void {
  const { format, stages } = options
  const { width, color } = terminal
  if (format === 'json') terminal.out(to_json(trace))
  else if (format === 'mermaid') terminal.out(to_mermaid(trace))
  else terminal.out(to_text(trace, { width, color, stages, file }))
}

/** What the user typed for a scenario that is not a shipped one. */
export const file_of = (loaded: Pick<Loaded, 'called' | 'file'>): string | null =>
  loaded.file === null ? null : loaded.called

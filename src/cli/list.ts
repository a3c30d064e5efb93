/** `toctoscope list`: the shipped scenarios, and what each shows. */
import { count, theme, wrap } from '../trace/render/layout.js'
import { printable_json } from '../trace/render/printable.js'
import { parameters } from './choose_cases.js'
import { load_scenario, shipped_names } from './load.js'
import type { Terminal } from './terminal.js'

export async function list(options: { json?: boolean }, terminal: Terminal): Promise<number> {
  const scenarios = await Promise.all(shipped_names().map((name) => load_scenario(name)))
  if (options.json === true) {
    const rows = scenarios.map((each) => ({
      name: each.name,
      summary: each.summary,
      teaches: each.teaches ?? null,
      params: Object.fromEntries(parameters(each)),
      cases: each.cases.length,
    }))
    terminal.out(`${printable_json(JSON.stringify(rows, null, 2))}\n`)
    return 0
  }
  const { strong, dim } = theme(terminal.color)
  for (const each of scenarios) {
    const lines = [
      strong(each.name) + dim(`  ${count(each.cases.length, 'case')}`),
      ...wrap(`  ${each.summary}`, terminal.width),
      ...[...parameters(each)].flatMap(([name, values]) =>
        wrap(`    ${name}: ${values.join(', ')}`, terminal.width, 2).map(dim),
      ),
    ]
    terminal.out(`${lines.join('\n')}\n\n`)
  }
  terminal.out(`Explore one:\n  npx toctoscope explore ${scenarios[0]?.name ?? 'FILE'}\n`)
  return 0
}

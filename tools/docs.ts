/**
 * Regenerates what the documents show of the program: the output below each command of a `console` block, the
 * table of modelled kernel functions, and the JSON Schema of scenarios. `npm run docs` writes them;
 * test/docs compares them with what is committed.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { all_functions, type Fn } from '../src/kernel/fn.ts'
import '../src/model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const program = join(root, 'dist/src/cli/main.js')

/** What a command of the documents prints, in 100 columns and without colour. */
function output_of(command: string): string {
  const [npx, name, ...args] = command.split(' ')
  if (npx !== 'npx' || name !== 'toctoscope') throw new Error(`not a command of ours: ${command}`)
  const env = { ...process.env, NO_COLOR: '1', COLUMNS: '100' }
  try {
    return execFileSync(process.execPath, [program, ...args], {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch (error) {
    // An exit code other than 0 says something about the verdict, not about the command.
    return (error as { stdout: string }).stdout
  }
}

/** A `console` block: a command behind `$ `, and its output. Lines `…` of the block stand for what is left out. */
const CONSOLE = /```console\n\$ (.*)\n([\s\S]*?)```/g

/** The document with its outputs made anew; `lines a-b` behind the command shows that part of the output. */
export function with_outputs(text: string): string {
  return text.replace(CONSOLE, (_, line: string) => {
    const [command, part] = line.split('   # lines ')
    const lines = output_of(command!.trim()).trimEnd().split('\n')
    const [from, to] = part === undefined ? [1, lines.length] : part.split('-').map(Number)
    return `\`\`\`console\n$ ${line}\n${lines.slice(from! - 1, to).join('\n')}\n\`\`\``
  })
}

/** Every kernel function of the model, by source file. */
export function function_table(): string {
  const by_source = new Map<string, Fn[]>()
  for (const fn of all_functions()) by_source.set(fn.source, [...(by_source.get(fn.source) ?? []), fn])
  const rows = [...by_source].sort().flatMap(([source, functions]) =>
    functions
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((fn) => {
        const stages = fn.steps
          .filter((step) => step.kind === 'stage' && !step.local)
          .map((step) => `\`${step.name}\``)
        return `| ${source} | \`${fn.name}\` | ${stages.join(', ') || '-'} | ${fn.since || '-'} |`
      }),
  )
  return `# The modelled kernel functions

Made from the code by \`npm run docs\`. The stages are those at which other tasks can come between; calls and steps that
concern nobody else are left out. "Since" is given where the modelled behaviour began within the profiles or matters.

| source | function | stages | since |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

async function schema(): Promise<string> {
  const { json_schema } = await import('../src/scenario/schema.ts')
  return `${JSON.stringify(json_schema(), null, 2)}\n`
}

function documents(): string[] {
  const lessons = readdirSync(join(root, 'docs/lessons')).map((name) => `docs/lessons/${name}`)
  return ['README.md', ...lessons]
}

/** Every generated document: its path, and the text that it should have. */
export async function regenerate(): Promise<Map<string, string>> {
  const made = new Map<string, string>()
  for (const path of documents()) made.set(path, with_outputs(readFileSync(join(root, path), 'utf8')))
  made.set('docs/functions.md', function_table())
  made.set('docs/scenario.schema.json', await schema())
  return made
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, text] of await regenerate()) writeFileSync(join(root, path), text)
}

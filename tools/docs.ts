/**
 * Regenerates what the documents show of the program: the output below each command of a `console` block, the
 * fidelity ledger, and the JSON Schema of scenarios. `npm run docs` writes them;
 * test/docs compares them with what is committed.
 */
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { FastStore } from '../src/kernel/fast_store.ts'
import { all_functions } from '../src/kernel/fn.ts'
import type { Fn, SecurityModule } from '../src/kernel/kernel.ts'
import type { FirstLsm, MutableLsm, OptionKind } from '../src/lsm/define_lsm.ts'
import { all_lsms } from '../src/model.ts'
import type { Play } from '../src/oracle/agent/play.ts'
import { play_on_model } from '../src/oracle/conform/model_runner.ts'
import { load_cases } from '../src/oracle/conform/saved_cases.ts'
import { parse_table } from '../test/conformance/table.ts'
import { calls_file, calls_path } from './calls.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
/** What a command of the documents prints in this folder, in 100 columns and without colour. */
function output_of(command: string, folder: string): string {
  const [npx, name, ...args] = command.split(' ')
  const program = programs[name ?? '']
  if (npx !== 'npx' || program === undefined) throw new Error(`not a command of ours: ${command}`)
  const env = { ...process.env, NO_COLOR: '1', COLUMNS: '100' }
  try {
    return execFileSync(process.execPath, [...program, ...args], {
      cwd: folder,
      env,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch (error) {
    // An exit code other than 0 says something about the verdict, not about the command.
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return stdout + stderr
  }
}

const programs: Readonly<Record<string, readonly string[]>> = {
  toctoscope: [join(root, 'dist/src/cli/start.js')],
  tsx: [join(root, 'node_modules/tsx/dist/cli.mjs')],
}

/** A `console` block: a command behind `$ `, and its output. Lines `…` of the block stand for what is left out. */
const CONSOLE = /```console\n\$ (.*)\n([\s\S]*?)```/g

/** A block of code, with the name of the file that it is, if it is a whole one: ` ```ts mine.ts `. */
const CODE = /```(ts|json)(?: (\S+))?\n([\s\S]*?)```/g

export interface CodeBlock {
  readonly language: 'ts' | 'json'
  /** Undefined for a part of a program. */
  readonly file: string | undefined
  readonly text: string
}

/** The code that a document shows. */
export function code_blocks(text: string): CodeBlock[] {
  return [...text.matchAll(CODE)].map(([, language, file, block]) => ({
    language: language as CodeBlock['language'],
    file,
    text: block!,
  }))
}

/** Works in a new folder that has these files, and the packages that a user of ours has; then removes it. */
export function in_folder<T>(
  files: readonly { file: string; text: string }[],
  work: (folder: string) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), 'toctoscope-docs-'))
  try {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/toctoscope'))
    for (const name of ['fast-check', 'vitest', '@types'])
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    for (const { file, text } of files) writeFileSync(join(folder, file), text)
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The files that a document shows whole, and those of the guide, of which other pages make use. */
export function files_of(text: string): { file: string; text: string }[] {
  const own = named_files(text)
  const guide = named_files(readFileSync(join(root, 'docs/scenarios.md'), 'utf8'))
  return [
    ...own,
    ...guide.filter(({ file }) => !own.some((each) => each.file === file) && /'.\/plugin.ts'/.test(text)),
  ]
}

const named_files = (text: string) =>
  code_blocks(text).flatMap((block) =>
    block.file === undefined ? [] : [{ file: block.file, text: block.text }],
  )

/**
 * The document with its outputs made anew, where the files that it shows are at hand; `lines a-b` behind the
 * command shows that part of the output.
 */
export function with_outputs(text: string): string {
  if (!text.includes('```console\n')) return text
  return in_folder(files_of(text), (folder) =>
    text.replace(CONSOLE, (_, line: string) => {
      const [command, part] = line.split('   # lines ')
      const lines = output_of(command!.trim(), folder).trimEnd().split('\n')
      const [from, to] = part === undefined ? [1, lines.length] : part.split('-').map(Number)
      return `\`\`\`console\n$ ${line}\n${lines.slice(from! - 1, to).join('\n')}\n\`\`\``
    }),
  )
}

/** The kernel on which the saved cases and tables were seen; tests play them again wherever there is one. */
const SEEN_ON = '6.18.44'

/** Every case that a kernel has answered: the tables of test/conformance, and the differences that were found. */
function seen_plays(): { name: string; about: string; play: Play }[] {
  const tables = join(root, 'test/conformance/tables')
  const rows = readdirSync(tables).flatMap((name) => parse_table(readFileSync(join(tables, name), 'utf8')))
  return [
    ...rows.map(({ name, play }) => ({ name, about: '', play })),
    ...load_cases(join(root, 'test/conformance/cases')),
  ]
}

/** In how many of the seen cases each kernel function ran. */
function seen_functions(): Map<string, number> {
  const counts = new Map<string, number>()
  const push = FastStore.prototype.push
  for (const { play } of seen_plays()) {
    const ran = new Set<string>()
    FastStore.prototype.push = function (task, fn, values) {
      ran.add(fn.name)
      return push.call(this, task, fn, values)
    }
    play_on_model(play)
    for (const name of ran) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  FastStore.prototype.push = push
  return counts
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`

function ledger_row(fn: Fn, seen: number): string {
  const stages = fn.steps
    .filter((step) => step.kind === 'stage' && !step.local)
    .map((step) => `\`${step.name}\``)
  const standing = seen > 0 ? `seen on ${SEEN_ON}: ${count(seen, 'case')}` : 'source only'
  return `| ${fn.source} | \`${fn.name}\` | ${stages.join(', ') || '-'} | ${fn.since || '-'} | ${standing} |`
}

/** The fidelity ledger: every kernel function of the model, where it comes from, and how it is known. */
export function fidelity_ledger(): string {
  const seen = seen_functions()
  const functions = all_functions()
    .filter(({ source }) => /^[\w/-]+\.[ch]$/.test(source))
    .sort((a, b) => (`${a.source} ${a.name}` < `${b.source} ${b.name}` ? -1 : 1))
  const differences = load_cases(join(root, 'test/conformance/cases'))
  return `# The fidelity ledger

Made from the code and from the conformance cases of the repository by \`npm run docs\`.

A function is *seen* where cases that a running kernel ${SEEN_ON} has answered run through it and the model gives the
same answers; the tests play them again on the model, and on the kernel of the machine where there is one. *Source
only* means that its rules were read in the kernel's source or documentation. The stages are those at which other
tasks can come between; calls and steps that concern nobody else are left out. "Since" is given where it matters.

| source | function | stages | since | standing |
| --- | --- | --- | --- | --- |
${functions.map((fn) => ledger_row(fn, seen.get(fn.name) ?? 0)).join('\n')}

## Rules outside these functions

| source | what | standing |
| --- | --- | --- |
| security/commoncap.c | \`prctl\` of securebits (\`lsm/capability\`) | seen on ${SEEN_ON}: a table of cases |
| security/ipe | policy grammar, evaluation, hooks, audit records (\`lsm/ipe\`) | source only: no kernel at hand runs IPE |
| drivers/md, fs/verity | what security modules learn of dm-verity and fs-verity (\`integrity\`) | source only |
| security/security.c | order of the chain, first answer other than 0 ends it (\`kernel/security\`) | source only |

## Differences that were found, and are tests now

${differences.map(({ name, about }) => `- \`${name}\`: ${about}`).join('\n')}
`
}

const hooks_of = ({ hooks }: SecurityModule): string =>
  Object.keys(hooks)
    .map((name) => `\`${name}\``)
    .join(', ')

/** The options of a module, with what each does. */
function options_of(lsm: FirstLsm | MutableLsm): string {
  if (lsm.order === 'first') return ''
  const rows = Object.entries<OptionKind>(lsm.options).map(
    ([name, { type, says }]) => `- \`${name}\` (${type === 'flag' ? 'true or false' : 'a text'}). ${says}`,
  )
  return rows.length === 0 ? '\nIt has no options.\n' : `\n${rows.join('\n')}\n`
}

/** The security modules of the model, as they are registered. */
export function list_of_modules(): string {
  const modules = all_lsms().map(
    (lsm) => `
## ${lsm.name}

${lsm.says}
${options_of(lsm)}
Hooks: ${hooks_of(lsm.make({}))}.${lsm.in_kernels ? '' : ' No kernel has this module.'}
`,
  )
  return `# Security modules

Made from what the modules register, by \`npm run docs\`. They are asked in this order; the first answer other than 0
decides. A set-up has one by its name under \`lsm\`, a scenario by a method of that name (\`s.ipe({ … })\`); every option
can be left out. How to write one of your own: [scenarios.md](scenarios.md).
${modules.join('')}`
}

async function schema(): Promise<string> {
  const { json_schema } = await import('../src/scenario/form_schema.ts')
  return `${JSON.stringify(json_schema(), null, 2)}\n`
}

function documents(): string[] {
  const lessons = readdirSync(join(root, 'docs/lessons')).map((name) => `docs/lessons/${name}`)
  const pages = ['scenarios', 'library', 'fast-check'].map((name) => `docs/${name}.md`)
  return ['README.md', ...pages, ...lessons]
}

/** Every generated document: its path, and the text that it should have. */
export async function regenerate(): Promise<Map<string, string>> {
  const made = new Map<string, string>()
  for (const path of documents()) made.set(path, with_outputs(readFileSync(join(root, path), 'utf8')))
  made.set('docs/fidelity.md', fidelity_ledger())
  made.set('docs/modules.md', list_of_modules())
  made.set('docs/scenario.schema.json', await schema())
  made.set(calls_path, calls_file())
  return made
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, text] of await regenerate()) writeFileSync(join(root, path), text)
}

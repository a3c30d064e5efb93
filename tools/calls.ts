/**
 * The typed methods of the builder, made from the declarations of system calls: `npm run docs` writes them, and a test
 * compares them with what is committed. `npx tsx tools/calls.ts` writes them alone.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  type ArgumentKind,
  all_syscalls,
  type Parameter,
  type ResultKind,
  type Structure,
  type Syscall,
} from '../src/kernel/syscall.ts'
import '../src/model.ts'

export const calls_path = 'src/scenario/calls.ts'

/** Columns of a line. */
const WIDTH = 110

const by_name = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)

/** Calls that a program makes by a method of its own: they say how it goes on, or that it does not. */
const is_own = ({ returns }: Syscall): boolean => returns === 'task' || returns === 'never'

const calls = (): Syscall[] =>
  all_syscalls()
    .filter((each) => !is_own(each))
    .sort(by_name)

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(' | ')

// --- comments ------------------------------------------------------------------------------------------------------

function wrapped(text: string, indent: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]!
    const longer = last === '' ? word : `${last} ${word}`
    if (longer.length + indent.length + 3 <= WIDTH || last === '') lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines.map((line) => `${indent} * ${line}`)
}

const comment = (paragraphs: readonly (readonly string[])[], indent: string): string[] => [
  `${indent}/**`,
  ...paragraphs
    .filter((lines) => lines.length > 0)
    .flatMap((lines, i) => [
      ...(i > 0 ? [`${indent} *`] : []),
      ...lines.flatMap((line) => wrapped(line, indent)),
    ]),
  `${indent} */`,
]

/** A comment of one sentence. */
function remark(text: string, indent: string): string[] {
  const line = `${indent}/** ${text} */`
  return line.length <= WIDTH ? [line] : comment([[text]], indent)
}

// --- constants -----------------------------------------------------------------------------------------------------

/** Lists of constants that have a name, with the arguments that take them. */
function constants(): { name: string; values: readonly string[]; of: string[] }[] {
  const found = new Map<string, { values: readonly string[]; of: string[] }>()
  for (const { name: call, params } of calls()) {
    for (const { name, constant, constants = {} } of params) {
      if (constant === undefined) continue
      const known = found.get(constant) ?? { values: Object.keys(constants), of: [] }
      if (known.values.join() !== Object.keys(constants).join())
        throw new Error(`${constant} of ${call} has other constants than that of ${known.of[0]}`)
      known.of.push(`\`${name}\` of ${call}`)
      found.set(constant, known)
    }
  }
  return [...found].map(([name, each]) => ({ name, ...each })).sort(by_name)
}

function constant_lines(): string[] {
  return constants().flatMap(({ name, values, of }) => {
    const line = `  ${name}: ${quoted(values)}`
    const lines = line.length <= WIDTH ? [line] : [`  ${name}:`, ...values.map((value) => `    | '${value}'`)]
    return [...remark(`For ${of.join(', ')}.`, '  '), ...lines]
  })
}

// --- structures ----------------------------------------------------------------------------------------------------

const structure_name = ({ name }: Structure): string => `${name[0]!.toUpperCase()}${name.slice(1)}`

function structures(): Map<Structure, string[]> {
  const found = new Map<Structure, string[]>()
  for (const { name, struct } of calls())
    if (struct !== undefined) found.set(struct, [...(found.get(struct) ?? []), name])
  return found
}

function structure_lines([structure, by]: [Structure, string[]]): string[] {
  const { name, fields, says } = structure
  return [
    ...remark(`struct ${name}, as ${by.join(', ')} fill it; its fields are values for later calls.`, ''),
    `export interface ${structure_name(structure)} extends Result<'struct'> {`,
    ...fields.flatMap((field) => [`  /** ${says[field]} */`, `  readonly ${field}: Field`]),
    '}',
    '',
  ]
}

// --- methods -------------------------------------------------------------------------------------------------------

const types: Readonly<Record<ArgumentKind, string>> = {
  fd: 'FdArg',
  newfd: 'FdArg',
  dirfd: 'DirFd',
  path: 'Path',
  text: 'Path',
  flags: 'number',
  choice: 'number',
  mode: 'Int',
  id: 'Int',
  device: 'Int',
  int: 'Int',
  long: 'Int',
  size: 'Int',
  offset: 'Int',
  pages: 'Int',
  address: 'Addr',
  bytes: 'Data',
  strings: 'Vector',
}

const results: Readonly<Record<Exclude<ResultKind, 'struct'>, string>> = {
  int: "Result<'int'>",
  fd: 'Fd',
  bytes: 'Bytes',
  address: 'Address',
  task: "Result<'task'>",
  approval: 'Approval',
  exec: "Result<'exec'>",
  never: "Result<'never'>",
}

/** The type of an argument, and the variable for what is written there, where it is checked. */
function argument(
  { name, kind, constant, constants }: Parameter,
  decides: boolean,
): { type: string; variable?: string } {
  if (constants === undefined || kind === 'dirfd') return { type: types[kind] }
  const names = constant === undefined ? quoted(Object.keys(constants)) : `Constant<'${constant}'>`
  if (kind === 'choice') return { type: `number | ${names}` }
  if (kind === 'mode') return { type: `ModeOf<${names}>` }
  const variable = name[0]!.toUpperCase()
  if (kind !== 'flags') return { type: `${types[kind]} | Flags<${names}, ${variable}>`, variable }
  if (decides) return { type: `NumberOr<${names}, Extract<${variable}, string>>`, variable }
  return { type: `NumberOr<${names}, ${variable}>`, variable }
}

const result_of = ({ struct, returns }: Syscall): string =>
  returns === 'struct' ? structure_name(struct!) : results[returns]

function method(syscall: Syscall): string[] {
  const { name, says, params, gives, man = name, returns_with } = syscall
  const flag = returns_with?.flag ?? ''
  const decider = params.findIndex(({ constants = {} }) => Object.hasOwn(constants, flag))
  const typed = params.map((param, i) => argument(param, i === decider))
  const optional = (i: number) => params.slice(i).every(({ missing }) => missing !== undefined)
  const variables = typed.flatMap(({ variable }, i) =>
    variable === undefined ? [] : [`const ${variable} extends string${i === decider ? ' | number' : ''}`],
  )
  const list = params.map((param, i) => `${param.name}${optional(i) ? '?' : ''}: ${typed[i]!.type}`)
  const without = result_of(syscall)
  const result =
    returns_with === undefined
      ? without
      : `Deciding<${typed[decider]!.variable}, '${flag}', ${results[returns_with.returns as 'approval']}, ${without}>`
  const generic = variables.length === 0 ? '' : `<${variables.join(', ')}>`
  const line = `  ${name}${generic}(${list.join(', ')}): ${result}`
  const lines =
    line.length <= WIDTH
      ? [line]
      : [`  ${name}${generic}(`, ...list.map((each) => `    ${each},`), `  ): ${result}`]
  const told = params.filter((param) => param.says !== undefined)
  return [
    ...comment(
      [
        [says],
        [
          ...told.map((param) => `@param ${param.name} ${param.says}`),
          `@returns ${gives}`,
          `@see man 2 ${man}`,
        ],
      ],
      '  ',
    ),
    ...lines,
  ]
}

/** The whole file. */
export function calls_file(): string {
  const body = [
    ...[...structures()].flatMap(structure_lines),
    '/** Names of constants, by the arguments that take them. */',
    'export interface Constants {',
    ...constant_lines(),
    '}',
    '',
    '/** The names of one list. */',
    'export type Constant<K extends keyof Constants> = Constants[K]',
    '',
    '/** Every system call that the model has, as in C; a buffer to be filled is left out, only its length given. */',
    'export interface Calls {',
    ...calls().flatMap(method),
    '}',
  ].join('\n')
  const known = [
    'Addr',
    'Address',
    'Approval',
    'Bytes',
    'Data',
    'Deciding',
    'DirFd',
    'Fd',
    'FdArg',
    'Field',
    'Flags',
    'Int',
    'ModeOf',
    'NumberOr',
    'Path',
    'Result',
    'Vector',
  ].filter((name) => new RegExp(`\\b${name}\\b`).test(body))
  return `/**
 * The system calls as methods with types: a wrong argument is a compile error. Arguments stand in the order of
 * the C library; flags are checked names joined by \`|\`, or numbers.
 *
 * Made from the declarations of the calls (\`define_syscall\`) by \`npm run docs\`: change them there.
 */

import type {
${known.map((name) => `  ${name},`).join('\n')}
} from './results.js'

${body}
`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(fileURLToPath(new URL(`../${calls_path}`, import.meta.url)), calls_file())

/**
 * The part of the agent that follows from the declarations of system calls: which there are, how their arguments are
 * made, and how the structures that they fill are told. It is compiled with `agent.c`, which includes it as `calls.h`.
 */
import {
  all_syscalls,
  type Filled,
  type Parameter,
  place_of_count,
  type Structure,
  type Syscall,
} from '../../kernel/syscall.js'
import '../../model.js'

/** What the agent does for an argument: see `struct call` in `agent.c`. */
function letter(syscall: Syscall, each: Parameter | Filled): string {
  if (each.kind === 'filled') return each.struct === undefined ? 'o' : 't'
  if (syscall.params.indexOf(each as Parameter) === place_of_count(syscall)) return 'n'
  const fills = syscall.prototype.some((other) => other.kind === 'filled' && other.size === each.name)
  if (fills) return 'l'
  const letters: Partial<Record<Parameter['kind'], string>> = {
    path: 's',
    text: 's',
    bytes: 'b',
    strings: 'v',
  }
  return letters[each.kind] ?? 'i'
}

/** A line of the table; a call that this architecture does not have is left out there. */
function entry(syscall: Syscall): string[] {
  if (syscall.as === null) return []
  const { name, prototype, params, struct } = syscall
  const [number, ...args] = syscall.as ?? [name, ...prototype.map((each) => each.name)]
  const words = args.filter((arg) => params.some((param) => param.name === arg))
  if (words.join() !== params.map((param) => param.name).join())
    throw new Error(`${name}: its arguments stand in another order in \`as\``)
  const named = args.map((arg) => prototype.find((each) => each.name === arg))
  const letters = named.map((each) => (each === undefined ? '=' : letter(syscall, each))).join('')
  const constants = args.map((arg, i) => (named[i] === undefined ? arg : '0')).join(', ') || '0'
  const fills = struct === undefined ? 'NULL' : `&structure_${struct.name}`
  return [
    `#ifdef SYS_${number}`,
    `	{ "${name}", SYS_${number}, "${letters}", { ${constants} }, ${fills} },`,
    '#endif',
  ]
}

/** How the fields of a structure are taken out of it. */
const structure = ({ name, fields }: Structure): string[] => [
  `static const char *const names_of_${name}[] = { ${fields.map((field) => `"${field}", `).join('')}NULL };`,
  `static void take_${name}(const void *filled, long *field)`,
  '{',
  `	const struct ${name} *from = filled;`,
  ...fields.map((field, i) => `	field[${i}] = (long)from->${field};`),
  '}',
  `static const struct structure structure_${name} = { names_of_${name}, take_${name} };`,
  `_Static_assert(sizeof(struct ${name}) <= sizeof(filled) && ${fields.length} <= FIELDS, "${name}");`,
]

/** The header. */
export function call_table(): string {
  // In an order that does not depend on who was imported first: the program is known by its text.
  const calls = [...all_syscalls()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const structures = new Set(calls.flatMap(({ struct }) => (struct === undefined ? [] : [struct])))
  return [
    ...[...structures].flatMap(structure),
    '',
    'static const struct call calls[] = {',
    ...calls.flatMap(entry),
    '};',
    '',
  ].join('\n')
}

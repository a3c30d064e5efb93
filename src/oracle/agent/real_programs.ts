/**
 * To the model a program is any file that begins with `\x7fELF`; a kernel runs no file that is nothing else. So
 * cases in which something is run are played with the same files grown: behind the first bytes, which stay, stand
 * the headers and the code of a program that sleeps, and behind these all bytes once more. Of an ELF header's first
 * sixteen bytes the kernel looks at the four of the magic number alone (fs/binfmt_elf.c: load_elf_binary). The model
 * predicts with the grown files, so answers are compared as they are.
 */
import { at_places, kind_of_result } from '../../kernel/decode.js'
import { place_of, place_of_count, syscall_named } from '../../kernel/syscall.js'
import '../../model.js'
import type {
  ArgumentForm,
  BytesForm,
  CaseForm,
  NodeForm,
  OpForm,
  TreeForm,
  UseForm,
} from '../../scenario/form.js'
import { bytes_of } from '../../scenario/tree.js'
import { HEADERS, sleeping_program } from './sleeping_program.js'

const MAGIC = '\x7fELF'
/** Of the header: those that a file may have as it likes. */
const E_IDENT = 16

const real = (): string => atob(sleeping_program(globalThis.process?.arch ?? 'x64'))

/** e_type and e_machine, and e_phentsize: what the kernel asks for before it maps anything. */
const asked_for: readonly (readonly [number, number])[] = [
  [16, 20],
  [54, 56],
]

/** Whether a kernel runs these bytes, and what runs then does not end by itself. */
export function can_run(bytes: string): boolean {
  const ours = real()
  const same = (from: number, to: number) => bytes.slice(from, to) === ours.slice(from, to)
  if (!bytes.startsWith(MAGIC) || bytes.length < HEADERS) return false
  return same(E_IDENT, HEADERS) ? same(HEADERS, ours.length) : asked_for.every(([from, to]) => same(from, to))
}

/** A file that only the model would run. */
const is_sketch = (bytes: string): boolean => bytes.startsWith(MAGIC) && !can_run(bytes)

function grown(bytes: string): { base64: string } {
  const begin = bytes.slice(0, E_IDENT)
  return { base64: btoa(begin + real().slice(begin.length) + bytes) }
}

/** Every file and every call's bytes that are such a program, as byte strings. */
function sketches({ setup = {}, tasks }: CaseForm): string[] {
  const in_tree = (tree: TreeForm = {}): BytesForm[] =>
    Object.values(tree).flatMap((node) =>
      typeof node === 'string'
        ? [node]
        : 'dir' in node
          ? in_tree(node.dir)
          : 'file' in node
            ? [node.file]
            : [],
    )
  const files = Object.values(setup.filesystems ?? {}).flatMap(({ tree }) => in_tree(tree))
  const written = calls_of(tasks.flatMap(({ program }) => program)).flatMap(({ call, args = [] }) =>
    [args[place_of_bytes(call)]].filter(is_bytes),
  )
  return [...files, ...written].map((form) => bytes_of(form, '')).filter(is_sketch)
}

const is_bytes = (arg: ArgumentForm | undefined): arg is BytesForm =>
  typeof arg === 'string' || (typeof arg === 'object' && arg !== null && 'base64' in arg)

function calls_of(ops: readonly OpForm[]): Extract<OpForm, { call: string }>[] {
  return ops.flatMap((op) => {
    if ('call' in op) return [op, ...calls_of(op.child ?? [])]
    if ('if' in op) return calls_of([...op.then, ...(op.else ?? [])])
    return 'repeat' in op ? calls_of(op.body) : []
  })
}

/** The place of the bytes that a call writes; -1 where it writes none. */
function place_of_bytes(call: string): number {
  const syscall = syscall_named(call)
  return syscall === undefined ? -1 : place_of(syscall, 'bytes')
}

function runs_something(call: string, args: readonly ArgumentForm[] = []): boolean {
  const syscall = syscall_named(call)
  return syscall !== undefined && kind_of_result(syscall, args) === 'exec'
}

class Growth {
  private readonly by = real().length

  /** @param shortest length of the shortest program of the case, before it is grown */
  constructor(private readonly shortest: number) {}

  tree(tree: TreeForm): TreeForm {
    return Object.fromEntries(Object.entries(tree).map(([name, node]) => [name, this.node(node)]))
  }

  private node(node: NodeForm): NodeForm {
    if (typeof node === 'string') return this.node({ file: node })
    if ('dir' in node) return { ...node, dir: this.tree(node.dir) }
    return 'file' in node ? { ...node, file: this.bytes(node.file) } : node
  }

  private bytes(form: BytesForm): BytesForm {
    const bytes = bytes_of(form, '')
    return is_sketch(bytes) ? grown(bytes) : form
  }

  ops(ops: readonly OpForm[]): readonly OpForm[] {
    return ops.map((op) => {
      if ('call' in op) return this.call(op)
      if ('use' in op) return this.use(op)
      if ('repeat' in op) return { ...op, body: this.ops(op.body) }
      if (!('if' in op)) return op
      // biome-ignore lint/suspicious/noThenProperty: the name that the form has for it.
      return { ...op, then: this.ops(op.then), ...(op.else === undefined ? {} : { else: this.ops(op.else) }) }
    })
  }

  private call(op: Extract<OpForm, { call: string }>): OpForm {
    const child = op.child === undefined ? {} : { child: this.ops(op.child) }
    if (op.args === undefined) return { ...op, ...child }
    return { ...op, args: this.args(op.call, op.args), ...child }
  }

  private args(call: string, args: readonly ArgumentForm[]): ArgumentForm[] {
    const syscall = syscall_named(call)!
    const count = place_of_count(syscall)
    const moved = at_places(syscall, args).map((arg, i) => {
      const { kind } = syscall.params[i]!
      return i !== count && (kind === 'size' || kind === 'offset') ? this.place(arg) : arg
    })
    const written = place_of(syscall, 'bytes')
    const bytes = is_bytes(moved[written]) ? bytes_of(moved[written], '') : ''
    if (is_sketch(bytes)) {
      moved[written] = grown(bytes)
      if (Number(moved[count]) >= bytes.length) moved[count] = Number(moved[count]) + this.by
    }
    return moved.filter((arg) => arg !== undefined)
  }

  /** A length or an offset at which a program had ended: it ends further behind. */
  private place<T>(arg: T): T | number {
    return typeof arg === 'number' && arg >= this.shortest ? arg + this.by : arg
  }

  private use(op: UseForm): UseForm {
    if (typeof op.use === 'string') return op
    const use = op.use.map((piece) =>
      typeof piece === 'string' || piece.at === undefined
        ? piece
        : { ...piece, at: this.place(piece.at) as number },
    )
    return { ...op, use }
  }
}

/**
 * The case with programs that a kernel runs; the case itself where it runs nothing, or has no others.
 */
export function with_real_programs(form: CaseForm): CaseForm {
  const runs = calls_of(form.tasks.flatMap(({ program }) => program)).some(({ call, args }) =>
    runs_something(call, args),
  )
  const lengths = runs ? sketches(form).map(({ length }) => length) : []
  if (lengths.length === 0) return form
  const growth = new Growth(Math.min(...lengths))
  const filesystems = Object.fromEntries(
    Object.entries(form.setup?.filesystems ?? {}).map(([name, { tree, ...fs }]) => [
      name,
      tree === undefined ? fs : { ...fs, tree: growth.tree(tree) },
    ]),
  )
  const tasks = form.tasks.map((task) => ({ ...task, program: growth.ops(task.program) }))
  return { ...form, setup: { ...form.setup, filesystems }, tasks }
}

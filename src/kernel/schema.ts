/**
 * One schema per table. From it follow the TypeScript type of a row, both stores, the hash, the JSON
 * form of a state and the footprint of a step.
 *
 *     export const inode = table('inode', {
 *       attr: { i_mode: int(), i_uid: int(), i_gid: int() },
 *       writecount: { i_writecount: int() },
 *     })
 *
 *     inode(k, f.ino).i_writecount += 1       // noted as: writes inode 3, group writecount
 *
 * A row is flat: numbers, strings and short lists of numbers. It refers to rows of other tables by
 * their number, and 0 refers to nothing.
 *
 * Numbers are taken from the creating task's own range, lowest free first, so that two orders of the
 * same events give the same state. A row of a *keyed* table is known by the values of its key alone
 * (a page by its inode and index); nothing refers to it by number. A *computed* row is in no store (`is_computed`).
 */
import { hash_string, out, set_key, string_hash } from './hash.js'

export type Value = number | string | readonly number[]

export interface FieldType<T extends Value = Value> {
  readonly kind: 'int' | 'str' | 'list' | 'ref' | 'value'
  readonly initial: T
  /** For a reference: the table that it points into. */
  readonly table?: string
  /** What numbers in it stand for, other than for themselves; see `renumbering.ts`. */
  readonly names?: Names
  /** It counts above zero those of one side, and below those of another, and there are never both. */
  readonly sided?: boolean
}

/**
 * What numbers in a field stand for, where it is no reference: a row (that may be gone), a task, the struct cred of one, a place in the program
 * of one; or the text is what people call a task. Of a list, which of its places hold rows' numbers, over and over; of a
 * text with numbers of rows in it, the same with each as it is called elsewhere.
 */
export type Names =
  | 'row'
  | 'task'
  | 'cred'
  | 'place'
  | 'label'
  | readonly boolean[]
  | ((text: string, renumber: (id: number) => number) => string)

const EMPTY: readonly number[] = []

/** A number: any integer that a double holds exactly. */
export const int = (initial = 0): FieldType<number> => ({ kind: 'int', initial })
/** The number of a task; 0 for none. */
export const task_number = (): FieldType<number> => ({ kind: 'int', initial: 0, names: 'task' })
/**
 * A number of those on one of two sides, above zero or below. Whoever joins a side does so unless somebody is on the
 * other, and whoever leaves it has joined it before: so those of one side do not meet.
 */
export const sided = (): FieldType<number> => ({ kind: 'int', initial: 0, sided: true })
/** A number that stands for something else than itself and is no reference. */
export const naming = (names: Names): FieldType<number> => ({ kind: 'int', initial: 0, names })
/** A string; bytes are strings whose characters are below 256. */
export const str = (initial = '', names?: Names): FieldType<string> => ({ kind: 'str', initial, names })
/**
 * A short list of numbers. It is never changed in place: a change assigns a new list.
 *
 * @param rows which of its places hold numbers of rows, over and over
 */
export const list = (rows?: readonly boolean[]): FieldType<readonly number[]> => ({
  kind: 'list',
  initial: EMPTY,
  names: rows,
})
/** Any of the three: what a function returns. */
export const value = (): FieldType<Value> => ({ kind: 'value', initial: 0 })
/** The number of a row of another table; 0 for none. */
export const ref = (table: string): FieldType<number> => ({ kind: 'ref', initial: 0, table })

export type Fields = Readonly<Record<string, FieldType>>
export type Groups = Readonly<Record<string, Fields>>

type ValueOf<T> = T extends FieldType<infer V> ? V : never
export type ValuesOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> }
type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never
type ValuesOfGroups<G extends Groups> = Intersection<{ [K in keyof G]: ValuesOf<G[K]> }[keyof G]>

/** A row as stages see it: reading and assigning its fields goes through the store, which notes both. */
export type Row<V> = V & { readonly id: number }

/** One field with everything that the stores need to know of it. */
export interface Column {
  readonly index: number
  readonly name: string
  readonly group: string
  /** The same for the columns of a group, and another for other groups of the shape. */
  readonly group_number: number
  readonly type: FieldType
  readonly initial: Value
  /** Never written after the row is made: reading it is no touch, since nobody can change it. */
  readonly constant: boolean
  /** How its numbers stand for rows and tasks. */
  readonly stands: Stands
  /** Two words of the column's own, of which its share in a hash is made. */
  salt_lo: number
  salt_hi: number
}

/** The shape of a row: of a table, or of the frames of one kernel function. */
export interface Shape {
  readonly name: string
  readonly columns: readonly Column[]
  readonly by_name: ReadonlyMap<string, Column>
  /** By `name_number`: the index of the column of that name; -1 or nothing where there is none. */
  readonly slots: Int16Array
  salt_lo: number
  salt_hi: number
}

/** A row or a frame was to be made with a field that its kind does not have: a mistake in the model. */
export class UnknownField extends Error {
  constructor({ name, columns }: Shape, field: string) {
    super(`${name} has no ${field}; it has ${columns.map((column) => column.name).join(', ')}`)
    this.name = 'UnknownField'
  }
}

/** Whether a field has its default, which hashes to nothing: all empty lists are one. */
export function is_default(column: Column, value: Value): boolean {
  if (value === column.initial) return true
  return typeof value === 'object' && value.length === 0 && typeof column.initial === 'object'
}

/** What rows and frames have besides their fields. */
const reserved = new Set(['id', 'fn', 'table', 'v', 'home', 'slots', 'salt_lo', 'salt_hi'])

const name_numbers = new Map<string, number>()

/** A number for each name that any column has, the same for columns of the same name. */
export function name_number(name: string): number {
  let known = name_numbers.get(name)
  if (known === undefined) {
    known = name_numbers.size
    name_numbers.set(name, known)
  }
  return known
}

function slots_of(columns: readonly Column[]): Int16Array {
  for (const { name } of columns) name_number(name)
  const slots = new Int16Array(name_numbers.size).fill(-1)
  for (const { name, index } of columns) slots[name_number(name)] = index
  return slots
}

const shapes: Shape[] = []

/** Gives a shape and its columns their salts, under the present key. */
function salt(shape: Shape): void {
  const { lo, hi } = string_hash(shape.name)
  shape.salt_lo = lo
  shape.salt_hi = hi
  for (const column of shape.columns) {
    hash_string(lo, hi, column.name)
    column.salt_lo = out.lo
    column.salt_hi = out.hi
  }
}

/**
 * Hashes under this key from now on: for tests, which want the same hashes again, or others. The stores that
 * there are must not be used any more.
 *
 * @param key `KEY_WORDS` words of 32 bits
 */
export function use_key(key: ArrayLike<number>): void {
  set_key(key)
  for (const shape of shapes) salt(shape)
}

/**
 * How the numbers of a column stand for rows and tasks: not at all; as far as anybody knows not at all; each is a row's
 * or a task's; or in another way.
 */
export const NOT_AT_ALL = 0
export const NOT_SAID = 1
export const ROW = 2
export const TASK = 3
export const IN_ANOTHER_WAY = 4
export type Stands = typeof NOT_AT_ALL | typeof NOT_SAID | typeof ROW | typeof TASK | typeof IN_ANOTHER_WAY

/** Fields that are called so hold bits. */
const BITS = /(flags?|mode|cap_effective)$/

function stands_of(name: string, { kind, names }: FieldType): Stands {
  if (kind === 'ref' || names === 'row') return ROW
  if (names === 'task') return TASK
  if (names !== undefined) return IN_ANOTHER_WAY
  return kind === 'str' || BITS.test(name) ? NOT_AT_ALL : NOT_SAID
}

export function make_shape(name: string, groups: Groups, constant: readonly string[] = []): Shape {
  const columns: Column[] = []
  for (const [number, [group, fields]] of Object.entries(groups).entries()) {
    for (const [field, type] of Object.entries(fields)) {
      if (reserved.has(field)) throw new Error(`${name}: no field can be called ${field}`)
      columns.push({
        index: columns.length,
        name: field,
        group,
        group_number: number + 16,
        type,
        initial: type.initial,
        constant: constant.includes(group),
        stands: stands_of(field, type),
        salt_lo: 0,
        salt_hi: 0,
      })
    }
  }
  const by_name = new Map(columns.map((column) => [column.name, column]))
  const shape: Shape = { name, columns, by_name, slots: slots_of(columns), salt_lo: 0, salt_hi: 0 }
  salt(shape)
  shapes.push(shape)
  return shape
}

export interface TableInfo extends Shape {
  /** Position in the stores' arrays. Not part of any state: a state knows tables by name. */
  readonly index: number
  /** Columns whose values find a row: `dentry.find(k, parent, name)`. One or two. */
  readonly unique: readonly Column[]
  /** Rows in which this is not 0 have no key, so that nobody finds them by it. */
  readonly unkeyed: Column | null
  /** The unique columns are the row's identity, and its number is not. */
  readonly keyed: boolean
  /** Rows belong to the task that their number or first key value names: nobody else touches them. */
  readonly owned: boolean
  /** A row's number is that of its task. */
  readonly of_tasks: boolean
}

/** Whether a row with these values can be found by its unique columns. */
export const has_key = ({ unique, unkeyed }: TableInfo, v: readonly Value[]): boolean =>
  unique.length !== 0 && (unkeyed === null || v[unkeyed.index] === 0)

/** Whether a change of this column gives a row another key, or none, or one. */
export const moves_row = ({ unique, unkeyed }: TableInfo, column: Column): boolean =>
  unique.length !== 0 && (unique.includes(column) || column === unkeyed)

/** What the accessors of a row need; a stage sees it as `Row<V>` with the fields of its table. */
export interface AnyRow {
  readonly id: number
}

/** The side of a sided counter. */
export type Side = 1 | -1
export const ABOVE: Side = 1
export const BELOW: Side = -1

/** Where rows are: the part of a store that tables need. */
export interface Rows {
  row(table: TableInfo, id: number): AnyRow
  has(table: TableInfo, id: number): boolean
  find(table: TableInfo, first: number | string, second?: number | string): AnyRow | undefined
  where(table: TableInfo, first: number | string): AnyRow[]
  rows(table: TableInfo): AnyRow[]
  create(table: TableInfo, id: number, values: object): AnyRow
  remove(table: TableInfo, id: number): void
  /** Adds to a counter without looking at it. */
  add(table: TableInfo, id: number, field: string, n: number): void
  /** Adds to a sided counter unless somebody is on the other side. @returns whether it did */
  add_on_side(table: TableInfo, id: number, field: string, n: number, side: Side): boolean
  /** The lowest number in `range` that no row has, at or after place `from` (1 unless told). */
  lowest_free(table: TableInfo, range: number, from?: number): number
  /** The rows of one range, ordered by number. */
  rows_in(table: TableInfo, range: number): AnyRow[]
}

/** A world as accessors see it: its rows, and the task whose numbers new rows get. */
export interface World {
  readonly store: Rows
  readonly task: number
}

export interface Table<V> {
  /** The row with this number. It must exist: a number from a state that has none is a broken model. */
  (k: World, id: number): Row<V>
  readonly info: TableInfo
  /** Whether there is a row with this number. */
  has(k: World, id: number): boolean
  /** A new row in the range of the running task (`k.task`), with the lowest free number. */
  create(k: World, values: Partial<V>): Row<V>
  /** A new row with this number, for tables whose numbers mean something (tasks, descriptors). */
  create_at(k: World, id: number, values: Partial<V>): Row<V>
  remove(k: World, id: number): void
  /**
   * Adds to a counter, of which the stage does not see what it is: two tasks that do so do not meet (atomic_inc and the
   * like, where nobody looks at the result).
   */
  add(k: World, id: number, field: keyof V & string, n: number): void
  /**
   * Joins or leaves one side of a `sided` counter: above zero (atomic_inc_unless_negative) or below.
   *
   * @returns whether it did: not while somebody is on the other side
   */
  add_on_side(k: World, id: number, field: keyof V & string, n: number, side: Side): boolean
  /** The row whose unique columns have these values. */
  find(k: World, first: number | string, second?: number | string): Row<V> | undefined
  /** All rows whose first unique column has this value. */
  where(k: World, first: number | string): Row<V>[]
  /** Every row, ordered by number. Touches the whole table. */
  rows(k: World): Row<V>[]
  /** The lowest free number of `range` at or after place `from`, for tables whose numbers mean something. */
  lowest_free(k: World, range: number, from: number): number
  /** The rows of one range, ordered by number: what a task has of an owned table. */
  rows_in(k: World, range: number): Row<V>[]
}

export interface TableOptions {
  /** Names of one or two fields; two rows never have the same values in them. */
  readonly unique?: readonly string[]
  /** Name of a flag: rows that have it have no such values, nobody finds them, and no listing under a key has them. */
  readonly unkeyed?: string
  readonly keyed?: boolean
  readonly owned?: boolean
  readonly of_tasks?: boolean
  /** Groups of fields that are never written after the row is made. */
  readonly constant?: readonly string[]
  /** Fields of the rows that nobody makes (`is_computed`), by their number. */
  readonly computed?: (k: World, id: number) => object
}

const registered: TableInfo[] = []

/** Every table that the loaded model has defined, in order of definition. */
export function all_tables(): readonly TableInfo[] {
  return registered
}

/** Defines a table. Groups of fields are the grain of footprints: what may change together. */
export function table<const G extends Groups>(
  name: string,
  groups: G,
  options: TableOptions = {},
): Table<ValuesOfGroups<G>> {
  type V = ValuesOfGroups<G>
  const shape = make_shape(name, groups, options.constant)
  const unique = (options.unique ?? []).map((field) => shape.by_name.get(field)!)
  const info: TableInfo = Object.assign(shape, {
    index: registered.length,
    unique,
    unkeyed: options.unkeyed === undefined ? null : shape.by_name.get(options.unkeyed)!,
    keyed: options.keyed ?? false,
    owned: options.owned ?? false,
    of_tasks: options.of_tasks ?? false,
  })
  registered.push(info)
  const stored = (k: World, id: number) => k.store.row(info, id) as unknown as Row<V>
  const { computed } = options
  const get =
    computed === undefined
      ? stored
      : (k: World, id: number) =>
          is_computed(id) ? computed_row<V>(shape, id, computed(k, id)) : stored(k, id)
  return Object.assign(get, {
    info,
    has: (k: World, id: number) => k.store.has(info, id),
    create: (k: World, values: Partial<V>) =>
      k.store.create(info, k.store.lowest_free(info, k.task), values) as unknown as Row<V>,
    create_at: (k: World, id: number, values: Partial<V>) =>
      k.store.create(info, id, values) as unknown as Row<V>,
    remove: (k: World, id: number) => k.store.remove(info, id),
    add: (k: World, id: number, field: keyof V & string, n: number) => k.store.add(info, id, field, n),
    add_on_side: (k: World, id: number, field: keyof V & string, n: number, side: Side) =>
      k.store.add_on_side(info, id, field, n, side),
    find: (k: World, first: number | string, second?: number | string) =>
      k.store.find(info, first, second) as unknown as Row<V> | undefined,
    where: (k: World, first: number | string) => k.store.where(info, first) as unknown as Row<V>[],
    rows: (k: World) => k.store.rows(info) as unknown as Row<V>[],
    lowest_free: (k: World, range: number, from: number) => k.store.lowest_free(info, range, from),
    rows_in: (k: World, range: number) => k.store.rows_in(info, range) as unknown as Row<V>[],
  })
}

/**
 * Numbers of rows: the range of the creating task in the high part, the place in it in the low part.
 * Set-up creates in range 0, so the numbers that a reader meets first are 1, 2, 3 …
 */
export const RANGE_BITS = 18
export const RANGE_SIZE = 1 << RANGE_BITS

export const range_of = (id: number): number => id >>> RANGE_BITS
export const place_in_range = (id: number): number => id & (RANGE_SIZE - 1)
export const in_range = (range: number, place: number): number => (range << RANGE_BITS) | place

/** Ranges from here on are no task's. */
const COMPUTED_RANGES = 1 << 13

/**
 * Whether the row of this number is one that nobody makes and that is in no store: what it holds follows from its
 * number and from other rows, each time that somebody asks. So looking at it changes no state, and its number is
 * the same whoever looks first.
 */
export const is_computed = (id: number): boolean => range_of(id) >= COMPUTED_RANGES

/** The number of a row that nobody makes: of a task, and of which of the things that are computed from it. */
export const computed_number = (task: number, place: number): number =>
  in_range(COMPUTED_RANGES + task, place) >>> 0

/** The task from which the row of this number is computed. */
export const computed_of = (id: number): number => range_of(id) - COMPUTED_RANGES

/** It is frozen: who would write to it has taken it for a row of the state. */
function computed_row<V>({ columns }: Shape, id: number, fields: object): Row<V> {
  const row = Object.fromEntries(columns.map(({ name, initial }) => [name, initial]))
  // Fields that are getters stay so: what nobody asks for is not looked up.
  return Object.freeze(
    Object.defineProperties({ ...row, id }, Object.getOwnPropertyDescriptors(fields)),
  ) as Row<V>
}

/** There are more rows of a kind than numbers for them. */
export class TooMany extends Error {
  constructor(readonly table: string) {
    super(`more than ${RANGE_SIZE - 1} of ${table} at once: the model has no numbers for more`)
  }
}

/** The number of a new row. @throws TooMany where the place is in no range */
export function number_of(table: TableInfo, range: number, place: number): number {
  if (place >= RANGE_SIZE) throw new TooMany(table.name)
  return in_range(range, place)
}

/** A row's number as people read it: `7` for the set-up's seventh, `2:1` for the first that task 2 made. */
export function show_id(id: number): string {
  return range_of(id) === 0 ? String(id) : `${range_of(id)}:${place_in_range(id)}`
}

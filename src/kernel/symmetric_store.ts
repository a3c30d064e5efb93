/**
 * A store that knows states alike in which tasks of a class only have each other's places.
 *
 * Its hash is made of shares. What speaks of one exchangeable task alone (its rows and frames, and fields of others that
 * name it: the holder of a lock) is hashed without its number, into the share of that task; what speaks of none, into a
 * rest. A state is known by the rest and the shares, each with a place in its class: the shares are sorted, so that it
 * does not matter whose they are. A change costs as much as in any store, and to know a state costs a word for each task.
 *
 * What speaks of two exchangeable tasks (an open file of one, of an inode that the other has made) has no share.
 * It is looked for when a state is to be known, and hashed with the places of both. So a state is always known by the
 * hash of a state that is really a permutation of it. In which order shares that are equal stand is chance: then
 * states that are permutations of each other may be taken for two, and never two that are none for one.
 *
 * Where it cannot be told what a number stands for (what a function returns, what a program was told by stat(2), and
 * it looks like the number of a row of an exchangeable task), the state is known as it is, with the tasks in their order.
 */
import { type Entry, type FastFrame, type FastRow, FastStore } from './fast_store.js'
import type { Snapshot } from './footprint.js'
import { hash_list, hash_number, hash_pair, hash_string, out } from './hash.js'
import { type Exchangeable, type Renumbering, renumber, renumbered } from './renumbering.js'
import {
  type Column,
  is_default,
  NOT_SAID,
  place_in_range,
  RANGE_SIZE,
  ROW,
  range_of,
  type Shape,
  type Stands,
  TASK,
  type TableInfo,
  type Value,
} from './schema.js'

const NOBODY = -1
const SEVERAL = -2

function hash_value(lo: number, hi: number, value: Value): void {
  if (typeof value === 'number') hash_number(lo, hi, value)
  else if (typeof value === 'string') hash_string(lo, hi, value)
  else hash_list(lo, hi, value)
}

/** Whether a column can name tasks or their rows. */
const can_name = ({ stands }: Column): boolean => stands > NOT_SAID
/** Whether it can name another task than that whose it is. */
const can_cross = ({ stands, type }: Column): boolean =>
  stands > NOT_SAID && type.names !== 'place' && type.names !== 'label'

export class SymmetricStore extends FastStore {
  /** The exchangeable tasks, class by class, and by task its place among them. */
  private readonly members: readonly number[]
  private readonly member_of: Int16Array
  /** By member: the place of the first of its class. */
  private readonly first: readonly number[]
  /** By member: its share, two words. */
  private readonly shares: Int32Array
  /** Fields that speak of two exchangeable tasks, and such of which it cannot be told. */
  private crossing = 0
  private untold = 0
  private sign = 1
  /** Shares and counts at each mark. */
  private readonly kept: number[] = []
  /** By member: where it stands when the shares are sorted. */
  private readonly places: number[] = []
  private readonly naming = new Map<Shape, readonly Column[]>()

  // What `relative` works with: the task that a value is seen from, and what others it names.
  private from = NOBODY
  private other = NOBODY
  private readonly by: Renumbering

  constructor(private readonly exchangeable: Exchangeable) {
    super()
    this.members = exchangeable.classes.flat()
    this.member_of = new Int16Array(Math.max(...this.members) + 1).fill(NOBODY)
    this.members.forEach((task, member) => {
      this.member_of[task] = member
    })
    this.first = exchangeable.classes.flatMap((tasks) => tasks.map(() => this.member(tasks[0]!)))
    this.shares = new Int32Array(2 * this.members.length)
    this.by = {
      task: (task) => this.seen(this.member(task), 0, task),
      row: (id) => this.seen(this.member(range_of(id)), place_in_range(id), id),
      place: (pc) => (this.from === NOBODY ? pc : -1 - (pc - exchangeable.begins(this.members[this.from]!))),
      label: (text) =>
        this.from !== NOBODY && text === exchangeable.label(this.members[this.from]!) ? '/' : text,
    }
  }

  /** Whether the present state is the same whoever has whose place: then all that come after it may be known alike. */
  get is_symmetric(): boolean {
    const { shares, first } = this
    const as_first = (_: number, m: number) =>
      shares[2 * m] === shares[2 * first[m]!] && shares[2 * m + 1] === shares[2 * first[m]! + 1]
    return this.crossing === 0 && this.untold === 0 && this.members.every(as_first)
  }

  private member(task: number): number {
    return task < this.member_of.length ? this.member_of[task]! : NOBODY
  }

  // --- what a value names ------------------------------------------------------------------------------

  /** A number as it is seen from a member: its own are below 0, and others are noted. */
  private seen(member: number, place: number, number: number): number {
    if (member === NOBODY) return number
    if (this.from === NOBODY) this.from = member
    if (member === this.from) return -1 - place
    this.other = this.other === NOBODY || this.other === member ? member : SEVERAL
    return -1 - place - (1 + this.places[member]!) * RANGE_SIZE
  }

  /** A value seen from a member, or from the first that it names. */
  private relative(from: number, column: Column, value: Value): Value {
    this.from = from
    this.other = NOBODY
    return renumbered(column, value, this.by)
  }

  /** Quickly: most references are to what the set-up has made. */
  private names_nobody(stands: Stands, value: Value): boolean {
    if (stands === ROW) return this.member(range_of(value as number)) === NOBODY
    return stands === TASK && this.member(value as number) === NOBODY
  }

  /** Quickly: of what crosses, most does not. */
  private names_no_other(stands: Stands, value: Value, share: number): boolean {
    if (stands === ROW || stands === TASK) {
      const member = this.member(stands === ROW ? range_of(value as number) : (value as number))
      return member === NOBODY || member === share
    }
    return typeof value === 'object' && value.length === 0
  }

  private looks_like_row(value: number): boolean {
    return value >= RANGE_SIZE && place_in_range(value) > 0 && this.member(range_of(value)) !== NOBODY
  }

  private cannot_be_told(value: Value): boolean {
    if (typeof value === 'number') return this.looks_like_row(value)
    return typeof value === 'object' && value.some((each) => this.looks_like_row(each))
  }

  // --- hashing -----------------------------------------------------------------------------------------

  /** Adds the word in `out` to a share, or to the rest. */
  private put_word(member: number): void {
    if (member === NOBODY) {
      this.hash_lo ^= out.lo
      this.hash_hi ^= out.hi
    } else {
      this.shares[2 * member]! ^= out.lo
      this.shares[2 * member + 1]! ^= out.hi
    }
  }

  protected override toggle_field(entry: Entry, column: Column, value: Value): void {
    if (is_default(column, value) && column.type.names !== 'place') return
    const lo = entry.salt_lo ^ column.salt_lo
    const hi = entry.salt_hi ^ column.salt_hi
    const { stands } = column
    if (stands <= NOT_SAID || this.names_nobody(stands, value)) {
      if (stands === NOT_SAID && this.cannot_be_told(value)) this.untold += this.sign
      hash_value(lo, hi, value)
      this.put_word(entry.share)
      return
    }
    const relative = this.relative(entry.share, column, value)
    if (this.other === NOBODY) {
      hash_value(lo, hi, relative)
      this.put_word(this.from)
    } else if (entry.share !== NOBODY) this.crossing += this.sign
    else {
      // Nobody's row names two: then it counts who they are.
      this.untold += this.sign
      hash_value(lo, hi, value)
      this.put_word(NOBODY)
    }
  }

  protected override toggle_row(entry: Entry, shape: Shape): void {
    out.lo = entry.salt_lo
    out.hi = entry.salt_hi
    this.put_word(entry.share)
    const { columns } = shape
    const { v } = entry
    for (let i = 0; i < columns.length; i++) {
      if (v[i] !== columns[i]!.initial || columns[i]!.type.names === 'place')
        this.toggle_field(entry, columns[i]!, v[i]!)
    }
  }

  protected override untoggle_field(entry: Entry, column: Column, value: Value): void {
    this.sign = -1
    this.toggle_field(entry, column, value)
    this.sign = 1
  }

  protected override untoggle_row(entry: Entry, shape: Shape): void {
    this.sign = -1
    this.toggle_row(entry, shape)
    this.sign = 1
  }

  protected override salt_row(row: FastRow, table: TableInfo): void {
    this.from = this.other = NOBODY
    out.lo = table.salt_lo
    out.hi = table.salt_hi
    if (table.keyed) for (const column of table.unique) this.salt_by_key(row.v[column.index]!, column)
    else hash_number(out.lo, out.hi, table.of_tasks ? this.by.task(row.id) : this.by.row(row.id))
    row.salt_lo = out.lo
    row.salt_hi = out.hi
    row.share = this.from
  }

  private salt_by_key(value: Value, column: Column): void {
    const { lo, hi } = out
    const relative = can_name(column) ? renumbered(column, value, this.by) : value
    if (this.other !== NOBODY) throw new KeyOfTwo()
    hash_value(lo, hi, relative)
  }

  protected override salt_frame(frame: FastFrame, shape: Shape): void {
    frame.share = this.member(frame.task)
    hash_pair(shape.salt_lo, shape.salt_hi, frame.share === NOBODY ? frame.task : -1, frame.id)
    frame.salt_lo = out.lo
    frame.salt_hi = out.hi
  }

  // --- knowing a state -----------------------------------------------------------------------------------

  override known_by(): void {
    this.sort()
    let lo = this.hash_lo
    let hi = this.hash_hi
    for (let m = 0; m < this.members.length; m++) {
      hash_pair(this.shares[2 * m]!, this.shares[2 * m + 1]!, this.places[m]!, 0)
      lo ^= out.lo
      hi ^= out.hi
    }
    if (this.crossing > 0) {
      this.cross_lo = this.cross_hi = 0
      this.look_at_crossing()
      lo ^= this.cross_lo
      hi ^= this.cross_hi
    }
    out.lo = lo
    out.hi = hi
  }

  override compared_by(): Snapshot {
    this.sort()
    const to = (task: number) => {
      const member = this.member(task)
      return member === NOBODY ? task : this.members[this.places[member]!]!
    }
    return renumber(this.snapshot(), this.exchangeable, to)
  }

  /** Gives each member its place: by its share within its class, or where something cannot be told its own. */
  private sort(): void {
    const { first, places } = this
    for (let m = 0; m < this.members.length; m++) {
      let place = m
      if (this.untold === 0) {
        place = first[m]!
        for (let other = first[m]!; first[other] === first[m]; other++)
          if (other !== m && this.comes_before(other, m)) place++
      }
      places[m] = place
    }
  }

  private comes_before(a: number, b: number): boolean {
    const { shares } = this
    const lo = shares[2 * a]! - shares[2 * b]!
    if (lo !== 0) return lo < 0
    const hi = shares[2 * a + 1]! - shares[2 * b + 1]!
    return hi !== 0 ? hi < 0 : a < b
  }

  private cross_lo = 0
  private cross_hi = 0

  /** Hashes what speaks of two members, by their places. */
  private look_at_crossing(): void {
    for (const { table, ranges } of this.tables) {
      const columns = this.naming_columns(table)
      if (columns.length === 0) continue
      // A row that is known by its key may have a number of any task's range.
      if (table.keyed || table.of_tasks) for (const rows of ranges) this.cross_rows(rows, columns)
      else for (const task of this.members) this.cross_rows(ranges[task], columns)
    }
    for (const task of this.members) {
      const stack = this.stacks[task]
      if (stack === undefined) continue
      for (let i = 0; i < stack.length; i++) this.cross(stack[i]!, this.naming_columns(stack[i]!.fn.shape))
    }
  }

  private cross_rows(rows: readonly (FastRow | undefined)[] | undefined, columns: readonly Column[]): void {
    if (rows === undefined) return
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]
      if (row !== undefined) this.cross(row, columns)
    }
  }

  private cross(entry: Entry, columns: readonly Column[]): void {
    const { share } = entry
    if (share === NOBODY) return
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!
      const value = entry.v[column.index]!
      if (this.names_no_other(column.stands, value, share)) continue
      const relative = this.relative(share, column, value)
      if (this.other === NOBODY) continue
      hash_pair(entry.salt_lo ^ column.salt_lo, entry.salt_hi ^ column.salt_hi, this.places[share]!, 1)
      hash_value(out.lo, out.hi, relative)
      this.cross_lo ^= out.lo
      this.cross_hi ^= out.hi
    }
  }

  private naming_columns(shape: Shape): readonly Column[] {
    let columns = this.naming.get(shape)
    if (columns === undefined) {
      columns = shape.columns.filter(can_cross)
      this.naming.set(shape, columns)
    }
    return columns
  }

  // --- forward and back ------------------------------------------------------------------------------------

  override mark(): number {
    const { shares } = this
    let at = (this.marked / 3) * (shares.length + 2)
    for (let i = 0; i < shares.length; i++) this.kept[at++] = shares[i]!
    this.kept[at++] = this.crossing
    this.kept[at] = this.untold
    return super.mark()
  }

  override undo(mark: number): void {
    super.undo(mark)
    const { shares } = this
    let at = (mark / 3) * (shares.length + 2)
    for (let i = 0; i < shares.length; i++) shares[i] = this.kept[at++]!
    this.crossing = this.kept[at++]!
    this.untold = this.kept[at]!
  }
}

/** A row is known by two exchangeable tasks: such a system is not searched with them exchanged. */
export class KeyOfTwo extends Error {
  constructor() {
    super('a row is known by two exchangeable tasks')
  }
}

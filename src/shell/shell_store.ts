/**
 * The store of a shell: one world that goes forward call by call. It forgets how to take a call back once the call is
 * over: so neither time nor memory grow with the number of calls. A session of a person keeps all, for `undo`.
 */
import { in_range, place_in_range, RANGE_SIZE, range_of, type TableInfo } from '../kernel/schema.js'
import { UnhashedStore } from '../kernel/unhashed_store.js'

/** Journal entries that are kept allocated between calls. */
const KEPT_ENTRIES = 1 << 14

/** The machine has no room for what was asked. The call is taken back. */
export class LimitError extends Error {}

export class ShellStore extends UnhashedStore {
  /**
   * By table and range: no place below this one is free (1 is the lowest that is asked for). Without it, making
   * a file among many would look at all of them.
   */
  private hints: number[][] = []

  /**
   * @param forgets what is committed cannot be undone any more
   * @param removed told the table and number of each row that goes
   */
  constructor(
    private readonly forgets: boolean,
    private readonly removed: (table: TableInfo, id: number) => void,
  ) {
    super()
  }

  override commit(): void {
    if (!this.forgets) return
    if (this.journalled > KEPT_ENTRIES) {
      this.done_kind.length = 0
      this.done_to.length = 0
      this.done_value.length = 0
    }
    this.journalled = 0
    this.marked = 0
  }

  override undo(mark: number): void {
    super.undo(mark)
    this.hints = []
  }

  override remove(table: TableInfo, id: number): void {
    super.remove(table, id)
    this.removed(table, id)
    const hints = this.hints[table.index]
    const place = place_in_range(id)
    if (hints !== undefined && place < hints[range_of(id)]!) hints[range_of(id)] = Math.max(1, place)
  }

  /** @throws LimitError where a task has made as many rows as its range has numbers */
  override lowest_free(table: TableInfo, range: number, from = 1): number {
    // Only descriptors have a place 0; what is remembered begins at 1.
    if (from === 0 && !super.has(table, in_range(range, 0))) return in_range(range, 0)
    const hints = (this.hints[table.index] ??= [])
    const hint = hints[range] ?? 1
    const id = super.lowest_free(table, range, Math.max(from, hint))
    const place = place_in_range(id)
    if (range_of(id) !== range || place < from) {
      throw new LimitError(
        `one task can make ${RANGE_SIZE - 1} of one kind of thing, and has (${table.name})`,
      )
    }
    if (from <= hint && from > 0) hints[range] = place
    return id
  }
}

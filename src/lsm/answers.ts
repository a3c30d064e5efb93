/**
 * What a module of a user's own has been told and has answered. All that a hook learns it reads from its context,
 * one thing after the other; a hook that answers by what it is given alone does, having read the same as before,
 * the same as before: it reads the same next thing, or answers the same. One that does something else remembers, or
 * looks at a clock or at chance. As long as none of this is seen, the answers are those of some function of what
 * was read, and a search that goes back and forth between states is right about it.
 */
import { string_hash } from '../kernel/hash.js'
import { LsmModuleError } from './hooks.js'

/** A module did, after it had been told the same as before, something else than before. */
export class Remembers extends LsmModuleError {
  constructor(
    readonly module: string,
    what: string,
  ) {
    super(
      `module ${module} is not deterministic: ${what}; it may keep nothing between two questions, nor look at a clock or at chance`,
    )
  }
}

/** What a hook does next: the name of what it reads, or its answer. Below, by what it read. */
interface Point {
  does: string | undefined
  readonly told: Map<unknown, Point>
}

const point = (): Point => ({ does: undefined, told: new Map() })

/** Points that are kept; with more, all are forgotten and collected anew. */
const MOST_POINTS = 500_000
/** A longer string is known by its hash. */
const LONG = 64

/** All that a module has been told and has done. */
export class Answers {
  private start = point()
  private points = 1

  /** A hook is asked. */
  ask(module: string, hook: string): Question {
    if (this.points > MOST_POINTS) {
      this.start = point()
      this.points = 1
    }
    return new Question(module, hook, this.after(this.start, hook), (at, told) => this.after(at, told))
  }

  private after(at: Point, told: unknown): Point {
    const known = at.told.get(told)
    if (known !== undefined) return known
    this.points++
    const made = point()
    at.told.set(told, made)
    return made
  }
}

/** One call of a hook. */
export class Question {
  private over = false

  constructor(
    private readonly module: string,
    private readonly hook: string,
    private at: Point,
    private readonly after: (at: Point, told: unknown) => Point,
  ) {}

  /** The hook has read something. @throws Remembers */
  read<T>(name: string, value: T): T {
    if (this.over) throw new Remembers(this.module, `it reads ${name} of ${this.hook} after it has answered`)
    this.does(`reads ${name}`)
    this.at = this.after(this.at, key_of(value))
    return value
  }

  /** The hook has answered. @throws Remembers */
  answer(answer: unknown): void {
    this.does(`answers ${String(answer)}`)
    this.over = true
  }

  private does(what: string): void {
    this.at.does ??= what
    if (this.at.does !== what)
      throw new Remembers(
        this.module,
        `in ${this.hook}, told the same as before, it ${what} where it ${past(this.at.does)}`,
      )
  }
}

const past = (does: string) => does.replace(/^reads/, 'read').replace(/^answers/, 'answered')

/** What tells two values apart; of objects only whether they are there. */
function key_of(value: unknown): unknown {
  if (typeof value === 'function') return 'function'
  if (Array.isArray(value)) return `[${value.join()}]`
  if (typeof value === 'object' && value !== null) return 'object'
  if (typeof value !== 'string') return value
  if (value.length <= LONG) return `"${value}`
  const { lo, hi } = string_hash(value)
  return `${value.length}:${lo}:${hi}`
}

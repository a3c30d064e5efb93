/**
 * The way from the start to the present state: a place for each state on it, with what of its moves has been tried.
 * Nothing recurses: the way may be as long as memory holds.
 */
import type { Move } from './system.js'

/** About what a `Place` takes, with its list of tasks. */
const BYTES_OF_PLACE = 256

/** A state on the way, and how far its moves have been tried. Reused by height. */
export class Place {
  /** What is to be taken back to get here from above. */
  mark = 0
  tasks: readonly number[] = []
  /** The task being tried, as an index of `tasks`, and its answer. */
  at = 0
  choice = 0
  /** Moves made from here, and whether one led to a state seen before. */
  moves = 0
  repeated = false
  /** So many of `tasks`, from the first, need be expanded; 0 if all. */
  only = 0
  /** What the state is known by. */
  lo = 0
  /** A bound forbade a move. */
  skipped = false
  /** The running task could go on: leaving it is a preemption. */
  could_go_on = false
  /** How this state was reached, and with how many stages from the start. */
  task = 0
  came_by = 0
  stages = 0
  depth = 0
  preemptions = 0

  /** The move that is to be tried after this one, which had so many answers. */
  go_on(choices: number): void {
    this.choice++
    if (this.choice < choices) return
    this.choice = 0
    this.at++
  }

  /** No more moves are tried from here. */
  give_up(): void {
    this.skipped = true
    this.at = this.tasks.length
  }
}

export class Frontier {
  height = 0
  private readonly places: Place[] = []
  /** How many states on the way are known by a word. */
  private readonly words = new Map<number, number>()

  /** The present state's; the way must not be empty. */
  get top(): Place {
    return this.places[this.height - 1]!
  }

  /** One state further, known by this word, and reached from the top by a move of so many stages. */
  push(lo: number, mark: number, task: number, choice: number, stages: number, preemptions: number): Place {
    const depth = this.height === 0 ? 0 : this.top.depth
    if (this.height === this.places.length) this.places.push(new Place())
    const place = this.places[this.height++]!
    this.words.set(lo, (this.words.get(lo) ?? 0) + 1)
    place.lo = lo
    place.mark = mark
    place.at = place.choice = place.moves = 0
    place.repeated = place.skipped = place.could_go_on = false
    place.only = 0
    place.task = task
    place.came_by = choice
    place.stages = stages
    place.depth = depth + stages
    place.preemptions = preemptions
    return place
  }

  pop(): void {
    const { lo } = this.top
    const others = this.words.get(lo)! - 1
    if (others === 0) this.words.delete(lo)
    else this.words.set(lo, others)
    this.height--
  }

  /** Whether a state that is known by this word may be on the way: if not, it is not. */
  may_have(lo: number): boolean {
    return this.words.has(lo)
  }

  /** The stages from the start to the present state. */
  schedule(): Move[] {
    const moves: Move[] = []
    for (let height = 1; height < this.height; height++) {
      const { task, came_by, stages } = this.places[height]!
      moves.push({ task, choice: came_by })
      for (let i = 1; i < stages; i++) moves.push({ task, choice: 0 })
    }
    return moves
  }

  get bytes(): number {
    return this.places.length * BYTES_OF_PLACE
  }
}

/** What is wrong with a scenario, said to the person who wrote it. */

/** A scenario that cannot be loaded: the message names the field and what was expected there. */
export class ScenarioError extends Error {
  /** What the command line exits with. */
  readonly exit_code = 3

  /**
   * @param path where in the document: `cases[0].tasks[1].program[2].args[0]`, or empty for all of it
   * @param problem what is wrong there and what was expected
   */
  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(path === '' ? problem : `${path}: ${problem}`)
    this.name = 'ScenarioError'
  }
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

/** The known word that is nearest to `word`, or holds it, if one is near enough to have been meant. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const each of known) {
    const far = distance(word.toLowerCase(), each.toLowerCase())
    if (far < least) {
      least = far
      best = each
    }
  }
  if (best !== undefined || word.length < 3) return best
  return [...known].find((each) => each.toLowerCase().includes(word.toLowerCase()))
}

/** `; did you mean openat?`, or what there is to choose from where nothing is near and the choice is small. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  if (near !== undefined) return `; did you mean ${near}?`
  return known.length > 0 && known.length <= 12 ? `; expected one of ${known.join(', ')}` : ''
}

/** Words that people misspell: which known one was meant. */

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

/** Whether the letters of one word stand in the other, in their order. */
function holds_letters(long: string, short: string): boolean {
  let at = 0
  for (const letter of long) if (letter === short[at]) at++
  return at === short.length
}

function common_beginning(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

/** Of words too far apart to be slips of the hand: a longer or shorter word for the same (`readonly`, `rely`, `userid`). */
function alike(word: string, known: string): number {
  const beginning = common_beginning(word, known)
  if (beginning >= 3 || word.includes(known) || (word.length >= 3 && known.includes(word)))
    return beginning + 3
  if (word[0] === known[0] && (holds_letters(word, known) || holds_letters(known, word))) return beginning
  return holds_letters(word, known) ? 1 : 0
}

/** The known words that are nearest to `word`; several only where nothing tells them apart (`id`: uid or gid). */
function all_nearest(word: string, known: Iterable<string>): string[] {
  const given = word.toLowerCase()
  // Of a word of three letters one may be wrong, of five two, of nine three.
  const most = Math.min(Math.max(2, Math.floor(word.length / 3)), Math.ceil(word.length / 2) - 1 || 1)
  const slips = [...known].map((each) => ({ each, far: distance(given, each.toLowerCase()) }))
  const least = Math.min(...slips.map(({ far }) => far))
  if (least <= most) {
    const near = slips.filter(({ far }) => far === least).map(({ each }) => each)
    return near.filter((each) => each.length === near[0]!.length)
  }
  if (word.length < 3) return []
  const forms = slips.map(({ each }) => ({
    each,
    close: each.length < 2 ? 0 : alike(given, each.toLowerCase()),
  }))
  const closest = Math.max(0, ...forms.map(({ close }) => close))
  const near = forms.find(({ close }) => close === closest && close > 0)
  return near === undefined ? [] : [near.each]
}

/** The known word that is nearest to `word`, or is another form of it, if one is near enough to have been meant. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  return all_nearest(word, known)[0]
}

/** `; did you mean openat?`, or what there is to choose from where nothing is near and the choice is small. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = all_nearest(word, known)
  if (near.length > 0 && near.length <= 3) return `; did you mean ${near.join(' or ')}?`
  return known.length > 0 && known.length <= 12 ? `; expected one of ${known.join(', ')}` : ''
}

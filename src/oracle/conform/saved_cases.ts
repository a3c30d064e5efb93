/**
 * Saved cases: a play, and what a kernel answered to it. Every difference that was ever found is one, and
 * the tests play them again, on the model and on the kernel of the machine.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer, Play } from '../agent/play.js'

export interface SavedCase {
  readonly name: string
  /** What was wrong, in a sentence; empty until somebody has found out. */
  readonly about: string
  /** Release of the kernel that gave the answers. */
  readonly kernel: string
  readonly play: Play
  readonly answers: readonly Answer[]
}

/** As a file: readable, one line per call with its answer beside it. */
export function format_case({ name, about, kernel, play, answers }: SavedCase): string {
  const json = (value: unknown) => JSON.stringify(value)
  const pairs = play.calls.map((call, i) => `    [${json(call)},\n     ${json(answers[i])}]`)
  return [
    '{',
    `  "name": ${json(name)},`,
    `  "about": ${json(about)},`,
    `  "kernel": ${json(kernel)},`,
    `  "setup": ${json(play.setup)},`,
    `  "tasks": ${json(play.tasks)},`,
    `  "calls": [\n${pairs.join(',\n')}\n  ]`,
    '}\n',
  ].join('\n')
}

/** @throws SyntaxError where the file is no JSON */
export function parse_case(text: string): SavedCase {
  const { name, about, kernel, setup, tasks, calls } = JSON.parse(text)
  return {
    name,
    about,
    kernel,
    play: { setup, tasks, calls: calls.map((pair: [unknown, unknown]) => pair[0]) },
    answers: calls.map((pair: [unknown, unknown]) => pair[1]),
  }
}

/** The cases of a directory, by name. */
export function load_cases(dir: string): SavedCase[] {
  const files = readdirSync(dir).filter((file) => file.endsWith('.json'))
  return files.sort().map((file) => parse_case(readFileSync(join(dir, file), 'utf8')))
}

/**
 * Saves a play that showed a difference, with the kernel's answers.
 *
 * @param call name of the call that differed
 * @returns the path of the file; the same play has the same name
 */
export function save_case(
  dir: string,
  call: string,
  kernel: string,
  play: Play,
  answers: readonly Answer[],
): string {
  const hash = createHash('sha256').update(JSON.stringify(play)).digest('hex').slice(0, 8)
  const name = `${call}-${hash}`
  const path = join(dir, `${name}.json`)
  mkdirSync(dir, { recursive: true })
  // Made anew and moved there: a link that somebody has put there is not followed, and nothing stays half-written.
  const unfinished = `${path}.${process.pid}`
  writeFileSync(unfinished, format_case({ name, about: '', kernel, play, answers }), { flag: 'wx' })
  renameSync(unfinished, path)
  return path
}

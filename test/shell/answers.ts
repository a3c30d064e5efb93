/** What shells are asked in `test/cases/shell` and `answers/`, and what a kernel has answered. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Agent } from '../../src/oracle/agent/agent.js'
import { KernelPlayer } from '../../src/oracle/agent/player.js'
import { validate_setup } from '../../src/scenario/form_schema.js'
import { Protocol } from '../../src/shell/protocol.js'
import { Session } from '../../src/shell/session.js'

export interface Asked {
  readonly name: string
  readonly requests: readonly string[]
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

function asked_in(dir: string): Asked[] {
  const names = readdirSync(dir).filter((name) => name.endsWith('.jsonl'))
  return names.sort().map((file) => ({
    name: file.replace('.jsonl', ''),
    requests: readFileSync(`${dir}/${file}`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{')),
  }))
}

export const all_asked: readonly Asked[] = [
  ...asked_in(here('../cases/shell')),
  ...asked_in(here('./answers')),
]

/** Answers of a kernel, and what it was. */
export interface Recorded {
  readonly kernel: string
  /** The profile that predicts for that kernel on that machine. */
  readonly profile: string
  readonly answers: Readonly<Record<string, readonly string[]>>
}

/** A line about the kernel, then one for each of those that were asked. */
export const RECORDED = here('./recorded.jsonl')

function read_recorded(): Recorded {
  const [head, ...lines] = readFileSync(RECORDED, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { ...head, answers: Object.assign({}, ...lines) }
}

export const recorded: Recorded = existsSync(RECORDED)
  ? read_recorded()
  : { kernel: 'no kernel', profile: '6.18', answers: {} }

const check = async (given: unknown) => validate_setup(given)

async function answers_of(protocol: Protocol, { requests }: Asked): Promise<string[]> {
  const answers: string[] = []
  for (const request of requests) answers.push(...(await protocol.answer(request)).trim().split('\n'))
  return answers
}

export const ask_model = (asked: Asked, profile: string): Promise<string[]> =>
  answers_of(new Protocol(new Session({ profile }), check), asked)

export async function ask_kernel(asked: Asked): Promise<string[]> {
  const player = await KernelPlayer.open(await Agent.start(), null)
  try {
    return await answers_of(new Protocol(player, check), asked)
  } finally {
    player.close()
  }
}

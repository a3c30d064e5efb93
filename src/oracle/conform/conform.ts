/**
 * Random plays on the model and on the kernel of this machine, compared call by call. A difference is shrunk
 * to the fewest calls that show it.
 */

import { NotModelled } from '../../kernel/not_modelled.js'
import { Agent, type AgentOptions } from '../agent/agent.js'
import { type Answer, OracleError, type Play, SetupRefused } from '../agent/play.js'
import { running_profile } from '../confirm/confirm.js'
import { seeded } from './choices.js'
import { compare, type Difference } from './compare.js'
import { type GenerateOptions, random_play } from './generate.js'
import { play_on_model } from './model_runner.js'
import { Reach } from './reach.js'
import { shrink } from './shrink.js'
import { type SiteReport, SiteWatch } from './sites.js'

export interface Disagreement {
  /** Seed and index of the play that showed it: with them `conform` plays it again. */
  readonly seed: number
  readonly index: number
  readonly play: Play
  readonly model: readonly Answer[]
  readonly kernel: readonly Answer[]
  readonly difference: Difference
}

export interface ConformOptions extends AgentOptions, GenerateOptions {
  /** How many plays. */
  readonly count: number
  readonly seed: number
  /** Index of the first; 0 unless told. */
  readonly from?: number
  /** After so many disagreements it stops; unless told, after one. */
  readonly most?: number
  readonly on_progress?: (progress: Progress) => void
  readonly on_disagreement?: (found: Disagreement) => void
  /** Stops where it is true. */
  readonly interrupted?: () => boolean
  /** Also reports which errno sites of the model were reached. */
  readonly watch_sites?: boolean
  /** Differences are left as they were found. */
  readonly unshrunk?: boolean
}

export interface Progress {
  readonly plays: number
  readonly calls: number
  readonly ms: number
}

/** What this machine does in a second. */
export interface Pace {
  /** Forks of a process that ends at once, and is waited for. */
  readonly forks: number
  /** Mounts of a tmpfs, and their ends. */
  readonly mounts: number
}

export interface ConformResult extends Progress {
  readonly pace: Pace
  readonly disagreements: readonly Disagreement[]
  readonly reach: Reach
  readonly sites?: SiteReport
  /** The index of the next play, to go on from. */
  readonly next: number
}

/** An agent often waits for the kernel to take mounts down; another one plays meanwhile. */
const AGENTS = 2
/** So many plays at most are on their way to the agents while the model plays; they are sent some at a time. */
const AHEAD = 48
const SENT_TOGETHER = 16

/** What both sides answer to a play; a refused set-up is an answer too. */
async function play_on_both(
  agent: Agent,
  play: Play,
  release?: string,
): Promise<{ model: Answer[]; kernel: Answer[] }> {
  const kernel = agent.play(play)
  // The kernel plays while the model does; should the model throw, nobody waits for the kernel.
  kernel.catch(() => {})
  const answers = play_on_model(play, release)
  return { model: answers, kernel: await kernel }
}

/** The least that plays need: an overlay. @throws OracleError `kernel` where there is none */
async function need_overlay(agent: Agent): Promise<void> {
  const layers = { dir: { lower: { dir: {} }, upper: { dir: {} }, work: { dir: {} } } }
  const overlay = { lower: ['fs:/o/lower'], upper: 'fs:/o/upper', work: 'fs:/o/work' }
  try {
    await agent.play({
      setup: {
        filesystems: { fs: { type: 'tmpfs', tree: { o: layers } } },
        mounts: [
          { at: '/', filesystem: 'fs' },
          { at: '/m', overlay },
        ],
      },
      tasks: [],
      calls: [],
    })
  } catch (error) {
    if (!(error instanceof SetupRefused)) throw error
    throw new OracleError('kernel', `this kernel mounts no overlay: ${error.message}`)
  }
}

async function pace_of(agent: Agent): Promise<Pace> {
  const [answer] = await agent.request('pace\nend\n')
  return { forks: answer?.ret ?? 0, mounts: Number(answer?.data ?? 0) }
}

/** It is looked at before and after, for a moment each: what else the machine does makes it slower. */
const faster = (one: Pace, other: Pace): Pace => ({
  forks: Math.max(one.forks, other.forks),
  mounts: Math.max(one.mounts, other.mounts),
})

/**
 * Plays `count` random plays on both.
 *
 * @throws OracleError where this machine lacks something, or an agent has ended: with where to go on
 */
export async function conform(given: ConformOptions): Promise<ConformResult> {
  const options = { ...given, release: given.release ?? running_profile() }
  const agents = [await Agent.start({ ...options, processor: 0 })]
  try {
    await need_overlay(agents[0]!)
    const pace = await pace_of(agents[0]!)
    while (agents.length < AGENTS) agents.push(await Agent.start({ ...options, processor: agents.length }))
    const result = await new Conform(agents, options).run()
    return { ...result, pace: faster(pace, await pace_of(agents[0]!)) }
  } finally {
    for (const agent of agents) agent.close()
  }
}

/** A play that is on its way. */
interface Ahead {
  readonly index: number
  readonly play: Play
  readonly model: readonly Answer[]
  readonly kernel: Promise<Answer[]>
}

class Conform {
  private readonly reach = new Reach()
  private readonly disagreements: Disagreement[] = []
  private plays = 0
  private calls = 0
  private readonly began = Date.now()
  private readonly sites: SiteWatch | undefined

  constructor(
    private readonly agents: readonly Agent[],
    private readonly options: ConformOptions,
  ) {
    if (options.watch_sites) this.sites = new SiteWatch()
  }

  async run(): Promise<Omit<ConformResult, 'pace'>> {
    const { count, seed, from = 0, most = 1 } = this.options
    const one_user = this.agents[0]!.privilege === 'user-ns'
    const ahead: Ahead[] = []
    let next = 0
    while (this.plays < count && this.disagreements.length < most && !this.options.interrupted?.()) {
      const wanted = ahead.length > AHEAD - SENT_TOGETHER ? ahead.length : AHEAD
      while (next < count && ahead.length < wanted) {
        const index = from + next
        const made = random_play(seeded(seed, index), { one_user, ...this.options })
        const kernel = this.agents[next++ % AGENTS]!.play(made.play)
        kernel.catch(() => {})
        ahead.push({ ...made, index, kernel })
      }
      await this.one(ahead.shift()!).catch((error) => this.give_up(error))
    }
    await Promise.allSettled(ahead.map((each) => each.kernel))
    return {
      ...this.progress(),
      disagreements: this.disagreements,
      reach: this.reach,
      sites: this.sites?.report(),
      next: from + this.plays,
    }
  }

  private give_up(error: unknown): never {
    if (!(error instanceof OracleError)) throw error
    const { seed, from = 0 } = this.options
    const where = `--seed ${seed} --from ${from + this.plays}`
    throw new OracleError(error.lack, `${error.message}, after ${this.plays} plays; to go on: ${where}`)
  }

  private progress(): Progress {
    return { plays: this.plays, calls: this.calls, ms: Date.now() - this.began }
  }

  private async one({ index, play, model, kernel: playing }: Ahead): Promise<void> {
    const kernel = await playing
    this.plays++
    this.calls += play.calls.length
    this.reach.add(play, kernel)
    const [first] = compare(play, model, kernel)
    if (first !== undefined) {
      const { seed } = this.options
      const found = this.options.unshrunk
        ? { seed, index, play, model, kernel, difference: first }
        : { seed, index, ...(await this.shrunk(play, first)) }
      this.disagreements.push(found)
      this.options.on_disagreement?.(found)
    }
    if (this.plays % 256 === 0) this.options.on_progress?.(this.progress())
  }

  private async shrunk(play: Play, first: Difference): Promise<Omit<Disagreement, 'seed' | 'index'>> {
    const call = play.calls[first.call]!.call
    const small = await shrink(play, async (candidate) => {
      const found = await this.differences(candidate)
      return found.some((each) => candidate.calls[each.call]!.call === call && each.what === first.what)
    })
    const { model, kernel } = await play_on_both(this.agents[0]!, small, this.options.release)
    const difference = compare(small, model, kernel)[0] ?? first
    return { play: small, model, kernel, difference }
  }

  private async differences(play: Play): Promise<readonly Difference[]> {
    try {
      const { model, kernel } = await play_on_both(this.agents[0]!, play, this.options.release)
      // A call after one of its task that sleeps is none, and says nothing.
      if (model.some(({ blocked }) => blocked === true)) return []
      return compare(play, model, kernel)
    } catch (error) {
      if (error instanceof SetupRefused || error instanceof NotModelled) return []
      if ((error as Error).name === 'ScenarioError') return []
      throw error
    }
  }
}

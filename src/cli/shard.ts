/** `--shard i/n`: one of n runs, on as many machines as there are, that share out what one run would do. */
import { type Command, InvalidArgumentError } from 'commander'

/** Which of how many. */
export interface Shard {
  /** From 1. */
  readonly shard: number
  readonly of: number
}

/** What a run does that shares with no other. */
export const whole: Shard = { shard: 1, of: 1 }

/** No cluster is larger, and a longer number is a mistake. */
const MOST = 1_000_000

export interface ShardOptions {
  shard?: Shard
  /** The folder that reports are written to. */
  report?: string
}

export const add_shard = (command: Command, what: string): Command =>
  command
    .option('--shard <i/n>', `only the i-th of n parts of ${what}, e.g. 3/16`, parse_shard)
    .option('--report <folder>', 'writes what was found there, for "toctoscope merge"')

export const say_shard = ({ shard, of }: Shard): string => `${shard}/${of}`

/** `3/16`. */
function parse_shard(text: string): Shard {
  const [, i, n] = /^(\d{1,7})\/(\d{1,7})$/.exec(text) ?? []
  const [shard, of] = [Number(i), Number(n)]
  if (!(shard >= 1 && shard <= of && of <= MOST))
    throw new InvalidArgumentError('Expected i/n with 1 ≤ i ≤ n, such as 3/16.')
  return { shard, of }
}

/** Whether the `at`-th of all parts, from 0, is the shard's: they are dealt out in turn, since neighbours are alike. */
export const is_dealt_to = ({ shard, of }: Shard, at: number): boolean => at % of === shard - 1

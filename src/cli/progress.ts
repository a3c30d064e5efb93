/** How far a search is, on one line of a terminal that somebody watches. */
import type { Bounds, Progress } from '../explore/system.js'
import type { Terminal } from './terminal.js'

/** Milliseconds before anything is shown, and between two lines. */
const PATIENCE = 1000
const BETWEEN = 200

export class ProgressLine {
  private readonly began: number
  private shown_at = 0
  private shown = false
  /** Transitions of the cases that are done. */
  private before = 0
  private last: Progress = { states: 0, transitions: 0, depth: 0 }

  constructor(
    private readonly terminal: Terminal,
    private readonly bounds: Bounds,
    private readonly cases: number,
  ) {
    this.began = terminal.now()
  }

  /** Called now and then while case number `at` (from 0) is searched. */
  show(at: number, name: string, progress: Progress): void {
    this.last = progress
    this.write((now) => this.line(at, name, progress, now))
  }

  /** Called now and then while calls that do not matter are left out of a counterexample. */
  leaving_out(at: number, name: string, untried: number): void {
    const calls = untried === 1 ? 'call' : 'calls'
    this.write(
      () =>
        `${at + 1}/${this.cases} ${name}: leaving out what does not matter, ${thousands(untried)} ${calls} to try`,
    )
  }

  private write(line: (now: number) => string): void {
    const now = this.terminal.now()
    if (!this.terminal.interactive || now - this.began < PATIENCE || now - this.shown_at < BETWEEN) return
    this.shown_at = now
    this.shown = true
    this.terminal.err(`\r\x1b[K${line(now)}`.slice(0, this.terminal.width + 4))
  }

  private line(at: number, name: string, { states, transitions, depth }: Progress, now: number): string {
    const seconds = (now - this.began) / 1000
    const rate = Math.round((this.before + transitions) / Math.max(seconds, 0.001))
    const left: string[] = []
    const { max_states, max_time } = this.bounds
    if (max_states !== undefined) left.push(`${thousands(max_states - states)} states`)
    if (max_time !== undefined)
      left.push(`${Math.max(0, Math.ceil((max_time - (now - this.began)) / 1000))} s`)
    const most = left.length === 0 ? 'no bound' : `at most ${left.join(', ')} left`
    return `${at + 1}/${this.cases} ${name}: ${thousands(states)} states, ${thousands(rate)}/s, depth ${depth}, ${most}`
  }

  case_done(): void {
    this.before += this.last.transitions
    this.last = { states: 0, transitions: 0, depth: 0 }
  }

  /** Takes the line away. */
  end(): void {
    if (this.shown) this.terminal.err('\r\x1b[K')
    this.shown = false
  }
}

/** `1,234,567` */
export function thousands(n: number | bigint): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',')
}

/**
 * The moves of a search: a stage of a task, and with fusion all the local stages of that task that follow.
 *
 * Fusion is sound because a local stage touches only rows and frames of its own task (kernel/footprint_audit.ts audits
 * it): it commutes with every stage of every other task, and can neither be blocked nor unblock anybody. So
 * every run is equivalent to one in which each local stage directly follows the stage of its task before it,
 * and that run has no more preemptions: where a local stage moves forward out of a block of its task, the
 * switch before that block stays or disappears, and no new one arises.
 *
 * Equivalent runs end in the same state, but what lies between differs, and of fused stages only the last
 * state is asked for violations. So a property must stay violated once it is, as those of monitors and of
 * latched outcomes do (`System.violations`). A system with one that may hold for a moment only
 * (`System.momentary`) is not fused, nor is a task with a local stage expanded alone. The invariant is asked
 * after every stage, fused or not.
 */

import type { Kernel } from '../../kernel/kernel.js'
import { ASLEEP, ended, is_local, type StepResult, step } from '../../kernel/machine.js'
import type { Locality, System } from '../system.js'

/** A run of local stages is cut here, so that an endless loop of them becomes states that repeat. */
const LONGEST_RUN = 4096

/** Says what is broken in the state, or null. */
export type Invariant = (k: Kernel) => string | null

export class InvariantFailure extends Error {
  constructor(
    readonly what: string,
    /** Stages that ran in the move, the last of which broke it. */
    readonly stages: number,
  ) {
    super(what)
  }
}

/** Whether stages of this system may be fused, and a task with a local one be expanded alone. */
export function may_fuse(system: System, wanted = true): boolean {
  return wanted && system.momentary !== true
}

export class Mover {
  /** Stages run by all moves. */
  stages = 0
  /** How many answers the first stage of the last move had; also where it sleeps. */
  choices = 1

  constructor(
    readonly k: Kernel,
    private readonly fusion: boolean,
    private readonly invariant: Invariant | null = null,
    private readonly locality: Locality | null = null,
  ) {}

  /**
   * Runs the next stage of `task` with this answer, and the local ones after it. A local stage that has
   * several answers is left for a move of its own.
   *
   * @returns how many stages ran; 0 if the first would sleep
   */
  move(task: number, choice: number): number {
    const { k } = this
    const slept = this.step(task, choice) === ASLEEP
    this.choices = k.choices
    if (slept) return 0
    this.check(1)
    const stages = this.fusion ? this.run_on(task) : 1
    this.stages += stages
    return stages
  }

  private run_on(task: number): number {
    const { k } = this
    let stages = 1
    while (stages < LONGEST_RUN && !ended(k, task) && this.is_local(task)) {
      const mark = k.store.mark()
      if (this.step(task, 0) === ASLEEP || k.choices > 1) {
        k.store.undo(mark)
        break
      }
      stages++
      this.check(stages)
    }
    return stages
  }

  /** Whether the next stage of `task` concerns nobody else, by itself or as far as is known. */
  is_local(task: number): boolean {
    return this.locality === null ? is_local(this.k, task) : this.locality.is_local(this.k, task)
  }

  private step(task: number, choice: number): StepResult {
    const { k, locality } = this
    if (locality === null || locality.settled || is_local(k, task)) return step(k, task, choice)
    locality.watch(k, task)
    k.store.watch(locality)
    const result = step(k, task, choice)
    k.store.watch(null)
    return result
  }

  private check(stages: number): void {
    if (this.invariant === null) return
    const broken = this.invariant(this.k)
    if (broken !== null) throw new InvariantFailure(broken, stages)
  }
}

/** Audits a whole system: random runs in which every stage's footprint is held against what it promises. */

import { FastStore } from '../kernel/fast_store.js'
import type { Touch } from '../kernel/footprint.js'
import { audit_local, audit_owned, owned_tables } from '../kernel/footprint_audit.js'
import { type Kernel, RETURNING } from '../kernel/kernel.js'
import { is_local, step } from '../kernel/machine.js'
import { all_tables } from '../kernel/schema.js'
import { Random, random_run } from './random_run.js'
import type { System } from './system.js'

export interface AuditReport {
  /** `function.stage: what it touches though it must not`, sorted. */
  readonly problems: readonly string[]
  /** The stages that ran, as `function.stage`, sorted. */
  readonly stages: readonly string[]
}

/** The next stage of a task, as `function.stage`; giving back what a frame holds is `function.return`. */
export function stage_name(k: Kernel, task: number): string {
  const { fn, stage } = k.store.top(task)
  return `${fn.name}.${stage === RETURNING ? 'return' : fn.steps[stage]!.name}`
}

class Auditor {
  readonly problems = new Set<string>()
  readonly stages = new Set<string>()
  private readonly owned = owned_tables(all_tables())

  step(k: Kernel, task: number, choice: number): void {
    const name = stage_name(k, task)
    const local = is_local(k, task)
    const running = k.store.tasks()
    this.stages.add(name)
    k.store.note()
    step(k, task, choice)
    const footprint = k.store.footprint()
    const report = (what: string) => (touch: Touch) => {
      const does = touch.write ? 'writes' : 'reads'
      this.problems.add(`${name}: ${what} ${does} ${touch.table} ${touch.row} ${touch.group}`)
    }
    if (local) audit_local(footprint, task, this.owned).forEach(report('local, but'))
    audit_owned(footprint, task, this.owned, running).forEach(report('not the owner, but'))
  }
}

/**
 * Makes random runs, and audits every stage in them.
 *
 * @param runs how many
 * @param seed of the random numbers
 */
export function audit(system: System, runs: number, seed = 1): AuditReport {
  const random = new Random(seed)
  const auditor = new Auditor()
  for (let run = 0; run < runs; run++) {
    const schedule = random_run(system.boot(new FastStore()), random, 100_000, () => false)
    const k = system.boot(new FastStore())
    for (const { task, choice } of schedule) auditor.step(k, task, choice)
  }
  return { problems: [...auditor.problems].sort(), stages: [...auditor.stages].sort() }
}

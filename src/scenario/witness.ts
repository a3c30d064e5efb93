/**
 * What a run has shown, so that no case is safe for want of an attack: that a check said yes, and that the
 * attacker changed something or was refused.
 */

import { errno_name, signal_of } from '../kernel/errno.js'
import type { Kernel } from '../kernel/machine.js'
import { O_TRUNC } from '../vfs/open_flags.js'
import { type CallInstruction, type Code, result, tasks_of } from './code.js'
import { approval } from './monitor.js'
import { type Properties, reached } from './properties.js'

/** Calls that change what a file or a name stands for, if they succeed. */
const changing = new Set([
  'write',
  'pwrite',
  'poke',
  'truncate',
  'ftruncate',
  'rename',
  'renameat',
  'renameat2',
  'unlink',
  'unlinkat',
  'symlink',
  'symlinkat',
  'link',
  'linkat',
  'chmod',
  'fchmod',
  'fchmodat',
  'chown',
  'fchown',
  'lchown',
  'fchownat',
  'mount',
  'umount2',
])

/** What the runs of a case must show. */
export interface Witnesses {
  /** Some run must have a check that said yes. */
  readonly approval: boolean
  /** Some run must have an attack that came through, or was refused. */
  readonly attack: boolean
  /** Nobody attacks, and no outcome that is reached shows instead that the case is about something. */
  readonly no_attacker: boolean
}

export function wanted_witnesses(code: Code, properties: Properties): Witnesses {
  const calls = code.programs.flatMap((program) => program.calls)
  const attack = code.programs.some((program) => program.role === 'attacker')
  const reaches_enough = properties.reaches.length > 0
  return { approval: calls.some((call) => call.relied), attack, no_attacker: !attack && !reaches_enough }
}

/** Labels of a run that has ended: `approved`, `changed by write`, `refused EROFS in openat`, `reached NAME`. */
export function witness_of(k: Kernel, code: Code, properties: Properties): readonly string[] {
  const labels = reached(k, properties).map((name) => `reached ${name}`)
  if (approval.rows(k).length > 0) labels.push('approved')
  code.programs.forEach((program, i) => {
    if (program.role !== 'attacker') return
    for (const task of tasks_of(k, i + 1)) {
      for (const call of program.calls) {
        const row = result.find(k, task, call.slot)
        const label = row === undefined ? undefined : attack_label(call, row.ret)
        if (label !== undefined) labels.push(label)
      }
    }
  })
  return labels
}

function attack_label(call: CallInstruction, ret: number): string | undefined {
  const { name } = call.syscall
  if (ret < 0) return signal_of(ret) === 0 ? `refused ${errno_name(ret)} in ${name}` : undefined
  return changing.has(name) || truncates(call) ? `changed by ${name}` : undefined
}

/** An open with O_TRUNC. */
function truncates({ syscall, fixed }: CallInstruction): boolean {
  const { flags = 0 } = (fixed ?? {}) as { flags?: number }
  return /^open|^creat/.test(syscall.name) && (flags & O_TRUNC) !== 0
}

/** What no run showed; null where nothing is missing. */
export function missing_witness(seen: ReadonlySet<string>, wanted: Witnesses): string | null {
  const labels = [...seen]
  if (wanted.no_attacker) return 'no task with the role attacker: nothing shows that an attack was tried'
  if (wanted.approval && !seen.has('approved')) return 'no run in which the check said yes'
  const attacked = labels.some((label) => label.startsWith('changed') || label.startsWith('refused'))
  return wanted.attack && !attacked ? 'no run in which the attacker changed the file or was refused' : null
}

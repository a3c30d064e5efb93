/**
 * By what a `safe` is witnessed. A search that finds nothing says little where nothing was approved and used, or
 * where nobody attacked what is used. So a few runs are made, in order and at random, and it is noted what each
 * task touches in them. What they do not show is not witnessed: in doubt there is no `safe`.
 *
 * Wanted are, each in some run:
 *
 * - where a `use` relies on a check: an approval was given, and bytes were used on the strength of it; where only
 *   the property `policy` judges uses: bytes were used;
 * - where there are attackers: a call of theirs changed something that the others meet, or was refused that by a
 *   mitigation;
 * - where there are none: an outcome that has to be reached was, or another task met what was used on the
 *   strength of an approval.
 *
 * A task *meets* what it reads or writes of names, of attributes, sizes and pages of inodes, of flags of mounts
 * and file systems, and of which inode an overlay file stands for. Reference counts, link counts, locks and write
 * counts are no meeting, nor are directories that a path only leads through.
 */
import { Random, random_run } from '../explore/random_run.js'
import { Player, run_in_order } from '../explore/replay.js'
import { type Look, no_hurry, type Schedule, type Witnessed } from '../explore/system.js'
import type { Touch } from '../kernel/footprint.js'
import type { Event, Kernel } from '../kernel/kernel.js'
import type { CaseSystem } from '../scenario/case_system.js'
import type { CallInstruction } from '../scenario/code.js'
import { approval, current_call, used } from '../scenario/monitor.js'
import { attempts_change, is_refusal } from '../scenario/run_labels.js'
import { dentry } from '../vfs/dentry.js'
import { inode, is_dir } from '../vfs/inode.js'
import { lints_of_runs, type Seen } from './lint.js'

/** Random runs that are made at most, and stages of all runs together. */
const RANDOM_RUNS = 60
const MOST_STAGES = 200_000
const MOST_STEPS = 20_000

/** Fields whose change others can see, by table and group. */
const seen_groups: Readonly<Record<string, readonly string[]>> = {
  inode: ['attr', 'size', 'verity', 'exists'],
  page: ['data', 'exists'],
  dentry: ['name', 'exists'],
  mount: ['flags', 'exists'],
  super_block: ['flags'],
  ovl_inode: ['upper'],
}

const is_directory = (k: Kernel, ino: number): boolean => inode.has(k, ino) && is_dir(inode(k, ino).i_mode)

/** A touch as a word, if others can meet there; the size of a directory is its own business. */
function place_of(k: Kernel, { table, row, group }: Touch): string | undefined {
  if (seen_groups[table]?.includes(group) !== true || row.startsWith('@') || row === '*') return undefined
  if (table === 'inode' && group === 'size' && is_directory(k, Number(row))) return undefined
  return `${table} ${row} ${group}`
}

/** The file, or the name of one, that was touched; undefined for directories. */
function object_of(k: Kernel, { table, row }: Touch): string | undefined {
  if (table === 'dentry' && row.startsWith('=')) {
    const [, parent, name] = /^=(\d+):(.*)$/s.exec(row)!
    const found = dentry.find(k, Number(parent), name!)
    return found !== undefined && is_directory(k, found.d_inode) ? undefined : `name ${parent}:${name}`
  }
  if (!/^(inode|page|ovl_inode)$/.test(table)) return undefined
  const ino = Number(/^=?(\d+)/.exec(row)?.[1] ?? 0)
  return ino === 0 || is_directory(k, ino) ? undefined : `inode ${ino}`
}

/** What some task of one program did in one call, or all its tasks in one run. */
class Touched {
  readonly places = new Set<string>()
  readonly written = new Set<string>()
  readonly objects = new Set<string>()

  add(k: Kernel, touch: Touch): void {
    const object = object_of(k, touch)
    if (object !== undefined) this.objects.add(object)
    const place = place_of(k, touch)
    if (place === undefined) return
    this.places.add(place)
    if (touch.write) this.written.add(place)
  }

  join({ places, objects }: Touched): void {
    for (const place of places) this.places.add(place)
    for (const object of objects) this.objects.add(object)
  }
}

interface Attempt extends Touched {
  readonly call: CallInstruction
  denied: boolean
}

const meet = (some: ReadonlySet<string>, others: ReadonlySet<string>): boolean =>
  [...some].some((each) => others.has(each))

/** Watches runs of a case, and remembers what they show. */
class Watcher {
  readonly labels = new Set<string>()
  /** Calls that were made, as `program:slot`. */
  readonly called = new Set<string>()
  /** Of all runs. */
  stages = 0
  /** What all but attackers touch, in any run. */
  readonly met = new Touched()
  /** What attackers changed or were refused, and what that was, in any run. */
  private readonly attacks: { label: string; places: Set<string>; objects: Set<string> }[] = []
  private readonly attackers: boolean[]
  /** What each attacker touches, in any run. */
  private readonly of_attackers = new Map<number, Touched>()

  constructor(
    private readonly system: CaseSystem,
    private readonly player: Player,
  ) {
    this.attackers = system.code.programs.map(({ role }) => role === 'attacker')
  }

  /** Makes a run again and watches it. */
  watch(schedule: Schedule): void {
    this.stages += schedule.length
    const programs = new Map(this.system.code.programs.map((_, i) => [i + 1, i]))
    const by_task = new Map<number, Touched>()
    const attempts = new Map<number, Attempt>()
    let call: CallInstruction | undefined
    const end = this.player.play(schedule, {
      before: (k, { task }) => {
        call = current_call(k, task)
        k.events = []
        k.store.note()
      },
      after: (k, { task }, _, events) => {
        const footprint = k.store.footprint()
        for (const each of k.store.tasks()) if (!programs.has(each)) programs.set(each, programs.get(task)!)
        const program = programs.get(task)!
        const touched = by_task.get(task) ?? new Touched()
        by_task.set(task, touched)
        for (const touch of footprint) touched.add(k, touch)
        if (this.attackers[program] === true && call !== undefined)
          this.follow(k, { task, program, call }, footprint, events, attempts)
        for (const { kind, detail } of events)
          if (kind === 'return') this.called.add(`${program}:${detail?.slot}`)
        if (events.some(({ kind }) => kind === 'approval')) this.labels.add('approved')
        if (events.some(({ kind }) => kind === 'use')) this.note_use(k)
      },
    })
    for (const [task, touched] of by_task) {
      const program = programs.get(task)!
      ;(this.attackers[program] === true ? this.of_attacker(program) : this.met).join(touched)
    }
    this.conclude(end, by_task)
  }

  private follow(
    k: Kernel,
    { task, program, call }: { task: number; program: number; call: CallInstruction },
    footprint: readonly Touch[],
    events: readonly Event[],
    attempts: Map<number, Attempt>,
  ): void {
    const attempt = attempts.get(task) ?? Object.assign(new Touched(), { call, denied: false })
    attempts.set(task, attempt)
    for (const touch of footprint) attempt.add(k, touch)
    if (events.some(({ kind }) => kind === 'denied')) attempt.denied = true
    const returned = events.find(({ kind }) => kind === 'return')
    if (returned === undefined) return
    attempts.delete(task)
    this.judge(k, program, attempt, Number(returned.detail?.ret))
  }

  /** A call of an attacker has returned. */
  private judge(k: Kernel, program: number, attempt: Attempt, ret: number): void {
    const { call, written, objects, places, denied } = attempt
    const refused = is_refusal(ret, denied)
    if (refused !== null) {
      const named = named_by(k, call, places)
      for (const object of named) this.of_attacker(program).objects.add(object)
      this.note_attack(
        `refused ${refused} in ${call.syscall.name}`,
        new Set(),
        new Set([...objects, ...named]),
      )
    } else if (attempts_change(call)) this.note_attack(`changed by ${call.syscall.name}`, written, new Set())
  }

  private note_attack(label: string, places: Set<string>, objects: Set<string>): void {
    const same = this.attacks.find((each) => each.label === label)
    if (same === undefined) this.attacks.push({ label, places, objects })
    else {
      for (const each of places) same.places.add(each)
      for (const each of objects) same.objects.add(each)
    }
  }

  private of_attacker(program: number): Touched {
    const known = this.of_attackers.get(program) ?? new Touched()
    this.of_attackers.set(program, known)
    return known
  }

  private note_use(k: Kernel): void {
    const rows = used.rows(k)
    if (rows.some(({ bytes }) => bytes.length > 0)) this.labels.add('used')
    if (rows.some(({ task, relies }) => relies >= 0 && approval.find(k, task, relies) !== undefined))
      this.labels.add('relied')
  }

  /** A run has ended: did another task meet what was used, and did an attacker what others meet in any run? */
  private conclude(end: Kernel, by_task: ReadonlyMap<number, Touched>): void {
    for (const { task, relies } of used.rows(end)) {
      if (approval.find(end, task, relies) === undefined) continue
      const own = by_task.get(task)?.objects ?? new Set()
      for (const [other, { objects }] of by_task)
        if (other !== task && meet(objects, own)) this.labels.add('met')
    }
    for (const { label, places, objects } of this.attacks) {
      if (this.labels.has(label)) continue
      if (meet(places, this.met.places) || meet(objects, this.met.objects)) this.labels.add(label)
    }
  }

  /** For lints: which calls were made, and which attackers met something. */
  get seen(): Seen {
    const meeting = [...this.of_attackers].filter(([, { objects }]) => meet(objects, this.met.objects))
    return { called: this.called, meeting: new Set(meeting.map(([program]) => program)) }
  }

  get attacked(): boolean {
    return [...this.labels].some((label) => /^(changed|refused) /.test(label))
  }
}

/**
 * Names that a call was about, by the last word of its paths: the kernel asks whether a mount may be written
 * before it looks such a name up (fs/namei.c: filename_create, do_renameat2, do_unlinkat).
 */
function named_by(k: Kernel, { syscall, decoded }: CallInstruction, places: ReadonlySet<string>): string[] {
  const words = syscall.params.flatMap(({ kind }, i) => {
    const value = decoded[i]
    return kind === 'path' && typeof value === 'string' ? [value.split('/').filter(Boolean).at(-1) ?? ''] : []
  })
  return dentry.rows(k).flatMap(({ d_parent, d_name, d_unhashed, d_inode }) => {
    if (
      d_unhashed === 1 ||
      !words.includes(d_name) ||
      !places.has(`inode ${dentry(k, d_parent).d_inode} attr`)
    )
      return []
    return [`name ${d_parent}:${d_name}`, `inode ${d_inode}`]
  })
}

/** Runs to watch, whatever they show: each task first in its turn. */
const runs_in_order = (player: Player, { code }: CaseSystem): Schedule[] =>
  code.programs.map((_, i) => run_in_order(player.rewind(), i + 1, MOST_STAGES, player.look))

/** Runs to watch until nothing is missing. */
function* random_runs(player: Player): Generator<Schedule> {
  const random = new Random(1)
  const stop = () => {
    player.look()
    return false
  }
  for (let run = 0; run < RANDOM_RUNS; run++) yield random_run(player.rewind(), random, MOST_STEPS, stop)
}

/** A real exec: it uses what its own checks approved of. */
const is_exec = ({ gives }: CallInstruction): boolean => gives === 'exec'

/** No run could show more. */
const NOTHING = 'nothing was approved and used'

/** What is missing among what was seen; null where nothing is. */
type Question = (watcher: Watcher, reached: boolean) => string | null

function question_of({ code, properties }: CaseSystem): Question {
  const relies = code.programs.some(({ calls }) => calls.some((call) => call.relied))
  const runs = code.programs.some(({ calls }) => calls.some(is_exec))
  const uses = code.instructions.some(({ op }) => op === 'use') && properties.watched.has('policy')
  const others = properties.never.length + properties.reaches.length + properties.code.length > 0
  const attackers = code.programs.some(({ role }) => role === 'attacker')
  return ({ labels, attacked }, reached) => {
    if (!relies && !uses && !others && !runs) return NOTHING
    if (!relies && !uses && !others && !labels.has('relied')) return 'in no run did the program run'
    if (relies && !labels.has('approved')) return 'in no run did the check say yes'
    if (relies && !labels.has('relied')) return 'in no run was anything used on the strength of an approval'
    if (!relies && uses && !labels.has('used')) return 'in no run were any bytes used'
    if (attackers && !attacked)
      return 'in no run did an attacker change what others meet, or was refused that by a mitigation'
    if (!attackers && !reached && !labels.has('met'))
      return 'there is no task with the role attacker, no outcome that is reached, and no run in which another task meets what is used'
    return null
  }
}

/**
 * What witnesses a complete search that found nothing.
 *
 * @param seen labels of the search: outcomes that some run reached
 * @param look called at every stage that is made
 * @throws CutShort by `look`: then nothing is known
 */
export function witnessed(system: CaseSystem, seen: ReadonlySet<string>, look: Look = no_hurry): Witnessed {
  const reached = [...seen].filter((label) => label.startsWith('reached '))
  const player = new Player(system, look)
  const watcher = new Watcher(system, player)
  const missing = question_of(system)
  for (const schedule of runs_in_order(player, system)) watcher.watch(schedule)
  const is_missing = () => missing(watcher, reached.length > 0)
  const settled = [null, NOTHING].includes(is_missing())
  for (const schedule of settled ? [] : random_runs(player)) {
    watcher.watch(schedule)
    if (is_missing() === null || watcher.stages > MOST_STAGES) break
  }
  return {
    labels: [...watcher.labels, ...reached].sort(),
    missing: is_missing(),
    remarks: lints_of_runs(system, watcher.seen),
  }
}

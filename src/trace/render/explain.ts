/**
 * A counterexample in plain words: who changed what, when, through which kernel function, and why the check did
 * not help. Made from the trace alone.
 */
import { type Feature, profile_named } from '../../kernel/profile.js'
import { mutable_lsms } from '../../model.js'
import { type Approval, from_bytes_form, type Trace, type TraceStep, type Use } from '../trace.js'
import { relied_on } from './bytes.js'
import { denied_permissively, how_many, news, of_overlay } from './effects.js'

interface Story {
  readonly trace: Trace
  readonly use: Use | undefined
  readonly approval: Approval | undefined
  /** The step that is to blame, and the calls that it belongs to. */
  readonly blamed: TraceStep | undefined
}

/** Short paragraphs, in the order in which they are told. */
export function explain(trace: Trace): string[] {
  if (trace.verdict === 'deadlock') return deadlock(trace)
  if (trace.property === null) return nothing_wrong(trace)
  const use = trace.uses.filter((each) => each.relies !== null).at(-1) ?? trace.uses.at(-1)
  const approval = use === undefined ? trace.approvals.at(-1) : relied_on(trace, use)
  const blamed = trace.steps.find((step) => step.n === trace.cause?.step)
  const story = { trace, use, approval, blamed }
  const told =
    trace.property === 'policy' && trace.cause?.kind === 'the check did not look'
      ? policy_story(story)
      : trace.property === 'check-use' || trace.property === 'policy'
        ? check_story(story)
        : other_story(story)
  return told.filter((paragraph) => paragraph !== '')
}

// --- who, where, when ------------------------------------------------------------------------------------

const name_of = (trace: Trace, task: number): string =>
  trace.tasks.find((each) => each.task === task)?.name ?? `task ${task}`

/** The system call that a step belongs to: its text, and its first and last step. */
function call_around(trace: Trace, step: { n: number; task: number }) {
  const own = trace.steps.filter((each) => each.task === step.task)
  const first = own.filter((each) => each.n <= step.n && each.call !== null).at(-1)
  const last = own.find((each) => each.n >= step.n && each.result !== null)
  if (first === undefined) return undefined
  return { text: first.call!, name: first.call!.split('(')[0]!, from: first.n, to: last?.n ?? step.n }
}

/**
 * What the call that was approved was asked about: the path that it names, or the path by which its descriptor
 * was opened; where neither can be told, the object that was judged.
 */
function asked_about(trace: Trace, approval: Approval): string {
  const text = call_around(trace, { n: approval.step, task: approval.task })?.text ?? ''
  const named = /"([^"]+)"/.exec(text)?.[1]
  const fd = /^execveat\((\d+),/.exec(text)?.[1]
  const at = fd === undefined ? undefined : opened_as(trace, fd, approval.step)
  if (named === undefined || named === '') return at ?? approval.object
  return at === undefined || named.startsWith('/') ? named : `${named} in ${at}`
}

/** The path by which a descriptor was opened, the last time before a step; a copy of it leads to the first. */
function opened_as(trace: Trace, fd: string, before: number): string | undefined {
  const made = trace.results
    .filter((each) => each.step < before && each.text === fd && /^(open|creat|dup)/.test(each.call))
    .at(-1)
  if (made === undefined) return undefined
  const copied = /^dup\d?\((\d+)/.exec(made.call)?.[1]
  return copied === undefined ? /"([^"]+)"/.exec(made.call)?.[1] : opened_as(trace, copied, made.step)
}

const sources = (use: Use | undefined): string =>
  [...new Set(use?.from.map(({ object }) => object) ?? [])].join(' and ') || 'nothing'

// --- check and use ---------------------------------------------------------------------------------------

function check_story(story: Story): string[] {
  const { approval, blamed } = story
  // Where the attacker came first, or the bytes were read before the check, that is told first.
  const parts = [
    { at: approval?.step ?? 0, text: asked(story) },
    { at: blamed?.n ?? 0, text: changed(story) },
  ]
  parts.sort((a, b) => a.at - b.at)
  return [...parts.map(({ text }) => text), used_after_all(story)]
}

function asked({ trace, approval, use }: Story): string {
  if (approval === undefined) {
    const victim = use === undefined ? 'The victim' : name_of(trace, use.task)
    return `${victim} used bytes although no check had approved of any.`
  }
  const who = name_of(trace, approval.task)
  const call = call_around(trace, { n: approval.step, task: approval.task })
  const what = /AT_EXECVE_CHECK/.test(call?.text ?? '')
    ? 'execveat(AT_EXECVE_CHECK)'
    : (call?.name ?? 'A check')
  return `${who} asks whether ${asked_about(trace, approval)} may be executed, and ${what} says yes. What the kernel judges for that, in step ${approval.step}, ${these_bytes(approval)} of ${approval.object}.`
}

/** `are the 20 bytes`, `is the 1 byte`, `are no bytes`. */
function these_bytes({ bytes }: Approval): string {
  const said = how_many(bytes)
  if (said === 'no bytes') return 'are no bytes'
  return `${said === '1 byte' ? 'is' : 'are'} the ${said}`
}

function changed(story: Story): string {
  const { trace, blamed } = story
  if (blamed === undefined) return ''
  const who = name_of(trace, blamed.task)
  const call = call_around(trace, blamed)
  const how = `${call?.name ?? 'a call'} (${function_of(blamed)}, step ${blamed.n})`
  switch (trace.cause?.kind) {
    case 'copy-up':
      return `${who} ${opener(call?.name)}. A file of a lower layer is copied up for that: in step ${blamed.n}, ${function_of(blamed)} makes ${overlay_name(blamed)} stand for the copy, ${published(blamed)}, from then on${later_write(story)}.`
    case 'truncation':
      return `${who} changes its length with ${how}${size_change(blamed)}.`
    case 'rename over':
      return `${who} puts another file in its place with ${how}.`
    case 'path switch':
      return `${who} makes the path lead elsewhere with ${how}${name_taken_away(story)}.`
    case 'write access':
      return `${who} has it open for writing from then on, with ${how}.`
    case 'write denial':
      return `${who} keeps writers out while ${call?.name ?? 'the call'} runs (${function_of(blamed)}, step ${blamed.n}).`
    case 'moved position':
      return `${who} has the same open file, and moves the position in it, which they share, with ${how}${new_position(blamed)}.`
    case 'write in place':
      return `${who} writes over its bytes with ${how}: the same inode${written(blamed)}, other content.`
    default:
      return `${who} makes the difference with ${how}.`
  }
}

/** By which call a task had a file copied up. */
function opener(call: string | undefined): string {
  if (call === undefined || /^(open|openat|openat2|creat)$/.test(call)) return 'opens it for writing'
  return `changes it with ${call}`
}

/** The call by which the same task had taken a name away before it put another in its place. */
function name_taken_away({ trace, blamed }: Story): string {
  const gone = trace.results.filter(
    (each) =>
      each.task === blamed!.task && each.step < blamed!.n && !each.failed && /^unlink/.test(each.call),
  )
  return gone.length === 0
    ? ''
    : `; the name had been free since ${gone.at(-1)!.call} in step ${gone.at(-1)!.step}`
}

function new_position(step: TraceStep): string {
  const moved = step.changes.find((change) => change.field === 'f_pos')
  return moved === undefined ? '' : `: from ${moved.from} to ${moved.to}`
}

/** The kernel function that a stage belongs to; stages that are functions of their own are called by their own name. */
function function_of(step: TraceStep): string {
  const inner = step.stack.at(-1)?.fn ?? ''
  return /^[a-z0-9]+_\w+$/.test(step.stage) ? step.stage : inner
}

const publication = (step: TraceStep) =>
  step.changes.find((change) => change.table === 'ovl_inode' && change.field === 'upper')

const overlay_name = (step: TraceStep): string => publication(step)?.name ?? 'the overlay inode'
const published = (step: TraceStep): string => publication(step)?.to ?? 'an upper inode'

function written(step: TraceStep): string {
  const pages = news(step).filter((change) => change.table === 'page')
  const names = [...new Set(pages.map((change) => change.name))]
  return names.length === 0 ? '' : `, ${names.join(', ')}`
}

function size_change(step: TraceStep): string {
  const size = step.changes.find((change) => change.field === 'i_size')
  return size === undefined ? '' : `: ${size.name} has ${how_many(Number(size.to))} now, and had ${size.from}`
}

/** The write that followed a copy-up, which gave the copy other bytes. */
function later_write({ trace, blamed, use }: Story): string {
  const until = use?.step ?? Number.POSITIVE_INFINITY
  const content = new Set(['page', 'anon_page'])
  const write = trace.steps.find(
    (step) =>
      step.n > blamed!.n &&
      step.n < until &&
      step.task === blamed!.task &&
      news(step).some(({ table }) => content.has(table)),
  )
  const call = write === undefined ? undefined : call_around(trace, write)
  if (write === undefined) return ''
  const direct = write.stack.some(({ fn }) => of_overlay.test(fn)) ? '' : ', directly in the upper layer'
  return `; ${call?.name ?? 'a write'} changes that in step ${write.n}${direct}`
}

function used_after_all(story: Story): string {
  const { trace, approval, use, blamed } = story
  if (use === undefined) return fault(story)
  const who = name_of(trace, use.task)
  const object = sources(use)
  const used = `${who} uses ${how_many(use.bytes)} of ${object}`
  if (approval === undefined) return `${used}.`
  const read = taken_in(story)
  if (read !== undefined && read < approval.step) {
    return `${used}. They were read in step ${read}, before the check in step ${approval.step}, which judged ${same_bytes(story) ? 'another file' : 'other bytes'}. The check did not help: it came too late.`
  }
  const denial = denied(story)
  if (trace.cause?.kind === 'copy-up' && (blamed?.n ?? 0) > approval.step) {
    return `${who} calls ${reader(story)} on the descriptor that was checked, but on an overlay that goes to the inode that is the real one now. So it ${used.slice(who.length + 1)}, which nobody has judged. The check did not help: its answer was about ${approval.object}${denial}.`
  }
  if (trace.cause?.kind === 'moved position') {
    return `${used}, from where the position stood then: not the part that was meant. The check did not help: it was about the file, and not about where the next read begins.`
  }
  if (trace.cause?.kind === 'rename over' || trace.cause?.kind === 'path switch') {
    return `${used}: another file than the one that was judged. The check did not help: its answer was about the file that the path led to at that moment.`
  }
  const [judged, taken] = [from_bytes_form(approval.bytes), from_bytes_form(use.bytes)]
  const of_these = judged.length === 1 ? '1 was judged' : `${judged.length || 'none'} were judged`
  if (object === approval.object && blamed === undefined && judged.startsWith(taken)) {
    return `${used}, of which ${of_these}: nobody changed the file, ${who} itself took only its beginning. The check did not help: its answer was about all of the bytes.`
  }
  if (object === approval.object && (judged.startsWith(taken) || taken.startsWith(judged))) {
    return `${who} uses ${how_many(use.bytes)} of ${object}, of which ${of_these}: the bytes are the approved ones, their number is not. The check did not help: its answer binds nobody afterwards${denial}.`
  }
  if (object === approval.object) {
    return `${used}: the inode that was judged, with other content. The check did not help: its answer was about the bytes of that moment${denial}.`
  }
  return `${used}, and the check was about ${approval.object}. The check did not help: it was about another file.`
}

/** The last step in which the victim was given bytes that it uses. */
function taken_in({ trace, use }: Story): number | undefined {
  const steps = trace.results
    .filter((each) => each.task === use?.task && each.step <= use.step && use.calls.includes(each.name))
    .map((each) => each.step)
  return steps.length === 0 ? undefined : Math.max(...steps)
}

const same_bytes = ({ approval, use }: Story): boolean =>
  approval !== undefined &&
  use !== undefined &&
  from_bytes_form(approval.bytes) === from_bytes_form(use.bytes)

/** The victim died of what was changed, while it took the bytes. */
function fault({ trace, approval }: Story): string {
  const died = trace.results.find((each) => /^SIG/.test(each.text))
  if (died === undefined) return ''
  const judged =
    approval === undefined ? '' : `, although it had been told yes about ${how_many(approval.bytes)}`
  return `${name_of(trace, died.task)} is killed by ${died.text} in step ${died.step}, in ${died.call}${judged}.`
}

/** How the victim got the bytes: the name of the call. */
function reader({ trace, use }: Story): string {
  const result = trace.results.find((each) => each.task === use?.task && use.calls.includes(each.name))
  return `${result?.call.split('(')[0] ?? 'read'}()`
}

/** From when to when the check denied writing. */
function denied({ trace, approval }: Story): string {
  const counts = (step: TraceStep, negative: 'from' | 'to') =>
    step.task === approval?.task &&
    step.changes.some((change) => change.field === 'i_writecount' && Number(change[negative]) < 0)
  const from = trace.steps.filter((step) => step.n <= (approval?.step ?? 0) && counts(step, 'to')).at(-1)
  const to = trace.steps.find((step) => step.n > (approval?.step ?? 0) && counts(step, 'from'))
  return from === undefined || to === undefined
    ? ''
    : `, and writers were kept out only from step ${from.n} to step ${to.n}`
}

// --- other stories ---------------------------------------------------------------------------------------

function policy_story(story: Story): string[] {
  const { trace, use } = story
  const bad = use?.from.find((each) => !each.approved)
  const who = use === undefined ? 'A task' : name_of(trace, use.task)
  const last = `${who} uses ${how_many(use?.bytes ?? 0)} of ${bad?.object ?? sources(use)}, of which the policy does not approve.`
  return [brought_in(story), unasked(story), last]
}

/** Who put bytes there of which no policy approves: the last write by another task before the check. */
function brought_in({ trace, use, approval }: Story): string {
  const until = approval?.step ?? use?.step ?? 0
  const content = (step: TraceStep) => news(step).filter(({ table }) => table === 'page')
  const write = trace.steps
    .filter((step) => step.task !== use?.task && step.n < until && content(step).length > 0)
    .at(-1)
  if (write === undefined) return ''
  const call = call_around(trace, write)
  return `${name_of(trace, write.task)} puts its own bytes into ${content(write)[0]!.name} with ${call?.name ?? 'a call'} (${function_of(write)}, step ${write.n}), before anybody checks.`
}

/** Why a check said yes to an object of which the policy does not approve. */
function unasked({ trace, approval }: Story): string {
  if (approval === undefined) return 'No check had been asked.'
  if (approval.approved) {
    return `The check did not help: it said yes about ${approval.object} in step ${approval.step}, and the bytes came from another object.`
  }
  const rule = denied_permissively(trace, approval)
  const hook =
    rule !== null
      ? `IPE was asked and denied it${rule === '' ? '' : ` (${rule})`}, but it is permissive (enforcing=0), so that it only tells the audit log`
      : unasked_on(trace.profile)
  const order = trace.preemptions === 0 ? ' It takes no race: the tasks run one after the other.' : ''
  return `${name_of(trace, approval.task)} asks whether ${asked_about(trace, approval)} may be executed, and in step ${approval.step} the kernel says yes about ${approval.object}: ${hook}.${order}`
}

function unasked_on(profile: string): string {
  const has = profile_named(profile)?.features
  const lacking = mutable_lsms()
    .flatMap(({ features = {} }) => Object.entries(features))
    .find(([feature]) => has?.has(feature as Feature) === false)
  return lacking === undefined ? 'no module that knows the policy was asked' : `on ${profile} ${lacking[1]}`
}

function other_story(story: Story): string[] {
  const { trace } = story
  const how = trace.preemptions === 0 ? 'when the tasks run one after the other' : 'in this interleaving'
  const named = trace.property!.replace(/^never /, '')
  const what =
    trace.outcome.length === 0 ? `${named} does not hold` : `What must never happen, ${named}, happens`
  return [`${what} ${how}.`, halves(trace), changed(story)]
}

/** What each part of the outcome was, in the order in which they came. */
function halves({ outcome, results, tasks }: Trace): string {
  const said = outcome.map(({ task, step }) => {
    const of = results.find((each) => each.step === step)!
    const who = tasks.find((each) => each.task === of.task)?.name ?? task
    return `${who}'s ${of.call} returned ${of.text} in step ${step}`
  })
  return said.length === 0 ? '' : `${said.join('; then ')}.`
}

function deadlock(trace: Trace): string[] {
  const waiting = trace.tasks
    .map(({ task, name }) => ({ name, last: trace.steps.filter((step) => step.task === task).at(-1) }))
    .filter(({ last }) => last !== undefined && !last.ended)
  const told = waiting.map(
    ({ name, last }) => `${name} sleeps in ${last!.stack.at(-1)?.fn ?? 'its program'} after step ${last!.n}`,
  )
  return [
    `No task can go on, and ${told.length === 1 ? 'one has' : 'these have'} not ended: ${told.join('; ')}.`,
  ]
}

function nothing_wrong(trace: Trace): string[] {
  const ended = trace.tasks.filter(({ task }) => trace.steps.some((step) => step.task === task && step.ended))
  const all = ended.length === trace.tasks.length ? 'Every task ran to its end' : 'The run stops here'
  const use = trace.uses.filter((each) => each.relies !== null).at(-1)
  const approval = use === undefined ? undefined : relied_on(trace, use)
  const same =
    approval === undefined ? '' : `: what ${name_of(trace, use!.task)} used is what the check had judged`
  return [
    `${all}, and no property was violated${same}.`,
    stayed(trace, use, approval),
    ...refusals(trace),
  ].filter((paragraph) => paragraph !== '')
}

/** A copy-up came between check and use, and the use did not follow it. */
function stayed(trace: Trace, use: Use | undefined, approval: Approval | undefined): string {
  if (use === undefined || approval === undefined || sources(use) !== approval.object) return ''
  const copied = trace.steps.find(
    (step) => step.n > approval.step && step.n < use.step && step.task !== use.task && publication(step),
  )
  if (copied === undefined) return ''
  const mapped = trace.results.some((each) => each.task === use.task && each.call.startsWith('mmap('))
  const why = mapped
    ? ': a mapping stays with the real file that was recorded when the descriptor was opened'
    : ''
  return `${name_of(trace, copied.task)} had ${overlay_name(copied)} copied up in step ${copied.n}, but ${name_of(trace, use.task)}'s bytes still come from ${approval.object}${why}.`
}

/** Why calls failed, where no use came about. */
function refusals(trace: Trace): string[] {
  return trace.results
    .filter((each) => each.failed)
    .slice(0, 3)
    .map((each) => {
      const why = trace.steps.flatMap((step) =>
        step.task === each.task && step.n <= each.step
          ? step.events.filter(({ kind }) => kind === 'refused')
          : [],
      )
      const said = why.at(-1)?.text
      return `${name_of(trace, each.task)}'s ${each.call.split('(')[0]} failed with ${each.text.replace('-1 ', '')}${said === undefined ? '' : ` (${said})`}.`
    })
}

import { describe, expect, it } from 'vitest'
import { Player } from '../../src/explore/replay.js'
import { FastStore } from '../../src/kernel/fast_store.ts'
import { ImmerStore } from '../../src/kernel/immer_store.ts'
import { trace_execution } from '../../src/trace/record/execution.ts'
import { to_json } from '../../src/trace/render/json.ts'
import { to_mermaid } from '../../src/trace/render/mermaid.ts'
import { from_bytes_form, type Trace, to_bytes_form } from '../../src/trace/trace.ts'
import { validate_trace } from '../../src/trace/trace_schema.ts'
import { explore_case } from '../../src/verdict/explore_case.ts'
import { minimise } from '../../src/verdict/minimise.ts'
import { tidy } from '../../src/verdict/tidy.ts'
import { counterexample, index_of, READ_RACE, scenarios } from './executions.ts'

const { 'overlay-copy-up': overlay } = scenarios
let made: Trace | undefined
const trace = () => (made ??= trace_execution(counterexample(overlay, READ_RACE)))

describe('recording', () => {
  it('gives the same trace on both stores', () => {
    const execution = counterexample(overlay, READ_RACE)
    expect(trace_execution(execution, new ImmerStore())).toEqual(trace_execution(execution, new FastStore()))
  })

  it('has one step per stage, numbered from 1, with calls and results in strace notation', () => {
    const { steps, results } = trace()
    expect(steps.map((step) => step.n)).toEqual(steps.map((_, i) => i + 1))
    expect(results.map(({ call, text }) => `${call} = ${text}`)).toEqual([
      'open("/m/script", O_RDONLY) = 3',
      'execveat(3, "", NULL, NULL, AT_EMPTY_PATH|AT_EXECVE_CHECK) = 0',
      'open("/m/script", O_WRONLY) = 3',
      'write(3, "#!/bin/i\\nsteal()\\n", 17) = 17',
      'close(3) = 0',
      'read(3, buf, 17) = 17',
    ])
  })

  it('knows what was approved and what was used', () => {
    const [approval] = trace().approvals
    const [use] = trace().uses
    expect(approval).toMatchObject({
      check: 'check',
      object: 'signed:/script',
      bytes: '#!/bin/i\nprint 1\n',
      approved: true,
    })
    expect(use).toMatchObject({ relies: 'check', at: 0, bytes: '#!/bin/i\nsteal()\n' })
    expect(use!.from).toMatchObject([{ object: 'rw:/upper/script', bytes: 17, approved: false }])
  })

  it('names the publication of the copy as the cause, with old and new', () => {
    const { cause, steps } = trace()
    expect(cause!.kind).toBe('copy-up')
    const step = steps[cause!.step - 1]!
    expect(step.stack.at(-1)!.fn).toBe('ovl_copy_up_flags')
    expect(step.changes).toContainEqual(
      expect.objectContaining({
        table: 'ovl_inode',
        name: '/m/script',
        field: 'upper',
        from: 'none',
        to: 'rw:/upper/script',
      }),
    )
  })

  it('counts preemptions as the search does', () => {
    expect(trace().preemptions).toBe(1)
    expect(trace().steps.filter((step) => step.preempts)).toHaveLength(1)
  })

  it('survives JSON, and the schema takes it', () => {
    const document: unknown = JSON.parse(to_json(trace()))
    expect(document).toEqual(trace())
    expect(validate_trace(document)).toEqual({ trace: trace() })
  })

  it('says where a document is no trace', () => {
    expect(validate_trace({ ...trace(), steps: 3 })).toEqual({ problem: expect.stringMatching(/^steps: /) })
    expect(validate_trace({ ...trace(), uses: [{}] })).toEqual({
      problem: expect.stringMatching(/^uses\[0\]\./),
    })
    expect(validate_trace({ toctoscope_trace: 99 })).toHaveProperty('problem')
    expect(validate_trace(null)).toEqual({ problem: expect.stringMatching(/^the document: /) })
  })

  it('keeps bytes that nobody can read', () => {
    expect(to_bytes_form('a\x00\xff')).toEqual({ base64: 'YQD/' })
    for (const bytes of ['plain\n', '\x00\x01\xfe', ''])
      expect(from_bytes_form(to_bytes_form(bytes))).toBe(bytes)
    expect(from_bytes_form('ä')).toBe('\xc3\xa4')
  })
})

describe('tidying', () => {
  it('lets a preempted task finish its call, and changes neither length nor what is shown', () => {
    const report = explore_case(overlay.cases[index_of(overlay, READ_RACE)]!)
    const of = overlay.cases[index_of(overlay, READ_RACE)]!
    const minimal = minimise(of, new Player(report.whole), report.found!, 'check-use')
    const [player, before] = [minimal.player(), minimal.schedule]
    const after = tidy(player, before)
    expect(report.counterexample!.schedule).toEqual(after)
    expect(after).toHaveLength(before.length)
    const first_switch = after.findIndex((move, i) => i > 0 && move.task !== after[i - 1]!.task)
    expect(trace().steps[first_switch - 1]!.result).not.toBeNull()
    expect(tidy(player, after)).toEqual(after)
  })

  it('leaves alone what cannot be run', () => {
    const { system } = explore_case(overlay.cases[index_of(overlay, READ_RACE)]!)
    const nonsense = [{ task: 9, choice: 0 }]
    expect(tidy(new Player(system), nonsense)).toBe(nonsense)
    const switching = [nonsense[0]!, { task: 8, choice: 0 }, nonsense[0]!]
    expect(tidy(new Player(system), switching)).toBe(switching)
  })
})

describe('the sequence diagram', () => {
  it('has a lifeline for each task and the kernel, each call with its answer, and the cause', async () => {
    const text = to_mermaid(trace())
    await expect(text).toMatchFileSnapshot('golden/overlay-read-race.mmd')
    expect(text.match(/->>K: /g)).toHaveLength(trace().results.length)
    expect(text.match(/K--?(>>|x)T/g)).toHaveLength(trace().results.length)
    expect(text).toContain('cause: copy-up')
  })

  it('contains nothing that Mermaid takes for syntax', () => {
    for (const line of to_mermaid(trace()).split('\n')) expect(line.replace(/#\d+;/g, '')).not.toMatch(/[#;]/)
  })
})

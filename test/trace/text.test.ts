import { stripVTControlCharacters } from 'node:util'
import string_width from 'string-width'
import { describe, expect, it } from 'vitest'
import { fn, stage } from '../../src/kernel/fn.ts'
import { KEY_WORDS } from '../../src/kernel/hash.ts'
import { int, table, use_key } from '../../src/kernel/schema.ts'
import { trace_execution } from '../../src/trace/record/execution.ts'
import { to_text } from '../../src/trace/render/text.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { counterexample, READ_RACE, scenarios } from './executions.ts'

const traces = new Map<string, Trace>()
function trace_of(scenario: keyof typeof scenarios, name: string): Trace {
  const key = `${scenario} ${name}`
  if (!traces.has(key)) traces.set(key, trace_execution(counterexample(scenarios[scenario], name)))
  return traces.get(key)!
}
const read_race = () => trace_of('overlay-copy-up', READ_RACE)

const goldens = [
  ['overlay-copy-up', READ_RACE, 'overlay-read-race'],
  ['overlay-copy-up', 'access=read mitigation=none profile=6.18', 'overlay-hole-6.18'],
  ['mapping-size', 'size=after-check attack=extend profile=7.2', 'mapping-sigbus'],
  ['mapping-size', 'size=after-check attack=truncate profile=7.2', 'mapping-prefix'],
  ['path-or-descriptor', 'check=path attack=rename profile=7.2', 'path-rename'],
  ['plain-write-after-check', 'access=read verity=none profile=7.2', 'plain-write'],
] as const

describe('the text trace', () => {
  for (const [scenario, name, file] of goldens) {
    it(`of ${scenario}, ${name}, is as it was`, async () => {
      await expect(to_text(trace_of(scenario, name))).toMatchFileSnapshot(`golden/${file}.txt`)
    })
  }

  it('shows every stage where that is asked for', async () => {
    const text = to_text(read_race(), { stages: true })
    await expect(text).toMatchFileSnapshot('golden/overlay-read-race-stages.txt')
    for (const { stage } of read_race().steps) expect(text).toContain(stage)
  })

  it('is the same whatever the process did before: other cases, another key, more functions and tables', () => {
    const drawn = () =>
      to_text(trace_execution(counterexample(scenarios['overlay-copy-up'], READ_RACE)), { stages: true })
    const first = drawn()
    trace_execution(counterexample(scenarios['path-or-descriptor'], 'check=path attack=rename profile=7.2'))
    fn('text_afterwards', { source: 'test', locals: { inode: int() } }, [stage('none', () => {})])
    table('text_afterwards', { attr: { mode: int() }, upper: { name: int() } }, { unique: ['mode'] })
    use_key(crypto.getRandomValues(new Int32Array(KEY_WORDS)))
    expect(drawn()).toBe(first)
  })

  it.each([60, 72, 80, 100, 140])('is nowhere wider than %i columns, but for the token', (width) => {
    for (const [scenario, name] of goldens) {
      for (const stages of [false, true]) {
        const lines = to_text(trace_of(scenario, name), { width, stages }).split('\n')
        const wide = lines.filter((line) => string_width(line) > width && !line.includes('toct1.'))
        expect(wide).toEqual([])
      }
    }
  })

  it('keeps names of functions whole at 80 columns, and what is indented', () => {
    const text = to_text(read_race(), { width: 80 })
    for (const name of [
      'exe_file_allow_write_access',
      'security_bprm_creds_for_exec',
      'file_get_write_access',
    ])
      expect(text).toContain(`• ${name}`)
    expect(text).toMatch(/│ {9}• ovl_inode_update\n.*│ {11}\/m\/script:\n.*│ {13}now stands for\n/)
    expect(text).not.toMatch(/⋯.*[a-z]…/)
  })

  it('names what is called below what calls it', () => {
    const lines = to_text(read_race()).split('\n')
    const at = lines.findIndex((line) => line.includes('⋯ do_dentry_open'))
    expect(lines[at - 1]).toContain('vfs_read › ovl_read_iter(/m/script)')
  })

  it('ends with the command that replays it, for the demonstration within 100 columns', () => {
    const lines = to_text(read_race()).trimEnd().split('\n')
    expect(lines.at(-1)).toBe(`  npx toctoscope replay ${read_race().token}`)
    expect(lines.at(-1)!.length).toBeLessThanOrEqual(100)
  })

  it('says the same without colour', () => {
    const plain = to_text(read_race())
    const colored = to_text(read_race(), { color: true })
    expect(plain).not.toContain('\x1b')
    expect(colored).toContain('\x1b[')
    expect(stripVTControlCharacters(colored)).toBe(plain)
  })

  it('says who changed what, when, through which function, and why the check did not help', () => {
    const text = to_text(read_race()).replace(/\s+/g, ' ')
    expect(text).toMatch(/attacker opens it for writing/)
    expect(text).toMatch(
      /in step \d+, ovl_inode_update makes \/m\/script stand for the copy, rw:\/upper\/script/,
    )
    expect(text).toMatch(/The check did not help: its answer was about signed:\/script/)
    expect(text).toMatch(/◀── cause: copy-up of the inode/)
  })

  it('puts bytes approved and bytes used side by side, and marks where they differ', () => {
    const text = to_text(read_race())
    expect(text).toMatch(/approved by check in step \d+ +│ used in step \d+/)
    expect(text).toMatch(/"#!\/bin\/i\\n" += "#!\/bin\/i\\n"/)
    expect(text).toMatch(/"print 1\\n" +≠ "steal\(\)\\n"/)
    expect(text).toContain('the bytes differ from byte 9 on')
  })

  it('switches between calls where that shows the same', () => {
    expect(to_text(read_race())).toContain('interpreter is preempted between two calls; attacker runs')
  })

  it('says that on 6.18 nobody asked the policy', () => {
    const text = to_text(trace_of('overlay-copy-up', 'access=read mitigation=none profile=6.18')).replace(
      /\s+/g,
      ' ',
    )
    expect(text).toContain('on 6.18 IPE has no hook for AT_EXECVE_CHECK')
    expect(text).toContain('0 preemptions')
  })

  it('gives all tasks one column where there are too many for one each', () => {
    const { tasks, steps, ...rest } = read_race()
    const many = Array.from({ length: 6 }, (_, i) => ({
      ...tasks[i % 2]!,
      task: i + 1,
      name: `task${i + 1}`,
    }))
    const spread = steps.map((step, i) => ({ ...step, task: 1 + (i % 6), call: step.call ?? 'call()' }))
    const text = to_text({ ...rest, tasks: many, steps: spread })
    for (const { name } of many) expect(text).toMatch(new RegExp(`━ .*${name}`))
    expect(text.split('\n').filter((line) => string_width(line) > 100 && !line.includes('toct1.'))).toEqual(
      [],
    )
  })

  it('draws a trace of nothing', () => {
    const text = to_text({
      ...read_race(),
      steps: [],
      uses: [],
      approvals: [],
      results: [],
      property: null,
      verdict: null,
      cause: null,
    })
    expect(text).toContain('RUN  no property is violated')
  })
})

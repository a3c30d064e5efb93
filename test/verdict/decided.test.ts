/** A case that no search could tell from an earlier one has its verdict; every other is searched. */
import { describe, expect, it } from 'vitest'
import overlay_copy_up from '../../scenarios/overlay-copy-up.js'
import { decide } from '../../src/explore/decide.js'
import { type Case, define_module, scenario } from '../../src/index.js'
import { case_system } from '../../src/scenario/case_system.js'
import { Decided } from '../../src/verdict/decided.js'
import { type CaseReport, explore_case } from '../../src/verdict/explore_case.js'

/** The verdict on each case, and which of them were searched. */
function verdicts(cases: readonly Case[]): { verdicts: string[]; searched: number[] } {
  const decided = new Decided()
  const searched: number[] = []
  const all = cases.map((each, i) => {
    const system = case_system(each)
    return decided.of(each, system, () => {
      searched.push(i)
      return decide(system)
    }).verdict
  })
  return { verdicts: all, searched }
}

function reads(module?: boolean): readonly Case[] {
  return scenario({
    name: 'reads',
    summary: 'one task reads',
    params: { profile: ['6.14', '6.18', '7.2'], file: ['/a', '/b'] },
    build(s, { file }) {
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { a: 'a', b: 'b' } }))
      if (module) s.module(define_module({ name: 'mine', hooks: { file_open: () => 0 } }))
      const task = s.task('reader')
      task.read(task.open(file, 'O_RDONLY'), 1)
    },
  }).cases
}

/** What a report says, without the systems that it was made with. */
function said(report: CaseReport) {
  const { whole: _, system: __, explained: ___, ...rest } = report
  return rest
}

describe('a verdict serves for every case that is the same but for its release', () => {
  it('where the releases answer alike to what the search asked', () => {
    expect(verdicts(reads()).searched).toEqual([0, 1])
  })

  it('not where they answer differently', () => {
    const cases = overlay_copy_up.cases.filter(({ form }) => form.params?.mitigation === 'none')
    const { verdicts: all, searched } = verdicts(cases)
    expect(all.slice(0, 3)).toEqual(['hole', 'race', 'race'])
    expect(searched).toEqual(cases.flatMap((_, i) => (i % 3 === 2 ? [] : [i])))
  })

  it('not where code of the scenario might ask in other ways', () => {
    expect(verdicts(reads(true)).searched).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('and the reports of all cases are those of searches of their own', () => {
    const decided = new Decided()
    for (const each of overlay_copy_up.cases.slice(0, 9)) {
      expect(said(explore_case(each, { decided }))).toEqual(said(explore_case(each)))
    }
  })
})

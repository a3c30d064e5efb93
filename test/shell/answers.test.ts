/**
 * Inputs that the model once answered otherwise than a kernel, and variations of them: on the model, against what a
 * kernel has answered, and on the kernel of this machine. `npx tsx test/shell/record_answers.ts` asks the kernel again.
 */
import { describe, expect, it } from 'vitest'
import { running_profile } from '../../src/oracle/confirm/confirm.js'
import { no_kernel } from '../oracle/support.js'
import { all_asked, ask_kernel, ask_model, recorded } from './answers.js'

/** What is not asked of a kernel, lest a device of the machine be opened: no answer to compare with. */
const refused = (answers: readonly string[]): boolean => answers.some((each) => each.includes('"error"'))

describe(`as ${recorded.kernel} has answered`, () => {
  it.each(all_asked)('$name', async (asked) => {
    const answers = recorded.answers[asked.name]!
    if (refused(answers)) return
    expect(await ask_model(asked, recorded.profile)).toEqual(answers)
  })
})

describe.skipIf(no_kernel !== undefined)('as the kernel of this machine answers', () => {
  it.each(all_asked)('$name', async (asked) => {
    const answers = await ask_kernel(asked)
    if (!refused(answers)) expect(await ask_model(asked, running_profile())).toEqual(answers)
  })
})

it('only device numbers without a driver here are kept from the kernel', () => {
  expect(Object.keys(recorded.answers).filter((name) => refused(recorded.answers[name]!))).toEqual([
    'mem-minors',
  ])
})

/** Minor numbers that have no driver on any kernel; those that have one there, and other majors, get no answer at all. */
it('of devices only null, zero and full can be opened, and only what no kernel has is ENXIO', async () => {
  const asked = all_asked.find(({ name }) => name === 'mem-minors')!
  const opens = (await ask_model(asked, '6.18')).filter((_, i) => i % 2 === 1)
  const opened = ['259', '261', '263']
  const numbers = asked.requests
    .filter((each) => each.includes('mknod'))
    .map((each) => /, (\d+)\]/.exec(each)![1]!)
  expect(numbers.filter((_, i) => opens[i]!.includes('"ret"'))).toEqual(opened)
  const without = ['256', '258', '262', '266', '268']
  expect(numbers.filter((_, i) => opens[i]!.includes('ENXIO'))).toEqual(without)
  expect(opens.filter((each) => each.includes('not modelled'))).toHaveLength(numbers.length - 8)
})

/**
 * Inputs that the model once answered otherwise than a kernel, and variations of them: on the model, against what a
 * kernel has answered, and on the kernel of this machine. `npx tsx test/shell/record_answers.ts` asks the kernel again.
 */
import { describe, expect, it } from 'vitest'
import { running_profile } from '../../src/oracle/confirm.js'
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

/** Opened by a program of its own on Linux 6.18.44: which minor numbers of the memory devices have a driver. */
it('of the memory devices without a driver none can be opened', async () => {
  const asked = all_asked.find(({ name }) => name === 'mem-minors')!
  const opens = (await ask_model(asked, '6.18')).filter((_, i) => i % 2 === 1)
  const opened = ['259', '261', '263']
  const numbers = asked.requests
    .filter((each) => each.includes('mknod'))
    .map((each) => /, (\d+)\]/.exec(each)![1]!)
  expect(numbers.filter((_, i) => opens[i]!.includes('"ret"'))).toEqual(opened)
  expect(opens.filter((each) => each.includes('ENXIO'))).toHaveLength(numbers.length - opened.length)
})

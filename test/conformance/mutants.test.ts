/** What compares the model with the kernel must find wrong models wrong. */
import { describe, expect, it } from 'vitest'
import { running_profile } from '../../src/oracle/confirm/confirm.js'
import { conform } from '../../src/oracle/conform/conform.js'
import { no_kernel } from '../oracle/support.js'
import { mutants, with_mutant } from './mutants.js'

/** Each of the mutants shows in one of 160 programs of its area or more: that so many miss it has a chance below 10⁻¹⁰. */
const ENOUGH = 4000

describe.skipIf(no_kernel !== undefined)('a broken model is caught', () => {
  it.each(mutants)('$name', async (mutant) => {
    const { features = '', area } = mutant
    const release = `${running_profile()}${features}`
    const { disagreements, plays } = await with_mutant(mutant, () =>
      conform({ count: ENOUGH, seed: 1, unshrunk: true, release, ...(area && { only: area }) }),
    )
    expect(disagreements.length, `none in ${plays} plays`).toBe(1)
  })
})

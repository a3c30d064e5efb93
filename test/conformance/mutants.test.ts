/** What compares the model with the kernel must find wrong models wrong. */
import { describe, expect, it } from 'vitest'
import { conform } from '../../src/oracle/conform.js'
import { no_kernel } from '../oracle/support.js'
import { mutants, with_mutant } from './mutants.js'

describe.skipIf(no_kernel !== undefined)('a broken model is caught', () => {
  it.each(mutants)('$name', async (mutant) => {
    const { disagreements, plays } = await with_mutant(mutant, () =>
      conform({ count: 6000, seed: 1, unshrunk: true, release: mutant.release }),
    )
    expect(disagreements.length, `none in ${plays} plays`).toBe(1)
  })
})

// The tests that judge mutants (npm run mutation): those that run the sources, end in seconds, and need neither a
// kernel nor the compiled program. Where a mutant survives them the others may still see it.
import { mergeConfig } from 'vitest/config'
import whole from './vitest.config.ts'

const { projects: _, ...test } = whole.test!

export default mergeConfig(
  { resolve: whole.resolve },
  {
    test: {
      ...test,
      include: ['test/**/*.test.ts'],
      exclude: [
        'test/{cli,oracle,browser,shell}/**',
        'test/conformance/{conform,mutants}.test.ts',
        'test/properties/{judge,read_race,arbitraries,garbage}.test.ts',
      ],
      // A test that counts on chance must fail for the mutant, not for the clock.
      testTimeout: 120_000,
    },
  },
)

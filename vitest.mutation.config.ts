// The tests that judge mutants (npm run mutation): those that run the sources, end in seconds, and need neither a
// kernel nor the compiled program. Where a mutant survives them the others may still see it.
import { mergeConfig } from 'vitest/config'
import whole from './vitest.config.ts'

const { projects: _, ...test } = whole.test!

/** Tests define kernel functions; when a test file is read again in the same process, it may define them again. */
const forgetful = {
  name: 'forgetful',
  transform: (code: string, id: string) =>
    id.endsWith('/src/kernel/fn.ts')
      ? `${code}\nexport function begin_again() {
          const from = registered.length
          registered_by_name.has = (name) => registered_by_name.get(name)?.index >= from
        }`
      : undefined,
}

export default mergeConfig(
  { resolve: whole.resolve, plugins: [forgetful] },
  {
    test: {
      ...test,
      include: ['test/**/*.test.ts'],
      exclude: [
        'test/{cli,oracle,browser,shell}/**',
        'test/conformance/{conform,mutants}.test.ts',
        'test/properties/{judge,read_race,arbitraries,garbage,oracle}.test.ts',
      ],
      // A test that counts on chance must fail for the mutant, not for the clock.
      testTimeout: 120_000,
    },
  },
)

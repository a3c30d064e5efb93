import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests, and the scenarios that they import, run on the sources. Only test/cli runs the compiled program.
    alias: [
      { find: /^toctoscope$/, replacement: at('./src/index.ts') },
      { find: /^toctoscope\/fast-check$/, replacement: at('./src/fast-check.ts') },
    ],
  },
  test: {
    // Left to itself vitest keeps one core free, and on two cores that is half of the machine.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'json-summary'],
      thresholds: { lines: 90 },
    },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/cli/**'] },
      },
      {
        extends: true,
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          globalSetup: ['test/support/build-dist.ts'],
          setupFiles: ['test/support/need-dist.ts'],
        },
      },
    ],
  },
})

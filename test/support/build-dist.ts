import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** What the compiler said when dist/ could not be built; empty when dist/ is up to date. */
    dist_error: string
  }
}

/**
 * Builds dist/ once, before the tests of the compiled program, and only if a source is newer than it. A build that
 * fails is reported by need-dist.ts in each file that needs it, so the other tests still run.
 */
export default function setup(project: TestProject) {
  const build = fileURLToPath(new URL('../../tools/build.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [build, '--if-stale'], { encoding: 'utf8' })
  project.provide(
    'dist_error',
    status === 0 ? '' : `${stdout}${stderr}` || `tools/build.mjs: status ${status}`,
  )
}

// The process in which mutants are judged: vitest with one worker, whose runner (warm.mjs) never ends by itself.
// Between that and the runner of Stryker, which started this process, it only passes messages on.
import { createVitest } from 'vitest/node'

const channel = new BroadcastChannel('mutation')
channel.onmessage = ({ data }) => process.send(data)
process.on('message', (message) => channel.postMessage(message))
process.on('disconnect', () => process.exit())

const vitest = await createVitest('test', {
  config: 'vitest.mutation.config.ts',
  runner: 'tools/mutation/warm.mjs',
  reporters: [{}],
  watch: false,
  update: false,
  pool: 'threads',
  isolate: false,
  maxWorkers: 1,
})
const specifications = await vitest.globTestSpecifications(process.argv.slice(2))
vitest.provide(
  'files',
  specifications.map(({ moduleId }) => moduleId),
)
// One file, for vitest to begin with; then warm.mjs takes over.
await vitest.runTestSpecifications(specifications.slice(0, 1))

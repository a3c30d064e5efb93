// node .ci/count.mjs RESULT STATUS: prints `PASSED FAILED` from the file of vitest's JSON reporter and vitest's exit
// status. Fails, printing no numbers, if the file is missing or is not a result.
import { readFileSync } from 'node:fs'

const [file, status] = process.argv.slice(2)
let result
try {
  result = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  console.error(`no result of vitest: ${error.message}`)
  process.exit(1)
}
if (!Array.isArray(result.testResults)) {
  console.error('no result of vitest: no testResults')
  process.exit(1)
}

let passed = 0
let failed = 0
for (const suite of result.testResults) {
  const tests = suite.assertionResults ?? []
  const bad = tests.filter((test) => test.status === 'failed').length
  passed += tests.filter((test) => test.status === 'passed').length
  failed += bad
  // A file that cannot be loaded, or whose hook fails, has no failed test of its own.
  if (suite.status === 'failed' && bad === 0) {
    failed += 1
    console.error(`FAILED: ${suite.name}: ${suite.message}`)
  }
}
// What belongs to no test: an error outside any, no tests found, a worker that died.
if (failed === 0 && status !== '0') {
  failed = 1
  console.error(`FAILED: vitest ended with status ${status} though no test failed`)
}
console.log(`${passed} ${failed}`)

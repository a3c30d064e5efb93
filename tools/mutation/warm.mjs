// A runner of vitest that stays: sources are evaluated once, and the tests that Stryker asks for are run again and
// again, each time with another mutant switched on. Test files, and the scenarios that they import, are evaluated
// anew each time, with the mutant on, since many build what they test as they are read.
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { startTests } from '@vitest/runner'
import fc from 'fast-check'
import { TestRunner } from 'vitest'
import { JUDGED } from './judged.mjs'

// The same draws for each mutant, and not for long; that a property fails is all that is asked, not its smallest
// example.
fc.configureGlobal({ seed: 1, endOnFailure: true, interruptAfterTimeLimit: 1000 })

const stryker = (globalThis.__stryker__ ??= {})
const channel = new BroadcastChannel('mutation')

const id_of = (test) => {
  const names = []
  for (let task = test; task !== undefined && task !== test.file; task = task.suite) names.unshift(task.name)
  return `${relative(process.cwd(), test.file.filepath)}#${names.join(' ')}`
}

export default class WarmRunner extends TestRunner {
  #started = false
  #functions
  /** Id of a test → vitest's own ids of the tests of that name. */
  #tasks = new Map()
  #failed
  #ran = 0

  async onAfterRunFiles() {
    super.onAfterRunFiles()
    if (this.#started) return
    this.#started = true
    // Nothing of these runs is reported to anyone but the runner of Stryker.
    this.onTaskUpdate = async () => {}
    this.onCollectStart = (file) => super.onCollectStart(file)
    this.onCollected = async () => {}
    await this.#serve()
  }

  async onBeforeRunTask(test) {
    if (this.#failed !== undefined) test.mode = 'skip'
    await super.onBeforeRunTask(test)
  }

  async runTask(test) {
    const id = id_of(test)
    channel.postMessage({ kind: 'test', id })
    stryker.currentTestId = id
    this.#ran += 1
    try {
      await TestRunner.getTestFn(test)()
    } catch (error) {
      // Without what vitest would print of it: the difference of two large states takes seconds.
      throw new Error(String(error?.message ?? error).slice(0, 300))
    }
  }

  onAfterRunTask(test) {
    super.onAfterRunTask(test)
    stryker.currentTestId = `${relative(process.cwd(), test.file.filepath)}#`
    if (test.result?.state === 'fail' && this.bail) this.#failed ??= id_of(test)
  }

  async #serve() {
    // Whatever is evaluated as sources are loaded belongs to no test.
    stryker.currentTestId = undefined
    for (const place of JUDGED)
      for (const name of readdirSync(place, { recursive: true }))
        if (name.endsWith('.ts')) await this.moduleRunner.import(join(process.cwd(), place, name))
    this.#functions = await this.moduleRunner.import(join(process.cwd(), 'src/kernel/fn.ts'))
    const requests = []
    let wake
    channel.onmessage = ({ data }) => {
      requests.push(data)
      wake?.()
    }
    channel.postMessage({ kind: 'ready' })
    for (;;) {
      if (requests.length === 0) await new Promise((resolve) => (wake = resolve))
      const request = requests.shift()
      if (request === undefined) continue
      const answer = request.kind === 'dry' ? await this.#measure() : await this.#judge(request)
      channel.postMessage({ kind: 'answer', ...answer })
    }
  }

  /** One file: its tests, or those that are wanted. */
  async #run(file, wanted) {
    for (const [path, node] of this.workerState.evaluatedModules.idToModuleMap)
      if (path.endsWith('.test.ts') || path.startsWith(join(process.cwd(), 'scenarios')))
        Object.assign(node, { promise: undefined, exports: undefined, evaluated: false })
    this.#functions.begin_again()
    this.workerState.filepath = file
    const testIds = wanted?.flatMap((id) => this.#tasks.get(id) ?? [])
    channel.postMessage({ kind: 'test', id: `${relative(process.cwd(), file)}#` })
    stryker.currentTestId = `${relative(process.cwd(), file)}#`
    const [task] = await startTests([{ filepath: file, testIds }], this)
    stryker.currentTestId = undefined
    return task
  }

  /** All tests once, without a mutant: what each takes and which mutants it reaches. */
  async #measure() {
    stryker.activeMutant = undefined
    // Where no mutant is reached as the sources are loaded, nobody has made this yet.
    stryker.mutantCoverage ??= { static: {}, perTest: {} }
    stryker.mutantCoverage.perTest = {}
    const tests = []
    for (const file of this.injectValue('files').sort()) {
      const task = await this.#run(file)
      const own = tests_of(task)
      if (own.length === 0)
        tests.push({ id: `${file}#`, name: file, file, ms: 0, failure: message_of(task.result) })
      const of_file = `${relative(process.cwd(), file)}#`
      const shared = stryker.mutantCoverage.perTest[of_file] ?? {}
      delete stryker.mutantCoverage.perTest[of_file]
      for (const test of own) {
        const id = id_of(test)
        this.#tasks.set(id, [...(this.#tasks.get(id) ?? []), test.id])
        if (test.mode === 'skip' || test.mode === 'todo') continue
        if (test.result?.state !== 'pass') {
          console.error(`left out, for it fails without a mutant: ${id}: ${message_of(test.result)}`)
          continue
        }
        tests.push({ id, name: id.slice(of_file.length), file, ms: test.result.duration ?? 0 })
        const covered = (stryker.mutantCoverage.perTest[id] ??= {})
        for (const [mutant, hits] of Object.entries(shared)) covered[mutant] = (covered[mutant] ?? 0) + hits
      }
    }
    return { tests: merged(tests), coverage: stryker.mutantCoverage }
  }

  /** The tests of a mutant, until one fails that holds again without it. */
  async #judge({ id, hitLimit, steps }) {
    this.bail = true
    this.#ran = 0
    for (const { file, tests } of steps) {
      if (tests.some((test) => !this.#tasks.has(test))) await this.#collect(file)
      Object.assign(stryker, { activeMutant: id, hitLimit, hitCount: 0 })
      this.#failed = undefined
      const task = await this.#run(file, tests)
      Object.assign(stryker, { activeMutant: undefined, hitLimit: undefined })
      if (stryker.hitCount > hitLimit) return { endless: 'hit limit', ran: this.#ran }
      if (this.#failed === undefined && task.result?.state !== 'fail') continue
      const killer = this.#failed ?? tests[0]
      const failure = message_of(tests_of(task).find((test) => id_of(test) === killer)?.result ?? task.result)
      this.#failed = undefined
      const again = await this.#run(file, [killer])
      const spoilt = this.#failed !== undefined || again.result?.state === 'fail'
      return { killer, failure, spoilt, ran: this.#ran }
    }
    return { ran: this.#ran }
  }

  /** Learns vitest's ids of the tests of a file, without running one. */
  async #collect(file) {
    const task = await this.#run(file, [])
    for (const test of tests_of(task)) {
      const id = id_of(test)
      const known = this.#tasks.get(id) ?? []
      if (!known.includes(test.id)) this.#tasks.set(id, [...known, test.id])
    }
  }
}

const message_of = (result) => String(result?.errors?.[0]?.message ?? 'failed without a word')

const tests_of = (task) => (task.type === 'test' ? [task] : (task.tasks ?? []).flatMap(tests_of))

/** Tests of one name in one file are one to Stryker. */
function merged(tests) {
  const by_id = new Map()
  for (const test of tests) {
    const known = by_id.get(test.id)
    if (known === undefined) by_id.set(test.id, test)
    else by_id.set(test.id, { ...known, ms: known.ms + test.ms, failure: known.failure ?? test.failure })
  }
  return [...by_id.values()]
}

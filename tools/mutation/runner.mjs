// The test runner that Stryker is given: it keeps one process with everything loaded (warm.mjs, in child.mjs), and
// runs the tests of a mutant there, those first that most likely notice it, until one fails.
//
// A process that was used before may be spoilt by a mutant (something kept from run to run). So a mutant counts as
// noticed only where the same test holds again at once without it; where it does not, the mutant is judged anew in
// a fresh process.
import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  commonTokens,
  declareClassPlugin,
  declareFactoryPlugin,
  PluginKind,
  tokens,
} from '@stryker-mutator/api/plugin'
import { DryRunStatus, MutantRunStatus, TestStatus } from '@stryker-mutator/api/test-runner'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))
/** In the sandbox: what the first run measured, for the processes that judge mutants. */
const MEASURED = 'mutation-times.json'
/** A test that takes longer is slow, and comes after all others. */
const SLOW_MS = 400
/** What collecting a file costs, about. */
const FILE_MS = 5
/** A test that says nothing for so long, and ten times what it took without a mutant, does not end. */
const PATIENCE_MS = 4000
const START_MS = 120_000
/** The same without a mutant, on a machine that does other things too. */
const DRY_MS = 300_000
/** So many mutants one process judges: tests that define tables and functions leave them behind. */
const MUTANTS_OF_ONE = 400
/** Tests that are asked before all others: those that noticed the last mutants of the same source. */
const KEPT_KILLERS = 8

class WarmRunner {
  #seconds
  #tests
  #child
  #measured
  #judged = 0
  /** Source file → ids of the tests that noticed its last mutants, the latest first. */
  #killers = new Map()

  constructor(options) {
    this.#seconds = options.warm.seconds
    this.#tests = options.warm.tests
  }

  capabilities() {
    return { reloadEnvironment: true }
  }

  async init() {}

  async dispose() {
    this.#end()
  }

  async dryRun() {
    const { tests, coverage } = await this.#ask({ kind: 'dry' }, () => DRY_MS)
    writeFileSync(MEASURED, JSON.stringify(tests))
    return {
      status: DryRunStatus.Complete,
      tests: tests.map(({ id, name, file, ms, failure }) => ({
        id,
        name,
        fileName: file,
        timeSpentMs: Math.round(ms),
        ...(failure === undefined
          ? { status: TestStatus.Success }
          : { status: TestStatus.Failed, failureMessage: failure }),
      })),
      mutantCoverage: coverage,
    }
  }

  async mutantRun({ activeMutant, sandboxFileName, testFilter, hitLimit }) {
    this.#measured ??= new Map(JSON.parse(readFileSync(MEASURED, 'utf8')).map((test) => [test.id, test]))
    const source = relative(process.cwd(), sandboxFileName)
    const steps = this.#plan(source, testFilter)
    const request = { kind: 'mutant', id: activeMutant.id, hitLimit, steps }
    const patience = (test) => PATIENCE_MS + 10 * (this.#measured.get(test)?.ms ?? 0)
    const fresh = this.#child === undefined
    let answer = await this.#ask(request, patience)
    if (answer.spoilt && !fresh) {
      this.#end()
      answer = await this.#ask(request, patience)
    }
    if (answer.spoilt || ++this.#judged % MUTANTS_OF_ONE === 0) this.#end()
    if (answer.endless !== undefined) return { status: MutantRunStatus.Timeout, reason: answer.endless }
    if (answer.killer === undefined) return { status: MutantRunStatus.Survived, nrOfTests: answer.ran }
    const others = (this.#killers.get(source) ?? []).filter((id) => id !== answer.killer)
    this.#killers.set(source, [answer.killer, ...others].slice(0, KEPT_KILLERS))
    return {
      status: MutantRunStatus.Killed,
      killedBy: [answer.killer],
      failureMessage: answer.failure,
      nrOfTests: answer.ran,
    }
  }

  /** What is run, file by file: the last killers, then the tests of the same room, then the quick, then the slow. */
  #plan(source, ids) {
    const wanted = new Map(ids.map((id) => [id, this.#measured.get(id)]))
    const steps = []
    const take = (ids) => {
      if (ids.length === 0) return
      steps.push({
        file: wanted.get(ids[0]).file,
        tests: ids,
        ms: FILE_MS + sum(ids.map((id) => wanted.get(id).ms)),
      })
      for (const id of ids) wanted.delete(id)
    }
    for (const id of this.#killers.get(source) ?? []) if (wanted.has(id)) take([id])
    const slow = [...wanted.values()].filter(({ ms }) => ms > SLOW_MS).sort((a, b) => a.ms - b.ms)
    const quick = [...wanted.values()].filter(({ ms }) => ms <= SLOW_MS)
    const files = [...new Set(quick.map(({ file }) => file))].map((file) => {
      const tests = quick.filter((test) => test.file === file)
      return {
        tests: tests.map(({ id }) => id),
        near: nearness(source, relative(process.cwd(), file)),
        ms: sum(tests.map(({ ms }) => ms)),
      }
    })
    for (const { tests } of files.sort((a, b) => b.near - a.near || a.ms - b.ms)) take(tests)
    for (const { id } of slow) take([id])
    let left = this.#seconds * 1000
    return steps.filter(({ ms }, at) => at === 0 || (left -= ms) > 0)
  }

  /** The answer of the child to a request; what it does not answer in time is endless, and it is ended. */
  #ask(request, patience) {
    this.#child ??= fork(CHILD, this.#tests, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const child = this.#child
    return new Promise((resolve) => {
      let timer
      const finish = (answer) => {
        clearTimeout(timer)
        child.off('message', hear)
        child.off('exit', gone)
        resolve(answer)
      }
      const give_up = (what) => {
        this.#end()
        finish({ endless: what })
      }
      const wait = (ms, what) => {
        clearTimeout(timer)
        timer = setTimeout(() => give_up(what), ms)
      }
      const hear = (message) => {
        if (message.kind === 'ready') child.send(request)
        if (message.kind === 'test') wait(patience(message.id), `${message.id} does not end`)
        if (message.kind === 'answer') finish(message)
      }
      const gone = () => give_up('the process ended')
      child.on('message', hear)
      child.on('exit', gone)
      wait(START_MS, 'the tests do not start')
      if (child.started) child.send(request)
      child.started = true
    })
  }

  #end() {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0)

/** How near a test file stands to a source: 2 for one of its name, 1 for one of its room. */
function nearness(source, test) {
  const room = dirname(source).replace(/^src/, 'test')
  if (dirname(test) !== room) return 0
  return basename(test).replace('.test.ts', '') === basename(source, '.ts') ? 2 : 1
}

create.inject = tokens(commonTokens.options)
function create(options) {
  return new WarmRunner(options)
}

/** Prints each survivor as it is found: a whole run takes hours. */
class Survivors {
  onMutantTested({ status, fileName, location, mutatorName, replacement }) {
    if (status === 'Survived' || status === 'NoCoverage')
      console.log(`${fileName}:${location.start.line} ${mutatorName} -> ${replacement.split('\n')[0]}`)
  }
}

export const strykerPlugins = [
  declareFactoryPlugin(PluginKind.TestRunner, 'warm', create),
  declareClassPlugin(PluginKind.Reporter, 'survivors', Survivors),
]
export const strykerValidationSchema = {
  properties: {
    warm: {
      type: 'object',
      properties: { seconds: { type: 'number' }, tests: { type: 'array', items: { type: 'string' } } },
    },
  },
}

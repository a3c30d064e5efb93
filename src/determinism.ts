/**
 * Code of a scenario's own must answer by what it is given alone. A search goes back and forth between states;
 * a module that remembers something makes it find what is not there, and miss what is.
 */
import { run_in_order } from './explore/replay.js'
import { FastStore } from './kernel/fast_store.js'
import type { Kernel } from './kernel/machine.js'
import type { Hooks, SecurityModule } from './kernel/security.js'
import type { Case, CodeProperty } from './scenario/builder.js'
import { ScenarioError } from './scenario/error.js'
import { type CaseSystem, case_system } from './scenario/system.js'

const not_deterministic = (what: string, path: string) =>
  new ScenarioError(
    path,
    `${what} is not deterministic: asked again it answered otherwise; it may keep nothing between two questions, nor look at a clock or at chance`,
  )

/** The same module, each of whose hooks is asked twice. */
function asked_twice(module: SecurityModule, path: string): SecurityModule {
  const hooks = Object.entries(module.hooks).map(([name, hook]) => {
    const ask = hook as (k: Kernel, args: object) => number
    const twice = (k: Kernel, args: object) => {
      const answer = ask(k, args)
      if (ask(k, args) !== answer) throw not_deterministic(`module ${module.name}`, path)
      return answer
    }
    return [name, twice]
  })
  return { ...module, hooks: Object.fromEntries(hooks) as Hooks }
}

function looked_at_twice(property: CodeProperty, path: string): CodeProperty {
  const violated = (k: Kernel) => {
    const answer = property.violated(k)
    if (property.violated(k) !== answer) throw not_deterministic(`property ${property.name}`, path)
    return answer
  }
  return { name: property.name, violated }
}

/** What comes of it when each task in its turn goes first, and the others follow in order. */
function runs_in_order(system: CaseSystem): string {
  const ends = system.code.programs.map((_, i) => {
    const store = new FastStore()
    const k = system.boot(store)
    run_in_order(k, i + 1, 10_000)
    return [store.hash_lo, store.hash_hi, system.outcome(k), system.violations(k)]
  })
  return JSON.stringify(ends)
}

/**
 * Does something with a case between two times that a few of its runs are made, and compares these. Costs
 * nothing where a case has no code of its own.
 *
 * @throws ScenarioError naming the module or property, also in the place of an error that came of it
 */
export function with_deterministic<T>(of: Case, path: string, act: () => T): T {
  const { modules, properties } = of.code
  if (modules.size === 0 && properties.size === 0) return act()
  const code = {
    modules: new Map([...modules].map(([name, module]) => [name, asked_twice(module, path)])),
    properties: new Map([...properties].map(([name, property]) => [name, looked_at_twice(property, path)])),
  }
  const system = case_system({ form: of.form, code }, path)
  const before = runs_in_order(system)
  const compare = () => {
    if (runs_in_order(system) === before) return
    const names = [...modules.keys()].map((name) => `module ${name}`)
    names.push(...[...properties.keys()].map((name) => `property ${name}`))
    throw not_deterministic(names.join(' or '), path)
  }
  try {
    return act()
  } finally {
    compare()
  }
}

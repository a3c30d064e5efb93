/**
 * Code of a scenario's own must answer by what it is given alone. A search goes back and forth between states;
 * a module that remembers something makes it find what is not there, and miss what is.
 *
 * A module is watched in every question that it is asked (lsm/answers.ts), a property in every state that it is
 * shown. So that both are asked again what they were asked before, a few runs are made before the search and after
 * it, in orders that it does not have, and the last of them with the code of a case that is built anew.
 */
import { run_in_order } from '../explore/replay.js'
import { FastStore } from '../kernel/fast_store.js'
import type { Hooks, Kernel, SecurityModule } from '../kernel/kernel.js'
import { STEPPED, step } from '../kernel/machine.js'
import { Remembers } from '../lsm/answers.js'
import { share_answers } from '../lsm/module.js'
import type { Case, CodeProperty } from '../scenario/builder.js'
import { type CaseSystem, case_system } from '../scenario/case_system.js'
import { ScenarioError } from '../scenario/error.js'

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

/** States whose answers are kept. */
const MOST_STATES = 1_000_000

/** What a property has said of which state, by the state's hash. */
type Said = Map<string, boolean>

/** The same property, which must say the same of a state whenever it is shown it. */
function watched(property: CodeProperty, said: Said, path: string): CodeProperty {
  const violated = (k: Kernel) => {
    const answer = property.violated(k)
    const state = `${k.store.hash_lo}:${k.store.hash_hi}`
    const before = said.get(state)
    if (before === undefined && said.size < MOST_STATES) said.set(state, answer)
    if (before !== undefined && before !== answer) throw not_deterministic(`property ${property.name}`, path)
    return answer
  }
  return { name: property.name, violated }
}

/** The case with its code watched. */
function watched_case(of: Case, said: ReadonlyMap<string, Said>, path: string, twice: boolean): Case {
  const { modules, properties } = of.code
  return {
    ...of,
    code: {
      modules: twice
        ? new Map([...modules].map(([name, module]) => [name, asked_twice(module, path)]))
        : modules,
      properties: new Map(
        [...properties].map(([name, property]) => [name, watched(property, said.get(name)!, path)]),
      ),
    },
  }
}

/** What comes of it when each task in its turn goes first, and the others follow in order. */
function runs_in_order(system: CaseSystem): string {
  const ends = system.code.programs.map((_, i) => {
    const store = new FastStore()
    const k = system.boot(store)
    system.violations(k)
    run_in_order(k, i + 1, MOST_STAGES)
    return [store.hash_lo, store.hash_hi, system.outcome(k), system.violations(k)]
  })
  return JSON.stringify(ends)
}

const MOST_STAGES = 10_000
const RUNS = 16

/** Runs in which tasks take turns without order, always the same ones, and every state is looked at. */
function runs_without_order(system: CaseSystem): void {
  for (let run = 1, chance = 1; run <= RUNS; run++) {
    const k = system.boot(new FastStore())
    for (let stages = 0; stages < MOST_STAGES / RUNS; stages++) {
      system.violations(k)
      // The next of a sequence that jumps about (Numerical Recipes, ranqd1).
      chance = (Math.imul(chance, 1_664_525) + 1_013_904_223) >>> 0
      if (!step_some(k, chance)) break
    }
  }
}

/** A stage of the first task, from a place that chance says, that does not sleep. @returns false where all do */
function step_some(k: Kernel, chance: number): boolean {
  const tasks = k.store.tasks()
  const from = tasks.length === 0 ? 0 : (chance >>> 8) % tasks.length
  return [...tasks.slice(from), ...tasks.slice(0, from)].some((task) => {
    const mark = k.store.mark()
    if (step(k, task) === STEPPED) {
      k.store.commit()
      return true
    }
    k.store.undo(mark)
    return false
  })
}

/** The case built once more, whose code must give the answers that the first has given. */
function built_anew(of: Case, path: string): Case | undefined {
  const anew = of.again?.()
  if (anew === undefined) return undefined
  if (JSON.stringify(anew.form) !== JSON.stringify(of.form))
    throw new ScenarioError(
      path,
      'is not the same when it is built again; build may not look at a clock or at chance',
    )
  for (const [name, module] of of.code.modules) share_answers(module, anew.code.modules.get(name)!)
  return anew
}

/**
 * Does something with a case, with its code watched, between two times that a few of its runs are made, and
 * compares these. Costs nothing where a case has no code of its own.
 *
 * @param act what is done, with the case that it is to be done with
 * @throws ScenarioError naming the module or property, also in the place of an error that came of it
 */
export function with_deterministic<T>(of: Case, path: string, act: (of: Case) => T): T {
  const { modules, properties } = of.code
  if (modules.size === 0 && properties.size === 0) return act(of)
  const said = new Map([...properties.keys()].map((name) => [name, new Map<string, boolean>()]))
  const runs = (built: Case) => runs_in_order(case_system(watched_case(built, said, path, true), path))
  const compare = (before: string) => {
    if (runs(of) !== before) throw not_deterministic(names_of(of), path)
    runs_without_order(case_system(watched_case(of, said, path, false), path))
    const anew = built_anew(of, path)
    if (anew === undefined) return
    if (runs(anew) !== before) throw not_deterministic(names_of(of), path)
    runs_without_order(case_system(watched_case(anew, said, path, false), path))
  }
  return said_of_scenario(path, () => {
    const before = runs(of)
    try {
      return act(watched_case(of, said, path, false))
    } finally {
      compare(before)
    }
  })
}

/** A module that was found out is a mistake of the scenario. */
function said_of_scenario<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw error instanceof Remembers ? new ScenarioError(path, error.message) : error
  }
}

function names_of({ code }: Case): string {
  const names = [...code.modules.keys()].map((name) => `module ${name}`)
  names.push(...[...code.properties.keys()].map((name) => `property ${name}`))
  return names.join(' or ')
}

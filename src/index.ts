/** The library `toctoscope`: write scenarios, explore them, draw traces, bring your own security modules and properties. */
import { make_scenario, type Params, type Scenario, type ScenarioSource } from './scenario/builder.js'

export type { SecurityModule } from './kernel/kernel.js'
export type { HookArguments, HookName } from './kernel/lsm_hook_defs.js'
export { NotModelled } from './kernel/not_modelled.js'
export { type Release, release_names } from './kernel/profile.js'
export type { ModuleDefinition } from './lsm/module.js'
// The tables of the state, for properties that are code: `inode.rows(k)`, `inode(k, number)`.
export { ovl_inode } from './overlay/ovl_entry.js'
export {
  type Case,
  CaseBuilder,
  type CodeProperty,
  type Combination,
  combinations,
  type FileSystem,
  type OverlayLayers,
  type Params,
  Scenario,
  type ScenarioSource,
  scenario_from_form,
  type Task,
  type TaskOptions,
  type UseOptions,
} from './scenario/builder.js'
export type * from './scenario/calls.js'
export { define_module } from './scenario/code_module.js'
export { ScenarioError } from './scenario/error.js'
export type * from './scenario/form.js'
export { case_name, case_profile } from './scenario/form.js'
export { validate_scenario } from './scenario/form_schema.js'
export type * from './scenario/results.js'
export { counterexample_trace, replay_token, TraceError, validate_trace } from './trace/library.js'
export { TokenError } from './trace/record/token.js'
export { to_json as trace_to_json } from './trace/render/json.js'
export { to_mermaid as trace_to_mermaid } from './trace/render/mermaid.js'
export { type TextOptions, to_text as trace_to_text } from './trace/render/text.js'
export type { CallResult, Trace, TraceEvent, TraceStep, TraceTask, Use } from './trace/trace.js'
export type { Explained } from './verdict/explained.js'
export { type CaseReport, type ExploreOptions, explore_case } from './verdict/explore_case.js'
export { dentry } from './vfs/dentry.js'
export { file } from './vfs/file.js'
export { inode, page } from './vfs/inode.js'
export { vm_area } from './vfs/memory/mm.js'
export { mount } from './vfs/mount.js'
export { super_block } from './vfs/super_block.js'
export { fd_slot, task_struct } from './vfs/tasks/task.js'

/** What `import.meta` has that a scenario file gives away. */
interface Meta {
  readonly url: string
}

/**
 * Makes a scenario. With `import.meta` before its source the file explores itself where it is the program that is
 * run: `npx tsx my-scenario.ts`.
 *
 *     export default scenario(import.meta, { name: 'mine', summary: '…', build(s) { … } })
 *
 * @throws ScenarioError for what cannot be a scenario; mistakes in `build` show when its cases are asked for
 */
export function scenario<const P extends Params>(source: ScenarioSource<P>): Scenario
/**
 * Makes a scenario that explores itself where its file is the program that is run: `npx tsx my-scenario.ts`.
 *
 * @param meta `import.meta` of the file
 * @throws ScenarioError for what cannot be a scenario; mistakes in `build` show when its cases are asked for
 */
export function scenario<const P extends Params>(meta: Meta, source: ScenarioSource<P>): Scenario
export function scenario(first: object, second?: object): Scenario {
  const made = make_scenario((second ?? first) as ScenarioSource<Params>)
  if (second !== undefined && is_program((first as Meta).url)) run_as_program(made)
  return made
}

interface NodeProcess {
  readonly argv: readonly string[]
  exitCode?: number
  /** Since Node 20.16: a module of Node's without an import, which a browser could not follow. */
  getBuiltinModule?(name: 'node:fs'): { realpathSync(path: string): string }
  getBuiltinModule?(name: 'node:url'): { fileURLToPath(url: string): string }
}

const node = (): NodeProcess | undefined => (globalThis as { process?: NodeProcess }).process

const without_extension = (path: string) => path.replace(/\.[cm]?[jt]s$/, '')

/** Whether the file of this URL is the one that Node was told to run. */
function is_program(url: string): boolean {
  const running = node()
  const program = running?.argv?.[1]
  if (program === undefined || !url.startsWith('file:') || running?.getBuiltinModule === undefined)
    return false
  const file = running.getBuiltinModule('node:url').fileURLToPath(url.replace(/[?#].*$/, ''))
  const { realpathSync } = running.getBuiltinModule('node:fs')
  return (
    without_extension(real_path(program, realpathSync)) === without_extension(real_path(file, realpathSync))
  )
}

/** Without links; a path without its extension (`tsx mine`) names no file and stays as it is. */
function real_path(path: string, realpathSync: (path: string) => string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** Explores the scenario as the command line would, once its file has been evaluated. */
function run_as_program(made: Scenario): void {
  const { argv } = node()!
  queueMicrotask(async () => {
    // Bundles for browsers leave it out: `browser` in package.json.
    const { explore_itself } = await import('./cli/main.js')
    node()!.exitCode = await explore_itself(made, argv.slice(2))
  })
}

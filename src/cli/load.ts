/** Finds scenarios by name or file, and says what is wrong with those that cannot be loaded. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Case, Scenario } from '../scenario/builder.js'
import { nearest, ScenarioError } from '../scenario/error.js'
import { command } from '../trace/render/command.js'
import { printable } from '../trace/render/printable.js'
import { say_time } from './bounds.js'
import { remember_builtins } from './builtins.js'
import { first_line, is_out_of_files, LoadError, place_in } from './errors.js'
import { exit } from './exit_codes.js'
import { divert_prints, last_words } from './terminal.js'
import { watched } from './thread.js'

/** A scenario that is loaded, and how it is called on a command line. */
export interface Loaded {
  readonly name: string
  readonly summary: string
  readonly teaches: string | undefined
  readonly cases: readonly Case[]
  /** What to type for it. */
  readonly called: string
  /** The file that it came from, where the user brought it. */
  readonly file: string | null
}

/** Compiled scenarios lie beside the compiled program, sources beside the sources. */
const shipped_folder = new URL('../../scenarios/', import.meta.url)
const code_file = /\.[cm]?[jt]sx?$/

/** What to type after an error. */
const next = {
  list: 'The shipped scenarios: npx toctoscope list',
  form: 'What a scenario in JSON looks like: docs/scenario.schema.json',
  example: 'Examples are the shipped scenarios, in the folder scenarios: npx toctoscope list',
  again: (given: string) => `When it is mended: ${command('explore', given)}`,
}

/** Names of the shipped scenarios, in order. */
export function shipped_names(): string[] {
  if (!existsSync(shipped_folder)) return []
  return readdirSync(shipped_folder)
    .filter((file) => code_file.test(file) && !/\.d\.[cm]?ts$/.test(file))
    .map((file) => file.replace(code_file, ''))
    .sort()
}

/** Milliseconds that a file which is code may take to be loaded, unless told otherwise. */
const LOAD_TIME = 30_000

/**
 * Loads a scenario by its name or from a file.
 *
 * @param load_time milliseconds after which the program ends, in words, where the file is code and not loaded yet
 * @throws LoadError saying what is wrong: no such file or scenario, does not compile, throws, exports the wrong
 *   thing, does not fit the schema
 */
export async function load_scenario(called: string, load_time = LOAD_TIME): Promise<Loaded> {
  const is_file = called.includes('/') || code_file.test(called) || called.endsWith('.json')
  if (!is_file && shipped_names().includes(called)) return load_shipped(called)
  if (is_file || existsSync(called)) return load_file(called, load_time)
  throw new LoadError(`there is no scenario ${JSON.stringify(called)}${did_you_mean(called)}`, next.list)
}

function did_you_mean(called: string): string {
  const near = nearest(called, shipped_names())
  const list = '"toctoscope list" lists them; a file is given with its ending (mine.ts, mine.json)'
  return near === undefined ? `; ${list}` : `; did you mean ${near}? (${list})`
}

async function load_shipped(name: string): Promise<Loaded> {
  const ending = existsSync(new URL(`${name}.js`, shipped_folder)) ? '.js' : '.ts'
  const url = new URL(`${name}${ending}`, shipped_folder)
  const module = (await import(/* @vite-ignore */ url.href)) as { default: Scenario }
  return loaded(module.default, name, null)
}

function loaded(scenario: Scenario, called: string, file: string | null): Loaded {
  const { name, summary, teaches, cases } = scenario
  return { name, summary, teaches, cases, called, file }
}

// --- files -------------------------------------------------------------------------------------------------

async function load_file(given: string, load_time: number): Promise<Loaded> {
  const file = resolve(given)
  must_be_file(given, file)
  if (given.endsWith('.json')) return load_json(given, file)
  if (!code_file.test(given))
    throw new LoadError(`${given}: expected a scenario in .ts, .js, .mjs or .json`, next.example)
  return while_loading(given, load_time, () => load_code(given, file))
}

/**
 * Code may end the program while it is loaded, wait for what never comes, run for ever, or throw where nobody catches:
 * Node would say nothing, or what only helps its own authors, and the first would look like success.
 */
async function while_loading<T>(given: string, load_time: number, work: () => Promise<T>): Promise<T> {
  const words = (what: string) =>
    `toctoscope: ${printable(given)} ${what}\n  ${printable(next.again(given))}\n`
  const fail = (what: string) => {
    last_words(words(what))
    process.exitCode = exit.cannot_load
  }
  const over = watched({
    too_late: words(
      `is not loaded after ${say_time(load_time)}: it runs or waits for ever (or raise --load-time)`,
    ),
    too_large: words('takes all the memory while it is loaded'),
    limit: load_time,
  })
  const ended = () => fail('ended the program while it was loaded (process.exit?)')
  const end_with = (what: string) => {
    process.off('exit', ended)
    fail(what)
    process.exit()
  }
  const waits = () => end_with('never ends loading: it awaits what never comes')
  const throws = (error: unknown) => end_with(`throws while it is loaded: ${first_line(error)}`)
  process.on('exit', ended)
  process.on('beforeExit', waits)
  process.prependListener('uncaughtException', throws)
  process.prependListener('unhandledRejection', throws)
  try {
    return await work()
  } finally {
    over()
    process.off('exit', ended)
    process.off('beforeExit', waits)
    process.off('uncaughtException', throws)
    process.off('unhandledRejection', throws)
  }
}

function must_be_file(given: string, file: string): void {
  if (!existsSync(file)) throw new LoadError(`${given}: there is no such file`, next.list)
  if (!statSync(file).isFile()) throw new LoadError(`${given}: not a file`, next.list)
}

/** Values in values in values: more than any scenario or trace has, and less than what a stack can take. */
const DEEPEST = 500
const TOO_DEEP = 'not JSON that we can read: nested too deeply'

function is_too_deep(document: unknown): boolean {
  let level = [document]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return false
}

/** Reads a file of JSON. @throws LoadError with line and column where it is none */
export function read_json(given: string): unknown {
  const file = resolve(given)
  must_be_file(given, file)
  let text: string
  try {
    // A mark of the byte order is no part of the document (RFC 8259, section 8.1).
    text = readFileSync(file, 'utf8').replace(/^\ufeff/, '')
  } catch (error) {
    throw new LoadError(`${given}: cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    const deep = error instanceof RangeError
    const problem = deep ? TOO_DEEP : json_problem(text, error as SyntaxError)
    throw new LoadError(`${given}: ${problem}`, next.form)
  }
  if (is_too_deep(document)) throw new LoadError(`${given}: ${TOO_DEEP}`, next.form)
  return document
}

function json_problem(text: string, error: SyntaxError): string {
  if (text.trim() === '') return 'the file is empty'
  const position = /position (\d+)/.exec(error.message)?.[1]
  const whole = text.trimEnd()
  if (/end of JSON|Unterminated/i.test(error.message) || Number(position) >= whole.length)
    return `the file is cut short: it ends in line ${whole.split('\n').length}, in the middle of a value`
  if (position === undefined) return `not JSON: ${error.message}`
  const before = text.slice(0, Number(position)).split('\n')
  const what = error.message.replace(/ in JSON at position.*/, '').replace(/,? "?.*" is not valid JSON.*/, '')
  return `not JSON: line ${before.length}, column ${before[before.length - 1]!.length + 1}: ${what}`
}

async function load_json(given: string, file: string): Promise<Loaded> {
  const document = read_json(given)
  if (typeof document === 'object' && document !== null && 'toctoscope_trace' in document) {
    throw new LoadError(
      `${given}: this is a trace, not a scenario: "toctoscope show" and "toctoscope replay" take it`,
    )
  }
  return from_form(document, given, file)
}

async function from_form(document: unknown, given: string, file: string): Promise<Loaded> {
  const { scenario_from_form } = await import('../scenario/builder.js')
  try {
    return loaded(scenario_from_form(document), given, file)
  } catch (error) {
    if (error instanceof ScenarioError) throw new LoadError(`${given}: ${error.message}`, next.form)
    throw error
  }
}

async function load_code(given: string, file: string): Promise<Loaded> {
  await prepare_imports(file)
  const put_back = remember_builtins()
  const loading = import_scenario(given, file)
  const found = await loading.catch((error: unknown) => ({ error }))
  const changed = put_back()
  if (changed.length > 0)
    throw new LoadError(
      `${given} replaces ${changed.slice(0, 5).join(', ')}${changed.length > 5 ? ' …' : ''}: this program needs the built-in objects of JavaScript as they are`,
      next.again(given),
    )
  if (!('error' in found)) return found
  if (is_out_of_files(found.error) || found.error instanceof LoadError) throw found.error
  throw new LoadError(import_problem(found.error, given, file), next.again(given))
}

/** Evaluates the file, and builds all its cases. @throws whatever its code throws */
async function import_scenario(given: string, file: string): Promise<Loaded> {
  const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, unknown>
  const exported = unwrapped(module)
  if (is_scenario(exported)) return loaded(exported, given, file)
  if (is_form(exported)) return from_form(exported, given, file)
  throw new LoadError(wrong_export(given, module, exported), next.example)
}

/** The default export; of a CommonJS module that was compiled from ES modules, that of its exports. */
function unwrapped(module: Record<string, unknown>): unknown {
  const first = module.default
  if (typeof first === 'object' && first !== null && '__esModule' in first)
    return (first as { default?: unknown }).default
  return first
}

/** By its shape: the file may have got `toctoscope` from another place than this program. */
function is_scenario(value: unknown): value is Scenario {
  return (
    typeof value === 'object' &&
    value !== null &&
    'form' in (Object.getPrototypeOf(value) ?? {}) &&
    'toJSON' in value &&
    'cases' in value
  )
}

const is_form = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'toctoscope' in value

function wrong_export(given: string, module: Record<string, unknown>, exported: unknown): string {
  const expected = 'expected "export default scenario(import.meta, { … })"'
  if (exported === undefined) {
    const names = Object.keys(module).filter((name) => name !== 'module.exports')
    if (names.length === 0) return `${given}: it exports nothing; ${expected}`
    return `${given}: it exports ${names.join(', ')}, but has no default export; ${expected}`
  }
  const what =
    typeof exported === 'object'
      ? exported === null
        ? 'null'
        : Array.isArray(exported)
          ? 'a list'
          : exported instanceof Promise
            ? 'a promise'
            : 'an object'
      : `a ${typeof exported}`
  return `${given}: its default export is ${what}, not a scenario; ${expected}`
}

// --- what goes wrong while code is loaded --------------------------------------------------------------------

function import_problem(error: unknown, given: string, file: string): string {
  if (error instanceof Error && error.name === 'ScenarioError') return `${given}: ${error.message}`
  const text = error instanceof Error ? String(error.message) : first_line(error)
  const compile = /^(?:Transform failed[^\n]*\n)?(?:file:\/\/)?([^\n]*?):(\d+):(\d+): ERROR: ([^\n]*)/m.exec(
    text,
  )
  if (compile !== null)
    return `${given} does not compile: line ${compile[2]}, column ${compile[3]}: ${compile[4]}`
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (
    code === 'ERR_MODULE_NOT_FOUND' ||
    code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ||
    code === 'MODULE_NOT_FOUND'
  ) {
    return `${given} cannot be loaded: ${text.split('\n')[0]!.replace(file, given)}`
  }
  if (error instanceof SyntaxError) {
    const line = /^(?:file:\/\/)?[^\n]*?:(\d+)$/m.exec(error.stack ?? '')?.[1]
    return `${given} does not compile: ${line === undefined ? '' : `line ${line}: `}${error.message}`
  }
  return build_problem(error, given, file)
}

function build_problem(error: unknown, given: string, file: string): string {
  if (error instanceof Error && error.name === 'ScenarioError') return `${given}: ${error.message}`
  const place = place_in(error, file)?.slice(file.length) ?? ''
  return `${given}${place} throws while it is loaded: ${first_line(error)}`
}

// --- imports of user files -----------------------------------------------------------------------------------

let typescript_ready = false
let name_ready = false

/**
 * Lets a user's file import `toctoscope` wherever it lies, and be TypeScript. Only what is needed is loaded: a
 * compiler costs more time than a search. Run from sources (tests), the runner does both already.
 */
async function prepare_imports(file: string): Promise<void> {
  if (import.meta.url.endsWith('.ts')) return
  if (/\.[cm]?tsx?$/.test(file) && !typescript_ready) {
    typescript_ready = true
    // It would run what it finds in a folder of /tmp that anybody may have made.
    process.env.TSX_DISABLE_CACHE = '1'
    const { register } = await import('tsx/esm/api')
    register()
  }
  if (name_ready) return
  name_ready = true
  divert_prints()
  const { register } = await import('node:module')
  const source = new URL('../', import.meta.url).href
  register('./resolve.js', import.meta.url, { data: { source } })
}

/** Does something with a scenario; what is wrong in it is said with what the user typed for it. */
export function about<T>({ called, file }: Loaded, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    throw new LoadError(`${called}: ${error.message}`, file === null ? '' : next.again(called))
  }
}

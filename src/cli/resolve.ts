/**
 * A hook of Node's module loader: `import … from 'toctoscope'` in a user's file means the program that loads
 * it, wherever the file lies and whatever else is installed there. Else a scenario would bring its own kernel.
 */
interface Resolved {
  readonly url: string
  readonly format?: string | null
  readonly shortCircuit?: boolean
}
type Next = (specifier: string, context: object) => Promise<Resolved>

let source = ''

/** Called once by `module.register`. @param data `source` is the URL of the folder of index.js */
export function initialize(data: { readonly source: string }): void {
  source = data.source
}

export async function resolve(specifier: string, context: object, next: Next): Promise<Resolved> {
  if (specifier === 'toctoscope') return { url: `${source}index.js`, shortCircuit: true }
  if (specifier === 'toctoscope/fast-check') return { url: `${source}fast-check.js`, shortCircuit: true }
  const resolved = await next(specifier, context)
  // Without a package.json that says so, TypeScript counts as CommonJS. Scenarios are modules (`import.meta`).
  const is_typescript = /^file:.*\.ts(\?|$)/.test(resolved.url) && !resolved.url.includes('/node_modules/')
  return is_typescript ? { ...resolved, format: 'module' } : resolved
}

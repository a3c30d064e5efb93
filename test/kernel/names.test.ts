/**
 * Names of stages and functions that stand in strings: every one must be there. (Others are asked for by reference, and
 * `place` throws while modules are loaded.)
 */
import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { all_functions, function_named, place } from '../../src/kernel/fn.js'
import '../../src/model.js'
import '../../src/scenario/user.js'
import { checking, looking, of_overlay } from '../../src/trace/render/effects.js'

const root = new URL('../../src/', import.meta.url)
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) =>
    ts.createSourceFile(name, readFileSync(new URL(name, root), 'utf8'), ts.ScriptTarget.ESNext, true),
  )

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

const is_call_of = (node: ts.Node, name: string): node is ts.CallExpression =>
  ts.isCallExpression(node) && node.expression.getText() === name

/** What a piece of code jumps to, and which other names it holds. */
function jumps_in(code: ts.Node) {
  const targets: string[] = []
  const names = new Set<string>()
  let by_parameter = false
  walk(code, (node) => {
    if (ts.isIdentifier(node)) names.add(node.text)
    if (!is_call_of(node, 'jump')) return
    const [, target] = node.arguments
    if (target !== undefined && ts.isStringLiteral(target)) targets.push(target.text)
    else by_parameter = true
  })
  return { targets, names, by_parameter }
}

/** The functions of a file that define no kernel function, by name. */
function helpers_of(file: ts.SourceFile): Map<string, ReturnType<typeof jumps_in>> {
  const helpers = new Map<string, ReturnType<typeof jumps_in>>()
  const note = (name: ts.Node | undefined, body: ts.Node) => {
    if (name !== undefined) helpers.set(name.getText(), jumps_in(body))
  }
  for (const statement of file.statements) {
    if (ts.isFunctionDeclaration(statement)) note(statement.name, statement)
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations)
      if (initializer !== undefined && ts.isArrowFunction(initializer)) note(name, initializer)
  }
  return helpers
}

/** Every stage that a kernel function, or a helper of its file that it calls, jumps to. */
function jumps_of(definition: ts.CallExpression, helpers: ReturnType<typeof helpers_of>): string[] {
  const { targets, names } = jumps_in(definition)
  const all = [...targets]
  walk(definition, (node) => {
    if (!ts.isCallExpression(node) || helpers.get(node.expression.getText())?.by_parameter !== true) return
    for (const each of node.arguments) if (ts.isStringLiteral(each)) all.push(each.text)
  })
  const seen = new Set<string>()
  const todo = [...names]
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const helper = helpers.get(name)
    if (helper === undefined || seen.has(name)) continue
    seen.add(name)
    all.push(...helper.targets)
    todo.push(...helper.names)
  }
  return all
}

test('every jump leads to a stage of the function that jumps', () => {
  const lost: string[] = []
  let jumps = 0
  for (const file of sources) {
    const helpers = helpers_of(file)
    walk(file, (node) => {
      if (!is_call_of(node, 'fn')) return
      const [name] = node.arguments
      if (name === undefined || !ts.isStringLiteral(name)) return
      const defined = function_named(name.text)
      for (const target of defined === undefined ? [] : jumps_of(node, helpers)) {
        jumps++
        if (defined?.stage_index.has(target) !== true)
          lost.push(`${file.fileName}: ${name.text} jumps to ${target}`)
      }
    })
  }
  expect(lost).toEqual([])
  expect(jumps).toBeGreaterThan(20)
})

test('a place is a step that there is', () => {
  const opens = function_named('do_dentry_open')!
  expect(place(opens, 'security_file_open').fn).toBe(opens)
  expect(() => place(opens, 'security_file_close')).toThrow('do_dentry_open has no step security_file_close')
})

test('what a trace is drawn by names functions of the model', () => {
  const names = all_functions().map(({ name }) => name)
  for (const pattern of [looking, checking, of_overlay])
    expect(
      names.filter((name) => pattern.test(name)),
      String(pattern),
    ).not.toEqual([])
})

/** What an editor shows of the library: every name that a user may type has a docstring. */
import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'

/** Files whose exported names a user of the library meets. */
const files = [
  'src/index.ts',
  'src/fast-check.ts',
  'src/fast-check/cases.ts',
  'src/fast-check/garbage.ts',
  'src/fast-check/policies.ts',
  'src/fast-check/programs.ts',
  'src/fast-check/schedules.ts',
  'src/fast-check/setups.ts',
  'src/fast-check/trees.ts',
  'src/lsm/ipe/ipe.ts',
  'src/lsm/module.ts',
  'src/lsm/rules.ts',
  'src/scenario/builder.ts',
  'src/scenario/calls.ts',
  'src/scenario/form.ts',
  'src/scenario/results.ts',
  'src/verdict/explore_case.ts',
]

const has_docstring = (node: ts.Node): boolean => ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc)

const modifiers = (node: ts.Node) => (ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [])
const is = (node: ts.Node, kind: ts.SyntaxKind) => modifiers(node).some((each) => each.kind === kind)

/** What stands on one line with others is told by their docstring. */
const begins_line = (node: ts.Node, source: ts.SourceFile): boolean =>
  /^\s*$/.test(
    source.text.slice(source.text.lastIndexOf('\n', node.getStart(source)) + 1, node.getStart(source)),
  )

/** Names of members, at any depth of a type, that have none. */
function bare_members(of: ts.Node, inside: string, source: ts.SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node, path: string) => {
    const member =
      ts.isPropertySignature(node) ||
      ts.isMethodSignature(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isGetAccessor(node) ||
      ts.isPropertyDeclaration(node)
    if (is(node, ts.SyntaxKind.PrivateKeyword)) return
    if (!member) {
      if (!ts.isBlock(node)) ts.forEachChild(node, (child) => visit(child, path))
      return
    }
    const name = `${path}.${node.name!.getText(source)}`
    if (!has_docstring(node) && begins_line(node, source)) found.push(name)
    if (ts.isPropertySignature(node) && node.type !== undefined) visit(node.type, name)
  }
  ts.forEachChild(of, (child) => visit(child, inside))
  return found
}

/** What a file exports without a docstring, and the members of what it exports. */
function bare(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true)
  return source.statements.flatMap((node) => {
    if (!is(node, ts.SyntaxKind.ExportKeyword) || ts.isExportDeclaration(node)) return []
    // Of a function with several signatures these are what a user sees.
    if (ts.isFunctionDeclaration(node) && node.body !== undefined && file === 'src/index.ts') return []
    const name = ts.isVariableStatement(node)
      ? node.declarationList.declarations[0]!.name.getText(source)
      : ((node as ts.DeclarationStatement).name?.getText(source) ?? '')
    const own = has_docstring(node) ? [] : [name]
    const members =
      ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node) || ts.isTypeAliasDeclaration(node)
        ? bare_members(node, name, source)
        : []
    return [...own, ...members]
  })
}

test.each(files)('%s', (file) => {
  expect(bare(file).join('\n')).toBe('')
})

test('a docstring of a call says what it gives, and which page of the manual it is in', () => {
  const source = readFileSync('src/scenario/calls.ts', 'utf8')
  const methods = source.slice(source.indexOf('export interface Calls')).split('\n  /**').slice(1)
  expect(methods.length).toBeGreaterThan(50)
  for (const method of methods) expect(method).toMatch(/@returns .*\n[\s\S]*@see man 2 \w+\n/)
})

import { expect, test } from 'vitest'
import { LsmModuleError } from '../../src/lsm/hooks.js'
import { define_module, is_defined, module_source, source_hash } from '../../src/scenario/code_module.js'

test('the same code in another hook is another module', () => {
  const judge = () => 0 as const
  const [first, again, other] = (['file_open', 'file_open', 'bprm_check_security'] as const).map((hook) =>
    module_source(define_module({ name: 'm', hooks: { [hook]: judge } })),
  )
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('only what define_module has made is a module', () => {
  const module = define_module({ name: 'm', hooks: {} })
  expect(is_defined(module)).toBe(true)
  for (const other of [undefined, null, 'm', {}, { ...module }])
    expect(is_defined(other as never)).toBe(false)
})

test('a source is known by the first 64 bits of the SHA-256 of its texts', () => {
  // printf '["a","b"]' | sha256sum
  expect(source_hash(['a', 'b'])).toBe('0473ef2dc0d324ab')
  expect(module_source(define_module({ name: 'm', hooks: {} }))).toBe(source_hash([]))
})

test.each<[unknown, string]>([
  [undefined, 'a security module needs a name'],
  [null, 'a security module needs a name'],
  [{ nam: 'm', hooks: {} }, 'a security module has no field "nam"; did you mean name?'],
  [{ name: 'm' }, 'm: hooks: expected an object with a function per hook'],
  [{ name: 'm', hooks: null }, 'm: hooks: expected an object with a function per hook'],
  [{ name: 'm', hooks: { file_opem: () => 0 } }, 'm: there is no hook file_opem; did you mean file_open?'],
  [{ name: 'm', hooks: { file_open: 0 } }, 'm: file_open: expected a function'],
])('%j is no module', (definition, message) => {
  expect(() => define_module(definition as never)).toThrow(new LsmModuleError(message))
})

import { expect, test } from 'vitest'
import { define_module, module_source } from '../../src/scenario/code_module.js'

test('the same code in another hook is another module', () => {
  const judge = () => 0 as const
  const [first, again, other] = (['file_open', 'file_open', 'bprm_check_security'] as const).map((hook) =>
    module_source(define_module({ name: 'm', hooks: { [hook]: judge } })),
  )
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

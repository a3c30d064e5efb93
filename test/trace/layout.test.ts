import string_width from 'string-width'
import { describe, expect, it } from 'vitest'
import { width_of } from '../../src/trace/render/layout.js'

describe('the width of a text', () => {
  it('is what string-width says, for every character alone and between others', () => {
    for (let code = 0; code < 0x3100; code++) {
      const char = String.fromCharCode(code)
      expect(width_of(char), code.toString(16)).toBe(string_width(char))
    }
    for (const text of [
      '│ open → 3 ✓',
      '1\ufe0f\u20e3',
      '◀\ufe0f',
      'e\u0301',
      '\x1b[1mx\x1b[0m',
      '你好',
      '⟨a⟩',
    ])
      expect(width_of(text), text).toBe(string_width(text))
  })
})

import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { sha256 } from '../../src/kernel/sha256.js'

it.each([0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 4096, 100_001])('hashes %i bytes as others do', (length) => {
  const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 37 + (i >> 8)) & 0xff))
  expect(sha256(bytes.toString('latin1'))).toBe(createHash('sha256').update(bytes).digest('hex'))
})

import { expect, it } from 'vitest'
import { Chaskey, tag } from '../../src/kernel/chaskey.js'

/** Of the reference implementation: the message of n bytes is 0, 1, 2 … */
const KEY = [0x833d3433, 0x009f389f, 0x2398e64f, 0x417acf39]
const vectors: readonly (readonly [number, number, number])[] = [
  [0, 0x43cb1f41, 0x51eba0c2],
  [2, 0x57da70c5, 0x2a873cb0],
  [4, 0x0b2b62db, 0x1e9e3f50],
  [8, 0x9faf57d6, 0xf4bc02cf],
  [14, 0xc133c9c0, 0x55df75b5],
  [16, 0x5dd0e2a9, 0xfb5eac8c],
  [18, 0x0430889e, 0xb994dc9c],
  [30, 0xc082b077, 0x8e22ea68],
  [32, 0x77962784, 0x07c647fa],
  [48, 0xf36e748b, 0x8f34677f],
  [62, 0x0f40ed0f, 0xa69bc80f],
]

const message = (bytes: number): string =>
  Array.from({ length: bytes / 2 }, (_, i) => String.fromCharCode((2 * i) | ((2 * i + 1) << 8))).join('')

it.each(vectors)('answers as the reference does to %i bytes', (bytes, lo, hi) => {
  const chaskey = new Chaskey(KEY)
  chaskey.text(message(bytes))
  expect([tag.lo >>> 0, tag.hi >>> 0]).toEqual([lo, hi])
})

it('takes four words as the sixteen bytes that they are', () => {
  new Chaskey(KEY).block(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c)
  expect([tag.lo >>> 0, tag.hi >>> 0]).toEqual([0x5dd0e2a9, 0xfb5eac8c])
})

/** What the documents show is what the program prints. `npm run docs` makes it anew. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { regenerate } from '../../tools/docs.js'

const generated = await regenerate()

describe('documents', () => {
  it.each([...generated])('%s is as `npm run docs` makes it', (path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it('show the output of at least the lesson', () => {
    expect([...generated.keys()]).toContain('docs/lessons/1-the-read-race.md')
  })
})

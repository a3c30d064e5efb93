/** `explore --json --trace`: the counterexamples are in the document. */
import { expect, it } from 'vitest'
import { toctoscope } from './terminal.ts'

it('has the trace of each counterexample on request, and null else', async () => {
  const args = ['explore', 'overlay-copy-up', '--case', 'access=read,profile=7.2', '--json'] as const
  const { cases } = JSON.parse((await toctoscope(...args, '--trace')).out)
  expect(cases.map((each: { verdict: string }) => each.verdict)).toContain('race')
  expect(cases.map((each: { verdict: string }) => each.verdict)).toContain('safe')
  for (const { token, trace } of cases) {
    expect(trace?.token ?? null).toBe(token)
    if (token !== null)
      expect(trace).toEqual(JSON.parse((await toctoscope('show', token, '--format', 'json')).out))
  }
  const without = JSON.parse((await toctoscope(...args)).out)
  expect(without.cases.every((each: { trace: unknown }) => each.trace === null)).toBe(true)
})

import { expect, it } from 'vitest'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { Dice, garbage } from './garbage.js'
import { JsonShell } from './support.js'

/** A directory, and an overlay of two file systems. */
const setup = {
  filesystems: {
    root: { type: 'tmpfs', tree: { dev: { dir: {} }, d: { dir: { a: 'text' } } } },
    low: {
      type: 'ext4',
      tree: { low: 'lower', d: { dir: { low: 'x' } }, a: { file: '#!/a\n', mode: '0755' } },
    },
    up: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
  },
  mounts: [
    { at: '/', filesystem: 'root' },
    { at: '/m', overlay: { lower: ['low'], upper: 'up:/u', work: 'up:/w' } },
    { at: '/dev', filesystem: 'low', options: ['noexec'] },
    { at: '/proc', filesystem: 'up' },
  ],
}

const COUNT = Number(process.env.SHELL_FUZZ ?? 20_000)
const SEED = Number(process.env.SHELL_FUZZ_SEED ?? 3)

it('garbage calls give an errno or an error line, and leave the invariants intact', async () => {
  const shell = new JsonShell()
  await shell.ask({ id: 0, setup })
  const dice = new Dice(SEED)
  let errors = 0
  let succeeded = 0
  for (let i = 0; i < COUNT; i++) {
    const line = garbage(dice)
    const answer = await shell.protocol.answer(line)
    const where = `seed ${SEED}, request ${i}: ${line.slice(0, 300)}\n${answer.slice(0, 300)}`
    expect(answer, where).not.toContain('bug in toctoscope')
    if (answer.includes('"error"')) errors++
    else if (answer.includes('"ret"')) succeeded++
    if (i % 500 === 0) expect(broken_invariant(shell.session.k), where).toBeNull()
  }
  expect(broken_invariant(shell.session.k)).toBeNull()
  // It is garbage, but not so much of it that nothing happens.
  expect(errors).toBeGreaterThan(COUNT / 10)
  expect(succeeded).toBeGreaterThan(COUNT / 20)
}, 600_000)

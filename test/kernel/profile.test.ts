import { expect, test } from 'vitest'
import { profile, release_names } from '../../src/kernel/profile.js'

test('a profile has the features of its release, with some added and some left out', () => {
  const plain = profile('6.18')
  expect(plain.features.has('at_execve_check')).toBe(true)
  expect(plain.features.has('pkeys')).toBe(false)
  const changed = profile('6.18', ['pkeys', '-at_execve_check'])
  expect(changed.features.has('pkeys')).toBe(true)
  expect(changed.features.has('at_execve_check')).toBe(false)
  expect(changed.features.size).toBe(plain.features.size)
})

test('changes of one profile do not reach another of the release', () => {
  profile('6.18', ['pkeys'])
  expect(profile('6.18').features.has('pkeys')).toBe(false)
  expect(release_names.length).toBeGreaterThan(3)
})

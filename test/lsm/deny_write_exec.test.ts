import { expect, test } from 'vitest'
import { deny_write_exec } from '../../src/lsm/deny_write_exec/deny_write_exec.js'
import { make_scenario } from '../../src/scenario/builder.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import { World } from '../exec/world.js'

function world(root_may?: boolean) {
  const w = new World({ modules: [deny_write_exec({ root_may })] })
  w.file('program', 'x', 0o767)
  w.file('text', 'x', 0o666)
  w.task(2, 1000)
  return w
}

test('what has an execute bit cannot be opened for writing', () => {
  const w = world()
  expect(w.heard('refused', () => expect(w.open('program', 'O_WRONLY')).toBe('EACCES'))).toEqual([
    'deny_write_exec: the file has an execute bit',
  ])
  expect(w.open('program', 'O_RDWR')).toBe('EACCES')
  expect(w.open('program', 'O_RDONLY')).toBe(0)
  expect(w.open('text', 'O_WRONLY')).toBe(1)
})

test('nor truncated: by O_TRUNC without a write mode, by its path, by a descriptor from before', () => {
  const w = world()
  expect(w.open('program', 'O_RDONLY|O_TRUNC')).toBe('EACCES')
  expect(w.call(1, 'truncate', 'program', 0)).toBe('EACCES')
  const fd = w.open('text', 'O_WRONLY')
  w.call(1, 'chmod', 'text', 0o777)
  expect(w.call(1, 'ftruncate', fd, 0)).toBe('EACCES')
  expect(w.call(1, 'truncate', 'program', 0)).toBe('EACCES')
})

test('root may where the option says so, others not', () => {
  const w = world(true)
  expect(w.open('program', 'O_WRONLY')).toBe(0)
  expect(w.call(2, 'open', 'program', 'O_WRONLY', 0)).toBe('EACCES')
})

test.each([
  ['without it', false, 'race'],
  ['with it', true, 'safe'],
])('a write between check and use, %s', (_, on, verdict) => {
  const one = make_scenario({
    name: 'write',
    summary: 'An attacker writes what was checked',
    build(s) {
      const tree = { script: { file: 'good', mode: 0o777 } } as const
      s.mount('/', s.filesystem('disk', { type: 'tmpfs', tree }))
      if (on) s.deny_write_exec({ root_may: true })
      const victim = s.victim('victim', { uid: 1001 })
      const fd = victim.open('/script', 'O_RDONLY')
      const relies = victim.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
      victim.use(victim.read(fd, 4096), { relies })
      const attacker = s.attacker('attacker', { uid: 1000 })
      attacker.write(attacker.open('/script', 'O_WRONLY'), 'evil')
    },
  }).cases[0]!
  expect(explore_case(one).verdict).toBe(verdict)
})

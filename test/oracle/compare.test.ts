import { describe, expect, it } from 'vitest'
import type { Answer, Play, PlayCall } from '../../src/oracle/agent/play.js'
import { compare } from '../../src/oracle/conform/compare.js'

function differences(calls: PlayCall[], model: Answer[], kernel: Answer[]) {
  const play: Play = { setup: {}, tasks: [{ name: 'a' }], calls }
  return compare(play, model, kernel).map(({ call, what }) => [call, what])
}

const stat = (fields: Record<string, number>): Answer => ({
  ret: 0,
  fields: { st_dev: 1, st_ino: 1, st_mode: 0o100644, st_nlink: 1, st_size: 0, ...fields },
})
const stat_call: PlayCall = { task: 1, call: 'stat', args: ['/f'] }

describe('compare', () => {
  it('sees results, errnos, signals and bytes', () => {
    const call: PlayCall = { task: 1, call: 'read', args: [3, 4] }
    expect(differences([call], [{ ret: 1 }], [{ ret: 2 }])).toEqual([[0, 'result']])
    expect(differences([call], [{ ret: 1 }], [{ errno: 'EIO' }])).toEqual([[0, 'result']])
    expect(differences([call], [{ signal: 'SIGBUS' }], [{ signal: 'SIGSEGV' }])).toEqual([[0, 'result']])
    expect(differences([call], [{ ret: 1, data: 'a' }], [{ ret: 1, data: 'b' }])).toEqual([[0, 'data']])
    expect(differences([call], [{ dead: true }], [{ dead: true }])).toEqual([])
  })

  it('lets each side choose addresses, unless the call does', () => {
    const free: PlayCall = { task: 1, call: 'mmap', args: [0, 4096, 1, 'MAP_PRIVATE', 3] }
    const fixed: PlayCall = { task: 1, call: 'mmap', args: [4096, 4096, 1, 'MAP_PRIVATE|MAP_FIXED', 3] }
    expect(differences([free], [{ ret: 1 }], [{ ret: 2 }])).toEqual([])
    expect(differences([fixed], [{ ret: 1 }], [{ ret: 2 }])).toEqual([[0, 'result']])
    expect(differences([free], [{ ret: 1 }], [{ errno: 'EACCES' }])).toEqual([[0, 'result']])
  })

  it('compares the fields of a structure', () => {
    expect(differences([stat_call], [stat({ st_size: 1 })], [stat({ st_size: 2 })])).toEqual([[0, 'st_size']])
    expect(differences([stat_call], [stat({ st_nlink: 1 })], [stat({ st_nlink: 2 })])).toEqual([
      [0, 'st_nlink'],
    ])
  })

  it('leaves the size of directories to each side', () => {
    const dir = { st_mode: 0o040755 }
    expect(differences([stat_call], [stat({ ...dir, st_size: 1 })], [stat({ ...dir, st_size: 2 })])).toEqual(
      [],
    )
  })

  it('compares which files are on one device', () => {
    const twice = [stat_call, stat_call]
    const [a, b] = [stat({ st_dev: 1, st_ino: 10 }), stat({ st_dev: 2, st_ino: 11 })]
    const [x, y] = [stat({ st_dev: 40, st_ino: 70 }), stat({ st_dev: 50, st_ino: 80 })]
    const same = [stat({ st_dev: 40, st_ino: 70 }), stat({ st_dev: 40, st_ino: 80 })] as const
    expect(differences(twice, [a, b], [x, y])).toEqual([])
    expect(differences(twice, [a, b], [...same])).toEqual([[1, 'st_dev']])
    expect(differences(twice, [...same], [a, b])).toEqual([[1, 'st_dev']])
  })

  it('compares inode numbers for equality among themselves', () => {
    const twice = [stat_call, stat_call]
    const [a, b] = [stat({ st_ino: 10 }), stat({ st_ino: 11 })]
    const [x, y] = [stat({ st_ino: 70 }), stat({ st_ino: 80 })]
    expect(differences(twice, [a, b], [x, y])).toEqual([])
    expect(differences(twice, [a, a], [x, x])).toEqual([])
    expect(differences(twice, [a, a], [x, y])).toEqual([[1, 'st_ino']])
    expect(differences(twice, [a, b], [x, x])).toEqual([[1, 'st_ino']])
  })
})
